// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/io.h"
#include "host/vfio-fd.h"

#define SYSPATH_KEY "vfio-device-syspath:"

static struct vfio_node *vfio_fd_by_link(const struct host *host, const char *path)
{
	struct vfio_node *node = NULL;
	char link[PATH_MAX];
	ssize_t n;

	n = readlink(path, link, sizeof(link) - 1);
	if (n <= 0)
		return NULL;
	link[n] = '\0';
	if (!strstr(link, "/vfio/devices/") || vfio_node_resolve(host, link, &node, NULL) < 0)
		return NULL;
	return node;
}

struct vfio_node *vfio_fd_node(const struct host *host, pid_t pid, int fd)
{
	_cleanup_free_ char *info = NULL;
	struct vfio_node *node = NULL;
	char who[16] = "self", path[PATH_MAX];
	const char *line;

	if (pid)
		snprintf(who, sizeof(who), "%d", (int)pid);
	snprintf(path, sizeof(path), "%s/%s/fd/%d", host->proc, who, fd);
	node = vfio_fd_by_link(host, path);
	if (node)
		return node;
	snprintf(path, sizeof(path), "%s/%s/fdinfo/%d", host->proc, who, fd);
	if (read_text(AT_FDCWD, path, &info) < 0)
		return NULL;
	line = strstr(info, SYSPATH_KEY);
	if (!line || sscanf(line + strlen(SYSPATH_KEY), " %4095[^\n]", path) != 1 ||
	    vfio_node_from_sysfs(host, path, &node, NULL) != VFIO_NODE_FOUND)
		return NULL;
	return node;
}
