/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames on their way from one thread to another
 *
 * The caller fills frames of a fixed pool and pushes them; a thread of the pipeline hands them to a
 * sink, in that order, while the next ones are being filled. In between, workers may do something
 * to several frames at once, and beside the sink an observer may look at each, in order, too. All
 * threads inherit the signal mask of the caller of pipeline_new().
 *
 * One thread pushes. Memory is the pool and nothing else. A sink or worker that fails requests the
 * cancel, so that the thread that fills frames, or waits for a device to do so, stops;
 * pipeline_explain() says why.
 */

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "image/writer.h"

struct pipeline;

/**
 * struct pipeline_item - a frame on its way
 * @len: payload bytes in it
 * @number, @offset: frames and bytes that were pushed before it
 */
struct pipeline_item {
	struct image_frame *frame;
	size_t len;
	uint64_t number, offset;
};

/** Works on one frame; @worker is from 0 to below the number of workers, each in a thread. */
typedef int pipeline_work_fn(void *ctx, unsigned int worker, const struct pipeline_item *item,
			     struct err *err);

/**
 * Takes the first @len payload bytes of @frame, or fails; then it is the pipeline's again. Where
 * there is an observer, neither of the two changes them.
 */
typedef int pipeline_sink_fn(void *ctx, struct image_frame *frame, size_t len, struct err *err);

/** Nothing has come to the sink for a while; called in its thread. */
typedef int pipeline_idle_fn(void *ctx, struct err *err);

/**
 * struct pipeline_options
 * @frames: in the pool, at least 2
 * @work: done to each frame before the sink has it, in any order; may be NULL
 * @workers: threads for it; 0: the pushing thread does it, which is cheapest for little
 *           work, as the frame is still in that CPU's cache
 * @observer: has the payload of each frame, in order, in a thread of its own; may be NULL
 * @idle: whenever the sink has had nothing to do for @idle_ms; may be NULL
 * @cancel: outlives the pipeline
 */
struct pipeline_options {
	unsigned int frames;
	pipeline_work_fn *work;
	unsigned int workers;
	pipeline_sink_fn *sink;
	pipeline_sink_fn *observer;
	pipeline_idle_fn *idle;
	int idle_ms;
	void *ctx;
	struct cancel *cancel;
};

/** pipeline_new() - Return: 0, -ENOMEM, -EAGAIN. */
_must_check_ int pipeline_new(const struct pipeline_options *opts, struct pipeline **ret,
			      struct err *err);

/**
 * pipeline_frame() - a frame to fill; waits for one
 *
 * Return: 0 and @ret, the same until it is pushed; else what went wrong further down.
 */
_must_check_ int pipeline_frame(struct pipeline *p, struct image_frame **ret, struct err *err);

/**
 * pipeline_push() - that frame has @len bytes and goes on its way
 *
 * Return: 0, or what a worker, the sink or the observer failed with.
 */
_must_check_ int pipeline_push(struct pipeline *p, size_t len, struct err *err);

/** pipeline_drain() - wait until sink and observer have had all. Return: 0, or what went wrong. */
_must_check_ int pipeline_drain(struct pipeline *p, struct err *err);

/**
 * pipeline_explain() - @r, the caller's own failure, unless a sink or worker is behind it
 *
 * What looks like a wish to stop may be theirs, and they have the reason. @p may be NULL.
 */
int pipeline_explain(struct pipeline *p, int r, struct err *err);

/**
 * pipeline_free() - end its threads
 *
 * Frames that are still on their way are dropped; the cancel is then requested, since the sink may
 * be waiting for a peer.
 */
struct pipeline *pipeline_free(struct pipeline *p);
DEFINE_CLEANUP(struct pipeline *, pipeline_free)
