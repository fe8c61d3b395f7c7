// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/kernel-dev.h"
#include "engine/actions-actor.h"
#include "engine/event.h"
#include "fsm/fsm.h"

#define ACTORS_MAX 2

/*
 * How long the guardian waits for devices before it lets their owners go on without them: for all
 * of it, for a look at all or the way to their barrier, and for the way from there.
 */
#define GUARD_PATIENCE_MS 30000
#define GUARD_ROUND_MS 2000
#define GUARD_RETURN_MS 25000

/* Of a look at a device that does not say where it is. */
#define GUARD_UNKNOWN 255

/* How long a device may refuse an arc on its way back. */
#define GUARD_RETRY_NS (10 * NSEC_PER_SEC)

/** struct actions_mark - one device's; its own thread's while that is at work */
struct actions_mark {
	struct actions *actions;
	unsigned int index;
	struct guard_mark mark;
};

/**
 * struct actions
 * @actors: in the order in which they do a "pre-"; they do what follows it in the opposite one
 * @owes: this one began something that is not ended yet
 * @phase: prepared for, or under way
 * @script: one of the actors, or NULL
 * @stage: what was done last
 * @marks: of each member that is guarded, as the guardian was told last
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
	struct guardian *guardian;
	struct actions_mark *marks;
};

/*
 * The guardian's work, in a process of its own: no other thread, no listener, no cancel
 */

static bool actions_guards(const struct member *m)
{
	return guard_duty(device_ownership(m->dev)) == GUARD_BY_GUARDIAN && m->dev->mig;
}

static bool actions_any(const struct member *m)
{
	return m->dev->mig;
}

/* What the tool has done to it since the guardian was forked is no other process's doing. */
static void actions_guard_detach(struct member *m)
{
	struct mig_dev *mig = m->dev->mig;

	mig->cancel = NULL;
	mig->on_arc = NULL;
	mig->on_step = NULL;
	mig->state_known = mig->moved = false;
}

static bool actions_guard_bring(struct member *m, enum mig_state want, enum mig_holds holds)
{
	struct arc_retry retry = { .budget_ns = GUARD_RETRY_NS };
	struct mig_recovery recovery;

	return mig_recover(m->dev->mig, want, holds, &retry, &recovery, NULL) && !recovery.reset;
}

/**
 * struct guard_work
 * @met: of each device, before anything is done
 * @lost: any of the set has lost its own state, or may have
 */
struct guard_work {
	const struct actions *a;
	enum guard_note note;
	const uint8_t *marks;
	enum mig_state met[GUARDIAN_MARKS_MAX];
	bool lost;
};

static struct guard_facts actions_guard_facts(const struct guard_work *w, const struct member *m)
{
	return (struct guard_facts){
		.note = w->note,
		.mark = guard_mark_unpack(w->marks[m->index]),
		.met = w->met[m->index],
		.at = m->dev->mig->state,
		.found = mig_settled(m->result->found),
		.any_lost = w->lost,
	};
}

/* What is done to one device. Return: an exit status. */
typedef int actions_guard_step(const struct guard_work *w, struct member *m);

static int actions_guard_look(const struct guard_work *w, struct member *m)
{
	(void)w;
	return mig_refresh(m->dev->mig, NULL) < 0 ? GUARD_UNKNOWN : (int)m->dev->mig->state;
}

/* None runs in full before all can answer. */
static int actions_guard_quiesce(const struct guard_work *w, struct member *m)
{
	struct mig_dev *mig = m->dev->mig;
	struct guard_facts facts;
	struct guard_plan plan;

	if (!(mig->caps & MIG_CAP_P2P) || mig_refresh(mig, NULL) < 0)
		return 0;
	facts = actions_guard_facts(w, m);
	plan = guard_plan(&facts);
	if (plan.act && plan.holds == MIG_HOLDS_OWN && plan.want == MIG_RUNNING &&
	    mig->state != MIG_RUNNING && mig->state != MIG_ERROR)
		(void)actions_guard_bring(m, MIG_RUNNING_P2P, plan.holds);
	return 0;
}

