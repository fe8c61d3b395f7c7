// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RESUMING: good streams are taken, and what they bring is what was saved
 *
 * The streams are the device's own, or, of pair rules, those of the first device for the second.
 * Bad ones are in rules-load-bad.c. That a save after a load yields equal bytes is more than the
 * text asks for: a driver may have a clock or a number in its stream. It is what an author wants to
 * look at when it is not so.
 */

#include <errno.h>

#include "check/compare.h"
#include "check/drain.h"
#include "check/rules-load-bad.h"

#define SOURCE_RESUMING "uapi: enum vfio_device_mig_state, STOP -> RESUMING"
#define SOURCE_LEAVE "uapi: enum vfio_device_mig_state, RESUMING -> STOP"
#define SOURCE_CUT "uapi: struct vfio_device_feature_mig_state, segmentation need not be kept"
#define SOURCE_ABORT "uapi: enum vfio_device_mig_state, a RESUMING session is aborted by a reset"
#define SOURCE_GROUP "uapi: enum vfio_device_mig_state, the output of a single FD"
#define SOURCE_SIZE "uapi: VFIO_DEVICE_FEATURE_MIG_DATA_SIZE"
#define SOURCE_ENTIRE "uapi: enum vfio_device_mig_state, the stream is the entire device state"

/* Its own state, by way of STOP_COPY; else a verdict was told. */
static bool rules_load_save(struct check *c, struct subject_state *ret)
{
	if (!drain_session(c, c->device, &drain_by_block, ret))
		return false;
	if (!ret->len)
		check_skip(c, "its state has no bytes");
	return ret->len;
}

/* A load that must work. Return: whether it did, and the device is in STOP; else it is told. */
static bool rules_load_good(struct check *c, struct subject *s, const struct drain_pieces *pieces,
			    const struct subject_state *state)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	if (subject_go(s, MIG_RESUMING, &x) < 0)
		return false;
	if (!x) {
		check_broken(c, "no data fd in resuming");
		return false;
	}
	r = drain_write(c, x, pieces, state);
	if (r == -ECANCELED)
		return false;
	if (r < 0) {
		check_violated(c, "a write of %s's own state: %s", c->device->name, err_name(r));
		return false;
	}
	if (!check_worked(c, "SET stop", subject_set(s, MIG_STOP, NULL)))
		return false;
	if (!subject_is(s, MIG_STOP)) {
		check_violated(c, "GET after the load does not say stop");
		return false;
	}
	return true;
}

static void rules_load_into(struct check *c, struct subject *to)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_load_save(c, &state))
		rules_load_good(c, to, &drain_by_block, &state);
}

/* @way: what was done, for the verdict */
static void rules_load_equal_in(struct check *c, struct subject *to, const char *way)
{
	_cleanup_state_ struct subject_state before = { 0 }, after = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (!rules_load_save(c, &before) || !rules_load_good(c, to, &drain_by_block, &before) ||
	    !drain_session(c, to, &drain_by_block, &after))
		return;
	if (compare_at(&before, &after) != COMPARE_SAME)
		check_violated(c, "%s: %s", way, compare_text(&before, &after, text));
}

static void rules_load_own(struct check *c)
{
	rules_load_into(c, c->device);
}

static void rules_load_equal(struct check *c)
{
	rules_load_equal_in(c, c->device, "saved, loaded, saved");
}

static void rules_load_brings_back(struct check *c)
{
	_cleanup_state_ struct subject_state before = { 0 }, blank = { 0 }, after = { 0 };
	char text[COMPARE_TEXT_MAX];

	if (!rules_load_save(c, &before) ||
	    !check_worked(c, "SET running", subject_set(c->device, MIG_RUNNING, NULL)) ||
	    !check_worked(c, "reset", subject_reset(c->device)) ||
	    !drain_session(c, c->device, &drain_by_block, &blank) ||
	    !rules_load_good(c, c->device, &drain_by_block, &before) ||
	    !drain_session(c, c->device, &drain_by_block, &after))
		return;
	check_note(c, "before and after a reset: %s", compare_text(&before, &blank, text));
	if (compare_at(&before, &after) != COMPARE_SAME)
		check_violated(c, "saved, reset, loaded, saved: %s",
			       compare_text(&before, &after, text));
}

static void rules_load_twice(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_load_save(c, &state) && rules_load_good(c, c->device, &drain_by_block, &state))
		rules_load_good(c, c->device, &drain_by_block, &state);
}

