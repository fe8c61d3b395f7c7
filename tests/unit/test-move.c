// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/move.h"

#define SOURCES MOVE_D_AGREEING /* the states of the source come first */

static bool is_source(enum move_state s)
{
	return s < SOURCES;
}

static bool is_final(enum move_state s)
{
	return s == MOVE_S_UNSURE || s == MOVE_S_DONE || s == MOVE_S_ABORTED || s == MOVE_D_DONE ||
	       s == MOVE_D_FAILED || s == MOVE_D_ABORTED;
}

/* What happens along the way of a move that goes well. */
static void a_good_move_takes_its_way(void **state)
{
	static const struct {
		enum move_event event;
		enum move_state next;
		unsigned int actions;
	} source[] = {
		{ MOVE_ON_ACCEPT, MOVE_S_BEGINNING, MOVE_WRITE },
		{ MOVE_ON_WRITTEN, MOVE_S_BEGUN, MOVE_TAKE },
		{ MOVE_ON_SENT, MOVE_S_ENDED, MOVE_SEND_END },
		{ MOVE_ON_READY, MOVE_S_DECIDING, MOVE_WRITE },
		{ MOVE_ON_WRITTEN, MOVE_S_COMMITTED, MOVE_SEND_COMMIT },
		{ MOVE_ON_DONE, MOVE_S_DONE, MOVE_WRITE | MOVE_RELEASE },
	}, destination[] = {
		{ MOVE_ON_OFFER, MOVE_D_ACCEPTED, MOVE_SEND_VERDICT },
		{ MOVE_ON_FRAMES, MOVE_D_BEGINNING, MOVE_WRITE },
		{ MOVE_ON_WRITTEN, MOVE_D_LOADING, MOVE_LOAD },
		{ MOVE_ON_END, MOVE_D_JUDGING, MOVE_JUDGE },
		{ MOVE_ON_TAKEN, MOVE_D_PREPARING, MOVE_WRITE },
		{ MOVE_ON_WRITTEN, MOVE_D_PREPARED, MOVE_SEND_READY },
		{ MOVE_ON_COMMIT, MOVE_D_COMMITTING, MOVE_WRITE },
		{ MOVE_ON_WRITTEN, MOVE_D_STARTING, MOVE_START },
		{ MOVE_ON_STARTED, MOVE_D_DONE, MOVE_WRITE | MOVE_SEND_DONE | MOVE_RELEASE },
	};
	enum move_state s = MOVE_S_AGREEING, d = MOVE_D_AGREEING;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(source); i++) {
		struct move_step step = move_step(s, source[i].event, false);

		assert_int_equal(step.next, source[i].next);
		assert_int_equal(step.actions, source[i].actions);
		s = step.next;
	}
	for (size_t i = 0; i < ARRAY_SIZE(destination); i++) {
		struct move_step step = move_step(d, destination[i].event, false);

		assert_int_equal(step.next, destination[i].next);
		assert_int_equal(step.actions, destination[i].actions);
		d = step.next;
	}
}

typedef void each_fn(enum move_state s, enum move_event e, bool retry, struct move_step step);

static void for_each_step(each_fn *fn)
{
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++)
		for (unsigned int e = 0; e < MOVE_NR_EVENTS; e++)
			for (int retry = 0; retry < 2; retry++)
				fn(s, e, retry, move_step(s, e, retry));
}

/* What no step may do, whatever the way to it. */
static void check_rules(enum move_state s, enum move_event e, bool retry, struct move_step step)
{
	unsigned int a = step.actions;

	(void)retry;
	assert_int_equal(is_source(s), is_source(step.next));
	if (is_final(s)) {
		assert_int_equal(step.next, s);
		assert_int_equal(a, 0);
	}
	/* The source goes back only before it has decided, or when it is sure that it has not. */
	if (a & MOVE_GIVE_BACK) {
		assert_int_equal(step.next, MOVE_S_ABORTED);
		assert_true(move_sent(s) == HANDOVER_SENDING ||
			    (s == MOVE_S_DECIDING && e == MOVE_ON_NOT_WRITTEN));
	}
	/* COMMIT only with the record behind it. */
	if (a & MOVE_SEND_COMMIT)
		assert_true(step.next == MOVE_S_COMMITTED &&
			    ((s == MOVE_S_DECIDING && e == MOVE_ON_WRITTEN) ||
			     (s == MOVE_S_COMMITTED && e == MOVE_ON_LINKED)));
	/* The destination starts only with the record of COMMIT behind it. */
	if (a & MOVE_START)
		assert_true(s == MOVE_D_COMMITTING && e == MOVE_ON_WRITTEN);
	if (step.next == MOVE_D_COMMITTING && s != step.next)
		assert_true(s == MOVE_D_PREPARED && e == MOVE_ON_COMMIT);
	if (a & MOVE_SEND_READY)
		assert_true(s == MOVE_D_PREPARING && e == MOVE_ON_WRITTEN);
	/* What may be the only copy is never reset away but on the source's word. */
	if (a & MOVE_DISCARD && s == MOVE_D_PREPARED)
		assert_true(e == MOVE_ON_REFUSE || e == MOVE_ON_OFFER);
	if (s == MOVE_D_COMMITTING || s == MOVE_D_STARTING)
		assert_false(a & MOVE_DISCARD);
	/* Neither is a word taken back that the other end may have acted on. */
	if (a & MOVE_SEND_ABORT)
		assert_true((!move_decided(s) || s == MOVE_S_DECIDING) && !move_decided(step.next));
}

