// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/action-plan.h"
#include "engine/guard-plan.h"
#include "fsm/fsm.h"

/*
 * A save or a load as the engine walks it: its phases, of which one may fail, and actions, of which
 * one may fail. What is told is written down as letters, in capitals where it failed.
 */

static const enum phase saves[] = {
	PHASE_SETTLE,	 PHASE_PRE_COPY,  PHASE_QUIESCE, PHASE_STOP,
	PHASE_STOP_COPY, PHASE_START_P2P, PHASE_START,
};
static const enum phase loads[] = {
	PHASE_SETTLE, PHASE_QUIESCE,   PHASE_STOP,  PHASE_LOAD,
	PHASE_JUDGE,  PHASE_START_P2P, PHASE_START,
};

#define NONE_FAILS PHASE_NR

struct walk {
	const enum phase *phases;
	size_t n;
	enum phase fails;
	enum action refuses;
	bool runs, starts; /* when found; in the end */
	enum action_stage stage;
	char told[32];
};

/* Return: it went well. */
static bool tell(struct walk *w, enum action action)
{
	static const char letters[] = "abcdx";
	bool ok = action != w->refuses;

	assert_true(strlen(w->told) < sizeof(w->told) - 1);
	w->told[strlen(w->told)] = (char)(letters[action] - (ok ? 0 : 'a' - 'A'));
	w->stage = action_next(action, ok);
	return ok || !action_may_refuse(action);
}

static bool step(struct walk *w, enum phase phase)
{
	bool moves = phase == PHASE_QUIESCE ? w->runs : w->starts;
	enum action action = action_due(phase, ACTION_BEFORE, w->stage, moves);

	if (action != ACTION_NONE && !tell(w, action))
		return false;
	/* Prepared for once, it is not due again. */
	assert_int_equal(action_due(phase, ACTION_BEFORE, w->stage, moves), ACTION_NONE);
	if (phase == w->fails)
		return false;
	action = action_due(phase, ACTION_AFTER, w->stage, false);
	return action == ACTION_NONE || tell(w, action);
}

static const char *walk(struct walk *w)
{
	enum action action;
	bool ok = true;

	for (size_t i = 0; ok && i < w->n; i++) {
		/* Devices that stay stopped are not brought through the last two. */
		if (w->phases[i] >= PHASE_START_P2P && w->phases == loads && !w->starts)
			break;
		ok = step(w, w->phases[i]);
	}
	action = action_at_end(w->stage, ok);
	if (action != ACTION_NONE)
		tell(w, action);
	return w->told;
}

#define SAVE .phases = saves, .n = ARRAY_SIZE(saves)
#define LOAD .phases = loads, .n = ARRAY_SIZE(loads)

