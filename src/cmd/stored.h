/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices that the service manager keeps open for a holder while that is restarted
 *
 * Each descriptor of a device is stored under "KIND.NAME" (sd_notify(3), FDSTORE=1): device,
 * iommufd, group or container, and the device's name, escaped. That of a device which another
 * process has open, too, is shared-device. The next process of the service gets them back in any
 * order (LISTEN_FDS), and of those that several devices share one alone.
 */

#include "device/device.h"

/** struct cmd_stored - what came back: @n open devices, this structure's until they are claimed */
struct cmd_stored {
	unsigned int n;
	struct device **v;
};

/**
 * cmd_stored_take() - the devices among the descriptors that this process was started with
 * @ret: cmd_stored_done() in any case
 *
 * One that is no device any more is said, dropped, and no failure. Return: 0; -ENOMEM; why
 * listen_fds() fails.
 */
_must_check_ int cmd_stored_take(const struct host *host, const struct device_options *options,
				 struct cmd_stored *ret, struct err *err);

/** cmd_stored_claim() - the one that is @dev; the caller's from here on. NULL where none is. */
struct device *cmd_stored_claim(struct cmd_stored *s, const struct device *dev);

/** cmd_stored_next() - any one that was not claimed yet; the caller's. NULL at the end. */
struct device *cmd_stored_next(struct cmd_stored *s);

void cmd_stored_done(struct cmd_stored *s);

/** cmd_stored_put() - have the descriptors of an open device kept; warns where that fails */
void cmd_stored_put(const struct device *dev);

/** cmd_stored_drop() - have them closed: the device is given up */
void cmd_stored_drop(const char *name);
