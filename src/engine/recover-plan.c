// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>

#include "base/macros.h"
#include "engine/recover-plan.h"

/* Sets of phases, devices, answers and forces. */
#define P(name) (1u << WIRE_PHASE_##name)
#define DEV(name) (1u << RECOVER_##name)
#define SAYS(name) (1u << RECOVER_OTHER_##name)
#define ANY (~0u)

#define S_OPEN (P(BEGUN) | P(COMMITTED))
#define D_OPEN (P(BEGUN) | P(PREPARED) | P(COMMITTED))

#define DECIDED (SAYS(COMMITTED) | SAYS(DONE))
#define NO_WORD (SAYS(BUSY) | SAYS(UNREACHABLE))

#define NOT_FORCED (1u << RECOVER_NO_FORCE)
#define FORCED_RUN (1u << RECOVER_FORCE_RUN)
#define FORCED_DROP (1u << RECOVER_FORCE_DROP)

#define WRITE RECOVER_WRITE
#define GIVE_BACK RECOVER_GIVE_BACK
#define DISCARD RECOVER_DISCARD
#define STOP RECOVER_STOP
#define LOAD RECOVER_LOAD
#define START RECOVER_START
#define FINISH RECOVER_FINISH
#define DROP_SPOOL RECOVER_DROP_SPOOL
#define DONE WIRE_PHASE_DONE
#define COMMITTED WIRE_PHASE_COMMITTED
#define ABORTED WIRE_PHASE_ABORTED

/**
 * struct recover_plan_row - the first one that fits is the plan
 * @spool: the row needs one
 * @none: there is no plan
 * @phase, @last: see struct recover_plan; 0 where nothing is written
 */
struct recover_plan_row {
	unsigned int phases, devices, others, forces;
	bool spool, none;
	unsigned int actions;
	enum wire_phase phase, last;
	enum outcome outcome;
	enum owner owner;
};

/* clang-format off */
#define NONE(...) false, true, 0, 0, 0, __VA_ARGS__
#define PLAN false, false
#define SPOOLED true, false

