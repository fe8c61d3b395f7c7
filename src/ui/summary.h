/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a run comes to: how long each device was down, and what for
 *
 * A listener of the engine's events, live or from a file. Pure.
 *
 * A device is down from the start of the arc that takes it out of RUNNING or PRE_COPY (to be
 * P2P-quiescent counts) to the end of the one that brings it back, or the recovery that does. All
 * of that time is counted under exactly one cause.
 */

#include "base/err.h"
#include "engine/event.h"
#include "engine/timeline.h"

/**
 * enum summary_cause - what a device that is down does
 * @SUMMARY_ARCS: the driver changes its state
 * @SUMMARY_WAITING: it has done its part of a phase, and waits for other devices
 * @SUMMARY_STREAM: its stream is moved
 * @SUMMARY_FINISH: the output is synced, or the receiver's answer waited for
 * @SUMMARY_RETRYING: an arc was refused, and will be tried again
 * @SUMMARY_OTHER: anything else
 */
enum summary_cause {
	SUMMARY_ARCS,
	SUMMARY_WAITING,
	SUMMARY_STREAM,
	SUMMARY_FINISH,
	SUMMARY_RETRYING,
	SUMMARY_OTHER,
	SUMMARY_NR_CAUSES
};

/**
 * struct summary_device - a device's part
 * @timeline: all of its arcs
 * @opened, @state: where it is, once that is known
 * @bytes, @stream_ns: of its stream
 * @streams: a stream that a stopped device waits for is not complete yet
 * @downtime_ns, @causes_ns: so far, and what for
 * @down, @down_since_ns: it is now
 * @stopped, @stopped_ns: when it came to a stop in PHASE_STOP, the last time
 * @recovered, @recovery: after a failure
 */
struct summary_device {
	struct timeline timeline;
	bool opened;
	enum mig_state state;
	uint64_t bytes, stream_ns;
	bool streams;
	uint64_t downtime_ns, causes_ns[SUMMARY_NR_CAUSES];
	bool down;
	uint64_t down_since_ns;
	bool stopped;
	uint64_t stopped_ns;
	bool recovered;
	struct mig_recovery recovery;

	enum summary_cause doing;
	uint64_t counted_ns; /* all up to here has its cause */
};

#define SUMMARY_ACTIONS_MAX 64
#define SUMMARY_FAILURES_MAX 16
#define SUMMARY_MOVES_MAX 64

struct summary_failure {
	int device; /* EVENT_SET for none */
	char message[sizeof(((struct err *)0)->text)];
};

/** struct summary_move - a move between hosts came to @state */
struct summary_move {
	enum move_state state;
	uint64_t ns;
};

/**
 * struct summary - of the set
 * @start_ns, @end_ns: of the first and the last event
 * @phase, @in_phase: the last one, if any; @phased: those that there were
 * @rounds: of pre-copy
 * @decided, @decision: the one that ended pre-copy, or while there is none, the last one
 * @actions: the first of @acted ones that do something
 * @moves: the first of @moved ones
 * @failures: the first of @failed ones
 * @was_down, @down_start_ns, @down_end_ns: the first moment that a device was down, and the last
 */
struct summary {
	unsigned int n;
	struct summary_device *devices;
	bool any;
	uint64_t start_ns, end_ns;
	bool in_phase;
	enum phase phase;
	bool phased[PHASE_NR];
	unsigned int rounds;
	bool decided;
	struct switchover_decision decision;
	unsigned int acted;
	struct event_action actions[SUMMARY_ACTIONS_MAX];
	unsigned int moved;
	struct summary_move moves[SUMMARY_MOVES_MAX];
	unsigned int failed;
	struct summary_failure failures[SUMMARY_FAILURES_MAX];
	bool was_down;
	uint64_t down_start_ns, down_end_ns;
};

/** summary_acts() - the actor does something then: the freezer has nothing to do in between */
bool summary_acts(const struct event_action *action);

_must_check_ int summary_init(struct summary *s, unsigned int n, struct err *err);
void summary_done(struct summary *s);

/** summary_on_event() - an event_fn; @summary: struct summary */
void summary_on_event(void *summary, const struct event *e);

/** summary_end() - there are no more events: what is still down is counted up to the last one. */
void summary_end(struct summary *s);

/** summary_downtime() - of the device that was down longest */
uint64_t summary_downtime(const struct summary *s);

/**
 * summary_skew() - time between the first and the last device's stop
 *
 * Return: false where there are no two devices that were stopped; @ret is then untouched.
 */
bool summary_skew(const struct summary *s, uint64_t *ret);

/** summary_cause_name() - "waiting" */
const char *summary_cause_name(enum summary_cause cause);
