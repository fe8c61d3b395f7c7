// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/kernel-dev.h"
#include "engine/actions-guard.h"

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

/** struct actions_guard_mark - one device's; its own thread's while that is at work */
struct actions_guard_mark {
	struct actions_guard *guard;
	unsigned int index;
	struct guard_mark mark;
};

/**
 * struct actions_guard
 * @marks: of each member, as the guardian was told last
 */
struct actions_guard {
	struct actions_guard_options options;
	struct guardian *guardian;
	struct actions_guard_mark *marks;
};

/*
 * The guardian's work, in a process of its own: no other thread, no listener, no cancel
 */

bool actions_guard_has(const struct member *m)
{
	return guard_duty(device_ownership(m->dev)) == GUARD_BY_GUARDIAN && m->dev->mig;
}

static bool actions_guard_any(const struct member *m)
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
	const struct actions_guard_options *set;
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

	for (unsigned int i = 0; i < w->set->n; i++) {
		struct member *m = &w->set->members[i];

		pids[i] = -1;
		if (!concerns(m))
			continue;
		pids[i] = fork();
		if (!pids[i])
			_exit(step(w, m));
	}
	for (unsigned int i = 0; i < w->set->n; i++)
		status[i] = pids[i] < 0 ? GUARDIAN_NOT_RECOVERED
					: guardian_await(pids[i], clock_ms_until(end));
}

static int actions_guard_recover(void *ctx, uint8_t told, const uint8_t *marks)
{
	const struct actions_guard *guard = ctx;
	struct guard_work w = {
		.set = &guard->options,
		.note = told < GUARD_NR_NOTES ? (enum guard_note)told : GUARD_LOADED,
		.marks = marks,
	};
	int status[GUARDIAN_MARKS_MAX];
	bool all = true;

	if (w.note == GUARD_SETTLED)
		return 0;
	for (unsigned int i = 0; i < w.set->n; i++)
		if (actions_guard_has(&w.set->members[i]))
			actions_guard_detach(&w.set->members[i]);
	actions_guard_each(&w, actions_guard_has, actions_guard_look, GUARD_ROUND_MS, status);
	for (unsigned int i = 0; i < w.set->n; i++) {
		const struct guard_mark mark = guard_mark_unpack(marks[i]);
		bool known = status[i] >= 0 && status[i] < MIG_NR_STATES;

		w.met[i] = known ? (enum mig_state)status[i] : MIG_ERROR;
		if (actions_guard_has(&w.set->members[i]))
			w.lost |= guard_lost(w.note, &mark, w.met[i]);
	}
	if (w.set->n > 1)
		actions_guard_each(&w, actions_guard_has, actions_guard_quiesce, GUARD_ROUND_MS,
				   status);
	actions_guard_each(&w, actions_guard_any, actions_guard_settle, GUARD_RETURN_MS, status);
	for (unsigned int i = 0; i < w.set->n; i++)
		all &= status[i] == 0;
	return all ? 0 : 1;
}

/* The script learns of it, whatever it was told before: it undoes only what it has done itself. */
static void actions_guard_after(void *ctx, uint8_t told, int recovered)
{
	struct err killed = { .text = "vfiomigctl was killed" };
	const struct action_facts facts = { .failure = &killed, .recovered = recovered == 0 };
	const struct actions_guard *guard = ctx;

	(void)told;
	if (guard->options.script)
		(void)actions_script_ops.act(guard->options.script, ACTION_ABORT, &facts, NULL);
}

/*
 * What the guardian is told of the devices
 */

static int actions_guard_tell(const struct actions_guard *g, unsigned int index, struct err *err)
{
	return guardian_mark(g->guardian, index, guard_mark_pack(&g->marks[index].mark), err);
}

/* Without a guardian to hear of it the phase itself does not begin: actions_guard_check(). */
static void actions_guard_on_step(void *ctx, enum mig_state from, enum mig_state to)
{
	struct actions_guard_mark *m = ctx;

	m->mark.from = from;
	m->mark.to = to;
	if (actions_guard_tell(m->guard, m->index, NULL) < 0)
		log_debug("guardian: gone");
}

