/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A move between hosts: who decides what, and when
 *
 * Two-phase commit with presumed abort. The source is the coordinator; its decision is the record
 * COMMITTED in its journal, once that is durable. Each end goes through its own machine below. What
 * happens at an end is an event; what it then has to do are actions, which it carries out in the
 * order of their bits and whose results are events again.
 *
 *	source                                  destination
 *	  AGREEING   -- OFFER -->                 AGREEING
 *	             <-- VERDICT --               ACCEPTED
 *	  BEGINNING  record BEGUN
 *	  BEGUN      -- FRAMES -->                BEGINNING  record BEGUN
 *	                                          LOADING    its devices lose their own state
 *	  ENDED      -- END -->                   JUDGING    drivers, spool
 *	                                          PREPARING  record PREPARED
 *	             <-- READY --                 PREPARED
 *	  DECIDING   record COMMITTED
 *	  COMMITTED  -- COMMIT -->                COMMITTING record COMMITTED
 *	                                          STARTING
 *	             <-- DONE --                  DONE       record DONE
 *	  DONE       record DONE
 *
 * What the two keep, whatever breaks and whichever end crashes (tests/unit/test-move-model):
 *  - the destination runs only when its record says COMMITTED, which it writes only after COMMIT;
 *  - the source sends COMMIT only when its record says COMMITTED, and never runs the state again
 *    from the moment on in which that may be so;
 *  - so of a state that moves, at most one end ever runs;
 *  - until READY either end may end it alone; afterwards the source alone; after its decision none.
 *
 * engine/handover.h has the status, outcome and owner that follow, and what becomes of devices.
 *
 * Pure: no clock, thread or descriptor.
 */

#include "engine/handover.h"
#include "wire/message.h"

enum move_state {
	/* the source's */
	MOVE_S_AGREEING,
	MOVE_S_BEGINNING,
	MOVE_S_BEGUN,
	MOVE_S_BROKEN, /* lost before READY, with retries left: the devices stay as they are */
	MOVE_S_ENDED,
	MOVE_S_DECIDING,
	MOVE_S_COMMITTED,
	MOVE_S_UNSURE, /* its record may say COMMITTED, or not */
	MOVE_S_DONE,
	MOVE_S_ABORTED,
	/* the destination's */
	MOVE_D_AGREEING,
	MOVE_D_ACCEPTED,
	MOVE_D_BEGINNING,
	MOVE_D_LOADING,
	MOVE_D_JUDGING,
	MOVE_D_PREPARING,
	MOVE_D_PREPARED,
	MOVE_D_RENEWING, /* offered the same transaction once more */
	MOVE_D_COMMITTING,
	MOVE_D_STARTING,
	MOVE_D_DONE,
	MOVE_D_FAILED, /* committed here, and a device does not run */
	MOVE_D_ABORTED,
	MOVE_NR_STATES
};

enum move_event {
	/* heard */
	MOVE_ON_OFFER, /* one that fits the devices */
	MOVE_ON_ACCEPT, /* VERDICT: yes */
	MOVE_ON_REFUSE, /* VERDICT: no; ABORT */
	MOVE_ON_FRAMES,
	MOVE_ON_END,
	MOVE_ON_READY, /* for what was sent */
	MOVE_ON_COMMIT, /* of this transaction and generation */
	MOVE_ON_DONE,
	/* of the record that was to be written */
	MOVE_ON_WRITTEN,
	MOVE_ON_NOT_WRITTEN, /* the old one is there */
	MOVE_ON_UNSURE,
	/* of the devices */
	MOVE_ON_SENT, /* the source's have given all of their state */
	MOVE_ON_TAKEN, /* the destination's drivers have accepted it, and the spool is durable */
	MOVE_ON_STARTED,
	MOVE_ON_FAILED,
	/* of the link and the user */
	MOVE_ON_LOST, /* broken, or silent */
	MOVE_ON_BREACH, /* the other end breaks the protocol; it may still be told so */
	MOVE_ON_LINKED, /* there is another link */
	MOVE_ON_CANCEL, /* a signal, a deadline */
	MOVE_NR_EVENTS
};

