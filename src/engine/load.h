/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The destination's side: put a state into a device
 */

#include "base/cancel.h"
#include "device/device.h"
#include "device/recover.h"
#include "engine/config-restore.h"
#include "engine/pipeline.h"
#include "engine/timeline.h"
#include "engine/transfer.h"
#include "image/parser.h"
#include "transport/input.h"
#include "transport/listener.h"

/**
 * struct destination - one device being loaded
 * @dev: found, and open or not
 * @uri: the input, unless there is a @listener
 * @listener: the input is the first good sender that connects; the caller's, and closed once it is
 *            there
 * @raw: the input is the bare stream, up to its end
 * @force_mismatch: load the state of another kind of device all the same
 * @restore_config: write what the image has of external state, see engine/config-restore.h
 * @run: bring it to RUNNING when the driver has accepted the state
 * @verify_only: check everything that can be checked without opening the device
 *
 * Set by destination_run():
 * @bytes, @stream_ns: of the stream, and how long it took to load
 * @found, @left: as in struct source; valid if @opened
 * @owner: the sender knows that this end has the state now, and it still has
 * @accepted: the driver has: RESUMING -> STOP succeeded
 * @config: what was restored beside it
 * @recovery: what an abort took, if @recovered
 */
struct destination {
	struct device *dev;
	const struct device_options *options;
	struct uri uri;
	struct listener *listener;
	bool raw;
	bool force_mismatch;
	bool restore_config;
	bool run;
	bool verify_only;
	struct cancel *cancel;
	struct transfer *transfer;

	uint64_t bytes, start_ns, stream_ns;
	struct image_info info; /* of the image, once it was begun and fits (@info.major) */
	struct image_receipt receipt; /* what accepts it, once it was all there */
	enum mig_state found, left;
	bool opened, left_known;
	bool touched; /* something was asked of it */
	bool loading; /* it has been in RESUMING: its own state is gone */
	bool accepted;
	bool answered; /* the sender may believe that it has succeeded */
	bool owner;
	struct config_restore config;
	struct timeline timeline;
	bool recovered;
	struct mig_recovery recovery;

	struct input *in;
	struct pipeline *pipe; /* to the device */
	struct image_frame *frame; /* being filled with @frame_len bytes, or NULL */
	size_t frame_len;
};

/**
 * destination_run() - verify, open, load, have the driver judge, start
 *
 * An input that can be read twice is verified whole before the device is opened. From any other,
 * each frame is verified before it reaches the device, and the device leaves RESUMING only after
 * the image's END. Whatever fails once the load has begun, the device is reset and left in STOP;
 * it never runs a part of a state.
 *
 * A sender at the other end of a socket is told what became of it: that the driver has accepted the
 * state, before the device runs; or why not.
 *
 * Called in a thread with every signal blocked. @destination: struct destination. The device is
 * left open.
 */
_must_check_ int destination_run(void *destination, struct err *err);
