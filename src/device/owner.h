/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A process that has devices open, and copies of its descriptors
 *
 * By pidfd_open() first, so that everything else is of that process and not of a later one with
 * the same number. Each VFIO device among its files is then copied by pidfd_getfd(), which opens
 * and resets nothing, and looked at as a file of our own: what the owner does with its descriptors
 * meanwhile does not matter.
 */

#include "device/device.h"
#include "device/owner-pick.h"

/**
 * struct owner_fd - one device of the process, however many descriptors of it there are
 * @copy: ours; -1 once it was taken
 * @name: points into @node
 */
struct owner_fd {
	int copy;
	struct vfio_node *node;
	struct owner_name name;
};

/**
 * struct owner_devices - the process, and what it has
 * @who: without the descriptor
 * @pidfd: readable once it has ended
 */
struct owner_devices {
	struct device_owner who;
	int pidfd;
	struct owner_fd *v;
	size_t n;
};

/**
 * owner_open() - look at the devices of a process
 * @spec: what the user called it, for messages
 *
 * Return: 0, with @ret->n 0 for one that has none; -ESRCH (ERR_MISSING); -EINVAL (ERR_USAGE) for a
 * thread; -EACCES, -EPERM (ERR_PERMISSION), with what is missing; -ENOSYS (ERR_UNSUPPORTED).
 */
_must_check_ int owner_open(const struct host *host, const char *spec, pid_t pid,
			    struct owner_devices *ret, struct err *err);
void owner_done(struct owner_devices *owner);

/**
 * struct owner_streams - streams of drivers that a process has open: descriptors, -1 for none
 *
 * Whose device they are of cannot be told.
 */
struct owner_streams {
	int saving, loading;
};

/**
 * owner_streams_now() - of the owner of @dev; none without an owner, or once that has ended
 *
 * Return: 0; -EACCES, -EPERM (ERR_PERMISSION) where its files cannot be seen; -ENOMEM.
 */
_must_check_ int owner_streams_now(const struct device *dev, struct owner_streams *ret,
				   struct err *err);

/**
 * owner_keeps() - the owner of @dev has the device open, under whatever number
 * @pidfd: of the owner
 * @copy: our copy of its descriptor
 */
enum device_keeper owner_keeps(const struct device *dev, int pidfd, int copy);

/** owner_ended() - the process behind @pidfd is no more */
bool owner_ended(int pidfd);
