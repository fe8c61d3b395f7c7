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
 * struct source_result - what became of the device
 * @found: the state it was found in; one left behind by another process is settled first
 * @left: the state it is in now, if @left_known
 * @fate: of its state: MIG_FATE_BACK when it is where it was wanted
 * @bytes, @stream_ns: of the stream, and the time spent moving it
 * @complete: the whole stream has reached the sink
 * @recovery: what bringing it back took, if @recovered
 */
struct source_result {
	enum mig_state found, left;
	bool left_known;
	enum mig_fate fate;
	uint64_t bytes, stream_ns;
	bool complete;
	struct timeline timeline;
	bool recovered;
	struct mig_recovery recovery;
};

/**
 * struct source - one device being saved
 * @dev: open; mig_query() has been called
 * @precopy: policy, or NULL to stop the device at once
 * @retry: how long an arc that it refuses for now is tried again
 * @leave_stopped: leave it in STOP, not where it was found
 * @stages: take the stream, frame by frame
 * @on_drained: called with @stages.ctx once all of the stream is through, before the device goes
 *              back; may be NULL
 * @result: set by the functions below
 */
struct source {
	struct device *dev;
	struct precopy *precopy;
	struct arc_retry retry;
	bool leave_stopped;
	struct pump_stages stages;
	void (*on_drained)(void *ctx);
	struct cancel *cancel;
	struct transfer *transfer;
	struct source_result result;
};

/**
 * source_settle() - before anything else: end a session that another process left behind
 *
 * Refuses a device in ERROR, whose state is lost, and one in RESUMING, which has none. Sets
 * found in @s->result.
 */
_must_check_ int source_settle(struct source *s, struct err *err);

/** source_runs_on() - the device will run when all is done */
bool source_runs_on(const struct source *s);

/**
 * source_run() - stop the device, drain its stream, bring it back
 *
 * Whatever fails, the device is brought back to where it was found, and never reset but from ERROR:
 * if it cannot be brought back, it is left where it holds its state; the error then says so and is
 * ERR_DEVICE. @s->result.complete may be true with an error: then the stream is whole and only the
 * way back went wrong.
 *
 * Called in a thread with every signal blocked.
 */
_must_check_ int source_run(struct source *s, struct err *err);

/**
 * source_give_back() - what became of the stream later failed: the device goes where it was found
 * @err: that failure; gets the story of the recovery, as from source_run()
 */
void source_give_back(struct source *s, struct err *err);
