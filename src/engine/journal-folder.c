// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "engine/journal-folder.h"

/* A folder that is made is in its parent durably before anything is in it. */
static int journal_folder_sync_parent(const char *path, struct err *err)
{
	_cleanup_free_ char *parent = strdup(path);
	_cleanup_fd_ int fd = -1;
	char *slash = parent ? strrchr(parent, '/') : NULL;

	if (!parent)
		return err_set(err, -ENOMEM, "%s", path);
	if (slash)
		slash[slash == parent] = '\0';
	fd = open(slash ? parent : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_fail(err, ERR_CONFIG, -errno, "%s: its folder cannot be synced", path);
	return 0;
}

static int journal_folder_refuse(const char *dir, int code, struct err *err)
{
	err_fail(err, err_denied(code, ERR_CONFIG), code, "journal's folder %s", dir);
	return err_hint(err, code, "name another one with --state-dir");
}

static int journal_folder_make_one(const char *path, struct err *err)
{
	if (mkdir(path, 0700) == 0)
		return journal_folder_sync_parent(path, err);
	return errno == EEXIST ? 0 : journal_folder_refuse(path, -errno, err);
}

int journal_folder_make(const char *dir, struct err *err)
{
	_cleanup_free_ char *path = strdup(dir);
	size_t len = strlen(dir);

	if (!path || !len)
		return err_fail(err, ERR_CONFIG, path ? -ENOENT : -ENOMEM, "\"%s\": no folder",
				dir);
	while (len > 1 && path[len - 1] == '/')
		path[--len] = '\0';
	for (size_t i = 1; i <= len; i++) {
		const char c = path[i];
		int r;

		if ((c && c != '/') || path[i - 1] == '/')
			continue;
		path[i] = '\0';
		r = journal_folder_make_one(path, err);
		if (r < 0)
			return r;
		path[i] = c;
	}
	return 0;
}

static int journal_folder_check(int fd, const char *dir, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_fail(err, ERR_CONFIG, -errno, "%s", dir);
	if (st.st_uid != geteuid()) {
		err_fail(err, ERR_CONFIG, -EACCES, "%s: the journal of user %u, not of user %u",
			 dir, st.st_uid, geteuid());
		return err_hint(err, -EACCES, "name another folder with --state-dir");
	}
	if (st.st_mode & 022) {
		err_fail(err, ERR_CONFIG, -EACCES,
			 "%s: others may write to it (mode %04o), and what is in it decides who "
			 "runs a device",
			 dir, st.st_mode & 07777);
		return err_hint(err, -EACCES, "chmod 0700 %s, and look at what is in it", dir);
	}
	return 0;
}

int journal_folder_open(const char *dir, char **ret_dir, int *ret_fd, struct err *err)
{
	_cleanup_free_ char *real = realpath(dir, NULL);
	_cleanup_fd_ int fd = -1;
	int r;

	if (real)
		fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return journal_folder_refuse(dir, -errno, err);
	r = journal_folder_check(fd, real, err);
	if (r < 0)
		return r;
	*ret_dir = TAKE_PTR(real);
	*ret_fd = TAKE_FD(fd);
	return 0;
}
