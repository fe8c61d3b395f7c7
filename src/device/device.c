// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/io.h"
#include "base/log.h"
#include "base/units.h"
#include "device/device.h"
#include "device/kernel-v2.h"
#include "device/quirks.h"
#include "device/region-v1.h"
#include "device/vfio-user.h"
#include "host/pci-function.h"

/*
 * Which device an inherited fd is: a cdev's link names its node, and from Linux 6.18 on fdinfo
 * names the device of any VFIO fd. Else it stays unknown, which is no failure.
 */
static struct vfio_node *device_node_of_fd(const struct host *host, int fd)
{
	static const char key[] = "vfio-device-syspath:";
	_cleanup_free_ char *info = NULL;
	char path[PATH_MAX], link[PATH_MAX];
	struct vfio_node *node = NULL;
	const char *line;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/self/fd/%d", host->proc, fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n > 0) {
		link[n] = '\0';
		if (strstr(link, "/vfio/devices/") &&
		    vfio_node_resolve(host, link, &node, NULL) >= 0)
			return node;
	}
	snprintf(path, sizeof(path), "%s/self/fdinfo/%d", host->proc, fd);
	if (read_text(AT_FDCWD, path, &info) < 0)
		return NULL;
	line = strstr(info, key);
	if (!line || sscanf(line + strlen(key), " %4095[^\n]", path) != 1 ||
	    vfio_node_from_sysfs(host, path, &node, NULL) != VFIO_NODE_FOUND)
		return NULL;
	return node;
}

static int device_find_inherited(struct device *dev, struct err *err)
{
	uint64_t fd;

	if (parse_uint(dev->spec + strlen("fd:"), 10, INT_MAX, &fd) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not a file descriptor's number",
				dev->spec);
	dev->inherited = (int)fd;
	dev->node = device_node_of_fd(dev->host, dev->inherited);
	return 0;
}

static int device_find_form(struct device *dev, struct err *err)
{
	if (!strncmp(dev->spec, "fd:", strlen("fd:")))
		return device_find_inherited(dev, err);
	if (strncmp(dev->spec, "vfio-user:", strlen("vfio-user:")) != 0)
		return vfio_node_resolve(dev->host, dev->spec, &dev->node, err);
	dev->socket = dev->spec + strlen("vfio-user:");
	return 0;
}

int device_find(const struct host *host, const char *spec, struct device **ret, struct err *err)
{
	_cleanup_(device_freep) struct device *dev = NULL;
	int r;

	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return err_set(err, -ENOMEM, "%s", spec);
	dev->host = host;
	dev->inherited = -1;
	dev->spec = strdup(spec);
	if (!dev->spec)
		return err_set(err, -ENOMEM, "%s", spec);

	r = device_find_form(dev, err);
	if (r < 0)
		return r;
	dev->resets = dev->node && pci_function_can_reset(dev->node);
	dev->has_ids = dev->node && pci_ids_from_sysfs(host, dev->node, &dev->ids) >= 0;
	*ret = TAKE_PTR(dev);
	return 0;
}

static int device_check_socket(const struct device *dev, const struct device_options *opts,
			       struct err *err)
{
	if (opts->protocol != PROTOCOL_AUTO)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"%s: --protocol is for devices of the kernel", dev->spec);
	return vfio_user_check(dev->socket, dev->spec, err);
}

int device_check(const struct device *dev, const struct device_options *opts, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	if (dev->socket)
		return device_check_socket(dev, opts, err);
	if (dev->inherited < 0)
		return acquire_check_node(dev->node, err);
	r = acquire_inherited(dev->inherited, &acq, err);
	acquired_done(&acq);
	return r;
}

/*
 * Neither question changes the device. One that answers neither is opened as v2, whose first call
 * says that the driver offers no migration.
 */
static bool device_wants_v1(int fd, enum device_protocol protocol)
{
	if (protocol != PROTOCOL_AUTO)
		return protocol == PROTOCOL_V1;
	return !kernel_v2_spoken(fd) && region_v1_spoken(fd);
}

