/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the guardian makes of a device when this process was killed half-way
 *
 * It knows what it was told last, before the step that makes it true, and where the device says
 * that it is: together they tell whose state it holds. A device that may hold its owner's state is
 * never reset.
 *
 * Pure.
 */

#include <stdbool.h>

#include "device/recovery-policy.h"
#include "uapi/vfio.h"

/**
 * enum guard_note - how far it has come
 * @GUARD_RETURNS: the devices have their own states, and go back to where they were found
 * @GUARD_STAYS: the state may be running elsewhere, or is to
 * @GUARD_LOADING: the devices may be entering RESUMING, in which they lose their own states
 * @GUARD_JUDGING: the loads are complete, and the drivers may have accepted them
 * @GUARD_LOADED: the devices have the loaded states, and these may exist nowhere else
 * @GUARD_SETTLED: they are where they belong, and what their owners do with them is their own
 */
enum guard_note {
	GUARD_RETURNS,
	GUARD_STAYS,
	GUARD_LOADING,
	GUARD_JUDGING,
	GUARD_LOADED,
	GUARD_SETTLED,
	GUARD_NR_NOTES
};

/**
 * struct guard_plan - what to do with it
 * @act: bring it to @want, holding @holds; else it is left alone
 */
struct guard_plan {
	bool act;
	enum mig_holds holds;
	enum mig_state want;
};

/** guard_lost() - a device in @at has lost its own state, and a load that was cut off is in it */
bool guard_lost(enum guard_note note, enum mig_state at);

/**
 * guard_plan() - what to do with a device
 * @at: where it says that it is
 * @found: where it was found, settled
 * @any_lost: guard_lost() of any of the set: of a set, none runs without the others
 */
struct guard_plan guard_plan(enum guard_note note, enum mig_state at, enum mig_state found,
			     bool any_lost);
