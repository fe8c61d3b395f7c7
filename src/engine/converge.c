// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/converge.h"
#include "fsm/fsm.h"

/* A round that takes longer is cut off. */
#define ROUND_NS NSEC_PER_SEC

static bool converge_takes_part(const struct member *m)
{
	const enum mig_state state = m->dev->mig->state;

	return state == MIG_PRE_COPY || state == MIG_PRE_COPY_P2P;
}

bool converge_wanted(const struct set *set)
{
	for (unsigned int i = 0; i < set->n; i++) {
		const struct mig_dev *mig = set->members[i].dev->mig;

		if (fsm_supported(MIG_PRE_COPY, mig->caps) && fsm_runs(mig->state))
			return true;
	}
	return false;
}

/*
 * What the device tells. No answer is no failure: virtio has errors here that pass, and pre-copy
 * only ever saves time; a device that is really gone says so at the next read.
 */
static bool converge_ask(struct mig_dev *mig, struct mig_precopy_info *info)
{
	char reason[ERR_REASON_MAX];
	struct err why = { 0 };

	if (mig_precopy(mig, info, &why) >= 0)
		return true;
	log_debug("%s%s", why.text, err_reason(&why, reason));
	return false;
}

/*
 * Of what MIG_DATA_SIZE tells, the part that is neither read nor announced as dirty: some drivers
 * always tell the whole state, others what is left.
 */
static uint64_t converge_stop_copy(struct mig_dev *mig, const struct event_round *round,
				   uint64_t read)
{
	uint64_t size, known = read;

	if (mig_data_size(mig, &size, NULL) < 0)
		return 0;
	if (round->told)
		known += round->info.initial_bytes + round->info.dirty_bytes;
	return size > known ? size - known : 0;
}

static void converge_tell_round(const struct member *m, const struct event_round *round)
{
	struct event e = { .kind = EVENT_ROUND, .device = (int)m->index, .round = *round };

	event_emit(m->events, &e);
}

/*
 * mlx5 makes new data only when it is asked, so the question comes before the data, too. A round is
 * cut off after a while: of a device that makes data as fast as it is read it would have no end.
 */
static int converge_read_round(void *ctx, struct member *m, struct err *err)
{
	struct converge *c = ctx;
	struct pump *pump = &c->lanes[m->index].pump;
	struct converge_round *round = &c->rounds[m->index];
	uint64_t before = pump->bytes, start = clock_ns();
	struct mig_dev *mig = m->dev->mig;
	int r;

	if (!converge_takes_part(m))
		return 0;
	converge_ask(mig, &round->event.info);
	pump->deadline_ns = MIN(c->deadline_ns, start + ROUND_NS);
	r = pump_run(pump, err);
	round->cut = r == PUMP_CUT;
	r = r < 0 ? r : pump_flush(pump, err);
	if (r < 0)
		return pipeline_explain(pump->pipe, r, err);
	round->event.number = c->policy.rounds + 1;
	round->event.bytes = pump->bytes - before;
	round->event.ns = clock_ns() - start;
	round->event.info = (struct mig_precopy_info){ 0 };
	round->event.told = converge_ask(mig, &round->event.info);
	round->stop_copy = converge_stop_copy(mig, &round->event, pump->bytes);
	converge_tell_round(m, &round->event);
	return 0;
}

/*
 * An arc that is still to come is taken to last as long as the longest one so far of the same
 * device: at that time only its way into pre-copy is known.
 */
static uint64_t converge_expect_arcs(const struct member *m, bool returns)
{
	const struct timeline *t = &m->result->timeline;
	unsigned int arcs = returns ? 4 : 2; /* PRE_COPY_P2P, STOP_COPY; STOP, RUNNING(_P2P) */
	uint64_t longest = 0;

	if (fsm_supported(MIG_RUNNING_P2P, m->dev->mig->caps))
		arcs += returns ? 1 : 0;
	else
		arcs -= 1;
	for (unsigned int i = 0; i < t->n; i++)
		longest = MAX(longest, t->arcs[i].ns);
	return arcs * longest;
}

static struct switchover_round converge_sum(const struct converge *c, bool quiescent)
{
	struct switchover_round sum = { .told = true, .quiescent = quiescent };

	for (unsigned int i = 0; i < c->set->n; i++) {
		const struct converge_round *round = &c->rounds[i];
		const struct member *m = &c->set->members[i];

		sum.arcs_ns = MAX(sum.arcs_ns, converge_expect_arcs(m, c->options->returns));
		if (!converge_takes_part(m)) {
			uint64_t size;

			sum.stop_copy += mig_data_size(m->dev->mig, &size, NULL) < 0 ? 0 : size;
			continue;
		}
		sum.told &= round->event.told;
		sum.cut |= !round->event.told && round->cut;
		sum.initial += round->event.info.initial_bytes;
		sum.dirty += round->event.info.dirty_bytes;
		sum.reinit |= round->event.info.reinit;
		sum.stop_copy += round->stop_copy;
		if (quiescent)
			continue;
		sum.moved += round->event.bytes;
		sum.moved_told += round->event.told ? round->event.bytes : 0;
		sum.moved_ns = MAX(sum.moved_ns, round->event.ns);
	}
	sum.moved_ns -= MIN(sum.moved_ns, c->held_up_ns);
	sum.now_ns = clock_ns();
	return sum;
}

static enum switchover_verdict converge_decide(struct converge *c, bool quiescent)
{
	const struct switchover_round sum = converge_sum(c, quiescent);
	struct event e = { .kind = EVENT_DECISION, .device = EVENT_SET };
	char estimate[UNITS_MAX];

