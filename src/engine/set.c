// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/acquire-shared.h"
#include "device/same.h"
#include "engine/set.h"
#include "fsm/fsm.h"

static int set_refuse_double(const struct device *a, const struct device *b, struct err *err)
{
	return err_fail(err, ERR_USAGE, -EINVAL, "%s and %s are the same device", a->spec, b->spec);
}

/* By what is known of them: before they are opened, and once more afterwards. */
static int set_check_doubles(const struct set *s, struct err *err)
{
	for (unsigned int i = 1; i < s->n; i++)
		for (unsigned int j = 0; j < i; j++)
			if (device_same(s->members[j].dev, s->members[i].dev))
				return set_refuse_double(s->members[j].dev, s->members[i].dev, err);
	return 0;
}

int set_init(struct set *s, struct device *const *devs, unsigned int n, enum mig_state toward,
	     uint64_t retry_ns, struct cancel *cancel, struct events *events, struct err *err)
{
	int r;

	*s = (struct set){ .n = n, .cancel = cancel, .events = events };
	s->members = calloc(n, sizeof(*s->members));
	s->results = calloc(n, sizeof(*s->results));
	if (!s->members || !s->results)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < n; i++)
		s->members[i] = (struct member){
			.dev = devs[i],
			.index = i,
			.retry = { .budget_ns = retry_ns },
			.toward = toward,
			.cancel = cancel,
			.events = events,
			.result = &s->results[i],
		};
	r = set_check_doubles(s, err);
	return r < 0 ? r : runner_new(n, cancel, &s->runner, err);
}

int set_act(struct set *s, const struct actions_options *options, const uint8_t *image_id,
	    struct err *err)
{
	return actions_new(options, s->members, s->n, image_id, s->cancel, s->events, &s->actions,
			   err);
}

void set_done(struct set *s)
{
	s->runner = runner_free(s->runner);
	s->actions = actions_free(s->actions);
	for (unsigned int i = 0; s->members && i < s->n; i++)
		member_detach(&s->members[i]);
	free(s->members);
	s->members = NULL;
}

static int set_check_p2p(const struct member *m, struct err *err)
{
	const struct mig_dev *mig = m->dev->mig;

	if (mig->caps & MIG_CAP_P2P)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
		 "%s: has no P2P-quiescent states: another device of the set could do DMA to it "
		 "after it has stopped",
		 mig->name);
	return err_hint(err, -EOPNOTSUPP, "if these devices do no DMA to each other: --no-p2p");
}

int set_open(struct set *s, const struct device_options *options, bool p2p, struct err *err)
{
	int r;

	for (unsigned int i = 0; i < s->n; i++) {
		r = member_open(&s->members[i], options, err);
		if (r < 0)
			return r;
		r = p2p && s->n > 1 ? set_check_p2p(&s->members[i], err) : 0;
		if (r < 0)
			return r;
	}
	/* All that is open from here on is what the devices themselves need. */
	if (options && options->acquire.shared)
		acquire_shared_done(options->acquire.shared);
	return set_check_doubles(s, err);
}

/*
 * Phases
 */

static void set_tell(const struct set *s, enum event_kind kind, int device, enum phase phase)
{
	struct event e = { .kind = kind, .device = device, .phase = phase };

	event_emit(s->events, &e);
}

static void set_tell_failure(const struct set *s, int device, const struct err *err)
{
	struct event e = { .kind = EVENT_FAILURE, .device = device, .failure = err };

	event_emit(s->events, &e);
}

/* What each device is to do; one that hangs begins it late. */
struct set_order {
	struct set *set;
	set_fn *fn;
	void *ctx;
};

static int set_do_each(const void *order, unsigned int index, struct err *err)
{
	const struct set_order *o = order;
	struct member *m = &o->set->members[index];

	cancel_name_thread(o->set->n > 1 ? device_name(m->dev) : NULL);
	return o->fn(o->ctx, m, err);
}

static int set_do_part(const void *order, unsigned int index, struct err *err)
{
	const struct set *s = ((const struct set_order *)order)->set;
	enum phase phase = s->phase;
	int r;

	r = set_do_each(order, index, err);
	if (r < 0)
		set_tell_failure(s, (int)index, err);
	else
		set_tell(s, EVENT_ARRIVED, (int)index, phase);
	return r;
}

int set_prepare(struct set *s, enum phase phase, struct err *err)
{
	return actions_before(s->actions, phase, err);
}

int set_phase(struct set *s, enum phase phase, set_fn *fn, void *ctx, struct err *err)
{
	const struct set_order order = { .set = s, .fn = fn, .ctx = ctx };
	bool heed_cancel = phase < PHASE_START_P2P;
	int r;

	r = set_prepare(s, phase, err);
	if (r < 0)
		return r;
	r = heed_cancel ? cancel_check(s->cancel, err) : 0;
	if (r < 0)
		return r;
	set_tell(s, EVENT_PHASE, EVENT_SET, phase);
	s->phase = phase;
	r = runner_all(s->runner, set_do_part, &order, sizeof(order), heed_cancel, err);
	if (r < 0)
		return r;
	set_tell(s, EVENT_BARRIER, EVENT_SET, phase);
	actions_after(s->actions, phase);
	return 0;
}

int set_each(struct set *s, set_fn *fn, void *ctx, struct err *err)
{
	const struct set_order order = { .set = s, .fn = fn, .ctx = ctx };

	return runner_all(s->runner, set_do_each, &order, sizeof(order), true, err);
}

