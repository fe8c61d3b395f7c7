// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/lane.h"

/* A receiver's --timeout is in seconds: well below it. */
#define LANE_KEEPALIVE_MS 250

void lanes_init(struct lanes *lanes)
{
	pthread_mutex_init(&lanes->lock, NULL);
	pthread_cond_init(&lanes->next, NULL);
}

void lanes_done(struct lanes *lanes)
{
	pthread_cond_destroy(&lanes->next);
	pthread_mutex_destroy(&lanes->lock);
}

/* A mutex alone would let the lane that has just let go take it again. */
static void lane_begin_turn(struct lanes *lanes)
{
	uint64_t ticket;

	pthread_mutex_lock(&lanes->lock);
	ticket = lanes->tickets++;
	while (ticket != lanes->turn)
		pthread_cond_wait(&lanes->next, &lanes->lock);
	pthread_mutex_unlock(&lanes->lock);
}

static void lane_end_turn(struct lanes *lanes)
{
	pthread_mutex_lock(&lanes->lock);
	lanes->turn++;
	pthread_cond_broadcast(&lanes->next);
	pthread_mutex_unlock(&lanes->lock);
}

static int lane_encode(void *ctx, unsigned int worker, const struct pipeline_item *item,
		       struct err *err)
{
	const struct lane *lane = ctx;
	const struct image_place place = { lane->device, item->number, item->offset };

	return image_frame_encode(lane->encoders[worker], item->frame, item->len, &place, err);
}

static int lane_sink(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct lanes *lanes = ((struct lane *)ctx)->lanes;
	int r;

	lane_begin_turn(lanes);
	if (lanes->writer)
		r = image_writer_put(lanes->writer, frame, err);
	else
		r = lanes->put(lanes->ctx, frame->payload, len, err);
	if (lanes->keepalive)
		lanes->written_ns = clock_ns();
	/* A lane that finds the image broken by a cancel of another's write was cancelled, too. */
	if (r == -ECANCELED && cancel_check(lanes->cancel, err) < 0)
		r = err->code;
	/* The other lanes then find the writer broken, or the cancel requested. */
	if (r < 0 && !lanes->failed.code && !atomic_load(&lanes->cancel->requested))
		lanes->failed = *err;
	lane_end_turn(lanes);
	return r;
}

static int lane_observe(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	const struct lane *lane = ctx;

	(void)err;
	image_sha256_add(lane->hash, frame->payload, len);
	return 0;
}

/* A receiver gives up a sender that is silent, and devices may have little to say for long. */
static int lane_keep_alive(void *ctx, struct err *err)
{
	struct lanes *lanes = ((struct lane *)ctx)->lanes;
	int r = 0;

	lane_begin_turn(lanes);
	if (clock_ns() - lanes->written_ns >= LANE_KEEPALIVE_MS * NSEC_PER_MSEC) {
		r = image_writer_keepalive(lanes->writer, err);
		lanes->written_ns = clock_ns();
	}
	if (r < 0)
		lanes->gone = *err;
	lane_end_turn(lanes);
	return r;
}

static int lane_make_encoders(struct lane *lane, struct err *err)
{
	struct image_encoding *encoding = image_writer_encoding(lane->lanes->writer);

	for (unsigned int i = 0; i < MAX(lane->lanes->workers, 1u); i++) {
		int r = image_frame_encoder_new(encoding, &lane->encoders[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int lane_init(struct lane *lane, struct lanes *lanes, struct mig_dev *mig, uint32_t device,
	      struct events *events, struct err *err)
{
	const struct pump_stages stages = {
		.work = lanes->writer ? lane_encode : NULL,
		.workers = lanes->writer ? lanes->workers : 0,
		.sink = lane_sink,
		.observer = lanes->sha256 ? lane_observe : NULL,
		.idle = lanes->keepalive ? lane_keep_alive : NULL,
		.idle_ms = LANE_KEEPALIVE_MS,
		.ctx = lane,
	};
	int r;

	*lane = (struct lane){ .lanes = lanes, .device = device };
	if (lanes->sha256) {
		r = image_sha256_new(&lane->hash, err);
		if (r < 0)
			return r;
	}
	if (lanes->writer) {
		r = lane_make_encoders(lane, err);
		if (r < 0)
			return r;
	}
	lane->pump = (struct pump){
		.dev = mig,
		.stages = stages,
		.cancel = lanes->cancel,
		.events = events,
		.device = (int)device,
	};
	return pump_init(&lane->pump, err);
}

void lane_done(struct lane *lane)
{
	pump_done(&lane->pump);
	for (unsigned int i = 0; i < LANE_WORKERS_MAX; i++)
		image_frame_encoder_free(lane->encoders[i]);
	image_sha256_free(lane->hash);
}

void lane_sum(struct lane *lane, uint8_t ret[IMAGE_SHA256_SIZE])
{
	image_sha256_end(lane->hash, ret);
}
