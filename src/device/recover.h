/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The ladder after a failure
 *
 * Ask where the device is; go to the state that was named, arc by arc; if that fails, reset it
 * and go there from RUNNING; if that fails, say so. Never a SET while the device is in ERROR.
 */

#include "device/backend.h"

/**
 * struct mig_recovery - what had to be done
 * @found: where the device was, if @found_known
 * @end: where it is now, if @end_known
 * @reset: it was reset, by us or, as its state tells, by somebody else: its own state is lost
 * @ok: it is where it was wanted
 */
struct mig_recovery {
	enum mig_state found, end;
	bool found_known, end_known;
	bool reset;
	bool ok;
};

/**
 * mig_recover() - bring a device back to @want after a failure
 * @discard: what the device holds now must go: reset it first
 *
 * A load that was cut off is never ended by RESUMING -> STOP: some drivers would take it for
 * complete. It is reset.
 *
 * Return: @ret->ok. What failed on the way is in @err when it is false, else @err is untouched.
 */
bool mig_recover(struct mig_dev *dev, enum mig_state want, bool discard, struct mig_recovery *ret,
		 struct err *err);

/**
 * mig_settle() - leave a session that somebody else left behind
 *
 * A killed process can leave a device in the saving group or in RESUMING, with a stream that
 * nobody has any more. Goes to the nearest state without a session: STOP after STOP_COPY,
 * RUNNING(_P2P) after PRE_COPY(_P2P); RESUMING needs a reset, and is then stopped. Where the reset
 * leaves RESUMING (mig_reset()) it stays there, with a stream for a new load.
 */
_must_check_ int mig_settle(struct mig_dev *dev, struct err *err);
