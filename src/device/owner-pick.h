/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which of a process's devices is meant
 *
 * A device of another process goes by the kernel's name for it (0000:3b:00.1, an mdev's UUID,
 * vfioN) where that is known, and always by the number of the process's descriptor, as fdN.
 */

#include <stddef.h>

/**
 * struct owner_name - what one device may be called
 * @name: the kernel's name for it, NULL where it is not known
 * @cdev: "vfio0", or NULL
 * @fd: the lowest descriptor of it
 */
struct owner_name {
	const char *name, *cdev;
	int fd;
};

/* Outcomes of owner_pick() beside a place; not errors. */
enum {
	OWNER_PICK_NONE = -1,
	OWNER_PICK_SEVERAL = -2,
};

/**
 * owner_pick() - the device that is meant
 * @want: NULL where nothing is said: then there must be one only
 *
 * Pure. Return: its place in @v, OWNER_PICK_NONE or OWNER_PICK_SEVERAL.
 */
int owner_pick(const struct owner_name *v, size_t n, const char *want);

/**
 * owner_pick_list() - what may be written, with @prefix before each: "pid:7/vfio0, pid:7/fd12"
 *
 * A device is named by its descriptor where its name is not known, or is another one's, too. What
 * does not fit is left out, and counted.
 */
void owner_pick_list(const struct owner_name *v, size_t n, const char *prefix, char *buf,
		     size_t size);
