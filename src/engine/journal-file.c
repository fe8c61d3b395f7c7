// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/macros.h"
#include "engine/journal-file.h"
#include "engine/journal-text.h"

static int journal_file_openat(int dir, const char *name, int flags, mode_t mode)
{
	return openat(dir, name, flags, mode);
}

static uint64_t journal_file_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

const struct journal_ops journal_system_ops = {
	.openat = journal_file_openat,
	.write = write,
	.fsync = fsync,
	.renameat = renameat,
	.unlinkat = unlinkat,
	.now_ns = journal_file_now_ns,
};

/*
 * What is checked, and the room that is reserved, before a file system begins a rename. Anything
 * else, EIO above all, may come when it is on its way to the disk.
 */
bool journal_file_undone(int code)
{
	static const int before[] = {
		EACCES, EPERM, EROFS, ENOENT, ENOTDIR, EISDIR, ENOSPC, EDQUOT
	};

	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		if (-code == before[i])
			return true;
	return false;
}

static int journal_file_write_all(const struct journal_ops *ops, int fd, const char *text,
				  size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = ops->write(fd, text + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* The new content under its name aside, durable. */
static int journal_file_write_aside(const struct journal_ops *ops, int dir, const char *aside,
				    const char *text, size_t len)
{
	_cleanup_fd_ int fd = -1;
	int r;

	fd = ops->openat(dir, aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = journal_file_write_all(ops, fd, text, len);
	if (r < 0)
		return r;
	return ops->fsync(fd) < 0 ? -errno : 0;
}

static void journal_file_aside_name(const char *name, char ret[NAME_MAX + 1])
{
	snprintf(ret, NAME_MAX + 1, ".%s.new", name);
}

int journal_file_prepare(const struct journal_ops *ops, int dir, const char *where,
			 const char *name, const char *text, size_t len, struct err *err)
{
	char aside[NAME_MAX + 1];
	int r;

	journal_file_aside_name(name, aside);
	r = journal_file_write_aside(ops, dir, aside, text, len);
	if (r >= 0)
		return 0;
	err_fail(err, ERR_SYSTEM, r, "%s/%s: not written", where, name);
	ops->unlinkat(dir, aside, 0);
	return r;
}

int journal_file_commit(const struct journal_ops *ops, int dir, const char *where, const char *name,
			struct err *err)
{
	char aside[NAME_MAX + 1];
	int r;

	journal_file_aside_name(name, aside);
	if (ops->renameat(dir, aside, dir, name) < 0) {
		r = -errno;
		err_fail(err, ERR_SYSTEM, r, "%s/%s: not renamed", where, name);
		if (!journal_file_undone(r))
			return JOURNAL_UNSURE;
		ops->unlinkat(dir, aside, 0);
		return r;
	}
	if (ops->fsync(dir) < 0) {
		err_fail(err, ERR_SYSTEM, -errno, "%s: not synced after %s was renamed", where,
			 name);
		return JOURNAL_UNSURE;
	}
	return JOURNAL_WRITTEN;
}

void journal_file_drop(const struct journal_ops *ops, int dir, const char *name)
{
	char aside[NAME_MAX + 1];

	journal_file_aside_name(name, aside);
	ops->unlinkat(dir, aside, 0);
}

int journal_file_replace(const struct journal_ops *ops, int dir, const char *where,
			 const char *name, const char *text, size_t len, struct err *err)
{
	int r = journal_file_prepare(ops, dir, where, name, text, len, err);

	return r < 0 ? r : journal_file_commit(ops, dir, where, name, err);
}

int journal_file_read(int dir, const char *where, const char *name, char **ret, size_t *ret_len,
		      struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fd_ int fd = -1;
	struct stat st;
	ssize_t n;

	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(err, -errno, "%s/%s", where, name);
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)JOURNAL_TEXT_MAX)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%s/%s: no file of a journal", where,
				name);
	text = malloc((size_t)st.st_size + 1);
	if (!text)
		return err_set(err, -ENOMEM, "%s/%s", where, name);
	n = read_full(fd, text, (size_t)st.st_size);
	if (n < 0)
		return err_set(err, (int)n, "%s/%s", where, name);
	text[n] = '\0';
	*ret = TAKE_PTR(text);
	*ret_len = (size_t)n;
	return 0;
}
