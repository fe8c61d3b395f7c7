/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which process holds a device after a load
 *
 * A state that was loaded lives as long as a process has the device open. It may be this one; or
 * one that this becomes (a command is executed), that this starts (a daemon), or that takes the
 * descriptors over a socket. The machine below decides when this process may let go: not before
 * the other one has them for certain. Until then a failure leaves the device open here.
 *
 * Which device has the state is not asked here: the one that it was loaded into, whichever process
 * holds it. That was engine/handover.h's to decide.
 *
 * Pure: no clock, no thread, no descriptor.
 */

#include <stdbool.h>

#include "engine/handover.h"

/** enum successor_stage - how far the descriptors have gone */
enum successor_stage {
	SUCCESSOR_HERE, /* nowhere */
	SUCCESSOR_OFFERED, /* the other process may have them */
	SUCCESSOR_TOOK, /* it says that it has them */
	SUCCESSOR_REFUSED, /* it says that it has not */
	SUCCESSOR_FAILED, /* they never left */
	SUCCESSOR_DOUBT, /* it may have them, and says nothing */
	SUCCESSOR_NR_STAGES
};

enum successor_event {
	SUCCESSOR_ON_OFFER, /* about to be sent, or inherited */
	SUCCESSOR_ON_TAKE,
	SUCCESSOR_ON_REFUSE,
	SUCCESSOR_ON_FAILURE, /* anything else: an error, an end of file, a timeout, a cancel */
	SUCCESSOR_NR_EVENTS
};

enum successor_stage successor_next(enum successor_stage stage, enum successor_event event);

/** enum successor_hold - what this process does with the device */
enum successor_hold {
	SUCCESSOR_LET_GO, /* the other one keeps it open */
	SUCCESSOR_HOLD, /* keep it open until the user says otherwise */
};

enum successor_hold successor_holds(enum successor_stage stage);

/**
 * successor_verdict() - what to report
 * @stage: of the last four
 * @loaded: what the load came to, with status HANDOVER_DONE
 */
struct handover_verdict successor_verdict(enum successor_stage stage,
					  struct handover_verdict loaded);

/**
 * successor_worst() - of several devices that went one by one
 *
 * A device that was taken while another was not is as good as one in doubt: its new holder has it,
 * and this process, which holds the set together, has it, too.
 */
enum successor_stage successor_worst(const enum successor_stage *stages, unsigned int n);
