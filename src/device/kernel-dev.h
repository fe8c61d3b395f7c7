/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device that the kernel's VFIO gives an fd of: what is the same for v2 and v1
 */

#include <linux/vfio.h>

#include "device/acquire.h"
#include "device/backend.h"

struct kernel_dev {
	struct mig_dev dev;
	struct acquired acq;
};

/**
 * kernel_dev_init() - take over an open device
 * @acq: consumed, on success or failure
 */
_must_check_ int kernel_dev_init(struct kernel_dev *k, const struct mig_ops *ops,
				 struct acquired *acq, const char *name, struct err *err);

/** kernel_dev_done() - for mig_ops.close; what @k is embedded in is the caller's to free. */
void kernel_dev_done(struct kernel_dev *k);

/** kernel_dev() - of a device whose backend embeds one */
struct kernel_dev *kernel_dev(struct mig_dev *dev);

#define KERNEL_DEV_FDS_MAX 3u

/**
 * kernel_dev_fds() - all descriptors that @dev is spoken to by; they stay its own
 *
 * Return: how many; 0 for a device that the kernel does not have.
 */
size_t kernel_dev_fds(struct mig_dev *dev, int ret[static KERNEL_DEV_FDS_MAX]);

/** kernel_dev_reset() - VFIO_DEVICE_RESET; for mig_ops.reset. */
_must_check_ int kernel_dev_reset(struct mig_dev *dev, struct err *err);

/** kernel_dev_query_reset() - fill @dev->can_reset. */
_must_check_ int kernel_dev_query_reset(struct mig_dev *dev, struct err *err);

/**
 * kernel_dev_region_info() - a region with its capabilities
 * @ret: the caller frees it; all of its argsz bytes are there
 *
 * Return: 0; -EINVAL for an index that is none; -ENOMEM.
 */
_must_check_ int kernel_dev_region_info(int fd, uint32_t index, struct vfio_region_info **ret);

/**
 * kernel_dev_region_cap() - the first capability of a kind
 *
 * Return: the capability, @size bytes of which lie inside of @info; NULL when there is none.
 */
const struct vfio_info_cap_header *kernel_dev_region_cap(const struct vfio_region_info *info,
							 uint16_t id, size_t size);
