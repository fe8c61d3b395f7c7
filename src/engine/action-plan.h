/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When the user of a device is told that it stops and starts
 *
 * The process that uses a device must not meet it stopped. So something is done before the first
 * device of a set stops, after the last one has, before the first one starts and after all run; and
 * when that comes to no good end, once all that could be brought back is back. What was begun
 * is ended once: by "post-start", by "abort", or, where all went well and the devices are to stay
 * stopped, not at all.
 *
 * Pure: engine/actions.h carries out what this says.
 */

#include <stdbool.h>

#include "engine/phases.h"

enum action {
	ACTION_PRE_STOP, /* devices run, and are about to stop */
	ACTION_POST_STOP, /* all have stopped */
	ACTION_PRE_START, /* they are about to start */
	ACTION_POST_START, /* all run */
	ACTION_ABORT, /* it failed, and what could be brought back is back */
	ACTION_NR
};

/* Nothing is due. */
#define ACTION_NONE ACTION_NR

/**
 * enum action_stage - what was done last
 * @ACTION_STAGE_IDLE: nothing; or all of it, and nothing is owed
 * @ACTION_STAGE_HELD: "pre-stop": the devices may stop
 * @ACTION_STAGE_STOPPED: "post-stop"
 * @ACTION_STAGE_STARTING: "pre-start": the devices may start
 * @ACTION_STAGE_FAILED: a "pre-" has failed, and may have done a part
 */
enum action_stage {
	ACTION_STAGE_IDLE,
	ACTION_STAGE_HELD,
	ACTION_STAGE_STOPPED,
	ACTION_STAGE_STARTING,
	ACTION_STAGE_FAILED,
	ACTION_STAGE_NR
};

enum action_moment {
	ACTION_BEFORE,
	ACTION_AFTER
};

/**
 * action_due() - what has to be done @moment @phase
 * @moves: in a phase that stops devices, one of them runs; in one that starts them, one of them is
 *         to run
 *
 * Return: ACTION_NONE too for what was done already: a phase may be prepared for ahead of time.
 */
enum action action_due(enum phase phase, enum action_moment moment, enum action_stage stage,
		       bool moves);

/**
 * action_needs_guard() - what @phase brings about must not stay if this process is killed
 *
 * Not of the phases in which devices go back: they must even if nothing guards them.
 */
bool action_needs_guard(enum phase phase);

/** action_next() - the stage after @action; @ok: it went well, which matters only of a "pre-" */
enum action_stage action_next(enum action action, bool ok);

/** action_at_end() - what is owed when the work has ended; @ok: it has done what it was to */
enum action action_at_end(enum action_stage stage, bool ok);

/** action_may_refuse() - its failure ends the work: a "pre-" */
bool action_may_refuse(enum action action);

/* Whose part of an action it is. */
enum action_actor {
	ACTION_BY_SCRIPT, /* the program of --action-script */
	ACTION_BY_FREEZER, /* --freeze-owner */
	ACTION_NR_ACTORS
};

/** action_actor_name() - "action-script" */
const char *action_actor_name(enum action_actor actor);

/** action_actor_parse() - the actor of a name. Return: false for none; @ret is then untouched. */
bool action_actor_parse(const char *name, enum action_actor *ret);

/** action_name() - "pre-stop" */
const char *action_name(enum action action);

/** action_parse() - the action of a name. Return: false for none; @ret is then untouched. */
bool action_parse(const char *name, enum action *ret);
