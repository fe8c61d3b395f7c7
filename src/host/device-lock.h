/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One vfiomigctl at a time for a device that another process has open
 *
 * The kernel lets every process with a descriptor of a device change its state. Two of these tools
 * would end each other's sessions, and each takes what the other has stopped for what the owner
 * has. So each locks (flock) a file named after the device, in /run/vfiomigctl or, of a user other
 * than root, below $XDG_RUNTIME_DIR: tools of different users do not see each other's. The lock
 * lasts until every process that has inherited it has closed it or ended. The files stay, since
 * removing one could leave two tools with a lock each.
 */

#include <sys/types.h>

#include "base/cancel.h"
#include "base/err.h"

/**
 * device_lock_take() - lock the device @name
 * @name: of sysfs
 * @cancel: ends the wait for what a tool that was killed has left behind; may be NULL
 * @ret: the caller's to close, which unlocks; -1 where there is no such folder and none can be
 *       made, and where this process has the lock already
 *
 * A lock whose process is dead is that of its guardian, which brings the device back: that is
 * waited for, for a while.
 *
 * Return: 0; -EBUSY (ERR_SYSTEM) with the process that has it; -ECANCELED.
 */
_must_check_ int device_lock_take(const char *name, struct cancel *cancel, int *ret,
				  struct err *err);

/** device_lock_take_in() - the same, with the file @name below @folder, which is made if needed */
_must_check_ int device_lock_take_in(const char *folder, const char *name, struct cancel *cancel,
				     int *ret, struct err *err);
