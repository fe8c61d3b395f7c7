// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/units.h"
#include "host/holder.h"
#include "host/processes.h"
#include "host/sysfs.h"
#include "host/vfio-fd.h"

/*
 * The scan reads one link for each open file of the system, and looks further only at those that
 * may be of VFIO. It never opens what a link leads to: that would reset the device. It does not
 * even stat() what cannot be a device node, because a file on a dead network mount would make it
 * wait for ever. So it misses a node outside of any "dev" folder without "vfio" in its name.
 */

static const char by_cdev[] = "cdev";
static const char by_group[] = "group";
static const char by_device_fd[] = "device fd";

/* One node that an open file may be of. */
struct wanted_node {
	const char *how;
	char *path; /* NULL: the device has none */
	dev_t number; /* 0: not known */
};

struct search {
	const struct host *host;
	struct wanted_node cdev, group;
	const char *syspath; /* "/devices/..." */
	struct holders found;
};

static void holder_search_done(struct search *s)
{
	free(s->cdev.path);
	free(s->group.path);
	holders_done(&s->found);
}

void holders_done(struct holders *holders)
{
	free(holders->v);
	*holders = (struct holders){ 0 };
}

/* @class is a folder of sysfs, @folder the one of /dev that has its nodes. */
static int holder_wanted_init(struct wanted_node *w, const struct host *host, const char *how,
			      const char *class, const char *folder, const char *name)
{
	_cleanup_free_ char *sysfs = path_fmt("%s/class/%s/%s", host->sys, class, name);

	w->how = how;
	w->path = path_fmt("%s/%s/%s", host->dev, folder, name);
	if (!sysfs || !w->path)
		return -ENOMEM;
	if (sysfs_devt(sysfs, &w->number) < 0)
		w->number = 0;
	return 0;
}

static int holder_search_init(struct search *s, const struct vfio_node *node)
{
	_cleanup_free_ char *root = NULL;
	char group[32];
	int r;

	r = path_real(&root, "%s", s->host->sys);
	if (r < 0)
		return r;
	s->syspath = path_inside(node->sysfs, root);
	if (node->cdev)
		r = holder_wanted_init(&s->cdev, s->host, by_cdev, "vfio-dev", "vfio/devices",
				       node->cdev);
	if (r < 0 || node->group < 0)
		return r;
	snprintf(group, sizeof(group), "%s%d", node->noiommu ? "noiommu-" : "", node->group);
	return holder_wanted_init(&s->group, s->host, by_group, "vfio", "vfio", group);
}

static bool holder_may_be_node(const struct search *s, const char *link)
{
	if (link[0] != '/')
		return false;
	return path_inside(link, s->host->dev) || strstr(link, "/dev/") || strstr(link, "vfio");
}

/*
 * The number decides. The text of the link is only asked when the number cannot be had: in
 * another mount namespace the same text may be the node of something else.
 */
static const char *holder_judge_node(const struct search *s, int fds, const char *fd,
				     const char *link)
{
	const struct wanted_node *const wanted[] = { &s->cdev, &s->group };
	struct statx st;
	bool stat_known;
	size_t i;

	stat_known = statx(fds, fd, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_TYPE, &st) == 0;
	for (i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct wanted_node *w = wanted[i];

		if (!w->path)
			continue;
		if (stat_known && S_ISCHR(st.stx_mode) && w->number &&
		    makedev(st.stx_rdev_major, st.stx_rdev_minor) == w->number)
			return w->how;
		if ((!stat_known || !w->number) && strcmp(link, w->path) == 0)
			return w->how;
	}
	return NULL;
}

/* Linux says which device an anonymous device fd is of since 6.18. */
static const char *holder_judge_fdinfo(const struct search *s, int proc, const char *pid,
				       const char *fd)
{
	_cleanup_free_ char *path = path_fmt("%s/fdinfo/%s", pid, fd);
	_cleanup_free_ char *text = NULL;
	char *line, *rest;

	if (!path || !s->syspath || read_text(proc, path, &text) < 0)
		return NULL;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		if (strncmp(line, VFIO_FD_SYSPATH, strlen(VFIO_FD_SYSPATH)) != 0)
			continue;
		line += strlen(VFIO_FD_SYSPATH);
		line += strspn(line, " \t");
		if (strncmp(line, "/sys", 4) == 0 && strcmp(line + 4, s->syspath) == 0)
			return by_device_fd;
	}
	return NULL;
}

