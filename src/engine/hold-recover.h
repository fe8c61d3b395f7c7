/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bringing back a device that a client has left in the middle of something
 *
 * The work of a struct hold_call: its arcs are a driver's, and may take for ever.
 */

#include "base/cancel.h"
#include "device/backend.h"
#include "device/hold-message.h"
#include "engine/hold-lease.h"

/**
 * struct hold_recover - what is to be made up for, and what was done
 * @mig: the thread's from the beginning of the recovery to its end
 * @end: LEASE_LOST, or LEASE_CHANGE_ENDED
 * @if_lost, @found: of the client that was lost
 * @drain_ns: how long an arc that the device refuses is tried again
 * @restored: the device is where the client has found it, with its own state; the thread's
 * @text: what was found and done, in words; the thread's
 */
struct hold_recover {
	struct mig_dev *mig;
	enum lease_verdict end;
	enum hold_if_lost if_lost;
	enum mig_state found;
	uint64_t drain_ns;
	bool restored;
	char text[HOLD_TEXT_MAX];
};

/** hold_recover() - do it; @cancel is the device's meanwhile, and tells what it is in */
void hold_recover(struct hold_recover *r, struct cancel *cancel);
