// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "base/trace.h"
#include "device/call.h"
#include "device/kernel-dev.h"

/* Caps on what a driver may claim to tell of one region. */
#define REGION_INFO_MAX 65536u
#define CAPS_MAX 64

struct kernel_dev *kernel_dev(struct mig_dev *dev)
{
	return container_of(dev, struct kernel_dev, dev);
}

static int kernel_dev_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (call_ioctl(kernel_dev(dev)->acq.fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_GET_INFO", dev->name);
	*ret = (struct dev_info){
		.flags = info.flags,
		.n_regions = info.num_regions,
		.n_irqs = info.num_irqs,
	};
	return 0;
}

static int kernel_dev_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret,
			     struct err *err)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (call_ioctl(kernel_dev(dev)->acq.fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_GET_REGION_INFO of %u", dev->name,
			       index);
	*ret = (struct dev_region){
		.index = index,
		.flags = info.flags,
		.size = info.size,
		.offset = info.offset,
	};
	return 0;
}

static int kernel_dev_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (call_ioctl(kernel_dev(dev)->acq.fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_GET_IRQ_INFO of %u", dev->name, index);
	*ret = (struct dev_irq){ .flags = info.flags, .count = info.count };
	return 0;
}

static ssize_t kernel_dev_read(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			       void *buf, size_t len, struct err *err)
{
	ssize_t n;

	n = call_pread(kernel_dev(dev)->acq.fd, NULL, buf, len, region->offset + at);
	if (n < 0)
		return err_set(err, -errno, "%s: reading region %u", dev->name, region->index);
	return n;
}

static int kernel_dev_write(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			    const void *buf, size_t len, struct err *err)
{
	ssize_t n;

	n = call_pwrite(kernel_dev(dev)->acq.fd, NULL, buf, len, region->offset + at);
	if (n != (ssize_t)len)
		return err_set(err, n < 0 ? -errno : -EIO, "%s: writing region %u", dev->name,
			       region->index);
	return 0;
}

static const struct dev_ops kernel_dev_ops = {
	.info = kernel_dev_info,
	.region = kernel_dev_region,
	.irq = kernel_dev_irq,
	.read = kernel_dev_read,
	.write = kernel_dev_write,
};

int kernel_dev_init(struct kernel_dev *k, const struct mig_ops *ops, struct acquired *acq,
		    const char *name, struct err *err)
{
	*k = (struct kernel_dev){
		.dev = { .ops = ops, .dev_ops = &kernel_dev_ops, .name = strdup(name) },
		.acq = *acq,
	};
	*acq = ACQUIRED_NONE;
	trace_name(k->acq.fd, name);
	if (k->dev.name)
		return 0;
	kernel_dev_done(k);
	return err_set(err, -ENOMEM, "%s", name);
}

void kernel_dev_done(struct kernel_dev *k)
{
	acquired_done(&k->acq);
}

size_t kernel_dev_fds(struct mig_dev *dev, int ret[static KERNEL_DEV_FDS_MAX])
{
	const struct kernel_dev *k = kernel_dev(dev);
	size_t n = 0;

	if (dev->dev_ops != &kernel_dev_ops)
		return 0;
	ret[n++] = k->acq.fd;
	for (size_t i = 0; i < 2; i++)
		if (k->acq.keep[i] >= 0)
			ret[n++] = k->acq.keep[i];
	return n;
}

int kernel_dev_reset(struct mig_dev *dev, struct err *err)
{
	if (call_ioctl(kernel_dev(dev)->acq.fd, UAPI_DEVICE_RESET, NULL) < 0)
		return err_set(err, -errno, "VFIO_DEVICE_RESET");
	return 0;
}

int kernel_dev_query_reset(struct mig_dev *dev, struct err *err)
{
	struct dev_info info;
	int r;

	r = dev_info(dev, &info, err);
	if (r < 0)
		return r;
	dev->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	return 0;
}

/* Asked with too little room the kernel says how much there is to tell. */
int kernel_dev_region_info(int fd, uint32_t index, struct vfio_region_info **ret)
{
	_cleanup_free_ struct vfio_region_info *info = NULL;
	uint32_t size = sizeof(*info);

	for (;;) {
		free(info);
		info = calloc(1, size);
		if (!info)
			return -ENOMEM;
		info->argsz = size;
		info->index = index;
		if (call_ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
			return -errno;
		if (info->argsz <= size)
			break;
		if (info->argsz > REGION_INFO_MAX)
			return -E2BIG;
		size = info->argsz;
	}
	info->argsz = size;
	*ret = TAKE_PTR(info);
	return 0;
}

const struct vfio_info_cap_header *kernel_dev_region_cap(const struct vfio_region_info *info,
							 uint16_t id, size_t size)
{
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	for (int i = 0; i < CAPS_MAX && at; i++) {
		const struct vfio_info_cap_header *cap;

		if (at % sizeof(uint32_t) || at > info->argsz - sizeof(*cap) ||
		    info->argsz < sizeof(*cap))
			return NULL;
		cap = (const void *)((const char *)info + at);
		if (cap->id == id)
			return size <= info->argsz - at ? cap : NULL;
		at = cap->next;
	}
	return NULL;
}
