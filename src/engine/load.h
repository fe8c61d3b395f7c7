/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From a file or a sender into devices
 */

#include "base/cancel.h"
#include "device/device.h"
#include "engine/actions.h"
#include "engine/compat.h"
#include "engine/config-restore.h"
#include "engine/handover.h"
#include "engine/load-map.h"
#include "engine/load-start.h"
#include "engine/set.h"
#include "engine/transfer.h"
#include "image/format.h"
#include "image/receipt.h"
#include "transport/listener.h"
#include "transport/uri.h"

struct load_carrier;

/**
 * struct load_options - what to load, where from, and how
 * @devs: @n of them, found, and open or not; the caller's, and left open
 * @map: which device of the image goes into which of @devs
 * @device: how to open them
 * @uri: the input, unless there is a @listener
 * @listener: the input is the first good sender that connects; taken in any case
 * @carrier: the state comes by this, and not by @uri or @listener; NULL for these
 * @raw: the input is the bare stream of one device, up to its end
 * @p2p: with several, each must have P2P
 * @force_mismatch: load the state of another kind of device all the same
 * @restore_config: write what the image has of it, see engine/config-restore.h
 * @start: which are brought to RUNNING when the drivers have accepted the states
 * @run_paused: also those that their owners have stopped
 * @kept: afterwards only their owners and lenders keep the devices open: refuse the state once one
 *        of these has let its device go
 * @clone: even if the sender's devices run on, or may
 * @verify_only: check everything that can be checked without opening a device
 * @retry_ns: how long an arc that a device refuses for now is tried again
 * @actions: what is done to the devices' user; may be NULL
 * @events: who listens; may be NULL
 * @transfer: is told how much was verified; may be NULL
 */
struct load_options {
	struct device *const *devs;
	unsigned int n;
	struct load_map_options map;
	const struct device_options *device;
	struct uri uri;
	struct listener *listener;
	struct load_carrier *carrier;
	bool raw;
	bool p2p;
	bool force_mismatch;
	bool restore_config;
	enum load_start start;
	bool run_paused;
	bool kept;
	bool clone;
	bool verify_only;
	uint64_t retry_ns;
	const struct actions_options *actions;
	struct events *events;
	struct transfer *transfer;
};

/**
 * struct load_device - what became of one, beside struct member_result
 * @saved: its index in the image
 * @fit: whether the image is of a device like this one, as far as was known before it was opened
 * @accepted: the driver has accepted the state: RESUMING -> STOP succeeded
 * @started: it runs the state
 * @config: what was restored of the configuration space
 */
struct load_device {
	uint32_t saved;
	enum compat_fit fit;
	bool accepted;
	bool started;
	struct config_restore config;
};

/**
 * struct load_result - what came of it
 * @info: of the image, once it was begun and fits (@info.major is not 0)
 * @receipt: what accepts it, once all of it was there (@receipt.accepted)
 * @opened: all devices were
 * @starts: they are to run, by what was known of them once they were open; but for @copy
 * @devices, @loads: of each, in the order of the options; load_result_done() frees them
 * @accepted: all drivers have
 * @copy: the devices do not run because the sender's run on, or may; with the clone option they
 *        would
 * @hold: the devices have to be held open, whatever the result is: no other copy may exist
 * @verdict: status, outcome and owner
 */
struct load_result {
	struct image_info info;
	struct image_receipt receipt;
	bool opened;
	bool starts;
	struct member_result *devices;
	struct load_device *loads;
	bool accepted;
	bool copy;
	bool hold;
	struct handover_verdict verdict;
};

void load_result_done(struct load_result *result);

/**
 * load_run() - verify, open, load, have the drivers judge, start
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
			  struct load_result *ret, struct err *err);
