// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "engine/adopt.h"
#include "engine/member.h"
#include "fsm/fsm.h"

static void member_on_arc(void *ctx, const struct mig_arc *arc)
{
	struct member *m = ctx;
	struct event e = { .kind = EVENT_ARC, .device = (int)m->index, .arc = *arc };

	timeline_add(&m->result->timeline, arc);
	event_emit(m->events, &e);
}

static void member_tell_state(const struct member *m)
{
	struct event e = {
		.kind = EVENT_OPENED,
		.device = (int)m->index,
		.state = m->dev->mig->state,
	};

	event_emit(m->events, &e);
}

int member_open(struct member *m, const struct device_options *options, struct err *err)
{
	struct mig_dev *mig;
	int r;

	if (!m->dev->mig) {
		r = device_open(m->dev, options, err);
		if (r < 0)
			return r;
	}
	mig = m->dev->mig;
	r = mig_query(mig, err);
	if (r < 0)
		return r;
	r = adopt_check(m->dev, m->toward == MIG_RESUMING ? ADOPT_LOAD : ADOPT_SAVE,
			options && options->owner_frozen, err);
	if (r < 0)
		return r;
	m->result->opened = true;
	m->result->found = m->result->left = m->want = mig->state;
	m->result->left_known = mig->state_known;
	mig->on_arc = member_on_arc;
	mig->on_arc_ctx = m;
	mig->cancel = m->cancel;
	member_tell_state(m);
	return 0;
}

void member_detach(struct member *m)
{
	struct mig_dev *mig = m->dev->mig;
	struct err why = { 0 };

	if (!m->result->opened)
		return;
	m->result->left = mig->state;
	m->result->left_known = mig->state_known;
	m->result->retries = m->retry.retries;
	mig->on_arc = NULL;
	mig->cancel = NULL;
	if (device_check_kept(m->dev, &why) < 0)
		log_warn("%s: what is left of it ends with this process", why.text);
}

int member_check_source(struct member *m, struct err *err)
{
	struct mig_dev *mig = m->dev->mig;
	int r;

	if (mig->state != MIG_ERROR && mig->state != MIG_RESUMING)
		return 0;
	m->result->fate = MIG_FATE_LOST;
	r = err_fail(err, ERR_DEVICE, -EBUSY, "%s: is in %s: there is no state to save", mig->name,
		     fsm_name(mig->state));
	return err_hint(err, r, "vfiomigctl reset %s", mig->name);
}

int member_settle(struct member *m, struct err *err)
{
	struct mig_dev *mig = m->dev->mig;
	int r;

	m->touched = true;
	m->want = mig_settled(m->result->found);
	r = mig_settle(mig, &m->retry, m->cancel, err);
	if (r >= 0)
		m->result->found = m->want = mig->state;
	return r;
}

/*
 * A refusal that has led to where the phase ends is one on the way: the next phase goes on from
 * there. At the end of the whole way it does not count as taken (device/arc-retry.c).
 */
static bool member_got_past(struct member *m, enum phase phase, enum mig_state target, int r)
{
	const struct mig_dev *mig = m->dev->mig;
	bool on_the_way = phase == PHASE_QUIESCE || phase == PHASE_STOP || phase == PHASE_START_P2P;

	if (!on_the_way || (r != -EBUSY && r != -EAGAIN) || !mig->state_known ||
	    mig->state != target || target == m->toward || target == m->want)
		return false;
	m->retry.retries++;
	return true;
}

int member_enter(struct member *m, enum phase phase, struct cancel *cancel, struct err *err)
{
	struct mig_dev *mig = m->dev->mig;
	const struct phase_place place = {
		.next = mig->ops->next,
		.caps = mig->caps,
		.state = mig->state,
		.want = m->want,
		.toward = m->toward,
		.precopy = m->precopy,
	};

	enum mig_state target = phase_target(phase, &place);
	int r = mig_goto_retrying(&m->retry, mig, target, cancel, err);

	if (r < 0 && member_got_past(m, phase, target, r)) {
		*err = (struct err){ 0 };
		return 0;
	}
	return r;
}

void member_start_p2p(struct member *m)
{
	struct mig_dev *mig = m->dev->mig;

	char moved[64];

	m->why = (struct err){ 0 };
	m->failed = 0;
	if (mig_was_moved(mig)) {
		log_warn("%s: another process has %s meanwhile, and it is left there", mig->name,
			 mig_moved_text(mig->state, moved));
		m->want = mig->state;
		return;
	}
	m->failed = member_enter(m, PHASE_START_P2P, NULL, &m->why);
}

int member_start(struct member *m, struct err *err)
{
	if (m->failed) {
		*err = m->why;
		return m->failed;
	}
	return member_enter(m, PHASE_START, NULL, err);
}

void member_recover(struct member *m)
{
	struct member_result *result = m->result;
	struct event e = { .kind = EVENT_RECOVERY, .device = (int)m->index };

	m->why = (struct err){ 0 };
	mig_recover(m->dev->mig, m->want, m->holds, &m->retry, &result->recovery, &m->why);
	result->recovered = true;
	result->fate = result->recovery.fate;
	e.recovery = &result->recovery;
	event_emit(m->events, &e);
}

void member_tell_recovery(const struct member *m, struct err *err)
{
	const struct mig_dev *mig = m->dev->mig;
	char buf[MIG_WHY_MAX];
	int code = err->code;

	mig_recovery_why(err, &m->why, buf);
	switch (m->result->fate) {
	case MIG_FATE_BACK:
		/* Whatever was wrong on the way, the device has its state and is where it was. */
		if (err->kind == ERR_DEVICE)
			err->kind = ERR_ABORTED;
		err_classify(err, ERR_ABORTED, code);
		err_note(err, code, "the device is %sin %s%s%s",
			 m->result->recovery.moved ? "left " : "", fsm_name(mig->state),
			 m->result->recovery.moved ? "" : " again",
			 mig->moved && mig->state == MIG_RUNNING
				 ? "; if that was a reset, its state is lost"
				 : "");
		return;
	case MIG_FATE_BLANK:
		err_note(err, code, "it %s: it is in %s, its state is lost",
			 m->result->recovery.found_reset ? "was reset by another process"
							 : "had to be reset",
			 fsm_name(m->want));
		break;
	case MIG_FATE_HOLDS:
		err_note(err, code, "it has its state, and is left in %s%s", fsm_name(mig->state),
			 buf);
		err_hint(err, code, "vfiomigctl state %s %s", mig->name, fsm_name(m->want));
		break;
	case MIG_FATE_LOST:
		err_note(err, code, "its state is lost%s", buf);
		err_hint(err, code, "vfiomigctl reset %s", mig->name);
		break;
	default:
		err_note(err, code, "it could not be brought back to %s%s", fsm_name(m->want), buf);
		break;
	}
	err->kind = ERR_DEVICE;
}
