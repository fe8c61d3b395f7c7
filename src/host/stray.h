/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Open VFIO devices that no list of devices leads to
 *
 * A device that is unbound or unplugged leaves sysfs and /dev at once, and the call that takes it
 * away waits until the last process has closed it: only the open files of that process are left to
 * tell. And before Linux 6.18 a device fd that came from a group does not say whose it is.
 */

#include <stdbool.h>
#include <stddef.h>

#include "host/processes.h"
#include "host/vfio-node.h"

/**
 * struct stray - an open file of a device that is in no list
 * @name: of the device as far as it is known: "0000:3b:00.1", "vfio3", "group 7"; NULL for none
 * @cdev: "vfio3", or NULL
 * @group: @fd is its group's
 * @leaving: VFIO does not have the device any more, but for this file
 * @comm: as of process_comm()
 */
struct stray {
	char *name, *cdev;
	bool leaving, group;
	pid_t pid;
	int fd;
	char comm[PROCESS_COMM];
};

/** struct strays - in order of their pids; of the processes that may be looked into */
struct strays {
	struct stray *v;
	size_t n;
};

/**
 * strays_find() - look through the open files of all processes but the caller's
 *
 * Opens none of them. One file of each device and process is enough: the lowest.
 *
 * Return: 0, @ret to be released with strays_done(); negative errno when /proc cannot be read.
 */
_must_check_ int strays_find(const struct host *host, struct strays *ret, struct err *err);
void strays_done(struct strays *strays);