static void no_step_breaks_a_rule(void **state)
{
	(void)state;
	for_each_step(check_rules);
}

/* A write is awaited by the state that follows it, unless nothing depends on it any more. */
static void check_writes(enum move_state s, enum move_event e, bool retry, struct move_step step)
{
	(void)s;
	(void)e;
	if (!(step.actions & MOVE_WRITE) || is_final(step.next))
		return;
	assert_int_not_equal(move_step(step.next, MOVE_ON_WRITTEN, retry).next, step.next);
	assert_int_not_equal(move_step(step.next, MOVE_ON_NOT_WRITTEN, retry).next, step.next);
	assert_int_not_equal(move_step(step.next, MOVE_ON_UNSURE, retry).next, step.next);
}

static void every_write_is_awaited(void **state)
{
	(void)state;
	for_each_step(check_writes);
}

/* A lost link ends what is undecided; a cancel as well, and does nothing afterwards. */
static void no_end_waits_for_ever_before_the_decision(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++) {
		bool writes = move_step(s, MOVE_ON_WRITTEN, false).next != s;

		if (is_final(s))
			continue;
		if (!writes && !move_decided(s)) {
			assert_int_not_equal(move_step(s, MOVE_ON_LOST, false).next, s);
			assert_int_not_equal(move_step(s, MOVE_ON_CANCEL, false).next, s);
		}
		if (move_decided(s))
			assert_int_equal(move_step(s, MOVE_ON_CANCEL, false).next, s);
	}
}

/* It is told so while it may be, and is not tried again; behind the decision it decides nothing. */
static void an_end_that_breaks_the_protocol_hears_why(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++) {
		bool writes = move_step(s, MOVE_ON_WRITTEN, false).next != s;
		struct move_step step = move_step(s, MOVE_ON_BREACH, true);

		if (is_final(s) || writes)
			assert_int_equal(step.next, s);
		else if (!move_decided(s))
			assert_true(move_phase(step.next) == WIRE_PHASE_ABORTED &&
				    step.actions & MOVE_SEND_ABORT);
		else if (s == MOVE_S_COMMITTED || s == MOVE_D_PREPARED)
			assert_true(step.next == s && step.actions == MOVE_RELINK);
	}
}

static void only_before_ready_there_is_another_try(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++) {
		struct move_step step = move_step(s, MOVE_ON_LOST, true);
		bool tries = s == MOVE_S_BEGUN || s == MOVE_S_ENDED || s == MOVE_S_BROKEN;

		assert_int_equal(step.next == MOVE_S_BROKEN, tries);
		if (tries)
			assert_int_equal(step.actions, MOVE_RELINK);
	}
}

/* Both ends: what one may send in a state, the other may hear in those that it can be in then. */
static void what_is_sent_is_heard(void **state)
{
	static const struct {
		unsigned int action;
		enum wire_type type;
		enum move_state at;
		enum move_event event;
	} rows[] = {
		{ MOVE_SEND_OFFER, WIRE_OFFER, MOVE_D_AGREEING, MOVE_ON_OFFER },
		{ MOVE_SEND_VERDICT, WIRE_VERDICT, MOVE_S_AGREEING, MOVE_ON_ACCEPT },
		{ MOVE_SEND_VERDICT, WIRE_VERDICT, MOVE_S_BROKEN, MOVE_ON_ACCEPT },
		{ MOVE_SEND_END, WIRE_END, MOVE_D_LOADING, MOVE_ON_END },
		{ MOVE_SEND_READY, WIRE_READY, MOVE_S_ENDED, MOVE_ON_READY },
		{ MOVE_SEND_COMMIT, WIRE_COMMIT, MOVE_D_PREPARED, MOVE_ON_COMMIT },
		{ MOVE_SEND_DONE, WIRE_DONE, MOVE_S_COMMITTED, MOVE_ON_DONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(move_hears(rows[i].at, rows[i].type), rows[i].event);
		assert_int_not_equal(move_step(rows[i].at, rows[i].event, false).next, rows[i].at);
	}
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++)
		for (unsigned int t = 0; t < WIRE_NR_TYPES; t++)
			if (is_final(s) || move_step(s, MOVE_ON_WRITTEN, false).next != s)
				assert_int_equal(move_hears(s, t), MOVE_ON_BREACH);
}

