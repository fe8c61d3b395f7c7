/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices that their owners or lenders keep open, and whether they do still
 *
 * Without its owner or lender a device is closed with this process, and with it the state that is
 * loaded into it.
 */

#include "device/device.h"

/**
 * kept_watch() - what becomes readable when the owner of one of @devs ends
 * @ret: an epoll descriptor, the caller's; never readable where no device has an owner
 *
 * Then the device is open here alone, and would neither get a state nor let itself be unbound.
 */
_must_check_ int kept_watch(struct device *const *devs, unsigned int n, int *ret, struct err *err);

/** kept_check() - device_check_kept() of all; another one may be there soon (ERR_ABORTED) */
_must_check_ int kept_check(struct device *const *devs, unsigned int n, struct err *err);
