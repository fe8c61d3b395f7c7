/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a device to a file or a receiver: source, image and output together
 */

#include "device/device.h"
#include "engine/handover.h"
#include "engine/source.h"
#include "image/format.h"
#include "image/labels.h"
#include "image/receipt.h"
#include "transport/peer.h"
#include "transport/uri.h"

#define SAVE_THREADS_MAX 64

/**
 * struct save_options - what to save, where to, and how
 * @dev: found, and open or not; the caller's
 * @device: how to open it
 * @peer: of a @uri that is a socket
 * @raw: the bare stream instead of an image
 * @force: an existing file may be replaced
 * @leave_stopped: the device stays in STOP; else it goes back to where it was found
 * @labels: for the image
 * @zstd_level: 0 for plain frames
 * @sha256: sum the stream, and have the image say so
 * @threads: for compression; 0 for one a CPU, up to SAVE_THREADS_MAX
 * @bandwidth: bytes a second that are written at most; 0 for no limit
 * @precopy: policy, changed by it; NULL to stop the device at once
 * @retry_ns: how long an arc that the device refuses for now is tried again
 */
struct save_options {
	struct device *dev;
	const struct device_options *device;
	struct uri uri;
	struct peer_options peer;
	bool raw;
	bool force;
	bool leave_stopped;
	struct image_labels labels;
	int zstd_level;
	bool sha256;
	unsigned int threads;
	uint64_t bandwidth;
	struct precopy *precopy;
	uint64_t retry_ns;
};

/**
 * struct save_result - what came of it
 * @started: the device was opened and is migratable: @source tells the rest
 * @info: of the image, once it was begun (@info.major is not 0)
 * @receipt: what accepts the image, once it was ended (@receipt.accepted)
 * @written: bytes of the file
 * @published: the file has its name, the reader has all, or the receiver has accepted the state
 * @sum: of the stream, if it was wanted and @source.complete
 * @retries: arcs tried again
 * @verdict: status, outcome and owner
 */
struct save_result {
	bool started;
	struct source_result source;
	struct image_info info;
	struct image_receipt receipt;
	uint64_t written;
	bool published;
	uint8_t sum[IMAGE_SHA256_SIZE];
	unsigned int retries;
	struct handover_verdict verdict;
};

/**
 * struct save_room - the room that an image takes and has, as far as it is known
 * @expected: what the driver expects STOP_COPY to yield, some of them their maximum
 * @free: where the file is made
 */
struct save_room {
	bool expected_known, free_known;
	uint64_t expected, free;
};

/**
 * save_check_room() - there is enough of it
 *
 * Asks @o->dev if that is open. What compression makes of a stream is not known before.
 *
 * Return: 0, -ENOSPC (ERR_OUTPUT). @ret is set in any case.
 */
_must_check_ int save_check_room(const struct save_options *o, struct save_room *ret,
				 struct err *err);

/**
 * save_run() - open the output, then the device; save; publish
 * @cancel: a wish to stop; heard until the end of the image leaves for a receiver, else until the
 *          file has its name
 *
 * Who owns the state, and what becomes of the device, engine/handover.h decides. The file appears
 * only when it is complete and synced. It also does when the stream was complete and the device
 * then went wrong on its way back: it may be the only copy of the state.
 *
 * Return: 0, or negative errno with @err.kind as @ret->verdict has it. @ret is set in any case.
 */
_must_check_ int save_run(const struct save_options *options, struct cancel *cancel,
			  struct transfer *transfer, struct save_result *ret, struct err *err);
