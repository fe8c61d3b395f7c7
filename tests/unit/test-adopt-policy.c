// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/adopt-policy.h"

#define SAVE ADOPT_SAVE
#define LOAD ADOPT_LOAD
#define SET ADOPT_SET
#define RESET ADOPT_RESET

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
		const struct adopt_facts facts = {
			.purpose = rows[i].purpose,
			.state = rows[i].state,
			.saving = rows[i].saving,
			.loading = rows[i].loading,
			.frozen = rows[i].frozen,
		};

		print_message("# row %zu\n", i);
		assert_int_equal(adopt_judge(&facts), rows[i].want);
	}
}

static void a_device_in_use_is_set_and_reset_or_not(void **state)
{
	static const struct {
		enum adopt_purpose purpose;
		enum mig_state state;
		bool saving, loading, forced;
		enum adopt_verdict want;
	} rows[] = {
		/* clang-format off */
		{ SET,   MIG_RUNNING,      false, false, false, ADOPT_TELL },
		{ SET,   MIG_RUNNING,      false, false, true,  ADOPT_TAKE },
		{ SET,   MIG_STOP,         false, false, false, ADOPT_TAKE },
		/* Its owner, or its paused VMM, goes on with a blank device. */
		{ RESET, MIG_RUNNING,      false, false, false, ADOPT_USED },
		{ RESET, MIG_STOP,         false, false, false, ADOPT_USED },
		{ RESET, MIG_RUNNING,      false, false, true,  ADOPT_TAKE },
		{ RESET, MIG_STOP,         false, false, true,  ADOPT_TAKE },
		/* A session of any process, unless it is known to be left behind. */
		{ SET,   MIG_STOP_COPY,    false, false, false, ADOPT_OWNER_SAVES },
		{ SET,   MIG_PRE_COPY,     false, false, false, ADOPT_OWNER_SAVES },
		{ SET,   MIG_PRE_COPY_P2P, false, false, false, ADOPT_OWNER_SAVES },
		{ SET,   MIG_RESUMING,     false, false, false, ADOPT_OWNER_LOADS },
		{ SET,   MIG_RUNNING_P2P,  false, false, false, ADOPT_OWNER_MOVES },
		{ RESET, MIG_STOP_COPY,    false, false, false, ADOPT_OWNER_SAVES },
		{ RESET, MIG_PRE_COPY,     false, false, false, ADOPT_OWNER_SAVES },
		{ RESET, MIG_PRE_COPY_P2P, false, false, false, ADOPT_OWNER_SAVES },
		{ RESET, MIG_RESUMING,     false, false, false, ADOPT_OWNER_LOADS },
		{ RESET, MIG_RUNNING_P2P,  false, false, false, ADOPT_OWNER_MOVES },
		{ SET,   MIG_STOP_COPY,    false, false, true,  ADOPT_TAKE },
		{ SET,   MIG_RUNNING_P2P,  false, false, true,  ADOPT_TAKE },
		{ RESET, MIG_STOP_COPY,    false, false, true,  ADOPT_TAKE },
		{ RESET, MIG_RESUMING,     false, false, true,  ADOPT_TAKE },
		/* A stream that the owner has open is not left behind. */
		{ SET,   MIG_RUNNING,      true,  false, false, ADOPT_OWNER_READS },
		{ SET,   MIG_STOP,         false, true,  false, ADOPT_OWNER_WRITES },
		{ RESET, MIG_RUNNING,      true,  false, false, ADOPT_OWNER_READS },
		{ RESET, MIG_STOP,         false, true,  false, ADOPT_OWNER_WRITES },
		{ SET,   MIG_STOP_COPY,    true,  false, true,  ADOPT_OWNER_READS },
		{ RESET, MIG_STOP_COPY,    true,  false, true,  ADOPT_OWNER_READS },
		{ RESET, MIG_RESUMING,     false, true,  true,  ADOPT_OWNER_WRITES },
		/* ERROR is left by a reset only, and by that always. */
		{ SET,   MIG_ERROR,        false, false, false, ADOPT_BROKEN },
		{ SET,   MIG_ERROR,        false, false, true,  ADOPT_BROKEN },
		{ RESET, MIG_ERROR,        false, false, false, ADOPT_TAKE },
		{ RESET, MIG_ERROR,        true,  true,  false, ADOPT_TAKE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct adopt_facts facts = {
			.purpose = rows[i].purpose,
			.state = rows[i].state,
			.saving = rows[i].saving,
			.loading = rows[i].loading,
			.forced = rows[i].forced,
		};

		print_message("# row %zu\n", i);
		assert_int_equal(adopt_judge(&facts), rows[i].want);
	}
}

static void every_refusal_says_why_and_what_helps(void **state)
{
	const char *hint = NULL;

	(void)state;
	for (enum adopt_purpose p = 0; p < ADOPT_NR_PURPOSES; p++) {
		assert_null(adopt_reason(p, ADOPT_TAKE, &hint));
		assert_null(hint);
		assert_null(adopt_reason(p, ADOPT_TELL, &hint));
		assert_null(hint);
		for (int i = ADOPT_TELL + 1; i < ADOPT_NR_VERDICTS; i++) {
			assert_non_null(adopt_reason(p, (enum adopt_verdict)i, &hint));
			assert_non_null(hint);
		}
	}
	/* What may be forced says so. */
	assert_non_null(adopt_reason(ADOPT_SET, ADOPT_OWNER_SAVES, &hint));
	assert_non_null(strstr(hint, "--force"));
	assert_non_null(adopt_reason(ADOPT_SAVE, ADOPT_OWNER_SAVES, &hint));
	assert_null(strstr(hint, "--force"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_in_use_is_taken_or_left),
		cmocka_unit_test(a_device_in_use_is_set_and_reset_or_not),
		cmocka_unit_test(every_refusal_says_why_and_what_helps),
	};

	return cmocka_run_group_tests_name("adopt-policy", tests, NULL, NULL);
}
