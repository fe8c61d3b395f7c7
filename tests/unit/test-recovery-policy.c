// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "device/recovery-policy.h"

static const char *const places[MIG_NR_PLACES] = {
	[MIG_PLACE_UNKNOWN] = "unknown", [MIG_PLACE_WANTED] = "wanted",
	[MIG_PLACE_ERROR] = "error",	 [MIG_PLACE_RESUMING] = "resuming",
	[MIG_PLACE_OTHER] = "other",	 [MIG_PLACE_MOVED] = "moved",
};

/* Each row as a word a place, in the order of the enum: the table, written a second time. */
static void each_place_has_its_step(void **state)
{
	static const char steps[MIG_NR_HOLDS][MIG_NR_PLACES + 1] = {
		/* clang-format off */
		/* unknown, wanted, error, resuming, other, moved: Leave, Done, Reset, Walk */
		[MIG_HOLDS_OWN]      = "LDRLWL",
		[MIG_HOLDS_GIVEN_UP] = "RRRRRR",
		[MIG_HOLDS_ACCEPTED] = "LDLLWL",
		[MIG_HOLDS_NOTHING]  = "LDLLWL",
		/* clang-format on */
	};
	static const char letters[] = {
		[MIG_STEP_DONE] = 'D',
		[MIG_STEP_WALK] = 'W',
		[MIG_STEP_RESET] = 'R',
		[MIG_STEP_LEAVE] = 'L',
	};

	(void)state;
	for (unsigned int h = 0; h < MIG_NR_HOLDS; h++)
		for (unsigned int p = 0; p < MIG_NR_PLACES; p++) {
			enum mig_step s = mig_next_step((enum mig_holds)h, (enum mig_place)p);

			if (letters[s] != steps[h][p])
				fail_msg("holds %u, %s: %c", h, places[p], letters[s]);
		}
}

/* The rule, in words: only from ERROR, or to drop a load that is given up. */
static void a_reset_destroys_nothing_that_is_not_lost_or_given_up(void **state)
{
	(void)state;
	for (unsigned int h = 0; h < MIG_NR_HOLDS; h++)
		for (unsigned int p = 0; p < MIG_NR_PLACES; p++) {
			if (mig_next_step((enum mig_holds)h, (enum mig_place)p) != MIG_STEP_RESET)
				continue;
			assert_true(h == MIG_HOLDS_GIVEN_UP ||
				    (h == MIG_HOLDS_OWN && p == MIG_PLACE_ERROR));
		}
}

/* The kernel WARNs at a SET in ERROR, and RESUMING -> STOP would end a load that is cut off. */
static void nothing_is_walked_out_of_error_or_resuming(void **state)
{
	(void)state;
	for (unsigned int h = 0; h < MIG_NR_HOLDS; h++) {
		assert_int_not_equal(mig_next_step((enum mig_holds)h, MIG_PLACE_ERROR),
				     MIG_STEP_WALK);
		assert_int_not_equal(mig_next_step((enum mig_holds)h, MIG_PLACE_RESUMING),
				     MIG_STEP_WALK);
	}
}

static void what_was_reset_is_never_said_to_have_its_state(void **state)
{
	(void)state;
	for (unsigned int p = 0; p < MIG_NR_PLACES; p++) {
		enum mig_fate fate = mig_fate_of((enum mig_place)p, true);

		assert_int_not_equal(fate, MIG_FATE_BACK);
		assert_int_not_equal(fate, MIG_FATE_HOLDS);
	}
	assert_int_equal(mig_fate_of(MIG_PLACE_WANTED, true), MIG_FATE_BLANK);
	assert_int_equal(mig_fate_of(MIG_PLACE_WANTED, false), MIG_FATE_BACK);
	assert_int_equal(mig_fate_of(MIG_PLACE_OTHER, false), MIG_FATE_HOLDS);
	assert_int_equal(mig_fate_of(MIG_PLACE_MOVED, false), MIG_FATE_BACK);
	assert_int_equal(mig_fate_of(MIG_PLACE_ERROR, false), MIG_FATE_LOST);
	assert_int_equal(mig_fate_of(MIG_PLACE_UNKNOWN, false), MIG_FATE_UNKNOWN);
}

/* What another process does with its own device is not undone, but for a load of ours. */
static void what_an_owner_has_moved_is_left_there(void **state)
{
	(void)state;
	for (unsigned int h = 0; h < MIG_NR_HOLDS; h++)
		assert_int_equal(mig_next_step((enum mig_holds)h, MIG_PLACE_MOVED),
				 h == MIG_HOLDS_GIVEN_UP ? MIG_STEP_RESET : MIG_STEP_LEAVE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_place_has_its_step),
		cmocka_unit_test(a_reset_destroys_nothing_that_is_not_lost_or_given_up),
		cmocka_unit_test(nothing_is_walked_out_of_error_or_resuming),
		cmocka_unit_test(what_an_owner_has_moved_is_left_there),
		cmocka_unit_test(what_was_reset_is_never_said_to_have_its_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