	switchover_step(&c->policy, &sum, &c->decision);
	c->decided = true;
	e.decision = c->decision;
	event_emit(c->set->events, &e);
	log_debug("pre-copy: round %u: %s, %llu bytes in it, %llu initial, %llu dirty, downtime %s",
		  c->decision.number, switchover_verdict_name(c->decision.verdict),
		  (unsigned long long)sum.moved, (unsigned long long)sum.initial,
		  (unsigned long long)sum.dirty,
		  c->decision.estimated ? format_duration(estimate, c->decision.estimate_ns) : "-");
	return c->decision.verdict;
}

/* Steps that an int of milliseconds has room for are longer than any pause. */
static int converge_pause(struct converge *c, struct err *err)
{
	uint64_t ms = (c->decision.pause_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;

	return ms ? cancel_pause(c->set->cancel, (int)MIN(ms, 60000u), err) : 0;
}

static int converge_rounds(struct converge *c, struct err *err)
{
	const struct limiter *limiter = &c->lanes[0].lanes->limiter;

	for (;;) {
		int r;

		r = cancel_check(c->set->cancel, err);
		if (r < 0)
			return r;
		c->held_up_ns = atomic_load(&limiter->waited_ns);
		r = set_each(c->set, converge_read_round, c, err);
		if (r < 0)
			return r;
		c->held_up_ns = atomic_load(&limiter->waited_ns) - c->held_up_ns;
		if (converge_decide(c, false) != SWITCHOVER_NOT_YET)
			return 0;
		r = converge_pause(c, err);
		if (r < 0)
			return r;
	}
}

static int converge_check_divergence(const struct converge *c, struct err *err)
{
	char estimate[UNITS_MAX], limit[UNITS_MAX];
	const struct switchover_decision *d = &c->decision;

	if (d->verdict == SWITCHOVER_CONVERGED || c->options->on_divergence == ON_DIVERGENCE_STOP)
		return 0;
	err_fail(err, ERR_ABORTED, -ETIME,
		 "pre-copy does not converge: %s after %u round%s, downtime would be %s, not %s",
		 switchover_verdict_name(d->verdict), d->number, d->number == 1 ? "" : "s",
		 format_duration(estimate, d->estimate_ns),
		 format_duration(limit, c->options->policy.downtime_limit_ns));
	return err_hint(err, -ETIME,
			"raise --downtime-limit, or --on-divergence=stop stops the devices all the "
			"same");
}

static int converge_look_again(void *ctx, struct member *m, struct err *err)
{
	struct converge *c = ctx;
	struct event_round *round = &c->rounds[m->index].event;

	(void)err;
	round->info.reinit = false;
	if (m->dev->mig->precopy_v2 && m->dev->mig->state == MIG_PRE_COPY_P2P)
		round->told = converge_ask(m->dev->mig, &round->info);
	return 0;
}

/* Return: a device was reconfigured meanwhile, and there is still time for another turn. */
static int converge_reinit(struct converge *c, bool *ret, struct err *err)
{
	bool reinit = false;
	int r;

	*ret = false;
	r = set_each(c->set, converge_look_again, c, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < c->set->n; i++)
		reinit |= c->rounds[i].event.info.reinit;
	if (reinit && c->decision.verdict != SWITCHOVER_LIMIT)
		*ret = converge_decide(c, true) == SWITCHOVER_NOT_YET;
	return 0;
}

static int converge_enter(void *ctx, struct member *m, struct err *err)
{
	const struct converge *c = ctx;

	/* It would outlast the save, and change what an owner of the device is told. */
	if (c->policy.rounds == 0 && fsm_supported(MIG_PRE_COPY, m->dev->mig->caps) &&
	    fsm_runs(m->dev->mig->state) && !device_owner(m->dev))
		mig_opt_in_precopy(m->dev->mig);
	m->precopy = true;
	return member_enter(m, PHASE_PRE_COPY, c->set->cancel, err);
}

/* What is read from now on is read to its end. */
static void converge_leave(struct converge *c)
{
	for (unsigned int i = 0; i < c->set->n; i++)
		c->lanes[i].pump.deadline_ns = 0;
}

/* From here on no device runs in full, unless there is another turn. */
static int converge_quiesce(struct converge *c, bool *ret_again, struct err *err)
{
	uint64_t max = c->options->downtime_max_ns;
	int r;

	r = set_prepare(c->set, PHASE_QUIESCE, err);
	if (r < 0)
		return r;
	cancel_set_deadline(c->set->cancel, max ? clock_ns() + max : 0);
	r = set_phase(c->set, PHASE_QUIESCE, set_enter, c->set, err);
	if (r < 0)
		return r;
	r = converge_reinit(c, ret_again, err);
	if (r >= 0 && *ret_again)
		cancel_set_deadline(c->set->cancel, 0);
	return r;
}

int converge_run(struct converge *c, struct err *err)
{
	uint64_t start = clock_ns();
	bool again;
	int r;

	switchover_start(&c->policy, &c->options->policy, start);
	c->deadline_ns = start + c->options->policy.max_ns;
	do {
		r = set_phase(c->set, PHASE_PRE_COPY, converge_enter, c, err);
		if (r < 0)
			return r;
		r = converge_rounds(c, err);
		if (r < 0)
			return r;
		r = converge_check_divergence(c, err);
		if (r < 0)
			return r;
		r = converge_quiesce(c, &again, err);
		if (r < 0)
			return r;
	} while (again);
	r = converge_check_divergence(c, err);
	if (r < 0)
		return r;
	converge_leave(c);
	return 0;
}
