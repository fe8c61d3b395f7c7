/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The devices of a transaction, as they are after a crash, and what may be done to them
 *
 * Opening a device that no process holds can reset it, and closing it has done so already when its
 * process died: of such a one is said what is known without opening it.
 */

#include "device/device.h"
#include "device/arc-retry.h"
#include "engine/journal.h"
#include "engine/recover-plan.h"

#define RECOVER_STORY_MAX 512

/**
 * struct recover_device - one
 * @dev: found; NULL where there is none of that name
 * @place: of this one alone
 * @state: if it was asked: @dev is open
 * @known: it was
 * @story: why @place is what it is, where that is not the state alone; else empty
 */
struct recover_device {
	const struct journal_device *was;
	struct device *dev;
	enum recover_devices place;
	enum mig_state state;
	bool known;
	char story[RECOVER_STORY_MAX];
};

/**
 * struct recover_set - all of a record
 * @record: must outlive it
 * @place: the worst of all
 */
struct recover_set {
	const struct journal_record *record;
	struct recover_device *v;
	unsigned int n;
	enum recover_devices place;
	bool spooled;
};

/**
 * recover_devices_look() - find and ask them
 * @j: its other records are looked at, also once the devices are open: leftover_yields()
 * @opts: how to open them; a device that is open stays so
 *
 * What cannot be asked is no failure. Return: 0, -ENOMEM, as journal_list().
 */
_must_check_ int recover_devices_look(struct journal *j, const struct journal_record *record,
				      const struct device_options *opts, struct recover_set *ret,
				      struct err *err);
void recover_devices_done(struct recover_set *set);

/** recover_devices_name() - "running", "blank" */
const char *recover_devices_name(enum recover_devices place);

/**
 * recover_devices_do() - one of RECOVER_GIVE_BACK, _DISCARD, _STOP, _LOAD and _START
 *
 * Return: 0; negative errno (ERR_DEVICE), with the device in its story.
 */
_must_check_ int recover_devices_do(struct recover_set *set, enum recover_action action,
				    const struct device_options *opts, struct arc_retry *retry,
				    struct cancel *cancel, struct err *err);

/** recover_devices_must_hold() - closing one of them now would lose what it holds */
bool recover_devices_must_hold(const struct recover_set *set);
