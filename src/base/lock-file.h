/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A lock for the moment in which a file is replaced
 *
 * Of two processes that find the same stale file, the second must not remove what the first has put
 * there meanwhile. The lock is a file of its own, ".NAME.lock" beside it, that only its user can
 * open: a folder, or a file that all may read, could be kept locked by any user.
 */

#include <limits.h>

#define LOCK_FILE_MAX (PATH_MAX + 16)

/** struct lock_file - @fd: -1 where there is none */
struct lock_file {
	int dir, fd;
	char name[LOCK_FILE_MAX];
};

/**
 * lock_file_take() - wait for the lock of @path
 * @dir: what @path is relative to, or AT_FDCWD; stays the caller's, and open until the release
 * @ret: lock_file_release()
 *
 * Where there is no lock to be had, as one that another user has made, there is none.
 */
void lock_file_take(int dir, const char *path, struct lock_file *ret);

/** lock_file_release() - remove it, and let the next one have it */
void lock_file_release(struct lock_file *l);
