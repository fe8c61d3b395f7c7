// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/units.h"
#include "host/sysfs.h"

/* Every kernel has devices and classes: a folder without these is no mounted sysfs. */
int sysfs_check(const struct host *host, struct err *err)
{
	if (path_exists(host->sys, "devices") && path_exists(host->sys, "class"))
		return 0;
	err_fail(err, ERR_SYSTEM, -ENOENT, "%s: no sysfs is mounted here", host->sys);
	return err_hint(err, -ENOENT, "mount -t sysfs sysfs %s", host->sys);
}

static char *sysfs_path_vfmt(const char *fmt, va_list ap) _printf_(1, 0);

static char *sysfs_path_vfmt(const char *fmt, va_list ap)
{
	char *path;

	return vasprintf(&path, fmt, ap) < 0 ? NULL : path;
}

char *path_fmt(const char *fmt, ...)
{
	va_list ap;
	char *path;

	va_start(ap, fmt);
	path = sysfs_path_vfmt(fmt, ap);
	va_end(ap);
	return path;
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *path_inside(const char *path, const char *root)
{
	size_t n = strlen(root);

	if (strncmp(path, root, n) != 0 || path[n] != '/')
		return NULL;
	return path + n;
}

int path_real(char **ret, const char *fmt, ...)
{
	_cleanup_free_ char *path = NULL;
	char *real;
	va_list ap;

	va_start(ap, fmt);
	path = sysfs_path_vfmt(fmt, ap);
	va_end(ap);
	if (!path)
		return -ENOMEM;
	real = realpath(path, NULL);
	if (!real)
		return -errno;
	*ret = real;
	return 0;
}

bool path_exists(const char *dir, const char *name)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", dir, name);

	return path && access(path, F_OK) == 0;
}

const char *dir_next(DIR *dir)
{
	struct dirent *entry;

	do
		entry = readdir(dir);
	while (entry && entry->d_name[0] == '.');
	return entry ? entry->d_name : NULL;
}

int sysfs_link_name(const char *dir, const char *name, char **ret)
{
	_cleanup_free_ char *path = path_fmt("%s/%s", dir, name);
	char target[PATH_MAX];
	ssize_t n;

	if (!path)
		return -ENOMEM;
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return -errno;
	if ((size_t)n == sizeof(target))
		return -ENAMETOOLONG;
	target[n] = '\0';
	if (!*path_base(target))
		return -EINVAL;
	*ret = strdup(path_base(target));
	return *ret ? 0 : -ENOMEM;
}

int sysfs_devt(const char *dir, dev_t *ret)
{
	_cleanup_free_ char *path = path_fmt("%s/dev", dir);
	_cleanup_free_ char *text = NULL;
	uint64_t major_nr, minor_nr;
	char *colon;
	int r;

	if (!path)
		return -ENOMEM;
	r = read_text(AT_FDCWD, path, &text);
	if (r < 0)
		return r;
	colon = strchr(text, ':');
	if (!colon)
		return -EINVAL;
	*colon = '\0';
	r = parse_uint(text, 10, UINT32_MAX, &major_nr);
	if (r < 0)
		return r;
	r = parse_uint(colon + 1, 10, UINT32_MAX, &minor_nr);
	if (r < 0)
		return r;
	*ret = makedev((unsigned int)major_nr, (unsigned int)minor_nr);
	return 0;
}