/* Return: how @fd holds the device, or NULL. */
static const char *holder_judge(struct search *s, int proc, const char *pid, int fds,
				const char *fd)
{
	char link[PATH_MAX];
	ssize_t n = readlinkat(fds, fd, link, sizeof(link) - 1);

	if (n < 0) {
		if (errno != ENOENT && errno != ESRCH)
			s->found.partial = true;
		return NULL;
	}
	link[n] = '\0';
	if (strcmp(link, VFIO_FD_LINK) == 0)
		return holder_judge_fdinfo(s, proc, pid, fd);
	return holder_may_be_node(s, link) ? holder_judge_node(s, fds, fd, link) : NULL;
}

/* A file of the device itself says more than one of its group; then the lowest. */
static bool holder_better(const struct holder *than, const char *how, int fd)
{
	if (!than->how || (how == by_group) != (than->how == by_group))
		return !than->how || how != by_group;
	return fd < than->fd;
}

static int holder_add_holder(struct search *s, struct holder *holder)
{
	struct holder *v = reallocarray(s->found.v, s->found.n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	s->found.v = v;
	process_comm(s->host, holder->pid, holder->comm);
	v[s->found.n++] = *holder;
	return 0;
}

static int holder_look_into(struct search *s, int proc, const char *pid, pid_t number)
{
	_cleanup_free_ char *path = path_fmt("%s/%s/fd", s->host->proc, pid);
	_cleanup_(closedirp) DIR *dir = NULL;
	struct holder holder = { .pid = number, .fd = -1 };
	const char *name;

	if (!path)
		return -ENOMEM;
	dir = opendir(path);
	if (!dir) {
		if (errno != ENOENT && errno != ESRCH)
			s->found.partial = true;
		return 0;
	}
	while ((name = dir_next(dir))) {
		const char *how = holder_judge(s, proc, pid, dirfd(dir), name);
		uint64_t fd;

		if (!how || parse_uint(name, 10, INT_MAX, &fd) < 0)
			continue;
		if (!holder_better(&holder, how, (int)fd))
			continue;
		holder.fd = (int)fd;
		holder.how = how;
	}
	return holder.how ? holder_add_holder(s, &holder) : 0;
}

static int holder_scan(struct search *s)
{
	_cleanup_(closedirp) DIR *dir = opendir(s->host->proc);
	const char *name;

	if (!dir)
		return -errno;
	/* A /proc mounted with hidepid does not even show what it hides, the first process too. */
	if (!path_exists(s->host->proc, "1"))
		s->found.partial = true;
	while ((name = dir_next(dir))) {
		uint64_t pid;
		int r;

		if (parse_uint(name, 10, INT_MAX, &pid) < 0 || (pid_t)pid == getpid())
			continue;
		r = holder_look_into(s, dirfd(dir), name, (pid_t)pid);
		if (r < 0)
			return r;
	}
	return 0;
}

static int holder_by_pid(const void *a, const void *b)
{
	const struct holder *left = a, *right = b;

	return (left->pid > right->pid) - (left->pid < right->pid);
}

int holders_find(const struct host *host, const struct vfio_node *node, struct holders *ret,
		 struct err *err)
{
	_cleanup_(holder_search_done) struct search s = { .host = host };
	int r;

	r = holder_search_init(&s, node);
	if (r < 0)
		return err_set(err, r, "%s: who holds it", node->name);
	r = holder_scan(&s);
	if (r < 0)
		return err_set(err, r, "%s: who holds it", node->name);
	if (s.found.n)
		qsort(s.found.v, s.found.n, sizeof(*s.found.v), holder_by_pid);
	*ret = s.found;
	s.found = (struct holders){ 0 };
	return 0;
}
