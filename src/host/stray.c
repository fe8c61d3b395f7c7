// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "host/stray.h"
#include "host/sysfs.h"
#include "host/vfio-fd.h"

static bool stray_has(const struct strays *s, pid_t pid, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].pid == pid && s->v[i].name && !strcmp(s->v[i].name, name))
			return true;
	return false;
}

static int stray_add(struct strays *s, const struct stray *stray)
{
	struct stray *v;

	if (stray->name && stray_has(s, stray->pid, stray->name))
		return 0;
	v = reallocarray(s->v, s->n + 1, sizeof(*v));
	if (!v)
		return -ENOMEM;
	s->v = v;
	v[s->n] = *stray;
	v[s->n].name = stray->name ? strdup(stray->name) : NULL;
	v[s->n].cdev = stray->cdev ? strdup(stray->cdev) : NULL;
	s->n++;
	return (stray->name && !v[s->n - 1].name) || (stray->cdev && !v[s->n - 1].cdev) ? -ENOMEM
											: 0;
}

/* One that holds a group is listed by that. */
static bool stray_is_unnamed(const struct vfio_fds *fds, const struct vfio_fd *fd)
{
	if (fd->kind != VFIO_FD_DEVICE || fd->node)
		return false;
	for (size_t i = 0; i < fds->n; i++)
		if (fds->v[i].kind == VFIO_FD_GROUP)
			return false;
	return true;
}

/*
 * The device of a group that VFIO has no device of any more. The group stays as long as the device
 * is open.
 *
 * Return: whether that is so; @ret is the device, the caller's, if the group has just one.
 */
static bool stray_group_is_left(const struct host *host, int group, struct vfio_node **ret)
{
	struct vfio_nodes nodes = { 0 };
	bool left;

	*ret = NULL;
	left = vfio_nodes_in_group(host, group, &nodes, NULL) == 0;
	for (size_t i = 0; i < nodes.n; i++)
		left &= !nodes.v[i]->vfio;
	if (left && nodes.n == 1)
		*ret = TAKE_PTR(nodes.v[0]);
	vfio_nodes_done(&nodes);
	return left;
}

static bool stray_has_device(const struct vfio_fds *fds)
{
	for (size_t i = 0; i < fds->n; i++)
		if (fds->v[i].kind == VFIO_FD_DEVICE && !fds->v[i].node)
			return true;
	return false;
}

static int stray_judge_group(const struct host *host, pid_t pid, const struct vfio_fds *fds,
			     const struct vfio_fd *fd, struct strays *s)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	struct stray stray = { .pid = pid, .fd = fd->fd, .leaving = true, .group = true };
	char name[32];

	if (!stray_has_device(fds) || !stray_group_is_left(host, fd->group, &node))
		return 0;
	snprintf(name, sizeof(name), "group %d", fd->group);
	stray.name = node ? node->name : name;
	process_comm(host, pid, stray.comm);
	return stray_add(s, &stray);
}

static int stray_judge(const struct host *host, pid_t pid, const struct vfio_fds *fds,
		       const struct vfio_fd *fd, struct strays *s)
{
	struct stray stray = { .pid = pid, .fd = fd->fd };
	bool cdev = fd->kind == VFIO_FD_CDEV;

	if (fd->kind == VFIO_FD_GROUP)
		return stray_judge_group(host, pid, fds, fd, s);
	stray.leaving = (cdev || fd->kind == VFIO_FD_DEVICE) && fd->node && !fd->node->vfio;
	stray.leaving |= cdev && !fd->node;
	if (!stray.leaving && !stray_is_unnamed(fds, fd))
		return 0;
	process_comm(host, pid, stray.comm);
	stray.cdev = cdev && fd->cdev[0] ? (char *)fd->cdev : NULL;
	stray.name = fd->node ? fd->node->name : stray.cdev;
	return stray_add(s, &stray);
}

static int stray_look_into(const struct host *host, pid_t pid, struct strays *s)
{
	_cleanup_(vfio_fds_done) struct vfio_fds fds = { 0 };

	/* What has ended, or may not be looked into, has none that could be told. */
	if (vfio_fds_find(host, pid, &fds) < 0)
		return 0;
	for (size_t i = 0; i < fds.n; i++) {
		int r = stray_judge(host, pid, &fds, &fds.v[i], s);

		if (r < 0)
			return r;
	}
	return 0;
}

static int stray_by_pid(const void *a, const void *b)
{
	const struct stray *left = a, *right = b;

	if (left->pid != right->pid)
		return (left->pid > right->pid) - (left->pid < right->pid);
	return (left->fd > right->fd) - (left->fd < right->fd);
}

int strays_find(const struct host *host, struct strays *ret, struct err *err)
{
	_cleanup_(strays_done) struct strays s = { 0 };
	_cleanup_(closedirp) DIR *dir = opendir(host->proc);
	const char *name;

	if (!dir)
		return err_set(err, -errno, "%s", host->proc);
	while ((name = dir_next(dir))) {
		uint64_t pid;
		int r;

		if (parse_uint(name, 10, INT_MAX, &pid) < 0 || (pid_t)pid == getpid())
			continue;
		r = stray_look_into(host, (pid_t)pid, &s);
		if (r < 0)
			return err_set(err, r, "%s", host->proc);
	}
	if (s.n)
		qsort(s.v, s.n, sizeof(*s.v), stray_by_pid);
	*ret = s;
	s = (struct strays){ 0 };
	return 0;
}

void strays_done(struct strays *strays)
{
	for (size_t i = 0; i < strays->n; i++) {
		free(strays->v[i].name);
		free(strays->v[i].cdev);
	}
	free(strays->v);
	*strays = (struct strays){ 0 };
}
