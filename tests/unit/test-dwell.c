// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/dwell.h"
#include "engine/until.h"

static void each_state_gets_its_time(void **state)
{
	static const struct {
		uint64_t at_ns;
		enum mig_state state;
		enum dwell_seen seen;
		struct dwell_change change;
	} looks[] = {
		/* clang-format off */
		{ 100, MIG_RUNNING,      DWELL_CHANGED, { 0 } },
		{ 110, MIG_RUNNING,      DWELL_SAME,    { 0 } },
		{ 150, MIG_PRE_COPY,     DWELL_CHANGED, { true, MIG_RUNNING, 50, false, 0 } },
		{ 160, MIG_PRE_COPY_P2P, DWELL_CHANGED, { true, MIG_PRE_COPY, 10, false, 0 } },
		{ 170, MIG_STOP_COPY,    DWELL_CHANGED, { true, MIG_PRE_COPY_P2P, 10, false, 0 } },
		{ 470, MIG_STOP,         DWELL_CHANGED, { true, MIG_STOP_COPY, 300, false, 0 } },
		{ 480, MIG_RUNNING_P2P,  DWELL_CHANGED, { true, MIG_STOP, 10, false, 0 } },
		{ 500, MIG_RUNNING,      DWELL_CHANGED, { true, MIG_RUNNING_P2P, 20, true, 340 } },
		{ 600, MIG_STOP,         DWELL_CHANGED, { true, MIG_RUNNING, 100, false, 0 } },
		{ 605, MIG_RUNNING,      DWELL_CHANGED, { true, MIG_STOP, 5, true, 5 } },
		/* clang-format on */
	};
	struct dwell d = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		struct dwell_change change = { 0 };

		assert_int_equal(dwell_look(&d, looks[i].state, looks[i].at_ns, &change),
				 looks[i].seen);
		assert_int_equal(change.had, looks[i].change.had);
		assert_int_equal(change.ns, looks[i].change.ns);
		if (change.had)
			assert_int_equal(change.from, looks[i].change.from);
		assert_int_equal(change.up, looks[i].change.up);
		assert_int_equal(change.down_ns, looks[i].change.down_ns);
	}
	assert_int_equal(d.downtime_ns, 345);
	assert_int_equal(d.total_ns[MIG_RUNNING], 150);
	assert_int_equal(d.visits[MIG_STOP], 2);
	assert_int_equal(d.longest_gap_ns, 300);
	assert_int_equal(d.looks, ARRAY_SIZE(looks));
}

static void device_that_is_first_seen_stopped_has_no_downtime(void **state)
{
	struct dwell_change change;
	struct dwell d = { 0 };

	(void)state;
	dwell_look(&d, MIG_STOP, 10, &change);
	dwell_look(&d, MIG_RUNNING, 20, &change);
	assert_false(change.up);
	assert_int_equal(d.downtime_ns, 0);
}

static void downtime_ends_with_the_state_that_is_lost(void **state)
{
	struct dwell_change change;
	struct dwell d = { 0 };

	(void)state;
	assert_int_equal(dwell_lose(&d, 5, &change), DWELL_SAME);
	dwell_look(&d, MIG_RUNNING, 10, &change);
	dwell_look(&d, MIG_STOP, 20, &change);
	assert_int_equal(dwell_lose(&d, 50, &change), DWELL_CHANGED);
	assert_true(change.had);
	assert_int_equal(change.from, MIG_STOP);
	assert_int_equal(change.ns, 30);
	assert_int_equal(dwell_lose(&d, 60, &change), DWELL_SAME);
	assert_int_equal(dwell_look(&d, MIG_RUNNING, 90, &change), DWELL_CHANGED);
	assert_false(change.had);
	assert_false(change.up);
	assert_int_equal(d.downtime_ns, 0);
	/* Between the two looks it was not looked at, since there was nothing. */
	assert_int_equal(d.longest_gap_ns, 10);
}

