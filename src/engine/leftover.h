/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What an earlier transaction has left of a device
 *
 * A receiver that is started again knows nothing of the one before, and a state that this had, or
 * was about to have, must not be replaced unnoticed. The journal knows: of all records with the
 * device the newest one tells, since a later move of it, to here or away, ends the earlier story.
 * But for a move away that was not decided, or was given up: a state that had come is still there;
 * and for a move to here that has not got so far, or was given up: it may have touched nothing, and
 * was refused a state that may be the only copy; so that counts, and what has come since it began.
 *
 * What is to replace a state, or to move it away, is judged once the devices are open: until then
 * another process may have them, and change what is left. One that is at work on a record has let
 * go of the devices by then, or waits for them.
 */

#include "device/device.h"
#include "engine/journal.h"

/** enum leftover - what may be done about it */
enum leftover {
	LEFTOVER_NONE, /* nothing is left, or a process is at work that has changed nothing yet */
	LEFTOVER_OPEN, /* it is not over: `recover` brings it to its end */
	LEFTOVER_OWED, /* nor that, and its state may be this device's alone: none may replace it */
	LEFTOVER_BUSY, /* the same, and a process is at work on it, which has to end first */
	LEFTOVER_HELD, /* it is over, and its state came into the device */
	LEFTOVER_GONE, /* it is over, and has moved the device's state away */
};

/**
 * leftover_find() - of device @name; pure
 * @items: as of journal_list()
 * @own: the transaction that asks, which tells nothing to itself; NULL for none
 * @ret: the newest record, unless LEFTOVER_NONE is returned
 */
enum leftover leftover_find(const struct journal_item *items, size_t n, const char *name,
			    const struct journal_record *own, const struct journal_record **ret);

/**
 * leftover_yields() - a device that two transactions have had is @other's, and not @own's; pure
 *
 * It is the later one's, unless the earlier one is in doubt or decided and not at its end, or its
 * state has come since the later one began.
 */
bool leftover_yields(const struct journal_record *own, const struct journal_record *other);

/** leftover_story() - "is in doubt", what all but LEFTOVER_HELD are by the record; else NULL */
const char *leftover_story(enum wire_role role, enum wire_phase phase);

/**
 * leftover_fn - what is left of the device with index @i, one of all
 * @record: which says so; NULL with LEFTOVER_NONE
 *
 * Return: 0: go on; anything else ends the walk.
 */
typedef int leftover_fn(void *ctx, unsigned int i, enum leftover left,
			const struct journal_record *record, struct err *err);

/**
 * leftover_each() - the journal is read once, and @fn called for each of @devs in their order
 * @own: as for leftover_find()
 *
 * The devices need not be open. Return: 0; what @fn has ended it with; as journal_list().
 */
_must_check_ int leftover_each(struct journal *j, const struct journal_record *own,
			       struct device *const *devs, unsigned int n_devs, leftover_fn *fn,
			       void *ctx, struct err *err);