static void each_phase_and_failure_has_its_actions(void **state)
{
	static const struct {
		struct walk walk;
		const char *told;
	} rows[] = {
		/* clang-format off */
		{ { SAVE, NONE_FAILS,      ACTION_NONE,       true,  true  }, "abcd" },
		{ { SAVE, NONE_FAILS,      ACTION_NONE,       true,  false }, "ab" },
		{ { SAVE, NONE_FAILS,      ACTION_NONE,       false, false }, "" },
		{ { SAVE, PHASE_SETTLE,    ACTION_NONE,       true,  true  }, "" },
		{ { SAVE, PHASE_PRE_COPY,  ACTION_NONE,       true,  true  }, "" },
		{ { SAVE, PHASE_QUIESCE,   ACTION_NONE,       true,  true  }, "ax" },
		{ { SAVE, PHASE_STOP,      ACTION_NONE,       true,  true  }, "ax" },
		{ { SAVE, PHASE_STOP_COPY, ACTION_NONE,       true,  true  }, "abx" },
		{ { SAVE, PHASE_STOP_COPY, ACTION_NONE,       true,  false }, "abx" },
		{ { SAVE, PHASE_STOP_COPY, ACTION_NONE,       false, false }, "" },
		{ { SAVE, PHASE_START_P2P, ACTION_NONE,       true,  true  }, "abcx" },
		{ { SAVE, PHASE_START,     ACTION_NONE,       true,  true  }, "abcx" },
		{ { SAVE, PHASE_START,     ACTION_NONE,       true,  false }, "abx" },
		{ { SAVE, NONE_FAILS,      ACTION_PRE_STOP,   true,  true  }, "Ax" },
		{ { SAVE, NONE_FAILS,      ACTION_POST_STOP,  true,  true  }, "aBcd" },
		{ { SAVE, NONE_FAILS,      ACTION_PRE_START,  true,  true  }, "abCx" },
		{ { SAVE, NONE_FAILS,      ACTION_POST_START, true,  true  }, "abcD" },
		{ { SAVE, PHASE_STOP,      ACTION_ABORT,      true,  true  }, "aX" },
		{ { LOAD, NONE_FAILS,      ACTION_NONE,       true,  true  }, "abcd" },
		{ { LOAD, NONE_FAILS,      ACTION_NONE,       true,  false }, "ab" },
		{ { LOAD, NONE_FAILS,      ACTION_NONE,       false, true  }, "cd" },
		{ { LOAD, NONE_FAILS,      ACTION_NONE,       false, false }, "" },
		{ { LOAD, PHASE_SETTLE,    ACTION_NONE,       true,  true  }, "" },
		{ { LOAD, PHASE_QUIESCE,   ACTION_NONE,       true,  true  }, "ax" },
		{ { LOAD, PHASE_STOP,      ACTION_NONE,       true,  true  }, "ax" },
		{ { LOAD, PHASE_LOAD,      ACTION_NONE,       true,  true  }, "abx" },
		{ { LOAD, PHASE_JUDGE,     ACTION_NONE,       true,  true  }, "abx" },
		{ { LOAD, PHASE_JUDGE,     ACTION_NONE,       false, true  }, "" },
		{ { LOAD, PHASE_START_P2P, ACTION_NONE,       true,  true  }, "abcx" },
		{ { LOAD, PHASE_START,     ACTION_NONE,       false, true  }, "cx" },
		{ { LOAD, NONE_FAILS,      ACTION_PRE_START,  false, true  }, "Cx" },
		{ { LOAD, NONE_FAILS,      ACTION_PRE_STOP,   true,  true  }, "Ax" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct walk w = rows[i].walk;

		if (strcmp(walk(&w), rows[i].told) != 0)
			fail_msg("row %zu: %s, not %s", i, w.told, rows[i].told);
	}
}

static size_t count(const char *told, char letter)
{
	size_t n = 0;

	for (; *told; told++)
		n += (*told | 0x20) == letter;
	return n;
}

/* Of whatever fails wherever: what was begun is ended once, and nothing else is. */
static void check_ends(const struct walk *w)
{
	size_t begun = (count(w->told, 'a') || count(w->told, 'c')) ? 1 : 0;
	size_t ended = count(w->told, 'd') + count(w->told, 'x');

	assert_true(count(w->told, 'a') <= 1);
	assert_true(count(w->told, 'c') <= 1);
	assert_int_equal(w->stage == ACTION_STAGE_FAILED, false);
	if (ended > begun)
		fail_msg("'%s': ended what was not begun", w->told);
	if (ended < begun && (w->starts || w->fails != NONE_FAILS))
		fail_msg("'%s': begun, and not ended", w->told);
}

static void what_was_begun_is_ended_once(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 2 * 4 * (PHASE_NR + 1) * (ACTION_NR + 1); i++) {
		unsigned int rest = i / 8;
		struct walk w = {
			.phases = i & 1 ? saves : loads,
			.n = ARRAY_SIZE(saves),
			.runs = i & 2,
			.starts = i & 4,
			.fails = (enum phase)(rest % (PHASE_NR + 1)),
			.refuses = (enum action)(rest / (PHASE_NR + 1)),
		};
		bool never = w.fails == (i & 1 ? PHASE_LOAD : PHASE_STOP_COPY) ||
			     w.fails == (i & 1 ? PHASE_JUDGE : PHASE_PRE_COPY) ||
			     (!w.starts && w.fails >= PHASE_START_P2P);

		if (never)
			w.fails = NONE_FAILS;
		walk(&w);
		if (w.refuses == ACTION_PRE_STOP && w.runs && w.fails > PHASE_PRE_COPY)
			assert_string_equal(w.told, "Ax");
		check_ends(&w);
	}
}

static void names_are_read_as_they_are_written(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < ACTION_NR; i++) {
		enum action action = ACTION_NONE;

		assert_true(action_parse(action_name((enum action)i), &action));
		assert_int_equal(action, i);
	}
	for (unsigned int i = 0; i < ACTION_NR_ACTORS; i++) {
		enum action_actor actor = ACTION_NR_ACTORS;

		assert_true(action_actor_parse(action_actor_name((enum action_actor)i), &actor));
		assert_int_equal(actor, i);
	}
	assert_false(action_parse("none", &(enum action){ 0 }));
}

/*
 * The guardian
 */

#define GO(holds, want)                                    \
	{                                                  \
		true, false, MIG_HOLDS_##holds, MIG_##want \
	}

