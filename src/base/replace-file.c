// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/replace-file.h"

static int replace_file_write(int dir, const char *name, const char *text)
{
	_cleanup_fd_ int fd = -1;
	int r;

	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = write_full(fd, text, strlen(text));
	if (r < 0)
		return r;
	return fsync(fd) < 0 ? -errno : 0;
}

/* A link replaces nothing; a rename does. */
static int replace_file_name(int dir, const char *aside, const char *name, enum replace_over over)
{
	if (over == REPLACE_OWN)
		return renameat(dir, aside, dir, name) < 0 ? -errno : 0;
	return linkat(dir, aside, dir, name, 0) < 0 ? -errno : 0;
}

int replace_file(int dir, const char *name, const char *text, enum replace_over over)
{
	char aside[NAME_MAX + 1];
	int r;

	if (snprintf(aside, sizeof(aside), ".%s.new", name) >= (int)sizeof(aside))
		return -ENAMETOOLONG;
	r = replace_file_write(dir, aside, text);
	if (r < 0) {
		unlinkat(dir, aside, 0);
		return r;
	}
	r = replace_file_name(dir, aside, name, over);
	if (r < 0 || over == REPLACE_NOTHING)
		unlinkat(dir, aside, 0);
	if (r < 0)
		return r;
	return fsync(dir) < 0 ? -errno : 0;
}
