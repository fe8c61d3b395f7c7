// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/limiter.h"

#define MIB ((uint64_t)1 << 20)

static void without_a_rate_nothing_waits(void **state)
{
	struct limiter l = { 0 };

	(void)state;
	assert_int_equal(limiter_due(&l, UINT64_MAX, 0), 0);
	assert_int_equal(limiter_wait(&l, UINT64_MAX, NULL, NULL), 0);
}

static void on_average_it_is_the_rate(void **state)
{
	struct limiter l = { .rate = 10 * MIB };
	uint64_t now = 12345;

	(void)state;
	for (int i = 0; i < 1000; i++)
		now += limiter_due(&l, MIB, now);
	assert_in_range(now - 12345, 99 * NSEC_PER_SEC, 101 * NSEC_PER_SEC);
}

/* However the bytes are divided; a caller that does not wait at once waits longer later. */
static void what_was_let_through_is_owed(void **state)
{
	struct limiter l = { .rate = MIB };

	(void)state;
	assert_int_equal(limiter_due(&l, MIB, 0), NSEC_PER_SEC);
	assert_int_equal(limiter_due(&l, MIB / 2, 0), NSEC_PER_SEC * 3 / 2);
	assert_int_equal(limiter_due(&l, 0, NSEC_PER_SEC), NSEC_PER_SEC / 2);
}

static void a_pause_is_not_made_up_for(void **state)
{
	struct limiter l = { .rate = MIB };

	(void)state;
	assert_int_equal(limiter_due(&l, MIB, 0), NSEC_PER_SEC);
	assert_int_equal(limiter_due(&l, MIB, 3600 * NSEC_PER_SEC), NSEC_PER_SEC);
}

static void to_wait_can_be_cancelled(void **state)
{
	struct limiter l = { .rate = 1 };
	struct cancel cancel;

	(void)state;
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	assert_true(cancel_request(&cancel));
	assert_int_equal(limiter_wait(&l, UINT32_MAX, &cancel, NULL), -ECANCELED);
	cancel_done(&cancel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_rate_nothing_waits),
		cmocka_unit_test(on_average_it_is_the_rate),
		cmocka_unit_test(what_was_let_through_is_owed),
		cmocka_unit_test(a_pause_is_not_made_up_for),
		cmocka_unit_test(to_wait_can_be_cancelled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