static void the_state_says_who_owns(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++) {
		assert_non_null(move_state_name(s));
		if (!is_source(s))
			continue;
		/* As long as its record cannot say COMMITTED, the source goes back. */
		assert_int_equal(
			move_phase(s) == WIRE_PHASE_COMMITTED || move_phase(s) == WIRE_PHASE_DONE,
			move_sent(s) == HANDOVER_ENDING || move_sent(s) == HANDOVER_DOUBT ||
				move_sent(s) == HANDOVER_ACCEPTED);
		assert_int_equal(handover_gives_back(move_sent(s)), s == MOVE_S_ABORTED);
	}
	assert_int_equal(handover_gives_up(move_received(MOVE_D_PREPARED)), HANDOVER_KEEP);
	assert_int_equal(handover_gives_up(move_received(MOVE_D_COMMITTING)), HANDOVER_KEEP);
	assert_int_equal(handover_gives_up(move_received(MOVE_D_JUDGING)), HANDOVER_DISCARD);
}

/* Of what is made ready in a wait, all that ends it well makes use. */
static void what_is_made_ready_is_what_the_next_write_says(void **state)
{
	static const struct {
		enum move_state at;
		enum move_event ends;
		enum wire_phase ahead;
	} rows[] = {
		{ MOVE_S_ENDED, MOVE_ON_READY, WIRE_PHASE_COMMITTED },
		{ MOVE_D_JUDGING, MOVE_ON_TAKEN, WIRE_PHASE_PREPARED },
		{ MOVE_D_PREPARED, MOVE_ON_COMMIT, WIRE_PHASE_COMMITTED },
	};
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct move_step step = move_step(rows[i].at, rows[i].ends, false);

		assert_int_equal(move_phase_ahead(rows[i].at), rows[i].ahead);
		assert_true(step.actions & MOVE_WRITE);
		assert_int_equal(move_phase(step.next), rows[i].ahead);
	}
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++)
		n += move_phase_ahead(s) != WIRE_PHASE_NONE;
	assert_int_equal(n, ARRAY_SIZE(rows));
}

static void the_newest_link_of_a_source_is_the_one_that_counts(void **state)
{
	const struct wire_hello known = { .txid = { 1 }, .generation = 2, .retries = 3 };
	struct wire_hello hello = known;

	(void)state;
	assert_int_equal(move_try(&known, &hello), MOVE_TRY_OLDER);
	hello.retries = 4;
	assert_int_equal(move_try(&known, &hello), MOVE_TRY_OLDER);
	hello.retries = 2;
	assert_int_equal(move_try(&known, &hello), MOVE_TRY_NEWER);
	hello.generation = 3;
	assert_int_equal(move_try(&known, &hello), MOVE_TRY_OTHER);
	hello.generation = 2;
	hello.txid[WIRE_ID_SIZE - 1] = 1;
	assert_int_equal(move_try(&known, &hello), MOVE_TRY_OTHER);
}

static void a_source_may_come_again_until_it_has_decided(void **state)
{
	static const struct {
		enum move_state at;
		enum move_admission other, older, newer;
	} rows[] = {
		{ MOVE_D_AGREEING, MOVE_ADMITTED, MOVE_ADMITTED, MOVE_ADMITTED },
		{ MOVE_D_ACCEPTED, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_BEGINNING, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_LOADING, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_JUDGING, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_PREPARING, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_PREPARED, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_RENEWING, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
		{ MOVE_D_COMMITTING, MOVE_BUSY, MOVE_STALE, MOVE_BUSY },
		{ MOVE_D_STARTING, MOVE_BUSY, MOVE_STALE, MOVE_BUSY },
		{ MOVE_D_DONE, MOVE_BUSY, MOVE_STALE, MOVE_BUSY },
		{ MOVE_D_FAILED, MOVE_BUSY, MOVE_STALE, MOVE_BUSY },
		{ MOVE_D_ABORTED, MOVE_BUSY, MOVE_STALE, MOVE_ADMITTED },
	};

	(void)state;
	assert_int_equal(ARRAY_SIZE(rows), MOVE_NR_STATES - MOVE_D_AGREEING);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(rows[i].at, MOVE_D_AGREEING + i);
		assert_int_equal(move_admits(rows[i].at, MOVE_TRY_OTHER), rows[i].other);
		assert_int_equal(move_admits(rows[i].at, MOVE_TRY_OLDER), rows[i].older);
		assert_int_equal(move_admits(rows[i].at, MOVE_TRY_NEWER), rows[i].newer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_move_takes_its_way),
		cmocka_unit_test(no_step_breaks_a_rule),
		cmocka_unit_test(every_write_is_awaited),
		cmocka_unit_test(no_end_waits_for_ever_before_the_decision),
		cmocka_unit_test(an_end_that_breaks_the_protocol_hears_why),
		cmocka_unit_test(only_before_ready_there_is_another_try),
		cmocka_unit_test(what_is_sent_is_heard),
		cmocka_unit_test(the_state_says_who_owns),
		cmocka_unit_test(what_is_made_ready_is_what_the_next_write_says),
		cmocka_unit_test(the_newest_link_of_a_source_is_the_one_that_counts),
		cmocka_unit_test(a_source_may_come_again_until_it_has_decided),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