/* Return: 0 when it is where it was found, or where its owner has put it, with its own state. */
static int actions_guard_return(const struct guard_work *w, struct member *m)
{
	struct mig_dev *mig = m->dev->mig;
	struct guard_facts facts;
	struct guard_plan plan;

	if (mig_refresh(mig, NULL) < 0)
		return 1;
	facts = actions_guard_facts(w, m);
	plan = guard_plan(&facts);
	if (!plan.act)
		return !plan.whole;
	return !(actions_guard_bring(m, plan.want, plan.holds) && plan.holds == MIG_HOLDS_OWN &&
		 plan.want == guard_home(&facts.mark, facts.found));
}

/* Return: 0 when it is where it was found, with its own state. */
static int actions_guard_settle(const struct guard_work *w, struct member *m)
{
	const struct guard_mark mark = guard_mark_unpack(w->marks[m->index]);
	const enum mig_state home = guard_home(&mark, mig_settled(m->result->found));

	switch (guard_duty(device_ownership(m->dev))) {
	case GUARD_BY_GUARDIAN:
		return actions_guard_return(w, m);
	case GUARD_BY_LENDER:
		return !device_returned(m->dev, home, GUARD_RETURN_MS);
	case GUARD_BY_CLOSE:
		return !guard_whole_after_close(&mark, home, device_close_effect(m->dev));
	}
	return 1;
}

/*
 * In a process a device, so that a driver that does not come back costs the others nothing: those
 * that have not ended in time are killed.
 */
static void actions_guard_each(const struct guard_work *w, bool (*concerns)(const struct member *),
			       actions_guard_step *step, int patience_ms,
			       int status[static GUARDIAN_MARKS_MAX])
{
	uint64_t end = clock_ns() + (uint64_t)patience_ms * NSEC_PER_MSEC;
	pid_t pids[GUARDIAN_MARKS_MAX];

	for (unsigned int i = 0; i < w->a->n; i++) {
		struct member *m = &w->a->members[i];

		pids[i] = -1;
		if (!concerns(m))
			continue;
		pids[i] = fork();
		if (!pids[i])
			_exit(step(w, m));
	}
	for (unsigned int i = 0; i < w->a->n; i++)
		status[i] = pids[i] < 0 ? GUARDIAN_NOT_RECOVERED
					: guardian_await(pids[i], clock_ms_until(end));
}

static int actions_guard_recover(void *ctx, uint8_t told, const uint8_t *marks)
{
	struct guard_work w = {
		.a = ctx,
		.note = told < GUARD_NR_NOTES ? (enum guard_note)told : GUARD_LOADED,
		.marks = marks,
	};
	int status[GUARDIAN_MARKS_MAX];
	bool all = true;

	if (w.note == GUARD_SETTLED)
		return 0;
	for (unsigned int i = 0; i < w.a->n; i++)
		if (actions_guards(&w.a->members[i]))
			actions_guard_detach(&w.a->members[i]);
	actions_guard_each(&w, actions_guards, actions_guard_look, GUARD_ROUND_MS, status);
	for (unsigned int i = 0; i < w.a->n; i++) {
		const struct guard_mark mark = guard_mark_unpack(marks[i]);
		bool known = status[i] >= 0 && status[i] < MIG_NR_STATES;

		w.met[i] = known ? (enum mig_state)status[i] : MIG_ERROR;
		if (actions_guards(&w.a->members[i]))
			w.lost |= guard_lost(w.note, &mark, w.met[i]);
	}
	if (w.a->n > 1)
		actions_guard_each(&w, actions_guards, actions_guard_quiesce, GUARD_ROUND_MS,
				   status);
	actions_guard_each(&w, actions_any, actions_guard_settle, GUARD_RETURN_MS, status);
	for (unsigned int i = 0; i < w.a->n; i++)
		all &= status[i] == 0;
	return all ? 0 : 1;
}

/* The script learns of it, whatever it was told before: it undoes only what it has done itself. */
static void actions_guard_after(void *ctx, uint8_t told, int recovered)
{
	struct err killed = { .text = "vfiomigctl was killed" };
	const struct action_facts facts = { .failure = &killed, .recovered = recovered == 0 };
	const struct actions *a = ctx;

	(void)told;
	if (a->script)
		(void)actions_script_ops.act(a->script, ACTION_ABORT, &facts, NULL);
}

