/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The streams of a set's devices on their way into one output
 *
 * A lane a device: its pump reads the stream into frames of its own pool, they are encoded, and
 * take turns with those of the other lanes at the one writer. A device that is slow, or stuck,
 * holds up no other; one that is fast has one frame written, then the next lane has its turn.
 */

#include <pthread.h>

#include "engine/limiter.h"
#include "engine/pump.h"
#include "image/sha256.h"
#include "image/writer.h"

#define LANE_WORKERS_MAX 64

/**
 * lanes_put_fn - bytes of a bare stream to the output; one lane at a time
 *
 * What the image's writer does with its own function, where there is no image.
 */
typedef int lanes_put_fn(void *ctx, const void *buf, size_t len, struct err *err);

/**
 * struct lanes - what the lanes share
 * @writer: of the image, NULL for a bare stream, which @put takes
 * @sha256: sum each stream
 * @workers: threads of a lane that encode; 0: the one that reads does
 * @keepalive: write one when nothing else was written for long, for a receiver that waits
 * @limiter: of what is written, for the writer's function
 * @tickets, @turn: the next one to be drawn, and whose turn it is
 * @written_ns: when something was written last, for @keepalive
 * @gone: what a keepalive found out
 * @failed: what writing failed with first, before any cancel
 */
struct lanes {
	struct image_writer *writer;
	lanes_put_fn *put;
	void *ctx;
	struct cancel *cancel;
	bool sha256;
	unsigned int workers;
	bool keepalive;
	struct limiter limiter;

	pthread_mutex_t lock;
	pthread_cond_t next;
	uint64_t tickets, turn;
	uint64_t written_ns;
	struct err gone, failed;
};

void lanes_init(struct lanes *lanes);
void lanes_done(struct lanes *lanes);

/** struct lane - one of them; @encoders: one a worker */
struct lane {
	struct lanes *lanes;
	uint32_t device;
	struct pump pump;
	struct image_sha256 *hash;
	struct image_frame_encoder *encoders[LANE_WORKERS_MAX];
};

/**
 * lane_init() - a lane for the open device @mig, number @device of the set
 *
 * @lanes must be complete. lane_done() in any case.
 */
_must_check_ int lane_init(struct lane *lane, struct lanes *lanes, struct mig_dev *mig,
			   uint32_t device, struct events *events, struct err *err);
void lane_done(struct lane *lane);

/** lane_sum() - the SHA-256 of a stream that is complete; once, where sums are wanted */
void lane_sum(struct lane *lane, uint8_t ret[IMAGE_SHA256_SIZE]);
