// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/clock.h"
#include "engine/pump.h"

/* One being read to, one being written, and what evens out the pace; more lose the cache. */
#define PUMP_FRAMES 4

int pump_init(struct pump *p, struct err *err)
{
	p->frame = NULL;
	p->len = 0;
	p->deadline_ns = 0;
	p->bytes = 0;
	p->ns = 0;
	return pipeline_new(
		&(struct pipeline_options){
			.frames = PUMP_FRAMES + p->stages.workers,
			.work = p->stages.work,
			.workers = p->stages.workers,
			.sink = p->stages.sink,
			.observer = p->stages.observer,
			.idle = p->stages.idle,
			.idle_ms = p->stages.idle_ms,
			.ctx = p->stages.ctx,
			.cancel = p->cancel,
		},
		&p->pipe, err);
}

void pump_done(struct pump *p)
{
	p->pipe = pipeline_free(p->pipe);
}

static int pump_push(struct pump *p, struct err *err)
{
	size_t len = p->len;

	p->frame = NULL;
	p->len = 0;
	return pipeline_push(p->pipe, len, err);
}

static int pump_get_frame(struct pump *p, struct err *err)
{
	int r = cancel_check(p->cancel, err);

	return r < 0 || p->frame ? r : pipeline_frame(p->pipe, &p->frame, err);
}

static void pump_tell(const struct pump *p)
{
	struct event e = {
		.kind = EVENT_PROGRESS,
		.device = p->device,
		.progress = { .bytes = p->bytes, .expected = p->expected },
	};

	event_emit(p->events, &e);
}

static int pump_read_all(struct pump *p, struct err *err)
{
	for (;;) {
		ssize_t n;
		int r;

		r = pump_get_frame(p, err);
		if (r < 0)
			return r;
		if (p->deadline_ns && clock_ns() >= p->deadline_ns && !mig_mid_chunk(p->dev))
			return PUMP_CUT;
		n = mig_read(p->dev, p->frame->payload + p->len, IMAGE_FRAME_PAYLOAD - p->len, err);
		if (n <= 0)
			return (int)n;
		p->len += (size_t)n;
		p->bytes += (uint64_t)n;
		pump_tell(p);
		r = p->len == IMAGE_FRAME_PAYLOAD ? pump_push(p, err) : 0;
		if (r < 0)
			return r;
	}
}

int pump_run(struct pump *p, struct err *err)
{
	uint64_t start = clock_ns();
	int r = pump_read_all(p, err);

	p->ns += clock_ns() - start;
	return r;
}

int pump_flush(struct pump *p, struct err *err)
{
	uint64_t start = clock_ns();
	int r = p->len ? pump_push(p, err) : 0;

	r = r < 0 ? r : pipeline_drain(p->pipe, err);
	p->ns += clock_ns() - start;
	return r;
}
