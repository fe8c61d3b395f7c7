/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Who does something when devices stop and start
 */

#include "base/cancel.h"
#include "base/err.h"
#include "engine/actions.h"
#include "host/guardian.h"

/**
 * struct action_facts - what an actor may want to know
 * @phase: under way, or ended last
 * @failure: of "abort": why, or NULL
 * @recovered: of "abort": all devices are where they were found, with their own states
 * @cancel: ends what may be refused; twice requested, anything. NULL in the guardian
 */
struct action_facts {
	enum phase phase;
	const struct err *failure;
	bool recovered;
	struct cancel *cancel;
};

/** struct actor_ops - what an actor does */
struct actor_ops {
	enum action_actor actor;

	/** @act: Return: 0; negative errno, ERR_ABORTED. */
	int (*act)(void *ctx, enum action action, const struct action_facts *facts,
		   struct err *err);

	/** @free: Leave nothing stopped. */
	void (*free)(void *ctx);
};

extern const struct actor_ops actions_freeze_ops, actions_script_ops;

/*
 * The script. Its context is valid in a forked process, too.
 */
struct actions_script;

_must_check_ int actions_script_new(const struct actions_options *o, const struct member *members,
				    unsigned int n, struct actions_script **ret, struct err *err);

/** actions_script_image() - 16 bytes */
void actions_script_image(struct actions_script *s, const uint8_t *id);

/** actions_script_guard() - @guardian is told of each run; it outlives the context */
void actions_script_guard(struct actions_script *s, struct guardian *guardian);

/** actions_script_check() - it can be run, as far as can be told */
_must_check_ int actions_script_check(const char *path, struct err *err);

/*
 * The freezing of the owners
 */

/**
 * struct actions_freeze - a freezer for each of @n owners
 * @options, @members, @n_members: whose devices they are
 * @stopped: which have been stopped here
 * @guardian: is told first
 */
struct actions_freeze {
	const struct actions_options *options;
	const struct member *members;
	unsigned int n_members;
	struct freezer *freezers;
	bool *stopped;
	size_t n;
	struct guardian *guardian;
};

/** actions_freeze_new() - of the devices that have an owner, each owner once */
_must_check_ int actions_freeze_new(const struct actions_options *o, const struct member *members,
				    unsigned int n, struct actions_freeze **ret, struct err *err);
