// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/pipeline.h"
#include "effort.h"

/* What the sink saw, and how it behaves. */
struct sink {
	enum pipeline_threads threads;
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
	atomic_uint inside; /* sink and idle */
	atomic_bool overlap;

	pthread_t pusher;
	atomic_uint elsewhere; /* calls of the three in another thread than that */
};

static void note_thread(struct sink *s)
{
	if (!pthread_equal(pthread_self(), s->pusher))
		atomic_fetch_add(&s->elsewhere, 1);
}

/* Marks the frame, so that the sink sees that it was here; and lets the others overtake. */
static int work(void *ctx, unsigned int worker, const struct pipeline_item *item, struct err *err)
{
	struct sink *s = ctx;
	uint64_t number;

	note_thread(s);
	assert_true(worker < (s->workers ? s->workers : 1));
	memcpy(&number, item->frame->payload, sizeof(number));
	if (number != item->number || item->len != sizeof(number) + number % 100)
		return err_fail(err, ERR_BUG, -EINVAL, "another frame");
	if (number % 3 == 0 && s->workers)
		nanosleep(&(struct timespec){ .tv_nsec = 200000 }, NULL);
	item->frame->len = number + 1;
	return ++s->worked == s->work_fails_at ? err_fail(err, ERR_IO, -ENOMEM, "no memory") : 0;
}

static void enter(struct sink *s)
{
	if (atomic_fetch_add(&s->inside, 1))
		atomic_store(&s->overlap, true);
}

