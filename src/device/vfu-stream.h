/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A data transfer session over vfio-user: MIG_DATA_READ and MIG_DATA_WRITE
 *
 * Several requests are under way at a time (device/vfu-window.h). A signal (the device's cancel)
 * ends the wait for a reply, and within a message it ends the connection.
 *
 * Writes are small: each has to arrive as a whole (vfu/channel.h).
 */

#include "device/backend.h"
#include "device/vfu-client.h"

/**
 * vfu_stream_quiesce() - receive all replies that are still to come, before another command
 *
 * Between two states of one session: a reply to a read belongs to the stream, whenever it comes.
 * What the replies brought is read later, and judged by the state in which it was asked for.
 */
_must_check_ int vfu_stream_quiesce(struct mig_stream *stream, struct err *err);

/** vfu_stream_new() - the session that @dev has just entered; @client outlives it. */
_must_check_ int vfu_stream_new(struct mig_dev *dev, struct vfu_client *client,
				struct mig_stream **ret, struct err *err);
