/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the guardian makes of a device when this process was killed half-way
 *
 * It knows what it was told last, before the step that makes it true, and where the device says
 * that it is: together they tell whose state it holds, and who has put it there. A device that may
 * hold its owner's state is never reset. Where this process cannot have put it, its owner has, and
 * there it stays: a pause is not undone. An owner that sets the very state in which this process
 * has put its device already, or is about to, cannot be told from that.
 *
 * Pure.
 */

#include <stdbool.h>
#include <stdint.h>

#include "device/device.h"
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

/* Whose it is to bring back a device when this process was killed. */
enum guard_duty {
	GUARD_BY_CLOSE, /* none has it open any more: what it was in the middle of ends with that */
	GUARD_BY_LENDER, /* its holder or server hears of the end, and does it */
	GUARD_BY_GUARDIAN, /* another process has it open, and does not hear of it */
};

/** guard_duty() - pid: and fd: and unix: are shared, whether or not it is known who has them */
enum guard_duty guard_duty(enum device_ownership ownership);

/**
 * struct guard_mark - what this process does to a device
 * @from, @to: the arc that it takes; both the same where it has put the device last
 * @owner_stopped: its owner has stopped it by itself, when it was told to pause
 */
struct guard_mark {
	enum mig_state from, to;
	bool owner_stopped;
};

/* As the guardian is told of it: any mark fits. */
uint8_t guard_mark_pack(const struct guard_mark *mark);
struct guard_mark guard_mark_unpack(uint8_t packed);

/** guard_owner_moved() - this process has not put it where it was met: another one has */
bool guard_owner_moved(const struct guard_mark *mark, enum mig_state met);

/**
 * struct guard_plan - what to do with it
 * @act: bring it to @want, holding @holds; else it is left alone
 * @whole: it is left alone with its own state: its owner has moved it meanwhile, as when an action
 *         script has asked for that, and can move it back
 */
struct guard_plan {
	bool act, whole;
	enum mig_holds holds;
	enum mig_state want;
};

/** guard_lost() - what was met in @met has lost its own state; a load that was cut off is in it */
bool guard_lost(enum guard_note note, const struct guard_mark *mark, enum mig_state met);

/**
 * guard_whole_after_close() - of GUARD_BY_CLOSE: it is where it was found, with its own state
 * @effect: what closing it did
 *
 * It cannot be asked: only one that was not touched yet, or was back already, is known to be.
 */
bool guard_whole_after_close(const struct guard_mark *mark, enum mig_state found,
			     enum close_effect effect);

/**
 * struct guard_facts - what is known of a device
 * @met: where this process has left it; MIG_ERROR where it did not say
 * @at: where it says that it is, once the guardian is at work
 * @found: where it was found, settled
 * @any_lost: guard_lost() of any of the set: of a set, none runs without the others
 */
struct guard_facts {
	enum guard_note note;
	struct guard_mark mark;
	enum mig_state met, at, found;
	bool any_lost;
};

/** guard_home() - where it belongs if nothing is lost */
enum mig_state guard_home(const struct guard_mark *mark, enum mig_state found);

/** guard_plan() - what to do with it */
struct guard_plan guard_plan(const struct guard_facts *facts);
