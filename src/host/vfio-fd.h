/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the open files of a process are to VFIO
 *
 * A cdev's number leads to its device. A device fd that came from a group is an anonymous file:
 * from Linux 6.18 on its fdinfo names the device, before that nothing does. Looking opens none of
 * them, and asks nothing of a file that cannot be a device node: one on a dead network mount would
 * never answer.
 */

#include <sys/types.h>

#include "host/vfio-node.h"

/* What /proc/PID/fd shows for a device fd that came from a group; fdinfo's key for its device. */
#define VFIO_FD_LINK "anon_inode:[vfio-device]"
#define VFIO_FD_SYSPATH "vfio-device-syspath:"

/* "vfio" and a number */
#define VFIO_FD_CDEV_SIZE 16

enum vfio_fd_kind {
	VFIO_FD_OTHER, /* not of VFIO */
	VFIO_FD_CDEV, /* a device, opened by its own node */
	VFIO_FD_DEVICE, /* a device that came from its group */
	VFIO_FD_GROUP,
	VFIO_FD_SAVING, /* a stream that a driver has given out for its state to be read from */
	VFIO_FD_LOADING, /* and one for it to be written to */
};

/**
 * struct vfio_fd - one open file
 * @node: the device, where the kernel tells it; NULL else. One that has left VFIO may be in sysfs
 *        still: then @node->vfio is false
 * @cdev: "vfio3", for VFIO_FD_CDEV, also of a device that has left; "" where it is not known
 * @group: its number, for VFIO_FD_GROUP
 */
struct vfio_fd {
	int fd;
	enum vfio_fd_kind kind;
	struct vfio_node *node;
	char cdev[VFIO_FD_CDEV_SIZE];
	int group;
};

/** struct vfio_fds - those of a process that are of VFIO, in order of their numbers */
struct vfio_fds {
	struct vfio_fd *v;
	size_t n;
};

/**
 * vfio_fds_find() - look through the open files of a process
 * @pid: 0 for the caller's own
 *
 * Return: 0, @ret to be released with vfio_fds_done(); -ENOENT when there is no such process;
 * -EACCES, -EPERM when it, or any of its files, may not be looked into: a caller without
 * CAP_SYS_PTRACE may be shown the numbers and not what is behind them; -ENOMEM.
 */
_must_check_ int vfio_fds_find(const struct host *host, pid_t pid, struct vfio_fds *ret);
void vfio_fds_done(struct vfio_fds *fds);

/**
 * vfio_fd_look() - look at one open file
 * @ret: @ret->node is the caller's
 *
 * Return: 0, VFIO_FD_OTHER also for one that is closed; -EACCES, -EPERM when it may not be seen.
 */
int vfio_fd_look(const struct host *host, pid_t pid, int fd, struct vfio_fd *ret);

/**
 * vfio_fd_node() - the device of an open file
 *
 * Return: the caller's; NULL where the kernel does not tell, which is no failure.
 */
struct vfio_node *vfio_fd_node(const struct host *host, pid_t pid, int fd);

/**
 * vfio_fd_stream() - whether a file is a driver's stream
 * @link: as /proc/PID/fd shows it
 * @flags: O_ACCMODE of its open flags decides which way it goes
 *
 * By the names that drivers give them. Pure. Return: VFIO_FD_SAVING, VFIO_FD_LOADING or
 * VFIO_FD_OTHER.
 */
enum vfio_fd_kind vfio_fd_stream(const char *link, unsigned int flags);
