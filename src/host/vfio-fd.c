// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/units.h"
#include "host/sysfs.h"
#include "host/vfio-fd.h"

#define ANON "anon_inode:"

enum vfio_fd_kind vfio_fd_stream(const char *link, unsigned int flags)
{
	/* From the drivers of Linux 6.19, mtty, and migsim of our lab. */
	static const char *const names[] = {
		"mlx5vf_mig",	"hisi_acc_vf_mig", "pds_vfio_lm", "qat_vf_mig",
		"virtiovf_mig", "xe_vfio_mig",	   "mtty_mig",	  "migsim",
	};
	unsigned int mode = flags & O_ACCMODE;
	const char *name = link + strlen(ANON);

	if (strncmp(link, ANON, strlen(ANON)) != 0 || mode == O_RDWR)
		return VFIO_FD_OTHER;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return mode == O_RDONLY ? VFIO_FD_SAVING : VFIO_FD_LOADING;
	return VFIO_FD_OTHER;
}

/* "/proc/self/fdinfo/7" */
static void vfio_fd_path(const struct host *host, const char *folder, pid_t pid, int fd,
			 char path[PATH_MAX])
{
	char who[16] = "self";

	if (pid)
		snprintf(who, sizeof(who), "%d", (int)pid);
	snprintf(path, PATH_MAX, "%s/%s/%s/%d", host->proc, who, folder, fd);
}

/* Return: what follows @key in @info, after white space; NULL when there is no such line. */
static const char *vfio_fd_info(const char *info, const char *key)
{
	const char *line = strstr(info, key);

	if (!line || (line != info && line[-1] != '\n'))
		return NULL;
	line += strlen(key);
	return line + strspn(line, " \t");
}

static struct vfio_node *vfio_fd_by_syspath(const struct host *host, const char *info)
{
	const char *line = vfio_fd_info(info, VFIO_FD_SYSPATH);
	struct vfio_node *node = NULL;
	char path[PATH_MAX];

	if (!line || sscanf(line, "%4095[^\n]", path) != 1 ||
	    vfio_node_from_sysfs(host, path, &node, NULL) != VFIO_NODE_FOUND)
		return NULL;
	return node;
}

static void vfio_fd_look_anonymous(const struct host *host, pid_t pid, const char *link,
				   struct vfio_fd *ret)
{
	_cleanup_free_ char *info = NULL;
	char path[PATH_MAX];
	const char *flags;

	vfio_fd_path(host, "fdinfo", pid, ret->fd, path);
	if (!strcmp(link, VFIO_FD_LINK))
		ret->kind = VFIO_FD_DEVICE;
	if (read_text(AT_FDCWD, path, &info) < 0)
		return;
	if (ret->kind == VFIO_FD_DEVICE) {
		ret->node = vfio_fd_by_syspath(host, info);
		return;
	}
	flags = vfio_fd_info(info, "flags:");
	if (flags)
		ret->kind = vfio_fd_stream(link, (unsigned int)strtoul(flags, NULL, 8));
}

/* "/dev/vfio/devices/vfio7", or the same with " (deleted)" once its device has left. */
static bool vfio_fd_is_cdev_path(const char *link, char ret[VFIO_FD_CDEV_SIZE])
{
	static const char folder[] = "/vfio/devices/vfio";
	const char *at = strstr(link, folder);
	uint64_t number;

	if (!scan_uint(at ? at + strlen(folder) : NULL, 10, 999999999, &number))
		return false;
	snprintf(ret, VFIO_FD_CDEV_SIZE, "vfio%" PRIu64, number);
	return true;
}

/* Only the file itself tells of a device that has left, and only from Linux 6.18 on. */
static void vfio_fd_look_left(const struct host *host, pid_t pid, const char *link,
			      struct vfio_fd *ret)
{
	_cleanup_free_ char *info = NULL;
	char path[PATH_MAX];

	if (!vfio_fd_is_cdev_path(link, ret->cdev))
		return;
	ret->kind = VFIO_FD_CDEV;
	vfio_fd_path(host, "fdinfo", pid, ret->fd, path);
	if (read_text(AT_FDCWD, path, &info) == 0)
		ret->node = vfio_fd_by_syspath(host, info);
}

