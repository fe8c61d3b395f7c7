/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bring a transaction to its end after a crash: options in, result out
 *
 * Its record, its devices and the other end are asked, recover_plan() decides, and what it says is
 * done in its order. Nothing is touched before all that can be asked was.
 */

#include "engine/recover-ask.h"
#include "engine/recover-devices.h"

/**
 * struct recover_options
 * @journal, @seen: which transaction, and this end's part in it; as journal_list() shows it
 * @peer: where the other end is asked, or what answers for it; NULL where that is not known
 * @link: how to connect to it
 * @device: how to open the devices
 * @retry_ns: how long an arc that a device refuses for now is tried again
 * @by: who forces, for the record: "root"
 * @plan_only: change and tell nothing
 * @start: of a destination's devices
 */
struct recover_options {
	struct journal *journal;
	const struct journal_record *seen;
	const struct uri *peer;
	struct peer_options link;
	const struct device_options *device;
	uint64_t retry_ns;
	enum recover_force force;
	const char *by;
	enum recover_start start;
	bool plan_only;
};

/**
 * struct recover_result - what came of it
 * @entry: the record, locked; NULL where a process of this end works on it
 * @was: the record's phase before; @phase: and now
 * @set: the devices, if @looked; the caller may hold them open
 * @asked: the other end was, or could not be; @other: what it says; @unheard: why it says nothing
 * @planned: there is a plan, @plan
 * @relayed: a process of this end works on it and was told what the other end says
 * @forced: what that was told of who has forced it; or empty
 */
struct recover_result {
	struct journal_entry *entry;
	enum wire_phase was, phase;
	struct recover_set set;
	bool looked;
	bool asked;
	enum recover_other other;
	char unheard[RECOVER_STORY_MAX];
	bool planned, relayed;
	char forced[WIRE_FORCED_SIZE];
	struct recover_plan plan;
};

void recover_result_done(struct recover_result *result);

/** recover_other_name() - "prepared", "unreachable" */
const char *recover_other_name(enum recover_other other);

/**
 * recover_run() - to its end, as far as it goes
 * @ret: set in any case; recover_result_done()
 *
 * Return: 0 when it is over, or only a plan was wanted; ERR_IN_DOUBT, ERR_DEVICE with what to
 * do; -ENOENT (ERR_MISSING), -EBADMSG (ERR_IMAGE) for the record; what writing it said.
 */
_must_check_ int recover_run(const struct recover_options *options, struct cancel *cancel,
			     struct recover_result *ret, struct err *err);
