/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The migration state as debugfs has it (Linux 6.8, CONFIG_VFIO_DEBUGFS)
 *
 * Read without opening the device. The read takes the driver's state lock, so it waits while a
 * long write or state change is under way.
 */

#include "host/vfio-node.h"

/* Outcomes of debugfs_migration_state(); not errors. */
enum debugfs_answer {
	DEBUGFS_STATE = 0, /* the state has been read */
	DEBUGFS_ABSENT, /* no debugfs, not mounted, or not ours to read: nothing known */
	DEBUGFS_NO_V2, /* debugfs shows the device, without a migration folder: v1 at best */
};

/**
 * debugfs_migration_state() - read /sys/kernel/debug/vfio/NAME/migration/state
 * @ret: the word the kernel prints, e.g. "STOP_COPY"; cut at @size; set for DEBUGFS_STATE only
 *
 * Return: enum debugfs_answer, or negative errno when the driver would not say.
 */
_must_check_ int debugfs_migration_state(const struct host *host, const struct vfio_node *node,
					 char *ret, size_t size, struct err *err);
