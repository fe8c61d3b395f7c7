/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The order in which a set of devices is stopped and started
 *
 * Devices of one workload do DMA to each other. By the uAPI text of VFIO_MIGRATION_P2P, none may
 * stop before all are P2P-quiescent (RUNNING_P2P, PRE_COPY_P2P: they answer, and ask nothing), and
 * none may run in full before all can answer. So a save and a load are phases: each device goes as
 * far as its phase says, all at the same time, and the next phase begins when all have come there.
 * One device takes the same way.
 *
 * Pure: no descriptor, clock or thread.
 */

#include <stdbool.h>

#include "uapi/vfio.h"

/**
 * enum phase - in the order in which a save, then a load goes through them
 *
 * A save: SETTLE, PRE_COPY, QUIESCE, STOP, STOP_COPY, then START_P2P and START back to where the
 * devices were found. A load: SETTLE, QUIESCE, STOP, LOAD, JUDGE, START_P2P, START.
 */
enum phase {
	PHASE_SETTLE, /* end the sessions that other processes have left behind */
	PHASE_PRE_COPY, /* read what can be read while the devices run */
	PHASE_QUIESCE, /* no device starts DMA to another any more */
	PHASE_STOP, /* no device does anything any more */
	PHASE_STOP_COPY, /* read the rest */
	PHASE_LOAD, /* RESUMING: write the streams */
	PHASE_JUDGE, /* the drivers say whether they accept the states */
	PHASE_START_P2P, /* all can answer each other */
	PHASE_START,
	PHASE_NR
};

/**
 * enum phase_unwind - what a failure in a phase makes of all devices
 * @PHASE_UNWIND_FOUND: they go back to where they were found, with their own state
 * @PHASE_UNWIND_HANDOVER: engine/handover.h says: back, discarded, or kept stopped
 */
enum phase_unwind {
	PHASE_UNWIND_FOUND,
	PHASE_UNWIND_HANDOVER
};

/** The next state on the way of a device's protocol: fsm_next(), fsm_v1_next(). */
typedef enum mig_state phase_next_fn(enum mig_state from, enum mig_state to, unsigned int caps);

/**
 * struct phase_place - where a device is, and what it can do
 * @want: where PHASE_START brings it
 * @toward: where PHASE_QUIESCE and PHASE_STOP lead: MIG_STOP_COPY or MIG_RESUMING
 * @precopy: it is to be pre-copied, if it can
 */
struct phase_place {
	phase_next_fn *next;
	unsigned int caps;
	enum mig_state state, want, toward;
	bool precopy;
};

/**
 * phase_target() - the state that a device goes to in @phase; its own where it has nothing to do
 *
 * A device without P2P has nothing to do in PHASE_QUIESCE, and one that leaves PRE_COPY_P2P goes to
 * STOP_COPY at once, as its session would end in STOP.
 */
enum mig_state phase_target(enum phase phase, const struct phase_place *place);

enum phase_unwind phase_unwind(enum phase phase);

/** phase_name() - "pre-copy" */
const char *phase_name(enum phase phase);

/** phase_parse() - the phase of a name. Return: false for none; @ret is then untouched. */
bool phase_parse(const char *name, enum phase *ret);
