/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a file or a sender into a device
 */

#include "base/cancel.h"
#include "device/device.h"
#include "device/recover.h"
#include "engine/compat.h"
#include "engine/config-restore.h"
#include "engine/handover.h"
#include "engine/timeline.h"
#include "engine/transfer.h"
#include "image/format.h"
#include "image/receipt.h"
#include "transport/listener.h"
#include "transport/uri.h"

/**
 * struct load_options - what to load, where from, and how
 * @dev: found, and open or not; the caller's, and left open
 * @device: how to open it
 * @uri: the input, unless there is a @listener
 * @listener: the input is the first good sender that connects; taken in any case
 * @raw: the input is the bare stream, up to its end
 * @force_mismatch: load the state of another kind of device all the same
 * @restore_config: write what the image has of it, see engine/config-restore.h
 * @run: bring it to RUNNING when the driver has accepted the state
 * @clone: even if the sender's device runs on, or may
 * @verify_only: check everything that can be checked without opening the device
 * @retry_ns: how long an arc that the device refuses for now is tried again
 */
struct load_options {
	struct device *dev;
	const struct device_options *device;
	struct uri uri;
	struct listener *listener;
	bool raw;
	bool force_mismatch;
	bool restore_config;
	bool run;
	bool clone;
	bool verify_only;
	uint64_t retry_ns;
};

/**
 * struct load_result - what came of it
 * @info: of the image, once it was begun and fits (@info.major is not 0)
 * @fit: whether the image is of a device like this one, as far as was known before it was opened
 * @receipt: what accepts it, once all of it was there (@receipt.accepted)
 * @opened: the device was: what follows is valid
 * @bytes, @stream_ns: of the stream, and how long it took to load
 * @found, @left: as in struct source_result
 * @accepted: the driver has: RESUMING -> STOP succeeded
 * @started: the device runs the state
 * @copy: it does not because the sender's runs on, or may; with the clone option it would
 * @hold: the device has to be held open, whatever the result is: no other copy may exist
 * @config: what was restored of the configuration space
 * @recovery: what giving up took, if @recovered
 * @retries: arcs tried again
 * @verdict: status, outcome and owner
 */
struct load_result {
	struct image_info info;
	enum compat_fit fit;
	struct image_receipt receipt;
	bool opened;
	uint64_t bytes, stream_ns;
	enum mig_state found, left;
	bool left_known;
	bool accepted;
	bool started;
	bool copy;
	bool hold;
	struct config_restore config;
	struct timeline timeline;
	bool recovered;
	struct mig_recovery recovery;
	unsigned int retries;
	struct handover_verdict verdict;
};

/**
 * load_run() - verify, open, load, have the driver judge, start
 *
 * An input that can be read twice is verified whole before the device is opened. From any other,
 * each frame is verified before it reaches the device, and the device leaves RESUMING only after
 * the image's END. It never runs a part of a state. What becomes of it when something fails,
 * engine/handover.h decides.
 *
 * A sender at the other end of a socket is told what became of it: that the driver has accepted the
 * state, before the device runs; or why not.
 *
 * Called in a thread with every signal blocked. Return: 0, or negative errno with @err.kind as
 * @ret->verdict has it. @ret is set in any case.
 */
_must_check_ int load_run(const struct load_options *options, struct cancel *cancel,
			  struct transfer *transfer, struct load_result *ret, struct err *err);
