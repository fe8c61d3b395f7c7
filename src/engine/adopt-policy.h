/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether a device may be taken from under the process that uses it
 *
 * The owner does not know that another process takes part: what it has begun itself (a migration of
 * its own, a load) must not be ended or settled here, as a session is that a dead process has left
 * behind. Its device is saved where it runs or is stopped, and is brought back there. Only a device
 * that its owner leaves alone is loaded: one that is stopped, as a paused VMM's is, or of an owner
 * that is frozen meanwhile. What is asked for explicitly, a state or a reset, is done to a device
 * in use, too, where the user is told or has said so; a session is left alone by these as well,
 * unless the user knows that nothing of it is left. ERROR may always be left by a reset.
 *
 * Pure. What the owner does to its device afterwards cannot be prevented: unless it is frozen, it
 * could begin a session of its own the next moment.
 */

#include <stdbool.h>

#include "fsm/fsm.h"

enum adopt_purpose {
	ADOPT_SAVE,
	ADOPT_LOAD,
	ADOPT_SET, /* set its state, as the user says */
	ADOPT_RESET,
	ADOPT_NR_PURPOSES
};

/**
 * struct adopt_facts - what is known
 * @state: as the device says
 * @saving, @loading: the owner has a driver's stream open that goes that way
 * @frozen: the owner does not run, or is stopped before the device is touched
 * @forced: the user says so, of ADOPT_SET and ADOPT_RESET: only a stream of the owner's forbids it
 */
struct adopt_facts {
	enum adopt_purpose purpose;
	enum mig_state state;
	bool saving, loading;
	bool frozen, forced;
};

enum adopt_verdict {
	ADOPT_TAKE,
	ADOPT_TELL, /* it may be taken, and the user has to hear that its owner uses it */
	ADOPT_OWNER_SAVES, /* it is in the saving group */
	ADOPT_OWNER_LOADS, /* it is in RESUMING */
	ADOPT_OWNER_MOVES, /* it is in RUNNING_P2P, on its way to somewhere */
	ADOPT_OWNER_READS, /* the owner has a stream open for reading, and has not ended with it */
	ADOPT_OWNER_WRITES, /* or for writing */
	ADOPT_RUNS, /* it is to be loaded, and its owner uses it */
	ADOPT_USED, /* it is to be reset, and is its owner's, running or stopped */
	ADOPT_BROKEN, /* it is in ERROR */
	ADOPT_NR_VERDICTS
};

enum adopt_verdict adopt_judge(const struct adopt_facts *facts);

/**
 * adopt_reason() - why not for @purpose: "its owner saves it itself"
 * @ret_hint: what to do about it
 *
 * Return: NULL for ADOPT_TAKE and ADOPT_TELL.
 */
const char *adopt_reason(enum adopt_purpose purpose, enum adopt_verdict verdict,
			 const char **ret_hint);
