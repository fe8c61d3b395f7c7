// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Every combination of what can be known after a crash, against what must hold whatever the table
 * says. That the two ends' plans fit together is the model's claim (test-move-model).
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/recover-hint.h"
#include "engine/recover-plan.h"

struct known {
	enum wire_role role;
	enum wire_phase phase;
	enum recover_devices devices;
	bool spooled;
	enum recover_other other;
	enum recover_force force;
};

typedef void judge_fn(const struct known *k, const struct recover_plan *p, bool is_plan);

/* The phases that a record of that end can have. */
static bool is_phase_of(enum wire_role role, enum wire_phase phase)
{
	return phase != WIRE_PHASE_NONE && phase != WIRE_PHASE_BUSY &&
	       (role == WIRE_DESTINATION || phase != WIRE_PHASE_PREPARED);
}

static unsigned int for_all(judge_fn *judge)
{
	unsigned int n = 0;
	struct known k;

	for (k.role = WIRE_SOURCE; k.role <= WIRE_DESTINATION; k.role++)
		for (k.phase = 0; k.phase < WIRE_NR_PHASES; k.phase++)
			for (k.devices = 0; k.devices < RECOVER_NR_DEVICES; k.devices++)
				for (unsigned int i = 0; i < 2 * RECOVER_NR_OTHERS; i++)
					for (k.force = 0; k.force < RECOVER_NR_FORCES; k.force++) {
						struct recover_plan p;
						bool is_plan;

						if (!is_phase_of(k.role, k.phase))
							continue;
						k.other = i / 2;
						k.spooled = i % 2;
						is_plan = recover_plan(k.role, k.phase, k.devices,
								       k.spooled, k.other, k.force,
								       &p);
						judge(&k, &p, is_plan);
						n++;
					}
	return n;
}

static bool says_committed(const struct known *k)
{
	return k->other == RECOVER_OTHER_COMMITTED || k->other == RECOVER_OTHER_DONE;
}

static bool has(const struct recover_plan *p, unsigned int actions)
{
	return (p->actions & actions) != 0;
}

#define DEVICE_ACTIONS \
	(RECOVER_GIVE_BACK | RECOVER_DISCARD | RECOVER_STOP | RECOVER_LOAD | RECOVER_START)

/* What an end's record says before the devices follow. */
static enum wire_phase phase_before(const struct known *k, const struct recover_plan *p)
{
	return has(p, RECOVER_WRITE) ? p->phase : k->phase;
}

static enum wire_phase phase_after(const struct known *k, const struct recover_plan *p)
{
	return has(p, RECOVER_FINISH) ? p->last : phase_before(k, p);
}

static void judge_start(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	if (!has(p, RECOVER_START))
		return;
	assert_true(is_plan);
	assert_int_equal(k->role, WIRE_DESTINATION);
	assert_true(k->phase == WIRE_PHASE_COMMITTED || says_committed(k) ||
		    k->force == RECOVER_FORCE_RUN);
	assert_int_equal(phase_before(k, p), WIRE_PHASE_COMMITTED);
	assert_int_equal(phase_after(k, p), WIRE_PHASE_DONE);
	/* What starts is what was moved. */
	assert_true(k->devices == RECOVER_HOLD || has(p, RECOVER_LOAD));
	assert_true(k->phase != WIRE_PHASE_BEGUN || has(p, RECOVER_LOAD));
	/* A source that was forced to run it has it. */
	assert_true(k->other != RECOVER_OTHER_ABORTED || k->force == RECOVER_FORCE_RUN);
	assert_int_not_equal(k->force, RECOVER_FORCE_DROP);
}

static void the_destination_starts_only_what_was_committed(void **state)
{
	(void)state;
	assert_int_equal(for_all(judge_start),
			 (4 + 5) * RECOVER_NR_DEVICES * 2 * RECOVER_NR_OTHERS * RECOVER_NR_FORCES);
}

