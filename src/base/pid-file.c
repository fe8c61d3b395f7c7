// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/lock-file.h"
#include "base/pid-file.h"

/* "4194304\n" and as much again: what is longer is no pid file. */
#define PID_TEXT_MAX 16

#define TEMPORARY_MAX (NAME_MAX + 1)

static int pid_file_open_folder(struct pid_file *p, struct err *err)
{
	const char *slash = strrchr(p->path, '/');
	char folder[PATH_MAX];

	p->name = slash ? slash + 1 : p->path;
	if (!*p->name || strlen(p->path) >= sizeof(folder))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: no name for a file", p->path);
	/* ".NAME.PID" is written first, and ".NAME.lock" locked. */
	if (strlen(p->name) + PID_TEXT_MAX > NAME_MAX)
		return err_fail(err, ERR_USAGE, -ENAMETOOLONG, "%s: too long", p->path);
	strcpy(folder, p->path);
	p->dir = open(dirname(folder), O_DIRECTORY | O_RDONLY | O_CLOEXEC);
	if (p->dir < 0)
		return err_fail(err, ERR_OUTPUT, -errno, "%s", p->path);
	if (faccessat(p->dir, ".", W_OK | X_OK, AT_EACCESS) < 0)
		return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno, "%s", p->path);
	return 0;
}

/* What a daemon writes, or less: nothing. */
static bool pid_file_has_pid(int fd, char text[PID_TEXT_MAX + 1])
{
	ssize_t n = pread(fd, text, PID_TEXT_MAX, 0);
	size_t digits = 0;

	text[n < 0 ? 0 : n] = '\0';
	while (isdigit((unsigned char)text[digits]))
		digits++;
	if (n < 0 || n == PID_TEXT_MAX || strcmp(text + digits, text[digits] ? "\n" : "") != 0)
		return false;
	text[digits] = '\0';
	return true;
}

/* A lock for writing, which only a process that may write to the file can have. */
static int pid_file_lock(int fd, int command, short type, struct flock *ret)
{
	*ret = (struct flock){ .l_type = type, .l_whence = SEEK_SET };
	return fcntl(fd, command, ret) < 0 ? -errno : 0;
}

/* Where the file system knows no such locks, it may be. */
static bool pid_file_is_locked(int fd)
{
	struct flock l;

	return pid_file_lock(fd, F_OFD_GETLK, F_RDLCK, &l) < 0 || l.l_type != F_UNLCK;
}

/* What has the name now. Return: 0, with @ret, if it is left over; -ENOENT if there is nothing. */
static int pid_file_look(const struct pid_file *p, int *ret, struct err *err)
{
	_cleanup_fd_ int fd =
		openat(p->dir, p->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	char text[PID_TEXT_MAX + 1];
	struct stat st;

	if (fd < 0 && errno == ENOENT)
		return -ENOENT;
	if (fd < 0)
		return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno, "%s", p->path);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !pid_file_has_pid(fd, text))
		return err_fail(err, ERR_OUTPUT, -EEXIST, "%s: is there, and no pid file", p->path);
	if (pid_file_is_locked(fd))
		return err_fail(err, ERR_OUTPUT, -EEXIST, "%s: is of process %s, which lives",
				p->path, *text ? text : "unknown");
	*ret = TAKE_FD(fd);
	return 0;
}

int pid_file_find(const char *path, struct pid_file *ret, struct err *err)
{
	_cleanup_fd_ int old = -1;
	int r;

	*ret = PID_FILE_NONE;
	ret->path = path;
	r = pid_file_open_folder(ret, err);
	if (r < 0)
		return r;
	r = pid_file_look(ret, &old, err);
	return r == -ENOENT ? 0 : r;
}

static int pid_file_write(struct pid_file *p, const char *name, pid_t pid, struct err *err)
{
	char text[PID_TEXT_MAX];
	struct flock l;
	int r;

	/* What an earlier process of this very number has left. */
	unlinkat(p->dir, name, 0);
	p->fd = openat(p->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (p->fd < 0)
		return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno, "%s", p->path);
	r = pid_file_lock(p->fd, F_OFD_SETLK, F_WRLCK, &l);
	if (r < 0)
		return err_set(err, r, "%s: locking it", p->path);
	snprintf(text, sizeof(text), "%d\n", (int)pid);
	r = write_full(p->fd, text, strlen(text));
	return r < 0 ? err_set(err, r, "%s", p->path) : 0;
}

/* Is what has the name still what @old was opened from? */
static bool pid_file_is_still(const struct pid_file *p, int old)
{
	struct stat a, b;

	return fstat(old, &a) == 0 && fstatat(p->dir, p->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* Return: 0; -EAGAIN when another process was faster: look again. */
static int pid_file_put(const struct pid_file *p, const char *name, struct err *err)
{
	_cleanup_fd_ int old = -1;
	int r;

	r = pid_file_look(p, &old, err);
	if (r < 0 && r != -ENOENT)
		return r;
	if (r >= 0 && !pid_file_is_still(p, old))
		return -EAGAIN;
	/* Not every file system knows RENAME_NOREPLACE. */
	if (r == -ENOENT && linkat(p->dir, name, p->dir, p->name, 0) == 0)
		return unlinkat(p->dir, name, 0) < 0 ? -errno : 0;
	if (r == -ENOENT && errno == EEXIST)
		return -EAGAIN;
	if (r >= 0 && renameat(p->dir, name, p->dir, p->name) == 0)
		return 0;
	return err_fail(err, err_denied(-errno, ERR_OUTPUT), -errno, "%s", p->path);
}

static int pid_file_make(struct pid_file *p, const char *name, pid_t pid, struct err *err)
{
	struct lock_file lock;
	int r;

	r = pid_file_write(p, name, pid, err);
	if (r < 0)
		return r;
	lock_file_take(p->dir, p->name, &lock);
	do
		r = pid_file_put(p, name, err);
	while (r == -EAGAIN);
	lock_file_release(&lock);
	return r;
}

int pid_file_publish(struct pid_file *p, pid_t pid, struct err *err)
{
	char name[TEMPORARY_MAX];
	int r;

	snprintf(name, sizeof(name), ".%s.%d", p->name, (int)pid);
	r = pid_file_make(p, name, pid, err);
	if (r >= 0)
		return 0;
	unlinkat(p->dir, name, 0);
	if (p->fd >= 0)
		close(TAKE_FD(p->fd));
	return r;
}

void pid_file_remove(struct pid_file *p)
{
	if (p->fd >= 0 && pid_file_is_still(p, p->fd))
		unlinkat(p->dir, p->name, 0);
}

void pid_file_done(struct pid_file *p)
{
	if (p->fd >= 0)
		close(p->fd);
	if (p->dir >= 0)
		close(p->dir);
	*p = PID_FILE_NONE;
}
