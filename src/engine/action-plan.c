// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "engine/action-plan.h"

static const struct action_row {
	const char *name;
	enum action_stage ok, failed;
	bool may_refuse;
} action_rows[ACTION_NR] = {
	/* clang-format off */
	[ACTION_PRE_STOP] =
		{ "pre-stop", ACTION_STAGE_HELD, ACTION_STAGE_FAILED, true },
	[ACTION_POST_STOP] =
		{ "post-stop", ACTION_STAGE_STOPPED, ACTION_STAGE_STOPPED, false },
	[ACTION_PRE_START] =
		{ "pre-start", ACTION_STAGE_STARTING, ACTION_STAGE_FAILED, true },
	[ACTION_POST_START] =
		{ "post-start", ACTION_STAGE_IDLE, ACTION_STAGE_IDLE, false },
	[ACTION_ABORT] =
		{ "abort", ACTION_STAGE_IDLE, ACTION_STAGE_IDLE, false },
	/* clang-format on */
};

#define STAGE(name) (1u << ACTION_STAGE_##name)

/* Devices that were found stopped start without having been stopped here. */
static const struct action_point {
	enum phase phase;
	enum action_moment moment;
	unsigned int stages;
	bool if_moves;
	enum action action;
} action_points[] = {
	/* clang-format off */
	{ PHASE_QUIESCE,   ACTION_BEFORE, STAGE(IDLE),                  true,  ACTION_PRE_STOP },
	{ PHASE_STOP,      ACTION_AFTER,  STAGE(HELD),                  false, ACTION_POST_STOP },
	{ PHASE_START_P2P, ACTION_BEFORE, STAGE(IDLE) | STAGE(STOPPED), true,  ACTION_PRE_START },
	{ PHASE_START,     ACTION_AFTER,  STAGE(STARTING),              false, ACTION_POST_START },
	/* clang-format on */
};

enum action action_due(enum phase phase, enum action_moment moment, enum action_stage stage,
		       bool moves)
{
	for (size_t i = 0; i < ARRAY_SIZE(action_points); i++) {
		const struct action_point *p = &action_points[i];

		if (p->phase == phase && p->moment == moment && p->stages & 1u << stage &&
		    (moves || !p->if_moves))
			return p->action;
	}
	return ACTION_NONE;
}

bool action_needs_guard(enum phase phase)
{
	return phase >= PHASE_PRE_COPY && phase < PHASE_START_P2P;
}

enum action_stage action_next(enum action action, bool ok)
{
	return ok ? action_rows[action].ok : action_rows[action].failed;
}

enum action action_at_end(enum action_stage stage, bool ok)
{
	return stage == ACTION_STAGE_IDLE || ok ? ACTION_NONE : ACTION_ABORT;
}

bool action_may_refuse(enum action action)
{
	return action_rows[action].may_refuse;
}

const char *action_name(enum action action)
{
	return action < ACTION_NR ? action_rows[action].name : "none";
}

bool action_parse(const char *name, enum action *ret)
{
	for (unsigned int i = 0; i < ACTION_NR; i++)
		if (!strcmp(name, action_rows[i].name)) {
			*ret = (enum action)i;
			return true;
		}
	return false;
}

static const char *const action_actors[ACTION_NR_ACTORS] = {
	[ACTION_BY_SCRIPT] = "action-script",
	[ACTION_BY_FREEZER] = "freeze-owner",
};

const char *action_actor_name(enum action_actor actor)
{
	return action_actors[actor];
}

bool action_actor_parse(const char *name, enum action_actor *ret)
{
	for (unsigned int i = 0; i < ACTION_NR_ACTORS; i++)
		if (!strcmp(name, action_actors[i])) {
			*ret = (enum action_actor)i;
			return true;
		}
	return false;
}
