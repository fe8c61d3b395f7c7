/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Pre-copy: rounds of reading while the devices run, until the policy says to stop them
 *
 * All devices of the set take part in a round at the same time; engine/switchover.h decides after
 * each, from what they have told together.
 */

#include "engine/lane.h"
#include "engine/set.h"
#include "engine/switchover.h"

/* What is done when the policy says that it will not converge. */
enum on_divergence {
	ON_DIVERGENCE_STOP, /* the devices are stopped all the same, for as long as it takes */
	ON_DIVERGENCE_ABORT, /* they run on, and nothing is saved */
};

/**
 * struct converge_options
 * @policy: what is wished
 * @downtime_max_ns: devices that were stopped for longer run on, and nothing is saved; 0 for any
 * @returns: the devices run again after the save, so that the way back is part of the downtime
 */
struct converge_options {
	struct switchover_options policy;
	enum on_divergence on_divergence;
	uint64_t downtime_max_ns;
	bool returns;
};

/** struct converge_round - what a device has told in a round; @cut: it had more when that ended */
struct converge_round {
	struct event_round event;
	bool cut;
	uint64_t stop_copy;
};

/**
 * struct converge
 * @lanes: of the devices of @set
 * @rounds: of each device; the caller's, zeroed, as many as the set has devices
 * @decision: the last one, if @decided
 * @deadline_ns: when the time in pre-copy is used up
 * @held_up_ns: that a limit of the bandwidth has kept the last round waiting
 */
struct converge {
	const struct converge_options *options;
	struct set *set;
	struct lane *lanes;
	struct converge_round *rounds;
	struct switchover policy;
	struct switchover_decision decision;
	bool decided;
	uint64_t deadline_ns;
	uint64_t held_up_ns;
};

/** converge_wanted() - a device of the set can be pre-copied, and runs */
bool converge_wanted(const struct set *set);

/**
 * converge_run() - from where the devices are to all of them P2P-quiescent, by PRE_COPY
 *
 * A device can be reconfigured between the last look and its quiescence (REINIT): then what
 * pre-copy brought is stale, and another turn costs less than a long stop.
 *
 * Return: 0; -ETIME (ERR_ABORTED) where it does not converge and that is to end it; -ECANCELED; or
 * what failed.
 */
_must_check_ int converge_run(struct converge *c, struct err *err);
