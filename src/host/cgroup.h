/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The cgroup of a process, version 2
 *
 * Freezing a cgroup stops all that is in it, so only a process that has one for itself can be
 * stopped that way. See "Process organization" and "cgroup.freeze" in the kernel's
 * Documentation/admin-guide/cgroup-v2.rst.
 */

#include <sys/types.h>

#include "host/host.h"

/**
 * cgroup_open_own() - the cgroup that has @pid in it and nothing else
 *
 * Neither the root, nor one with groups below it, nor one whose cgroup.freeze may not be written.
 *
 * Return: an fd of its folder, the caller's; -1 where there is none or it cannot be seen.
 */
int cgroup_open_own(const struct host *host, pid_t pid);

/**
 * cgroup_read_flag() - the number in a line "KEY NUMBER" of one of its files
 *
 * Return: 0; negative errno; -ENODATA without such a line.
 */
int cgroup_read_flag(int dir, const char *file, const char *key, unsigned long *ret);
