/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `recover` does with a transaction that a crash left
 *
 * By what this end's journal says of it, what the other end's says, and where this end's devices
 * are now. Pure: no clock, thread or descriptor.
 *
 * The rules are those of engine/move.h, read backwards:
 *  - a source whose record does not say COMMITTED has not decided. It aborts, without asking: its
 *    process is dead, and another one cannot have told the destination to start. Only where its
 *    devices have lost the state and the destination says that it is PREPARED, it commits: the
 *    other copy is the last one;
 *  - a destination that is PREPARED waits for the source's word. "No record" from the journal that
 *    was named in the source's HELLO is one: abort. A source that is busy, not to be reached, or
 *    has not been recovered itself, gives none;
 *  - a record that says COMMITTED is final at either end. The destination starts; the source never
 *    runs the state, and is done when the destination is;
 *  - a user may decide for an end that is gone for ever (enum recover_force). Where both ends have
 *    been, what was forced wins over what was not, and nothing starts by itself;
 *  - DONE and ABORTED are the end of it: devices that were once part of such a transaction are not
 *    touched any more, since they may be part of another.
 *
 * Devices follow a record, or a record devices, so that a crash between both leaves what the next
 * call treats in the same way: COMMITTED is written before a device starts, ABORTED and DONE when
 * all is done.
 */

#include <stdbool.h>

#include "engine/handover.h"
#include "wire/message.h"

/** enum recover_devices - this end's devices taken together: the worst of all */
enum recover_devices {
	RECOVER_RUN, /* they run; a destination's that has not begun to load: their own state */
	RECOVER_HOLD, /* stopped; a destination's hold what was loaded into them */
	RECOVER_LOADING, /* a destination's: RESUMING, what they held is gone */
	RECOVER_BLANK, /* their state is gone: they were reset, or are in ERROR */
	RECOVER_SILENT, /* they cannot be asked: gone, or in the hands of another process */
	RECOVER_NR_DEVICES
};

/** enum recover_other - what the other end says */
enum recover_other {
	RECOVER_OTHER_NONE, /* no record in the journal that it named then */
	RECOVER_OTHER_BEGUN,
	RECOVER_OTHER_PREPARED,
	RECOVER_OTHER_COMMITTED,
	RECOVER_OTHER_DONE,
	RECOVER_OTHER_ABORTED,
	RECOVER_OTHER_BUSY, /* a process works on it there */
	RECOVER_OTHER_UNREACHABLE, /* or another journal than the one that it named */
	RECOVER_NR_OTHERS
};

/** enum recover_force - the other end is gone for ever, says the user */
enum recover_force {
	RECOVER_NO_FORCE,
	RECOVER_FORCE_RUN, /* the devices run here */
	RECOVER_FORCE_DROP, /* they do not, and what is here of the state is given up */
	RECOVER_NR_FORCES
};

/** enum recover_action - in this order */
enum recover_action {
	RECOVER_WRITE = 1u << 0, /* recover_plan.phase into the record, with who forced it */
	RECOVER_GIVE_BACK = 1u << 1, /* the source's devices go to where they were found */
	RECOVER_DISCARD = 1u << 2, /* reset what was loaded away; stopped */
	RECOVER_STOP = 1u << 3, /* they must not run here: STOP */
	RECOVER_LOAD = 1u << 4, /* from the spool, into devices that have lost it; STOP */
	RECOVER_START = 1u << 5,
	RECOVER_FINISH = 1u << 6, /* recover_plan.last into the record, as RECOVER_WRITE */
	RECOVER_DROP_SPOOL = 1u << 7,
	RECOVER_TELL = 1u << 8, /* the other end, what this one says now */
};

/**
 * struct recover_plan
 * @phase: what RECOVER_WRITE writes
 * @last: what RECOVER_FINISH writes; without, as @phase, and without that, as it was
 * @outcome: OUTCOME_IN_DOUBT: ask again later
 */
struct recover_plan {
	unsigned int actions;
	enum wire_phase phase, last;
	enum outcome outcome;
	enum owner owner;
};

/**
 * recover_plan() - Return: whether there is one; else the combination cannot come about without a
 * broken rule, or what is to be forced cannot be, nothing is done, and @ret says who may own the
 * state
 * @phase: of this end's record
 * @spooled: there is a complete image of the state at this end
 */
bool recover_plan(enum wire_role role, enum wire_phase phase, enum recover_devices devices,
		  bool spooled, enum recover_other other, enum recover_force force,
		  struct recover_plan *ret);

/**
 * recover_plan_busy() - what is to be said of a destination that a process of this end works on
 * @phase: its record's; or, if @answered, what that process says
 *
 * That it has decided is not that its devices have started, but by its own word.
 */
void recover_plan_busy(enum wire_phase phase, bool answered, struct recover_plan *ret);

/**
 * recover_recall() - what is to be made of what was heard of the other end just now
 * @told: how it was over there, as it has said before; WIRE_PHASE_NONE where it has not
 *
 * A record that is over stays so: where the other end says nothing now, is busy with it still, or
 * has forgotten it, what it has said counts.
 */
enum recover_other recover_recall(enum recover_other heard, enum wire_phase told);

/**
 * recover_is_contrary() - what was heard now takes back what was told before, as no end does
 *
 * One of both is not to be believed, and nothing says which.
 */
bool recover_is_contrary(enum recover_other heard, enum wire_phase told);

/** enum recover_note - what becomes of a word that is said to what only answers for this end */
enum recover_note {
	RECOVER_NOTE_NOTHING, /* it is not over there, or no news, or it is over here */
	RECOVER_NOTE_IT,
	RECOVER_NOTE_CONTRARY, /* it takes back what was noted, which stays: no end does */
};

/**
 * recover_note() - by @says, the word
 * @ours: this end's phase
 * @told: what was noted before, or WIRE_PHASE_NONE
 */
enum recover_note recover_note(enum wire_phase ours, enum wire_phase told, enum wire_phase says);

/** enum recover_start - whether RECOVER_START starts a destination's devices: the user's wish */
enum recover_start {
	RECOVER_START_AS_RECEIVED, /* as `receive` was to: what the record says */
	RECOVER_START_ALL,
	RECOVER_START_NONE, /* also of what is passed on: its new holder starts it */
	RECOVER_NR_STARTS
};

/** recover_starts() - Return: whether they are. @run: the record's */
bool recover_starts(enum recover_start start, bool run);
