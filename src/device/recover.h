/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bringing a device back after a failure
 *
 * Ask where the device is, look up what may be done with it there (device/recovery-policy.h), do
 * it, and ask again. Never a SET while the device is in ERROR.
 */

#include "device/arc-retry.h"
#include "device/backend.h"
#include "device/recovery-policy.h"

/**
 * struct mig_recovery - what had to be done
 * @found: where the device was, if @found_known
 * @end: where it is now, if @end_known
 * @reset: it was reset, by us or, as its state tells, by another process
 * @found_reset: by another process, before anything was done here
 * @moved: it is elsewhere than it was wanted, and the process that shares it has put it there
 * @fate: what became of the state that it held
 * @ok: it is where it was wanted, or @moved; if it held a load that was given up, without it
 */
struct mig_recovery {
	enum mig_state found, end;
	bool found_known, end_known;
	bool reset;
	bool found_reset;
	bool moved;
	enum mig_fate fate;
	bool ok;
};

/**
 * mig_recover() - bring a device to @want after a failure
 * @holds: whose state it holds; decides whether it may be reset
 * @retry: how long an arc that is refused for now is tried again. A cancel does not end that: the
 *         device is on its way back because of one
 *
 * A load that was cut off is never ended by RESUMING -> STOP: some drivers would take it for
 * complete. It is reset.
 *
 * Return: @ret->ok. What failed on the way is in @err when it is false, else @err is untouched.
 */
bool mig_recover(struct mig_dev *dev, enum mig_state want, enum mig_holds holds,
		 struct arc_retry *retry, struct mig_recovery *ret, struct err *err);

#define MIG_WHY_MAX 640

/** mig_recovery_why() - ": " and @why, or "" where that is @err's own story. Return: @buf. */
char *mig_recovery_why(const struct err *err, const struct err *why, char buf[MIG_WHY_MAX]);

/**
 * mig_settled() - where a device is brought that was found in @found
 *
 * A process that was killed can leave a device in the saving group or in RESUMING, with a stream
 * that is gone with it. The nearest state without a session: STOP after STOP_COPY, RUNNING(_P2P)
 * after PRE_COPY(_P2P), STOP after RESUMING.
 */
enum mig_state mig_settled(enum mig_state found);

/**
 * mig_settle() - bring it there
 *
 * RESUMING needs a reset: the load in it is cut off. Where the reset leaves RESUMING (mig_reset())
 * it stays there, with a stream for a new load.
 */
_must_check_ int mig_settle(struct mig_dev *dev, struct arc_retry *retry, struct cancel *cancel,
			    struct err *err);
