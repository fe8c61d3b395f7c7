// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "base/trace.h"
#include "device/acquire-why.h"
#include "device/acquire.h"
#include "device/call.h"
#include "uapi/vfio.h"

static int acquire_cdev_open_node(const char *dir, const char *name, int *ret, struct err *err)
{
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	*ret = open(path, O_RDWR | O_CLOEXEC);
	return *ret < 0 ? err_set(err, -errno, "%s", path) : 0;
}

/*
 * Bound, not attached: migration needs no address space, and with none attached the device
 * cannot reach memory.
 */
static int acquire_cdev_bind_iommufd(const struct acquired *acq, const uint8_t *vf_token)
{
	struct uapi_bind_iommufd bind = {
		.argsz = vf_token ? sizeof(bind) : UAPI_BIND_MINSZ,
		.flags = vf_token ? UAPI_BIND_TOKEN : 0,
		.iommufd = acq->keep[0],
		.token_uuid_ptr = (uintptr_t)vf_token,
	};

	return call_ioctl(acq->fd, UAPI_DEVICE_BIND_IOMMUFD, &bind) < 0 ? -errno : 0;
}

static int acquire_cdev_bind_failed(const struct host *host, const struct vfio_node *node,
				    bool token, int r, struct err *err)
{
	static const char doing[] = "VFIO_DEVICE_BIND_IOMMUFD";

	/* The kernel's answer to the second open of a cdev, and to a token before Linux 6.18. */
	if (r == -EBUSY || (r == -EINVAL && !token))
		return acquire_busy(host, node, err);
	if (r == -EPERM)
		return acquire_denied(host, node, doing, "iommufd", err);
	err_set(err, r, "%s: %s", node->name, doing);
	if (r != -EINVAL)
		return r;
	err_classify(err, ERR_UNSUPPORTED, r);
	return err_hint(err, r,
			"kernels before 6.18 take a VF token only by the group (--via group)");
}

/* Only a kernel with character devices has VFIO devices without one for another reason. */
static int acquire_cdev_none(const struct vfio_node *node, struct err *err)
{
	if (node->noiommu) {
		err_fail(err, ERR_UNSUPPORTED, -ENODEV,
			 "%s: has no VFIO character device, as it has no IOMMU", node->name);
		return err_hint(err, -ENODEV, "use its no-IOMMU group (--via group)");
	}
	err_fail(err, ERR_UNSUPPORTED, -ENODEV, "%s: has no VFIO character device", node->name);
	return err_hint(err, -ENODEV,
			"the kernel lacks CONFIG_VFIO_DEVICE_CDEV: use the group (--via group)");
}

int acquire_cdev(const struct host *host, const struct vfio_node *node, const uint8_t *vf_token,
		 struct acquired *ret, struct err *err)
{
	char dir[PATH_MAX];
	int r;

	if (!node->cdev)
		return acquire_cdev_none(node, err);
	snprintf(dir, sizeof(dir), "%s/vfio/devices", host->dev);
	r = acquire_cdev_open_node(dir, node->cdev, &ret->fd, err);
	if (r == -ENOENT)
		return err_hint(
			err, r,
			"the kernel has this device and %s lacks its node: mount a devtmpfs "
			"there, or use the group (--via group)",
			host->dev);
	if (r < 0)
		return r;
	trace_name(ret->fd, node->name);
	r = ret->keep[0] >= 0 ? 0 : acquire_cdev_open_node(host->dev, "iommu", &ret->keep[0], err);
	if (r == -ENOENT)
		err_classify(err, ERR_UNSUPPORTED, r);
	if (r < 0)
		return err_prefix(err, r, "%s: no iommufd", node->name);

	r = acquire_cdev_bind_iommufd(ret, vf_token);
	return r < 0 ? acquire_cdev_bind_failed(host, node, vf_token, r, err) : 0;
}
