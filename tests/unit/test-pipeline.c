// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/pipeline.h"

/* What the sink saw, and how it behaves. */
struct sink {
	struct cancel cancel;
	struct pipeline *pipe;
	uint64_t seen; /* frames */
	uint64_t fail_at; /* fails at this one, from 1 */
	bool waits; /* until it is cancelled */
	long slow_ns;
	atomic_bool busy;
	bool in_order;

	bool works;
	unsigned int workers;
	atomic_uint worked;
	uint64_t work_fails_at; /* this frame, from 1 */

	bool taps;
	uint64_t tapped, tap_fails_at;
	long tap_ns;
	bool tapped_in_order;

	bool idles;
	atomic_uint idle;
	unsigned int idle_fails_at;
};

/* Marks the frame, so that the sink sees that it was here; and lets the others overtake. */
static int work(void *ctx, unsigned int worker, const struct pipeline_item *item, struct err *err)
{
	struct sink *s = ctx;
	uint64_t number;

	assert_true(worker < (s->workers ? s->workers : 1));
	memcpy(&number, item->frame->payload, sizeof(number));
	if (number != item->number || item->len != sizeof(number) + number % 100)
		return err_fail(err, ERR_BUG, -EINVAL, "another frame");
	if (number % 3 == 0 && s->workers)
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	item->frame->len = number + 1;
	return ++s->worked == s->work_fails_at ? err_fail(err, ERR_IO, -ENOMEM, "no memory") : 0;
}

static int take(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct sink *s = ctx;
	uint64_t number;

	atomic_store(&s->busy, true);
	if (s->slow_ns)
		nanosleep(&(struct timespec){ .tv_nsec = s->slow_ns }, NULL);
	if (s->waits)
		return cancel_poll(&s->cancel, -1, 0, err);
	memcpy(&number, frame->payload, sizeof(number));
	s->in_order &= number == s->seen && len == sizeof(number) + number % 100;
	s->in_order &= !s->works || frame->len == number + 1;
	if (!s->taps)
		memset(frame->payload, 0xee, len); /* it is the sink's alone */
	if (++s->seen == s->fail_at)
		return err_fail(err, ERR_IO, -ENOSPC, "full");
	return 0;
}

static int observer(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct sink *s = ctx;
	uint64_t number;

	if (s->tap_ns)
		nanosleep(&(struct timespec){ .tv_nsec = s->tap_ns }, NULL);
	memcpy(&number, frame->payload, sizeof(number));
	s->tapped_in_order &= number == s->tapped && len == sizeof(number) + number % 100;
	return ++s->tapped == s->tap_fails_at ? err_fail(err, ERR_IO, -EIO, "no sum") : 0;
}

static int be_idle(void *ctx, struct err *err)
{
	struct sink *s = ctx;

	return ++s->idle == s->idle_fails_at ? err_fail(err, ERR_IO, -EPIPE, "nobody there") : 0;
}

static int setup(void **state)
{
	static struct sink s;

	s = (struct sink){ .in_order = true, .tapped_in_order = true };
	assert_int_equal(cancel_init(&s.cancel, NULL), 0);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	struct sink *s = *state;

	pipeline_free(s->pipe);
	cancel_done(&s->cancel);
	return 0;
}

static void make(struct sink *s, unsigned int frames)
{
	const struct pipeline_options opts = {
		.frames = frames,
		.work = s->works ? work : NULL,
		.workers = s->workers,
		.sink = take,
		.observer = s->taps ? observer : NULL,
		.idle = s->idles ? be_idle : NULL,
		.idle_ms = 1,
		.ctx = s,
		.cancel = &s->cancel,
	};

	assert_int_equal(pipeline_new(&opts, &s->pipe, NULL), 0);
}

/* Pushes frame @number. Return: what getting it said. */
static int push(struct sink *s, uint64_t number, struct err *err)
{
	struct image_frame *frame;
	int r;

	r = pipeline_frame(s->pipe, &frame, err);
	if (r < 0)
		return r;
	memcpy(frame->payload, &number, sizeof(number));
	return pipeline_push(s->pipe, sizeof(number) + number % 100, err);
}

