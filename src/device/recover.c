// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "device/recover.h"
#include "fsm/fsm.h"

/* A walk that fails may have come part of the way, and an error of the driver's may pass. */
#define WALK_TRIES 2

/**
 * struct recover - a recovery under way
 * @walks, @resets: tries so far, with what the device holds now
 * @why: the last failure
 */
struct recover {
	struct mig_dev *dev;
	enum mig_state want;
	enum mig_holds holds;
	struct arc_retry *retry;
	unsigned int walks, resets;
	bool lost;
	struct err why;
};

static enum mig_place recover_place(const struct recover *r)
{
	if (!r->dev->state_known)
		return MIG_PLACE_UNKNOWN;
	if (r->dev->state == MIG_ERROR)
		return MIG_PLACE_ERROR;
	if (r->dev->state == r->want)
		return MIG_PLACE_WANTED;
	if (r->dev->moved)
		return MIG_PLACE_MOVED;
	return r->dev->state == MIG_RESUMING ? MIG_PLACE_RESUMING : MIG_PLACE_OTHER;
}

/* The device's own word counts, not that every SET on the way went well. */
static void recover_walk(struct recover *r)
{
	r->walks++;
	if (mig_goto_retrying(r->retry, r->dev, r->want, NULL, &r->why) < 0)
		return;
	if (mig_refresh(r->dev, &r->why) >= 0 && r->dev->state != r->want)
		err_fail(&r->why, ERR_DEVICE, -EPROTO, "%s: is in %s", r->dev->name,
			 fsm_name(r->dev->state));
}

static void recover_reset(struct recover *r)
{
	enum mig_state before = r->dev->state;
	bool known = r->dev->state_known;
	struct err ignored = { 0 };

	r->resets++;
	if (mig_reset(r->dev, &r->why) >= 0) {
		r->holds = MIG_HOLDS_NOTHING;
		r->walks = 0;
		r->lost = true;
		return;
	}
	/* A reset whose answer got lost may have happened: then the device is elsewhere now. */
	if (mig_refresh(r->dev, &ignored) < 0 || (known && r->dev->state == before))
		return;
	r->lost = true;
	if (r->holds != MIG_HOLDS_GIVEN_UP)
		r->holds = MIG_HOLDS_NOTHING;
}

/* Return: false when there is nothing more to be done. */
static bool recover_step(struct recover *r)
{
	switch (mig_next_step(r->holds, recover_place(r))) {
	case MIG_STEP_WALK:
		if (r->walks == WALK_TRIES)
			return false;
		recover_walk(r);
		return true;
	case MIG_STEP_RESET:
		if (r->resets)
			return false;
		recover_reset(r);
		return true;
	default:
		return false;
	}
}

/*
 * A stopped device that runs although it was not told to: another process has reset it. One that
 * shares the device may have told it to.
 */
static bool recover_was_reset(bool known, enum mig_state before, const struct mig_dev *dev)
{
	return known && !dev->shared && !fsm_runs(before) && before != MIG_ERROR &&
	       dev->state == MIG_RUNNING;
}

static void recover_log(const struct mig_dev *dev, const struct mig_recovery *ret)
{
	log_info("%s: recovered from %s to %s%s", dev->name,
		 ret->found_known ? fsm_name(ret->found) : "an unknown state",
		 ret->end_known ? fsm_name(ret->end) : "an unknown state",
		 ret->reset ? " by a reset" : "");
}

bool mig_recover(struct mig_dev *dev, enum mig_state want, enum mig_holds holds,
		 struct arc_retry *retry, struct mig_recovery *ret, struct err *err)
{
	struct recover r = { .dev = dev, .want = want, .holds = holds, .retry = retry };
	enum mig_state before = dev->state;
	bool known = dev->state_known;
	struct err ignored = { 0 };
	enum mig_place place;

	*ret = (struct mig_recovery){ 0 };
	ret->found_known = mig_refresh(dev, &r.why) >= 0;
	ret->found = dev->state;
	ret->found_reset = ret->found_known && recover_was_reset(known, before, dev);
	r.lost = ret->found_reset;
	while (recover_step(&r))
		;
	ret->end_known = dev->state_known || mig_refresh(dev, &ignored) >= 0;
	ret->end = dev->state;
	ret->reset = r.lost;
	place = recover_place(&r);
	ret->fate = mig_fate_of(place, r.lost);
	ret->moved = place == MIG_PLACE_MOVED;
	ret->ok = (place == MIG_PLACE_WANTED || ret->moved) && r.holds != MIG_HOLDS_GIVEN_UP;
	recover_log(dev, ret);
	if (ret->ok || !err)
		return ret->ok;
	if (!r.why.code)
		err_fail(&r.why, ERR_DEVICE, -EPROTO, "%s: is in %s", dev->name,
			 ret->end_known ? fsm_name(ret->end) : "an unknown state");
	*err = r.why;
	return false;
}

char *mig_recovery_why(const struct err *err, const struct err *why, char buf[MIG_WHY_MAX])
{
	char reason[ERR_REASON_MAX];

	buf[0] = '\0';
	if (strcmp(err->text, why->text) != 0)
		snprintf(buf, MIG_WHY_MAX, ": %s%s", why->text, err_reason(why, reason));
	return buf;
}

enum mig_state mig_settled(enum mig_state found)
{
	switch (found) {
	case MIG_STOP_COPY:
	case MIG_RESUMING:
		return MIG_STOP;
	case MIG_PRE_COPY:
		return MIG_RUNNING;
	case MIG_PRE_COPY_P2P:
		return MIG_RUNNING_P2P;
	default:
		return found;
	}
}

int mig_settle(struct mig_dev *dev, struct arc_retry *retry, struct cancel *cancel, struct err *err)
{
	enum mig_state found = dev->state;
	int r = 0;

	if (mig_settled(found) == found)
		return 0;
	if (found == MIG_RESUMING)
		r = mig_reset(dev, err);
	if (!r && dev->state == MIG_RESUMING && dev->stream) {
		log_warn("%s: was left in resuming by another process; its load was dropped",
			 dev->name);
		return 0;
	}
	r = r < 0 ? r : mig_goto_retrying(retry, dev, mig_settled(found), cancel, err);
	if (r < 0)
		return err_prefix(err, r, "left in %s by another process", fsm_name(found));
	log_warn("%s: was left in %s by another process; now in %s", dev->name, fsm_name(found),
		 fsm_name(dev->state));
	return 0;
}
