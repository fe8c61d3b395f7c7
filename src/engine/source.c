// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "engine/source.h"
#include "fsm/fsm.h"

/* Between two questions about pre-copy data; virtio answers anew once a second. */
#define PRECOPY_PAUSE_MS 100

static void source_on_arc(void *ctx, const struct mig_arc *arc)
{
	struct source *s = ctx;

	timeline_add(&s->result.timeline, arc);
	if (arc->result >= 0)
		atomic_store(&s->transfer->state, arc->to);
}

/* What the driver says is an estimate, and only good for a progress line. */
static void source_expect_size(struct source *s)
{
	uint64_t size;

	if (mig_data_size(s->dev->mig, &size, NULL) >= 0)
		atomic_store(&s->transfer->expected, size);
}

/*
 * What the device tells, or NULL where it tells nothing. No answer is no failure: virtio has errors
 * here that pass, and pre-copy only ever saves time; a device that is really gone says so at the
 * next read.
 */
static const struct mig_precopy_info *source_ask_precopy(struct source *s,
							 struct mig_precopy_info *info)
{
	char reason[ERR_REASON_MAX];
	struct err why = { 0 };

	if (mig_precopy(s->dev->mig, info, &why) >= 0)
		return info;
	log_debug("%s%s", why.text, err_reason(&why, reason));
	return NULL;
}

/* Rounds in PRE_COPY until the policy says to stop; @ret is what it said. */
static int source_precopy_rounds(struct source *s, struct pump *pump, enum precopy_verdict *ret,
				 struct err *err)
{
	static const char *const why[] = {
		[PRECOPY_CONVERGED] = "converged",
		[PRECOPY_DIVERGES] = "no longer shrinks",
		[PRECOPY_LIMIT] = "is at its limit",
	};

	for (uint64_t before = 0;;) {
		struct mig_precopy_info info;
		enum precopy_verdict verdict;
		int r;

		r = cancel_check(s->cancel, err);
		if (r < 0)
			return r;
		verdict = *ret = precopy_step(s->precopy, source_ask_precopy(s, &info),
					      pump->bytes - before, clock_ns());
		if (verdict != PRECOPY_CONTINUE) {
			log_info("%s: pre-copy %s after %u rounds, %llu bytes", s->dev->mig->name,
				 why[verdict], s->precopy->rounds, (unsigned long long)pump->bytes);
			return 0;
		}
		before = pump->bytes;
		r = pump_run(pump, err);
		if (r < 0)
			return r;
		if (pump->bytes > before)
			continue;
		r = cancel_pause(s->cancel, PRECOPY_PAUSE_MS, err);
		if (r < 0)
			return r;
	}
}

/*
 * A device can be reconfigured between the last look and its quiescence (REINIT): then what
 * pre-copy brought is stale, and another turn costs less than a long stop.
 */
static int source_precopy(struct source *s, struct pump *pump, struct err *err)
{
	struct mig_dev *mig = s->dev->mig;
	enum precopy_verdict verdict;
	bool again;
	int r;

	mig_opt_in_precopy(mig);
	precopy_start(s->precopy, clock_ns());
	pump->deadline_ns = s->precopy->start_ns + s->precopy->max_ns;
	do {
		r = mig_goto_retrying(&s->retry, mig, MIG_PRE_COPY, s->cancel, err);
		if (r < 0)
			return r;
		r = source_precopy_rounds(s, pump, &verdict, err);
		if (r < 0)
			return r;
		again = false;
		if (mig->precopy_v2 && fsm_supported(MIG_PRE_COPY_P2P, mig->caps)) {
			struct mig_precopy_info info;

			r = mig_goto_retrying(&s->retry, mig, MIG_PRE_COPY_P2P, s->cancel, err);
			again = r >= 0 && source_ask_precopy(s, &info) && info.reinit &&
				verdict != PRECOPY_LIMIT;
		}
	} while (again);
	pump->deadline_ns = 0;
	return r;
}

static int source_take(struct source *s, struct pump *pump, struct err *err)
{
	struct mig_dev *mig = s->dev->mig;
	int r;

	source_expect_size(s);
	if (s->precopy && fsm_supported(MIG_PRE_COPY, mig->caps) && fsm_runs(mig->state)) {
		r = source_precopy(s, pump, err);
		if (r < 0)
			return r;
	}
	r = mig_goto_retrying(&s->retry, mig, MIG_STOP_COPY, s->cancel, err);
	if (r < 0)
		return r;
	r = pump_run(pump, err);
	if (r < 0)
		return r;
	return pump_flush(pump, err);
}

/* What the recovery came to, and what helps. */
static void source_tell(const struct source *s, enum mig_state want, const struct err *why,
			struct err *err)
{
	const char *name = s->dev->mig->name;
	char buf[MIG_WHY_MAX];
	int code = err->code;

