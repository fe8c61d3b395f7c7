/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The guardian of a set's devices, and what it is told of them
 *
 * If this process is killed, the guardian (host/guardian.h) brings the devices back by what it was
 * told last, as guard-plan.h decides, has the script abort, and lets the owners go on. It was
 * forked when the devices were open: what it does is done in its own process, without our threads,
 * listeners and cancel.
 */

#include "engine/actions-actor.h"
#include "engine/guard-plan.h"
#include "engine/member.h"

struct actions_guard;

/**
 * struct actions_guard_options - all outlive the guard
 * @freeze, @script: the actors whose doing is undone; NULL for none
 */
struct actions_guard_options {
	struct member *members;
	unsigned int n;
	struct actions_freeze *freeze;
	struct actions_script *script;
};

/** actions_guard_has() - is @m, which is open, the guardian's to bring back? */
bool actions_guard_has(const struct member *m);

/**
 * actions_guard_new() - start it, and have the devices tell it of each of their steps
 * @ret: set in any case but -ENOMEM, for actions_guard_free() once the actors have ended: they tell
 *	the guardian, too
 *
 * Return: as guardian_start() and guardian_mark().
 */
_must_check_ int actions_guard_new(const struct actions_guard_options *opts,
				   struct actions_guard **ret, struct err *err);

/** actions_guard_check() - does it live? @g may be NULL. Return: as guardian_check(). */
_must_check_ int actions_guard_check(const struct actions_guard *g, struct err *err);

/** actions_guard_note() - what becomes of all devices from here on. @g may be NULL. */
_must_check_ int actions_guard_note(const struct actions_guard *g, enum guard_note note,
				    struct err *err);

/** actions_guard_owner_stopped() - member @index is stopped by its owner, or no longer by that */
_must_check_ int actions_guard_owner_stopped(struct actions_guard *g, unsigned int index,
					     bool stopped, struct err *err);

/** actions_guard_free() - it ends, and does nothing more. Return: NULL. */
struct actions_guard *actions_guard_free(struct actions_guard *g);
