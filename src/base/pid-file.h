/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The file that says which process a daemon is
 *
 * It is there under its name only whole, and goes with the daemon. As long as that lives it has
 * the file locked for writing (F_OFD_SETLK), which no user can do who may only read it, so that a
 * file which a crash left behind is known by having no lock, whatever process has got the number
 * since. Nothing but such a file is ever replaced.
 */

#include <sys/types.h>

#include "base/err.h"

/**
 * struct pid_file
 * @path: the caller's
 * @dir, @name: where it is, whatever the current directory is by then
 * @fd: open and locked once it is published, else -1
 */
struct pid_file {
	const char *path;
	int dir;
	const char *name;
	int fd;
};

#define PID_FILE_NONE ((struct pid_file){ .dir = -1, .fd = -1 })

/**
 * pid_file_find() - whether @path can be published; writes nothing
 * @ret: pid_file_done() in any case
 *
 * Return: 0; -EEXIST (ERR_OUTPUT) where it belongs to a process that lives, or is something else;
 * -EACCES and the like (ERR_OUTPUT) where nothing can be written there.
 */
_must_check_ int pid_file_find(const char *path, struct pid_file *ret, struct err *err);

/**
 * pid_file_publish() - write it
 *
 * The lock lasts until every process that has inherited @p has called pid_file_done() or ended.
 *
 * Return: 0; as pid_file_find(), since another process may have been faster; what write() said.
 */
_must_check_ int pid_file_publish(struct pid_file *p, pid_t pid, struct err *err);

/** pid_file_remove() - where it is published still, unless another process has replaced it */
void pid_file_remove(struct pid_file *p);

/** pid_file_done() - the file stays. */
void pid_file_done(struct pid_file *p);