static void judge_give_back(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	if (!has(p, RECOVER_GIVE_BACK))
		return;
	assert_true(is_plan);
	assert_int_equal(k->role, WIRE_SOURCE);
	assert_int_equal(k->devices, RECOVER_HOLD);
	assert_int_equal(phase_after(k, p), WIRE_PHASE_ABORTED);
	if (k->force == RECOVER_FORCE_RUN) {
		assert_int_equal(phase_before(k, p), WIRE_PHASE_ABORTED);
		return;
	}
	assert_int_equal(k->phase, WIRE_PHASE_BEGUN);
	assert_false(says_committed(k));
	assert_int_equal(k->force, RECOVER_NO_FORCE);
}

static void the_source_runs_nothing_that_may_run_elsewhere(void **state)
{
	(void)state;
	for_all(judge_give_back);
}

static void judge_doubt(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	bool no_word = k->other == RECOVER_OTHER_BUSY || k->other == RECOVER_OTHER_UNREACHABLE ||
		       k->other == RECOVER_OTHER_BEGUN;

	(void)is_plan;
	if (k->role != WIRE_DESTINATION || k->phase != WIRE_PHASE_PREPARED || !no_word || k->force)
		return;
	assert_int_equal(p->actions, 0);
	assert_int_equal(p->outcome, OUTCOME_IN_DOUBT);
	assert_int_equal(p->owner, OWNER_UNKNOWN);
}

static void a_prepared_destination_without_a_word_waits(void **state)
{
	(void)state;
	for_all(judge_doubt);
}

/* Before COMMITTED nothing was started: what runs is of no part of the transaction. */
static void judge_running(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	(void)is_plan;
	if (k->role == WIRE_DESTINATION && k->devices == RECOVER_RUN && !k->force)
		assert_false(has(p, RECOVER_DISCARD));
}

static void what_runs_at_a_destination_is_not_reset(void **state)
{
	(void)state;
	for_all(judge_running);
}

static void judge_word(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	if (k->role != WIRE_DESTINATION || k->phase != WIRE_PHASE_PREPARED || k->force)
		return;
	if (k->other == RECOVER_OTHER_NONE || k->other == RECOVER_OTHER_ABORTED) {
		assert_true(is_plan);
		assert_int_equal(phase_after(k, p), WIRE_PHASE_ABORTED);
		assert_int_equal(p->owner, OWNER_SOURCE);
	}
	if (says_committed(k))
		assert_int_equal(p->phase, is_plan && has(p, RECOVER_WRITE) ? WIRE_PHASE_COMMITTED
									    : WIRE_PHASE_PREPARED);
	if (says_committed(k) &&
	    (k->devices == RECOVER_HOLD || (k->spooled && k->devices != RECOVER_SILENT)))
		assert_true(has(p, RECOVER_START));
}

static void a_prepared_destination_does_what_the_source_says(void **state)
{
	(void)state;
	for_all(judge_word);
}

static void judge_final(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	if (k->phase != WIRE_PHASE_DONE && k->phase != WIRE_PHASE_ABORTED)
		return;
	assert_true(is_plan);
	assert_false(has(p, (unsigned int)~RECOVER_TELL));
	assert_int_not_equal(p->outcome, OUTCOME_IN_DOUBT);
}

static void what_is_over_stays_so(void **state)
{
	(void)state;
	for_all(judge_final);
}

