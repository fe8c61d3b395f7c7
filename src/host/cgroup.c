// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/units.h"
#include "host/cgroup.h"

/* The hierarchy of version 2; the others have a number and names before the path. */
#define UNIFIED "0::"

#define DELETED " (deleted)"

static bool cgroup_ends_with(const char *text, const char *end)
{
	size_t len = strlen(text), n = strlen(end);

	return len >= n && !strcmp(text + len - n, end);
}

/* Return: its path, the caller's; NULL for the root, and for what this process cannot name. */
static char *cgroup_path_of(const struct host *host, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	char *line, *next, path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%d/cgroup", host->proc, (int)pid);
	if (read_text(AT_FDCWD, path, &text) < 0)
		return NULL;
	for (line = text; line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		if (strncmp(line, UNIFIED, strlen(UNIFIED)) != 0)
			continue;
		line += strlen(UNIFIED);
		if (!strcmp(line, "/") || strstr(line, "/..") || cgroup_ends_with(line, DELETED))
			return NULL;
		return strdup(line);
	}
	return NULL;
}

/*
 * "ID PARENT MAJOR:MINOR ROOT MOUNT OPTIONS... - TYPE SOURCE OPTIONS", where white space in a path
 * is written in octal. A mount of a part of the hierarchy is no use.
 */
static bool cgroup_parse_mount(const char *line, char mount[static PATH_MAX])
{
	const char *type = strstr(line, " - cgroup2 ");
	char root[8];

	_Static_assert(PATH_MAX == 4096, "the width below");
	return type && sscanf(line, "%*d %*d %*s %7s %4095s", root, mount) == 2 &&
	       !strcmp(root, "/") && !strchr(mount, '\\');
}

static bool cgroup_find_mount(const struct host *host, char mount[static PATH_MAX])
{
	_cleanup_free_ char *line = NULL;
	_cleanup_file_ FILE *f = NULL;
	char path[PATH_MAX];
	size_t room = 0;

	snprintf(path, sizeof(path), "%s/self/mountinfo", host->proc);
	f = fopen(path, "re");
	while (f && getline(&line, &room, f) > 0)
		if (cgroup_parse_mount(line, mount))
			return true;
	return false;
}

int cgroup_read_flag(int dir, const char *file, const char *key, unsigned long *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = strlen(key);
	const char *line;
	int r;

	r = read_text(dir, file, &text);
	if (r < 0)
		return r;
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, key, len) && line[len] == ' ') {
			*ret = strtoul(line + len + 1, NULL, 10);
			return 0;
		}
	}
	return -ENODATA;
}

static bool cgroup_has_only(int dir, pid_t pid)
{
	_cleanup_free_ char *text = NULL;
	unsigned long below = 1;
	uint64_t only;

	if (read_text(dir, "cgroup.procs", &text) < 0 || parse_uint(text, 10, INT_MAX, &only) < 0 ||
	    only != (uint64_t)pid)
		return false;
	return cgroup_read_flag(dir, "cgroup.stat", "nr_descendants", &below) >= 0 && !below;
}

int cgroup_open_own(const struct host *host, pid_t pid)
{
	_cleanup_free_ char *below = cgroup_path_of(host, pid);
	char mount[PATH_MAX], path[2 * PATH_MAX];
	_cleanup_fd_ int dir = -1;

	if (!below || !cgroup_find_mount(host, mount))
		return -1;
	snprintf(path, sizeof(path), "%s%s", mount, below);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !cgroup_has_only(dir, pid) ||
	    faccessat(dir, "cgroup.freeze", W_OK, AT_EACCESS) < 0)
		return -1;
	return TAKE_FD(dir);
}