static void all_arrive_in_order(void **state)
{
	static const struct {
		unsigned int frames;
		long slow_ns;
		uint64_t n;
	} rows[] = { { 2, 0, 5000 }, { 4, 0, 5000 }, { 2, 100000, 200 }, { 16, 100000, 200 } };
	struct sink *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->seen = 0;
		s->slow_ns = rows[i].slow_ns;
		make(s, rows[i].frames);
		for (uint64_t k = 0; k < rows[i].n; k++)
			assert_int_equal(push(s, k, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(s->seen, rows[i].n);
		assert_true(s->in_order);
		assert_false(atomic_load(&s->cancel.requested));
		s->pipe = pipeline_free(s->pipe);
	}
}

static void it_can_be_drained_and_go_on(void **state)
{
	struct sink *s = *state;

	make(s, 3);
	assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
	for (uint64_t k = 0; k < 50; k++) {
		assert_int_equal(push(s, k, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(s->seen, k + 1);
	}
}

static void a_frame_is_the_same_until_it_is_pushed(void **state)
{
	struct image_frame *a, *b;
	struct sink *s = *state;

	make(s, 2);
	assert_int_equal(pipeline_frame(s->pipe, &a, NULL), 0);
	assert_int_equal(pipeline_frame(s->pipe, &b, NULL), 0);
	assert_ptr_equal(a, b);
}

static void a_failure_reaches_whoever_pushes(void **state)
{
	struct sink *s = *state;
	struct err err = { 0 };
	uint64_t pushed = 0;

	s->fail_at = 10;
	make(s, 4);
	while (push(s, pushed, &err) >= 0)
		assert_true(++pushed < 10 + 4);
	assert_int_equal(err.code, -ENOSPC);
	assert_int_equal(err.kind, ERR_IO);
	assert_string_equal(err.text, "full");
	assert_true(atomic_load(&s->cancel.requested));
	memset(&err, 0, sizeof(err));
	assert_int_equal(pipeline_drain(s->pipe, &err), -ENOSPC);
	assert_string_equal(err.text, "full");
	assert_int_equal(pipeline_explain(s->pipe, -ECANCELED, &err), -ENOSPC);
	assert_int_equal(pipeline_explain(s->pipe, -EIO, NULL), -EIO);
	assert_int_equal(pipeline_explain(NULL, -ECANCELED, NULL), -ECANCELED);
	assert_int_equal(s->seen, 10); /* and nothing after it */
}

/* A thread in a full pipe or a stalled device is interrupted, so that it can be joined. */
static void freeing_it_ends_a_sink_that_waits(void **state)
{
	struct sink *s = *state;

	s->waits = true;
	make(s, 4);
	for (uint64_t k = 0; k < 3; k++)
		assert_int_equal(push(s, k, NULL), 0);
	while (!atomic_load(&s->busy))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	s->pipe = pipeline_free(s->pipe);
	assert_true(atomic_load(&s->cancel.requested));
	assert_int_equal(s->seen, 0);
}

static void freeing_it_when_all_is_through_cancels_nothing(void **state)
{
	struct sink *s = *state;

	make(s, 4);
	assert_int_equal(push(s, 0, NULL), 0);
	assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
	s->pipe = pipeline_free(s->pipe);
	assert_false(atomic_load(&s->cancel.requested));
}

static void work_is_done_on_each_before_the_sink_has_it(void **state)
{
	struct sink *s = *state;

	s->works = true;
	for (s->workers = 0; s->workers <= 8; s->workers += 2) {
		s->seen = 0;
		atomic_store(&s->worked, 0);
		make(s, 4 + s->workers);
		for (uint64_t k = 0; k < 500; k++)
			assert_int_equal(push(s, k, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(s->seen, 500);
		assert_int_equal(atomic_load(&s->worked), 500);
		assert_true(s->in_order);
		s->pipe = pipeline_free(s->pipe);
	}
}

static void work_that_fails_ends_the_flow(void **state)
{
	struct sink *s = *state;

	s->works = true;
	for (s->workers = 0; s->workers <= 4; s->workers += 4) {
		struct err err = { 0 };
		uint64_t pushed = 0;

		atomic_store(&s->worked, 0);
		s->seen = 0;
		s->work_fails_at = 20;
		make(s, 8);
		while (push(s, pushed, &err) >= 0)
			assert_true(++pushed < 20 + 16);
		s->pipe = pipeline_free(s->pipe);
		assert_int_equal(err.code, -ENOMEM);
		assert_string_equal(err.text, "no memory");
		assert_true(s->seen < 20 + 8);
		assert_true(s->in_order);
	}
}

static void a_tap_has_all_of_it_in_order_whoever_is_faster(void **state)
{
	static const struct {
		long sink_ns, tap_ns;
		unsigned int workers;
	} rows[] = { { 0, 0, 0 }, { 100000, 0, 0 }, { 0, 100000, 0 }, { 0, 100000, 4 } };
	struct sink *s = *state;

	s->taps = s->works = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		s->seen = s->tapped = 0;
		s->slow_ns = rows[i].sink_ns;
		s->tap_ns = rows[i].tap_ns;
		s->workers = rows[i].workers;
		make(s, 4 + s->workers);
		for (uint64_t k = 0; k < 300; k++)
			assert_int_equal(push(s, k, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(s->seen, 300);
		assert_int_equal(s->tapped, 300);
		assert_true(s->in_order);
		assert_true(s->tapped_in_order);
		s->pipe = pipeline_free(s->pipe);
	}
}

static void a_tap_that_fails_ends_the_flow(void **state)
{
	struct sink *s = *state;
	struct err err = { 0 };
	uint64_t pushed = 0;

	s->taps = true;
	s->tap_fails_at = 20;
	make(s, 4);
	while (push(s, pushed, &err) >= 0)
		assert_true(++pushed < 20 + 8);
	s->pipe = pipeline_free(s->pipe);
	assert_int_equal(err.code, -EIO);
	assert_string_equal(err.text, "no sum");
	assert_true(atomic_load(&s->cancel.requested));
	assert_int_equal(s->tapped, 20);
}

/* Waits for an event, which the test's time limit bounds. */
static void a_sink_with_nothing_to_do_is_told(void **state)
{
	struct sink *s = *state;

	s->idles = true;
	make(s, 4);
	for (uint64_t k = 0; k < 3; k++) {
		unsigned int was = atomic_load(&s->idle);

		while (atomic_load(&s->idle) < was + 3)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
		assert_int_equal(push(s, k, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(s->seen, k + 1);
	}
	assert_false(atomic_load(&s->cancel.requested));
}

static void who_finds_out_while_idle_ends_the_flow(void **state)
{
	struct image_frame *frame;
	struct sink *s = *state;
	struct err err = { 0 };

	s->idles = true;
	s->idle_fails_at = 2;
	make(s, 4);
	assert_int_equal(cancel_poll(&s->cancel, -1, 0, &err), -ECANCELED);
	assert_int_equal(pipeline_explain(s->pipe, -ECANCELED, &err), -EPIPE);
	assert_string_equal(err.text, "nobody there");
	assert_int_equal(pipeline_frame(s->pipe, &frame, &err), -EPIPE);
	assert_int_equal(atomic_load(&s->idle), 2);
}

#define ON(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(all_arrive_in_order),
		ON(it_can_be_drained_and_go_on),
		ON(a_frame_is_the_same_until_it_is_pushed),
		ON(a_failure_reaches_whoever_pushes),
		ON(work_is_done_on_each_before_the_sink_has_it),
		ON(work_that_fails_ends_the_flow),
		ON(a_tap_has_all_of_it_in_order_whoever_is_faster),
		ON(a_tap_that_fails_ends_the_flow),
		ON(a_sink_with_nothing_to_do_is_told),
		ON(who_finds_out_while_idle_ends_the_flow),
		ON(freeing_it_ends_a_sink_that_waits),
		ON(freeing_it_when_all_is_through_cancels_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