/* A record is changed back by force alone: this end's, or what the other one was forced to. */
static void judge_records(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	enum wire_phase after = phase_after(k, p);

	if (!is_plan) {
		assert_int_equal(p->actions, 0);
		return;
	}
	assert_int_equal(p->last, after);
	assert_int_equal(p->phase, phase_before(k, p));
	assert_true(is_phase_of(k->role, after) && is_phase_of(k->role, p->phase));
	if (k->phase == WIRE_PHASE_COMMITTED && after == WIRE_PHASE_ABORTED)
		assert_true(k->force ||
			    (k->role == WIRE_DESTINATION && k->other == RECOVER_OTHER_ABORTED));
	if (k->role == WIRE_SOURCE && k->phase == WIRE_PHASE_BEGUN &&
	    (after == WIRE_PHASE_COMMITTED || after == WIRE_PHASE_DONE) && !k->force)
		assert_true(says_committed(k) ||
			    (k->devices == RECOVER_BLANK && k->other == RECOVER_OTHER_PREPARED));
	/* Not to be taken back, nor said twice. */
	assert_true(after >= k->phase);
	assert_true(!has(p, RECOVER_WRITE) || p->phase != k->phase);
}

static void a_decision_is_never_taken_back_without_force(void **state)
{
	(void)state;
	for_all(judge_records);
}

static void judge_devices(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	(void)is_plan;
	if (k->devices == RECOVER_SILENT)
		assert_false(has(p, DEVICE_ACTIONS));
	if (has(p, RECOVER_LOAD)) {
		assert_true(k->spooled);
		assert_int_equal(k->role, WIRE_DESTINATION);
	}
	if (has(p, RECOVER_STOP))
		assert_true(k->devices == RECOVER_RUN || k->devices == RECOVER_HOLD);
	if (has(p, RECOVER_DISCARD))
		assert_true(k->role == WIRE_DESTINATION && k->devices != RECOVER_BLANK);
	if (k->role == WIRE_SOURCE)
		assert_false(has(p, RECOVER_DROP_SPOOL));
}

static void nothing_is_done_that_cannot_be(void **state)
{
	(void)state;
	for_all(judge_devices);
}

/* The last copy is not thrown away. */
static void judge_copies(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	(void)is_plan;
	if (!has(p, RECOVER_DISCARD | RECOVER_DROP_SPOOL))
		return;
	if (has(p, RECOVER_DROP_SPOOL))
		assert_true(phase_after(k, p) == WIRE_PHASE_DONE ||
			    phase_after(k, p) == WIRE_PHASE_ABORTED);
	if (has(p, RECOVER_DISCARD) && k->force != RECOVER_FORCE_DROP) {
		/* A part of it is no copy. */
		assert_true(!says_committed(k) || (k->phase == WIRE_PHASE_BEGUN && !k->spooled &&
						   k->devices == RECOVER_LOADING));
		assert_int_not_equal(k->phase, WIRE_PHASE_COMMITTED);
	}
	if (has(p, RECOVER_DROP_SPOOL) && !k->force)
		assert_true(k->phase != WIRE_PHASE_BEGUN || !says_committed(k));
	if (phase_after(k, p) == WIRE_PHASE_DONE)
		assert_true(has(p, RECOVER_START) || k->devices == RECOVER_RUN);
}

static void the_last_copy_is_kept(void **state)
{
	(void)state;
	for_all(judge_copies);
}

static void judge_told(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	enum wire_phase after = phase_after(k, p);
	bool open = k->other == RECOVER_OTHER_BEGUN || k->other == RECOVER_OTHER_PREPARED ||
		    k->other == RECOVER_OTHER_COMMITTED;
	bool decided = after == WIRE_PHASE_COMMITTED || after == WIRE_PHASE_DONE ||
		       after == WIRE_PHASE_ABORTED;

	assert_int_equal(has(p, RECOVER_TELL), is_plan && open && decided);
}

static void an_end_that_waits_is_told(void **state)
{
	(void)state;
	for_all(judge_told);
}

