/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device as sysfs shows it
 *
 * Resolves what a user may call a device, and lists the devices bound to VFIO, without opening
 * anything: the first open of a PCI device resets it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "host/host.h"

/**
 * struct vfio_node - one device
 * @name: the kernel's name: "0000:3b:00.1" or an mdev's UUID
 * @sysfs: canonical path of its folder
 * @bus: "pci", "mdev", "platform", ... ; never NULL
 * @driver: the driver bound to it, or NULL
 * @driver_version: the module's version as sysfs has it, or NULL
 * @cdev: "vfio0", or NULL when the kernel made no character device for it: before 6.6, without
 *        CONFIG_VFIO_DEVICE_CDEV, and for a device of a no-IOMMU group
 * @group: IOMMU group number, -1 for none
 * @noiommu: the group is a no-IOMMU one: its node is /dev/vfio/noiommu-N
 * @vfio: VFIO has it: sysfs says so since 6.1, with or without a cdev; before, it is taken to be
 *        so when a driver is bound and the group has a VFIO node
 *
 * All strings are owned by the node.
 */
struct vfio_node {
	char *name;
	char *sysfs;
	char *bus;
	char *driver;
	char *driver_version;
	char *cdev;
	int group;
	bool noiommu;
	bool vfio;
};

/**
 * vfio_node_resolve() - find the device that @spec names
 * @spec: PCI address with or without domain, a VF by its PF or by a devlink port (host/vf-name.h),
 *        the function's network or InfiniBand device, mdev UUID, vfioN, a cdev's node by any
 *        path, or a path that leads to a device's folder in sysfs, to its vfio-dev/vfioN, or as
 *        .../vfN to a VF by a folder of its PF
 *
 * Finds a device that VFIO does not have, too (its member vfio is false): the error of opening
 * it then says what is missing. A node is known by its device number, not by its path: it may be a
 * container's. A group such as /dev/vfio/7 is refused with the devices it holds.
 *
 * Return: 0; -EINVAL for what is no name of a device (ERR_USAGE); -ENODEV (ERR_MISSING), also for
 * a device that leaves while it is looked at; -ENOENT where no sysfs is mounted; what stat() said
 * of a path.
 */
_must_check_ int vfio_node_resolve(const struct host *host, const char *spec,
				   struct vfio_node **ret, struct err *err);

/* Outcomes of vfio_node_from_sysfs(); not errors. */
enum vfio_node_look {
	VFIO_NODE_FOUND = 0,
	VFIO_NODE_ABSENT = 1, /* there is no device, or not any more */
};

/**
 * vfio_node_from_sysfs() - the device at a sysfs folder
 * @path: absolute, or relative to @host->sys; a class/vfio-dev/vfioN stands for its device
 * @ret: set for VFIO_NODE_FOUND only
 *
 * Return: enum vfio_node_look; -EINVAL (ERR_USAGE) when the path leads out of sysfs; what reading
 * sysfs failed with.
 */
_must_check_ int vfio_node_from_sysfs(const struct host *host, const char *path,
				      struct vfio_node **ret, struct err *err);

/**
 * vfio_node_uses_dma() - a driver that is not of VFIO has the device and may do DMA
 *
 * VFIO gives out no device of an IOMMU group that has such a member.
 */
bool vfio_node_uses_dma(const struct vfio_node *node);

struct vfio_node *vfio_node_free(struct vfio_node *node);
DEFINE_CLEANUP(struct vfio_node *, vfio_node_free)

/**
 * struct vfio_nodes - every device bound to VFIO, sorted by name
 *
 * From /sys/class/vfio-dev where the kernel has it (6.1 and later, with or without cdevs), else
 * from the groups that have a VFIO node. A device that comes or goes meanwhile is in it or not.
 */
struct vfio_nodes {
	struct vfio_node **v;
	size_t n;
};

_must_check_ int vfio_nodes_list(const struct host *host, struct vfio_nodes *ret, struct err *err);
void vfio_nodes_done(struct vfio_nodes *nodes);

/** vfio_nodes_in_group() - every device of an IOMMU group, whichever driver has it. */
_must_check_ int vfio_nodes_in_group(const struct host *host, int group, struct vfio_nodes *ret,
				     struct err *err);
