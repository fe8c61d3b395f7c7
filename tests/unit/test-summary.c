// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "ui/summary-report.h"

/* Short for the tables; times are milliseconds there. */
#define ARC(at, d, a, b, start, took)                                         \
	{                                                                     \
		EVENT_ARC, at, d, .arc = { MIG_##a, MIG_##b, start, took, 0 } \
	}
#define REFUSED(at, d, a, b, start, took)                                          \
	{                                                                          \
		EVENT_ARC, at, d, .arc = { MIG_##a, MIG_##b, start, took, -EBUSY } \
	}
#define BEGIN(at, p)                                           \
	{                                                      \
		EVENT_PHASE, at, EVENT_SET, .phase = PHASE_##p \
	}
#define ARRIVED(at, d, p)                                \
	{                                                \
		EVENT_ARRIVED, at, d, .phase = PHASE_##p \
	}
#define BARRIER(at, p)                                           \
	{                                                        \
		EVENT_BARRIER, at, EVENT_SET, .phase = PHASE_##p \
	}
#define STREAM(at, d)                                      \
	{                                                  \
		EVENT_STREAM, at, d, .stream = { 1000, 5 } \
	}
#define PLAIN(at, k)                                 \
	{                                            \
		EVENT_##k, at, EVENT_SET, .state = 0 \
	}
#define END                  \
	{                    \
		.device = 99 \
	}
#define EVENTS_MAX 40

static const struct mig_recovery by_reset = {
	.end = MIG_RUNNING,
	.end_known = true,
	.reset = true,
	.ok = true,
};

/* One device, or two; what the first one is down for, and what the second. */
static const struct history {
	const char *what;
	struct event events[EVENTS_MAX];
	unsigned int n;
	uint64_t causes[2][SUMMARY_NR_CAUSES]; /* arcs, waiting, stream, finish, retrying, other */
	bool down[2];
	uint64_t skew;
} histories[] = {
	/* clang-format off */
	{ "a device that is never stopped is never down",
	  { ARC(10, 0, RUNNING, PRE_COPY, 2, 8), STREAM(20, 0),
	    ARC(30, 0, PRE_COPY, RUNNING, 21, 9), END },
	  1, { { 0 } }, { false }, 0 },
	{ "one that was found stopped was not stopped by this",
	  { { EVENT_OPENED, 1, 0, .state = MIG_STOP }, ARC(10, 0, STOP, STOP_COPY, 2, 8),
	    STREAM(20, 0), ARC(30, 0, STOP_COPY, STOP, 21, 9), END },
	  1, { { 0 } }, { false }, 0 },
	{ "a save of one device without P2P",
	  { BEGIN(0, STOP), ARC(10, 0, RUNNING, STOP, 2, 8), ARRIVED(11, 0, STOP),
	    BARRIER(12, STOP), BEGIN(12, STOP_COPY), ARC(16, 0, STOP, STOP_COPY, 13, 3),
	    STREAM(30, 0), ARRIVED(30, 0, STOP_COPY), BARRIER(31, STOP_COPY), PLAIN(32, FINISH),
	    PLAIN(40, FINISHED), BEGIN(40, START), ARC(45, 0, STOP_COPY, STOP, 41, 4),
	    ARC(50, 0, STOP, RUNNING, 45, 5), ARRIVED(51, 0, START), BARRIER(52, START), END },
	  1, { { 20, 2, 14, 8, 0, 4 } }, { false }, 0 },
	{ "two devices, of which the second is slow",
	  { BEGIN(0, QUIESCE),
	    ARC(10, 0, PRE_COPY, PRE_COPY_P2P, 0, 10), ARRIVED(10, 0, QUIESCE),
	    ARC(20, 1, PRE_COPY, PRE_COPY_P2P, 0, 20), ARRIVED(20, 1, QUIESCE),
	    BARRIER(20, QUIESCE), BEGIN(20, STOP),
	    ARC(25, 0, PRE_COPY_P2P, STOP_COPY, 20, 5), ARRIVED(25, 0, STOP),
	    ARC(32, 1, PRE_COPY_P2P, STOP_COPY, 20, 12), ARRIVED(32, 1, STOP), BARRIER(32, STOP),
	    BEGIN(32, STOP_COPY), STREAM(40, 0), ARRIVED(40, 0, STOP_COPY),
	    STREAM(60, 1), ARRIVED(60, 1, STOP_COPY), BARRIER(60, STOP_COPY), PLAIN(60, FINISH),
	    PLAIN(70, FINISHED), BEGIN(70, START_P2P),
	    ARC(72, 0, STOP_COPY, RUNNING_P2P, 70, 2), ARRIVED(72, 0, START_P2P),
	    ARC(75, 1, STOP_COPY, RUNNING_P2P, 70, 5), ARRIVED(75, 1, START_P2P),
	    BARRIER(75, START_P2P), BEGIN(75, START),
	    ARC(80, 0, RUNNING_P2P, RUNNING, 75, 5), ARC(79, 1, RUNNING_P2P, RUNNING, 75, 4), END },
	  2, { { 22, 40, 8, 10, 0, 0 }, { 41, 0, 28, 10, 0, 0 } }, { false }, 7 },
	{ "an arc that is refused is asked for again",
	  { BEGIN(0, STOP), ARC(5, 0, RUNNING, RUNNING_P2P, 0, 5),
	    REFUSED(7, 0, RUNNING_P2P, STOP, 5, 2),
	    REFUSED(19, 0, RUNNING_P2P, STOP, 17, 2), ARC(33, 0, RUNNING_P2P, STOP, 29, 4),
	    ARC(40, 0, STOP, RUNNING, 33, 7), END },
	  1, { { 20, 0, 0, 0, 20, 0 } }, { false }, 0 },
	{ "a reset brings a device back without an arc",
	  { ARC(10, 0, RUNNING, STOP, 0, 10), { EVENT_RECOVERY, 30, 0, .recovery = &by_reset },
	    PLAIN(50, FINISHED), END },
	  1, { { 10, 0, 0, 0, 0, 20 } }, { false }, 0 },
	{ "what is still down is so up to the last event",
	  { ARC(10, 0, RUNNING, STOP, 0, 10), ARRIVED(11, 0, STOP), PLAIN(50, FINISHED), END },
	  1, { { 10, 39, 0, 0, 0, 1 } }, { true }, 0 },
	{ "a load",
	  { BEGIN(0, LOAD), ARC(4, 0, RUNNING, STOP, 1, 3), ARC(6, 0, STOP, RESUMING, 4, 2),
	    ARRIVED(20, 0, LOAD), BARRIER(21, LOAD), STREAM(21, 0), BEGIN(21, JUDGE),
	    ARC(25, 0, RESUMING, STOP, 21, 4), ARC(30, 0, STOP, RUNNING, 26, 4), END },
	  1, { { 13, 1, 14, 0, 0, 1 } }, { false }, 0 },
	/* clang-format on */
};

static uint64_t sum_of(const uint64_t *causes)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < SUMMARY_NR_CAUSES; i++)
		sum += causes[i];
	return sum;
}

