/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames on their way from one thread to another
 *
 * Whoever has a pipeline fills frames of a fixed pool and pushes them; a thread of the pipeline's
 * hands them to a sink, in that order, while the next ones are being filled. It inherits the
 * signal mask of the thread that makes it.
 *
 * One thread pushes. Memory is the pool and nothing else. A sink that fails requests the cancel, so
 * that whoever fills frames, or waits for a device to do so, hears of it; pipeline_failed() is why.
 */

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "image/writer.h"

struct pipeline;

/** Takes the first @len payload bytes of @frame, or fails; the frame is the pipeline's again. */
typedef int pipeline_sink_fn(void *ctx, struct image_frame *frame, size_t len, struct err *err);

/**
 * pipeline_new() - with a pool of @frames, at least 2
 * @cancel: outlives it
 *
 * Return: 0, -ENOMEM, -EAGAIN.
 */
_must_check_ int pipeline_new(unsigned int frames, pipeline_sink_fn *sink, void *ctx,
			      struct cancel *cancel, struct pipeline **ret, struct err *err);

/**
 * pipeline_frame() - a frame to fill; waits for one
 *
 * Return: 0 and @ret, the same until it is pushed; else what went wrong further down.
 */
_must_check_ int pipeline_frame(struct pipeline *p, struct image_frame **ret, struct err *err);

/** pipeline_push() - that frame has @len bytes and goes on its way. */
void pipeline_push(struct pipeline *p, size_t len);

/** pipeline_drain() - wait until the sink has had all of it. Return: 0, or what went wrong. */
_must_check_ int pipeline_drain(struct pipeline *p, struct err *err);

/** pipeline_failed() - what the sink said. Return: 0 while all is well. */
_must_check_ int pipeline_failed(struct pipeline *p, struct err *err);

/**
 * pipeline_free() - end its thread
 *
 * Frames that are still on their way are dropped; the cancel is then requested, since the sink may
 * be waiting for somebody.
 */
struct pipeline *pipeline_free(struct pipeline *p);
DEFINE_CLEANUP(struct pipeline *, pipeline_free)
