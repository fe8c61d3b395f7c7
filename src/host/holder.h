/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The processes that hold a device
 *
 * From the open files of /proc: the cdev's node, the group's node, or (Linux 6.18 and later, by
 * fdinfo) a device fd that was handed over. Without privileges only the caller's own processes
 * can be seen. Before 6.18 a device fd that came from a group does not tell its device: a process
 * that has nothing else of the device open is not found.
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "host/vfio-node.h"

/**
 * struct holder - a process that holds a device
 * @fd: its file descriptor: of the device rather than of the group, the lowest if several
 * @comm: what the process calls itself; what is not printable ASCII is replaced
 * @how: "cdev", "group" (all devices of the group are taken with it) or "device fd"; static
 */
struct holder {
	pid_t pid;
	int fd;
	char comm[16];
	const char *how;
};

/**
 * struct holders - all that could be seen, in order of their pids
 * @partial: some processes could not be looked into
 */
struct holders {
	struct holder *v;
	size_t n;
	bool partial;
};

/**
 * holders_find() - processes other than the caller's own that hold @node open
 *
 * Opens none of the files it looks at. Reads a link for each open file of the system.
 *
 * Return: 0, @ret to be released with holders_done(); negative errno when /proc cannot be read.
 */
_must_check_ int holders_find(const struct host *host, const struct vfio_node *node,
			      struct holders *ret, struct err *err);
void holders_done(struct holders *holders);
