/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When to leave pre-copy and stop the devices
 *
 * Decides, round by round, from what the devices of a set report together and what moving it took.
 * Pure: the caller owns devices and clock. Bounded, because a device may make new data for ever or
 * never tell any: by rounds, by time, and by giving up once what is dirty no longer shrinks.
 *
 * "Nothing left" is not believed at once. virtio looks for new data once a second, and says 0 to
 * who asks sooner; mlx5 makes it only when asked, and then takes its time. So for a second after
 * the last data, the devices are suspected of as much as came last. That holds up only those for
 * which it matters: where as much again would fit the downtime too, as with the few bytes that
 * mtty, hisi_acc, qat and virtio have, there is nothing to wait for.
 */

#include <stdbool.h>
#include <stdint.h>

/**
 * struct switchover_options - what is wished
 * @downtime_limit_ns: switch over when the devices are expected to be stopped no longer than this
 * @max_rounds, @max_ns: the budget
 * @stop_copy_rate: bytes a second that the stop-copy is held down to, 0 for none
 */
struct switchover_options {
	uint64_t downtime_limit_ns;
	unsigned int max_rounds;
	uint64_t max_ns;
	uint64_t stop_copy_rate;
};

/**
 * struct switchover_round - a round that has ended, of all devices together
 *
 * In a round each device is asked what is left, read until it has nothing for now, and asked again.
 * One that makes data as fast as it is read would never end it: so it ends after a while, too.
 *
 * @told: all devices that pre-copy tell what is left; else @initial and @dirty are of those that do
 * @cut: one that does not tell had more when the round ended: nothing is known of what it has left
 * @reinit: a device was reconfigured: its initial bytes start over
 * @quiescent: no round, but asked in PRE_COPY_P2P, when the devices had just been made
 *             P2P-quiescent
 * @stop_copy: bytes that STOP_COPY is expected to yield beside @dirty, 0 for unknown
 * @moved, @moved_ns: bytes read in the round, and how long that took, without what a limit of the
 *                    bandwidth made it wait
 * @moved_told: of @moved, those of devices that tell; matters only if not all do
 * @arcs_ns, @finish_ns: what the arcs to STOP_COPY and back, and sync or answer are expected to
 *                       take, as far as it is known
 * @now_ns: CLOCK_MONOTONIC
 */
struct switchover_round {
	bool told, cut, reinit, quiescent;
	uint64_t initial, dirty;
	uint64_t stop_copy;
	uint64_t moved, moved_ns, moved_told;
	uint64_t arcs_ns, finish_ns;
	uint64_t now_ns;
};

enum switchover_verdict {
	SWITCHOVER_NOT_YET, /* another round; of a quiescent set: back to PRE_COPY for it */
	SWITCHOVER_CONVERGED, /* the downtime is expected to fit */
	SWITCHOVER_DIVERGES, /* waiting longer would not help */
	SWITCHOVER_LIMIT, /* rounds or time are used up */
	SWITCHOVER_NR_VERDICTS
};

/**
 * struct switchover_decision - what is made of a round, with the numbers that made it
 * @number: of the round, from 1; a quiescent set is asked under the number of the last one
 * @left: bytes that would be read with the devices stopped: initial, dirty, stop-copy, and of a
 *        device that does not tell as many as the round brought
 * @suspected: bytes that may be dirty although 0 was told; waited for, not part of @left
 * @rate: bytes a second that the estimate goes by: as measured, or, until a round has moved enough
 *        to measure one, that of a slow link
 * @dirty_rate: bytes a second that got dirty of late, as far as it can be told; else 0
 * @estimate_ns: downtime that would be if the devices were stopped now
 * @estimated: that hangs neither on a rate that was never measured nor on data of which nothing is
 *             known
 * @pause_ns: before the next round; 0 to go on at once
 */
struct switchover_decision {
	enum switchover_verdict verdict;
	unsigned int number;
	struct switchover_round round;
	uint64_t left, suspected;
	uint64_t rate, dirty_rate;
	bool estimated;
	uint64_t estimate_ns;
	uint64_t pause_ns;
};

/** struct switchover_flow - bytes and the time in which they came; what is older counts less */
struct switchover_flow {
	uint64_t bytes, ns;
};

/**
 * struct switchover - history; switchover_start() begins it
 * @rounds: so far
 * @stalled: in a row in which nothing shrank
 * @idle: in a row in which there was nothing to do
 * @verdict: the last one
 * @least, @shrunk_ns: fewest bytes left since the initial ones have gone, and when that was
 * @brought: bytes of the last round that moved any
 * @opening, @through: no round before this one, or with it, has brought all that there was
 * @heard_ns: when a device last had, or told of, something to read
 * @looked, @initial, @before, @before_ns: devices have told so many bytes before, of them so many
 *                                         initial ones, and when
 * @link, @measured: what was moved, and that its rounds were large enough to go by
 * @dirt: what got dirty
 */
struct switchover {
	struct switchover_options options;
	unsigned int rounds;
	unsigned int stalled;
	unsigned int idle;
	enum switchover_verdict verdict;
	uint64_t start_ns;
	uint64_t least, shrunk_ns;
	uint64_t brought;
	bool opening, through;
	uint64_t heard_ns;
	bool looked;
	uint64_t initial, before, before_ns;
	bool measured;
	struct switchover_flow link, dirt;
};

void switchover_start(struct switchover *p, const struct switchover_options *options,
		      uint64_t now_ns);

/**
 * switchover_step() - judge a round
 *
 * CONVERGED never while there are initial bytes, nor while a device that does not tell has more,
 * nor in the first round that has brought all of that, nor in the one in which a device was
 * reconfigured: then all but the link's rate and the budget is forgotten. NOT_YET only within the
 * budget. Of a quiescent set, the last verdict, unless a device has started over.
 */
void switchover_step(struct switchover *p, const struct switchover_round *round,
		     struct switchover_decision *ret);

/** switchover_verdict_name() - "not-yet", "converged", "diverges", "limit" */
const char *switchover_verdict_name(enum switchover_verdict verdict);
