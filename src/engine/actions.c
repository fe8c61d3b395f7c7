// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/actions-actor.h"
#include "engine/actions-guard.h"
#include "engine/event.h"
#include "fsm/fsm.h"

#define ACTORS_MAX 2

/**
 * struct actions
 * @actors: in the order in which they do a "pre-"; they do what follows it in the opposite one
 * @owes: this one began something that is not ended yet
 * @phase: prepared for, or under way
 * @script: one of the actors, or NULL
 * @stage: what was done last
 * @guard: NULL where nothing would stay half-way
 */
struct actions {
	const struct actions_options *options;
	struct member *members;
	unsigned int n;
	struct cancel *cancel;
	struct events *events;
	struct {
		const struct actor_ops *ops;
		void *ctx;
		bool owes;
	} actors[ACTORS_MAX];
	unsigned int n_actors;
	struct actions_script *script;
	enum action_stage stage;
	enum phase phase;
	struct actions_guard *guard;
};

/*
 * The actors
 */

static void actions_add(struct actions *a, const struct actor_ops *ops, void *ctx)
{
	a->actors[a->n_actors].ops = ops;
	a->actors[a->n_actors].ctx = ctx;
	a->n_actors++;
}

static void actions_tell(const struct actions *a, enum action action, enum action_actor actor,
			 uint64_t start_ns, int r)
{
	struct event e = {
		.kind = EVENT_ACTION,
		.device = EVENT_SET,
		.action = {
			.action = action,
			.actor = actor,
			.start_ns = start_ns,
			.ns = clock_ns() - start_ns,
			.result = r,
		},
	};

	event_emit(a->events, &e);
}

static int actions_act(struct actions *a, unsigned int i, enum action action,
		       const struct action_facts *facts, struct err *err)
{
	uint64_t start_ns = clock_ns();
	int r;

	r = a->actors[i].ops->act(a->actors[i].ctx, action, facts, err);
	actions_tell(a, action, a->actors[i].ops->actor, start_ns, r);
	return r;
}

