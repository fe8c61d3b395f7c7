// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/units.h"
#include "host/dev-name.h"
#include "host/sysfs.h"
#include "host/vfio-node.h"

/* Drivers that VFIO lets sit in a group beside its own devices, since they do no DMA. */
static const char *const bystanders[] = { "pci-stub", "pcieport", "shpchp" };

struct vfio_node *vfio_node_free(struct vfio_node *node)
{
	if (!node)
		return NULL;
	free(node->name);
	free(node->sysfs);
	free(node->bus);
	free(node->driver);
	free(node->driver_version);
	free(node->cdev);
	free(node);
	return NULL;
}

bool vfio_node_uses_dma(const struct vfio_node *node)
{
	if (!node->driver || node->vfio)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(bystanders); i++)
		if (strcmp(node->driver, bystanders[i]) == 0)
			return false;
	return true;
}

/* A property that a device may lack. */
static int vfio_node_optional(int r)
{
	return r == -ENOENT ? 0 : r;
}

static int vfio_node_read_driver(struct vfio_node *node)
{
	_cleanup_free_ char *path = path_fmt("%s/driver/module/version", node->sysfs);
	int r;

	if (!path)
		return -ENOMEM;
	r = vfio_node_optional(sysfs_link_name(node->sysfs, "driver", &node->driver));
	if (r < 0)
		return r;
	r = read_text(AT_FDCWD, path, &node->driver_version);
	return r == -ENOMEM ? r : 0; /* a version is for show: no other reason matters */
}

static int vfio_node_read_group(const struct host *host, struct vfio_node *node, bool *ret_node)
{
	_cleanup_free_ char *class = path_fmt("%s/class/vfio", host->sys);
	_cleanup_free_ char *name = NULL, *noiommu = NULL;
	uint64_t group;
	int r;

	if (!class)
		return -ENOMEM;
	r = sysfs_link_name(node->sysfs, "iommu_group", &name);
	if (r < 0)
		return vfio_node_optional(r);
	if (parse_uint(name, 10, INT_MAX, &group) < 0)
		return 0;
	noiommu = path_fmt("noiommu-%s", name);
	if (!noiommu)
		return -ENOMEM;
	node->group = (int)group;
	node->noiommu = path_exists(class, noiommu);
	*ret_node = node->noiommu || path_exists(class, name);
	return 0;
}

/* Since 6.1 VFIO puts a vfio-dev/vfioN below its devices; a `dev` in it stands for a cdev. */
static int vfio_node_read_vfio_dev(struct vfio_node *node)
{
	_cleanup_free_ char *path = path_fmt("%s/vfio-dev", node->sysfs);
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dev_name parsed;
	const char *name;

	if (!path)
		return -ENOMEM;
	dir = opendir(path);
	if (!dir)
		return vfio_node_optional(-errno);
	while ((name = dir_next(dir))) {
		_cleanup_free_ char *attr = NULL;

		if (dev_name_parse(name, &parsed) != DEV_FORM_VFIO)
			continue;
		node->vfio = true;
		attr = path_fmt("%s/dev", name);
		if (!attr)
			return -ENOMEM;
		if (!path_exists(path, attr))
			return 0;
		node->cdev = strdup(name);
		return node->cdev ? 0 : -ENOMEM;
	}
	return 0;
}

/*
 * Without the vfio-dev class (before 6.1) the best sign is a driver that is bound while the group
 * has a VFIO node: VFIO hands a group out only when every driver in it is its own or harmless.
 */
static bool vfio_node_taken_by_vfio(const struct host *host, const struct vfio_node *node,
				    bool group_node)
{
	if (node->vfio || path_exists(host->sys, "class/vfio-dev"))
		return node->vfio;
	return group_node && vfio_node_uses_dma(node);
}

static int vfio_node_read_links(const struct host *host, struct vfio_node *node, bool *ret_group)
{
	int r;

	r = vfio_node_read_driver(node);
	if (r < 0)
		return r;
	r = vfio_node_read_group(host, node, ret_group);
	if (r < 0)
		return r;
	return vfio_node_read_vfio_dev(node);
}

static int vfio_node_read_node(const struct host *host, struct vfio_node *node, struct err *err)
{
	bool group_node = false;
	int r;

	r = sysfs_link_name(node->sysfs, "subsystem", &node->bus);
	/* The kernel takes the links of a device away before its folder. */
	if (r == -ENOENT)
		return VFIO_NODE_ABSENT;
	if (r < 0)
		return err_set(err, r, "%s", node->sysfs);
	r = vfio_node_read_links(host, node, &group_node);
	/* What is missing may be missing because the device left while it was being looked at. */
	if (!path_exists(node->sysfs, "."))
		return VFIO_NODE_ABSENT;
	if (r < 0)
		return err_set(err, r, "%s", node->sysfs);
	node->vfio = vfio_node_taken_by_vfio(host, node, group_node);
	return VFIO_NODE_FOUND;
}

/* Class devices of VFIO stand for the device that they belong to. */
static int vfio_node_real_device(const struct host *host, const char *path, char **ret)
{
	_cleanup_free_ char *real = NULL, *class = NULL;
	int r;

	r = path[0] == '/' ? path_real(&real, "%s", path)
			   : path_real(&real, "%s/%s", host->sys, path);
	if (r < 0)
		return r;
	if (sysfs_link_name(real, "subsystem", &class) == 0 && strcmp(class, "vfio-dev") == 0)
		return path_real(ret, "%s/device", real);
	*ret = TAKE_PTR(real);
	return 0;
}

static int vfio_node_not_found(const char *path, int r, struct err *err)
{
	if (r == -ENOENT || r == -ENOTDIR)
		return VFIO_NODE_ABSENT;
	return err_set(err, r, "%s", path);
}

int vfio_node_from_sysfs(const struct host *host, const char *path, struct vfio_node **ret,
			 struct err *err)
{
	_cleanup_(vfio_node_freep) struct vfio_node *node = NULL;
	_cleanup_free_ char *root = NULL;
	int r;

	node = calloc(1, sizeof(*node));
	if (!node)
		return err_set(err, -ENOMEM, "%s", path);
	node->group = -1;
	r = path_real(&root, "%s", host->sys);
	if (r < 0)
		return vfio_node_not_found(path, r, err);
	r = vfio_node_real_device(host, path, &node->sysfs);
	if (r < 0)
		return vfio_node_not_found(path, r, err);
	if (!path_inside(node->sysfs, root))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not in %s", path, host->sys);
	node->name = strdup(path_base(node->sysfs));
	if (!node->name)
		return err_set(err, -ENOMEM, "%s", path);
	r = vfio_node_read_node(host, node, err);
	if (r == VFIO_NODE_FOUND)
		*ret = TAKE_PTR(node);
	return r;
}
