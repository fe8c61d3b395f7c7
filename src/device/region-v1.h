/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The v1 protocol: a migration region
 *
 * Superseded in Linux 5.18, and still what out-of-tree vendor drivers and older SPDK targets
 * speak. Its states are shown in the words of v2; it has no quiescent ones.
 */

#include "device/acquire.h"
#include "device/backend.h"

/** region_v1_spoken() - the device behind @fd has the region; asks nothing of it. */
bool region_v1_spoken(int fd);

/**
 * region_v1_open() - speak v1 to a VFIO device
 * @acq: consumed, on success or failure
 *
 * Whether it has the region turns out at mig_query().
 */
_must_check_ int region_v1_open(struct acquired *acq, const char *name, struct mig_dev **ret,
				struct err *err);
