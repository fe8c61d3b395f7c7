/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From devices to a file or a receiver: set, image and output together
 */

#include "device/device.h"
#include "engine/actions.h"
#include "engine/handover.h"
#include "engine/converge.h"
#include "engine/set.h"
#include "image/format.h"
#include "image/labels.h"
#include "image/receipt.h"
#include "transport/peer.h"
#include "transport/uri.h"

#define SAVE_THREADS_MAX LANE_WORKERS_MAX

/**
 * struct save_options - what to save, where to, and how
 * @devs: @n of them, found, and open or not; the caller's
 * @device: how to open them
 * @peer: of a @uri that is a socket
 * @raw: the bare stream instead of an image; of one device
 * @force: an existing file may be replaced
 * @leave_stopped: the devices stay in STOP; else they go back to where they were found
 * @p2p: with several, each must have P2P
 * @labels: for the image
 * @zstd_level: 0 for plain frames
 * @sha256: sum the streams, and have the image say so
 * @threads: for compression; 0 for one a CPU, up to SAVE_THREADS_MAX
 * @bandwidth: bytes a second that are written at most, until the devices are stopped for
 *             @converge, else at all times; 0 for no limit
 * @bandwidth_stop_copy: the same afterwards
 * @precopy: by @converge; else the devices are stopped at once
 * @retry_ns: how long an arc that a device refuses for now is tried again
 * @max_skew_ns: between the first device's stop and the last's, at most; a save that has more is
 *               undone and tried again for @retry_ns; 0 for any
 * @actions: what is done to the devices' user; may be NULL
 * @events: who listens; may be NULL
 */
struct save_options {
	struct device *const *devs;
	unsigned int n;
	const struct device_options *device;
	struct uri uri;
	struct peer_options peer;
	bool raw;
	bool force;
	bool leave_stopped;
	bool p2p;
	struct image_labels labels;
	int zstd_level;
	bool sha256;
	unsigned int threads;
	uint64_t bandwidth, bandwidth_stop_copy;
	bool precopy;
	struct converge_options converge;
	uint64_t retry_ns;
	uint64_t max_skew_ns;
	const struct actions_options *actions;
	struct events *events;
};

/**
 * struct save_result - what came of it
 * @started: all devices were opened and are migratable: @devices tells the rest
 * @devices: in the order of the options; save_result_done() frees it, and @sums
 * @info: of the image, once it was begun (@info.major is not 0)
 * @receipt: what accepts the image, once it was ended (@receipt.accepted)
 * @written: bytes of the file
 * @published: the file has its name, the reader has all, or the receiver has accepted the state
 * @sums: of each stream, if they were wanted and all are complete, else NULL
 * @skew_ns: between the first device's stop and the last's, if there are several and all stopped
 * @decision: pre-copy's last one, if @decided
 * @verdict: status, outcome and owner
 */
struct save_result {
	bool started;
	struct member_result *devices;
	struct image_info info;
	struct image_receipt receipt;
	uint64_t written;
	bool published;
	uint8_t (*sums)[IMAGE_SHA256_SIZE];
	uint64_t skew_ns;
	bool decided;
	struct switchover_decision decision;
	struct handover_verdict verdict;
};

void save_result_done(struct save_result *result);

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
 * Asks the devices, if all are open. What compression makes of a stream is not known before.
 *
 * Return: 0, -ENOSPC (ERR_OUTPUT). @ret is set in any case.
 */
_must_check_ int save_check_room(const struct save_options *o, struct save_room *ret,
				 struct err *err);

/**
 * save_run() - open the output, then the devices; save; publish
 * @cancel: a wish to stop; heard until the end of the image leaves for a receiver, else until the
 *          file has its name
 *
 * Who owns the state, and what becomes of the devices, engine/handover.h decides. The file appears
 * only when it is complete and synced. It also does when the streams were complete and a device
 * then went wrong on its way back: it may be the only copy of the state.
 *
 * Return: 0, or negative errno with @err.kind as @ret->verdict has it. @ret is set in any case.
 */
_must_check_ int save_run(const struct save_options *options, struct cancel *cancel,
			  struct save_result *ret, struct err *err);