/** enum move_action - in this order */
enum move_action {
	MOVE_GIVE_BACK = 1u << 0, /* the devices go to where they were found, with their own state;
				     of a destination that has not yet touched one as well */
	MOVE_DISCARD = 1u << 1, /* what was loaded is reset away; the devices stay stopped */
	MOVE_WRITE = 1u << 2, /* the record: move_phase() of the new state */
	MOVE_SEND_OFFER = 1u << 3,
	MOVE_SEND_VERDICT = 1u << 4,
	MOVE_SEND_END = 1u << 5,
	MOVE_SEND_READY = 1u << 6,
	MOVE_SEND_COMMIT = 1u << 7,
	MOVE_SEND_DONE = 1u << 8,
	MOVE_SEND_ABORT = 1u << 9, /* last words, which may be lost */
	MOVE_TAKE = 1u << 10, /* the source: stop the devices, send their state */
	MOVE_LOAD = 1u << 11, /* the destination: devices to RESUMING, take FRAMES */
	MOVE_JUDGE = 1u << 12, /* RESUMING -> STOP, sync the spool */
	MOVE_START = 1u << 13,
	MOVE_RELINK = 1u << 14, /* the source: connect again. The destination: await a link */
	MOVE_RELEASE = 1u << 15, /* close the devices, or hand them back in STOP */
};

struct move_step {
	enum move_state next;
	unsigned int actions;
};

/**
 * move_step() - what @event does in @state
 * @retry: there is another try; of a source before READY
 *
 * An event that means nothing in a state leaves it there, without actions.
 */
struct move_step move_step(enum move_state state, enum move_event event, bool retry);

/** move_hears() - the event that a message is in @state; MOVE_ON_BREACH for one out of place */
enum move_event move_hears(enum move_state state, enum wire_type type);

/* What an OFFER is to the transaction that is known here, by the HELLO before it. */
enum move_try {
	MOVE_TRY_OTHER, /* of another transaction */
	MOVE_TRY_OLDER, /* by a link that the source has left, or by the same one */
	MOVE_TRY_NEWER, /* the source has left the links before: it has fewer retries left */
};

/** move_try() - what @hello begins where @known is the HELLO of what is known */
enum move_try move_try(const struct wire_hello *known, const struct wire_hello *hello);

enum move_admission {
	MOVE_ADMITTED, /* to be agreed on, as soon as the link that is there is over */
	MOVE_STALE, /* its source waits at another link */
	MOVE_BUSY, /* something else is under way, or it is decided */
};

/**
 * move_admits() - whether a destination in @state takes an OFFER by another link
 *
 * AGREEING is a destination that may still be offered anything; one that has lost its source, and
 * waits for that one to come again, is ABORTED.
 */
enum move_admission move_admits(enum move_state state, enum move_try offered);

/** move_phase() - what the record of a transaction in @state says */
enum wire_phase move_phase(enum move_state state);

/**
 * move_phase_ahead() - what the record says once what is waited for in @state has come
 *
 * WIRE_PHASE_NONE where that is not to be written, or not known: nothing is to be made ready then.
 */
enum wire_phase move_phase_ahead(enum move_state state);

/** move_sent(), move_received() - @state as engine/handover.h sees it */
enum handover_sent move_sent(enum move_state state);
enum handover_received move_received(enum move_state state);

/** move_decided() - too late for a cancel: the source has decided, or the destination waits */
bool move_decided(enum move_state state);

/** move_role() - whose state it is: WIRE_SOURCE or WIRE_DESTINATION */
enum wire_role move_role(enum move_state state);

/** move_state_name() - for messages and tests */
const char *move_state_name(enum move_state state);
