// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "engine/bind-plan.h"

#define BIND_ANY (~0u)

/* In which cases of use and force a row fits. */
enum bind_use {
	BIND_USE_FREE = 1 << 0,
	BIND_USE_HELD = 1 << 1,
	BIND_USE_FORCED = 1 << 2,
};
#define BIND_USE_ALLOWED (BIND_USE_FREE | BIND_USE_FORCED)

/* clang-format off */
#define BACK    BIND_WANT_BACK
#define FORTH   (BIND_WANT_DRIVER | BIND_WANT_NONE)
#define DRIVER  BIND_WANT_DRIVER
#define NEW     BIND_PAST_NONE
#define DONE    BIND_PAST_DONE
#define CUT     BIND_PAST_CUT

/* No driver where none is wanted counts as the target. */
static const struct bind_row {
	unsigned int want, past, now, use;
	enum bind_verdict verdict;
	unsigned int steps;
} bind_rows[] = {
	{ BACK,  NEW,        BIND_ANY,        BIND_ANY,         BIND_NO_RECORD, 0 },
	{ BACK,  DONE,       BIND_NOW_TARGET, BIND_ANY,         BIND_READY, BIND_FORGET },
	{ BACK,  CUT,        BIND_NOW_TARGET, BIND_ANY,         BIND_READY,
	  BIND_MEND | BIND_FORGET },
	{ FORTH, NEW | DONE, BIND_NOW_TARGET, BIND_ANY,         BIND_READY, 0 },
	{ FORTH, CUT,        BIND_NOW_TARGET, BIND_ANY,         BIND_READY,
	  BIND_MEND | BIND_SETTLE },
	{ BIND_ANY, BIND_ANY, BIND_NOW_OTHER, BIND_USE_HELD,    BIND_IN_USE, 0 },
	{ BACK,  DONE,       BIND_NOW_NONE,   BIND_ANY,         BIND_READY,
	  BIND_RECORD | BIND_BIND | BIND_FORGET },
	{ BACK,  CUT,        BIND_NOW_NONE,   BIND_ANY,         BIND_READY,
	  BIND_MEND | BIND_BIND | BIND_FORGET },
	{ BACK,  DONE,       BIND_NOW_OTHER,  BIND_USE_ALLOWED, BIND_READY,
	  BIND_RECORD | BIND_UNBIND | BIND_BIND | BIND_FORGET },
	{ BACK,  CUT,        BIND_NOW_OTHER,  BIND_USE_ALLOWED, BIND_READY,
	  BIND_MEND | BIND_UNBIND | BIND_BIND | BIND_FORGET },
	{ DRIVER, NEW | DONE, BIND_NOW_NONE,  BIND_ANY,         BIND_READY,
	  BIND_RECORD | BIND_BIND | BIND_SETTLE },
	{ DRIVER, CUT,       BIND_NOW_NONE,   BIND_ANY,         BIND_READY,
	  BIND_MEND | BIND_BIND | BIND_SETTLE },
	{ FORTH, NEW | DONE, BIND_NOW_OTHER,  BIND_USE_ALLOWED, BIND_READY,
	  BIND_RECORD | BIND_UNBIND | BIND_BIND | BIND_SETTLE },
	{ FORTH, CUT,        BIND_NOW_OTHER,  BIND_USE_ALLOWED, BIND_READY,
	  BIND_MEND | BIND_UNBIND | BIND_BIND | BIND_SETTLE },
};

static const struct bind_rule_row {
	unsigned int want, rule, term;
	enum bind_step step;
} bind_rule_rows[] = {
	{ DRIVER, BIND_RULE_NONE | BIND_RULE_OTHER, BIND_TERM_EVERY, BIND_KEEP },
	{ BACK,   BIND_RULE_SAME | BIND_RULE_OTHER, BIND_ANY,        BIND_DROP },
};
/* clang-format on */

static bool bind_plan_fits(const struct bind_row *row, const struct bind_facts *f, unsigned int now)
{
	unsigned int use = !f->used ? BIND_USE_FREE : f->force ? BIND_USE_FORCED : BIND_USE_HELD;

	return row->want & f->want && row->past & f->past && row->now & now && row->use & use;
}

/* Nothing but a way back ends a rule: what is bound for now may be so beside it. */
static unsigned int bind_plan_rule(const struct bind_facts *f)
{
	for (size_t i = 0; i < ARRAY_SIZE(bind_rule_rows); i++) {
		const struct bind_rule_row *row = &bind_rule_rows[i];

		if (row->want & f->want && row->rule & f->rule && row->term & f->term)
			return row->step;
	}
	return 0;
}

enum bind_verdict bind_plan(const struct bind_facts *facts, unsigned int *ret_steps)
{
	const unsigned int now = facts->to_none && facts->now == BIND_NOW_NONE ? BIND_NOW_TARGET
									       : facts->now;

	*ret_steps = 0;
	for (size_t i = 0; i < ARRAY_SIZE(bind_rows); i++) {
		if (!bind_plan_fits(&bind_rows[i], facts, now))
			continue;
		*ret_steps = bind_rows[i].steps;
		if (facts->to_none)
			*ret_steps &= ~(unsigned int)BIND_BIND;
		if (bind_rows[i].verdict == BIND_READY)
			*ret_steps |= bind_plan_rule(facts);
		return bind_rows[i].verdict;
	}
	return BIND_IN_USE;
}

enum bind_undo bind_step_undo(enum bind_step step)
{
	switch (step) {
	case BIND_RECORD:
		return BIND_UNDO_RECORD;
	case BIND_UNBIND:
		return BIND_UNDO_BIND;
	case BIND_BIND:
		return BIND_UNDO_UNBIND;
	case BIND_KEEP:
	case BIND_DROP:
		return BIND_UNDO_RULE;
	default:
		return BIND_UNDO_NOTHING;
	}
}

bool bind_changes(unsigned int steps)
{
	return steps & (BIND_UNBIND | BIND_BIND);
}
