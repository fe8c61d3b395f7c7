// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/sysfs.h"
#include "host/vfio-node.h"

/* Outcome of vfio_nodes_list_class(): the kernel is older than 6.1, or has no VFIO at all. */
#define NO_CLASS 1

void vfio_nodes_done(struct vfio_nodes *nodes)
{
	size_t i;

	for (i = 0; i < nodes->n; i++)
		vfio_node_free(nodes->v[i]);
	free(nodes->v);
	*nodes = (struct vfio_nodes){ 0 };
}

static int vfio_nodes_append(struct vfio_nodes *nodes, struct vfio_node **node)
{
	struct vfio_node **v = reallocarray(nodes->v, nodes->n + 1, sizeof(*v));

	if (!v)
		return -ENOMEM;
	nodes->v = v;
	nodes->v[nodes->n++] = TAKE_PTR(*node);
	return 0;
}

/* Devices come and go while they are listed: one that is not there any more is not an error. */
static int vfio_nodes_add(const struct host *host, const char *path, bool only_vfio,
			  struct vfio_nodes *nodes, struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	int r;

	r = vfio_node_from_sysfs(host, path, &node, err);
	if (r == VFIO_NODE_ABSENT)
		return 0;
	if (r < 0)
		return r;
	if (only_vfio && !node->vfio)
		return 0;
	r = vfio_nodes_append(nodes, &node);
	return r < 0 ? err_set(err, r, "%s", path) : 0;
}

static int vfio_nodes_list_class(const struct host *host, struct vfio_nodes *nodes, struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/class/vfio-dev", host->sys);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	const char *name;

	if (!dir && errno == ENOENT)
		return NO_CLASS;
	if (!dir)
		return err_set(err, -errno, "%s/class/vfio-dev", host->sys);
	while ((name = dir_next(dir))) {
		_cleanup_free_ char *link = path_fmt("class/vfio-dev/%s", name);
		int r = link ? vfio_nodes_add(host, link, true, nodes, err)
			     : err_set(err, -ENOMEM, "%s", name);

		if (r < 0)
			return r;
	}
	return 0;
}

static int vfio_nodes_list_group(const struct host *host, const char *number, bool only_vfio,
				 struct vfio_nodes *nodes, struct err *err)
{
	_cleanup_free_ char *path =
		path_fmt("%s/kernel/iommu_groups/%s/devices", host->sys, number);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	const char *name;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return err_set(err, -errno, "IOMMU group %s: its devices", number);
	while ((name = dir_next(dir))) {
		_cleanup_free_ char *link = path_fmt("%s/%s", path, name);
		int r = link ? vfio_nodes_add(host, link, only_vfio, nodes, err)
			     : err_set(err, -ENOMEM, "%s", name);

		if (r < 0)
			return r;
	}
	return 0;
}

static int vfio_nodes_list_groups(const struct host *host, struct vfio_nodes *nodes,
				  struct err *err)
{
	_cleanup_free_ char *path = path_fmt("%s/class/vfio", host->sys);
	_cleanup_(closedirp) DIR *dir = path ? opendir(path) : NULL;
	const char *name;

	if (!dir && errno == ENOENT)
		return 0;
	if (!dir)
		return err_set(err, -errno, "%s/class/vfio", host->sys);
	while ((name = dir_next(dir))) {
		const char *number = strncmp(name, "noiommu-", 8) == 0 ? name + 8 : name;
		int r = vfio_nodes_list_group(host, number, true, nodes, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int vfio_nodes_by_name(const void *a, const void *b)
{
	const struct vfio_node *const *left = a, *const *right = b;

	return strcmp((*left)->name, (*right)->name);
}

/* Hands @nodes over in order. */
static void vfio_nodes_finish(struct vfio_nodes *nodes, struct vfio_nodes *ret)
{
	if (nodes->n)
		qsort(nodes->v, nodes->n, sizeof(*nodes->v), vfio_nodes_by_name);
	*ret = *nodes;
	*nodes = (struct vfio_nodes){ 0 };
}

int vfio_nodes_list(const struct host *host, struct vfio_nodes *ret, struct err *err)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };
	int r;

	/* Without sysfs nothing is known of any device, which is not the same as none. */
	r = sysfs_check(host, err);
	if (r < 0)
		return r;
	r = vfio_nodes_list_class(host, &nodes, err);
	if (r == NO_CLASS)
		r = vfio_nodes_list_groups(host, &nodes, err);
	if (r < 0)
		return r;
	vfio_nodes_finish(&nodes, ret);
	return 0;
}

int vfio_nodes_in_group(const struct host *host, int group, struct vfio_nodes *ret, struct err *err)
{
	_cleanup_(vfio_nodes_done) struct vfio_nodes nodes = { 0 };
	char number[16];
	int r;

	snprintf(number, sizeof(number), "%d", group);
	r = vfio_nodes_list_group(host, number, false, &nodes, err);
	if (r < 0)
		return r;
	vfio_nodes_finish(&nodes, ret);
	return 0;
}
