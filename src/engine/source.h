/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From devices to the bytes of an image: set, lanes and image writer together
 *
 * What takes the bytes is the caller's: engine/save.c writes them to a file or a reader,
 * engine/migrate.c to the other end of a move. So is every decision, of which engine/handover.h and
 * engine/move.h know the rules: a step that fails leaves the devices where they are then.
 */

#include "device/device.h"
#include "engine/actions.h"
#include "engine/converge.h"
#include "engine/set.h"
#include "image/format.h"
#include "image/labels.h"
#include "image/receipt.h"
#include "image/writer.h"

#define SOURCE_THREADS_MAX LANE_WORKERS_MAX

/**
 * struct source_options - what to read, and how
 * @devs: @n of them, found, and open or not; the caller's
 * @device: how to open them
 * @raw: the bare stream instead of an image; of one device
 * @leave_stopped: the devices stay in STOP; else they go back to where they were found
 * @p2p: with several, each must have P2P
 * @labels: for the image
 * @zstd_level: 0 for plain frames
 * @sha256: sum the streams, and have the image say so
 * @threads: for compression; 0 for one a CPU, up to SOURCE_THREADS_MAX
 * @bandwidth: bytes a second that are written at most, until the devices are stopped for
 *             @converge, else at all times; 0 for no limit
 * @bandwidth_stop_copy: the same afterwards
 * @precopy: by @converge; else the devices are stopped at once
 * @retry_ns: how long an arc that a device refuses for now is tried again
 * @max_skew_ns: between the first device's stop and the last's, at most; a stop that has more is
 *               undone and tried again for @retry_ns; 0 for any
 * @actions: what is done to the devices' user; may be NULL
 * @events: who listens; may be NULL
 */
