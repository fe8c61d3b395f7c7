// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/load-start.h"

static void a_device_runs_when_its_user_is_ready_for_it(void **state)
{
	static const struct {
		struct load_start_facts facts;
		bool ready;
	} rows[] = {
		/* clang-format off */
		/*  lacks DMA, owned, frozen */
		{ { false, false, false }, true },
		{ { false, true,  true },  true },
		{ { false, true,  false }, false },
		{ { true,  false, false }, false },
		{ { true,  true,  true },  false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (load_start_ready(&rows[i].facts) != rows[i].ready)
			fail_msg("row %zu", i);
}

static void what_is_asked_for_goes_before_what_is_known(void **state)
{
	(void)state;
	assert_false(load_start_any(LOAD_STARTS_NONE, NULL, 0, true));
	assert_true(load_start_any(LOAD_STARTS_ALL, NULL, 0, false));
	assert_true(load_start_any(LOAD_STARTS_READY, NULL, 0, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_device_runs_when_its_user_is_ready_for_it),
		cmocka_unit_test(what_is_asked_for_goes_before_what_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
