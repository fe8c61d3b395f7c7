// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/guard-plan.h"
#include "fsm/fsm.h"

/* Bits of a packed mark. */
#define GUARD_MARK_TO_SHIFT 3
#define GUARD_MARK_STATE 7u
#define GUARD_MARK_OWNER_STOPPED 0x40u

_Static_assert(MIG_NR_STATES - 1 <= GUARD_MARK_STATE, "a state takes three bits");

enum guard_duty guard_duty(enum device_ownership ownership)
{
	static const enum guard_duty duties[] = {
		[DEVICE_SOLE] = GUARD_BY_CLOSE,
		[DEVICE_SHARED] = GUARD_BY_GUARDIAN,
		[DEVICE_LENT] = GUARD_BY_LENDER,
	};

	return duties[ownership];
}

uint8_t guard_mark_pack(const struct guard_mark *mark)
{
	return (uint8_t)(mark->from | mark->to << GUARD_MARK_TO_SHIFT |
			 (mark->owner_stopped ? GUARD_MARK_OWNER_STOPPED : 0));
}

struct guard_mark guard_mark_unpack(uint8_t packed)
{
	return (struct guard_mark){
		.from = (enum mig_state)(packed & GUARD_MARK_STATE),
		.to = (enum mig_state)(packed >> GUARD_MARK_TO_SHIFT & GUARD_MARK_STATE),
		.owner_stopped = packed & GUARD_MARK_OWNER_STOPPED,
	};
}

bool guard_owner_moved(const struct guard_mark *mark, enum mig_state met)
{
	/* Any arc may fail, and lead there. */
	return met != MIG_ERROR && met != mark->from && met != mark->to;
}

static bool guard_plan_is_lost(enum guard_note note, enum mig_state at)
{
	return (note == GUARD_LOADING || note == GUARD_JUDGING) &&
	       (at == MIG_RESUMING || at == MIG_ERROR);
}

bool guard_lost(enum guard_note note, const struct guard_mark *mark, enum mig_state met)
{
	return guard_plan_is_lost(note, met) && !guard_owner_moved(mark, met);
}

enum mig_state guard_home(const struct guard_mark *mark, enum mig_state found)
{
	return mark->owner_stopped ? MIG_STOP : found;
}

bool guard_whole_after_close(const struct guard_mark *mark, enum mig_state found,
			     enum close_effect effect)
{
	return effect == CLOSE_KEEPS && mark->from == found && mark->to == found;
}

struct guard_plan guard_plan(const struct guard_facts *f)
{
	const enum mig_state home = guard_home(&f->mark, f->found);
	const struct guard_plan leave = { .act = false };
	const struct guard_plan whole = { .act = false, .whole = true };
	const struct guard_plan own = { true, false, MIG_HOLDS_OWN, f->any_lost ? MIG_STOP : home };
	const struct guard_plan stay = { true, false, MIG_HOLDS_OWN, MIG_STOP };
	const struct guard_plan drop = { true, false, MIG_HOLDS_GIVEN_UP, MIG_STOP };

	/* Two must not run, whatever the owner of this one wants. */
	if (f->note == GUARD_STAYS)
		return stay;
	if (guard_owner_moved(&f->mark, f->met))
		return f->note == GUARD_RETURNS && f->met != MIG_RESUMING ? whole : leave;
	switch (f->note) {
	case GUARD_RETURNS:
		/* On its way back it does not run by the tool: its owner has started it. */
		return fsm_runs(f->at) && !fsm_runs(home) ? leave : own;
	case GUARD_LOADING:
		return guard_plan_is_lost(f->note, f->at) ? drop : own;
	case GUARD_JUDGING:
		/* Elsewhere its driver has accepted the load, or it runs with it. */
		return guard_plan_is_lost(f->note, f->at) ? drop : leave;
	default:
		return leave;
	}
}
