/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The virtual functions of a PCI function: how many there are
 *
 * They are made without a driver (sriov_drivers_autoprobe), since a host's driver that gets a VF
 * first has to give it up again. The attribute is afterwards what it was before: a record
 * (host/run-record.h) has it for a later call should this one be killed.
 */

#include "base/cancel.h"
#include "host/pci-use.h"
#include "host/pci-vf.h"

/* What is to be done. Each is one bit; in the order in which they are taken. */
enum vfs_step {
	VFS_MEND = 1 << 0, /* sriov_drivers_autoprobe as before the call that was killed */
	VFS_NO_PROBE = 1 << 1, /* set it to 0, a record first */
	VFS_REMOVE = 1 << 2, /* all VFs: the kernel takes no other number than 0 when it has some */
	VFS_MAKE = 1 << 3,
	VFS_PROBE = 1 << 4, /* set it to what it was, and remove the record */
};
#define VFS_STEPS 5u

/**
 * struct vfs_facts
 * @now, @want, @total: numbers of VFs: there are, wanted, and at most
 * @used: a VF is
 * @cut: an earlier call was killed, and has left its record
 */
struct vfs_facts {
	unsigned int now, want, total;
	bool used, force, cut;
};

enum vfs_verdict {
	VFS_READY, /* by the steps, which may be none */
	VFS_TOO_MANY,
	VFS_IN_USE,
};

/** vfs_plan() - pure. @ret_steps: enum vfs_step; 0 unless VFS_READY */
enum vfs_verdict vfs_plan(const struct vfs_facts *facts, unsigned int *ret_steps);

/**
 * struct vfs - a physical function, as it was found
 * @records: RUN_RECORD_DIR
 * @user, @uses: of the VF that is used, if one is: its address, and by what
 */
struct vfs {
	const struct host *host;
	const char *records;
	const struct vfio_node *node;
	struct vfs_facts facts;
	unsigned int steps;
	char user[PCI_ADDRESS_MAX];
	struct pci_uses uses;
	int lock;
};

/**
 * vfs_look() - find out what is so; changes nothing
 * @v: the caller has set host, records and node; vfs_done() in any case
 *
 * Return: 0; -EOPNOTSUPP (ERR_UNSUPPORTED) for a function without SR-IOV.
 */
_must_check_ int vfs_look(struct vfs *v, struct err *err);

/**
 * vfs_prepare() - @v->steps for @want VFs
 *
 * Return: 0; -ERANGE (ERR_UNSUPPORTED) for more than there can be; -EBUSY (ERR_UNSUPPORTED) when
 * VFs that are in use would go.
 */
_must_check_ int vfs_prepare(struct vfs *v, unsigned int want, bool force, struct err *err);

/**
 * vfs_run() - take the steps; returns when every VF is there
 *
 * When making them fails, the number is 0. Return: 0; what write() said; as cancel_wait().
 */
_must_check_ int vfs_run(struct vfs *v, struct cancel *cancel, struct err *err);
void vfs_done(struct vfs *v);