static int actions_guard_watch_steps(struct actions_guard *g, struct err *err)
{
	g->marks = calloc(g->options.n, sizeof(*g->marks));
	if (!g->marks)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < g->options.n; i++) {
		struct mig_dev *mig = g->options.members[i].dev->mig;

		if (!mig)
			continue;
		g->marks[i] = (struct actions_guard_mark){
			.guard = g,
			.index = i,
			.mark = { .from = mig->state, .to = mig->state },
		};
		mig->on_step = actions_guard_on_step;
		mig->on_step_ctx = &g->marks[i];
		if (actions_guard_tell(g, i, err) < 0)
			return err->code;
	}
	return 0;
}

static void actions_guard_unwatch_steps(struct actions_guard *g)
{
	for (unsigned int i = 0; g->marks && i < g->options.n; i++) {
		if (g->options.members[i].dev->mig)
			g->options.members[i].dev->mig->on_step = NULL;
	}
	free(g->marks);
}

int actions_guard_owner_stopped(struct actions_guard *g, unsigned int index, bool stopped,
				struct err *err)
{
	struct guard_mark *mark = &g->marks[index].mark;

	if (stopped)
		*mark = (struct guard_mark){ MIG_STOP, MIG_STOP, true };
	else
		mark->owner_stopped = false;
	return actions_guard_tell(g, index, err);
}

int actions_guard_check(const struct actions_guard *g, struct err *err)
{
	return g ? guardian_check(g->guardian, err) : 0;
}

int actions_guard_note(const struct actions_guard *g, enum guard_note note, struct err *err)
{
	return g ? guardian_note(g->guardian, (uint8_t)note, err) : 0;
}

/*
 * Beginning and end
 */

static size_t actions_guard_fds(const struct actions_guard_options *o, int *fds)
{
	size_t n = 0;

	for (unsigned int i = 0; i < o->n; i++)
		if (actions_guard_has(&o->members[i])) {
			n += kernel_dev_fds(o->members[i].dev->mig, fds + n);
			if (o->members[i].dev->lock >= 0)
				fds[n++] = o->members[i].dev->lock;
		}
	return n;
}

static int actions_guard_start(struct actions_guard *g, struct err *err)
{
	const struct actions_guard_options *o = &g->options;
	_cleanup_free_ int *fds = calloc(o->n + 1, (KERNEL_DEV_FDS_MAX + 1) * sizeof(*fds));
	struct guardian_options guardian = {
		.freezers = o->freeze ? o->freeze->freezers : NULL,
		.n_freezers = o->freeze ? o->freeze->n : 0,
		.fds = fds,
		.patience_ms = GUARD_PATIENCE_MS,
		.recover = actions_guard_recover,
		.after = actions_guard_after,
		.ctx = g,
	};
	int r;

	if (!fds)
		return err_set(err, -ENOMEM, "calloc");
	guardian.n_fds = actions_guard_fds(o, fds);
	r = guardian_start(&guardian, &g->guardian, err);
	if (r < 0)
		return r;
	if (o->freeze)
		o->freeze->guardian = g->guardian;
	if (o->script)
		actions_script_guard(o->script, g->guardian);
	return actions_guard_watch_steps(g, err);
}

int actions_guard_new(const struct actions_guard_options *opts, struct actions_guard **ret,
		      struct err *err)
{
	struct actions_guard *g = calloc(1, sizeof(*g));

	if (!g)
		return err_set(err, -ENOMEM, "calloc");
	g->options = *opts;
	*ret = g;
	return actions_guard_start(g, err);
}

struct actions_guard *actions_guard_free(struct actions_guard *g)
{
	if (!g)
		return NULL;
	actions_guard_unwatch_steps(g);
	guardian_free(g->guardian);
	return mfree(g);
}
