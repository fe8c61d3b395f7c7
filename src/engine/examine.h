/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a host and a device are like, for doctor.h to judge
 *
 * From sysfs, /proc, debugfs, devlink and the kernel's log. Nothing is opened, loaded or changed;
 * what may not be read is left unknown.
 */

#include "engine/variant.h"
#include "host/devlink.h"
#include "host/kernel-log.h"
#include "host/module.h"
#include "host/pci-ids.h"
#include "host/pci-use.h"
#include "host/pci-vf.h"
#include "host/vfio-node.h"

/* Whether debugfs has what VFIO shows there. */
enum debugfs_look {
	DEBUGFS_CLOSED, /* not mounted here, or not to be read by this user */
	DEBUGFS_WITHOUT_VFIO, /* it is there, and VFIO is not in it */
	DEBUGFS_WITH_VFIO,
};

/**
 * struct host_facts
 * @module_root: as of struct host
 * @release: "" for unknown; @major, @minor: of it, 0 with it
 * @sysfs: there is one
 * @vfio: the kernel has VFIO, and it is loaded
 * @vfio_class: with the class vfio-dev (Linux 6.1)
 * @iommus, @groups: how many IOMMUs and IOMMU groups
 * @iommufd, @container: /dev/iommu and /dev/vfio/vfio are there
 * @dev_lacks: the kernel has one of these, and this /dev has not
 * @memlock: RLIMIT_MEMLOCK in bytes, UINT64_MAX for no limit; @memlock_known: it could be read
 * @ipc_lock: the caller has CAP_IPC_LOCK, to which the limit does not apply
 */
struct host_facts {
	const char *module_root;
	char release[KERNEL_RELEASE_MAX];
	unsigned int major, minor;
	bool sysfs, vfio, vfio_class;
	unsigned int iommus, groups;
	bool iommufd, container, dev_lacks;
	enum debugfs_look debugfs;
	uint64_t memlock;
	bool memlock_known, ipc_lock;
};

enum function_kind {
	FUNCTION_NOT_PCI,
	FUNCTION_PLAIN, /* without SR-IOV */
	FUNCTION_PF,
	FUNCTION_VF,
};

enum node_access {
	NODE_ABSENT, /* /dev has none of its nodes */
	NODE_DENIED,
	NODE_OPEN,
};

/* What debugfs tells of the driver's migration. */
enum migration_look {
	MIGRATION_UNKNOWN,
	MIGRATION_NONE,
	MIGRATION_OFFERED,
};

/* What devlink tells of a VF. */
enum devlink_look {
	DEVLINK_NOT_ASKED, /* no VF, or its driver needs no switch */
	DEVLINK_FAILED, /* the answer was an error */
	DEVLINK_NO_PF, /* the PF is not in devlink */
	DEVLINK_WITHOUT_PORT,
	DEVLINK_WITH_PORT,
};

/**
 * struct device_facts
 * @node: the caller's
 * @ids: if @has_ids
 * @vf: for FUNCTION_VF; @pf_driver: "" for none; @pf_vfio: it is one of VFIO's
 * @total_vfs, @vfs, @first_vf: for FUNCTION_PF
 * @variant: the driver of Linux that migrates such a function, or NULL; @module: whether it is
 *           there
 * @choice: where @variant is NULL, another module that has an alias for it; else empty
 * @uses: how many things of the host use it, and @use: the first; while VFIO does not have it
 * @mates: other devices of the group; @blocker: one that keeps the group from VFIO, or ""
 * @needs_switch: the driver is known to need devlink's; @mlx5: it is mlx5's
 * @devlink_error: for DEVLINK_FAILED
 * @switch_now: for DEVLINK_WITH_PORT; @mode: of the eswitch
 * @state: for MIGRATION_OFFERED, as debugfs has it; it means something only if @state_counts
 * @path: of the node that would be opened, if any
 * @can_reset: the kernel has a way to
 * @holders: how many processes have it; @holders_partial: not all could be seen; @holder: the first
 * @own_fd: the doctor itself has inherited it; -1 for none
 * @log_error: negative errno, 0 when @log could be read
 */
struct device_facts {
	const struct vfio_node *node;
	struct pci_ids ids;
	bool has_ids;
	enum function_kind kind;
	struct pci_vf vf;
	char pf_driver[64];
	bool pf_vfio;
	unsigned int total_vfs, vfs;
	char first_vf[PCI_ADDRESS_MAX];
	const struct variant *variant;
	enum module_found module;
	struct modalias_choice choice;
	unsigned int uses;
	char use[PCI_USE_TEXT];
	unsigned int mates;
	char blocker[128];
	bool needs_switch, mlx5;
	enum devlink_look devlink;
	enum devlink_value switch_now;
	enum devlink_mode mode;
	char devlink_error[192];
	enum migration_look migration;
	char state[32];
	bool state_counts;
	enum node_access access;
	char path[128];
	bool can_reset;
	unsigned int holders;
	bool holders_partial;
	int holder_pid;
	char holder[256];
	int own_fd;
	struct kernel_log log;
	int log_error;
};

/* The kernel's log is read from that long ago on. */
#define EXAMINE_LOG_MINUTES 10u

/** examine_host() - cannot fail. */
void examine_host(const struct host *host, struct host_facts *ret);

/**
 * examine_device() - cannot fail
 * @devlink: as devlink_open() gave it, or NULL to leave devlink out
 * @now_us: on the kernel's clock, for its log
 */
void examine_device(const struct host *host, const struct vfio_node *node, struct netlink *devlink,
		    uint64_t now_us, struct device_facts *ret);
