/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The source's side: take a device's state out of it
 */

#include "base/cancel.h"
#include "device/device.h"
#include "device/recover.h"
#include "device/arc-retry.h"
#include "engine/precopy.h"
#include "engine/pump.h"
#include "engine/timeline.h"
#include "engine/transfer.h"

/**
 * struct source - one device being saved
 * @dev: open; mig_query() has been called
 * @precopy: policy, or NULL to stop the device at once
 * @retry: how long it may refuse to be stopped
 * @leave_stopped: leave it in STOP, not where it was found
 * @stages: take the stream, frame by frame
 *
 * Set by source_run():
 * @found: the state it was found in
 * @left: the state it is in now, if @left_known
 * @bytes, @stream_ns: of the stream, and the time spent moving it
 * @complete: the whole stream has reached the sink
 * @recovery: what bringing it back took, if @recovered
 */
struct source {
	struct device *dev;
	struct precopy *precopy;
	struct arc_retry retry;
	bool leave_stopped;
	struct pump_stages stages;
	struct cancel *cancel;
	struct transfer *transfer;

	enum mig_state found, left;
	bool left_known;
	uint64_t bytes, stream_ns;
	bool complete;
	struct timeline timeline;
	bool recovered;
	struct mig_recovery recovery;
};

/**
 * source_run() - stop the device, drain its stream, bring it back
 *
 * Whatever fails, the device is brought back to where it was found; if that needed a reset, or
 * could not be done, the error says so and is ERR_DEVICE. @s->complete may be true with an error:
 * then the stream is whole and only the way back went wrong.
 *
 * Called in a thread with every signal blocked.
 */
_must_check_ int source_run(struct source *s, struct err *err);

/**
 * source_abort() - what became of the stream later failed: bring the device back
 * @err: that failure; gets the story of the recovery, as from source_run()
 */
void source_abort(struct source *s, struct err *err);