int set_enter(void *ctx, struct member *m, struct err *err)
{
	const struct set *s = ctx;

	return member_enter(m, s->phase, s->cancel, err);
}

/*
 * After a failure
 */

struct set_recovery {
	set_plan_fn *plan;
	void *ctx;
};

/* What a device holds can change until it no longer hangs. */
static void set_plan(const struct set_recovery *r, struct member *m)
{
	if (r->plan)
		r->plan(r->ctx, m);
}

/*
 * No device runs in full before all can answer, nor stops with a load before none starts DMA any
 * more, as far as they can be brought there. One that is no longer where it was, in ERROR say, is
 * left to its recovery, which has to find out by itself.
 */
static int set_back_p2p(void *ctx, struct member *m, struct err *err)
{
	struct mig_dev *mig = m->dev->mig;
	struct err why = { 0 };
	enum phase phase;

	(void)err;
	set_plan(ctx, m);
	phase = m->holds == MIG_HOLDS_ACCEPTED ? PHASE_QUIESCE : PHASE_START_P2P;
	if (!m->touched || m->holds == MIG_HOLDS_GIVEN_UP || !mig->state_known ||
	    mig->state == MIG_ERROR || mig->state == MIG_RESUMING || mig_was_moved(mig))
		return 0;
	if (mig_check_session(mig, "on its way back", &why) < 0 ||
	    member_enter(m, phase, NULL, &why) < 0)
		log_info("%s: on its way back: %s", mig->name, why.text);
	return 0;
}

static int set_recover_one(void *ctx, struct member *m, struct err *err)
{
	(void)err;
	set_plan(ctx, m);
	if (m->touched)
		member_recover(m);
	return 0;
}

/* On its way back no device heeds a cancel. */
static void set_recover_each(struct set *s, set_fn *fn, struct set_recovery *recovery)
{
	const struct set_order order = { .set = s, .fn = fn, .ctx = recovery };
	struct err none = { 0 };

	if (runner_all(s->runner, set_do_each, &order, sizeof(order), false, &none) < 0)
		log_debug("%s", none.text);
}

/* None of the orders fails, and those that hang are waited for at the end. */
void set_recover(struct set *s, set_plan_fn *plan, void *ctx)
{
	struct set_recovery recovery = { .plan = plan, .ctx = ctx };

	if (s->n > 1)
		set_recover_each(s, set_back_p2p, &recovery);
	set_recover_each(s, set_recover_one, &recovery);
	runner_join(s->runner);
}

static void set_tell_of_all(const struct set *s, const struct member *worst, const char *all,
			    struct err *err)
{
	char note[sizeof(err->note)];
	int code = err->code;

	if (worst->result->fate == MIG_FATE_BACK) {
		err_note(err, code, "all %u devices %s", s->n, all);
		return;
	}
	memcpy(note, err->note, sizeof(note));
	err_note(err, code, "%s: %s", worst->dev->mig->name, note);
}

/* Each device has its own story, of the failure that is of all; the error gets the worst one. */
void set_tell_recoveries(const struct set *s, set_tell_fn *tell, void *ctx, const char *all,
			 struct err *err)
{
	const struct member *worst = NULL;
	struct err worst_story;

	for (unsigned int i = 0; i < s->n; i++) {
		const struct member *m = &s->members[i];
		struct err story = *err;

		if (!m->result->recovered)
			continue;
		tell(ctx, m, &story);
		if (s->n > 1)
			log_info("%s: %s", m->dev->mig->name, story.note);
		if (worst && m->result->fate <= worst->result->fate)
			continue;
		worst = m;
		worst_story = story;
	}
	if (!worst)
		return;
	*err = worst_story;
	if (s->n > 1)
		set_tell_of_all(s, worst, all, err);
}

static void set_tell_source(void *ctx, const struct member *m, struct err *err)
{
	(void)ctx;
	member_tell_recovery(m, err);
}

void set_give_back(struct set *s, set_plan_fn *plan, void *ctx, struct err *err)
{
	set_recover(s, plan, ctx);
	set_tell_recoveries(s, set_tell_source, NULL, "are back", err);
}

/*
 * The way back of a save
 */

/* One that fails is tried once more, so that the others do not run in full before it can answer. */
static int set_start_p2p(void *ctx, struct member *m, struct err *err)
{
	const struct set *s = ctx;
	const struct set_recovery none = { 0 };

	member_start_p2p(m);
	return m->failed && s->n > 1 ? set_back_p2p((void *)&none, m, err) : 0;
}

/* The way back failed once and then went well: nothing is wrong any more. */
static int set_start_or_recover(void *ctx, struct member *m, struct err *err)
{
	char reason[ERR_REASON_MAX];
	int r = member_start(m, err);

	(void)ctx;
	if (r >= 0)
		return 0;
	member_recover(m);
	member_tell_recovery(m, err);
	if (err->kind == ERR_DEVICE)
		return r;
	log_warn("%s%s, recovered", err->text, err_reason(err, reason));
	return 0;
}

int set_return(struct set *s, struct err *err)
{
	int r = set_phase(s, PHASE_START_P2P, set_start_p2p, s, err);

	return r < 0 ? r : set_phase(s, PHASE_START, set_start_or_recover, s, err);
}

enum mig_fate set_fate(const struct set *s)
{
	enum mig_fate worst = MIG_FATE_BACK;

	for (unsigned int i = 0; i < s->n; i++)
		worst = MAX(worst, s->results[i].fate);
	return worst;
}