static void check_history(const struct history *h)
{
	struct summary s;
	struct err err = { 0 };
	uint64_t skew = 0;

	assert_int_equal(summary_init(&s, h->n, &err), 0);
	for (const struct event *e = h->events; e->device != 99; e++)
		summary_on_event(&s, e);
	summary_end(&s);
	for (unsigned int i = 0; i < h->n; i++) {
		const struct summary_device *d = &s.devices[i];

		for (unsigned int c = 0; c < SUMMARY_NR_CAUSES; c++)
			if (d->causes_ns[c] != h->causes[i][c])
				fail_msg("%s: device %u, %s: %llu", h->what, i,
					 summary_cause_name((enum summary_cause)c),
					 (unsigned long long)d->causes_ns[c]);
		assert_int_equal(d->downtime_ns, sum_of(d->causes_ns));
		assert_int_equal(d->down, h->down[i]);
	}
	assert_int_equal(summary_skew(&s, &skew), h->skew != 0);
	assert_int_equal(skew, h->skew);
	summary_done(&s);
}

static void all_of_the_downtime_has_one_cause(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(histories); i++)
		check_history(&histories[i]);
}

/* Where no event comes after the last arc, it is what the timeline says. */
static void the_downtime_is_that_of_the_timeline(void **state)
{
	struct summary s;
	struct err err = { 0 };
	bool open;

	(void)state;
	for (size_t i = 2; i < 5; i++) {
		assert_int_equal(summary_init(&s, histories[i].n, &err), 0);
		for (const struct event *e = histories[i].events; e->device != 99; e++)
			summary_on_event(&s, e);
		summary_end(&s);
		for (unsigned int d = 0; d < histories[i].n; d++)
			assert_int_equal(s.devices[d].downtime_ns,
					 timeline_downtime(&s.devices[d].timeline, &open));
		summary_done(&s);
	}
}

static void the_decision_is_the_one_that_ended_pre_copy(void **state)
{
	static const struct {
		enum switchover_verdict verdict;
		unsigned int number, want;
	} rows[] = {
		{ SWITCHOVER_NOT_YET, 1, 1 },	{ SWITCHOVER_NOT_YET, 2, 2 },
		{ SWITCHOVER_CONVERGED, 3, 3 }, { SWITCHOVER_NOT_YET, 4, 3 },
		{ SWITCHOVER_LIMIT, 5, 5 },
	};
	struct summary s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(summary_init(&s, 1, &err), 0);
	assert_false(s.decided);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct event e = { EVENT_DECISION, i, EVENT_SET,
					 .decision = { .verdict = rows[i].verdict,
						       .number = rows[i].number } };

		summary_on_event(&s, &e);
		assert_int_equal(s.decision.number, rows[i].want);
		assert_int_equal(s.rounds, rows[i].number);
	}
	summary_done(&s);
}

