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
#include "base/clock.h"
#include "engine/hold-call.h"
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

static struct hold_recover recovery(struct fake *f)
{
	return (struct hold_recover){
		.mig = &f->dev,
		.end = LEASE_LOST,
		.if_lost = HOLD_IF_LOST_RETURN,
		.found = MIG_RUNNING,
	};
}

static void run_recovery(void *ctx, struct cancel *cancel)
{
	hold_recover(ctx, cancel);
}

static struct hold_call *start(struct hold_recover *r)
{
	const struct hold_call_work work = { .run = run_recovery, .ctx = r };
	struct hold_call *c = NULL;

	assert_int_equal(hold_call_start(&work, &c, NULL), 0);
	return c;
}

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

static void its_end_tells_what_was_found_and_done(void **state)
{
	struct fake *f = left_in_stop_copy();
	struct hold_recover r = recovery(f);
	struct hold_call *c = start(&r);

	(void)state;
	assert_true(readable(hold_call_done_fd(c), -1));
	assert_true(hold_call_wait(c));
	hold_call_end(c);
	assert_true(r.restored);
	assert_string_equal(r.text, "found in stop-copy, brought to running");
	assert_int_equal(f->state, MIG_RUNNING);
	assert_null(f->dev.cancel);
	assert_int_equal(fake_free(f), 0);
}

static void a_driver_that_hangs_is_named_and_not_waited_for(void **state)
{
	struct fake *f = left_in_stop_copy();
	struct hold_recover r = recovery(f);
	struct hold_call *c;
	char what[64];
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	f->gate = p[0];
	f->hang_at = FAKE_SET;
	f->hang_n = 1;
	c = start(&r);
	assert_false(hold_call_wait(c));
	assert_false(hold_call_note_late(c));
	assert_false(hold_call_is_late(c));
	assert_true(readable(hold_call_late_fd(c), -1));
	assert_false(readable(hold_call_done_fd(c), 0));
	assert_true(hold_call_note_late(c));
	assert_true(hold_call_is_late(c));
	hold_call_waits_for(c, what, sizeof(what));
	assert_ptr_equal(strstr(what, "stop-copy -> stop, for "), what);
	assert_int_equal(write(p[1], "", 1), 1);
	assert_true(hold_call_await(c));
	hold_call_end(c);
	assert_string_equal(r.text, "found in stop-copy, brought to running");
	close(p[0]);
	close(p[1]);
	assert_int_equal(fake_free(f), 0);
}

/* Reads @fds[0], which a kick ends, and what is written ends, too. @begun tells that it does. */
struct blocked {
	int fds[2], begun[2], dropped[2];
	ssize_t got;
};

static void run_blocked(void *ctx, struct cancel *cancel)
{
	struct blocked *b = ctx;
	char byte;

	cancel_interruptible_begin(cancel, "reading");
	assert_int_equal(write(b->begun[1], "", 1), 1);
	b->got = read(b->fds[0], &byte, 1);
	cancel_interruptible_end(cancel);
}

static void drop_blocked(void *ctx)
{
	const struct blocked *b = ctx;

	assert_int_equal(write(b->dropped[1], "", 1), 1);
}

static struct hold_call *block(struct blocked *b, bool kickable)
{
	const struct hold_call_work work = {
		.run = run_blocked,
		.drop = drop_blocked,
		.ctx = b,
		.kickable = kickable,
	};
	struct hold_call *c = NULL;

	assert_int_equal(pipe(b->fds), 0);
	assert_int_equal(pipe(b->begun), 0);
	assert_int_equal(pipe(b->dropped), 0);
	assert_int_equal(hold_call_start(&work, &c, NULL), 0);
	return c;
}

static void unblock(struct blocked *b)
{
	for (int i = 0; i < 2; i++) {
		close(b->fds[i]);
		close(b->begun[i]);
		close(b->dropped[i]);
	}
}

static void what_can_be_interrupted_ends_when_it_is_late(void **state)
{
	struct blocked b = { .got = 0 };
	struct hold_call *c = block(&b, true);

	(void)state;
	while (!readable(hold_call_done_fd(c), 0)) {
		assert_true(readable(hold_call_late_fd(c), -1));
		hold_call_note_late(c);
		readable(hold_call_done_fd(c), 100);
	}
	hold_call_end(c);
	assert_int_equal(b.got, -1);
	unblock(&b);
}

static void what_can_be_interrupted_is_timed_from_the_first_wait(void **state)
{
	struct blocked b = { .got = 0 };
	struct hold_call *c = block(&b, false);
	uint64_t before;
	char what[64];

	(void)state;
	assert_true(readable(b.begun[0], -1));
	assert_false(hold_call_wait(c));
	before = clock_ns();
	while (clock_ns() - before < NSEC_PER_SEC) {
		assert_true(readable(hold_call_late_fd(c), -1));
		hold_call_note_late(c);
	}
	hold_call_waits_for(c, what, sizeof(what));
	assert_ptr_equal(strstr(what, "reading, for "), what);
	assert_string_not_equal(what, "reading, for 0 s");
	assert_int_equal(write(b.fds[1], "", 1), 1);
	hold_call_end(c);
	unblock(&b);
}

static void what_was_forsaken_is_dropped_at_its_end(void **state)
{
	struct blocked b = { .got = 0 };
	struct hold_call *c = block(&b, false);
	char byte;

	(void)state;
	hold_call_forsake(c);
	assert_false(readable(b.dropped[0], 0));
	assert_int_equal(write(b.fds[1], "", 1), 1);
	assert_int_equal(read(b.dropped[0], &byte, 1), 1);
	assert_int_equal(b.got, 1);
	unblock(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_end_tells_what_was_found_and_done),
		cmocka_unit_test(a_driver_that_hangs_is_named_and_not_waited_for),
		cmocka_unit_test(what_can_be_interrupted_ends_when_it_is_late),
		cmocka_unit_test(what_can_be_interrupted_is_timed_from_the_first_wait),
		cmocka_unit_test(what_was_forsaken_is_dropped_at_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
