/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A data transfer session over vfio-user: MIG_DATA_READ and MIG_DATA_WRITE
 *
 * Reads are several requests under way. A signal (the device's cancel) is heard between messages.
 */

#include "device/backend.h"
#include "device/vfu-client.h"

/** vfu_stream_new() - the session that @dev has just entered; @client outlives it. */
_must_check_ int vfu_stream_new(struct mig_dev *dev, struct vfu_client *client,
				struct mig_stream **ret, struct err *err);
