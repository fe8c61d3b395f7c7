/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The devices of one save or load, and what they do together
 *
 * Walks them through the phases of engine/phases.h, with a barrier after each, and brings all of
 * them back when one has failed.
 */

#include "engine/actions.h"
#include "engine/member.h"
#include "engine/runner.h"

/**
 * struct set
 * @results: of each device, in the order of @members
 * @phase: under way
 * @actions: what is done to the devices' user; set_act() gives it; NULL for nothing
 */
struct set {
	unsigned int n;
	struct member *members;
	struct member_result *results;
	struct runner *runner;
	struct cancel *cancel;
	struct events *events;
	enum phase phase;
	struct actions *actions;
};

/**
 * set_act() - from here on, tell the devices' user that they stop and start
 * @image_id: 16 bytes, or NULL
 *
 * All devices are open. Return: as actions_new().
 */
_must_check_ int set_act(struct set *s, const struct actions_options *options,
			 const uint8_t *image_id, struct err *err);

/**
 * set_prepare() - do what has to be done before @phase, ahead of set_phase(), which then does not
 *
 * Return: as actions_before().
 */
_must_check_ int set_prepare(struct set *s, enum phase phase, struct err *err);

/** set_fn - a device's part of a phase */
typedef int set_fn(void *ctx, struct member *m, struct err *err);

/**
 * set_init() - a set of @n devices
 * @toward: MIG_STOP_COPY for a save, MIG_RESUMING for a load
 * @retry_ns: how long an arc that a device refuses for now is tried again
 *
 * Return: 0; -EINVAL (ERR_USAGE) for a device that is there twice; -ENOMEM, -EAGAIN. set_done() in
 * any case.
 */
_must_check_ int set_init(struct set *s, struct device *const *devs, unsigned int n,
			  enum mig_state toward, uint64_t retry_ns, struct cancel *cancel,
			  struct events *events, struct err *err);

/** set_done() - waits for those that hang; @s->results stay the caller's, to free. */
void set_done(struct set *s);

/**
 * set_open() - open the devices one by one, in their order
 * @p2p: with several, each must have P2P
 *
 * Return: 0; -EINVAL (ERR_USAGE) when two turn out to be the same; -EOPNOTSUPP (ERR_UNSUPPORTED)
 * for one without P2P; or as member_open().
 */
_must_check_ int set_open(struct set *s, const struct device_options *options, bool p2p,
			  struct err *err);

/**
 * set_phase() - have each device do its part of @phase, and wait until all have
 * @fn: the part
 *
 * Before it and after it the devices' user is told. A cancel keeps a phase before PHASE_START_P2P
 * from beginning: what has to be undone is then less.
 *
 * Return: 0; or as set_prepare(), as runner_all().
 */
_must_check_ int set_phase(struct set *s, enum phase phase, set_fn *fn, void *ctx, struct err *err);

/** set_each() - the same for what is no phase of its own, and tells no events */
_must_check_ int set_each(struct set *s, set_fn *fn, void *ctx, struct err *err);

/** set_enter() - a set_fn: the device goes where the phase says. */
int set_enter(void *ctx, struct member *m, struct err *err);

/**
 * set_return() - all is well: the devices of a save go to where they are wanted
 *
 * Return: 0, also for one that had to be brought back by a recovery; else negative errno, of a
 * device that is not where it was wanted (ERR_DEVICE), its fate in the result. The others go on.
 */
_must_check_ int set_return(struct set *s, struct err *err);

/** set_plan_fn - say in @m what it holds, and where it is wanted with that; in its own thread */
typedef void set_plan_fn(void *ctx, struct member *m);

/**
 * set_recover() - something has failed: each device that was touched goes where it is wanted
 * @plan: asked for each one just before; NULL where that is said already
 *
 * As far as what it holds allows. Waits for those that hang.
 */
void set_recover(struct set *s, set_plan_fn *plan, void *ctx);

/** set_tell_fn - tell in @err, a copy of the failure that is of all, what became of @m */
typedef void set_tell_fn(void *ctx, const struct member *m, struct err *err);

/**
 * set_tell_recoveries() - @err gets the story of the device that fared worst
 * @all: what is told of several that are all where they were wanted: "are back"
 */
void set_tell_recoveries(const struct set *s, set_tell_fn *tell, void *ctx, const char *all,
			 struct err *err);

/**
 * set_give_back() - something has failed: the devices of a save go to where they are wanted
 * @plan: as of set_recover()
 * @err: that failure; gets the story of the recovery: ERR_DEVICE if one is not there
 */
void set_give_back(struct set *s, set_plan_fn *plan, void *ctx, struct err *err);

/** set_fate() - the worst of all */
enum mig_fate set_fate(const struct set *s);
