// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "host/vfio-fd.h"

/*
 * A device that another process has handed over for good: it is this process's alone, or, where the
 * giver had it from its user, that one's, too. No name on a command line means it; device_adopt()
 * makes one.
 */

static int acquire_given_find(struct device *dev, const char *rest, struct err *err)
{
	(void)rest;
	return err_fail(err, ERR_BUG, -EINVAL, "%s: cannot be found by a name", dev->spec);
}

static int acquire_given_check(const struct device *dev, const struct device_options *opts,
			       struct err *err)
{
	const struct acquired *acq = dev->origin;

	(void)opts;
	return acquire_check_fd(acq->fd, dev->spec, err);
}

static int acquire_given_acquire(struct device *dev, const struct device_options *opts,
				 struct acquired *ret, struct err *err)
{
	struct acquired *acq = dev->origin;
	int r = acquire_given_check(dev, opts, err);

	if (r < 0)
		return r;
	*ret = *acq;
	*acq = ACQUIRED_NONE;
	return 0;
}

static void acquire_given_done(struct device *dev)
{
	if (dev->origin)
		acquired_done(dev->origin);
	free(dev->origin);
}

#define ACQUIRE_GIVEN(owned)                                                               \
	{                                                                                  \
		.ownership = (owned), .opening = OPENING_FREE, .find = acquire_given_find, \
		.check = acquire_given_check, .acquire = acquire_given_acquire,            \
		.done = acquire_given_done,                                                \
	}

static const struct acquirer acquirer_given = ACQUIRE_GIVEN(DEVICE_SOLE);
static const struct acquirer acquirer_given_shared = ACQUIRE_GIVEN(DEVICE_SHARED);

/*
 * What the device is to have come through. Before Linux 6.18 a device that came from a group says
 * nothing of itself, but its group does: it must be that of the device that it is said to be.
 */
static int acquire_given_check_keep(const struct device *dev, const struct acquired *acq,
				    struct err *err)
{
	struct vfio_fd look;

	for (size_t i = 0; i < ARRAY_SIZE(acq->keep); i++) {
		struct stat st;

		if (acq->keep[i] >= 0 && (fstat(acq->keep[i], &st) < 0 || !S_ISCHR(st.st_mode)))
			return err_fail(err, ERR_PEER, -EINVAL,
					"%s: came with a file that is of no device", dev->spec);
	}
	if (acq->via != ACQUIRE_GROUP || acq->keep[0] < 0 || !dev->node)
		return 0;
	vfio_fd_look(dev->host, 0, acq->keep[0], &look);
	vfio_node_free(look.node);
	if (look.kind == VFIO_FD_GROUP && look.group == dev->node->group)
		return 0;
	return err_fail(err, ERR_PEER, -EINVAL, "%s: came with another device's group", dev->spec);
}

/* Return: NULL where memory is out; else @acq is empty. */
static struct acquired *acquire_given_keep(struct acquired *acq)
{
	struct acquired *origin = malloc(sizeof(*origin));

	if (!origin)
		return NULL;
	*origin = *acq;
	*acq = ACQUIRED_NONE;
	return origin;
}

int device_adopt(const struct host *host, const char *name, struct acquired *acq,
		 enum device_ownership ownership, const struct device_options *opts,
		 struct device **ret, struct err *err)
{
	_cleanup_(device_freep) struct device *dev = calloc(1, sizeof(*dev));
	int r;

	if (dev) {
		dev->host = host;
		dev->how = ownership == DEVICE_SHARED ? &acquirer_given_shared : &acquirer_given;
		dev->lock = -1;
		dev->spec = strdup(name);
		dev->origin = acquire_given_keep(acq);
	}
	if (!dev || !dev->spec || !dev->origin) {
		acquired_done(acq);
		return err_set(err, -ENOMEM, "%s", name);
	}
	/* What the kernel says of the descriptor goes before what its giver does. */
	dev->node = vfio_fd_node(host, 0, ((struct acquired *)dev->origin)->fd);
	if (!dev->node)
		dev->node = acquire_named_node(host, name);
	r = acquire_given_check_keep(dev, dev->origin, err);
	if (r < 0)
		return r;
	r = device_open(dev, opts, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(dev);
	return 0;
}
