/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A file that is replaced durably, or not at all
 *
 * Written aside, synced, renamed, and the folder synced. What is known afterwards depends on the
 * call that failed: up to the rename the old content is there; from it on, either may be what a
 * crash leaves. A failed sync is not tried again: the kernel reports a lost write once.
 */

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "engine/journal.h"

/**
 * struct journal_ops - the system calls that change the journal, as the manual has them
 * @now_ns: none of them: what dates a record; since 1970
 *
 * In the order in which a write makes them. Return: as the calls, with errno.
 */
struct journal_ops {
	int (*openat)(int dir, const char *name, int flags, mode_t mode);
	ssize_t (*write)(int fd, const void *buf, size_t len);
	int (*fsync)(int fd);
	int (*renameat)(int old_dir, const char *old_name, int new_dir, const char *new_name);
	int (*unlinkat)(int dir, const char *name, int flags);
	uint64_t (*now_ns)(void);
};

extern const struct journal_ops journal_system_ops;

/**
 * journal_file_replace() - @name in @dir
 * @where: of @dir, for messages
 *
 * The caller has a lock: the file aside is ".NAME.new", which a crash may leave.
 *
 * Return: enum journal_write, negative errno (ERR_SYSTEM); see journal_write().
 */
_must_check_ int journal_file_replace(const struct journal_ops *ops, int dir, const char *where,
				      const char *name, const char *text, size_t len,
				      struct err *err);

/**
 * journal_file_prepare() - the first half of it: the new content aside, durable
 *
 * Nothing reads it under that name, and the next write of @name replaces it.
 *
 * Return: 0; negative errno (ERR_SYSTEM), and there is nothing aside.
 */
_must_check_ int journal_file_prepare(const struct journal_ops *ops, int dir, const char *where,
				      const char *name, const char *text, size_t len,
				      struct err *err);

/** journal_file_commit() - the second half: what is aside is @name. Return: as the whole. */
_must_check_ int journal_file_commit(const struct journal_ops *ops, int dir, const char *where,
				     const char *name, struct err *err);

/** journal_file_drop() - what is aside goes. Best effort: it is in no way. */
void journal_file_drop(const struct journal_ops *ops, int dir, const char *name);

/**
 * journal_file_read() - all of @name in @dir, a regular file of at most JOURNAL_TEXT_MAX bytes
 * @ret: NUL-terminated behind its @ret_len bytes; the caller's
 *
 * Return: 0, -ENOENT and others of open() and read(); -EBADMSG (ERR_IMAGE) for no such file.
 */
_must_check_ int journal_file_read(int dir, const char *where, const char *name, char **ret,
				   size_t *ret_len, struct err *err);

/** journal_file_undone() - renameat() fails with @code before it has changed anything */
bool journal_file_undone(int code);