/* What is reported follows from what both records say then. */
static void judge_report(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	enum wire_phase after = phase_after(k, p);

	if (p->outcome == OUTCOME_ABORTED && k->force != RECOVER_FORCE_DROP)
		assert_true(is_plan && after == WIRE_PHASE_ABORTED && p->owner == OWNER_SOURCE);
	if (p->outcome == OUTCOME_COMPLETED)
		assert_true(is_plan && after == WIRE_PHASE_DONE);
	if (p->outcome == OUTCOME_COMPLETED && k->force != RECOVER_FORCE_DROP)
		assert_int_equal(p->owner, OWNER_DESTINATION);
	if (p->outcome == OUTCOME_ABORTED && k->role == WIRE_SOURCE)
		assert_true(k->devices == RECOVER_RUN || has(p, RECOVER_GIVE_BACK) ||
			    k->phase == WIRE_PHASE_ABORTED);
	/* One end was forced against the other: not called well. */
	if (k->phase == WIRE_PHASE_DONE && k->other == RECOVER_OTHER_ABORTED)
		assert_int_equal(p->outcome, OUTCOME_DEVICE_ERROR);
	if (k->phase == WIRE_PHASE_ABORTED && says_committed(k))
		assert_int_equal(p->outcome, OUTCOME_DEVICE_ERROR);
}

static void the_report_says_what_was_done(void **state)
{
	(void)state;
	for_all(judge_report);
}

static void judge_force(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	bool open = k->phase != WIRE_PHASE_DONE && k->phase != WIRE_PHASE_ABORTED;

	if (!k->force || !open)
		return;
	if (k->force == RECOVER_FORCE_DROP) {
		assert_true(is_plan);
		assert_int_equal(phase_after(k, p),
				 k->role == WIRE_SOURCE ? WIRE_PHASE_DONE : WIRE_PHASE_ABORTED);
		assert_false(has(p, RECOVER_START | RECOVER_LOAD | RECOVER_GIVE_BACK));
		if (k->devices == RECOVER_RUN)
			assert_true(has(p, RECOVER_STOP | RECOVER_DISCARD));
	}
	if (k->force == RECOVER_FORCE_RUN && k->devices == RECOVER_HOLD &&
	    k->phase != WIRE_PHASE_BEGUN)
		assert_true(has(p, RECOVER_START | RECOVER_GIVE_BACK));
	assert_true(p->outcome != OUTCOME_IN_DOUBT);
}

static void force_does_what_it_says(void **state)
{
	(void)state;
	for_all(judge_force);
}

/* The case that each line of the documentation speaks of. */
static void what_starts_is_what_was_received_unless_it_is_said_anew(void **state)
{
	(void)state;
	assert_false(recover_starts(RECOVER_START_AS_RECEIVED, false));
	assert_true(recover_starts(RECOVER_START_AS_RECEIVED, true));
	for (int run = 0; run < 2; run++) {
		assert_true(recover_starts(RECOVER_START_ALL, run));
		assert_false(recover_starts(RECOVER_START_NONE, run));
	}
}

