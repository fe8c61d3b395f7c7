// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/transfer.h"
#include "ui/interrupt.h"
#include "ui/progress.h"

static void figures_are_those_that_mean_something(void **state)
{
	static const struct {
		const char *what;
		struct progress_sample sample;
		struct progress_figures want;
	} rows[] = {
		{ "a stream of unknown size",
		  { MIG_STOP_COPY, false, 50, 0, false, 10 },
		  { true, 0, false, 0, 0 } },
		{ "an estimate",
		  { MIG_STOP_COPY, false, 50, 200, false, 10 },
		  { true, 200, false, 25, 15 * NSEC_PER_SEC } },
		{ "an exact size",
		  { MIG_RESUMING, false, 199, 200, true, 1 },
		  { true, 200, true, 99, NSEC_PER_SEC } },
		{ "all of it",
		  { MIG_RESUMING, false, 200, 200, true, 1 },
		  { true, 200, true, 100, 0 } },
		{ "more than was estimated",
		  { MIG_STOP_COPY, false, 201, 200, false, 1 },
		  { true, 0, false, 0, 0 } },
		{ "pre-copy comes on top of the estimate",
		  { MIG_PRE_COPY, false, 50, 200, false, 10 },
		  { true, 0, false, 0, 0 } },
		{ "a stream that has stalled",
		  { MIG_STOP_COPY, false, 50, 200, false, 0 },
		  { true, 200, false, 25, 0 } },
		{ "an arc under way moves nothing",
		  { MIG_STOP_COPY, true, 200, 200, false, 0 },
		  { false, 200, false, 100, 0 } },
		{ "nor does a device that is being stopped",
		  { MIG_RUNNING_P2P, false, 0, 200, false, 0 },
		  { false, 200, false, 0, 0 } },
		{ "nor one that is started again",
		  { MIG_STOP, false, 200, 200, true, 0 },
		  { false, 200, true, 100, 0 } },
		{ "an image being verified",
		  { MIG_NR_STATES, false, 50, 0, false, 10 },
		  { true, 0, false, 0, 0 } },
		{ "one that has not come yet",
		  { MIG_NR_STATES, false, 0, 0, false, 0 },
		  { false, 0, false, 0, 0 } },
		{ "sizes of the end of the world",
		  { MIG_STOP_COPY, false, UINT64_MAX / 2, UINT64_MAX, false, UINT64_MAX },
		  { true, UINT64_MAX, false, 50, NSEC_PER_SEC / 2 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct progress_figures *w = &rows[i].want,
					      f = progress_figures(&rows[i].sample);

		if (f.moving != w->moving || f.total != w->total || f.exact != w->exact ||
		    f.percent != w->percent || f.remaining_ns != w->remaining_ns)
			fail_msg("%s: %d %llu %d %u %llu", rows[i].what, f.moving,
				 (unsigned long long)f.total, f.exact, f.percent,
				 (unsigned long long)f.remaining_ns);
	}
}

static void a_signal_is_answered_by_what_is_under_way(void **state)
{
	static const struct {
		struct interrupt i;
		const char *want;
	} rows[] = {
		{ { .signal = SIGINT }, "Interrupt: unwinding" },
		{ { .signal = SIGTERM, .idle = true, .timeout_ms = 500 },
		  "Terminated: ending, nothing is under way" },
		{ { .signal = SIGTERM, .state = "stop-copy", .timeout_ms = 30000 },
		  "Terminated: unwinding; the device is in stop-copy; a silent "
		  "peer is waited for 30.0 s at most, after a second signal no longer" },
		{ { .signal = SIGINT,
		    .state = "stop",
		    .waiting = { .call = CANCEL_CALL_FIXED, .what = "stop -> stop-copy" },
		    .waiting_ns = 1500 * NSEC_PER_MSEC },
		  "Interrupt: unwinding; under way: stop -> stop-copy, for 1.50 s, which only "
		  "the driver ends; a second signal gives up retries" },
		{ { .signal = SIGINT,
		    .waiting = { .call = CANCEL_CALL_FIXED, .what = "reset", .who = "vfio3" },
		    .waiting_ns = 2 * NSEC_PER_SEC,
		    .calls = 3 },
		  "Interrupt: unwinding; under way: vfio3: reset, for 2.00 s, which only the "
		  "driver ends, and 2 more; a second signal gives up retries" },
		{ { .signal = SIGHUP,
		    .state = "resuming",
		    .waiting = { .call = CANCEL_CALL_KICKABLE, .what = "writing its stream" },
		    .waiting_ns = 5 * NSEC_PER_SEC },
		  "Hangup: unwinding; under way: writing its stream, for 5.00 s; a second "
		  "signal gives up retries" },
		{ { .signal = SIGHUP,
		    .state = "resuming",
		    .waiting = { .call = CANCEL_CALL_KICKABLE, .what = "writing its stream" },
		    .waiting_ns = 5 },
		  "Hangup: unwinding; the device is in resuming; a second signal gives up "
		  "retries" },
		{ { .signal = SIGINT, .several = true, .state = "pre-copy" },
		  "Interrupt: unwinding; the devices are in pre-copy; a second signal gives up "
		  "retries" },
		{ { .signal = SIGINT, .too_late = true, .state = "stop", .timeout_ms = 500 },
		  "Interrupt: too late to stop, finishing; the device is in stop; a silent "
		  "peer is waited for 500 ms at most, after a second signal no longer" },
		{ { .signal = SIGINT,
		    .again = true,
		    .too_late = true,
		    .state = "stop",
		    .timeout_ms = 500 },
		  "Interrupt: waiting for nothing that can be left out; the device is in "
		  "stop" },
	};
	char text[INTERRUPT_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_string_equal(interrupt_text(&rows[i].i, text), rows[i].want);
}

static const char *const names[] = { "0000:3b:00.1", "vfio-user:/run/emu.1", "ger\xc3\xa4t" };

/* Three devices in pre-copy, of which the last has not begun. */
static const struct progress_sample some[] = {
	{ MIG_PRE_COPY, false, 1 << 20, 0, false, 2 << 20 },
	{ MIG_STOP_COPY, false, 3 << 20, 4 << 20, true, 1 << 20 },
	{ MIG_NR_STATES, false, 0, 0, false, 0 },
};

static const struct progress_view view = {
	.name = "3 devices",
	.headline = "pre-copy",
	.n = ARRAY_SIZE(some),
	.names = names,
	.devices = some,
	.round = 4,
	.dirty_rate = 512 << 10,
	.estimated = true,
	.estimate_ns = 310 * NSEC_PER_MSEC,
	.elapsed_ns = 5 * NSEC_PER_SEC,
};

/* Compares and frees. */
static void assert_text(char *text, const char *want)
{
	assert_non_null(text);
	assert_string_equal(text, want);
	free(text);
}

static void a_line_leaves_out_what_matters_least(void **state)
{
	static const struct {
		size_t columns;
		const char *want;
	} rows[] = {
		{ 0, "3 devices: pre-copy  round 4  4.00 MiB  3.00 MiB/s  dirty 512 KiB/s  "
		     "downtime 310 ms  5.00 s" },
		{ 100, "3 devices: pre-copy  round 4  4.00 MiB  3.00 MiB/s  dirty 512 KiB/s  "
		       "downtime 310 ms  5.00 s" },
		{ 90, "pre-copy  round 4  4.00 MiB  3.00 MiB/s  dirty 512 KiB/s  downtime 310 ms  "
		      "5.00 s" },
		{ 80, "pre-copy  4.00 MiB  3.00 MiB/s  dirty 512 KiB/s  downtime 310 ms  5.00 s" },
		{ 60, "pre-copy  4.00 MiB  3.00 MiB/s  downtime 310 ms" },
		{ 40, "pre-copy  4.00 MiB  3.00 MiB/s" },
		{ 20, "pre-copy  4.00 MiB" },
		{ 5, "pre-" },
		{ 1, "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_text(progress_view_line(&view, rows[i].columns), rows[i].want);
}

static void devices_have_a_line_each_while_they_fit(void **state)
{
	static const struct {
		size_t columns, rows;
		const char *want;
	} rows[] = {
		{ 80, 24,
		  "pre-copy  4.00 MiB  3.00 MiB/s  dirty 512 KiB/s  downtime 310 ms  5.00 s\n"
		  "0000:3b:00.1          pre-copy            1.00 MiB  2.00 MiB/s\n"
		  "vfio-user:/run/emu.1  stop-copy      75%  3.00 MiB  1.00 MiB/s   1.00 s left\n"
		  "ger\xc3\xa4t                -" },
		{ 40, 5,
		  "pre-copy  4.00 MiB  3.00 MiB/s\n"
		  "0000:3b:00.1   pre-copy      1.00 MiB\n"
		  "~r:/run/emu.1  stop-copy     3.00 MiB\n"
		  "ger\xc3\xa4t         -" },
		{ 40, 4, "pre-copy  4.00 MiB  3.00 MiB/s" },
		{ 8, 24, "pre-cop\n0000:3b\n~:/run/\nger\xc3\xa4t" },
		{ 1, 24, "\n\n\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_text(progress_view_lines(&view, rows[i].columns, rows[i].rows),
			    rows[i].want);
}

static void more_devices_than_a_reader_follows_are_one_line(void **state)
{
	struct progress_sample devices[PROGRESS_LINES_MAX + 1] = { 0 };
	const char *many[PROGRESS_LINES_MAX + 1];
	struct progress_view v = view;

	(void)state;
	v.round = 0;
	v.estimated = false;
	v.dirty_rate = 0;
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		devices[i] = some[1];
		many[i] = "x";
	}
	v.n = ARRAY_SIZE(devices);
	v.devices = devices;
	v.names = many;
	assert_text(progress_view_lines(&v, 200, 100),
		    "3 devices: pre-copy  75%  51.0 MiB of 68.0 MiB  17.0 MiB/s  1.00 s left  "
		    "5.00 s");
}

static void an_image_is_verified_before_there_are_devices(void **state)
{
	static const struct progress_sample none[2] = {
		{ MIG_NR_STATES, false, 5 << 20, 0, false, 1 << 20 },
		{ MIG_NR_STATES, false, 0, 0, false, 0 },
	};
	const struct progress_view v = {
		.name = "2 devices",
		.headline = "verifying",
		.n = 2,
		.names = names,
		.devices = none,
		.scanned = 5 << 20,
		.elapsed_ns = NSEC_PER_SEC,
	};

	(void)state;
	assert_text(progress_view_line(&v, 0),
		    "2 devices: verifying  5.00 MiB  1.00 MiB/s  1.00 s");
}

static void figures_of_devices_are_of_their_events(void **state)
{
	const struct mig_recovery back = { .end = MIG_RUNNING, .end_known = true };
	const struct event events[] = {
		{ EVENT_OPENED, 0, 0, .state = MIG_RUNNING },
		{ EVENT_OPENED, 0, 1, .state = MIG_RUNNING },
		{ EVENT_PHASE, 0, EVENT_SET, .phase = PHASE_PRE_COPY },
		{ EVENT_ARC, 0, 0, .arc = { MIG_RUNNING, MIG_PRE_COPY, 0, 0, 0 } },
		{ EVENT_ARC, 0, 1, .arc = { MIG_RUNNING, MIG_PRE_COPY, 0, 0, -EBUSY } },
		{ EVENT_PROGRESS, 0, 1, .progress = { 7, 9, true } },
		{ EVENT_DECISION, 0, EVENT_SET,
		  .decision = { .number = 3,
				.rate = 5,
				.dirty_rate = 4,
				.estimated = true,
				.estimate_ns = 2,
				.left = 11 } },
		/* Of a device that is none of the set. */
		{ EVENT_PROGRESS, 0, 2, .progress = { 70, 90, true } },
		{ EVENT_RECOVERY, 0, 0, .recovery = &back },
	};
	struct transfer t;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(transfer_init(&t, 2, &err), 0);
	assert_int_equal(t.phase, PHASE_NR);
	for (size_t i = 0; i < ARRAY_SIZE(events); i++) {
		transfer_on_event(&t, &events[i]);
		if (i == 3)
			assert_int_equal(t.devices[0].state, MIG_PRE_COPY);
	}
	assert_int_equal(t.phase, PHASE_PRE_COPY);
	assert_int_equal(t.devices[0].state, MIG_RUNNING);
	assert_int_equal(t.devices[1].state, MIG_RUNNING);
	assert_int_equal(t.devices[1].bytes, 7);
	assert_int_equal(t.devices[1].expected, 9);
	assert_true(t.devices[1].exact);
	assert_int_equal(t.decision.round, 3);
	assert_int_equal(t.decision.left, 11);
	assert_int_equal(t.decision.dirty_rate, 4);
	assert_false(t.idle);
	/* What is over is not under way, and what is agreed on not yet. */
	transfer_rest(&t);
	transfer_on_event(&t, &(struct event){ EVENT_MOVE, .device = EVENT_SET });
	assert_true(t.idle);
	assert_int_equal(t.phase, PHASE_NR);
	assert_int_equal(t.devices[1].state, MIG_NR_STATES);
	assert_int_equal(t.devices[1].bytes, 0);
	transfer_on_event(&t, &events[0]);
	assert_false(t.idle);
	transfer_done(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_those_that_mean_something),
		cmocka_unit_test(a_line_leaves_out_what_matters_least),
		cmocka_unit_test(devices_have_a_line_each_while_they_fit),
		cmocka_unit_test(more_devices_than_a_reader_follows_are_one_line),
		cmocka_unit_test(an_image_is_verified_before_there_are_devices),
		cmocka_unit_test(figures_of_devices_are_of_their_events),
		cmocka_unit_test(a_signal_is_answered_by_what_is_under_way),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
