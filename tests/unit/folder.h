/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A folder that a test has made for itself, with files in it
 */

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* All files of @path go, and it stays. */
static inline void folder_empty(const char *path)
{
	DIR *dir = opendir(path);

	assert_non_null(dir);
	for (const struct dirent *d = readdir(dir); d; d = readdir(dir))
		if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0)
			assert_int_equal(unlinkat(dirfd(dir), d->d_name, 0), 0);
	closedir(dir);
}