static int device_open_kernel(struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	if (dev->inherited >= 0)
		r = acquire_inherited(dev->inherited, &acq, err);
	else
		r = acquire_node(dev->host, dev->node, &opts->acquire, &acq, err);
	if (r < 0)
		return r;
	dev->via = acq.via;
	if (device_wants_v1(acq.fd, opts->protocol))
		return region_v1_open(&acq, device_name(dev), &dev->mig, err);
	return kernel_v2_open(&acq, device_name(dev), &dev->mig, err);
}

/* VFIO tried to reset the function when it opened it, and knows whether that works. */
static int device_ask_reset(struct device *dev, struct err *err)
{
	struct dev_info info;
	int r;

	if (!device_opened_here(dev))
		return 0;
	r = dev_info(dev->mig, &info, err);
	if (r < 0)
		return r;
	dev->resets = info.flags & VFIO_DEVICE_FLAGS_RESET;
	return 0;
}

int device_open(struct device *dev, const struct device_options *opts, struct err *err)
{
	ssize_t n;
	int r;

	if (dev->socket) {
		r = device_check_socket(dev, opts, err);
		if (r < 0)
			return r;
		dev->via = ACQUIRE_VFIO_USER;
		r = vfio_user_open(dev->socket, dev->spec, opts->acquire.timeout_ms, opts->cancel,
				   opts->only_asks, &dev->mig, err);
	} else {
		r = device_open_kernel(dev, opts, err);
	}
	if (r < 0)
		return r;

	r = device_ask_reset(dev, err);
	if (r < 0)
		return r;
	n = dev_config_read(dev->mig, dev->config, sizeof(dev->config), err);
	if (n < 0)
		return (int)n;
	dev->config_size = (size_t)n;
	if (pci_ids_from_config(dev->config, dev->config_size, &dev->ids) >= 0)
		dev->has_ids = true;
	return 0;
}

bool device_opened_here(const struct device *dev)
{
	return dev->inherited < 0 && dev->node && !strcmp(dev->node->bus, "pci");
}

bool device_reset_by_open(const struct device *dev)
{
	return device_opened_here(dev) && dev->resets;
}

enum close_effect device_judge_close(const struct close_facts *facts)
{
	if (facts->borrowed || facts->driver_keeps)
		return CLOSE_KEEPS;
	if (!facts->pci)
		return CLOSE_MAY_LOSE;
	if (facts->resets)
		return CLOSE_RESETS;
	return facts->root_bus ? CLOSE_KEEPS : CLOSE_MAY_RESET_BUS;
}

enum close_effect device_close_effect(const struct device *dev)
{
	const struct close_facts facts = {
		.borrowed = dev->inherited >= 0 || dev->socket,
		.driver_keeps = quirks_keeps_state(device_driver(dev)),
		.pci = device_opened_here(dev),
		.resets = dev->resets,
		.root_bus = dev->node && pci_function_on_root_bus(dev->node),
	};

	return device_judge_close(&facts);
}

const char *device_close_text(enum close_effect effect)
{
	static const char *const texts[] = {
		[CLOSE_KEEPS] = "closing it leaves its state alone",
		[CLOSE_MAY_LOSE] = "closing it may reset it",
		[CLOSE_MAY_RESET_BUS] = "closing it may reset its bus, and it with that",
		[CLOSE_RESETS] = "closing it resets it",
	};

	return texts[effect];
}

const char *device_name(const struct device *dev)
{
	return dev->node ? dev->node->name : dev->spec;
}

const char *device_driver(const struct device *dev)
{
	return dev->node ? dev->node->driver : NULL;
}

void device_close(struct device *dev)
{
	mig_close(dev->mig);
	dev->mig = NULL;
}

struct device *device_free(struct device *dev)
{
	if (dev) {
		device_close(dev);
		vfio_node_free(dev->node);
		free(dev->spec);
		free(dev);
	}
	return NULL;
}