	mig_recovery_why(err, why, buf);
	switch (s->result.fate) {
	case MIG_FATE_BACK:
		/* Whatever was wrong on the way, the device has its state and is where it was. */
		if (err->kind == ERR_DEVICE)
			err->kind = ERR_ABORTED;
		err_classify(err, ERR_ABORTED, code);
		err_note(err, code, "the device is in %s again", fsm_name(want));
		return;
	case MIG_FATE_BLANK:
		err_note(err, code, "it %s: it is in %s, its state is lost",
			 s->result.recovery.found_reset ? "was reset by another process"
							: "had to be reset",
			 fsm_name(want));
		break;
	case MIG_FATE_HOLDS:
		err_note(err, code, "it has its state, and is left in %s%s",
			 fsm_name(s->dev->mig->state), buf);
		err_hint(err, code, "vfiomigctl state %s %s", name, fsm_name(want));
		break;
	case MIG_FATE_LOST:
		err_note(err, code, "its state is lost%s", buf);
		err_hint(err, code, "vfiomigctl reset %s", name);
		break;
	default:
		err_note(err, code, "it could not be brought back to %s%s", fsm_name(want), buf);
		break;
	}
	err->kind = ERR_DEVICE;
}

static void source_recover(struct source *s, enum mig_state want, struct err *err)
{
	struct err why = { 0 };

	mig_recover(s->dev->mig, want, MIG_HOLDS_OWN, &s->retry, &s->result.recovery, &why);
	s->result.recovered = true;
	s->result.fate = s->result.recovery.fate;
	source_tell(s, want, &why, err);
}

static void source_attach(struct source *s)
{
	s->dev->mig->on_arc = source_on_arc;
	s->dev->mig->on_arc_ctx = s;
}

static void source_detach(struct source *s)
{
	s->dev->mig->on_arc = NULL;
	s->result.left = s->dev->mig->state;
	s->result.left_known = s->dev->mig->state_known;
}

void source_give_back(struct source *s, struct err *err)
{
	source_attach(s);
	source_recover(s, s->result.found, err);
	source_detach(s);
}

bool source_runs_on(const struct source *s)
{
	return !s->leave_stopped && fsm_runs(s->result.found);
}

static int source_walk(struct source *s, struct pump *pump, struct err *err)
{
	struct source_result *result = &s->result;
	struct mig_dev *mig = s->dev->mig;
	enum mig_state want = s->leave_stopped ? MIG_STOP : result->found;
	char reason[ERR_REASON_MAX];
	int r;

	r = pipeline_explain(pump->pipe, source_take(s, pump, err), err);
	result->complete = r >= 0;
	result->bytes = pump->bytes;
	result->stream_ns = pump->ns;
	if (result->complete && s->on_drained)
		s->on_drained(s->stages.ctx);
	r = r < 0 ? r : mig_goto_retrying(&s->retry, mig, want, NULL, err);
	if (!r)
		return 0;
	source_recover(s, result->complete ? want : result->found, err);
	if (!result->complete || err->kind == ERR_DEVICE)
		return r;
	/* The way back failed once and then went well: nothing is wrong any more. */
	log_warn("%s%s, recovered", err->text, err_reason(err, reason));
	return 0;
}

int source_settle(struct source *s, struct err *err)
{
	struct mig_dev *mig = s->dev->mig;
	int r;

	s->result.found = s->result.left = mig->state;
	s->result.left_known = mig->state_known;
	if (mig->state == MIG_ERROR || mig->state == MIG_RESUMING) {
		s->result.fate = MIG_FATE_LOST;
		r = err_fail(err, ERR_DEVICE, -EBUSY, "%s: is in %s: there is no state to save",
			     mig->name, fsm_name(mig->state));
		return err_hint(err, r, "vfiomigctl reset %s", mig->name);
	}
	source_attach(s);
	r = mig_settle(mig, &s->retry, s->cancel, err);
	if (r < 0) {
		err_classify(err, ERR_DEVICE, r);
		source_recover(s, mig_settled(s->result.found), err);
	}
	source_detach(s);
	if (r >= 0)
		s->result.found = mig->state;
	return r;
}

int source_run(struct source *s, struct err *err)
{
	struct mig_dev *mig = s->dev->mig;
	struct pump pump = {
		.dev = mig,
		.stages = &s->stages,
		.cancel = s->cancel,
		.transfer = s->transfer,
	};
	int r;

	r = pump_init(&pump, err);
	if (r < 0)
		return r;
	source_attach(s);
	mig->cancel = s->cancel;
	atomic_store(&s->transfer->state, mig->state);
	r = source_walk(s, &pump, err);
	mig->cancel = NULL;
	source_detach(s);
	pump_done(&pump);
	return r;
}