static const struct recover_plan_row recover_plan_source[] = {
	/* Over; but the other end may have been forced to something else. */
	{ P(DONE), ANY, SAYS(ABORTED), ANY, PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	{ P(DONE), ANY, ANY, ANY,           PLAN, 0, 0, 0, OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(ABORTED), ANY, DECIDED, ANY,    PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN },
	{ P(ABORTED), ANY, ANY, ANY,        PLAN, 0, 0, 0, OUTCOME_ABORTED, OWNER_SOURCE },

	/* Given up by its user: a destination that has the state may run it. */
	{ S_OPEN, ANY, DECIDED, FORCED_DROP,
	  PLAN, STOP | FINISH, 0, DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ S_OPEN, ANY, SAYS(NONE) | SAYS(ABORTED), FORCED_DROP,
	  PLAN, STOP | FINISH, 0, DONE, OUTCOME_COMPLETED, OWNER_NONE },
	{ S_OPEN, ANY, ANY, FORCED_DROP,
	  PLAN, STOP | FINISH, 0, DONE, OUTCOME_COMPLETED, OWNER_UNKNOWN },

	/* The record comes first: none must be told COMMITTED of what runs here. */
	{ S_OPEN, DEV(RUN), ANY, FORCED_RUN,
	  PLAN, WRITE, ABORTED, 0, OUTCOME_ABORTED, OWNER_SOURCE },
	{ S_OPEN, DEV(HOLD), ANY, FORCED_RUN,
	  PLAN, WRITE | GIVE_BACK, ABORTED, 0, OUTCOME_ABORTED, OWNER_SOURCE },
	{ S_OPEN, ANY, ANY, FORCED_RUN, NONE(OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN) },

	{ P(COMMITTED), ANY, DECIDED, ANY,
	  PLAN, STOP | FINISH, 0, DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
	/* Given up by its user at the other end: none runs. */
	{ P(COMMITTED), ANY, SAYS(ABORTED), ANY,
	  PLAN, STOP, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	/* "No record": done long ago and forgotten, or that journal was lost. */
	{ P(COMMITTED), ANY, ANY, ANY, PLAN, STOP, 0, 0, OUTCOME_IN_DOUBT, OWNER_UNKNOWN },

	/* The destination was forced to run it. */
	{ P(BEGUN), DEV(SILENT) | DEV(LOADING), DECIDED, ANY,
	  PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN },
	{ P(BEGUN), ANY, DECIDED, ANY,
	  PLAN, STOP | FINISH, 0, DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },

	{ P(BEGUN), DEV(RUN), ANY, ANY,  PLAN, FINISH, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(BEGUN), DEV(HOLD), ANY, ANY,
	  PLAN, GIVE_BACK | FINISH, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(BEGUN), DEV(BLANK), SAYS(PREPARED), ANY,
	  PLAN, WRITE, COMMITTED, 0, OUTCOME_IN_DOUBT, OWNER_DESTINATION },
	{ P(BEGUN), DEV(BLANK), NO_WORD, ANY, PLAN, 0, 0, 0, OUTCOME_IN_DOUBT, OWNER_UNKNOWN },
	{ P(BEGUN), DEV(BLANK), ANY, ANY,
	  PLAN, FINISH, 0, ABORTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	{ P(BEGUN), ANY, ANY, ANY,       PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_SOURCE },

	{ ANY, ANY, ANY, ANY, NONE(OUTCOME_IN_DOUBT, OWNER_UNKNOWN) },
};

static const struct recover_plan_row recover_plan_destination[] = {
	{ P(DONE), ANY, SAYS(ABORTED), ANY, PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN },
	{ P(DONE), ANY, ANY, ANY,           PLAN, 0, 0, 0, OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(ABORTED), ANY, DECIDED, ANY,    PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	{ P(ABORTED), ANY, ANY, ANY,        PLAN, 0, 0, 0, OUTCOME_ABORTED, OWNER_SOURCE },

	{ D_OPEN, ANY, DECIDED, FORCED_DROP,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_NONE },
	{ P(BEGUN) | P(PREPARED), ANY, SAYS(NONE) | SAYS(BEGUN) | SAYS(ABORTED), FORCED_DROP,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(COMMITTED), ANY, SAYS(ABORTED), FORCED_DROP,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ D_OPEN, ANY, ANY, FORCED_DROP,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_UNKNOWN },

	/* What the drivers have not accepted is a state only if all of the image is here. */
	{ P(BEGUN), ANY & ~DEV(SILENT), ANY, FORCED_RUN,
	  SPOOLED, WRITE | LOAD | START | FINISH | DROP_SPOOL, COMMITTED, DONE,
	  OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(BEGUN), ANY, ANY, FORCED_RUN, NONE(OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN) },

	/* The source was forced to run it. What is here stays, stopped. */
	{ P(COMMITTED), DEV(SILENT), SAYS(ABORTED), NOT_FORCED,
	  PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_UNKNOWN },
	{ P(COMMITTED), ANY, SAYS(ABORTED), NOT_FORCED,
	  PLAN, STOP | FINISH, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },

	/* Decided: what runs is done, what holds the state starts, what has lost it loads it. */
	{ P(COMMITTED), DEV(RUN), ANY, ANY,
	  PLAN, FINISH | DROP_SPOOL, 0, DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(COMMITTED), DEV(HOLD), ANY, ANY,
	  PLAN, START | FINISH | DROP_SPOOL, 0, DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(COMMITTED), DEV(LOADING) | DEV(BLANK), ANY, ANY,
	  SPOOLED, LOAD | START | FINISH | DROP_SPOOL, 0, DONE,
	  OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(COMMITTED), DEV(LOADING) | DEV(BLANK), ANY, ANY,
	  PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	{ P(COMMITTED), ANY, ANY, ANY, PLAN, 0, 0, 0, OUTCOME_DEVICE_ERROR, OWNER_DESTINATION },

	{ P(PREPARED), DEV(HOLD), DECIDED, ANY,
	  PLAN, WRITE | START | FINISH | DROP_SPOOL, COMMITTED, DONE,
	  OUTCOME_COMPLETED, OWNER_DESTINATION },
	/* What runs now is not what was loaded, which was never started. */
	{ P(PREPARED), ANY & ~DEV(SILENT), DECIDED, ANY,
	  SPOOLED, WRITE | LOAD | START | FINISH | DROP_SPOOL, COMMITTED, DONE,
	  OUTCOME_COMPLETED, OWNER_DESTINATION },
	{ P(PREPARED), DEV(SILENT), DECIDED, ANY,
	  PLAN, WRITE, COMMITTED, 0, OUTCOME_DEVICE_ERROR, OWNER_DESTINATION },
	{ P(PREPARED), ANY, DECIDED, ANY,
	  PLAN, WRITE, COMMITTED, 0, OUTCOME_DEVICE_ERROR, OWNER_NONE },

	/* Nor is it this transaction's to reset. */
	{ P(PREPARED), DEV(RUN), SAYS(NONE) | SAYS(ABORTED), ANY,
	  PLAN, FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(PREPARED), ANY, SAYS(NONE) | SAYS(ABORTED), ANY,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(PREPARED), ANY, NO_WORD | SAYS(BEGUN), ANY,
	  PLAN, 0, 0, 0, OUTCOME_IN_DOUBT, OWNER_UNKNOWN },

	/* Before READY a destination gives up alone; one that still runs its own state keeps it. */
	{ P(BEGUN), DEV(RUN), NO_WORD | SAYS(NONE) | SAYS(BEGUN) | SAYS(ABORTED), ANY,
	  PLAN, FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },
	{ P(BEGUN), ANY, NO_WORD | SAYS(NONE) | SAYS(BEGUN) | SAYS(ABORTED), ANY,
	  PLAN, DISCARD | FINISH | DROP_SPOOL, 0, ABORTED, OUTCOME_ABORTED, OWNER_SOURCE },

	/*
	 * Given up by its user at the source, before this end was ready. What may be the last copy
	 * is its user's to give up here, too; what the drivers had only a part of is none.
	 */
	{ P(BEGUN), ANY, DECIDED, ANY, SPOOLED, 0, 0, 0, OUTCOME_IN_DOUBT, OWNER_NONE },
	{ P(BEGUN), DEV(HOLD) | DEV(SILENT), DECIDED, ANY,
	  PLAN, 0, 0, 0, OUTCOME_IN_DOUBT, OWNER_NONE },
	{ P(BEGUN), DEV(RUN), DECIDED, ANY,
	  PLAN, FINISH, 0, ABORTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },
	{ P(BEGUN), ANY, DECIDED, ANY,
	  PLAN, DISCARD | FINISH, 0, ABORTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },

	{ ANY, ANY, ANY, ANY, NONE(OUTCOME_IN_DOUBT, OWNER_UNKNOWN) },
};
/* clang-format on */

/* What can be done to devices at all. RESUMING -> STOP is no way to give a load up. */
static unsigned int recover_plan_possible(enum recover_devices devices)
{
	switch (devices) {
	case RECOVER_RUN:
	case RECOVER_HOLD:
		return ANY;
	case RECOVER_LOADING:
		return ~(unsigned int)STOP;
	default:
		return ~(unsigned int)(STOP | DISCARD);
	}
}

/* An end that has not come to its own end by what this one says now. */
static bool recover_plan_tells(enum wire_phase now, enum recover_other other)
{
	return (P(COMMITTED) | P(DONE) | P(ABORTED)) & 1u << now &&
	       (SAYS(BEGUN) | SAYS(PREPARED) | SAYS(COMMITTED)) & 1u << other;
}

static bool recover_plan_fits(const struct recover_plan_row *row, enum wire_phase phase,
			      enum recover_devices devices, bool spooled, enum recover_other other,
			      enum recover_force force)
{
	return row->phases & 1u << phase && row->devices & 1u << devices &&
	       row->others & 1u << other && row->forces & 1u << force && (spooled || !row->spool);
}

bool recover_plan(enum wire_role role, enum wire_phase phase, enum recover_devices devices,
		  bool spooled, enum recover_other other, enum recover_force force,
		  struct recover_plan *ret)
{
	const struct recover_plan_row *row = role == WIRE_SOURCE ? recover_plan_source
								 : recover_plan_destination;
	enum recover_other word = other;

	/* It stands for the word that a prepared destination waits for. */
	if (role == WIRE_DESTINATION && phase == WIRE_PHASE_PREPARED && force == RECOVER_FORCE_RUN)
		word = RECOVER_OTHER_COMMITTED;
	/* The last row of either table fits everything. */
	while (!recover_plan_fits(row, phase, devices, spooled, word, force))
		row++;
	*ret = (struct recover_plan){
		.actions = row->actions & recover_plan_possible(devices),
		.phase = row->phase,
		.outcome = row->outcome,
		.owner = row->owner,
	};
	if (!(ret->actions & WRITE))
		ret->phase = phase;
	ret->last = ret->actions & FINISH ? row->last : ret->phase;
	if (!row->none && recover_plan_tells(ret->last, other))
		ret->actions |= RECOVER_TELL;
	return !row->none;
}

void recover_plan_busy(enum wire_phase phase, bool answered, struct recover_plan *ret)
{
	static const struct {
		unsigned int phases;
		bool answered; /* the row needs it */
		enum outcome outcome;
		enum owner owner;
	} rows[] = {
		{ P(DONE), false, OUTCOME_COMPLETED, OWNER_DESTINATION },
		{ P(COMMITTED), true, OUTCOME_COMPLETED, OWNER_DESTINATION },
		{ P(ABORTED), false, OUTCOME_ABORTED, OWNER_SOURCE },
		{ ANY, false, OUTCOME_IN_DOUBT, OWNER_UNKNOWN },
	};
	size_t i = 0;

	while (!(rows[i].phases & 1u << phase) || (rows[i].answered && !answered))
		i++;
	*ret = (struct recover_plan){
		.phase = phase,
		.last = phase,
		.outcome = rows[i].outcome,
		.owner = rows[i].owner,
	};
}

enum recover_other recover_recall(enum recover_other heard, enum wire_phase told)
{
	if (!(1u << heard & (NO_WORD | SAYS(NONE))))
		return heard;
	switch (told) {
	case WIRE_PHASE_DONE:
		return RECOVER_OTHER_DONE;
	case WIRE_PHASE_ABORTED:
		return RECOVER_OTHER_ABORTED;
	default:
		return heard;
	}
}

bool recover_is_contrary(enum recover_other heard, enum wire_phase told)
{
	/* What was aborted may have begun anew. */
	static const unsigned int takes_back[WIRE_NR_PHASES] = {
		[WIRE_PHASE_DONE] = SAYS(BEGUN) | SAYS(PREPARED) | SAYS(ABORTED),
		[WIRE_PHASE_ABORTED] = DECIDED,
	};

	return takes_back[told] & 1u << heard;
}

enum recover_note recover_note(enum wire_phase ours, enum wire_phase told, enum wire_phase says)
{
	const unsigned int over = P(DONE) | P(ABORTED);

	if (!(over & 1u << says) || over & 1u << ours || told == says)
		return RECOVER_NOTE_NOTHING;
	return told == WIRE_PHASE_NONE ? RECOVER_NOTE_IT : RECOVER_NOTE_CONTRARY;
}

bool recover_starts(enum recover_start start, bool run)
{
	static const bool starts[RECOVER_NR_STARTS][2] = {
		[RECOVER_START_AS_RECEIVED] = { false, true },
		[RECOVER_START_ALL] = { true, true },
		[RECOVER_START_NONE] = { false, false },
	};

	return starts[start][run];
}