struct source_options {
	struct device *const *devs;
	unsigned int n;
	const struct device_options *device;
	bool raw;
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
 * struct source_result - what came of it
 * @started: all devices were opened and are migratable: @devices tells the rest
 * @devices: in the order of the options; source_result_done() frees it, and @sums
 * @info: of the image, once it was begun (@info.major is not 0)
 * @receipt: what accepts the image, once it was ended (@receipt.accepted)
 * @written: bytes of the image or the bare stream
 * @sums: of each stream, if they were wanted and all are complete, else NULL
 * @skew_ns: between the first device's stop and the last's, if there are several and all stopped
 * @decision: pre-copy's last one, if @decided
 */
struct source_result {
	bool started;
	struct member_result *devices;
	struct image_info info;
	struct image_receipt receipt;
	uint64_t written;
	uint8_t (*sums)[IMAGE_SHA256_SIZE];
	uint64_t skew_ns;
	bool decided;
	struct switchover_decision decision;
};

void source_result_done(struct source_result *result);

/**
 * struct source_carrier - what takes the bytes
 * @write: all of them, or it fails; one call at a time, from any thread
 * @keepalive: something is written to it when there was nothing else for long
 */
struct source_carrier {
	image_write_fn *write;
	void *ctx;
	bool keepalive;
};

/**
 * struct source - the work under way
 * @lane: one a device
 * @skewed: the devices have stopped too far apart
 * @acting: their user is told what is done to them
 * @drained: all streams are complete
 */
struct source {
	const struct source_options *options;
	struct source_result *result;
	struct source_carrier carrier;
	struct cancel *cancel;
	struct set set;
	struct lanes lanes;
	struct lane *lane;
	struct converge converge;
	struct image_writer *writer;
	bool skewed, acting, drained;
};

/**
 * source_init() - the devices are not opened yet
 * @carrier: copied
 * @result: set to zeros; source_result_done() after source_done()
 *
 * Return: 0; as actions_check() and set_init(). source_done() in any case.
 */
_must_check_ int source_init(struct source *s, const struct source_options *options,
			     const struct source_carrier *carrier, struct cancel *cancel,
			     struct source_result *result, struct err *err);

/** source_done() - waits for devices that hang; closes none. */
void source_done(struct source *s);

/** source_open() - open the devices. Return: as set_open(). */
_must_check_ int source_open(struct source *s, struct err *err);

/** source_check() - each has a state to be read. Return: as member_check_source(). */
_must_check_ int source_check(struct source *s, struct err *err);

/**
 * source_settle() - end the sessions that other processes have left behind
 *
 * The first that touches the devices. On failure they are given back. Return: as mig_settle().
 */
_must_check_ int source_settle(struct source *s, struct err *err);

/** source_runs_on() - a device of the set will run when all is done */
bool source_runs_on(const struct source *s);

/** source_manifest() - the image's. @ret: image_manifest_done() frees it. */
_must_check_ int source_manifest(const struct source *s, struct image_manifest *ret,
				 struct err *err);

/**
 * source_begin() - write the image's beginning, tell the devices' user, make the lanes
 *
 * Return: 0; what the carrier failed with; as set_act().
 */
_must_check_ int source_begin(struct source *s, struct err *err);

/**
 * source_stop() - from where the devices are to all of them stopped, by pre-copy if that is wanted
 *
 * Return: 0; as converge_run() and set_phase(); -ETIME (ERR_ABORTED) for too much skew.
 */
_must_check_ int source_stop(struct source *s, struct err *err);

/** source_drain() - read the rest. Return: as set_phase(), or what the carrier failed with. */
_must_check_ int source_drain(struct source *s, struct err *err);

/** source_explain() - @r, of the two above, by what was wrong first. Return: negative, or @r. */
int source_explain(struct source *s, int r, struct err *err);

/**
 * source_finish() - all streams are complete: get ready for the way back
 *
 * Return: 0; -ECANCELED and the like of actions that do not want the devices to start.
 */
_must_check_ int source_finish(struct source *s, struct err *err);

/** source_sum() - the streams' sums into the result, if they are wanted. Return: 0, -ENOMEM. */
_must_check_ int source_sum(struct source *s, struct err *err);

/**
 * source_return() - the devices go to where they are wanted
 *
 * Return: as set_return().
 */
_must_check_ int source_return(struct source *s, struct err *err);

/** source_end_streams() - no thread writes any more; with the devices back, or all drained */
void source_end_streams(struct source *s);

/** source_end_devices() - write the sections that end the streams; no keepalive comes any more */
_must_check_ int source_end_devices(struct source *s, struct err *err);

/** source_end_image() - write the image's end; then the result has its receipt */
_must_check_ int source_end_image(struct source *s, struct err *err);

/** source_stopped_ns() - when the first has stopped; 0: one runs, or none was stopped here */
uint64_t source_stopped_ns(const struct source *s);

/**
 * source_rewind() - the stream was cut off: get ready for source_begin() anew
 *
 * Devices that have all stopped stay so, in STOP, from where STOP_COPY yields the whole state once
 * more; else they go to where they were found, and what pre-copy has read counts for nothing.
 *
 * Return: 0; negative errno (ERR_DEVICE) of one that is not there.
 */
_must_check_ int source_rewind(struct source *s, struct err *err);

/** source_check_cancel() - cancel_check(), with what a keepalive has found out */
_must_check_ int source_check_cancel(struct source *s, struct err *err);

/** source_stay() - what is to stay stopped must not run again by accident from here on */
_must_check_ int source_stay(struct source *s, struct err *err);

/** source_give_back() - after @err: the devices go to where they were found */
void source_give_back(struct source *s, struct err *err);

/** source_note_streams() - what has been read into the result */
void source_note_streams(struct source *s);

/** source_tell() - an event of the whole set */
void source_tell(const struct source *s, enum event_kind kind);

/** source_room() - what the drivers expect STOP_COPY to yield. Return: false: not known of all. */
bool source_room(const struct source_options *o, uint64_t *ret);
