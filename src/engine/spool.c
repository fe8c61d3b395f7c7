// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/spool-writer.h"
#include "engine/spool.h"

struct spool {
	int dir, fd;
	char *path, *file;
	struct spool_writer *writer;
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

int spool_open(const char *dir, const char *name, struct cancel *cancel, struct spool **ret,
	       struct err *err)
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
	/* Its name is durable before there is anything in it: later that would take longer. */
	if (fsync(s->dir) < 0)
		return spool_failed(s, ERR_IO, -errno, err);
	r = spool_writer_new(s->fd, cancel, &s->writer, err);
	if (r < 0)
		return err_prefix(err, r, "spool %s", s->path);
	*ret = TAKE_PTR(s);
	return 0;
}

int spool_write(struct spool *s, const void *buf, size_t len, struct err *err)
{
	int r = spool_writer_put(s->writer, buf, len);

	return r < 0 ? spool_failed(s, ERR_IO, r, err) : 0;
}

void spool_end(struct spool *s)
{
	spool_writer_end(s->writer);
}

int spool_sync(struct spool *s, struct err *err)
{
	int r = spool_writer_wait(s->writer);

	return r < 0 ? spool_failed(s, ERR_IO, r, err) : 0;
}

int spool_failure(const struct spool *s, struct err *err)
{
	int r = spool_writer_failure(s->writer);

	return r < 0 ? spool_failed(s, ERR_IO, r, err) : 0;
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
	spool_writer_free(s->writer);
	if (s->fd >= 0)
		close(s->fd);
	if (s->dir >= 0)
		close(s->dir);
	free(s->path);
	free(s);
	return NULL;
}
