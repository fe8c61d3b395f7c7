/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What happens in a save or a load, as typed records
 *
 * The engine tells; progress, reports and pictures listen, and keep no figures of another source.
 * Threads of several devices emit, and a listener has one record at a time, in the order of their
 * times. It is called in the thread of a device that may be stopped: it must be quick, and wait for
 * no reader.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "device/backend.h"
#include "device/recover.h"
#include "engine/action-plan.h"
#include "engine/move.h"
#include "engine/phases.h"
#include "engine/switchover.h"

/**
 * enum event_kind - what has happened, and which member of struct event tells more
 * @EVENT_OPENED: a device is open, in this state
 * @EVENT_PHASE: the set begins a phase
 * @EVENT_ARC: a device has tried an arc, whose start and end are in it
 * @EVENT_ARRIVED: a device has done its part of a phase, and waits for the others
 * @EVENT_BARRIER: all have done their part of a phase
 * @EVENT_PROGRESS: a device's stream has come so far
 * @EVENT_ROUND: a device's part of a round of pre-copy has ended
 * @EVENT_DECISION: what pre-copy's policy makes of the round
 * @EVENT_STREAM: a device's stream is complete
 * @EVENT_FINISH: the output's end is on its way: it is synced, or the receiver's answer waited for
 * @EVENT_FINISHED: that has ended, well or not
 * @EVENT_FAILURE: what has ended the work of a device, or of the set
 * @EVENT_RECOVERY: how a device was brought back after a failure
 * @EVENT_ACTION: what was done to the devices' user, whose start and end are in it
 * @EVENT_MOVE: a move between hosts has come to another state of its machine
 */
enum event_kind {
	EVENT_OPENED,
	EVENT_PHASE,
	EVENT_ARC,
	EVENT_ARRIVED,
	EVENT_BARRIER,
	EVENT_PROGRESS,
	EVENT_ROUND,
	EVENT_DECISION,
	EVENT_STREAM,
	EVENT_FINISH,
	EVENT_FINISHED,
	EVENT_FAILURE,
	EVENT_RECOVERY,
	EVENT_ACTION,
	EVENT_MOVE,
	EVENT_NR_KINDS
};

/**
 * struct event_progress
 * @bytes: of the device's stream, pre-copy included; an image is verified before it is loaded, and
 *         then they start anew
 * @expected: of the stream in all, 0 for unknown; a guess of the driver's unless @exact
 */
struct event_progress {
	uint64_t bytes, expected;
	bool exact;
};

/**
 * struct event_round
 * @number: from 1
 * @bytes, @ns: read in it, and how long that took
 * @told: the device has told the rest, as struct mig_precopy_info
 */
struct event_round {
	unsigned int number;
	uint64_t bytes, ns;
	bool told;
	struct mig_precopy_info info;
};

/** struct event_stream - @bytes of it, and the time @ns that it took to move them */
struct event_stream {
	uint64_t bytes, ns;
};

/** struct event_action - @result: 0 or negative errno */
struct event_action {
	enum action action;
	enum action_actor actor;
	uint64_t start_ns, ns;
	int result;
};

#define EVENT_SET (-1)

/**
 * struct event - one record
 * @ns: CLOCK_MONOTONIC
 * @device: its index in the set; EVENT_SET for what is of all
 */
struct event {
	enum event_kind kind;
	uint64_t ns;
	int device;
	union {
		enum mig_state state;
		enum phase phase;
		struct mig_arc arc;
		struct event_progress progress;
		struct event_round round;
		struct switchover_decision decision;
		struct event_stream stream;
		const struct err *failure;
		const struct mig_recovery *recovery;
		struct event_action action;
		enum move_state move;
	};
};

typedef void event_fn(void *ctx, const struct event *e);

#define EVENT_LISTENERS_MAX 4

/**
 * struct events - who listens
 * @dates_progress: one of them wants to know when progress was made
 *
 * Listeners are added before the first event, and outlive the last one.
 */
struct events {
	pthread_mutex_t lock;
	unsigned int n;
	bool dates_progress;
	struct {
		event_fn *fn;
		void *ctx;
	} listeners[EVENT_LISTENERS_MAX];
};

void events_init(struct events *events);
void events_done(struct events *events);
void events_listen(struct events *events, event_fn *fn, void *ctx);

/**
 * events_listen_figures() - the same, for one that does not look at the time of EVENT_PROGRESS
 *
 * Each frame makes one, and to ask for the time takes a system call on some machines. Where all
 * listeners are of this kind, its time is 0.
 */
void events_listen_figures(struct events *events, event_fn *fn, void *ctx);

/** event_emit() - @e to all listeners; its time is set here. @events may be NULL. */
void event_emit(struct events *events, struct event *e);
