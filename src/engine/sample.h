/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A look at what a device would save
 *
 * A data transfer session for the sake of its contents alone: the device is brought where there is
 * a stream, the stream is read, and the device is brought back. A device with pre-copy runs on
 * meanwhile, and tells the beginning of its stream, which is where drivers have their headers. Any
 * other one is stopped for as long as that takes.
 */

#include "device/arc-retry.h"
#include "device/device.h"
#include "fsm/fsm.h"

/* How a device is sampled. */
enum sample_way {
	SAMPLE_PRE_COPY, /* it runs on; the stream's beginning */
	SAMPLE_STOPS, /* it stops for a moment; all of the stream */
	SAMPLE_STOPPED, /* it is stopped as it is; all of the stream */
	SAMPLE_SESSION, /* not at all: a session is open, of this or another process */
	SAMPLE_ERROR, /* not at all: only a reset helps */
	SAMPLE_NR_WAYS
};

/* sample_way() - of a device that was found in @found, and can do @caps */
enum sample_way sample_way(enum mig_state found, unsigned int caps);

/* Of a pre-copy stream so much is read at most: the headers are in front. */
#define SAMPLE_PRE_COPY_MAX (UINT64_C(64) << 20)

/**
 * struct sample - what to do
 * @dev: open, and asked what it can do (mig_query())
 * @retry: how long an arc is tried again that is refused for now
 * @cancel: ends it before the device is stopped, and between reads
 * @on_data: gets the stream
 * @way: out: how it was done
 */
struct sample {
	struct device *dev;
	struct arc_retry *retry;
	struct cancel *cancel;
	void (*on_data)(void *ctx, const void *buf, size_t len);
	void *ctx;
	enum sample_way way;
};

/**
 * sample_run() - read it
 *
 * Called in a thread with every signal blocked. Afterwards the device is where it was found; where
 * it could not be brought there, ERR_DEVICE says where it is.
 *
 * Return: 0; -EBUSY (ERR_SYSTEM) where a session is open, or of a device of another process; -EIO
 * (ERR_DEVICE) of one in ERROR; -ECANCELED; what the device or its stream said.
 */
_must_check_ int sample_run(struct sample *s, struct err *err);
