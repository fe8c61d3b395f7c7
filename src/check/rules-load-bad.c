// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "check/bad-stream.h"
#include "check/drain.h"
#include "check/load-outcome.h"
#include "check/rules-load-bad.h"

/* Below, a stream cannot be shortened and be a stream still. */
#define STATE_MIN 2u

/* Return: whether @ret is its own state, and long enough; else a verdict was told. */
static bool rules_load_bad_save(struct check *c, struct subject_state *ret)
{
	if (!drain_session(c, c->device, &drain_by_block, ret))
		return false;
	if (ret->len < STATE_MIN)
		check_skip(c, "its state has %zu bytes", ret->len);
	return ret->len >= STATE_MIN;
}

static bool rules_load_bad_home(struct check *c)
{
	struct err err = { 0 };

	if (subject_home(c->device, true, &err) == 0)
		return true;
	check_broken(c, "it cannot be brought back: %s", err.text);
	return false;
}

/* Return: whether a save comes to its end. It may have any length, and no verdict is told. */
static bool rules_load_bad_saves(struct check *c)
{
	_cleanup_session_ struct subject_session *x = NULL;
	_cleanup_state_ struct subject_state state = { 0 };
	int r;

	if (subject_set(c->device, MIG_STOP_COPY, &x) < 0)
		return false;
	if (!x && (c->device->protocol != SUBJECT_VFU || subject_session_of(c->device, &x) < 0))
		return false;
	r = drain_read(c, x, &drain_by_block, SUBJECT_STATE_MAX, &state);
	return r == DRAIN_END || r == DRAIN_ENOUGH;
}

/* Return: whether it was tried, and @ret says what was seen; else a verdict was told. */
static bool rules_load_bad_try(struct check *c, const struct subject_state *bad,
			       struct load_observed *ret)
{
	_cleanup_session_ struct subject_session *x = NULL;
	int r;

	*ret = (struct load_observed){ 0 };
	if (subject_go(c->device, MIG_RESUMING, &x) < 0)
		return false;
	if (!x) {
		check_broken(c, "no data fd in resuming");
		return false;
	}
	ret->write = drain_write(c, x, &drain_by_block, bad);
	if (ret->write == -ECANCELED)
		return false;
	/* One that went to ERROR is asked nothing more: the kernel warns at any SET there. */
	r = subject_get(c->device, &ret->state);
	if (r < 0) {
		check_violated(c, "GET in resuming: %s", err_name(r));
		return false;
	}
	if (ret->state == MIG_ERROR) {
		ret->stop = -EIO;
		return true;
	}
	ret->stop = subject_set(c->device, MIG_STOP, NULL);
	r = subject_get(c->device, &ret->state);
	if (r < 0) {
		check_violated(c, "GET after the load: %s", err_name(r));
		return false;
	}
	if (ret->stop >= 0 && ret->state == MIG_STOP)
		ret->saves = rules_load_bad_saves(c);
	return true;
}

static void rules_load_bad_judge(struct check *c, enum load_outcome outcome, const char *what)
{
	switch (outcome) {
	case LOAD_REFUSED:
		check_note(c, "%s: %s", what, load_outcome_text(outcome));
		return;
	case LOAD_FORGOTTEN:
		/* It was noticed, which is what these rules ask for; the rule below is about it. */
		check_note(c, "%s: %s", what, load_outcome_text(outcome));
		return;
	case LOAD_UNNOTICED:
		check_warn(c, "%s: %s", what, load_outcome_text(outcome));
		return;
	default:
		check_violated(c, "%s: %s", what, load_outcome_text(outcome));
	}
}

static void rules_load_bad_kind(struct check *c, enum bad_stream kind)
{
	_cleanup_state_ struct subject_state good = { 0 };

	if (!rules_load_bad_save(c, &good))
		return;
	for (unsigned int i = 0; i < bad_stream_variants(kind) && !check_stopped(c); i++) {
		_cleanup_state_ struct subject_state bad = { 0 };
		char what[BAD_STREAM_TEXT_MAX];
		struct load_observed seen;

		if (!rules_load_bad_home(c))
			return;
		if (bad_stream_make(&good, kind, i, check_random(c), &bad, what) < 0) {
			check_broken(c, "no memory for a stream of %zu bytes", good.len);
			return;
		}
		if (!rules_load_bad_try(c, &bad, &seen))
			return;
		rules_load_bad_judge(c, load_outcome(&seen), what);
	}
}

void rules_load_bad_empty(struct check *c)
{
	rules_load_bad_kind(c, BAD_STREAM_EMPTY);
}

void rules_load_bad_short(struct check *c)
{
	rules_load_bad_kind(c, BAD_STREAM_SHORT);
}

void rules_load_bad_long(struct check *c)
{
	rules_load_bad_kind(c, BAD_STREAM_LONG);
}

void rules_load_bad_flipped(struct check *c)
{
	rules_load_bad_kind(c, BAD_STREAM_FLIPPED);
}

void rules_load_bad_foreign(struct check *c)
{
	rules_load_bad_kind(c, BAD_STREAM_FOREIGN);
}

/* Bad streams one after the other until one is refused. Return: whether one was. */
static bool rules_load_bad_find(struct check *c, const struct subject_state *good, bool by_write,
				struct load_observed *seen)
{
	static const enum bad_stream kinds[] = { BAD_STREAM_FOREIGN, BAD_STREAM_LONG,
						 BAD_STREAM_SHORT };
	char what[BAD_STREAM_TEXT_MAX];

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]) && !check_stopped(c); i++) {
		_cleanup_state_ struct subject_state bad = { 0 };

		if (!rules_load_bad_home(c))
			return false;
		if (bad_stream_make(good, kinds[i], 0, check_random(c), &bad, what) < 0 ||
		    !rules_load_bad_try(c, &bad, seen))
			return false;
		if (by_write ? seen->write < 0 : seen->write < 0 || seen->stop < 0)
			return true;
	}
	if (!check_stopped(c))
		check_skip(c, by_write ? "no write of a bad stream is refused"
				       : "no bad stream is refused");
	return false;
}

void rules_load_bad_forgotten(struct check *c)
{
	_cleanup_state_ struct subject_state good = { 0 };
	struct load_observed seen;

	if (!rules_load_bad_save(c, &good) || !rules_load_bad_find(c, &good, true, &seen))
		return;
	if (seen.stop >= 0)
		check_violated(c, "a write failed with %s, and SET stop worked all the same",
			       err_name(seen.write));
}

void rules_load_bad_then_good(struct check *c)
{
	_cleanup_state_ struct subject_state good = { 0 };
	struct load_observed seen;

	if (!rules_load_bad_save(c, &good) || !rules_load_bad_find(c, &good, false, &seen) ||
	    !check_worked(c, "reset after the refusal", subject_reset(c->device)) ||
	    !check_stays(c, MIG_RUNNING))
		return;
	if (!rules_load_bad_try(c, &good, &seen))
		return;
	if (seen.write < 0 || seen.stop < 0)
		check_violated(c,
			       "a good stream after a bad one and a reset: write %s, SET stop %s",
			       err_name(seen.write), err_name(seen.stop));
}
