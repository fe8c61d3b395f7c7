/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Why the kernel refused to give out a device
 *
 * EBUSY, EPERM and EINVAL stand for several reasons each. Which one it is shows in sysfs and /proc:
 * what drives the other devices of the IOMMU group, and which processes have them open.
 */

#include <stdbool.h>

#include "base/err.h"
#include "host/vfio-node.h"

/**
 * struct acquire_evidence - what speaks for one reason or another
 * @mate_uses_dma: another device of the group has a driver that is not VFIO's
 * @mate_held: a process has another device of the group open
 * @mates: the group has other devices
 * @partial: some processes could not be looked into
 * @msi_allowed: the kernel was told to do without interrupt remapping (allow_unsafe_interrupts)
 */
struct acquire_evidence {
	bool mate_uses_dma;
	bool mate_held;
	bool mates;
	bool partial;
	bool msi_allowed;
};

/* Why VFIO_DEVICE_BIND_IOMMUFD or VFIO_SET_IOMMU said EPERM. */
enum acquire_denial {
	DENIED_NOT_VIABLE, /* the group has a member that VFIO does not have */
	DENIED_MATE_HELD, /* a group belongs to one iommufd or container */
	DENIED_MATE_UNSEEN, /* one of the two above or below */
	DENIED_INTERRUPTS, /* the device could raise any interrupt of the host */
	DENIED_UNKNOWN,
};

/** acquire_judge_denial() - pure. */
enum acquire_denial acquire_judge_denial(const struct acquire_evidence *e);

/**
 * acquire_denied() - say why opening was refused with EPERM
 * @doing: what was refused: "VFIO_DEVICE_BIND_IOMMUFD"
 * @module: whose allow_unsafe_interrupts applies: "iommufd" or "vfio_iommu_type1"
 *
 * Return: -EPERM.
 */
int acquire_denied(const struct host *host, const struct vfio_node *node, const char *doing,
		   const char *module, struct err *err);

/** acquire_not_viable() - say which devices keep the group from being given out. Return: -EPERM. */
int acquire_not_viable(const struct host *host, const struct vfio_node *node, struct err *err);

/**
 * acquire_busy() - say which process holds the device, or another one of its group
 *
 * Return: -EBUSY.
 */
int acquire_busy(const struct host *host, const struct vfio_node *node, struct err *err);
