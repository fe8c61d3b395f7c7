/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which device an open file of a process is
 *
 * A cdev's link names its node. A device fd that came from a group is an anonymous file: from
 * Linux 6.18 on its fdinfo names the device, before that nothing does.
 */

#include <sys/types.h>

#include "host/vfio-node.h"

/* What /proc/PID/fd shows for a device fd that came from a group. */
#define VFIO_FD_LINK "anon_inode:[vfio-device]"

/**
 * vfio_fd_node() - the device of @fd
 * @pid: whose file it is; 0 for the caller's own
 *
 * Return: the caller's; NULL where the kernel does not tell, which is no failure.
 */
struct vfio_node *vfio_fd_node(const struct host *host, pid_t pid, int fd);