static void rules_load_runs(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (!rules_load_save(c, &state) || !rules_load_good(c, c->device, &drain_by_block, &state))
		return;
	if (check_worked(c, "SET running", subject_set(c->device, MIG_RUNNING, NULL)))
		check_stays(c, MIG_RUNNING);
}

/* RESUMING -> RUNNING as one SET. */
static void rules_load_to_running(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	int r;

	if (!rules_load_save(c, &state) || !drain_begin(c, c->device, MIG_RESUMING, &x))
		return;
	r = drain_write(c, x, &drain_by_block, &state);
	if (r < 0) {
		check_broken(c, "its own state was refused: %s", err_name(r));
		return;
	}
	if (check_worked(c, "SET running", subject_set(c->device, MIG_RUNNING, NULL)))
		check_stays(c, MIG_RUNNING);
}

static void rules_load_cut(struct check *c, const struct drain_pieces *pieces)
{
	_cleanup_state_ struct subject_state before = { 0 }, after = { 0 };

	if (!rules_load_save(c, &before) || !rules_load_good(c, c->device, pieces, &before) ||
	    !drain_session(c, c->device, &drain_by_block, &after))
		return;
	if (before.len != after.len)
		check_violated(c, "saved %zu bytes, loaded them, saved %zu", before.len, after.len);
}

static void rules_load_by_byte(struct check *c)
{
	rules_load_cut(c, &drain_by_byte);
}

static void rules_load_by_odd_sizes(struct check *c)
{
	rules_load_cut(c, &drain_by_odd_sizes);
}

static void rules_load_by_large_block(struct check *c)
{
	rules_load_cut(c, &drain_by_large_block);
}

/* PRE_COPY to its temporary end, then STOP_COPY. Return: as drain_read(). */
static int rules_load_read_pre_copy(struct check *c, struct subject_session *x,
				    struct subject_state *ret)
{
	int r = drain_read(c, x, &drain_by_block, DRAIN_PRECOPY_MAX, ret);

	if (r < 0)
		return r;
	r = subject_take(c->device, MIG_PRE_COPY, MIG_STOP_COPY, NULL);
	if (r < 0)
		return r;
	return drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, ret);
}

/* A session that went through PRE_COPY. Return: whether @ret is all of it; else it is told. */
static bool rules_load_save_pre_copy(struct check *c, struct subject_state *ret)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	if (subject_go(c->device, MIG_PRE_COPY, &x) < 0)
		return false;
	if (!x) {
		check_broken(c, "no data fd in pre-copy");
		return false;
	}
	r = rules_load_read_pre_copy(c, x, ret);
	if (r < 0)
		check_broken(c, "a save by way of pre-copy, at byte %zu: %s", ret->len,
			     err_name(r));
	else if (r != DRAIN_END)
		check_skip(c, "a save by way of pre-copy: no end at byte %zu", ret->len);
	return r == DRAIN_END && ret->len;
}

static void rules_load_pre_copy(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_load_save_pre_copy(c, &state))
		rules_load_good(c, c->device, &drain_by_block, &state);
}

static void rules_load_reset(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 }, after = { 0 };

	if (!rules_load_save(c, &state) || !drain_begin(c, c->device, MIG_RESUMING, &x))
		return;
	if (subject_write(x, state.data, (state.len + 1) / 2) < 0)
		check_note(c, "half of its state was refused");
	if (!check_worked(c, "reset in resuming", subject_reset(c->device)) ||
	    !check_stays(c, MIG_RUNNING))
		return;
	x = subject_session_close(x);
	if (drain_session(c, c->device, &drain_by_block, &after))
		check_note(c, "a save after the reset: %zu bytes", after.len);
}

static void rules_load_size(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	uint64_t said;

	if (subject_go(c->device, MIG_RESUMING, &x) == 0)
		check_worked(c, "GET MIG_DATA_SIZE in resuming",
			     subject_data_size(c->device, &said));
}

static void rules_load_pair(struct check *c)
{
	rules_load_into(c, c->pair);
}

static void rules_load_pair_equal(struct check *c)
{
	rules_load_equal_in(c, c->pair, "saved, loaded into the other, saved there");
}

static void rules_load_pair_pre_copy(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (rules_load_save_pre_copy(c, &state))
		rules_load_good(c, c->pair, &drain_by_odd_sizes, &state);
}

static void rules_load_pair_runs(struct check *c)
{
	_cleanup_state_ struct subject_state state = { 0 };

	if (!rules_load_save(c, &state) || !rules_load_good(c, c->pair, &drain_by_block, &state))
		return;
	if (!check_worked(c, "SET running", subject_set(c->pair, MIG_RUNNING, NULL)))
		return;
	if (!subject_is(c->pair, MIG_RUNNING))
		check_violated(c, "GET of the other device does not say running");
}