/* clang-format off */
#define ROW(note, mark, at, found, lost, ...) \
	{ GUARD_##note, mark, MIG_##at, MIG_##found, lost, __VA_ARGS__ }
#define AT(state) { MIG_##state, MIG_##state, false }
#define ARC(from, to) { MIG_##from, MIG_##to, false }
#define OWNER_STOPPED { MIG_STOP, MIG_STOP, true }
#define LEAVE { .act = false }
#define WHOLE { .act = false, .whole = true }
/* clang-format on */

static void a_device_of_a_killed_process_goes_where_it_belongs(void **state)
{
	static const struct {
		enum guard_note note;
		struct guard_mark mark;
		enum mig_state at, found;
		bool lost;
		struct guard_plan plan;
	} rows[] = {
		/* clang-format off */
		ROW(RETURNS, AT(STOP_COPY), STOP_COPY, RUNNING, false, GO(OWN, RUNNING)),
		ROW(RETURNS, AT(STOP_COPY), STOP_COPY, STOP, false, GO(OWN, STOP)),
		ROW(RETURNS, AT(RUNNING), RUNNING, RUNNING, false, GO(OWN, RUNNING)),
		ROW(RETURNS, ARC(RUNNING, STOP), RUNNING, STOP, false, LEAVE),
		ROW(RETURNS, AT(PRE_COPY), PRE_COPY, RUNNING, false, GO(OWN, RUNNING)),
		ROW(STAYS, AT(STOP_COPY), STOP_COPY, RUNNING, false, GO(OWN, STOP)),
		ROW(STAYS, AT(STOP), STOP, RUNNING, false, GO(OWN, STOP)),
		ROW(LOADING, AT(STOP), STOP, RUNNING, false, GO(OWN, RUNNING)),
		ROW(LOADING, AT(STOP), STOP, RUNNING, true, GO(OWN, STOP)),
		ROW(LOADING, AT(RESUMING), RESUMING, RUNNING, true, GO(GIVEN_UP, STOP)),
		ROW(LOADING, AT(STOP), ERROR, RUNNING, true, GO(GIVEN_UP, STOP)),
		ROW(JUDGING, AT(RESUMING), RESUMING, RUNNING, true, GO(GIVEN_UP, STOP)),
		ROW(JUDGING, AT(STOP), STOP, RUNNING, false, LEAVE),
		ROW(SETTLED, AT(STOP), STOP, RUNNING, false, LEAVE),
		ROW(LOADED, AT(STOP), STOP, RUNNING, false, LEAVE),
		ROW(LOADED, AT(STOP), ERROR, RUNNING, false, LEAVE),
		ROW(LOADED, AT(STOP), RUNNING, STOP, false, LEAVE),
		/* half-way through an arc it is the tool's at both ends */
		ROW(RETURNS, ARC(STOP_COPY, STOP), STOP, RUNNING, false, GO(OWN, RUNNING)),
		ROW(RETURNS, ARC(STOP_COPY, STOP), STOP_COPY, RUNNING, false, GO(OWN, RUNNING)),
		ROW(LOADING, ARC(STOP, RESUMING), RESUMING, STOP, true, GO(GIVEN_UP, STOP)),
		/* where the tool has not put it, its owner has */
		ROW(RETURNS, AT(RUNNING), STOP, RUNNING, false, WHOLE),
		ROW(RETURNS, AT(STOP_COPY), STOP, RUNNING, false, WHOLE),
		ROW(RETURNS, AT(PRE_COPY), STOP_COPY, RUNNING, false, WHOLE),
		ROW(RETURNS, AT(STOP), RESUMING, STOP, false, LEAVE),
		ROW(LOADING, AT(STOP), RESUMING, STOP, false, LEAVE),
		ROW(LOADING, AT(RESUMING), RUNNING, STOP, false, LEAVE),
		/* but two must not run */
		ROW(STAYS, AT(STOP), RUNNING, RUNNING, false, GO(OWN, STOP)),
		/* an owner that was told to pause, and did */
		ROW(RETURNS, OWNER_STOPPED, STOP, RUNNING, false, GO(OWN, STOP)),
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct guard_facts facts = {
			.note = rows[i].note,
			.mark = rows[i].mark,
			.met = rows[i].at,
			.at = rows[i].at,
			.found = rows[i].found,
			.any_lost = rows[i].lost,
		};
		struct guard_plan p = guard_plan(&facts);

		if (p.act != rows[i].plan.act || p.whole != rows[i].plan.whole ||
		    (p.act && (p.holds != rows[i].plan.holds || p.want != rows[i].plan.want)))
			fail_msg("row %zu: act %d, holds %d, to %s", i, p.act, p.holds,
				 fsm_name(p.want));
	}
}

/* A load that is given up is reset; that can only be where a device has lost its own state. */
static void only_what_has_lost_its_state_is_given_up(void **state)
{
	(void)state;
	for (unsigned int note = 0; note < GUARD_NR_NOTES; note++)
		for (unsigned int at = 0; at < MIG_NR_STATES; at++)
			for (unsigned int mark = 0; mark < 128; mark++) {
				const struct guard_facts facts = {
					.note = (enum guard_note)note,
					.mark = guard_mark_unpack((uint8_t)mark),
					.met = (enum mig_state)at,
					.at = (enum mig_state)at,
					.found = MIG_RUNNING,
					.any_lost = mark & 1,
				};
				struct guard_plan p = guard_plan(&facts);

				if (p.act && p.holds == MIG_HOLDS_GIVEN_UP)
					assert_true(guard_lost(facts.note, &facts.mark, facts.at));
				assert_int_not_equal(p.holds, MIG_HOLDS_NOTHING);
			}
}

/* From the barrier to the end of the way back it is where the guardian has put it. */
static void what_the_guardian_does_is_not_its_owners_doing(void **state)
{
	struct guard_facts facts = {
		.note = GUARD_RETURNS,
		.mark = { MIG_STOP_COPY, MIG_STOP_COPY, false },
		.met = MIG_STOP_COPY,
		.at = MIG_RUNNING_P2P,
		.found = MIG_RUNNING,
	};

	(void)state;
	assert_true(guard_plan(&facts).act);
	facts.met = MIG_RUNNING_P2P;
	assert_false(guard_plan(&facts).act);
}

static void a_mark_is_read_as_it_was_told(void **state)
{
	(void)state;
	for (unsigned int packed = 0; packed < 128; packed++) {
		struct guard_mark mark = guard_mark_unpack((uint8_t)packed);

		assert_in_range(mark.from, 0, MIG_NR_STATES - 1);
		assert_in_range(mark.to, 0, MIG_NR_STATES - 1);
		assert_int_equal(guard_mark_pack(&mark), packed);
	}
}

static void a_device_is_brought_back_by_one_who_has_it_still(void **state)
{
	(void)state;
	assert_int_equal(guard_duty(DEVICE_SOLE), GUARD_BY_CLOSE);
	assert_int_equal(guard_duty(DEVICE_SHARED), GUARD_BY_GUARDIAN);
	assert_int_equal(guard_duty(DEVICE_LENT), GUARD_BY_LENDER);
}

static void what_is_closed_is_whole_if_it_was_and_closing_it_does_nothing(void **state)
{
	const struct guard_mark at_home = { MIG_RUNNING, MIG_RUNNING, false },
				leaving = { MIG_RUNNING, MIG_STOP, false },
				away = { MIG_STOP, MIG_STOP, false };

	(void)state;
	assert_true(guard_whole_after_close(&at_home, MIG_RUNNING, CLOSE_KEEPS));
	assert_false(guard_whole_after_close(&at_home, MIG_RUNNING, CLOSE_MAY_LOSE));
	assert_false(guard_whole_after_close(&at_home, MIG_RUNNING, CLOSE_MAY_RESET_BUS));
	assert_false(guard_whole_after_close(&at_home, MIG_RUNNING, CLOSE_RESETS));
	assert_false(guard_whole_after_close(&leaving, MIG_RUNNING, CLOSE_KEEPS));
	assert_false(guard_whole_after_close(&away, MIG_RUNNING, CLOSE_KEEPS));
	assert_true(guard_whole_after_close(&away, MIG_STOP, CLOSE_KEEPS));
}

/* What stops a device or takes its state, and none that brings it back. */
static void a_guardian_is_needed_until_devices_go_back(void **state)
{
	static const bool needed[PHASE_NR] = {
		[PHASE_PRE_COPY] = true,  [PHASE_QUIESCE] = true, [PHASE_STOP] = true,
		[PHASE_STOP_COPY] = true, [PHASE_LOAD] = true,	  [PHASE_JUDGE] = true,
	};

	(void)state;
	for (unsigned int phase = 0; phase < PHASE_NR; phase++)
		assert_int_equal(action_needs_guard((enum phase)phase), needed[phase]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_phase_and_failure_has_its_actions),
		cmocka_unit_test(what_was_begun_is_ended_once),
		cmocka_unit_test(names_are_read_as_they_are_written),
		cmocka_unit_test(a_device_of_a_killed_process_goes_where_it_belongs),
		cmocka_unit_test(a_guardian_is_needed_until_devices_go_back),
		cmocka_unit_test(what_the_guardian_does_is_not_its_owners_doing),
		cmocka_unit_test(a_mark_is_read_as_it_was_told),
		cmocka_unit_test(a_device_is_brought_back_by_one_who_has_it_still),
		cmocka_unit_test(what_is_closed_is_whole_if_it_was_and_closing_it_does_nothing),
		cmocka_unit_test(only_what_has_lost_its_state_is_given_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
