/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames on their way from one thread to another
 *
 * The caller fills frames of a fixed pool and pushes them; a thread of the pipeline hands them to a
 * sink, in that order, while the next ones are being filled. In between, workers may do something
 * to several frames at once, and beside the sink an observer may look at each, in order, too. All
 * threads inherit the signal mask of the thread that makes the pipeline and pushes.
 *
 * Where only one CPU may be used, a switch of threads costs more than it brings: pushing does all
 * of that itself, in the same order, and one frame that stays in the cache is the whole pool. The
 * first frame goes that way everywhere, so that a short stream starts no thread.
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

/** Nothing has come to the sink for a while. Never runs at the same time as the sink. */
typedef int pipeline_idle_fn(void *ctx, struct err *err);

/* When frames are handed to threads: as the CPUs suggest, or as a test wants it. */
enum pipeline_threads {
	PIPELINE_AUTO,
	PIPELINE_ALWAYS,
	PIPELINE_NEVER
};

/**
 * struct pipeline_options
 * @threads: PIPELINE_AUTO looks at the CPUs that the caller may use
 * @frames: in the pool, at least 2
 * @work: done to each frame before the sink has it, in any order; may be NULL
 * @workers: threads for it; 0: the pushing thread does it, which is cheapest for little
 *           work, as the frame is still in that CPU's cache. Without threads, worker 0 does all
 * @observer: has the payload of each frame, in order, in a thread of its own; may be NULL
 * @idle: whenever the sink has had nothing to do for @idle_ms; may be NULL. It has a thread from
 *        the start, whatever @threads says: the pushing one may be waiting for a device
 * @cancel: outlives the pipeline
 */
struct pipeline_options {
	enum pipeline_threads threads;
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

/** pipeline_new() - Return: 0, -ENOMEM; -EAGAIN for a thread that must be there at once. */
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

/*
 * Or the pipeline keeps the frame that is being filled, for a stream that comes in pieces: instead
 * of pipeline_frame() and pipeline_push(). All return as these do.
 */

/** pipeline_room() - where the next bytes go: @ret_len at most, never 0; waits for a frame */
_must_check_ int pipeline_room(struct pipeline *p, uint8_t **ret, size_t *ret_len, struct err *err);

/** pipeline_filled() - @len bytes are there; a frame that is full goes on its way */
_must_check_ int pipeline_filled(struct pipeline *p, size_t len, struct err *err);

/**
 * pipeline_put() - the next bytes of the stream, which lie anywhere
 *
 * Those in the room that was lent last go on as they are; others are copied.
 */
_must_check_ int pipeline_put(struct pipeline *p, const void *buf, size_t len, struct err *err);

/** pipeline_flush() - the frame goes on its way with what it has, if anything; waits for nothing */
_must_check_ int pipeline_flush(struct pipeline *p, struct err *err);

/**
 * pipeline_lend() - room for a section of @len bytes that may be given to pipeline_put()
 * @ret: IMAGE_FRAME_SIZE bytes on a page, IMAGE_SECTION_HEADER of them for a header, until the next
 *       call for this pipeline; NULL for a section so small that a copy costs less
 *
 * As the member room of struct image_sink wants it. Waits for a frame.
 *
 * Return: 0, or what went wrong further down.
 */
_must_check_ int pipeline_lend(struct pipeline *p, size_t len, uint8_t **ret, struct err *err);

/**
 * pipeline_drain() - flush, and wait until sink and observer have had all
 *
 * Return: 0, or what went wrong.
 */
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
