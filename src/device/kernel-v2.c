// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/trace.h"
#include "device/call.h"
#include "device/dma-log.h"
#include "device/kernel-dev.h"
#include "device/kernel-v2.h"
#include "fsm/fsm.h"

struct data_fd {
	struct mig_stream stream;
	int fd;
};

/*
 * The stream. Plain read() and write() without retry: see device/stream.h on signals.
 */

static struct data_fd *kernel_v2_data_fd(struct mig_stream *s)
{
	return container_of(s, struct data_fd, stream);
}

static ssize_t kernel_v2_data_fd_read(struct mig_stream *s, void *buf, size_t len)
{
	ssize_t n = call_read(kernel_v2_data_fd(s)->fd, buf, len);

	return n < 0 ? -errno : n;
}

static ssize_t kernel_v2_data_fd_write(struct mig_stream *s, const void *buf, size_t len)
{
	ssize_t n = call_write(kernel_v2_data_fd(s)->fd, buf, len);

	return n < 0 ? -errno : n;
}

static int kernel_v2_data_fd_precopy_info(struct mig_stream *s, struct mig_precopy_info *ret)
{
	/* Older drivers copy the caller's flags back: they must be zero. */
	struct uapi_precopy_info info = { .argsz = sizeof(info) };

	if (call_ioctl(kernel_v2_data_fd(s)->fd, UAPI_MIG_GET_PRECOPY_INFO, &info) < 0)
		return -errno;
	*ret = (struct mig_precopy_info){
		.initial_bytes = info.initial_bytes,
		.dirty_bytes = info.dirty_bytes,
		.reinit = info.flags & UAPI_PRECOPY_INFO_REINIT,
	};
	return 0;
}

static void kernel_v2_data_fd_close(struct mig_stream *s)
{
	trace_name(kernel_v2_data_fd(s)->fd, NULL);
	close(kernel_v2_data_fd(s)->fd);
	free(kernel_v2_data_fd(s));
}

static const struct mig_stream_ops data_fd_ops = {
	.read = kernel_v2_data_fd_read,
	.write = kernel_v2_data_fd_write,
	.precopy_info = kernel_v2_data_fd_precopy_info,
	.close = kernel_v2_data_fd_close,
};

static int kernel_v2_data_fd_new(int fd, const char *name, struct mig_stream **ret, struct err *err)
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
	trace_name(fd, name);
	*ret = &d->stream;
	return 0;
}

/*
 * The device
 */

static int kernel_v2_feature(struct mig_dev *dev, struct uapi_device_feature *f)
{
	return call_ioctl(kernel_dev(dev)->acq.fd, UAPI_DEVICE_FEATURE, f) < 0 ? -errno : 0;
}

static bool kernel_v2_probe_fd(int fd, unsigned int index)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER,
		.flags = UAPI_FEATURE_PROBE | index,
	};

	return call_ioctl(fd, UAPI_DEVICE_FEATURE, &f) >= 0;
}

static bool kernel_v2_probe(struct mig_dev *dev, unsigned int index)
{
	return kernel_v2_probe_fd(kernel_dev(dev)->acq.fd, index);
}

bool kernel_v2_spoken(int fd)
{
	return kernel_v2_probe_fd(fd, UAPI_FEATURE_MIGRATION);
}

/* Kernels that do not know it say ENOTTY, drivers without pre-copy EINVAL. */
static bool kernel_v2_opt_in_precopy(struct mig_dev *dev)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER,
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_MIG_PRECOPY_INFO_V2,
	};

	return kernel_v2_feature(dev, &f) == 0;
}

static int kernel_v2_query(struct mig_dev *dev, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.migration_flags),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION,
	};
	int r;

	r = kernel_dev_query_reset(dev, err);
	if (r < 0)
		return r;
	r = kernel_v2_feature(dev, &f);
	if (r == -ENOTTY) {
		err_fail(err, ERR_UNSUPPORTED, r, "%s: the driver offers no migration", dev->name);
		return err_hint(err, r, "vfiomigctl doctor %s says why", dev->name);
	}
	if (r < 0)
		return err_set(err, r, "%s: VFIO_DEVICE_FEATURE_MIGRATION", dev->name);
	dev->caps = (unsigned int)f.migration_flags;
	return 0;
}

static int kernel_v2_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.mig),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE,
	};
	int r;

	r = kernel_v2_feature(dev, &f);
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

	r = kernel_v2_feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_MIG_DEVICE_STATE");
	if (f.mig.data_fd < 0)
		return 0;
	return kernel_v2_data_fd_new(f.mig.data_fd, dev->name, ret_stream, err);
}

static int kernel_v2_data_size(struct mig_dev *dev, uint64_t *ret, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER + sizeof(f.stop_copy_length),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DATA_SIZE,
	};
	int r;

	r = kernel_v2_feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_MIG_DATA_SIZE");
	*ret = f.stop_copy_length;
	return 0;
}

static void kernel_v2_close(struct mig_dev *dev)
{
	kernel_dev_done(kernel_dev(dev));
	free(kernel_dev(dev));
}

static const struct mig_ops kernel_v2_ops = {
	.name = "v2",
	.next = fsm_next,
	.query = kernel_v2_query,
	.get_state = kernel_v2_get_state,
	.set_state = kernel_v2_set_state,
	.data_size = kernel_v2_data_size,
	.opt_in_precopy = kernel_v2_opt_in_precopy,
	.reset = kernel_dev_reset,
	.probe = kernel_v2_probe,
	.close = kernel_v2_close,
};

int kernel_v2_open(struct acquired *acq, const char *name, struct mig_dev **ret, struct err *err)
{
	struct kernel_dev *k = malloc(sizeof(*k));
	int r;

	if (!k) {
		acquired_done(acq);
		return err_set(err, -ENOMEM, "%s", name);
	}
	r = kernel_dev_init(k, &kernel_v2_ops, acq, name, err);
	if (r < 0) {
		free(k);
		return r;
	}
	k->dev.log_ops = &kernel_dma_log_ops;
	*ret = &k->dev;
	return 0;
}
