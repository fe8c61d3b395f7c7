/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What to do with a device after a failure
 *
 * A reset destroys the state that a device holds. It is the last resort for a device in ERROR,
 * whose state is lost already, and the only way to drop a load that is given up: some drivers take
 * RESUMING -> STOP for the end of a complete load. In every other state the device holds something
 * that may exist nowhere else, so it is walked to where it belongs, or left where it is.
 *
 * A device of another process is that one's: where it has put the device meanwhile, there it stays.
 * Only a load of ours that is given up is dropped there, too.
 *
 * Pure: device/recover.h asks the device and carries out what this says.
 */

#include <stdbool.h>

/**
 * enum mig_holds - whose state a device holds
 * @MIG_HOLDS_OWN: its own; a destination's before RESUMING, too
 * @MIG_HOLDS_GIVEN_UP: a load of ours, whole or in part, that is given up before the sender was
 *                      told "accepted"
 * @MIG_HOLDS_ACCEPTED: a load whose sender was told "accepted", or may have been: the only copy
 * @MIG_HOLDS_NOTHING: it has been reset
 */
enum mig_holds {
	MIG_HOLDS_OWN,
	MIG_HOLDS_GIVEN_UP,
	MIG_HOLDS_ACCEPTED,
	MIG_HOLDS_NOTHING,
	MIG_NR_HOLDS
};

/** enum mig_place - where it is, by its own word, as seen from where it is wanted */
enum mig_place {
	MIG_PLACE_UNKNOWN, /* it does not answer */
	MIG_PLACE_WANTED,
	MIG_PLACE_ERROR,
	MIG_PLACE_RESUMING,
	MIG_PLACE_OTHER,
	MIG_PLACE_MOVED, /* elsewhere, where the process that shares it has put it: not in ERROR */
	MIG_NR_PLACES
};

/**
 * enum mig_step - the next thing to do
 * @MIG_STEP_LEAVE: nothing helps without destroying what it holds: leave it there and say so
 */
enum mig_step {
	MIG_STEP_DONE,
	MIG_STEP_WALK,
	MIG_STEP_RESET,
	MIG_STEP_LEAVE
};

enum mig_step mig_next_step(enum mig_holds holds, enum mig_place place);

/**
 * enum mig_fate - what became of the state that a device held
 * @MIG_FATE_BACK: the device is where it was wanted, or where its owner wants it, and has it
 * @MIG_FATE_HOLDS: the device is elsewhere, and has it
 * @MIG_FATE_BLANK: it is gone; the device is where it was wanted, after a reset
 * @MIG_FATE_LOST: it is gone, and the device is not where it was wanted
 * @MIG_FATE_UNKNOWN: the device does not answer
 */
enum mig_fate {
	MIG_FATE_BACK,
	MIG_FATE_HOLDS,
	MIG_FATE_BLANK,
	MIG_FATE_LOST,
	MIG_FATE_UNKNOWN,
	MIG_NR_FATES
};

/** mig_fate_of() - @lost: it was reset, by this process or another, since it held its state */
enum mig_fate mig_fate_of(enum mig_place place, bool lost);
