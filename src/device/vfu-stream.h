/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A data transfer session over vfio-user: MIG_DATA_READ and MIG_DATA_WRITE
 *
 * Reads are several requests under way. A signal (the device's cancel) is heard between messages.
 */

#include "device/backend.h"
#include "device/vfu-client.h"

/**
 * vfu_stream_quiesce() - receive what is still to come, before anything else is said
 *
 * Between two states of one session: a reply to a read belongs to the stream, whenever it comes.
 * What the replies brought is read later; an empty one is not the end.
 */
_must_check_ int vfu_stream_quiesce(struct mig_stream *stream, struct err *err);

/** vfu_stream_new() - the session that @dev has just entered; @client outlives it. */
_must_check_ int vfu_stream_new(struct mig_dev *dev, struct vfu_client *client,
				struct mig_stream **ret, struct err *err);
