// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/load-parts.h"
#include "fsm/fsm.h"

static void load_recover_tell_back(const struct load_lane *lane, struct err *err)
{
	const struct member *m = lane->member;
	const char *name = m->dev->mig->name;
	int code = err->code;
	char moved[64];

	if (m->result->recovery.moved) {
		err_classify(err, ERR_ABORTED, code);
		err_note(err, code, "another process has %s, and it is left there",
			 mig_moved_text(m->dev->mig->state, moved));
		return;
	}
	if (lane->received == HANDOVER_ANSWERING) {
		err_note(err, code,
			 "%s has the state and stays stopped, since the sender's device may run it",
			 name);
		if (lane->load->carrier->doubt)
			err_hint(err, code, "%s", lane->load->carrier->doubt);
		else
			err_hint(err, code,
				 "if it does not, once this has ended: vfiomigctl state %s running",
				 name);
		return;
	}
	if (lane->received == HANDOVER_OWNED) {
		err_note(err, code, "the device has the state, and is stopped");
		return;
	}
	err_classify(err, ERR_ABORTED, code);
	if (m->result->recovery.reset)
		err_note(err, code, "the device was reset and is in %s", fsm_name(m->want));
	else
		err_note(err, code, "the device is in %s again", fsm_name(m->want));
}

static void load_recover_tell_elsewhere(const struct load_lane *lane, struct err *err)
{
	const struct member *m = lane->member;
	const struct mig_recovery *recovery = &m->result->recovery;
	const struct mig_dev *mig = m->dev->mig;
	enum handover_give_up what = handover_gives_up(lane->received);
	struct err reset = { 0 };
	char buf[MIG_WHY_MAX];
	int code = err->code;

	mig_recovery_why(err, &m->why, buf);
	if (recovery->fate == MIG_FATE_HOLDS && what != HANDOVER_DISCARD) {
		err_note(err, code, "it is left in %s with %s state%s", fsm_name(recovery->end),
			 what == HANDOVER_KEEP ? "the" : "its own", buf);
		err_hint(err, code, "vfiomigctl state %s %s", mig->name, fsm_name(m->want));
	} else if (what == HANDOVER_KEEP && recovery->fate != MIG_FATE_UNKNOWN) {
		err_note(err, code, "the state is lost: the device is in %s",
			 fsm_name(recovery->end));
		err_hint(err, code, "vfiomigctl reset %s", mig->name);
	} else {
		err_note(err, code, "it could not be brought to %s%s", fsm_name(m->want), buf);
		if (recovery->reset && recovery->end_known && mig_reset_check(mig, &reset) < 0)
			err_hint(err, code, "%s", reset.hint);
	}
}

static void load_recover_tell(void *ctx, const struct member *m, struct err *err)
{
	const struct load *l = ctx;
	const struct load_lane *lane = &l->lanes[m->index];

	if (m->result->recovery.ok)
		load_recover_tell_back(lane, err);
	else
		load_recover_tell_elsewhere(lane, err);
}

static bool load_recover_any_lost(const struct load *l)
{
	for (unsigned int i = 0; i < l->set.n; i++)
		if (l->lanes[i].received >= HANDOVER_LOADING || l->lanes[i].entering)
			return true;
	return false;
}

/*
 * What a device holds, and where it goes with that. Where others have lost their own states, one
 * that still has its own stays stopped with it: of a set, none runs without the others.
 */
static void load_recover_plan(void *ctx, struct member *m)
{
	static const enum mig_holds holds[] = {
		[HANDOVER_NOTHING_TO_DO] = MIG_HOLDS_OWN,
		[HANDOVER_RETURN] = MIG_HOLDS_OWN,
		[HANDOVER_DISCARD] = MIG_HOLDS_GIVEN_UP,
		[HANDOVER_KEEP] = MIG_HOLDS_ACCEPTED,
	};
	const struct load *l = ctx;
	enum handover_give_up what = handover_gives_up(l->lanes[m->index].received);

	m->holds = holds[what];
	m->want = what == HANDOVER_RETURN && !load_recover_any_lost(l)
			  ? mig_settled(m->result->found)
			  : MIG_STOP;
}

/* What is told of a set that is where it was wanted. */
static const char *load_recover_all_back(const struct load *l)
{
	enum handover_received received = l->lanes[0].received;

	switch (received) {
	case HANDOVER_ANSWERING:
		return "have the state and stay stopped, since the sender's may run it";
	case HANDOVER_OWNED:
		return "have the state, and are stopped";
	default:
		return load_recover_any_lost(l) ? "are stopped, without what was loaded"
						: "are back";
	}
}

/* What became of the state that a device held. */
static enum mig_fate load_recover_fate(const struct load_lane *lane)
{
	const struct member_result *result = lane->member->result;

	if (handover_gives_up(lane->received) != HANDOVER_NOTHING_TO_DO)
		return result->recovery.fate;
	return result->opened && result->found == MIG_ERROR ? MIG_FATE_LOST : MIG_FATE_BACK;
}

/* One that does not answer may have the state. */
static bool load_recover_may_hold(const struct load_lane *lane)
{
	enum mig_fate fate = load_recover_fate(lane);

	return handover_gives_up(lane->received) == HANDOVER_KEEP && fate != MIG_FATE_BLANK &&
	       fate != MIG_FATE_LOST;
}

/* The set's verdict is that of the device that fared worst. */
void load_give_up(struct load *l, struct err *err)
{
	struct handover_verdict *verdict = &l->result->verdict;
	enum mig_fate worst = MIG_FATE_BACK;

	set_recover(&l->set, load_recover_plan, l);
	set_tell_recoveries(&l->set, load_recover_tell, l, load_recover_all_back(l), err);
	for (unsigned int i = 0; i < l->set.n; i++) {
		const struct load_lane *lane = &l->lanes[i];
		struct handover_verdict v = handover_gave_up(l->link, l->origin, lane->received,
							     load_recover_fate(lane));

		l->result->hold |= load_recover_may_hold(lane);
		if (i && v.status <= verdict->status &&
		    (v.status < verdict->status || load_recover_fate(lane) <= worst))
			continue;
		*verdict = v;
		worst = load_recover_fate(lane);
	}
	if (verdict->status == HANDOVER_IN_DOUBT)
		err->kind = ERR_IN_DOUBT;
	else if (verdict->status == HANDOVER_DEVICE)
		err->kind = ERR_DEVICE;
}
