/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How a device fd comes to be
 *
 * By the character device and iommufd, by group and container, or inherited. Whichever it was,
 * a backend speaks to it the same way.
 *
 * Opening is not harmless: vfio-pci resets a function on its first open and on its last close.
 */

#include <stdbool.h>

#include "base/err.h"
#include "host/vfio-node.h"

struct acquire_shared;

enum acquire_via {
	ACQUIRE_AUTO, /* as acquire_way() finds */
	ACQUIRE_CDEV,
	ACQUIRE_GROUP,
	ACQUIRE_FD, /* not choices, this one and the rest: what other ways report */
	ACQUIRE_HOLD,
	ACQUIRE_PID,
	ACQUIRE_UNIX,
	ACQUIRE_VFIO_USER,
};

/**
 * struct acquire_options
 * @vf_token: UUID text that the driver of a VF's PF asks for, or NULL
 * @timeout_ms: silence after which a vfio-user server counts as gone
 * @shared: what other devices of the same set were opened through, added to; may be NULL
 */
struct acquire_options {
	enum acquire_via via;
	const char *vf_token;
	int timeout_ms;
	struct acquire_shared *shared;
};

/**
 * struct acquired - an open device
 * @fd: the device; -1 for none
 * @keep: fds that must stay open as long: iommufd, or group and container
 * @via: which way it was
 */
struct acquired {
	int fd;
	int keep[2];
	enum acquire_via via;
};

#define ACQUIRED_NONE ((struct acquired){ .fd = -1, .keep = { -1, -1 } })

/**
 * acquire_way() - the way acquire_node() is going to take
 *
 * What @opts says; else the character device where the kernel made one and /dev has its node and
 * /dev/iommu, else the group where /dev has that. A VF token prefers the group.
 */
enum acquire_via acquire_way(const struct host *host, const struct vfio_node *node,
			     const struct acquire_options *opts);

/** acquire_check_node() - what acquire_node() refuses without opening anything */
_must_check_ int acquire_check_node(const struct vfio_node *node, struct err *err);

/**
 * acquire_node() - open a device
 *
 * Return: 0; -EBUSY with the process that holds it as far as can be seen; -ENODEV
 * (ERR_UNSUPPORTED) when VFIO does not have the device; -EACCES, -EPERM.
 */
_must_check_ int acquire_node(const struct host *host, const struct vfio_node *node,
			      const struct acquire_options *opts, struct acquired *ret,
			      struct err *err);

/**
 * acquire_check_fd() - @fd is a VFIO device that answers
 * @name: what the user called it, for the message
 *
 * Return: 0; -ENOTTY and the like (ERR_MISSING) for something else, -EINVAL (ERR_MISSING) for a
 * character device that is not bound to an iommufd.
 */
_must_check_ int acquire_check_fd(int fd, const char *name, struct err *err);

/**
 * acquire_inherited() - take over an fd that the caller's parent left open
 * @name: what messages call it
 *
 * Takes a copy: @fd itself stays open, and gets O_CLOEXEC, so that a program that this one executes
 * has the device under one number at most. Return: 0; -EBADF; as acquire_check_fd().
 */
_must_check_ int acquire_inherited(int fd, const char *name, struct acquired *ret, struct err *err);

/**
 * acquire_named_node() - the node that another process calls @name
 *
 * Return: the caller's; NULL where it is not known, or no name but a path: what the other end
 * says leads to no file of its choice.
 */
struct vfio_node *acquire_named_node(const struct host *host, const char *name);

void acquired_done(struct acquired *acq);

/** acquire_same_file() - two descriptors of this process are of one open file */
bool acquire_same_file(int a, int b);

/** acquire_via_name() - "cdev", "group", "fd". */
const char *acquire_via_name(enum acquire_via via);

/*
 * The two ways, one file each. @ret has no fd on entry, and in keep what another device of the set
 * was opened through, or -1; on failure it is the caller's to clean up.
 */
_must_check_ int acquire_cdev(const struct host *host, const struct vfio_node *node,
			      const uint8_t *vf_token, struct acquired *ret, struct err *err);
_must_check_ int acquire_group(const struct host *host, const struct vfio_node *node,
			       const char *vf_token, struct acquired *ret, struct err *err);