static void until_has_three_forms(void **state)
{
	static const struct {
		const char *text;
		bool ok;
		enum until_kind kind;
		const char *device;
		enum mig_state state;
	} rows[] = {
		{ "bound", true, UNTIL_BOUND, "", MIG_ERROR },
		{ "gone", true, UNTIL_GONE, "", MIG_ERROR },
		{ "0000:3b:00.1 stop-copy", true, UNTIL_STATE, "0000:3b:00.1", MIG_STOP_COPY },
		{ "vfio0 error", true, UNTIL_STATE, "vfio0", MIG_ERROR },
		{ "", false, UNTIL_NONE, "", MIG_ERROR },
		{ " stop", false, UNTIL_NONE, "", MIG_ERROR },
		{ "vfio0", false, UNTIL_NONE, "", MIG_ERROR },
		{ "vfio0 ", false, UNTIL_NONE, "", MIG_ERROR },
		{ "vfio0 nosuch", false, UNTIL_NONE, "", MIG_ERROR },
		{ "vfio0  stop", false, UNTIL_NONE, "", MIG_ERROR },
		{ "0123456789012345678901234567890123456789012345678901234567890123 stop", false,
		  UNTIL_NONE, "", MIG_ERROR },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct until u;

		assert_int_equal(until_parse(rows[i].text, &u), rows[i].ok);
		if (!rows[i].ok)
			continue;
		assert_int_equal(u.kind, rows[i].kind);
		assert_string_equal(u.device, rows[i].device);
		if (u.kind == UNTIL_STATE)
			assert_int_equal(u.state, rows[i].state);
	}
}

#define IN(where)                             \
	{                                     \
		.presence = PRESENCE_##where, \
	}

static void until_is_met_by_all_or_by_the_one(void **state)
{
	static const struct {
		struct until until;
		struct until_fact facts[2];
		size_t n, which;
		bool met;
	} rows[] = {
		{ { .kind = UNTIL_NONE }, { IN(VFIO) }, 1, 0, false },
		{ { .kind = UNTIL_BOUND }, { IN(GONE) }, 0, 0, false },
		{ { .kind = UNTIL_BOUND }, { IN(VFIO) }, 1, 0, true },
		{ { .kind = UNTIL_BOUND }, { IN(VFIO), IN(DRIVER) }, 2, 0, false },
		{ { .kind = UNTIL_GONE }, { IN(GONE), IN(GONE) }, 2, 0, true },
		{ { .kind = UNTIL_GONE }, { IN(GONE), IN(FREE) }, 2, 0, false },
		{ { .kind = UNTIL_STATE, .state = MIG_STOP },
		  { { PRESENCE_VFIO, true, MIG_RUNNING }, { PRESENCE_VFIO, true, MIG_STOP } },
		  2,
		  1,
		  true },
		{ { .kind = UNTIL_STATE, .state = MIG_STOP },
		  { { PRESENCE_VFIO, true, MIG_STOP }, { PRESENCE_VFIO, true, MIG_RUNNING } },
		  2,
		  1,
		  false },
		/* ERROR is 0, and what is not known is not in it. */
		{ { .kind = UNTIL_STATE, .state = MIG_ERROR },
		  { { PRESENCE_VFIO, false, MIG_ERROR } },
		  1,
		  0,
		  false },
		{ { .kind = UNTIL_STATE, .state = MIG_ERROR },
		  { { PRESENCE_VFIO, true, MIG_ERROR } },
		  1,
		  0,
		  true },
		{ { .kind = UNTIL_STATE, .state = MIG_STOP }, { IN(GONE) }, 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(until_met(&rows[i].until, rows[i].facts, rows[i].n, rows[i].which),
				 rows[i].met);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_state_gets_its_time),
		cmocka_unit_test(device_that_is_first_seen_stopped_has_no_downtime),
		cmocka_unit_test(downtime_ends_with_the_state_that_is_lost),
		cmocka_unit_test(until_has_three_forms),
		cmocka_unit_test(until_is_met_by_all_or_by_the_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