static void what_the_page_says(void **state)
{
	static const struct {
		struct known k;
		unsigned int actions;
		enum wire_phase after;
		enum outcome outcome;
		enum owner owner;
	} rows[] = {
		/* clang-format off */
		{ { WIRE_SOURCE, WIRE_PHASE_BEGUN, RECOVER_HOLD, 0, RECOVER_OTHER_UNREACHABLE, 0 },
		  RECOVER_GIVE_BACK | RECOVER_FINISH, WIRE_PHASE_ABORTED,
		  OUTCOME_ABORTED, OWNER_SOURCE },
		{ { WIRE_SOURCE, WIRE_PHASE_BEGUN, RECOVER_HOLD, 0, RECOVER_OTHER_PREPARED, 0 },
		  RECOVER_GIVE_BACK | RECOVER_FINISH | RECOVER_TELL, WIRE_PHASE_ABORTED,
		  OUTCOME_ABORTED, OWNER_SOURCE },
		{ { WIRE_SOURCE, WIRE_PHASE_COMMITTED, RECOVER_HOLD, 0, RECOVER_OTHER_PREPARED, 0 },
		  RECOVER_STOP | RECOVER_TELL, WIRE_PHASE_COMMITTED,
		  OUTCOME_IN_DOUBT, OWNER_UNKNOWN },
		{ { WIRE_SOURCE, WIRE_PHASE_COMMITTED, RECOVER_BLANK, 0, RECOVER_OTHER_DONE, 0 },
		  RECOVER_FINISH, WIRE_PHASE_DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
		{ { WIRE_SOURCE, WIRE_PHASE_COMMITTED, RECOVER_HOLD, 0, RECOVER_OTHER_ABORTED, 0 },
		  RECOVER_STOP, WIRE_PHASE_COMMITTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },
		{ { WIRE_DESTINATION, WIRE_PHASE_BEGUN, RECOVER_LOADING, 0,
		    RECOVER_OTHER_UNREACHABLE, 0 },
		  RECOVER_DISCARD | RECOVER_FINISH | RECOVER_DROP_SPOOL, WIRE_PHASE_ABORTED,
		  OUTCOME_ABORTED, OWNER_SOURCE },
		{ { WIRE_DESTINATION, WIRE_PHASE_BEGUN, RECOVER_LOADING, 0, RECOVER_OTHER_DONE, 0 },
		  RECOVER_DISCARD | RECOVER_FINISH, WIRE_PHASE_ABORTED,
		  OUTCOME_DEVICE_ERROR, OWNER_NONE },
		{ { WIRE_DESTINATION, WIRE_PHASE_BEGUN, RECOVER_RUN, 0, RECOVER_OTHER_DONE, 0 },
		  RECOVER_FINISH, WIRE_PHASE_ABORTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },
		{ { WIRE_DESTINATION, WIRE_PHASE_BEGUN, RECOVER_HOLD, 0, RECOVER_OTHER_DONE, 0 },
		  0, WIRE_PHASE_BEGUN, OUTCOME_IN_DOUBT, OWNER_NONE },
		{ { WIRE_DESTINATION, WIRE_PHASE_BEGUN, RECOVER_LOADING, 1, RECOVER_OTHER_DONE, 0 },
		  0, WIRE_PHASE_BEGUN, OUTCOME_IN_DOUBT, OWNER_NONE },
		{ { WIRE_DESTINATION, WIRE_PHASE_PREPARED, RECOVER_BLANK, 1,
		    RECOVER_OTHER_COMMITTED, 0 },
		  RECOVER_WRITE | RECOVER_LOAD | RECOVER_START | RECOVER_FINISH |
			  RECOVER_DROP_SPOOL | RECOVER_TELL,
		  WIRE_PHASE_DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
		{ { WIRE_DESTINATION, WIRE_PHASE_PREPARED, RECOVER_HOLD, 0,
		    RECOVER_OTHER_UNREACHABLE, RECOVER_FORCE_RUN },
		  RECOVER_WRITE | RECOVER_START | RECOVER_FINISH | RECOVER_DROP_SPOOL,
		  WIRE_PHASE_DONE, OUTCOME_COMPLETED, OWNER_DESTINATION },
		{ { WIRE_DESTINATION, WIRE_PHASE_COMMITTED, RECOVER_BLANK, 0,
		    RECOVER_OTHER_COMMITTED, 0 },
		  RECOVER_TELL, WIRE_PHASE_COMMITTED, OUTCOME_DEVICE_ERROR, OWNER_NONE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct known *k = &rows[i].k;
		struct recover_plan p;

		assert_true(recover_plan(k->role, k->phase, k->devices, k->spooled, k->other,
					 k->force, &p));
		assert_int_equal(p.actions, rows[i].actions);
		assert_int_equal(phase_after(k, &p), rows[i].after);
		assert_int_equal(p.outcome, rows[i].outcome);
		assert_int_equal(p.owner, rows[i].owner);
	}
}

static void judge_asks(const struct known *k, const struct recover_plan *p, bool is_plan)
{
	(void)is_plan;
	if (k->devices != RECOVER_HOLD || k->spooled || k->force ||
	    k->other != RECOVER_OTHER_UNREACHABLE)
		return;
	assert_int_equal(recover_hint_asks(k->role, k->phase, NULL),
			 p->outcome == OUTCOME_IN_DOUBT);
	assert_false(recover_hint_asks(k->role, k->phase, "unix:a"));
}

/* A command that needs no answer is advised without an address, and only such a one. */
static void what_waits_for_a_word_is_told_to_ask(void **state)
{
	(void)state;
	for_all(judge_asks);
	assert_true(recover_hint_asks(WIRE_DESTINATION, WIRE_PHASE_BUSY, NULL));
}

/* Only what is over is for ever; and only where the other end says less now. */
static void what_was_over_stays_over(void **state)
{
	static const enum recover_other over[WIRE_NR_PHASES] = {
		[WIRE_PHASE_DONE] = RECOVER_OTHER_DONE,
		[WIRE_PHASE_ABORTED] = RECOVER_OTHER_ABORTED,
	};
	static const bool less[RECOVER_NR_OTHERS] = {
		[RECOVER_OTHER_NONE] = true,
		[RECOVER_OTHER_BUSY] = true,
		[RECOVER_OTHER_UNREACHABLE] = true,
	};

	(void)state;
	for (enum recover_other heard = 0; heard < RECOVER_NR_OTHERS; heard++)
		for (enum wire_phase told = 0; told < WIRE_NR_PHASES; told++)
			assert_int_equal(recover_recall(heard, told),
					 over[told] && less[heard] ? over[told] : heard);
}

static void of_two_words_the_first_is_noted(void **state)
{
	static const bool over[WIRE_NR_PHASES] = {
		[WIRE_PHASE_DONE] = true,
		[WIRE_PHASE_ABORTED] = true,
	};
	static const enum wire_phase notes[] = { WIRE_PHASE_NONE, WIRE_PHASE_DONE,
						 WIRE_PHASE_ABORTED };

	(void)state;
	for (enum wire_phase ours = 0; ours < WIRE_NR_PHASES; ours++)
		for (size_t i = 0; i < ARRAY_SIZE(notes); i++)
			for (enum wire_phase says = 0; says < WIRE_NR_PHASES; says++) {
				enum recover_note want = RECOVER_NOTE_NOTHING;

				if (over[says] && !over[ours] && notes[i] != says)
					want = i ? RECOVER_NOTE_CONTRARY : RECOVER_NOTE_IT;
				assert_int_equal(recover_note(ours, notes[i], says), want);
			}
}

static void what_another_process_works_on_is_done_by_its_word_alone(void **state)
{
	static const struct {
		enum outcome outcomes[2]; /* its record says so, and that process */
		enum owner owners[2];
	} wants[WIRE_NR_PHASES] = {
#define DOUBT { { OUTCOME_IN_DOUBT, OUTCOME_IN_DOUBT }, { OWNER_UNKNOWN, OWNER_UNKNOWN } }
		[WIRE_PHASE_NONE] = DOUBT,
		[WIRE_PHASE_BEGUN] = DOUBT,
		[WIRE_PHASE_PREPARED] = DOUBT,
		[WIRE_PHASE_BUSY] = DOUBT,
		[WIRE_PHASE_COMMITTED] = { { OUTCOME_IN_DOUBT, OUTCOME_COMPLETED },
					   { OWNER_UNKNOWN, OWNER_DESTINATION } },
		[WIRE_PHASE_DONE] = { { OUTCOME_COMPLETED, OUTCOME_COMPLETED },
				      { OWNER_DESTINATION, OWNER_DESTINATION } },
		[WIRE_PHASE_ABORTED] = { { OUTCOME_ABORTED, OUTCOME_ABORTED },
					 { OWNER_SOURCE, OWNER_SOURCE } },
	};

	(void)state;
	for (enum wire_phase phase = 0; phase < WIRE_NR_PHASES; phase++)
		for (int answered = 0; answered < 2; answered++) {
			struct recover_plan p;

			recover_plan_busy(phase, answered, &p);
			assert_int_equal(p.actions, 0);
			assert_int_equal(p.outcome, wants[phase].outcomes[answered]);
			assert_int_equal(p.owner, wants[phase].owners[answered]);
		}
}

static void what_is_over_is_not_taken_back(void **state)
{
	static const bool back[WIRE_NR_PHASES][RECOVER_NR_OTHERS] = {
		[WIRE_PHASE_DONE] = {
			[RECOVER_OTHER_BEGUN] = true,
			[RECOVER_OTHER_PREPARED] = true,
			[RECOVER_OTHER_ABORTED] = true,
		},
		[WIRE_PHASE_ABORTED] = {
			[RECOVER_OTHER_COMMITTED] = true,
			[RECOVER_OTHER_DONE] = true,
		},
	};

	(void)state;
	for (enum wire_phase told = 0; told < WIRE_NR_PHASES; told++)
		for (enum recover_other heard = 0; heard < RECOVER_NR_OTHERS; heard++) {
			assert_int_equal(recover_is_contrary(heard, told), back[told][heard]);
			/* What is remembered instead is not contrary by that. */
			assert_int_equal(recover_is_contrary(recover_recall(heard, told), told),
					 back[told][heard]);
		}
}

static void a_folder_is_one_word_of_a_shell(void **state)
{
	static const char *const rows[][2] = {
		{ "/var/lib/a-b_c.d", "/var/lib/a-b_c.d" },
		{ "/x/a b", "'/x/a b'" },
		{ "/x/$(a);`b`", "'/x/$(a);`b`'" },
		{ "/it's", "'/it'\\''s'" },
		{ "/\xc3\xa4", "'/\xc3\xa4'" },
		{ "", "''" },
		{ "/a\nb", "DIR" },
		{ "/a\x7f", "DIR" },
	};
	char buf[RECOVER_HINT_WORD_MAX], text[2 * RECOVER_HINT_WORD_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(recover_hint_word(buf, rows[i][0], "DIR"), rows[i][1]);
	/* Whole, or not at all. */
	for (size_t n = 0; n < sizeof(text); n++)
		for (int quote = 0; quote < 2; quote++) {
			memset(text, quote ? '\'' : 'a', n);
			text[n] = '\0';
			recover_hint_word(buf, text, "DIR");
			assert_true(strlen(buf) < sizeof(buf));
			if (strcmp(buf, "DIR"))
				assert_int_equal(strlen(buf),
						 quote || !n ? 4 * (n * quote) + 2 : n);
			else
				assert_true(n > RECOVER_HINT_WORD_MAX / 5);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_destination_starts_only_what_was_committed),
		cmocka_unit_test(the_source_runs_nothing_that_may_run_elsewhere),
		cmocka_unit_test(a_prepared_destination_without_a_word_waits),
		cmocka_unit_test(what_runs_at_a_destination_is_not_reset),
		cmocka_unit_test(a_prepared_destination_does_what_the_source_says),
		cmocka_unit_test(what_is_over_stays_so),
		cmocka_unit_test(a_decision_is_never_taken_back_without_force),
		cmocka_unit_test(nothing_is_done_that_cannot_be),
		cmocka_unit_test(the_last_copy_is_kept),
		cmocka_unit_test(an_end_that_waits_is_told),
		cmocka_unit_test(the_report_says_what_was_done),
		cmocka_unit_test(force_does_what_it_says),
		cmocka_unit_test(what_the_page_says),
		cmocka_unit_test(what_waits_for_a_word_is_told_to_ask),
		cmocka_unit_test(a_folder_is_one_word_of_a_shell),
		cmocka_unit_test(of_two_words_the_first_is_noted),
		cmocka_unit_test(what_is_over_is_not_taken_back),
		cmocka_unit_test(what_another_process_works_on_is_done_by_its_word_alone),
		cmocka_unit_test(what_was_over_stays_over),
		cmocka_unit_test(what_starts_is_what_was_received_unless_it_is_said_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
