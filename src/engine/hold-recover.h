/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bringing back a device that a client has left in the middle of something
 *
 * The arcs are a driver's, and may take for ever. They are taken in a thread of the recovery's own,
 * which alone touches the device until it has ended: a driver that hangs holds up neither the other
 * devices nor the signals. The thread fills in its own report; only its end and its clock, both
 * descriptors, are of interest to the loop.
 */

#include "device/backend.h"
#include "device/hold-message.h"
#include "engine/hold-lease.h"

/**
 * struct hold_recover_order - what is to be made up for
 * @mig: the thread's from the beginning of the recovery to its end
 * @end: LEASE_LOST, or LEASE_CHANGE_ENDED
 * @if_lost, @found: of the client that was lost
 * @drain_ns: how long an arc that the device refuses is tried again
 */
struct hold_recover_order {
	struct mig_dev *mig;
	enum lease_verdict end;
	enum hold_if_lost if_lost;
	enum mig_state found;
	uint64_t drain_ns;
};

struct hold_recover;

/** hold_recover_start() - Return: 0, and hold_recover_end() or _forsake() has to follow. */
_must_check_ int hold_recover_start(const struct hold_recover_order *order,
				    struct hold_recover **ret, struct err *err);

/** hold_recover_done_fd() - readable once the thread is through with the device */
int hold_recover_done_fd(const struct hold_recover *r);

/** hold_recover_late_fd() - readable once its driver may hang; -1 after hold_recover_note_late() */
int hold_recover_late_fd(const struct hold_recover *r);

/** hold_recover_note_late() - from here on no client is kept waiting for its end */
void hold_recover_note_late(struct hold_recover *r);
bool hold_recover_is_late(const struct hold_recover *r);

/** hold_recover_waits_for() - "stop-copy -> stop, for 12 s". Return: @buf. */
char *hold_recover_waits_for(struct hold_recover *r, char *buf, size_t size);

/** hold_recover_await() - wait a moment for its end, with no try left. Return: it has ended. */
bool hold_recover_await(struct hold_recover *r);

/**
 * hold_recover_end() - once hold_recover_done_fd() is readable
 * @text: what was found and done, in words
 *
 * Return: whether the device is where the client has found it, with its own state.
 */
bool hold_recover_end(struct hold_recover *r, char text[HOLD_TEXT_MAX]);

/** hold_recover_forsake() - the driver does not come back: the device stays its thread's */
void hold_recover_forsake(struct hold_recover *r);
