/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A data transfer session of v1: chunks through a window
 *
 * A v1 driver may need the chunks back as it gave them ("data of same transaction size", the uAPI
 * said). So the stream that the engine sees, and that an image holds, keeps their borders:
 *
 *	u64	length of the chunk, little-endian, never 0
 *	u8[]	so many bytes, as the driver gave them
 *
 * again and again. How a stream is cut into reads and writes means nothing here either.
 *
 * Saving, the order of accesses is pending_bytes, data_offset, data_size, the data; then
 * pending_bytes again, which tells the driver that its chunk was taken. Loading: data_offset, the
 * data, data_size, which hands it over. Drivers act on each access: the order is the protocol.
 */

#include "device/backend.h"
#include "device/v1-window.h"

/** v1_stream_new() - the session that @dev has just entered; @window outlives it. */
_must_check_ int v1_stream_new(struct mig_dev *dev, const struct v1_window *window,
			       struct mig_stream **ret, struct err *err);