static int take_frame(struct sink *s, struct image_frame *frame, size_t len, struct err *err)
{
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

static int take(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct sink *s = ctx;
	int r;

	note_thread(s);
	enter(s);
	r = take_frame(s, frame, len, err);
	atomic_fetch_sub(&s->inside, 1);
	return r;
}

static int observer(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct sink *s = ctx;
	uint64_t number;

	note_thread(s);
	if (s->tap_ns)
		nanosleep(&(struct timespec){ .tv_nsec = s->tap_ns }, NULL);
	memcpy(&number, frame->payload, sizeof(number));
	s->tapped_in_order &= number == s->tapped && len == sizeof(number) + number % 100;
	return ++s->tapped == s->tap_fails_at ? err_fail(err, ERR_IO, -EIO, "no sum") : 0;
}

static int be_idle(void *ctx, struct err *err)
{
	struct sink *s = ctx;
	unsigned int n;

	enter(s);
	n = atomic_fetch_add(&s->idle, 1) + 1;
	atomic_fetch_sub(&s->inside, 1);
	return n == s->idle_fails_at ? err_fail(err, ERR_IO, -EPIPE, "no reader") : 0;
}

static int setup(void **state, enum pipeline_threads threads)
{
	static struct sink s;

	s = (struct sink){
		.threads = threads,
		.pusher = pthread_self(),
		.in_order = true,
		.tapped_in_order = true,
	};
	assert_int_equal(cancel_init(&s.cancel, NULL), 0);
	*state = &s;
	return 0;
}

static int setup_auto(void **state)
{
	return setup(state, PIPELINE_AUTO);
}

static int setup_always(void **state)
{
	return setup(state, PIPELINE_ALWAYS);
}

static int setup_never(void **state)
{
	return setup(state, PIPELINE_NEVER);
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
		.threads = s->threads,
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
	assert_string_equal(err.text, "no reader");
	assert_int_equal(pipeline_frame(s->pipe, &frame, &err), -EPIPE);
	assert_int_equal(atomic_load(&s->idle), 2);
}

/* The pushing thread may be late with the next frame, and the one in its hands take long. */
static void idle_and_the_sink_take_turns(void **state)
{
	struct sink *s = *state;

	s->idles = true;
	s->slow_ns = 3000000;
	make(s, 4);
	for (uint64_t k = 0; k < 20; k++) {
		unsigned int was = atomic_load(&s->idle);

		assert_int_equal(push(s, k, NULL), 0);
		while (k % 4 == 0 && atomic_load(&s->idle) == was)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
	assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
	assert_int_equal(s->seen, 20);
	assert_false(atomic_load(&s->overlap));
}

/* Of a stream of numbers: what came, and in which frames. */
struct stream {
	uint32_t next;
	size_t frames, lens[64];
	bool in_order;
};

static int take_stream(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct stream *s = ctx;

	(void)err;
	for (size_t i = 0; i < len; i += sizeof(s->next), s->next++)
		s->in_order &= !memcmp(frame->payload + i, &s->next, sizeof(s->next));
	s->lens[s->frames++ % 64] = len;
	memset(frame->payload, 0xee, IMAGE_FRAME_PAYLOAD);
	return 0;
}

static void number(void *to, size_t len, uint32_t from)
{
	for (size_t i = 0; i < len / sizeof(from); i++, from++)
		memcpy((char *)to + i * sizeof(from), &from, sizeof(from));
}

/* Puts sections of these sizes, lent room where there is any. Return: how many were lent it. */
static unsigned int put_all(struct pipeline *p, const size_t *sizes, uint32_t *next)
{
	static uint8_t own[4 << 20];
	unsigned int lent = 0;

	for (; *sizes; sizes++) {
		uint8_t *room;

		assert_int_equal(pipeline_lend(p, *sizes, &room, NULL), 0);
		lent += !!room;
		room = room ? room + IMAGE_SECTION_HEADER : own;
		number(room, *sizes, *next);
		*next += (uint32_t)(*sizes / sizeof(*next));
		assert_int_equal(pipeline_put(p, room, *sizes, NULL), 0);
	}
	assert_int_equal(pipeline_drain(p, NULL), 0);
	return lent;
}

#define FULL IMAGE_FRAME_PAYLOAD

static void what_is_put_goes_on_in_whole_frames_or_where_it_lies(void **state)
{
	/* clang-format off */
	static const struct {
		size_t sizes[8], frames[8]; /* both end with 0 */
		unsigned int lent;
	} rows[] = {
		{ { FULL, FULL, 100 },            { FULL, FULL, 100 },                     2 },
		{ { 100, 200, 300 },              { 600 },                                 0 },
		{ { 100, FULL, 100, 700000 },     { 100, FULL, 100, 700000 },              2 },
		{ { 400000, 400000, 400000 },     { FULL, 1200000 - FULL },                0 },
		{ { 4 },                          { 4 },                                   0 },
		{ { 600000, 4, 600000 },          { 600000, 4, 600000 },                   2 },
	};
	/* clang-format on */
	struct sink *s = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i += effort_share()) {
		struct stream stream = { .in_order = true };
		const struct pipeline_options opts = {
			.threads = s->threads,
			.frames = 3,
			.sink = take_stream,
			.ctx = &stream,
			.cancel = &s->cancel,
		};
		uint32_t next = 0;

		assert_int_equal(pipeline_new(&opts, &s->pipe, NULL), 0);
		for (size_t round = 1, frames = 0; round <= 3; round++) {
			assert_int_equal(put_all(s->pipe, rows[i].sizes, &next), rows[i].lent);
			for (size_t k = 0; rows[i].frames[k]; k++, frames++)
				assert_int_equal(stream.lens[frames], rows[i].frames[k]);
			assert_int_equal(stream.frames, frames);
			assert_int_equal(stream.next, next);
		}
		assert_true(stream.in_order);
		s->pipe = pipeline_free(s->pipe);
	}
}

static void more_than_a_frame_is_put_in_several(void **state)
{
	static uint8_t own[4 << 20];
	struct sink *s = *state;
	struct stream stream = { .in_order = true };
	const struct pipeline_options opts = {
		.threads = s->threads,
		.frames = 2,
		.sink = take_stream,
		.ctx = &stream,
		.cancel = &s->cancel,
	};

	assert_int_equal(pipeline_new(&opts, &s->pipe, NULL), 0);
	number(own, sizeof(own), 0);
	assert_int_equal(pipeline_put(s->pipe, own, sizeof(own), NULL), 0);
	assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
	assert_int_equal(stream.frames, 5);
	assert_int_equal(stream.next, sizeof(own) / sizeof(stream.next));
	assert_true(stream.in_order);
}

/* As a stream is read, with and without an end of a round in between. */
static void room_is_filled_in_pieces(void **state)
{
	static const size_t pieces[] = { 4, 400000, FULL };
	struct sink *s = *state;

	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i += effort_share()) {
		struct stream stream = { .in_order = true };
		const struct pipeline_options opts = {
			.threads = s->threads,
			.frames = 2,
			.sink = take_stream,
			.ctx = &stream,
			.cancel = &s->cancel,
		};
		uint32_t next = 0, total = pieces[i] == 4 ? 4000 : 3 * FULL / 4;

		assert_int_equal(pipeline_new(&opts, &s->pipe, NULL), 0);
		while (next < total) {
			uint8_t *room;
			size_t len;

			assert_int_equal(pipeline_room(s->pipe, &room, &len, NULL), 0);
			assert_true(len > 0 && len <= FULL);
			len = len < pieces[i] ? len : pieces[i];
			number(room, len, next);
			next += (uint32_t)(len / sizeof(next));
			assert_int_equal(pipeline_filled(s->pipe, len, NULL), 0);
			if (next == 1000)
				assert_int_equal(pipeline_flush(s->pipe, NULL), 0);
		}
		assert_int_equal(pipeline_flush(s->pipe, NULL), 0);
		assert_int_equal(pipeline_flush(s->pipe, NULL), 0);
		assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
		assert_int_equal(stream.next, next);
		assert_int_equal(stream.frames, pieces[i] == 4 ? 2 : 3);
		assert_true(stream.in_order);
		s->pipe = pipeline_free(s->pipe);
	}
}

