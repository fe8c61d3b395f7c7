/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * verify --on: an image is loaded into spare devices, and what they make of it reported
 */

#include "cmd/devices.h"

/**
 * struct cmd_rehearsal
 * @devices: its arguments are the spare devices, and FILE
 * @options, @retry: how to open them
 * @mismatch: the image has other devices than were named
 */
struct cmd_rehearsal {
	struct invocation *inv;
	struct cmd_devices devices;
	struct device_options options;
	struct arc_retry retry;
	bool no_p2p;
	bool mismatch;
};

/** cmd_rehearsal_run() - all of it, and the report */
_must_check_ int cmd_rehearsal_run(struct cmd_rehearsal *rehearsal, struct err *err);
