/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a device to a file or a receiver: source, image and output together
 */

#include "device/device.h"
#include "engine/limiter.h"
#include "engine/source.h"
#include "image/sha256.h"
#include "image/writer.h"
#include "transport/output.h"

#define SAVE_THREADS_MAX 64

/**
 * struct save - one save
 * @dev: found, and open or not
 * @peer: of a @uri that is a socket
 * @raw: the bare stream instead of an image
 * @force: an existing file may be replaced
 * @zstd_level: 0 for plain frames
 * @sha256: sum the stream, and have the image say so
 * @limiter: on what is written
 * @threads: for compression; 0 for one a CPU, up to SAVE_THREADS_MAX
 * @cancel: initialised by the caller
 * @source: policy is the caller's; device, sink and cancel are set by save_run()
 *
 * Set by save_run():
 * @started: the device was opened and is migratable: @source tells the rest
 * @written: bytes of the file
 * @info: of the image, once it was begun (@info.major is not 0)
 * @receipt: what accepts the image, once it was ended (@receipt.accepted)
 * @published: the file has its name, the receiver has accepted the state
 * @sum: of the stream, if @sha256 and @source.complete
 * @unsettled: the other end may have taken over, and may not; the device was left stopped
 */
struct save {
	struct device *dev;
	const struct device_options *options;
	struct uri uri;
	struct peer_options peer;
	bool raw;
	bool force;
	int zstd_level;
	bool sha256;
	unsigned int threads;
	struct limiter limiter;
	struct cancel cancel;
	struct source source;

	bool started;
	uint64_t written;
	struct image_info info;
	struct image_receipt receipt;
	bool published;
	uint8_t sum[IMAGE_SHA256_SIZE];
	bool unsettled;

	struct output *out;
	struct image_writer *writer;
	struct image_sha256 *hash;
	struct err gone; /* what a keepalive found out */
	struct image_frame_encoder *encoders[SAVE_THREADS_MAX]; /* one a worker */
};

/**
 * save_run() - open the output, then the device; save; publish
 * @save: struct save
 *
 * A receiver has the last word: without its receipt nothing was saved. The file appears only when it is
 * complete and synced. It also does when the stream was
 * complete and the device then went wrong on its way back: it may be the only copy of the state.
 */
_must_check_ int save_run(void *save, struct err *err);
