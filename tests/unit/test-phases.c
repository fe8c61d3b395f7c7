// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/phases.h"
#include "fsm/fsm.h"

#define BASE MIG_CAP_STOP_COPY
#define P2P (BASE | MIG_CAP_P2P)
#define PRE (BASE | MIG_CAP_PRE_COPY)
#define FULL (P2P | MIG_CAP_PRE_COPY)

/* Where each phase of a save leaves a device that was found there. */
static void a_save_walks_all_alike(void **state)
{
	static const struct {
		phase_next_fn *next;
		unsigned int caps;
		bool precopy;
		enum mig_state found, pre_copy, quiesce, stop, stop_copy, p2p;
	} rows[] = {
		/* clang-format off */
		{ fsm_next, FULL, true, MIG_RUNNING, MIG_PRE_COPY, MIG_PRE_COPY_P2P, MIG_STOP_COPY,
		  MIG_STOP_COPY, MIG_RUNNING_P2P },
		{ fsm_next, FULL, false, MIG_RUNNING, MIG_RUNNING, MIG_RUNNING_P2P, MIG_STOP,
		  MIG_STOP_COPY, MIG_RUNNING_P2P },
		{ fsm_next, P2P, true, MIG_RUNNING, MIG_RUNNING, MIG_RUNNING_P2P, MIG_STOP,
		  MIG_STOP_COPY, MIG_RUNNING_P2P },
		{ fsm_next, PRE, true, MIG_RUNNING, MIG_PRE_COPY, MIG_PRE_COPY, MIG_STOP_COPY,
		  MIG_STOP_COPY, MIG_STOP },
		{ fsm_next, BASE, true, MIG_RUNNING, MIG_RUNNING, MIG_RUNNING, MIG_STOP,
		  MIG_STOP_COPY, MIG_STOP },
		{ fsm_next, FULL, true, MIG_RUNNING_P2P, MIG_PRE_COPY_P2P, MIG_PRE_COPY_P2P,
		  MIG_STOP_COPY, MIG_STOP_COPY, MIG_RUNNING_P2P },
		{ fsm_next, FULL, true, MIG_STOP, MIG_STOP, MIG_STOP, MIG_STOP, MIG_STOP_COPY,
		  MIG_STOP },
		{ fsm_v1_next, PRE, true, MIG_RUNNING, MIG_PRE_COPY, MIG_PRE_COPY, MIG_STOP_COPY,
		  MIG_STOP_COPY, MIG_STOP },
		{ fsm_v1_next, BASE, false, MIG_RUNNING, MIG_RUNNING, MIG_RUNNING, MIG_STOP_COPY,
		  MIG_STOP_COPY, MIG_STOP },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const enum mig_state want[] = { rows[i].found, rows[i].pre_copy,  rows[i].quiesce,
						rows[i].stop,  rows[i].stop_copy, rows[i].p2p,
						rows[i].found };
		static const enum phase phases[] = { PHASE_SETTLE, PHASE_PRE_COPY,  PHASE_QUIESCE,
						     PHASE_STOP,   PHASE_STOP_COPY, PHASE_START_P2P,
						     PHASE_START };
		struct phase_place p = {
			.next = rows[i].next,
			.caps = rows[i].caps,
			.state = rows[i].found,
			.want = rows[i].found,
			.toward = MIG_STOP_COPY,
			.precopy = rows[i].precopy,
		};

		for (size_t j = 0; j < ARRAY_SIZE(phases); j++) {
			print_message("# row %zu: %s\n", i, phase_name(phases[j]));
			p.state = phase_target(phases[j], &p);
			assert_int_equal(p.state, want[j]);
		}
	}
}

static void a_load_stops_before_it_starts(void **state)
{
	static const struct {
		unsigned int caps;
		enum mig_state want, p2p;
	} rows[] = {
		{ FULL, MIG_RUNNING, MIG_RUNNING_P2P },
		{ BASE, MIG_RUNNING, MIG_STOP },
		{ FULL, MIG_STOP, MIG_STOP },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct phase_place p = { .next = fsm_next,
					 .caps = rows[i].caps,
					 .state = MIG_RUNNING,
					 .want = rows[i].want,
					 .toward = MIG_RESUMING };

		p.state = phase_target(PHASE_QUIESCE, &p);
		assert_int_equal(p.state, rows[i].caps == FULL ? MIG_RUNNING_P2P : MIG_RUNNING);
		p.state = phase_target(PHASE_STOP, &p);
		assert_int_equal(p.state, MIG_STOP);
		p.state = phase_target(PHASE_LOAD, &p);
		assert_int_equal(p.state, MIG_RESUMING);
		p.state = phase_target(PHASE_JUDGE, &p);
		assert_int_equal(p.state, MIG_STOP);
		p.state = phase_target(PHASE_START_P2P, &p);
		assert_int_equal(p.state, rows[i].p2p);
		p.state = phase_target(PHASE_START, &p);
		assert_int_equal(p.state, rows[i].want);
	}
}

/*
 * The uAPI's rule, for every mixture of two devices: when one has stopped, or runs in full again,
 * no barrier is behind it that the other has not passed as well.
 */
static void nothing_stops_beside_one_that_may_ask_it(void **state)
{
	static const enum phase phases[] = { PHASE_SETTLE, PHASE_PRE_COPY, PHASE_QUIESCE,
					     PHASE_STOP, PHASE_STOP_COPY };

	(void)state;
	for (unsigned int mix = 0; mix < 4; mix++) {
		struct phase_place p[2] = {
			{ fsm_next, mix & 1 ? FULL : P2P, MIG_RUNNING, MIG_RUNNING, MIG_STOP_COPY,
			  true },
			{ fsm_next, mix & 2 ? FULL : P2P, MIG_RUNNING, MIG_RUNNING, MIG_STOP_COPY,
			  true },
		};

		for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
			enum mig_state before[2] = { p[0].state, p[1].state };

			for (int d = 0; d < 2; d++)
				p[d].state = phase_target(phases[i], &p[d]);
			for (int d = 0; d < 2; d++)
				if (!fsm_runs(p[d].state))
					assert_true(before[!d] != MIG_RUNNING &&
						    before[!d] != MIG_PRE_COPY);
		}
	}
}

static void names_go_both_ways(void **state)
{
	enum phase phase;

	(void)state;
	for (unsigned int i = 0; i < PHASE_NR; i++) {
		assert_true(phase_parse(phase_name((enum phase)i), &phase));
		assert_int_equal(phase, i);
	}
	assert_false(phase_parse("", &phase));
	assert_string_equal(phase_name(PHASE_NR), "unknown");
	for (unsigned int i = 0; i < PHASE_NR; i++)
		assert_int_equal(phase_unwind((enum phase)i),
				 i < PHASE_LOAD ? PHASE_UNWIND_FOUND : PHASE_UNWIND_HANDOVER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_save_walks_all_alike),
		cmocka_unit_test(a_load_stops_before_it_starts),
		cmocka_unit_test(nothing_stops_beside_one_that_may_ask_it),
		cmocka_unit_test(names_go_both_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
