// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/lock-file.h"

/* One that another user can open is no lock. */
static bool lock_file_is_ours(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       !(st.st_mode & 077);
}

/* The last one that had it has removed it: what is locked then has no name any more. */
static bool lock_file_is_still(const struct lock_file *l, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(l->dir, l->name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

void lock_file_take(int dir, const char *path, struct lock_file *ret)
{
	const char *slash = strrchr(path, '/');
	const char *base = slash ? slash + 1 : path;

	*ret = (struct lock_file){ .dir = dir, .fd = -1 };
	snprintf(ret->name, sizeof(ret->name), "%.*s.%s.lock", (int)(base - path), path, base);
	for (;;) {
		_cleanup_fd_ int fd = openat(dir, ret->name,
					     O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
					     0600);
		int r;

		if (fd < 0 || !lock_file_is_ours(fd))
			return;
		do
			r = flock(fd, LOCK_EX);
		while (r < 0 && errno == EINTR);
		if (r < 0)
			return;
		if (lock_file_is_still(ret, fd)) {
			ret->fd = TAKE_FD(fd);
			return;
		}
	}
}

void lock_file_release(struct lock_file *l)
{
	if (l->fd < 0)
		return;
	unlinkat(l->dir, l->name, 0);
	close(TAKE_FD(l->fd));
}
