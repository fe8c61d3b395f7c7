// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/adopt-policy.h"

#define SAVE ADOPT_SAVE
#define LOAD ADOPT_LOAD

static void a_device_in_use_is_taken_or_left(void **state)
{
	static const struct {
		enum adopt_purpose purpose;
		enum mig_state state;
		bool saving, loading, frozen;
		enum adopt_verdict want;
	} rows[] = {
		/* clang-format off */
		/* Running, or stopped by a VMM that is paused. */
		{ SAVE, MIG_RUNNING,      false, false, false, ADOPT_TAKE },
		{ SAVE, MIG_RUNNING,      false, false, true,  ADOPT_TAKE },
		{ SAVE, MIG_STOP,         false, false, false, ADOPT_TAKE },
		{ LOAD, MIG_STOP,         false, false, false, ADOPT_TAKE },
		{ LOAD, MIG_STOP,         false, false, true,  ADOPT_TAKE },
		/* Its state would change under an owner that runs. */
		{ LOAD, MIG_RUNNING,      false, false, false, ADOPT_RUNS },
		{ LOAD, MIG_RUNNING,      false, false, true,  ADOPT_TAKE },
		/* Sessions of the owner's, frozen or not. */
		{ SAVE, MIG_STOP_COPY,    false, false, false, ADOPT_OWNER_SAVES },
		{ SAVE, MIG_STOP_COPY,    true,  false, true,  ADOPT_OWNER_SAVES },
		{ SAVE, MIG_PRE_COPY,     true,  false, false, ADOPT_OWNER_SAVES },
		{ SAVE, MIG_PRE_COPY_P2P, true,  false, false, ADOPT_OWNER_SAVES },
		{ SAVE, MIG_RESUMING,     false, true,  false, ADOPT_OWNER_LOADS },
		{ SAVE, MIG_RUNNING_P2P,  false, false, false, ADOPT_OWNER_MOVES },
		{ LOAD, MIG_STOP_COPY,    false, false, false, ADOPT_OWNER_SAVES },
		{ LOAD, MIG_PRE_COPY,     false, false, true,  ADOPT_OWNER_SAVES },
		{ LOAD, MIG_PRE_COPY_P2P, false, false, true,  ADOPT_OWNER_SAVES },
		{ LOAD, MIG_RESUMING,     false, false, true,  ADOPT_OWNER_LOADS },
		{ LOAD, MIG_RUNNING_P2P,  false, false, true,  ADOPT_OWNER_MOVES },
		/* A stream outlives its session until the owner closes it: it is not done yet. */
		{ SAVE, MIG_RUNNING,      true,  false, false, ADOPT_OWNER_READS },
		{ SAVE, MIG_STOP,         true,  false, true,  ADOPT_OWNER_READS },
		{ LOAD, MIG_STOP,         true,  false, false, ADOPT_OWNER_READS },
		{ SAVE, MIG_STOP,         false, true,  false, ADOPT_OWNER_WRITES },
		{ SAVE, MIG_RUNNING,      true,  true,  false, ADOPT_OWNER_WRITES },
		{ LOAD, MIG_STOP,         false, true,  false, ADOPT_OWNER_WRITES },
		{ LOAD, MIG_RUNNING,      false, true,  true,  ADOPT_OWNER_WRITES },
		{ LOAD, MIG_RUNNING,      true,  false, true,  ADOPT_OWNER_READS },
		/* Nothing to save, and only its owner knows what it was about. */
		{ SAVE, MIG_ERROR,        false, false, false, ADOPT_BROKEN },
		{ LOAD, MIG_ERROR,        false, false, true,  ADOPT_BROKEN },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct adopt_facts facts = { rows[i].purpose, rows[i].state, rows[i].saving,
						   rows[i].loading, rows[i].frozen };

		print_message("# row %zu\n", i);
		assert_int_equal(adopt_judge(&facts), rows[i].want);
	}
}

static void every_refusal_says_why_and_what_helps(void **state)
{
	const char *hint = NULL;

	(void)state;
	assert_null(adopt_reason(ADOPT_TAKE, &hint));
	assert_null(hint);
	for (int i = ADOPT_TAKE + 1; i < ADOPT_NR_VERDICTS; i++) {
		assert_non_null(adopt_reason((enum adopt_verdict)i, &hint));
		assert_non_null(hint);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_in_use_is_taken_or_left),
		cmocka_unit_test(every_refusal_says_why_and_what_helps),
	};

	return cmocka_run_group_tests_name("adopt-policy", tests, NULL, NULL);
}
