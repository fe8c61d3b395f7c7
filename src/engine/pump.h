/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a device's stream into frames
 *
 * Frames are filled whatever the driver's reads look like, and carried over from pre-copy into
 * STOP_COPY: the saving group is one stream. What becomes of them happens in a thread of its own,
 * while the next ones are read.
 */

#include "base/cancel.h"
#include "device/backend.h"
#include "engine/pipeline.h"
#include "engine/event.h"

/** struct pump_stages - what becomes of frames, see struct pipeline_options */
struct pump_stages {
	pipeline_work_fn *work;
	unsigned int workers;
	pipeline_sink_fn *sink;
	pipeline_sink_fn *observer;
	pipeline_idle_fn *idle;
	int idle_ms;
	void *ctx;
};

/**
 * struct pump - one stream on its way
 * @events: are told how far it is, for @device of the set
 * @expected: bytes that the stream is expected to have, 0 for unknown
 * @pipe: the pump's own from pump_init() to pump_done()
 * @frame, @len: being filled, with so many payload bytes so far; or NULL
 * @deadline_ns: when pump_run() stops even if there is more, 0 for never: a device that makes data
 *               as fast as it is read would hold it for ever. A chunk is read to its end
 * @bytes, @ns: of the stream so far, and the time it took to read and hand on
 */
struct pump {
	struct mig_dev *dev;
	struct pump_stages stages;
	struct cancel *cancel;
	struct events *events;
	int device;
	uint64_t expected;
	struct pipeline *pipe;
	struct image_frame *frame;
	size_t len;
	uint64_t deadline_ns;
	uint64_t bytes, ns;
};

/** pump_init() - with the members from @p->dev to @p->device set. Return: 0, -ENOMEM, -EAGAIN. */
_must_check_ int pump_init(struct pump *p, struct err *err);

/** pump_done() - without pump_flush() before, what is still on its way is dropped. */
void pump_done(struct pump *p);

#define PUMP_CUT 1

/**
 * pump_run() - read until there is nothing more, now or for good, or the deadline has passed
 *
 * Called in a thread with every signal blocked. Return: 0; PUMP_CUT when the deadline came first;
 * -ECANCELED, or what failed.
 */
_must_check_ int pump_run(struct pump *p, struct err *err);

/**
 * pump_flush() - hand on the frame that is not full yet, and wait until all is through
 *
 * At the end of the stream, and of a round of pre-copy; there may be more to come.
 */
_must_check_ int pump_flush(struct pump *p, struct err *err);
