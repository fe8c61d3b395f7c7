// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/vfio.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "device/acquire-why.h"
#include "device/acquire.h"
#include "device/call.h"

enum {
	GROUP,
	CONTAINER
}; /* places in acquired.keep */

static int acquire_group_open_container(const struct host *host, struct acquired *acq,
					struct err *err)
{
	char path[PATH_MAX];
	int version;

	snprintf(path, sizeof(path), "%s/vfio/vfio", host->dev);
	acq->keep[CONTAINER] = open(path, O_RDWR | O_CLOEXEC);
	if (acq->keep[CONTAINER] < 0)
		return err_set(err, -errno, "%s", path);
	version = call_ioctl(acq->keep[CONTAINER], VFIO_GET_API_VERSION, NULL);
	if (version != VFIO_API_VERSION)
		return err_fail(err, ERR_UNSUPPORTED, -EPROTO, "%s: API version %d, not %d", path,
				version, VFIO_API_VERSION);
	return 0;
}

static int acquire_group_open_group(const struct host *host, const struct vfio_node *node,
				    struct acquired *acq, struct err *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/vfio/%s%d", host->dev, node->noiommu ? "noiommu-" : "",
		 node->group);
	acq->keep[GROUP] = open(path, O_RDWR | O_CLOEXEC);
	if (acq->keep[GROUP] < 0 && errno == EBUSY)
		return acquire_busy(host, node, err);
	if (acq->keep[GROUP] < 0)
		return err_set(err, -errno, "%s", path);
	if (call_ioctl(acq->keep[GROUP], VFIO_GROUP_GET_STATUS, &status) < 0)
		return err_set(err, -errno, "%s: VFIO_GROUP_GET_STATUS", path);
	if (!(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		return acquire_not_viable(host, node, err);
	return 0;
}

static int acquire_group_set_container(const struct host *host, const struct vfio_node *node,
				       const struct acquired *acq, struct err *err)
{
	int container = acq->keep[CONTAINER];
	int r = 0;

	if (call_ioctl(acq->keep[GROUP], VFIO_GROUP_SET_CONTAINER, &container) < 0)
		r = -errno;
	if (r == -EBUSY)
		return acquire_busy(host, node, err);
	/* Another member's driver or iommufd came between the look at the group and here. */
	if (r == -EPERM && !node->noiommu)
		return acquire_denied(host, node, "VFIO_GROUP_SET_CONTAINER", "vfio_iommu_type1",
				      err);
	return r < 0 ? err_set(err, r, "%s: VFIO_GROUP_SET_CONTAINER", node->name) : 0;
}

/* An IOMMU type is asked for because no device can be had without one; nothing is mapped. */
static int acquire_group_set_iommu(const struct host *host, const struct vfio_node *node,
				   const struct acquired *acq, struct err *err)
{
	static const uintptr_t with_iommu[] = { VFIO_TYPE1v2_IOMMU, VFIO_TYPE1_IOMMU };
	static const uintptr_t without[] = { VFIO_NOIOMMU_IOMMU };
	const uintptr_t *types = node->noiommu ? without : with_iommu;
	size_t n = node->noiommu ? ARRAY_SIZE(without) : ARRAY_SIZE(with_iommu);
	int r = -ENODEV;

	for (size_t i = 0; i < n; i++) {
		void *type = (void *)types[i];

		if (call_ioctl(acq->keep[CONTAINER], VFIO_CHECK_EXTENSION, type) <= 0)
			continue;
		if (call_ioctl(acq->keep[CONTAINER], VFIO_SET_IOMMU, type) == 0)
			return 0;
		r = -errno;
	}
	if (r == -EPERM && !node->noiommu)
		return acquire_denied(host, node, "VFIO_SET_IOMMU", "vfio_iommu_type1", err);
	err_set(err, r, "%s: VFIO_SET_IOMMU", node->name);
	return r == -EPERM ? err_hint(err, r, "a no-IOMMU group needs CAP_SYS_RAWIO") : r;
}

static int acquire_group_get_device(const struct vfio_node *node, const char *vf_token,
				    struct acquired *acq, struct err *err)
{
	char name[PATH_MAX];
	int r;

	snprintf(name, sizeof(name), "%s%s%s", node->name, vf_token ? " vf_token=" : "",
		 vf_token ? vf_token : "");
	acq->fd = call_ioctl(acq->keep[GROUP], VFIO_GROUP_GET_DEVICE_FD, name);
	if (acq->fd >= 0)
		return 0;
	r = err_set(err, -errno, "%s: VFIO_GROUP_GET_DEVICE_FD", node->name);
	if (r != -EACCES)
		return r;
	if (vf_token)
		return err_note(err, r, "the VF token is not the PF's");
	return err_hint(err, r, "its PF is in use by VFIO: give --vf-token");
}

static int acquire_group_attach(const struct host *host, const struct vfio_node *node,
				struct acquired *ret, struct err *err)
{
	int r;

	r = acquire_group_open_container(host, ret, err);
	if (r < 0)
		return r;
	r = acquire_group_open_group(host, node, ret, err);
	if (r < 0)
		return r;
	r = acquire_group_set_container(host, node, ret, err);
	return r < 0 ? r : acquire_group_set_iommu(host, node, ret, err);
}

int acquire_group(const struct host *host, const struct vfio_node *node, const char *vf_token,
		  struct acquired *ret, struct err *err)
{
	int r;

	if (node->group < 0)
		return err_fail(err, ERR_UNSUPPORTED, -ENODEV, "%s: is in no IOMMU group",
				node->name);
	r = ret->keep[GROUP] >= 0 ? 0 : acquire_group_attach(host, node, ret, err);
	return r < 0 ? r : acquire_group_get_device(node, vf_token, ret, err);
}