/* One that has refused may have done a part: it is told of the end, too. */
static int actions_begin(struct actions *a, enum action action, struct err *err)
{
	const struct action_facts facts = { .phase = a->phase, .cancel = a->cancel };

	for (unsigned int i = 0; i < a->n_actors; i++) {
		int r;

		a->actors[i].owes = true;
		r = actions_act(a, i, action, &facts, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A program that cannot be run was the failure already, which is told by itself. */
static bool actions_is_news(const struct err *why, const struct action_facts *facts)
{
	return !facts->failure || strcmp(why->text, facts->failure->text) != 0;
}

static void actions_follow(struct actions *a, enum action action, const struct action_facts *facts)
{
	for (unsigned int i = a->n_actors; i-- > 0;) {
		char reason[ERR_REASON_MAX];
		struct err why = { 0 };

		if (!a->actors[i].owes)
			continue;
		a->actors[i].owes = action == ACTION_POST_STOP;
		if (actions_act(a, i, action, facts, &why) < 0 && actions_is_news(&why, facts))
			log_warn("%s%s", why.text, err_reason(&why, reason));
	}
}

/*
 * What the owners have made of their devices meanwhile
 */

static int actions_refuse_state(const struct member *m, enum mig_state before, struct err *err)
{
	const struct mig_dev *mig = m->dev->mig;

	err_fail(err, ERR_ABORTED, -EBUSY, "%s: pre-stop brought it from %s to %s", mig->name,
		 fsm_name(before), fsm_name(mig->state));
	if (before == MIG_PRE_COPY || before == MIG_PRE_COPY_P2P)
		return err_hint(err, -EBUSY, "its owner stops it by itself: leave out --pre-copy");
	return -EBUSY;
}

static int actions_look_at(struct actions *a, struct member *m, struct err *err)
{
	enum mig_state before = m->dev->mig->state;
	struct mig_dev *mig = m->dev->mig;
	int r;

	r = mig_refresh(mig, err);
	if (r < 0)
		return r;
	/* That was asked of it. */
	mig->moved = false;
	if (before == MIG_RUNNING && mig->state == MIG_STOP) {
		log_info("%s: its owner has stopped it", mig->name);
		m->with_owner = true;
		m->want = MIG_STOP;
		return actions_guard_owner_stopped(a->guard, m->index, true, err);
	}
	if (mig->state != before)
		return actions_refuse_state(m, before, err);
	/* An owner that uses its device would meet it without its state. */
	if (m->toward != MIG_RESUMING || !fsm_runs(mig->state) || a->options->freeze_owner ||
	    !a->options->owner(m->dev))
		return 0;
	err_fail(err, ERR_ABORTED, -EBUSY, "%s: its owner still runs it after pre-stop", mig->name);
	return err_hint(err, -EBUSY, "stop the owner, too: --freeze-owner");
}

static int actions_look_after(struct actions *a, enum action action, struct err *err)
{
	if (action != ACTION_PRE_STOP)
		return 0;
	for (unsigned int i = 0; a->guard && i < a->n; i++) {
		struct member *m = &a->members[i];
		int r = actions_guard_has(m) ? actions_look_at(a, m, err) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* They have been told to go on. */
static void actions_look_again(struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++) {
		struct member *m = &a->members[i];
		struct err why = { 0 };

		if (!m->with_owner)
			continue;
		m->with_owner = false;
		if (mig_refresh(m->dev->mig, &why) < 0)
			log_warn("%s", why.text);
		m->dev->mig->moved = false;
		if (actions_guard_owner_stopped(a->guard, m->index, false, &why) < 0)
			log_debug("%s", why.text);
	}
}

static bool actions_any_runs(const struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (fsm_runs(a->members[i].dev->mig->state))
			return true;
	return false;
}

static bool actions_any_starts(const struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (a->members[i].goes_on)
			return true;
	return false;
}

static enum mig_state actions_home(const struct member *m)
{
	return m->with_owner ? MIG_STOP : mig_settled(m->result->found);
}

/* All are where they were found, with their own states. */
static bool actions_recovered(const struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++) {
		const struct member_result *result = a->members[i].result;
		const struct mig_dev *mig = a->members[i].dev->mig;

		if (!mig || !mig->state_known || mig->state != actions_home(&a->members[i]) ||
		    (result->recovered && result->recovery.reset))
			return false;
	}
	return true;
}

/*
 * They are back, and their owner, who goes on now, may stop and start them as it likes: what it
 * does is not to be undone.
 */
static void actions_settle(struct actions *a)
{
	struct err why = { 0 };

	if (actions_recovered(a) && actions_note(a, GUARD_SETTLED, &why) < 0)
		log_debug("%s", why.text);
}

int actions_before(struct actions *a, enum phase phase, struct err *err)
{
	enum action action;
	bool moves;
	int r;

	if (!a)
		return 0;
	a->phase = phase;
	r = action_needs_guard(phase) ? actions_guard_check(a->guard, err) : 0;
	if (r < 0)
		return r;
	moves = phase == PHASE_QUIESCE ? actions_any_runs(a) : actions_any_starts(a);
	action = action_due(phase, ACTION_BEFORE, a->stage, moves);
	if (action == ACTION_NONE)
		return 0;
	/* Again, where a stop is tried again. */
	r = action == ACTION_PRE_STOP ? actions_note(a, GUARD_RETURNS, err) : 0;
	if (r < 0)
		return r;
	r = actions_begin(a, action, err);
	r = r < 0 ? r : actions_look_after(a, action, err);
	a->stage = action_next(action, r >= 0);
	return r;
}

void actions_after(struct actions *a, enum phase phase)
{
	const struct action_facts facts = { .phase = phase, .cancel = a ? a->cancel : NULL };
	enum action action;

	if (!a)
		return;
	if (phase == PHASE_START)
		actions_settle(a);
	action = action_due(phase, ACTION_AFTER, a->stage, false);
	if (action == ACTION_NONE)
		return;
	actions_follow(a, action, &facts);
	if (action == ACTION_POST_START)
		actions_look_again(a);
	a->stage = action_next(action, true);
}

int actions_note(struct actions *a, enum guard_note note, struct err *err)
{
	return a ? actions_guard_note(a->guard, note, err) : 0;
}

void actions_end(struct actions *a, const struct err *failure)
{
	struct action_facts facts = { .failure = failure };
	enum action action;

	if (!a)
		return;
	facts.phase = a->phase;
	facts.cancel = a->cancel;
	facts.recovered = actions_recovered(a);
	action = action_at_end(a->stage, !failure);
	if (action != ACTION_NONE) {
		actions_settle(a);
		actions_follow(a, action, &facts);
		actions_look_again(a);
	}
	a->stage = ACTION_STAGE_IDLE;
}

/*
 * Beginning and end
 */

static bool actions_has_owner(const struct actions_options *o, const struct device *dev)
{
	return o->owner && o->owner(dev);
}

int actions_check(const struct actions_options *o, struct device *const *devs, unsigned int n,
		  struct err *err)
{
	int r;

	r = o && o->script ? actions_script_check(o->script, err) : 0;
	if (r < 0 || !o || !o->freeze_owner)
		return r;
	for (unsigned int i = 0; i < n; i++)
		if (actions_has_owner(o, devs[i]))
			return 0;
	err_fail(err, ERR_USAGE, -EINVAL, "--freeze-owner: no process is known that owns %s",
		 n > 1 ? "one of these devices" : device_name(devs[0]));
	return err_hint(err, -EINVAL, "name the device by its owner: pid:PID");
}

static int actions_add_actors(struct actions *a, struct actions_freeze **ret_freeze,
			      struct err *err)
{
	const struct actions_options *o = a->options;
	int r;

	if (o->script) {
		r = actions_script_new(o, a->members, a->n, &a->script, err);
		if (r < 0)
			return r;
		actions_add(a, &actions_script_ops, a->script);
	}
	if (!o->freeze_owner)
		return 0;
	r = actions_freeze_new(o, a->members, a->n, ret_freeze, err);
	if (r < 0)
		return r;
	actions_add(a, &actions_freeze_ops, *ret_freeze);
	return 0;
}

static bool actions_need_guard(const struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (actions_guard_has(&a->members[i]))
			return true;
	return a->n_actors;
}

static int actions_begin_guard(struct actions *a, const uint8_t *image_id, struct err *err)
{
	struct actions_freeze *freeze = NULL;
	int r;

	r = actions_add_actors(a, &freeze, err);
	if (r < 0)
		return r;
	if (a->script && image_id)
		actions_script_image(a->script, image_id);
	if (!actions_need_guard(a))
		return 0;
	return actions_guard_new(
		&(struct actions_guard_options){ a->members, a->n, freeze, a->script }, &a->guard,
		err);
}

int actions_new(const struct actions_options *o, struct member *members, unsigned int n,
		const uint8_t *image_id, struct cancel *cancel, struct events *events,
		struct actions **ret, struct err *err)
{
	struct actions *a;
	int r;

	if (!o)
		return 0;
	a = calloc(1, sizeof(*a));
	if (!a)
		return err_set(err, -ENOMEM, "calloc");
	*a = (struct actions){
		.options = o,
		.members = members,
		.n = n,
		.cancel = cancel,
		.events = events,
	};
	for (unsigned int i = 0; i < n; i++)
		members[i].goes_on = fsm_runs(members[i].result->found);
	r = actions_begin_guard(a, image_id, err);
	if (r < 0) {
		actions_free(a);
		return r;
	}
	*ret = a;
	return 0;
}

/* What is still stopped goes on before the guardian, which knows of it, ends. */
struct actions *actions_free(struct actions *a)
{
	if (!a)
		return NULL;
	for (unsigned int i = a->n_actors; i-- > 0;)
		a->actors[i].ops->free(a->actors[i].ctx);
	actions_guard_free(a->guard);
	return mfree(a);
}
