// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "engine/phases.h"
#include "fsm/fsm.h"

/**
 * enum phase_goal - how far the devices go
 * @PHASE_GOAL_RUNNING: towards where it is to get, as long as the device runs
 * @PHASE_GOAL_STOPPED: towards it, until the device does not
 * @PHASE_GOAL_P2P: towards where it is wanted, as long as it does not run in full
 */
enum phase_goal {
	PHASE_GOAL_STAY,
	PHASE_GOAL_PRE_COPY,
	PHASE_GOAL_RUNNING,
	PHASE_GOAL_STOPPED,
	PHASE_GOAL_STATE,
	PHASE_GOAL_P2P,
	PHASE_GOAL_WANT
};

static const struct phase_row {
	const char *name;
	enum phase_goal goal;
	enum mig_state to;
	enum phase_unwind unwind;
} phase_rows[PHASE_NR] = {
	/* clang-format off */
	[PHASE_SETTLE] =
		{ "settle", PHASE_GOAL_STAY, 0, PHASE_UNWIND_FOUND },
	[PHASE_PRE_COPY] =
		{ "pre-copy", PHASE_GOAL_PRE_COPY, MIG_PRE_COPY, PHASE_UNWIND_FOUND },
	[PHASE_QUIESCE] =
		{ "quiesce", PHASE_GOAL_RUNNING, 0, PHASE_UNWIND_FOUND },
	[PHASE_STOP] =
		{ "stop", PHASE_GOAL_STOPPED, 0, PHASE_UNWIND_FOUND },
	[PHASE_STOP_COPY] =
		{ "stop-copy", PHASE_GOAL_STATE, MIG_STOP_COPY, PHASE_UNWIND_FOUND },
	[PHASE_LOAD] =
		{ "load", PHASE_GOAL_STATE, MIG_RESUMING, PHASE_UNWIND_HANDOVER },
	[PHASE_JUDGE] =
		{ "judge", PHASE_GOAL_STATE, MIG_STOP, PHASE_UNWIND_HANDOVER },
	[PHASE_START_P2P] =
		{ "start-p2p", PHASE_GOAL_P2P, 0, PHASE_UNWIND_HANDOVER },
	[PHASE_START] =
		{ "start", PHASE_GOAL_WANT, 0, PHASE_UNWIND_HANDOVER },
	/* clang-format on */
};

static bool phases_runs_in_full(enum mig_state state)
{
	return state == MIG_RUNNING || state == MIG_PRE_COPY;
}

/* One that was found P2P-quiescent stays so. */
static enum mig_state phases_pre_copy(const struct phase_place *p)
{
	enum mig_state to = p->want == MIG_RUNNING_P2P ? MIG_PRE_COPY_P2P : MIG_PRE_COPY;

	return p->precopy && fsm_runs(p->state) && fsm_supported(to, p->caps) ? to : p->state;
}

static enum mig_state phases_while_running(const struct phase_place *p)
{
	enum mig_state at = p->state, to = p->toward, next;

	for (int i = 0; i < FSM_ARCS_MAX && at != to; i++) {
		next = p->next(at, to, p->caps);
		if (!fsm_runs(next))
			break;
		at = next;
	}
	return at;
}

static enum mig_state phases_until_stopped(const struct phase_place *p)
{
	enum mig_state at = phases_while_running(p);

	return fsm_runs(at) ? p->next(at, p->toward, p->caps) : at;
}

static enum mig_state phases_until_full(const struct phase_place *p)
{
	enum mig_state at = p->state, next;

	for (int i = 0; i < FSM_ARCS_MAX && at != p->want; i++) {
		next = p->next(at, p->want, p->caps);
		if (next == MIG_ERROR || phases_runs_in_full(next))
			break;
		at = next;
	}
	return at;
}

enum mig_state phase_target(enum phase phase, const struct phase_place *p)
{
	const struct phase_row *row = &phase_rows[phase];

	switch (row->goal) {
	case PHASE_GOAL_STAY:
		break;
	case PHASE_GOAL_PRE_COPY:
		return phases_pre_copy(p);
	case PHASE_GOAL_RUNNING:
		return phases_while_running(p);
	case PHASE_GOAL_STOPPED:
		return phases_until_stopped(p);
	case PHASE_GOAL_STATE:
		return row->to;
	case PHASE_GOAL_P2P:
		return phases_until_full(p);
	case PHASE_GOAL_WANT:
		return p->want;
	}
	return p->state;
}

enum phase_unwind phase_unwind(enum phase phase)
{
	return phase_rows[phase].unwind;
}

const char *phase_name(enum phase phase)
{
	return phase < PHASE_NR ? phase_rows[phase].name : "unknown";
}

bool phase_parse(const char *name, enum phase *ret)
{
	for (unsigned int i = 0; i < PHASE_NR; i++)
		if (!strcmp(name, phase_rows[i].name)) {
			*ret = (enum phase)i;
			return true;
		}
	return false;
}
