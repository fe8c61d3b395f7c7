/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How long a device was in each state, as seen by looking now and then
 *
 * A state that was entered and left between two looks is not seen, and each change is as late as
 * the look that saw it: @longest_gap_ns says how late that can have been. Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "fsm/fsm.h"

/**
 * struct dwell - one device's; zeroes to begin with
 * @known, @state, @since_ns: the state now, and since when
 * @total_ns, @visits: of each state, without the one now
 * @down, @down_since_ns: it has ceased to run; since when
 * @downtime_ns: all that it did not run, from a running state to the next one; P2P-quiescent counts
 *               as down, as everywhere
 * @longest_gap_ns: between two looks
 */
struct dwell {
	bool known;
	enum mig_state state;
	uint64_t since_ns;
	uint64_t total_ns[MIG_NR_STATES];
	unsigned int visits[MIG_NR_STATES];
	bool down;
	uint64_t down_since_ns, downtime_ns;
	uint64_t looks, last_look_ns, longest_gap_ns;
};

/**
 * struct dwell_change - what a look has found
 * @had, @from, @ns: the state before, and how long the device was in it; unless it was not known
 * @up, @down_ns: it runs again, after so long
 */
struct dwell_change {
	bool had;
	enum mig_state from;
	uint64_t ns;
	bool up;
	uint64_t down_ns;
};

/* Outcomes of dwell_look(). */
enum dwell_seen {
	DWELL_SAME,
	DWELL_CHANGED
};

/** dwell_look() - it is in @state at @now_ns. @ret is set for DWELL_CHANGED only. */
enum dwell_seen dwell_look(struct dwell *d, enum mig_state state, uint64_t now_ns,
			   struct dwell_change *ret);

/**
 * dwell_lose() - its state is not known any more: it is gone, or closed
 *
 * A downtime that has not ended is dropped: whether the device will run again is not known. Return:
 * DWELL_SAME when it was not known before either.
 */
enum dwell_seen dwell_lose(struct dwell *d, uint64_t now_ns, struct dwell_change *ret);
