/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One device of a set
 *
 * Knows where the device was found, where it goes in each phase, and how it is brought back. Knows
 * nothing of images, channels and the other devices. One thread at a time uses a member.
 */

#include "base/cancel.h"
#include "device/device.h"
#include "device/recover.h"
#include "engine/event.h"
#include "engine/phases.h"
#include "engine/timeline.h"

/**
 * struct member_result - what became of a device
 * @opened: it was opened and is migratable: what follows is valid
 * @found: the state it was found in; one left behind by another process is settled first
 * @left: the state it is in now, if @left_known
 * @fate: of its state: MIG_FATE_BACK when it is where it was wanted
 * @bytes, @stream_ns: of the stream, and the time spent moving it
 * @complete: the whole stream has been moved
 * @recovery: what bringing it back took, if @recovered
 * @retries: arcs tried again
 */
struct member_result {
	bool opened;
	enum mig_state found, left;
	bool left_known;
	enum mig_fate fate;
	uint64_t bytes, stream_ns;
	bool complete;
	struct timeline timeline;
	bool recovered;
	struct mig_recovery recovery;
	unsigned int retries;
};

/**
 * struct member - a device, and its part of the work
 * @dev: found, and open or not; the caller's
 * @index: in the set
 * @retry: how long an arc that it refuses for now is tried again
 * @want: where PHASE_START brings it; valid once it is settled
 * @toward: as of struct phase_place
 * @precopy: it is to be pre-copied, if it can
 * @touched: something was done to it: after a failure it has to be brought back
 * @holds: whose state it holds, for that
 * @goes_on: in the end it runs again, by us or by its owner
 * @with_owner: its owner has stopped it meanwhile, and starts it again by itself; see actions.h
 * @failed: what PHASE_START_P2P came to, for PHASE_START to tell: negative errno or 0
 * @why: the story of @failed, and of a recovery that did not go well
 */
struct member {
	struct device *dev;
	unsigned int index;
	struct arc_retry retry;
	struct cancel *cancel;
	struct events *events;
	struct member_result *result;
	enum mig_state want, toward;
	bool precopy;
	bool touched;
	enum mig_holds holds;
	bool goes_on;
	bool with_owner;
	int failed;
	struct err why;
};

/**
 * member_open() - open it, if it is not, and ask what it can do and where it is
 *
 * From here to member_detach() its arcs are told as events, and its stream heeds the cancel.
 *
 * Return: 0; as device_open() and mig_query(); -EBUSY when adopt-policy.h does not let it be taken
 * from under its owner.
 */
_must_check_ int member_open(struct member *m, const struct device_options *options,
			     struct err *err);
void member_detach(struct member *m);

/** member_check_source() - there is a state to save. Return: 0, -EBUSY (ERR_DEVICE). */
_must_check_ int member_check_source(struct member *m, struct err *err);

/** member_settle() - end a session that another process left behind, see mig_settle() */
_must_check_ int member_settle(struct member *m, struct err *err);

/** member_enter() - go where @phase says. @cancel as of mig_goto_retrying() */
_must_check_ int member_enter(struct member *m, enum phase phase, struct cancel *cancel,
			      struct err *err);

/**
 * member_start_p2p(), member_start() - PHASE_START_P2P and PHASE_START
 *
 * What goes wrong in the first one the second one tells, so that the barrier between them is kept
 * for the other devices. Neither heeds a cancel: the device is on its way back.
 *
 * member_start(): Return: 0, or what either of the two has failed with.
 */
void member_start_p2p(struct member *m);
_must_check_ int member_start(struct member *m, struct err *err);

/**
 * member_recover() - bring it to where it is wanted after a failure, as far as what it holds allows
 *
 * Fills fate and recovery of the result, and @m->why where the device is not where it was wanted.
 */
void member_recover(struct member *m);

/** member_tell_recovery() - what that came to, and what helps, for a device that was saved */
void member_tell_recovery(const struct member *m, struct err *err);
