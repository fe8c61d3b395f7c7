// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/load-threads.h"

static void frames_are_handed_over_where_cpus_are_left(void **state)
{
	static const struct {
		struct load_threads_facts facts;
		enum pipeline_threads want;
	} rows[] = {
		/* clang-format off */
		{ { .devices = 1, .cpus = 2 },                                     PIPELINE_AUTO },
		{ { .devices = 1, .carried = true, .cpus = 1 },                    PIPELINE_NEVER },
		{ { .devices = 1, .carried = true, .cpus = 2 },                    PIPELINE_NEVER },
		{ { .devices = 1, .carried = true, .cpus = 3 },                    PIPELINE_AUTO },
		{ { .devices = 1, .carried = true, .served = true, .cpus = 2 },    PIPELINE_AUTO },
		{ { .devices = 2, .carried = true, .cpus = 2 },                    PIPELINE_AUTO },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(load_threads(&rows[i].facts), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_handed_over_where_cpus_are_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
