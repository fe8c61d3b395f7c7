// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "device/recover.h"
#include "fsm/fsm.h"

static bool recover_is_in(struct mig_dev *dev, enum mig_state want, struct err *err)
{
	if (dev->state != want)
		err_fail(err, ERR_DEVICE, -EPROTO, "%s: is in %s", dev->name, fsm_name(dev->state));
	return dev->state == want;
}

/* The device's own word counts, not that every SET on the way went well. */
static bool recover_walk(struct mig_dev *dev, enum mig_state want, struct err *err)
{
	bool stuck = dev->state == MIG_ERROR || dev->state == MIG_RESUMING;

	if (!stuck && (mig_goto(dev, want, err) < 0 || mig_refresh(dev, err) < 0))
		return false;
	return recover_is_in(dev, want, err);
}

static bool recover_reset_and_walk(struct mig_dev *dev, enum mig_state want, bool *ret_reset,
				   struct err *err)
{
	*ret_reset = mig_reset(dev, err) >= 0;
	return *ret_reset && recover_walk(dev, want, err);
}

/* Nobody set it to RUNNING, and it was stopped: somebody else's reset, or a disconnect's. */
static bool recover_was_reset(bool known, enum mig_state before, const struct mig_dev *dev)
{
	return known && !fsm_runs(before) && before != MIG_ERROR && dev->state == MIG_RUNNING;
}

bool mig_recover(struct mig_dev *dev, enum mig_state want, bool discard, struct mig_recovery *ret,
		 struct err *err)
{
	struct err why = { 0 }, ignored = { 0 };
	enum mig_state before = dev->state;
	bool known = dev->state_known, lost;

	*ret = (struct mig_recovery){ 0 };
	ret->found_known = mig_refresh(dev, &why) >= 0;
	ret->found = dev->state;
	lost = ret->found_known && recover_was_reset(known, before, dev);
	ret->ok = ret->found_known && !discard && recover_walk(dev, want, &why);
	if (!ret->ok) {
		known = dev->state_known;
		before = dev->state;
		ret->ok = recover_reset_and_walk(dev, want, &ret->reset, &why);
	}
	ret->end_known = ret->ok || mig_refresh(dev, &ignored) >= 0;
	/* A reset whose answer got lost may have happened: then the device is elsewhere now. */
	if (!ret->ok && ret->end_known && !ret->reset) {
		lost |= !known || dev->state != before;
		ret->ok = !discard && recover_is_in(dev, want, &ignored);
	}
	ret->reset |= lost;
	ret->end = dev->state;
	log_info("%s: recovered from %s to %s%s", dev->name,
		 ret->found_known ? fsm_name(ret->found) : "an unknown state",
		 ret->end_known ? fsm_name(ret->end) : "an unknown state",
		 ret->reset ? " by a reset" : "");
	if (!ret->ok && err)
		*err = why;
	return ret->ok;
}

int mig_settle(struct mig_dev *dev, struct err *err)
{
	enum mig_state found = dev->state;
	int r;

	switch (found) {
	case MIG_STOP_COPY:
		r = mig_goto(dev, MIG_STOP, err);
		break;
	case MIG_PRE_COPY:
		r = mig_goto(dev, MIG_RUNNING, err);
		break;
	case MIG_PRE_COPY_P2P:
		r = mig_goto(dev, MIG_RUNNING_P2P, err);
		break;
	case MIG_RESUMING:
		r = mig_reset(dev, err);
		if (r >= 0 && dev->state == MIG_RESUMING && dev->stream) {
			log_warn(
				"%s: was left in resuming by another process; its load was dropped",
				dev->name);
			return 0;
		}
		if (r >= 0)
			r = mig_goto(dev, MIG_STOP, err);
		break;
	default:
		return 0;
	}
	if (r < 0)
		return err_prefix(err, r, "left in %s by somebody else", fsm_name(found));
	log_warn("%s: was left in %s by somebody else; now in %s", dev->name, fsm_name(found),
		 fsm_name(dev->state));
	return 0;
}
