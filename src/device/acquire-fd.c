// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/io.h"
#include "base/listen-fds.h"
#include "base/units.h"
#include "device/acquirer.h"
#include "host/vfio-fd.h"

int acquire_inherited(int fd, const char *name, struct acquired *ret, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	acq.via = ACQUIRE_FD;
	acq.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (acq.fd < 0)
		return err_fail(err, ERR_MISSING, -errno, "%s: not open here", name);
	r = acquire_check_fd(acq.fd, name, err);
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
	/* What this process may execute gets the device under one number, not two. */
	r = fd_cloexec(fd);
	assert(r >= 0);
	*ret = acq;
	return 0;
}

static int acquire_fd_number(const struct device *dev)
{
	return *(const int *)dev->origin;
}

/* A number; else a name, of those that a service manager or `resume -- COMMAND` gave. */
static int acquire_fd_parse(const char *rest, int *ret, struct err *err)
{
	uint64_t fd;

	if (parse_uint(rest, 10, INT_MAX, &fd) < 0)
		return listen_fds_find(rest, ret, err);
	*ret = (int)fd;
	return 0;
}

static int acquire_fd_find(struct device *dev, const char *rest, struct err *err)
{
	int fd, r;

	r = acquire_fd_parse(rest, &fd, err);
	if (r < 0)
		return r;
	dev->origin = malloc(sizeof(fd));
	if (!dev->origin)
		return err_set(err, -ENOMEM, "%s", dev->spec);
	*(int *)dev->origin = fd;
	dev->node = vfio_fd_node(dev->host, 0, fd);
	return 0;
}

static int acquire_fd_acquire(struct device *dev, const struct device_options *opts,
			      struct acquired *ret, struct err *err)
{
	(void)opts;
	return acquire_inherited(acquire_fd_number(dev), dev->spec, ret, err);
}

static int acquire_fd_check(const struct device *dev, const struct device_options *opts,
			    struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	int r;

	(void)opts;
	r = acquire_inherited(acquire_fd_number(dev), dev->spec, &acq, err);
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