/*
 * What the guardian is told of the devices
 */

static int actions_mark(const struct actions *a, unsigned int index, struct err *err)
{
	return guardian_mark(a->guardian, index, guard_mark_pack(&a->marks[index].mark), err);
}

/* Without a guardian to hear of it the phase itself does not begin: actions_before(). */
static void actions_on_step(void *ctx, enum mig_state from, enum mig_state to)
{
	struct actions_mark *m = ctx;

	m->mark.from = from;
	m->mark.to = to;
	if (actions_mark(m->actions, m->index, NULL) < 0)
		log_debug("guardian: gone");
}

static int actions_watch_steps(struct actions *a, struct err *err)
{
	a->marks = calloc(a->n, sizeof(*a->marks));
	if (!a->marks)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < a->n; i++) {
		struct mig_dev *mig = a->members[i].dev->mig;

		if (!actions_any(&a->members[i]))
			continue;
		a->marks[i] = (struct actions_mark){
			.actions = a,
			.index = i,
			.mark = { .from = mig->state, .to = mig->state },
		};
		mig->on_step = actions_on_step;
		mig->on_step_ctx = &a->marks[i];
		if (actions_mark(a, i, err) < 0)
			return err->code;
	}
	return 0;
}

static void actions_unwatch_steps(struct actions *a)
{
	for (unsigned int i = 0; a->marks && i < a->n; i++) {
		if (a->members[i].dev->mig)
			a->members[i].dev->mig->on_step = NULL;
	}
	free(a->marks);
}

static size_t actions_guard_fds(const struct actions *a, int *fds)
{
	size_t n = 0;

	for (unsigned int i = 0; i < a->n; i++)
		if (actions_guards(&a->members[i])) {
			n += kernel_dev_fds(a->members[i].dev->mig, fds + n);
			if (a->members[i].dev->lock >= 0)
				fds[n++] = a->members[i].dev->lock;
		}
	return n;
}

static int actions_start_guardian(struct actions *a, struct actions_freeze *freeze, struct err *err)
{
	_cleanup_free_ int *fds = calloc(a->n + 1, (KERNEL_DEV_FDS_MAX + 1) * sizeof(*fds));
	struct guardian_options o = {
		.freezers = freeze ? freeze->freezers : NULL,
		.n_freezers = freeze ? freeze->n : 0,
		.fds = fds,
		.patience_ms = GUARD_PATIENCE_MS,
		.recover = actions_guard_recover,
		.after = actions_guard_after,
		.ctx = a,
	};
	int r;

	if (!fds)
		return err_set(err, -ENOMEM, "calloc");
	o.n_fds = actions_guard_fds(a, fds);
	r = guardian_start(&o, &a->guardian, err);
	if (r < 0)
		return r;
	if (freeze)
		freeze->guardian = a->guardian;
	if (a->script)
		actions_script_guard(a->script, a->guardian);
	return actions_watch_steps(a, err);
}

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
		a->marks[m->index].mark = (struct guard_mark){ MIG_STOP, MIG_STOP, true };
		return actions_mark(a, m->index, err);
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
	for (unsigned int i = 0; a->guardian && i < a->n; i++) {
		struct member *m = &a->members[i];
		int r = actions_guards(m) ? actions_look_at(a, m, err) : 0;

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
		a->marks[m->index].mark.owner_stopped = false;
		if (actions_mark(a, m->index, &why) < 0)
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
	r = a->guardian && action_needs_guard(phase) ? guardian_check(a->guardian, err) : 0;
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
	return a && a->guardian ? guardian_note(a->guardian, (uint8_t)note, err) : 0;
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

static bool actions_need_guardian(const struct actions *a)
{
	for (unsigned int i = 0; i < a->n; i++)
		if (actions_guards(&a->members[i]))
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
	return actions_need_guardian(a) ? actions_start_guardian(a, freeze, err) : 0;
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
	actions_unwatch_steps(a);
	guardian_free(a->guardian);
	return mfree(a);
}
