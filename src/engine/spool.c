// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/spool.h"

/* Have the disk begin while more is on its way: the sync at the end is in the downtime. */
#define SPOOL_AHEAD ((uint64_t)8 << 20)

/**
 * struct spool
 * @written: so far
 * @begun: the disk was told to write up to here
 */
struct spool {
	int dir, fd;
	char *path, *file;
	uint64_t written, begun;
};

static int spool_failed(const struct spool *s, enum err_kind kind, int code, struct err *err)
{
	return err_fail(err, kind, code, "spool %s", s->path);
}

/* What lies in it can be loaded into a device: others may neither read nor replace it. */
static int spool_check_dir(int fd, const char *dir, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(err, -errno, "spool folder %s", dir);
	if ((st.st_uid == geteuid() || st.st_uid == 0) && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	err_fail(err, ERR_CONFIG, -EPERM, "spool folder %s: other users may write to it", dir);
	return err_hint(err, -EPERM, "chmod go-w %s", dir);
}

/* It cannot be used, for the reason @code. */
static int spool_no_dir(const char *dir, int code, struct err *err)
{
	err_fail(err, err_denied(code, ERR_CONFIG), code, "spool folder %s", dir);
	return err_hint(err, code, "name another folder with --spool, or have none by --no-spool");
}

static int spool_open_dir(const char *dir, int *ret, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r;

	if (mkdir(dir, 0700) < 0 && errno != EEXIST)
		return spool_no_dir(dir, -errno, err);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return spool_no_dir(dir, -errno, err);
	r = spool_check_dir(fd, dir, err);
	if (r < 0)
		return r;
	*ret = TAKE_FD(fd);
	return 0;
}

int spool_check(const char *dir, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = spool_open_dir(dir, &fd, err);

	if (r < 0)
		return r;
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return spool_no_dir(dir, -errno, err);
	return 0;
}

int spool_check_room(const char *dir, uint64_t expected, struct err *err)
{
	char wanted[UNITS_MAX], has[UNITS_MAX];
	struct statvfs st;
	uint64_t room;

	/* A file system of no size has no limit of its own. */
	if (statvfs(dir, &st) < 0 || !st.f_blocks)
		return 0;
	if (__builtin_mul_overflow((uint64_t)st.f_bavail, (uint64_t)st.f_frsize, &room) ||
	    expected <= room)
		return 0;
	err_fail(err, ERR_OUTPUT, -ENOSPC, "spool folder %s: %s free, and the source expects %s",
		 dir, format_bytes(has, room), format_bytes(wanted, expected));
	return err_hint(err, -ENOSPC, "make room there, or name another folder with --spool");
}

static int spool_name(struct spool *s, const char *dir, const char *name, struct err *err)
{
	_cleanup_free_ char *folder = realpath(dir, NULL);

	if (!folder)
		return err_set(err, -errno, "spool folder %s", dir);
	if (asprintf(&s->path, "%s/%s.image", folder, name) < 0) {
		s->path = NULL;
		return err_set(err, -ENOMEM, "spool");
	}
	s->file = strrchr(s->path, '/') + 1;
	return 0;
}

int spool_open(const char *dir, const char *name, struct spool **ret, struct err *err)
{
	_cleanup_(spool_freep) struct spool *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "spool");
	s->dir = s->fd = -1;
	r = spool_open_dir(dir, &s->dir, err);
	if (r < 0)
		return r;
	r = spool_name(s, dir, name, err);
	if (r < 0)
		return r;
	if (unlinkat(s->dir, s->file, 0) < 0 && errno != ENOENT)
		return spool_failed(s, ERR_OUTPUT, -errno, err);
	s->fd = openat(s->dir, s->file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->fd < 0)
		return spool_failed(s, err_denied(-errno, ERR_OUTPUT), -errno, err);
	*ret = TAKE_PTR(s);
	return 0;
}

int spool_write(struct spool *s, const void *buf, size_t len, struct err *err)
{
	int r = write_full(s->fd, buf, len);

	if (r < 0)
		return spool_failed(s, ERR_IO, r, err);
	s->written += len;
	if (s->written - s->begun < SPOOL_AHEAD)
		return 0;
	/* A help alone: what it fails with, the sync reports. */
	sync_file_range(s->fd, (off64_t)s->begun, (off64_t)(s->written - s->begun),
			SYNC_FILE_RANGE_WRITE);
	s->begun = s->written;
	return 0;
}

int spool_sync(struct spool *s, struct err *err)
{
	if (fsync(s->fd) < 0 || fsync(s->dir) < 0)
		return spool_failed(s, ERR_IO, -errno, err);
	return 0;
}

const char *spool_path(const struct spool *s)
{
	return s->path;
}

void spool_remove(struct spool *s)
{
	if (unlinkat(s->dir, s->file, 0) < 0 && errno != ENOENT)
		log_warn("spool %s: %s: it stays, and is of no use any more", s->path,
			 err_name(-errno));
}

struct spool *spool_free(struct spool *s)
{
	if (!s)
		return NULL;
	if (s->fd >= 0)
		close(s->fd);
	if (s->dir >= 0)
		close(s->dir);
	free(s->path);
	free(s);
	return NULL;
}