static void a_failure_reaches_what_puts_and_lends(void **state)
{
	struct sink *s = *state;
	struct err err = { 0 };
	uint8_t *room = NULL;
	int r = 0;

	s->waits = true;
	cancel_request(&s->cancel); /* so the sink fails at once */
	make(s, 2);
	for (int i = 0; i < 4 && r >= 0; i++) {
		r = pipeline_lend(s->pipe, FULL, &room, &err);
		if (r < 0)
			break;
		r = pipeline_put(s->pipe, room + IMAGE_SECTION_HEADER, FULL, &err);
	}
	assert_int_equal(r, -ECANCELED);
	assert_int_equal(pipeline_lend(s->pipe, FULL, &room, NULL), -ECANCELED);
	assert_null(room);
	assert_int_equal(pipeline_put(s->pipe, "x", 1, NULL), -ECANCELED);
	assert_int_equal(pipeline_drain(s->pipe, NULL), -ECANCELED);
}

static void *cancel_when_busy(void *arg)
{
	struct sink *s = arg;

	while (!atomic_load(&s->busy))
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	cancel_request(&s->cancel);
	return NULL;
}

/* Then only the cancel reaches the thread that waits. */
static void a_sink_that_waits_in_the_pushing_thread_is_cancelled(void **state)
{
	struct sink *s = *state;
	struct err err = { 0 };
	pthread_t thread;

	s->waits = true;
	make(s, 4);
	assert_int_equal(pthread_create(&thread, NULL, cancel_when_busy, s), 0);
	assert_int_equal(push(s, 0, &err), -ECANCELED);
	assert_int_equal(err.kind, ERR_ABORTED);
	assert_int_equal(pipeline_explain(s->pipe, -ECANCELED, NULL), -ECANCELED);
	assert_int_equal(pipeline_drain(s->pipe, NULL), -ECANCELED);
	pthread_join(thread, NULL);
}

static void one_cpu_or_one_frame_takes_no_thread(void **state)
{
	static const struct {
		bool one_cpu, idles, taps;
		unsigned int workers;
	} rows[] = {
		{ false, false, false, 0 }, { false, false, true, 2 }, { false, true, true, 2 },
		{ true, false, false, 0 },  { true, false, true, 2 },  { true, true, true, 2 },
	};
	struct sink *s = *state;
	cpu_set_t all, one;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	CPU_ZERO(&one);
	for (int i = 0; !CPU_COUNT(&one); i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	s->works = true;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		bool alone = rows[i].one_cpu || CPU_COUNT(&all) == 1;

		assert_int_equal(sched_setaffinity(0, sizeof(one), alone ? &one : &all), 0);
		s->seen = s->tapped = 0;
		s->idles = rows[i].idles;
		s->taps = rows[i].taps;
		s->workers = rows[i].workers;
		make(s, 4);
		for (uint64_t k = 0; k < 3; k++) {
			atomic_store(&s->elsewhere, 0);
			assert_int_equal(push(s, k, NULL), 0);
			assert_int_equal(pipeline_drain(s->pipe, NULL), 0);
			assert_int_equal(atomic_load(&s->elsewhere),
					 alone || !k ? 0 : 1 + s->taps + !!s->workers);
			assert_int_equal(s->seen, k + 1);
		}
		assert_true(s->in_order);
		s->pipe = pipeline_free(s->pipe);
	}
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* clang-format off */
#define IN(mode, f) { #f ", " #mode, f, setup_##mode, teardown, NULL }
/* clang-format on */
#define IN_ALL(f) IN(auto, f), IN(always, f), IN(never, f)

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_ALL(all_arrive_in_order),
		IN_ALL(it_can_be_drained_and_go_on),
		IN_ALL(a_frame_is_the_same_until_it_is_pushed),
		IN_ALL(a_failure_reaches_whoever_pushes),
		IN_ALL(work_is_done_on_each_before_the_sink_has_it),
		IN_ALL(work_that_fails_ends_the_flow),
		IN_ALL(a_tap_has_all_of_it_in_order_whoever_is_faster),
		IN_ALL(a_tap_that_fails_ends_the_flow),
		IN_ALL(a_sink_with_nothing_to_do_is_told),
		IN_ALL(who_finds_out_while_idle_ends_the_flow),
		IN_ALL(idle_and_the_sink_take_turns),
		IN_ALL(what_is_put_goes_on_in_whole_frames_or_where_it_lies),
		IN_ALL(more_than_a_frame_is_put_in_several),
		IN_ALL(room_is_filled_in_pieces),
		IN_ALL(a_failure_reaches_what_puts_and_lends),
		IN(always, freeing_it_ends_a_sink_that_waits),
		IN(auto, a_sink_that_waits_in_the_pushing_thread_is_cancelled),
		IN(never, a_sink_that_waits_in_the_pushing_thread_is_cancelled),
		IN_ALL(freeing_it_when_all_is_through_cancels_nothing),
		IN(auto, one_cpu_or_one_frame_takes_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
