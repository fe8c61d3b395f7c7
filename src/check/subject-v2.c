// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "check/subject-parts.h"
#include "device/call.h"

/* What most features take: no memory of its own is needed for them. */
#define SUBJECT_V2_SMALL 64u
/* No feature has more beside what it points to. */
#define SUBJECT_V2_ROOM ((size_t)64 << 10)

/* Every call may be kicked: one that a driver never ends is then at least known. */
static void subject_v2_begin(const struct subject_dev *d, const char *what)
{
	if (d->cancel)
		cancel_interruptible_begin(d->cancel, what);
}

static void subject_v2_end(const struct subject_dev *d)
{
	if (d->cancel)
		cancel_interruptible_end(d->cancel);
}

static int subject_v2_ioctl(const struct subject_dev *d, int fd, unsigned long request, void *arg,
			    const char *what)
{
	int r;

	subject_v2_begin(d, what);
	r = call_ioctl(fd, request, arg) < 0 ? -errno : 0;
	subject_v2_end(d);
	return r;
}

static int subject_v2_feature(struct subject_dev *d, uint32_t flags, uint32_t argsz, void *data,
			      size_t len)
{
	uint8_t small[UAPI_FEATURE_HEADER + SUBJECT_V2_SMALL] __attribute__((aligned(8))) = { 0 };
	/* As large as it says that it is: a driver may write so much. */
	size_t room = MAX(len, MIN((size_t)argsz, SUBJECT_V2_ROOM));
	uint8_t *buf = room > SUBJECT_V2_SMALL ? calloc(1, UAPI_FEATURE_HEADER + room) : small;
	int r;

	if (!buf)
		return -ENOMEM;
	memcpy(buf, &argsz, sizeof(argsz));
	memcpy(buf + sizeof(argsz), &flags, sizeof(flags));
	if (len)
		memcpy(buf + UAPI_FEATURE_HEADER, data, len);
	r = subject_v2_ioctl(d, d->s.fd, UAPI_DEVICE_FEATURE, buf, "VFIO_DEVICE_FEATURE");
	if (len)
		memcpy(data, buf + UAPI_FEATURE_HEADER, len);
	if (buf != small)
		free(buf);
	return r;
}

static int subject_v2_no_migration(const struct subject_dev *d, int r, struct err *err)
{
	if (r != -ENOTTY)
		return err_set(err, r, "%s: VFIO_DEVICE_FEATURE_MIGRATION", d->s.name);
	if (!strcmp(d->dev->mig->ops->name, "v1"))
		return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
				"%s: its driver speaks the older protocol, v1", d->s.name);
	err_fail(err, ERR_UNSUPPORTED, r, "%s: the driver offers no migration", d->s.name);
	return err_hint(err, r, "vfiomigctl doctor %s says why", d->s.name);
}

/* The flags alone: what else is odd about the device is for the rules to find. */
static int subject_v2_query(struct subject_dev *d, struct err *err)
{
	uint64_t flags = 0;
	int r;

	r = subject_v2_feature(d, UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION,
			       UAPI_FEATURE_HEADER + sizeof(flags), &flags, sizeof(flags));
	if (r < 0)
		return subject_v2_no_migration(d, r, err);
	d->s.caps = (unsigned int)flags;
	/* The protocol asks for it; some reset without VFIO_DEVICE_FLAGS_RESET (mtty). */
	subject_learn(d, true);
	return 0;
}

static int subject_v2_open(struct subject_dev *d, struct err *err)
{
	int r = device_open(d->dev, &d->opts, err);

	if (r < 0)
		return r;
	d->s.name = device_name(d->dev);
	d->s.fd = device_fds(d->dev)->fd;
	return subject_v2_query(d, err);
}

static void subject_v2_close(struct subject_dev *d)
{
	d->s.fd = -1;
	device_close(d->dev);
}

static int subject_v2_reset(struct subject_dev *d)
{
	return subject_v2_ioctl(d, d->s.fd, UAPI_DEVICE_RESET, NULL, "VFIO_DEVICE_RESET");
}

static ssize_t subject_v2_read(struct subject_session *x, void *buf, size_t len)
{
	ssize_t n;

	subject_v2_begin(x->d, "read");
	n = call_read(x->fd, buf, len);
	if (n < 0)
		n = -errno;
	subject_v2_end(x->d);
	return n;
}

static ssize_t subject_v2_write(struct subject_session *x, const void *buf, size_t len)
{
	ssize_t n;

	subject_v2_begin(x->d, "write");
	n = call_write(x->fd, buf, len);
	if (n < 0)
		n = -errno;
	subject_v2_end(x->d);
	return n;
}

static int subject_v2_precopy_info(struct subject_session *x, struct mig_precopy_info *ret)
{
	struct uapi_precopy_info info = { .argsz = sizeof(info) };
	int r = subject_v2_ioctl(x->d, x->fd, UAPI_MIG_GET_PRECOPY_INFO, &info,
				 "VFIO_MIG_GET_PRECOPY_INFO");

	*ret = (struct mig_precopy_info){
		.initial_bytes = info.initial_bytes,
		.dirty_bytes = info.dirty_bytes,
		.reinit = info.flags & UAPI_PRECOPY_INFO_REINIT,
	};
	return r;
}

static ssize_t subject_v2_watch(struct subject_dev *d, void *buf, size_t len)
{
	struct vfio_region_info info = { .argsz = sizeof(info), .index = d->watch.region };
	int r = subject_v2_ioctl(d, d->s.fd, VFIO_DEVICE_GET_REGION_INFO, &info,
				 "VFIO_DEVICE_GET_REGION_INFO");
	ssize_t n;

	if (r < 0)
		return r;
	if (d->watch.offset > info.size || len > info.size - d->watch.offset)
		return -EINVAL;
	subject_v2_begin(d, "read of a region");
	n = call_pread(d->s.fd, NULL, buf, len, info.offset + d->watch.offset);
	if (n < 0)
		n = -errno;
	subject_v2_end(d);
	return n;
}

const struct subject_ops subject_v2_ops = {
	.open = subject_v2_open,
	.close = subject_v2_close,
	.feature = subject_v2_feature,
	.reset = subject_v2_reset,
	.read = subject_v2_read,
	.write = subject_v2_write,
	.precopy_info = subject_v2_precopy_info,
	.watch = subject_v2_watch,
};
