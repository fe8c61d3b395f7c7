/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The v2 protocol: VFIO_DEVICE_FEATURE ioctls and a data fd
 */

#include "device/acquire.h"
#include "device/backend.h"

/** kernel_v2_spoken() - the device behind @fd has the feature; asks nothing of it. */
bool kernel_v2_spoken(int fd);

/**
 * kernel_v2_open() - speak v2 to a VFIO device
 * @acq: consumed, on success or failure
 *
 * Asks nothing of the device yet: that is mig_query().
 */
_must_check_ int kernel_v2_open(struct acquired *acq, const char *name, struct mig_dev **ret,
				struct err *err);