/* The number decides: in another mount namespace the same path may be another device's. */
static void vfio_fd_look_node(const struct host *host, pid_t pid, const char *link,
			      struct vfio_fd *ret)
{
	_cleanup_free_ char *real = NULL, *class = NULL;
	char path[PATH_MAX];
	struct stat st;

	vfio_fd_path(host, "fd", pid, ret->fd, path);
	if (stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
		return;
	if (path_real(&real, "%s/dev/char/%u:%u", host->sys, major(st.st_rdev), minor(st.st_rdev)) <
	    0) {
		vfio_fd_look_left(host, pid, link, ret);
		return;
	}
	if (sysfs_link_name(real, "subsystem", &class) < 0)
		return;
	if (!strcmp(class, "vfio-dev")) {
		ret->kind = VFIO_FD_CDEV;
		snprintf(ret->cdev, sizeof(ret->cdev), "%s", path_base(real));
		if (vfio_node_from_sysfs(host, real, &ret->node, NULL) != VFIO_NODE_FOUND)
			ret->node = NULL;
	} else if (!strcmp(class, "vfio")) {
		const char *name = path_base(real);
		uint64_t group;

		ret->kind = VFIO_FD_GROUP;
		if (!strncmp(name, "noiommu-", strlen("noiommu-")))
			name += strlen("noiommu-");
		if (scan_uint(name, 10, INT_MAX, &group))
			ret->group = (int)group;
	}
}

int vfio_fd_look(const struct host *host, pid_t pid, int fd, struct vfio_fd *ret)
{
	char path[PATH_MAX], link[PATH_MAX];
	ssize_t n;

	*ret = (struct vfio_fd){ .fd = fd, .kind = VFIO_FD_OTHER, .group = -1 };
	vfio_fd_path(host, "fd", pid, fd, path);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0 && (errno == EACCES || errno == EPERM))
		return -errno;
	if (n <= 0)
		return 0;
	link[n] = '\0';
	if (!strncmp(link, ANON, strlen(ANON)))
		vfio_fd_look_anonymous(host, pid, link, ret);
	else if (path_inside(link, host->dev) || strstr(link, "/dev/") || strstr(link, "vfio"))
		vfio_fd_look_node(host, pid, link, ret);
	return 0;
}

struct vfio_node *vfio_fd_node(const struct host *host, pid_t pid, int fd)
{
	struct vfio_fd look;

	return vfio_fd_look(host, pid, fd, &look) < 0 ? NULL : look.node;
}

static int vfio_fd_by_number(const void *a, const void *b)
{
	const struct vfio_fd *left = a, *right = b;

	return (left->fd > right->fd) - (left->fd < right->fd);
}

static int vfio_fd_add(struct vfio_fds *fds, const struct vfio_fd *look)
{
	struct vfio_fd *v = reallocarray(fds->v, fds->n + 1, sizeof(*v));

	if (!v) {
		vfio_node_free(look->node);
		return -ENOMEM;
	}
	fds->v = v;
	v[fds->n++] = *look;
	return 0;
}

int vfio_fds_find(const struct host *host, pid_t pid, struct vfio_fds *ret)
{
	_cleanup_(vfio_fds_done) struct vfio_fds fds = { 0 };
	_cleanup_(closedirp) DIR *dir = NULL;
	char path[PATH_MAX], who[16] = "self";
	const char *name;

	if (pid)
		snprintf(who, sizeof(who), "%d", (int)pid);
	snprintf(path, sizeof(path), "%s/%s/fd", host->proc, who);
	dir = opendir(path);
	if (!dir)
		return -errno;
	while ((name = dir_next(dir))) {
		struct vfio_fd look;
		uint64_t fd;
		int r;

		if (parse_uint(name, 10, INT_MAX, &fd) < 0)
			continue;
		r = vfio_fd_look(host, pid, (int)fd, &look);
		if (r < 0)
			return r;
		if (look.kind != VFIO_FD_OTHER && vfio_fd_add(&fds, &look) < 0)
			return -ENOMEM;
	}
	if (fds.n)
		qsort(fds.v, fds.n, sizeof(*fds.v), vfio_fd_by_number);
	*ret = fds;
	fds = (struct vfio_fds){ 0 };
	return 0;
}

void vfio_fds_done(struct vfio_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		vfio_node_free(fds->v[i].node);
	free(fds->v);
	*fds = (struct vfio_fds){ 0 };
}
