/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What can be known of a device's migration without opening it
 *
 * debugfs shows the driver's own variable. Most drivers set it when the device is opened and leave
 * it alone when it is closed: of a device that no process has open it is an old state, or the
 * ERROR of a variable that was never set.
 */

#include <stdbool.h>

#include "device/device.h"
#include "fsm/fsm.h"

enum peek {
	PEEK_UNKNOWN, /* debugfs is not there, or cannot be read */
	PEEK_NO_V2, /* the driver offers no migration by v2 */
	PEEK_MIGRATABLE, /* it does; its state means nothing now */
	PEEK_STATE, /* it does, and this is its state */
};

/**
 * device_peek() - ask debugfs
 * @held: a process has the device open
 * @ret: set for PEEK_STATE only
 */
enum peek device_peek(const struct device *dev, bool held, enum mig_state *ret);

/** device_held() - a process other than this one is seen to have the device open */
bool device_held(const struct device *dev);
