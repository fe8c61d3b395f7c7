// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/timeline.h"

/*
 * A path, one letter a state as in: R running, r running-p2p, S stop, C stop-copy, L resuming,
 * P pre-copy, p pre-copy-p2p; "!" after an arc that failed, its device staying where it was. The
 * n-th arc (from 0) starts at 1000 * (n + 1) and takes 100.
 */
static void play(struct timeline *t, const char *path)
{
	static const char letters[] = "ESRCLrPp";
	unsigned int n = 0;

	memset(t, 0, sizeof(*t));
	for (const char *p = path; p[0] && p[1]; p++) {
		struct mig_arc arc = { .start_ns = 1000 * (n + 1), .ns = 100 };

		if (*p == ' ')
			continue; /* what follows begins elsewhere: a reset came between */
		if (p[1] == ' ')
			continue;
		arc.from = (enum mig_state)(strchr(letters, p[0]) - letters);
		arc.to = (enum mig_state)(strchr(letters, p[1]) - letters);
		if (p[2] == '!') {
			arc.result = -EIO;
			p += 2; /* a failed arc is the last of its walk */
		}
		timeline_add(t, &arc);
		n++;
	}
}

static void downtime_is_from_the_first_arc_out_to_the_last_arc_back(void **state)
{
	static const struct {
		const char *path;
		uint64_t ns;
		bool open;
	} rows[] = {
		/* clang-format off */
		{ "",           0,    false },
		{ "RP",         0,    false },
		{ "RPRPR",      0,    false },
		{ "SC",         0,    false }, /* it was down already */
		{ "SCS",        0,    false },
		{ "SrR",        0,    false },
		{ "RS",         100,  true },
		{ "RSR",        1100, false },
		{ "Rr",         100,  true },  /* quiescent is down */
		{ "RrR",        1100, false },
		{ "RrSCSrR",    5100, false },
		{ "RrSCS",      3100, true },
		{ "RPpCSrR",    4100, false }, /* pre-copy is not */
		{ "RPCSR",      2100 + 0, false },
		{ "RrSL",       2100, true },
		{ "RrSLSrR",    5100, false },
		{ "SrRrS",      1100, true },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct timeline t;
		uint64_t ns;
		bool open;

		play(&t, rows[i].path);
		ns = timeline_downtime(&t, &open);
		if (ns != rows[i].ns || open != rows[i].open)
			fail_msg("%s: %llu, %s, not %llu", rows[i].path, (unsigned long long)ns,
				 open ? "open" : "closed", (unsigned long long)rows[i].ns);
	}
}

/* A turn back to pre-copy (REINIT) runs the device in full for as long as it takes. */
static void time_in_which_it_ran_is_not_downtime(void **state)
{
	struct timeline t;
	bool open;

	(void)state;
	play(&t, "RPpPpCSrR"); /* out at 2000, back at 3100; out at 4000, back at 8100 */
	assert_int_equal(timeline_downtime(&t, &open), 1100 + 4100);
	assert_false(open);
	play(&t, "RrRP"); /* out at 1000, back at 2100 */
	assert_int_equal(timeline_downtime(&t, &open), 1100);
	assert_false(open);
}

static void an_arc_that_failed_brings_nothing_back(void **state)
{
	struct timeline t;
	bool open;

	(void)state;
	play(&t, "RrSR!");
	assert_int_equal(timeline_downtime(&t, &open), 2100);
	assert_true(open);
	play(&t, "RrS!rR"); /* the walk fails, and the way back from there works */
	assert_int_equal(timeline_downtime(&t, &open), 2100);
	assert_false(open);
}

static void what_fails_the_same_way_again_is_one(void **state)
{
	const struct mig_arc arcs[] = {
		{ MIG_RUNNING, MIG_STOP, 1000, 10, -EBUSY },
		{ MIG_RUNNING, MIG_STOP, 2000, 10, -EBUSY },
		{ MIG_RUNNING, MIG_STOP, 3000, 10, -EBUSY },
		{ MIG_RUNNING, MIG_STOP, 4000, 10, -EIO },
		{ MIG_RUNNING, MIG_STOP, 5000, 10, 0 },
		{ MIG_RUNNING, MIG_STOP, 6000, 10, 0 },
	};
	struct timeline t = { .n = 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(arcs) / sizeof(arcs[0]); i++)
		timeline_add(&t, &arcs[i]);
	assert_int_equal(t.n, 4);
	assert_int_equal(t.tries[0], 3);
	assert_int_equal(t.arcs[0].start_ns, 1000);
	assert_int_equal(t.arcs[0].ns, 2010);
	for (int i = 1; i < 4; i++)
		assert_int_equal(t.tries[i], 1);
}

static void what_finds_no_room_is_counted(void **state)
{
	const struct mig_arc arc = { MIG_RUNNING, MIG_STOP, 1, 1, 0 };
	struct timeline t = { .n = 0 };
	bool open;

	(void)state;
	for (unsigned int i = 0; i < TIMELINE_MAX + 7; i++)
		timeline_add(&t, &arc);
	assert_int_equal(t.n, TIMELINE_MAX);
	assert_int_equal(t.lost, 7);
	assert_int_equal(timeline_downtime(&t, &open), 1);
	assert_true(open);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(downtime_is_from_the_first_arc_out_to_the_last_arc_back),
		cmocka_unit_test(time_in_which_it_ran_is_not_downtime),
		cmocka_unit_test(an_arc_that_failed_brings_nothing_back),
		cmocka_unit_test(what_fails_the_same_way_again_is_one),
		cmocka_unit_test(what_finds_no_room_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
