/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the world outside may see of a transfer under way
 *
 * A listener of the engine's events (engine/event.h) keeps it, in the threads of devices; the user
 * interface reads it. Neither waits for the other: each figure is an atomic of its own, and figures
 * that are read together may be of two events in a row.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"
#include "engine/event.h"
#include "uapi/vfio.h"

/**
 * struct transfer_device - how far a device is
 * @bytes: of its stream
 * @expected: of the stream in all, as far as can be guessed; 0 for unknown
 * @exact: it is no guess; set before @expected
 * @state: enum mig_state, MIG_NR_STATES while the device is not open
 */
struct transfer_device {
	_Atomic uint64_t bytes, expected;
	atomic_bool exact;
	atomic_uint state;
};

/**
 * struct transfer_decision - what pre-copy's policy said last
 * @round: whose it is, 0 while there is none
 * @left: bytes that would be read with the devices stopped
 * @rate, @dirty_rate: bytes a second, 0 for unknown
 * @estimate_ns: downtime as expected, if @estimated
 */
struct transfer_decision {
	atomic_uint round;
	_Atomic uint64_t left, rate, dirty_rate, estimate_ns;
	atomic_bool estimated;
};

/**
 * struct transfer - how far it is
 * @idle: nothing is under way: another end has to begin something
 * @bytes, @expected, @exact, @state: where @n is 0: of the file that is scanned; else @bytes are
 *     what was scanned before the first device was opened
 * @n, @devices: of the set; 0 for a scan without devices
 * @phase: enum phase of the set, PHASE_NR while there is none
 */
struct transfer {
	uint64_t start_ns;
	atomic_bool idle;
	_Atomic uint64_t bytes;
	_Atomic uint64_t expected;
	atomic_bool exact;
	atomic_uint state;

	unsigned int n;
	struct transfer_device *devices;
	atomic_uint phase;
	struct transfer_decision decision;
};

/** transfer_start() - a scan without devices, which needs no transfer_done() */
void transfer_start(struct transfer *t);

/** transfer_init() - the work on @n devices begins now. */
_must_check_ int transfer_init(struct transfer *t, unsigned int n, struct err *err);

/** transfer_done() - also after a transfer_init() that failed, or transfer_start() */
void transfer_done(struct transfer *t);

/**
 * transfer_rest() - nothing is under way, and nothing known of what was, until the next event
 *
 * The devices may be open still: they are nothing that is to be brought back.
 */
void transfer_rest(struct transfer *t);

/** transfer_scanned() - so many bytes of the image's streams were read and checked. */
void transfer_scanned(struct transfer *t, uint64_t bytes);

/** transfer_on_event() - an event_fn; @transfer: struct transfer */
void transfer_on_event(void *transfer, const struct event *e);
