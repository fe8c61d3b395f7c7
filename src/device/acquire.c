// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/uuid.h"
#include "device/acquire-shared.h"
#include "device/acquire.h"
#include "host/sysfs.h"

const char *acquire_via_name(enum acquire_via via)
{
	static const char *const names[] = {
		[ACQUIRE_AUTO] = "auto",	   [ACQUIRE_CDEV] = "cdev",
		[ACQUIRE_GROUP] = "group",	   [ACQUIRE_FD] = "fd",
		[ACQUIRE_VFIO_USER] = "vfio-user",
	};

	return names[via];
}

static int acquire_not_vfio(const struct vfio_node *node, struct err *err)
{
	err_fail(err, ERR_UNSUPPORTED, -ENODEV, "%s: not bound to a VFIO driver (its driver is %s)",
		 node->name, node->driver ? node->driver : "none");
	return err_hint(err, -ENODEV, "bind it to the vfio driver made for it");
}

static bool acquire_has_cdev(const struct host *host, const struct vfio_node *node)
{
	char name[64];

	snprintf(name, sizeof(name), "vfio/devices/%s", node->cdev ? node->cdev : "");
	return node->cdev && path_exists(host->dev, name) && path_exists(host->dev, "iommu");
}

static bool acquire_has_group(const struct host *host, const struct vfio_node *node)
{
	char name[64];

	snprintf(name, sizeof(name), "vfio/%s%d", node->noiommu ? "noiommu-" : "", node->group);
	return node->group >= 0 && path_exists(host->dev, name) &&
	       path_exists(host->dev, "vfio/vfio");
}

enum acquire_via acquire_way(const struct host *host, const struct vfio_node *node,
			     const struct acquire_options *opts)
{
	if (opts->via != ACQUIRE_AUTO)
		return opts->via;
	/* Character devices take a VF token only from Linux 6.18 on. */
	if (acquire_has_group(host, node) && (opts->vf_token || !acquire_has_cdev(host, node)))
		return ACQUIRE_GROUP;
	return ACQUIRE_CDEV;
}

int acquire_check_node(const struct vfio_node *node, struct err *err)
{
	return node->vfio ? 0 : acquire_not_vfio(node, err);
}

int acquire_node(const struct host *host, const struct vfio_node *node,
		 const struct acquire_options *opts, struct acquired *ret, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	uint8_t token[UUID_SIZE];
	enum acquire_via via;
	int r;

	if (opts->vf_token && !uuid_parse(opts->vf_token, token))
		return err_fail(err, ERR_USAGE, -EINVAL, "VF token '%s': not a UUID",
				opts->vf_token);
	r = acquire_check_node(node, err);
	if (r < 0)
		return r;
	via = acquire_way(host, node, opts);
	acquire_shared_find(opts->shared, via, node->group, acq.keep);
	if (via == ACQUIRE_GROUP)
		r = acquire_group(host, node, opts->vf_token, &acq, err);
	else
		r = acquire_cdev(host, node, opts->vf_token ? token : NULL, &acq, err);
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
	acq.via = via;
	acquire_shared_add(opts->shared, node->group, &acq);
	log_info("%s: opened by %s", node->name, acquire_via_name(via));
	*ret = acq;
	return 0;
}

int acquire_inherited(int fd, struct acquired *ret, struct err *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct acquired acq = ACQUIRED_NONE;
	int r = 0;

	acq.via = ACQUIRE_FD;
	acq.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (acq.fd < 0)
		return err_fail(err, ERR_MISSING, -errno, "fd:%d: not open here", fd);
	if (ioctl(acq.fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		r = -errno;
	if (r == -EINVAL) {
		err_fail(err, ERR_MISSING, r, "fd:%d: a VFIO device that is not bound yet", fd);
		err_hint(err, r,
			 "the process that hands it over must VFIO_DEVICE_BIND_IOMMUFD first");
	} else if (r < 0) {
		err_fail(err, ERR_MISSING, r, "fd:%d: not a VFIO device", fd);
	}
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
	*ret = acq;
	return 0;
}

void acquired_done(struct acquired *acq)
{
	/* The device first: the kernel detaches it from what it was attached to. */
	if (acq->fd >= 0)
		close(acq->fd);
	for (int i = 0; i < 2; i++)
		if (acq->keep[i] >= 0)
			close(acq->keep[i]);
	*acq = ACQUIRED_NONE;
}
