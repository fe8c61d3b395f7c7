// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "device/kernel-v2.h"

struct kernel_v2 {
	struct mig_dev dev;
	struct acquired acq;
};

struct data_fd {
	struct mig_stream stream;
	int fd;
};

/*
 * The stream. Plain read() and write() without retry: see device/stream.h on signals.
 */

static struct data_fd *data_fd(struct mig_stream *s)
{
	return container_of(s, struct data_fd, stream);
}

static ssize_t data_fd_read(struct mig_stream *s, void *buf, size_t len)
{
	ssize_t n = read(data_fd(s)->fd, buf, len);

	return n < 0 ? -errno : n;
}

static ssize_t data_fd_write(struct mig_stream *s, const void *buf, size_t len)
{
	ssize_t n = write(data_fd(s)->fd, buf, len);

	return n < 0 ? -errno : n;
}

static int data_fd_precopy_info(struct mig_stream *s, struct mig_precopy_info *ret)
{
	/* Older drivers copy the caller's flags back: they must be zero. */
	struct uapi_precopy_info info = { .argsz = sizeof(info) };

	if (ioctl(data_fd(s)->fd, UAPI_MIG_GET_PRECOPY_INFO, &info) < 0)
		return -errno;
	*ret = (struct mig_precopy_info){
		.initial_bytes = info.initial_bytes,
		.dirty_bytes = info.dirty_bytes,
		.reinit = info.flags & UAPI_PRECOPY_INFO_REINIT,
	};
	return 0;
}

static int data_fd_fd(struct mig_stream *s)
{
	return data_fd(s)->fd;
}

static void data_fd_close(struct mig_stream *s)
{
	close(data_fd(s)->fd);
	free(data_fd(s));
}

static const struct mig_stream_ops data_fd_ops = {
	.read = data_fd_read,
	.write = data_fd_write,
	.precopy_info = data_fd_precopy_info,
	.fd = data_fd_fd,
	.close = data_fd_close,
};

static int data_fd_new(int fd, struct mig_stream **ret, struct err *err)
{
	struct data_fd *d;
	int r;

	r = fd_cloexec(fd);
	if (r < 0)
		return err_fail(err, ERR_DEVICE, r, "the driver gave a bad data fd");
	d = malloc(sizeof(*d));
	if (!d) {
		close(fd);
		return err_set(err, -ENOMEM, "data fd");
	}
	*d = (struct data_fd){ .stream.ops = &data_fd_ops, .fd = fd };
	*ret = &d->stream;
	return 0;
}

/*
 * The device
 */

static struct kernel_v2 *kernel_v2(struct mig_dev *dev)
{
	return container_of(dev, struct kernel_v2, dev);
}

static int feature(struct mig_dev *dev, struct uapi_device_feature *f)
{
	return ioctl(kernel_v2(dev)->acq.fd, UAPI_DEVICE_FEATURE, f) < 0 ? -errno : 0;
}

static bool kernel_v2_probe(struct mig_dev *dev, unsigned int index)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER,
		.flags = UAPI_FEATURE_PROBE | index,
	};

	return feature(dev, &f) == 0;
}

/* Per open of the device; kernels and drivers that do not know it say ENOTTY or EINVAL. */
static bool opt_in_precopy_v2(struct mig_dev *dev)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER,
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
	};

	return (dev->caps & MIG_CAP_PRE_COPY) && feature(dev, &f) == 0;
}

static int kernel_v2_query(struct mig_dev *dev, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.migration_flags),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION,
	};
	struct dev_info info;
	int r;

	r = dev_info(dev, &info, err);
	if (r < 0)
		return r;
	dev->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;

	r = feature(dev, &f);
	if (r == -ENOTTY)
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: the driver offers no migration",
				dev->name);
	if (r < 0)
		return err_set(err, r, "%s: VFIO_DEVICE_FEATURE_MIGRATION", dev->name);
	dev->caps = (unsigned int)f.migration_flags;
	dev->precopy_v2 = opt_in_precopy_v2(dev);
	return 0;
}

static int kernel_v2_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};
	int r;

	r = feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
	*ret = (enum mig_state)f.mig.state;
	return 0;
}

static int kernel_v2_set_state(struct mig_dev *dev, enum mig_state to,
			       struct mig_stream **ret_stream, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE,
		.mig = { .state = to, .data_fd = -1 },
	};
	int r;

	r = feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
	return f.mig.data_fd < 0 ? 0 : data_fd_new(f.mig.data_fd, ret_stream, err);
}

static int kernel_v2_data_size(struct mig_dev *dev, uint64_t *ret, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.stop_copy_length),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DATA_SIZE,
	};
	int r;

	r = feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE");
	*ret = f.stop_copy_length;
	return 0;
}

static int kernel_v2_reset(struct mig_dev *dev, struct err *err)
{
	if (ioctl(kernel_v2(dev)->acq.fd, UAPI_DEVICE_RESET) < 0)
		return err_set(err, -errno, "VFIO_DEVICE_RESET");
	return 0;
}

static void kernel_v2_close(struct mig_dev *dev)
{
	acquired_done(&kernel_v2(dev)->acq);
	free(kernel_v2(dev));
}

static const struct mig_ops kernel_v2_ops = {
	.name = "v2",
	.query = kernel_v2_query,
	.get_state = kernel_v2_get_state,
	.set_state = kernel_v2_set_state,
	.data_size = kernel_v2_data_size,
	.reset = kernel_v2_reset,
	.probe = kernel_v2_probe,
	.close = kernel_v2_close,
};

/*
 * The device beside its migration
 */

static int kernel_v2_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };

	if (ioctl(kernel_v2(dev)->acq.fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_GET_INFO", dev->name);
	*ret = (struct dev_info){
		.flags = info.flags,
		.n_regions = info.num_regions,
		.n_irqs = info.num_irqs,
	};
	return 0;
}

static int kernel_v2_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret,
			    struct err *err)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(kernel_v2(dev)->acq.fd, VFIO_DEVICE_GET_REGION_INFO, &info) < 0)
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

static int kernel_v2_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(kernel_v2(dev)->acq.fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return err_set(err, -errno, "%s: VFIO_DEVICE_GET_IRQ_INFO of %u", dev->name, index);
	*ret = (struct dev_irq){ .flags = info.flags, .count = info.count };
	return 0;
}

static ssize_t kernel_v2_read(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			      void *buf, size_t len, struct err *err)
{
	ssize_t n;

	n = pread(kernel_v2(dev)->acq.fd, buf, len, (off_t)(region->offset + at));
	if (n < 0)
		return err_set(err, -errno, "%s: reading a region", dev->name);
	return n;
}

static const struct dev_ops kernel_dev_ops = {
	.info = kernel_v2_info,
	.region = kernel_v2_region,
	.irq = kernel_v2_irq,
	.read = kernel_v2_read,
};

int kernel_v2_open(struct acquired *acq, const char *name, struct mig_dev **ret, struct err *err)
{
	struct kernel_v2 *k;

	k = calloc(1, sizeof(*k));
	if (k)
		k->dev.name = strdup(name);
	if (!k || !k->dev.name) {
		free(k);
		acquired_done(acq);
		return err_set(err, -ENOMEM, "%s", name);
	}
	k->acq = *acq;
	*acq = ACQUIRED_NONE;
	k->dev.ops = &kernel_v2_ops;
	k->dev.dev_ops = &kernel_dev_ops;
	*ret = &k->dev;
	return 0;
}
