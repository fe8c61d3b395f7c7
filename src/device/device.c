// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device/acquirer.h"
#include "device/kernel-dev.h"
#include "device/kernel-v2.h"
#include "device/quirks.h"
#include "device/region-v1.h"
#include "host/device-lock.h"
#include "host/pci-function.h"

static void device_learn_node(struct device *dev)
{
	if (!dev->node)
		return;
	dev->resets = pci_function_can_reset(dev->node);
	dev->has_ids = pci_ids_from_sysfs(dev->host, dev->node, &dev->ids) >= 0;
}

int device_find(const struct host *host, const char *spec, struct device **ret, struct err *err)
{
	_cleanup_(device_freep) struct device *dev = NULL;
	const char *rest;
	int r;

	dev = calloc(1, sizeof(*dev));
	if (!dev)
		return err_set(err, -ENOMEM, "%s", spec);
	dev->host = host;
	dev->lock = -1;
	dev->how = acquirer_of(spec, &rest);
	dev->spec = strdup(spec);
	if (!dev->spec)
		return err_set(err, -ENOMEM, "%s", spec);

	r = dev->how->find(dev, rest, err);
	if (r < 0)
		return r;
	device_learn_node(dev);
	*ret = TAKE_PTR(dev);
	return 0;
}

int device_check(const struct device *dev, const struct device_options *opts, struct err *err)
{
	return dev->how->check(dev, opts, err);
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

/* Before anything is asked of it: its state may be another tool's doing. */
static int device_lock(struct device *dev, const struct device_options *opts, struct err *err)
{
	if (!device_owner(dev) || opts->only_asks || !dev->node)
		return 0;
	return device_lock_take(dev->node->name, opts->cancel, &dev->lock, err);
}

void device_unlock(struct device *dev)
{
	if (dev->lock >= 0)
		close(TAKE_FD(dev->lock));
}

static int device_open_kernel(struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	bool known = dev->node;
	int r;

	r = dev->how->acquire(dev, opts, &acq, err);
	if (r < 0)
		return r;
	dev->via = acq.via;
	if (!known)
		device_learn_node(dev);
	r = device_lock(dev, opts, err);
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
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

	if (dev->how->connect)
		r = dev->how->connect(dev, opts, &dev->mig, err);
	else
		r = device_open_kernel(dev, opts, err);
	if (r < 0)
		return r;

	/* Of another one that has it, the process that passed it (fd:N), nothing is known. */
	dev->mig->shared = device_owner(dev);
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

enum device_ownership device_ownership(const struct device *dev)
{
	return dev->how->ownership;
}

enum device_opening device_opening(const struct device *dev)
{
	return dev->how->opening;
}

bool device_is_served(const struct device *dev)
{
	return dev->how->connect;
}

bool device_is_kept(const struct device *dev)
{
	return device_owner(dev) ||
	       (device_ownership(dev) == DEVICE_LENT && !device_is_served(dev));
}

int device_call_timeout(const struct device *dev, const struct device_options *opts)
{
	return device_is_served(dev) ? 0 : opts->call_timeout_ms;
}

const char *device_socket(const struct device *dev)
{
	return dev->how->socket ? dev->how->socket(dev) : NULL;
}

int device_lent(const struct device *dev, const struct device_options *opts, char ***ret,
		struct err *err)
{
	*ret = NULL;
	return dev->how->lent ? dev->how->lent(dev, opts, ret, err) : 0;
}

void device_lent_done(char **names)
{
	for (size_t i = 0; names && names[i]; i++)
		free(names[i]);
	free(names);
}

const struct device_owner *device_owner(const struct device *dev)
{
	return dev->how->owner ? dev->how->owner(dev) : NULL;
}

pid_t device_owner_pid(const struct device *dev)
{
	const struct device_owner *owner = device_owner(dev);

	return owner ? owner->pid : 0;
}

int device_owner_pidfd(const struct device *dev)
{
	return dev->how->owner_pidfd ? dev->how->owner_pidfd(dev) : -1;
}

enum device_keeper device_keeper(const struct device *dev)
{
	return dev->how->keeper ? dev->how->keeper(dev) : KEEPER_NOT_KNOWN;
}

int device_check_kept(const struct device *dev, struct err *err)
{
	static const char *const what[] = {
		[KEEPER_ENDED] = "has ended meanwhile",
		[KEEPER_CLOSED] = "has closed it meanwhile",
		[KEEPER_HIDDEN] = "can no longer be looked into",
	};
	const struct device_owner *owner = device_owner(dev);
	enum device_keeper keeper = device_keeper(dev);

	if (keeper == KEEPER_NOT_KNOWN || keeper == KEEPER_HOLDS)
		return 0;
	if (!owner)
		return err_fail(err, ERR_UNSPEC, -ESRCH, "%s: its holder %s", device_name(dev),
				what[keeper]);
	return err_fail(err, ERR_UNSPEC, -ESRCH, "%s: its owner (%s, pid %d) %s", device_name(dev),
			owner->comm, (int)owner->pid, what[keeper]);
}

const struct device_lease *device_lease(const struct device *dev)
{
	return dev->how->lease ? dev->how->lease(dev) : NULL;
}

bool device_returned(const struct device *dev, enum mig_state home, int timeout_ms)
{
	return dev->how->returned && dev->how->returned(dev, home, timeout_ms);
}

int device_watch_fd(const struct device *dev)
{
	int fd = mig_watch_fd(dev->mig);

	return fd < 0 && dev->how->watch_fd ? dev->how->watch_fd(dev) : fd;
}

int device_attend(struct device *dev, struct err *err)
{
	if (device_is_served(dev))
		return mig_attend(dev->mig, err);
	return dev->how->attend ? dev->how->attend(dev, err) : -ECONNRESET;
}

const struct acquired *device_fds(const struct device *dev)
{
	return device_is_served(dev) ? NULL : &kernel_dev(dev->mig)->acq;
}

static bool device_is_pci(const struct device *dev)
{
	return dev->node && !strcmp(dev->node->bus, "pci");
}

bool device_opened_here(const struct device *dev)
{
	return device_ownership(dev) == DEVICE_SOLE && device_is_pci(dev);
}

bool device_lacks_dma(const struct device *dev)
{
	return device_ownership(dev) != DEVICE_SHARED && !device_is_served(dev) &&
	       device_is_pci(dev);
}

bool device_reset_by_open(const struct device *dev)
{
	return device_opened_here(dev) && dev->resets;
}

enum close_effect device_judge_close(const struct close_facts *facts)
{
	if ((facts->ownership != DEVICE_SOLE && !facts->left) || facts->driver_keeps)
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
		.ownership = device_ownership(dev),
		.driver_keeps = quirks_keeps_state(device_driver(dev)),
		.pci = dev->node && !strcmp(dev->node->bus, "pci"),
		.resets = dev->resets,
		.left = device_check_kept(dev, NULL) < 0,
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
	if (dev->how->close)
		dev->how->close(dev);
	device_unlock(dev);
}

struct device *device_free(struct device *dev)
{
	if (dev) {
		device_close(dev);
		if (dev->how->done)
			dev->how->done(dev);
		vfio_node_free(dev->node);
		free(dev->spec);
		free(dev);
	}
	return NULL;
}
