// SPDX-License-Identifier: GPL-2.0-or-later
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cancel.h"
#include "engine/hold-recover.h"
#include "fake-dev.h"

/* In a session that a save has begun, and was killed in. */
static struct fake *left_in_stop_copy(void)
{
	struct fake *f = fake_new(MIG_CAP_STOP_COPY);

	fake_query(f);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), 0);
	fake_forget(f);
	return f;
}

static struct hold_recover *start(struct fake *f)
{
	const struct hold_recover_order order = {
		.mig = &f->dev,
		.end = LEASE_LOST,
		.if_lost = HOLD_IF_LOST_RETURN,
		.found = MIG_RUNNING,
	};
	struct hold_recover *r = NULL;

	assert_int_equal(hold_recover_start(&order, &r, NULL), 0);
	return r;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

static void its_end_tells_what_was_found_and_done(void **state)
{
	struct fake *f = left_in_stop_copy();
	struct hold_recover *r = start(f);
	char text[HOLD_TEXT_MAX];

	(void)state;
	assert_true(readable(hold_recover_done_fd(r), -1));
	assert_true(hold_recover_end(r, text));
	assert_string_equal(text, "found in stop-copy, brought to running");
	assert_int_equal(f->state, MIG_RUNNING);
	assert_null(f->dev.cancel);
	assert_int_equal(fake_free(f), 0);
}

static void a_driver_that_hangs_is_named_and_not_waited_for(void **state)
{
	struct fake *f = left_in_stop_copy();
	char text[HOLD_TEXT_MAX], what[64];
	struct hold_recover *r;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	f->gate = p[0];
	f->hang_at = FAKE_SET;
	f->hang_n = 1;
	r = start(f);
	assert_false(hold_recover_is_late(r));
	assert_true(readable(hold_recover_late_fd(r), -1));
	assert_false(readable(hold_recover_done_fd(r), 0));
	hold_recover_note_late(r);
	assert_true(hold_recover_is_late(r));
	assert_int_equal(hold_recover_late_fd(r), -1);
	hold_recover_waits_for(r, what, sizeof(what));
	assert_ptr_equal(strstr(what, "stop-copy -> stop, for "), what);
	assert_int_equal(write(p[1], "", 1), 1);
	assert_true(hold_recover_await(r));
	assert_true(hold_recover_end(r, text));
	assert_string_equal(text, "found in stop-copy, brought to running");
	close(p[0]);
	close(p[1]);
	assert_int_equal(fake_free(f), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_tells_what_was_found_and_done),
		cmocka_unit_test(a_driver_that_hangs_is_named_and_not_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
