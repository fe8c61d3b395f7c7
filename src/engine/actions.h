/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is done to the user of a set's devices while they stop and start
 *
 * A list of actors, each of which does its part of an action: a script of the user's, and the
 * freezing of the processes that own the devices. A guardian (host/guardian.h) stands by where
 * something would stay half-way if this process were killed.
 *
 * An owner that is told to pause may stop its device itself, as QEMU does. Such a device is left
 * stopped when all is done, as its owner takes it to be, and the owner starts it when it goes on.
 */

#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "engine/action-plan.h"
#include "engine/guard-plan.h"
#include "engine/member.h"

/**
 * struct actions_options - who is told, and how
 * @command: "save", for the script
 * @file: as the user called it, for the script
 * @script: the program of --action-script, or NULL
 * @timeout_ms: how long it may take each time
 * @freeze_owner: stop the processes whose devices these are
 * @owner: finds them: device_owner_pid()
 */
struct actions_options {
	const char *command, *file;
	const char *script;
	int timeout_ms;
	bool freeze_owner;
	pid_t (*owner)(const struct device *dev);
};

struct actions;

/**
 * actions_new() - for devices that are open; nothing is done to them or their owners yet
 * @o: outlives the actions, as do @members; NULL for no actions
 * @image_id: 16 bytes, or NULL
 * @ret: stays as it is where there is nothing to do
 *
 * Starts the guardian where there is something to guard: an owner, or a script.
 *
 * Return: 0; -EINVAL (ERR_USAGE) where an owner is to be frozen and there is none; as
 * freezer_open() and guardian_start().
 */
_must_check_ int actions_new(const struct actions_options *o, struct member *members,
			     unsigned int n, const uint8_t *image_id, struct cancel *cancel,
			     struct events *events, struct actions **ret, struct err *err);

/**
 * actions_check() - what actions_new() is going to refuse, as far as that can be told before
 *
 * Return: 0; -EINVAL (ERR_USAGE) where an owner is to be frozen and there is none; -ENOENT, -EACCES
 * and the like (ERR_MISSING, ERR_PERMISSION) for a script that cannot be run. @o may be NULL.
 */
_must_check_ int actions_check(const struct actions_options *o, struct device *const *devs,
			       unsigned int n, struct err *err);

/**
 * actions_before(), actions_after() - do what is due then, by action-plan.h
 *
 * actions_before(): Return: 0; negative errno (ERR_ABORTED) when an actor refuses, or cannot do
 * it: the phase must not begin, and "abort" is owed.
 *
 * What goes wrong in actions_after() is a warning. @a may be NULL in all.
 */
_must_check_ int actions_before(struct actions *a, enum phase phase, struct err *err);
void actions_after(struct actions *a, enum phase phase);

/** actions_note() - what becomes of the devices if this process is killed from here on */
_must_check_ int actions_note(struct actions *a, enum guard_note note, struct err *err);

/**
 * actions_end() - the work has ended, and its devices are where they will stay
 * @failure: what it failed with, or NULL
 */
void actions_end(struct actions *a, const struct err *failure);

/** actions_free() - lets go on whatever is still stopped, and ends the guardian. Return: NULL. */
struct actions *actions_free(struct actions *a);
