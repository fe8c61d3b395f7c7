/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device's driver takes for each arc and each byte
 *
 * Rounds of the same work, each of which does all that is to be measured once, so that a machine
 * that drifts drifts for all of it. A first one warms up and does not count. Nothing but the device
 * takes part: streams are read to nowhere, or kept in memory.
 *
 *  BENCH_SAVE      the device is stopped, read to the end of its stream, and goes back
 *  BENCH_PRECOPY   the same, with rounds of pre-copy before
 *  BENCH_LOAD      what it just gave is loaded into itself
 *  BENCH_MOVE      its stream goes straight into a second device, which then runs, and is reset
 *                  before the first one runs again: never do both
 *
 * The last two lose the state that a device holds when they fail.
 */

#include "engine/bench-stats.h"
#include "engine/member.h"

enum bench_kind {
	BENCH_SAVE,
	BENCH_PRECOPY,
	BENCH_LOAD,
	BENCH_MOVE,
	BENCH_NR_KINDS
};

/** bench_kind_name() - "pre-copy" */
const char *bench_kind_name(enum bench_kind kind);

/**
 * struct bench_step - one step of the way of a kind, in the order in which they are taken
 * @second: of the second device
 * @stream: the stream is moved, in @from, which is @to; else it is an arc
 * @summary: of @ns, once the rounds are over
 */
struct bench_step {
	enum bench_kind kind;
	bool second, stream;
	enum mig_state from, to;
	struct bench_samples ns;
	struct bench_summary summary;
};

#define BENCH_STEPS_MAX 64u

enum bench_measure {
	BENCH_SAVE_DOWNTIME, /* from leaving RUNNING to being back there */
	BENCH_SAVE_STREAM, /* reading all of it */
	BENCH_SAVE_BYTES,
	BENCH_SAVE_RATE,
	BENCH_PRECOPY_DOWNTIME,
	BENCH_PRECOPY_TIME, /* in pre-copy's rounds */
	BENCH_PRECOPY_ROUNDS,
	BENCH_PRECOPY_BYTES, /* read in these */
	BENCH_PRECOPY_RATE,
	BENCH_PRECOPY_LEFT, /* bytes read after them, with the device stopped */
	BENCH_LOAD_DOWNTIME, /* from leaving RUNNING to running the state that was loaded */
	BENCH_LOAD_STREAM, /* writing all of it */
	BENCH_LOAD_RATE,
	BENCH_MOVE_ACCEPTED, /* from leaving RUNNING to the second driver's consent, in STOP */
	BENCH_MOVE_DOWNTIME, /* the same to RUNNING */
	BENCH_MOVE_STREAM, /* from one device into the other */
	BENCH_MOVE_RATE,
	BENCH_NR_MEASURES
};

enum bench_unit {
	BENCH_NS,
	BENCH_BYTES,
	BENCH_BYTES_PER_SECOND,
	BENCH_COUNT,
	BENCH_NR_UNITS
};

/**
 * struct bench_measure_info - what a measure is
 * @name: for scripts; @words: for people
 * @compared: against a baseline, less being better; others follow from these
 */
struct bench_measure_info {
	const char *name, *words;
	enum bench_unit unit;
	bool compared;
};

extern const struct bench_measure_info bench_measures[BENCH_NR_MEASURES];

#define BENCH_ROUNDS_MAX 100000u

/* What a load into the device itself keeps in memory, at most. */
#define BENCH_STREAM_MAX ((size_t)1 << 30)

/**
 * struct bench_options
 * @dev, @second: found; the caller's. @second may be NULL
 * @device: how to open them
 * @rounds: that count, at least 1
 * @destructive: loads are measured, too: into @second, or where there is none into @dev
 * @retry_ns: how long an arc that is refused for now is tried again
 * @run: @second runs what was loaded although no DMA is mapped for it
 */
struct bench_options {
	struct device *dev, *second;
	const struct device_options *device;
	unsigned int rounds;
	bool destructive, run;
	uint64_t retry_ns;
};

/**
 * struct bench_result - bench_result_done() frees it
 * @dev, @second: of the devices
 * @rounds: that were finished
 * @steps: @n_steps
 * @measures: samples; @summaries of them, once the rounds are over. A measure that the device has
 *            no use for, such as pre-copy, has no samples
 */
struct bench_result {
	struct member_result dev, second;
	unsigned int rounds;
	struct bench_step steps[BENCH_STEPS_MAX];
	unsigned int n_steps;
	struct bench_samples measures[BENCH_NR_MEASURES];
	struct bench_summary summaries[BENCH_NR_MEASURES];
};

void bench_result_done(struct bench_result *result);

/**
 * bench_run() - open the devices, measure, and leave them where they were found
 *
 * Called in a thread with every signal blocked. A cancel ends it after what is under way; a load
 * into the device itself is finished first. After a failure the devices are brought back as far as
 * what they hold allows, the second one first.
 *
 * Return: 0; as member_open(), -EBUSY also where a device's owner uses it; -EINVAL (ERR_USAGE)
 * where both are one device; -EFBIG (ERR_UNSUPPORTED) for a stream of more than BENCH_STREAM_MAX
 * that is to be kept; -ECANCELED; or what failed. @ret is set in any case.
 */
_must_check_ int bench_run(const struct bench_options *options, struct cancel *cancel,
			   struct bench_result *ret, struct err *err);
