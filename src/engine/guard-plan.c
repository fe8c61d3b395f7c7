// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/guard-plan.h"
#include "fsm/fsm.h"

bool guard_lost(enum guard_note note, enum mig_state at)
{
	return (note == GUARD_LOADING || note == GUARD_JUDGING) &&
	       (at == MIG_RESUMING || at == MIG_ERROR);
}

struct guard_plan guard_plan(enum guard_note note, enum mig_state at, enum mig_state found,
			     bool any_lost)
{
	const struct guard_plan leave = { .act = false };
	const struct guard_plan own = { true, MIG_HOLDS_OWN, any_lost ? MIG_STOP : found };
	const struct guard_plan stay = { true, MIG_HOLDS_OWN, MIG_STOP };
	const struct guard_plan drop = { true, MIG_HOLDS_GIVEN_UP, MIG_STOP };

	switch (note) {
	case GUARD_RETURNS:
		/* On its way back it does not run by the tool: its owner has started it. */
		return fsm_runs(at) && !fsm_runs(found) ? leave : own;
	case GUARD_STAYS:
		return stay;
	case GUARD_LOADING:
		return guard_lost(note, at) ? drop : own;
	case GUARD_JUDGING:
		/* Elsewhere its driver has accepted the load, or it runs with it. */
		return guard_lost(note, at) ? drop : leave;
	default:
		return leave;
	}
}
