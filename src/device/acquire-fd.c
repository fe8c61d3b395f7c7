// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/units.h"
#include "device/acquirer.h"
#include "host/vfio-fd.h"

int acquire_inherited(int fd, struct acquired *ret, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	char name[32];
	int r;

	acq.via = ACQUIRE_FD;
	acq.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (acq.fd < 0)
		return err_fail(err, ERR_MISSING, -errno, "fd:%d: not open here", fd);
	snprintf(name, sizeof(name), "fd:%d", fd);
	r = acquire_check_fd(acq.fd, name, err);
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
	*ret = acq;
	return 0;
}

static int acquire_fd_number(const struct device *dev)
{
	return *(const int *)dev->origin;
}

static int acquire_fd_find(struct device *dev, const char *rest, struct err *err)
{
	uint64_t fd;
	int *origin;

	if (parse_uint(rest, 10, INT_MAX, &fd) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not a file descriptor's number",
				dev->spec);
	origin = malloc(sizeof(*origin));
	if (!origin)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	*origin = (int)fd;
	dev->origin = origin;
	dev->node = vfio_fd_node(dev->host, 0, (int)fd);
	return 0;
}

static int acquire_fd_acquire(struct device *dev, const struct device_options *opts,
			      struct acquired *ret, struct err *err)
{
	(void)opts;
	return acquire_inherited(acquire_fd_number(dev), ret, err);
}

static int acquire_fd_check(const struct device *dev, const struct device_options *opts,
			    struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	(void)opts;
	r = acquire_inherited(acquire_fd_number(dev), &acq, err);
	acquired_done(&acq);
	return r;
}

static bool acquire_fd_same(const struct device *a, const struct device *b)
{
	return acquire_same_file(acquire_fd_number(a), acquire_fd_number(b));
}

static void acquire_fd_done(struct device *dev)
{
	free(dev->origin);
}

const struct acquirer acquirer_fd = {
	.prefix = "fd:",
	.ownership = DEVICE_SHARED,
	.opening = OPENING_FREE,
	.find = acquire_fd_find,
	.check = acquire_fd_check,
	.acquire = acquire_fd_acquire,
	.same = acquire_fd_same,
	.done = acquire_fd_done,
};
