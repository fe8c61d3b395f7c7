// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/uuid.h"
#include "device/acquire-shared.h"
#include "device/acquirer.h"
#include "host/sysfs.h"

static int acquire_node_not_vfio(const struct vfio_node *node, struct err *err)
{
	err_fail(err, ERR_UNSUPPORTED, -ENODEV, "%s: not bound to a VFIO driver (its driver is %s)",
		 node->name, node->driver ? node->driver : "none");
	if (strcmp(node->bus, "pci") == 0)
		return err_hint(err, -ENODEV,
				"vfiomigctl bind %s finds the vfio driver made for it", node->name);
	return err_hint(err, -ENODEV, "bind it to the vfio driver made for it");
}

static bool acquire_node_has_cdev(const struct host *host, const struct vfio_node *node)
{
	char name[64];

	snprintf(name, sizeof(name), "vfio/devices/%s", node->cdev ? node->cdev : "");
	return node->cdev && path_exists(host->dev, name) && path_exists(host->dev, "iommu");
}

static bool acquire_node_has_group(const struct host *host, const struct vfio_node *node)
{
	char name[64];

	snprintf(name, sizeof(name), "vfio/%s%d", node->noiommu ? "noiommu-" : "", node->group);
	return node->group >= 0 && path_exists(host->dev, name) &&
	       path_exists(host->dev, "vfio/vfio");
}

enum acquire_via acquire_way(const struct host *host, const struct vfio_node *node,
			     const struct acquire_options *opts)
{
	if (opts->via != ACQUIRE_AUTO)
		return opts->via;
	/* Character devices take a VF token only from Linux 6.18 on. */
	if (acquire_node_has_group(host, node) &&
	    (opts->vf_token || !acquire_node_has_cdev(host, node)))
		return ACQUIRE_GROUP;
	return ACQUIRE_CDEV;
}

int acquire_check_node(const struct vfio_node *node, struct err *err)
{
	return node->vfio ? 0 : acquire_node_not_vfio(node, err);
}

int acquire_node(const struct host *host, const struct vfio_node *node,
		 const struct acquire_options *opts, struct acquired *ret, struct err *err)
{
	struct acquired acq = ACQUIRED_NONE;
	uint8_t token[UUID_SIZE];
	enum acquire_via via;
	int r;

	if (opts->vf_token && !uuid_parse(opts->vf_token, token))
		return err_fail(err, ERR_USAGE, -EINVAL, "VF token '%s': not a UUID",
				opts->vf_token);
	r = acquire_check_node(node, err);
	if (r < 0)
		return r;
	via = acquire_way(host, node, opts);
	acquire_shared_find(opts->shared, via, node->group, acq.keep);
	if (via == ACQUIRE_GROUP)
		r = acquire_group(host, node, opts->vf_token, &acq, err);
	else
		r = acquire_cdev(host, node, opts->vf_token ? token : NULL, &acq, err);
	if (r < 0) {
		acquired_done(&acq);
		return r;
	}
	acq.via = via;
	acquire_shared_add(opts->shared, node->group, &acq);
	log_info("%s: opened by %s", node->name, acquire_via_name(via));
	*ret = acq;
	return 0;
}

static int acquire_node_find(struct device *dev, const char *rest, struct err *err)
{
	return vfio_node_resolve(dev->host, rest, &dev->node, err);
}

static int acquire_node_check(const struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	(void)opts;
	return acquire_check_node(dev->node, err);
}

static int acquire_node_acquire(struct device *dev, const struct device_options *opts,
				struct acquired *ret, struct err *err)
{
	return acquire_node(dev->host, dev->node, &opts->acquire, ret, err);
}

const struct acquirer acquirer_node = {
	.ownership = DEVICE_SOLE,
	.opening = OPENING_MAY_RESET,
	.find = acquire_node_find,
	.check = acquire_node_check,
	.acquire = acquire_node_acquire,
};