static void a_decision_is_told_with_its_numbers(void **state)
{
	static const struct {
		struct switchover_decision decision;
		const char *want;
	} rows[] = {
		{ { .verdict = SWITCHOVER_CONVERGED,
		    .number = 5,
		    .left = 4 << 20,
		    .suspected = 2048,
		    .round = { .told = true,
			       .initial = 0,
			       .dirty = 3 << 20,
			       .stop_copy = 1 << 20,
			       .arcs_ns = 40 * NSEC_PER_MSEC,
			       .finish_ns = 10 * NSEC_PER_MSEC },
		    .rate = 100 << 20,
		    .dirty_rate = 20 << 20,
		    .estimated = true,
		    .estimate_ns = 90 * NSEC_PER_MSEC },
		  "the downtime fits: after round 5, 4.00 MiB are left (1.00 MiB of stop-copy), "
		  "2.00 KiB more may come, at 100 MiB/s, 20.0 MiB/s get dirty, arcs take 40.0 ms, "
		  "sync or answer 10.0 ms: 90.0 ms of downtime expected" },
		{ { .verdict = SWITCHOVER_LIMIT, .number = 7 },
		  "rounds or time are used up: after round 7" },
		{ { .verdict = SWITCHOVER_DIVERGES, .number = 2, .round = { .told = true } },
		  "what is dirty no longer shrinks: after round 2, 0 B are left" },
		{ { .number = 1, .round = { .stop_copy = 5 } },
		  "pre-copy was not over: after round 1 (5 B of stop-copy)" },
	};
	char why[SUMMARY_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(summary_why(&rows[i].decision, why), rows[i].want);
}

static void more_failures_than_there_is_room_for_are_counted(void **state)
{
	const struct err why = { .text = "out of luck" };
	const struct event e = { EVENT_FAILURE, 1, 0, .failure = &why };
	struct summary s;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(summary_init(&s, 1, &err), 0);
	for (int i = 0; i < SUMMARY_FAILURES_MAX + 3; i++)
		summary_on_event(&s, &e);
	assert_int_equal(s.failed, SUMMARY_FAILURES_MAX + 3);
	assert_string_equal(s.failures[SUMMARY_FAILURES_MAX - 1].message, "out of luck");
	summary_done(&s);
}

static void the_text_of_a_summary(void **state)
{
	static const char *const names[] = { "vfio0", "vfio1" };
	static const struct report_row rows[] = { { "file", "file", REPORT_TEXT } };
	const struct history *h = &histories[3];
	struct json_object *o = report_new("report");
	struct summary s;
	struct err err = { 0 };
	char *text;
	size_t size;
	FILE *f;

	(void)state;
	assert_int_equal(summary_init(&s, h->n, &err), 0);
	for (const struct event *e = h->events; e->device != 99; e++)
		summary_on_event(&s, e);
	summary_end(&s);
	report_string(o, "file", "r.json");
	summary_render(o, &s, names);
	f = open_memstream(&text, &size);
	assert_non_null(f);
	summary_view(f, o, rows, ARRAY_SIZE(rows));
	fclose(f);
	assert_string_equal(text, "file      r.json\n"
				  "time      79 ns\n"
				  "downtime  80 ns\n"
				  "skew      7 ns\n"
				  "\n"
				  "DEVICE  BYTES   DOWNTIME  ARCS   WAITING  STREAM  SYNC\n"
				  "vfio0   1000 B  80 ns     22 ns  40 ns    8 ns    10 ns\n"
				  "vfio1   1000 B  79 ns     41 ns  0 ns     28 ns   10 ns\n"
				  "\n"
				  "FROM          TO            TIMES  SHORTEST  LONGEST  OF\n"
				  "pre-copy      pre-copy-p2p  2      10 ns     20 ns    vfio1\n"
				  "pre-copy-p2p  stop-copy     2      5 ns      12 ns    vfio1\n"
				  "stop-copy     running-p2p   2      2 ns      5 ns     vfio1\n"
				  "running-p2p   running       2      4 ns      5 ns     vfio0\n");
	free(text);
	report_done(o);
	summary_done(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_of_the_downtime_has_one_cause),
		cmocka_unit_test(the_downtime_is_that_of_the_timeline),
		cmocka_unit_test(the_decision_is_the_one_that_ended_pre_copy),
		cmocka_unit_test(a_decision_is_told_with_its_numbers),
		cmocka_unit_test(more_failures_than_there_is_room_for_are_counted),
		cmocka_unit_test(the_text_of_a_summary),
	};

	return cmocka_run_group_tests_name("summary", tests, NULL, NULL);
}