static const struct check_rule rules_load[] = {
	{ "load.own-state", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a state that the device gave can be loaded into it", SOURCE_RESUMING, rules_load_own },
	{ "load.yields-equal-stream", CHECK_SHOULD, CHECK_DESTRUCTIVE, 0,
	  "what is saved after a load is what was loaded", SOURCE_ENTIRE, rules_load_equal },
	{ "load.brings-back-after-reset", CHECK_SHOULD, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "what is saved after a reset and a load is what was loaded", SOURCE_ENTIRE,
	  rules_load_brings_back },
	{ "load.twice", CHECK_MUST, CHECK_DESTRUCTIVE, 0, "a state can be loaded a second time",
	  SOURCE_RESUMING, rules_load_twice },
	{ "load.runs", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a device with a loaded state can go to RUNNING", SOURCE_LEAVE, rules_load_runs },
	{ "load.to-running", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "RESUMING -> RUNNING in one SET loads the state and runs", SOURCE_LEAVE,
	  rules_load_to_running },
	{ "load.by-byte", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a state can be written with its beginning in single bytes", SOURCE_CUT,
	  rules_load_by_byte },
	{ "load.by-odd-sizes", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a state can be written in odd sizes", SOURCE_CUT, rules_load_by_odd_sizes },
	{ "load.by-4-mib", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_KERNEL,
	  "a state can be written by 4 MiB", SOURCE_CUT, rules_load_by_large_block },
	{ "load.pre-copy-stream", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_PRE_COPY,
	  "a stream that was read in PRE_COPY and STOP_COPY can be loaded", SOURCE_GROUP,
	  rules_load_pre_copy },
	{ "load.reset-leaves-resuming", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_RESET,
	  "a reset leaves RESUMING for RUNNING, and the device can be saved", SOURCE_ABORT,
	  rules_load_reset },
	{ "load.size-in-resuming", CHECK_MUST, CHECK_DESTRUCTIVE,
	  CHECK_NEEDS_KERNEL | CHECK_NEEDS_DATA_SIZE, "MIG_DATA_SIZE can be asked for in RESUMING",
	  SOURCE_SIZE, rules_load_size },
	{ "load.empty-stream", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a load without a byte is refused, or harmless", SOURCE_LEAVE, rules_load_bad_empty },
	{ "load.short-stream", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a stream that was cut off is refused, or harmless", SOURCE_LEAVE, rules_load_bad_short },
	{ "load.long-stream", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a stream that goes on after its end is refused, or harmless", SOURCE_LEAVE,
	  rules_load_bad_long },
	{ "load.flipped-stream", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a stream with a wrong bit is refused, or harmless", SOURCE_LEAVE,
	  rules_load_bad_flipped },
	{ "load.foreign-stream", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "a stream of something else is refused, or harmless", SOURCE_LEAVE,
	  rules_load_bad_foreign },
	{ "load.refused-write-fails-stop", CHECK_MUST, CHECK_DESTRUCTIVE, 0,
	  "after a write was refused as invalid, RESUMING -> STOP fails, too", SOURCE_LEAVE,
	  rules_load_bad_forgotten },
	{ "load.good-after-bad", CHECK_MUST, CHECK_DESTRUCTIVE, CHECK_NEEDS_RESET,
	  "after a refused stream and a reset a good one is loaded", SOURCE_ABORT,
	  rules_load_bad_then_good },
	{ "load.pair", CHECK_MUST, CHECK_PAIR, 0,
	  "a state that one device gave can be loaded into the other", SOURCE_RESUMING,
	  rules_load_pair },
	{ "load.pair-yields-equal-stream", CHECK_SHOULD, CHECK_PAIR, 0,
	  "what the other device gives after the load is what was loaded", SOURCE_ENTIRE,
	  rules_load_pair_equal },
	{ "load.pair-pre-copy-stream", CHECK_MUST, CHECK_PAIR, CHECK_NEEDS_PRE_COPY,
	  "a stream of PRE_COPY and STOP_COPY can be loaded into the other device", SOURCE_GROUP,
	  rules_load_pair_pre_copy },
	{ "load.pair-runs", CHECK_MUST, CHECK_PAIR, 0,
	  "the other device can go to RUNNING with the state", SOURCE_LEAVE, rules_load_pair_runs },
};

const struct check_group check_load_rules = CHECK_GROUP(rules_load);
