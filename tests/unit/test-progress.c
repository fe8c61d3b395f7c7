// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
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
		{ { .signal = SIGTERM, .state = "stop-copy", .timeout_ms = 30000 },
		  "Terminated: unwinding; the device is in stop-copy; a silent "
		  "peer is waited for 30.0 s at most, after a second signal no longer" },
		{ { .signal = SIGINT,
		    .state = "stop",
		    .waiting = { CANCEL_CALL_FIXED, "stop -> stop-copy", 0 },
		    .waiting_ns = 1500 * NSEC_PER_MSEC },
		  "Interrupt: unwinding; under way: stop -> stop-copy, for 1.50 s, which only "
		  "the driver ends; a second signal gives up retries" },
		{ { .signal = SIGHUP,
		    .state = "resuming",
		    .waiting = { CANCEL_CALL_KICKABLE, "writing its stream", 0 },
		    .waiting_ns = 5 * NSEC_PER_SEC },
		  "Hangup: unwinding; under way: writing its stream, for 5.00 s; a second "
		  "signal gives up retries" },
		{ { .signal = SIGHUP,
		    .state = "resuming",
		    .waiting = { CANCEL_CALL_KICKABLE, "writing its stream", 0 },
		    .waiting_ns = 5 },
		  "Hangup: unwinding; the device is in resuming; a second signal gives up "
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures_are_those_that_mean_something),
		cmocka_unit_test(a_signal_is_answered_by_what_is_under_way),
	};

	return cmocka_run_group_tests_name("progress", tests, NULL, NULL);
}
