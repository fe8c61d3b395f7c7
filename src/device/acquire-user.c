// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "device/acquirer.h"
#include "device/vfio-user.h"

static int acquire_user_find(struct device *dev, const char *rest, struct err *err)
{
	dev->origin = strdup(rest);
	return dev->origin ? 0 : err_set(err, -ENOMEM, "%s", dev->spec);
}

static int acquire_user_check(const struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	if (opts->protocol != PROTOCOL_AUTO)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"%s: --protocol is for devices of the kernel", dev->spec);
	return vfio_user_check(dev->origin, dev->spec, err);
}

static int acquire_user_connect(struct device *dev, const struct device_options *opts,
				struct mig_dev **ret, struct err *err)
{
	int r = acquire_user_check(dev, opts, err);

	if (r < 0)
		return r;
	dev->via = ACQUIRE_VFIO_USER;
	return vfio_user_open(dev->origin, dev->spec, opts->acquire.timeout_ms, opts->cancel,
			      opts->only_asks, ret, err);
}

static bool acquire_user_same(const struct device *a, const struct device *b)
{
	struct stat sa, sb;

	if (!strcmp(a->origin, b->origin))
		return true;
	return stat(a->origin, &sa) == 0 && stat(b->origin, &sb) == 0 && sa.st_dev == sb.st_dev &&
	       sa.st_ino == sb.st_ino;
}

static const char *acquire_user_socket(const struct device *dev)
{
	return dev->origin;
}

static void acquire_user_done(struct device *dev)
{
	free(dev->origin);
}

const struct acquirer acquirer_user = {
	.prefix = "vfio-user:",
	.ownership = DEVICE_LENT,
	.opening = OPENING_CONNECTS,
	.find = acquire_user_find,
	.check = acquire_user_check,
	.connect = acquire_user_connect,
	.same = acquire_user_same,
	.socket = acquire_user_socket,
	.done = acquire_user_done,
};
