// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/runner.h"

#define N 4u
#define ORDERS 1000u
#define NONE UINT32_MAX

/**
 * struct crew - what those that get orders share
 * @meeting: passed only by all at once
 * @threads: that carried out the last order
 * @done: orders carried out
 * @first: who fails before the others do, NONE for all at once
 * @results: of each
 * @stuck: whose driver does not come back, NONE for none
 * @gate: a pipe, that its driver reads
 * @back: it has come back
 * @opener: who opens the gate, by an order
 */
struct crew {
	struct cancel cancel;
	struct runner *runner;
	pthread_barrier_t meeting;
	pthread_t threads[N];
	atomic_uint done[N];
	unsigned int first;
	int results[N];
	unsigned int stuck;
	int gate[2];
	atomic_bool back;
	unsigned int opener;
};

static int crew_setup(void **state)
{
	struct crew *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	assert_int_equal(cancel_init(&c->cancel, NULL), 0);
	assert_int_equal(runner_new(N, &c->cancel, &c->runner, NULL), 0);
	assert_int_equal(pthread_barrier_init(&c->meeting, NULL, N), 0);
	assert_int_equal(pipe(c->gate), 0);
	c->first = c->stuck = c->opener = NONE;
	*state = c;
	return 0;
}

static int crew_teardown(void **state)
{
	struct crew *c = *state;

	runner_free(c->runner);
	pthread_barrier_destroy(&c->meeting);
	close(c->gate[0]);
	close(c->gate[1]);
	cancel_done(&c->cancel);
	free(c);
	return 0;
}

static void open_gate(struct crew *c)
{
	if (write(c->gate[1], "", 1) != 1)
		abort();
}

/*
 * Orders
 */

static int meet(const void *order, unsigned int index, struct err *err)
{
	struct crew *c = *(struct crew *const *)order;

	(void)err;
	pthread_barrier_wait(&c->meeting);
	c->threads[index] = pthread_self();
	atomic_fetch_add(&c->done[index], 1);
	return 0;
}

static int work(const void *order, unsigned int index, struct err *err)
{
	struct crew *c = *(struct crew *const *)order;

	(void)err;
	if (index == c->opener)
		open_gate(c);
	atomic_fetch_add(&c->done[index], 1);
	return 0;
}

/* The first fails by itself, the others once they are asked to stop. */
static int end(const void *order, unsigned int index, struct err *err)
{
	struct crew *c = *(struct crew *const *)order;
	char byte;

	if (index == c->stuck) {
		if (read(c->gate[0], &byte, 1) != 1)
			abort();
		atomic_store(&c->back, true);
		return 0;
	}
	if (c->first != NONE && index != c->first && cancel_pause(&c->cancel, -1, NULL) >= 0)
		abort();
	if (c->results[index])
		err_fail(err, ERR_IO, c->results[index], "device %u", index);
	return c->results[index];
}

static void all_carry_out_an_order_at_the_same_time_each_in_its_thread(void **state)
{
	struct crew *c = *state;
	pthread_t before[N];

	for (unsigned int turn = 1; turn <= ORDERS; turn++) {
		assert_int_equal(runner_all(c->runner, meet, &c, sizeof(c), true, NULL), 0);
		for (unsigned int i = 0; i < N; i++) {
			assert_int_equal(atomic_load(&c->done[i]), turn);
			assert_false(runner_hangs(c->runner, i));
			assert_false(pthread_equal(c->threads[i], pthread_self()));
			for (unsigned int j = 0; j < i; j++)
				assert_false(pthread_equal(c->threads[i], c->threads[j]));
			assert_true(turn == 1 || pthread_equal(c->threads[i], before[i]));
			before[i] = c->threads[i];
		}
	}
	assert_false(atomic_load(&c->cancel.requested));
}

static void what_failed_first_and_is_no_answer_to_the_cancel_counts(void **state)
{
	static const struct {
		unsigned int first;
		int results[N];
		int result;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ 0,      { 0, 0, 0, 0 },                                     0, "" },
		{ 2,      { -ECANCELED, -ECANCELED, -EIO, -ECANCELED },       -EIO, "device 2" },
		{ 0,      { -EIO, -ECANCELED, -ECANCELED, -ECANCELED },       -EIO, "device 0" },
		{ 3,      { 0, -ECANCELED, 0, -EBUSY },                       -EBUSY, "device 3" },
		{ 1,      { -EPIPE, -EIO, -EPIPE, -EPIPE },                   -EIO, "device 1" },
		{ 3,      { -EPIPE, -EPIPE, -EPIPE, -EIO },                   -EIO, "device 3" },
		{ 1,      { 0, -ECANCELED, -EPIPE, -ECANCELED },              -EPIPE, "device 2" },
		{ 1,      { 0, -ECANCELED, 0, 0 },                  -ECANCELED, "device 1" },
		{ NONE,   { -ECANCELED, -ECANCELED, -ECANCELED, -EIO },       -EIO, "device 3" },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		void *fresh;
		struct crew *c;
		int r;

		crew_setup(&fresh);
		c = fresh;
		c->first = rows[i].result ? rows[i].first : NONE;
		memcpy(c->results, rows[i].results, sizeof(c->results));
		r = runner_all(c->runner, end, &c, sizeof(c), true, &err);
		if (r != rows[i].result || strcmp(err.text, rows[i].text) != 0)
			fail_msg("row %zu: %d, %s", i, r, err.text);
		assert_int_equal(atomic_load(&c->cancel.requested), r < 0);
		crew_teardown(&fresh);
	}
}

/* What failed once is of that order: the next one is carried out like any other. */
static void orders_go_on_after_a_failure(void **state)
{
	struct crew *c = *state;
	struct err err = { 0 };

	c->results[1] = -EIO;
	assert_int_equal(runner_all(c->runner, end, &c, sizeof(c), false, &err), -EIO);
	assert_int_equal(runner_all(c->runner, meet, &c, sizeof(c), false, &err), 0);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(atomic_load(&c->done[i]), 1);
}

static void one_that_hangs_keeps_no_other_from_its_orders(void **state)
{
	struct crew *c = *state;
	struct err err = { 0 };

	c->first = 0;
	c->stuck = 1;
	c->results[0] = -EIO;
	assert_int_equal(runner_all(c->runner, end, &c, sizeof(c), true, &err), -EIO);
	assert_string_equal(err.text, "device 0");
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(runner_hangs(c->runner, i), i == 1);

	assert_int_equal(runner_all(c->runner, work, &c, sizeof(c), false, &err), 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(runner_hangs(c->runner, i), i == 1);
		assert_int_equal(atomic_load(&c->done[i]), i == 1 ? 0 : 1);
	}

	/* By an order, it comes back: then it does the last one, and not those before. */
	c->opener = 3;
	assert_int_equal(runner_all(c->runner, work, &c, sizeof(c), false, &err), 0);
	runner_join(c->runner);
	assert_true(atomic_load(&c->back));
	for (unsigned int i = 0; i < N; i++) {
		assert_false(runner_hangs(c->runner, i));
		assert_int_equal(atomic_load(&c->done[i]), i == 1 ? 1 : 2);
	}
}

/* The first is done, and asks all to stop; the one that is stuck cannot. */
static int ask_to_stop(const void *order, unsigned int index, struct err *err)
{
	struct crew *c = *(struct crew *const *)order;

	if (index == c->stuck)
		return end(order, index, err);
	if (index == 0)
		cancel_request(&c->cancel);
	return 0;
}

static void one_that_hangs_is_given_up_once_all_are_to_stop(void **state)
{
	struct crew *c = *state;
	struct err err = { 0 };

	c->stuck = 2;
	assert_int_equal(runner_all(c->runner, ask_to_stop, &c, sizeof(c), true, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_true(runner_hangs(c->runner, 2));

	/* On the way back a cancel gives up none. */
	c->opener = 1;
	assert_int_equal(runner_all(c->runner, work, &c, sizeof(c), false, &err), 0);
	runner_join(c->runner);
	assert_true(atomic_load(&c->back));
	assert_int_equal(atomic_load(&c->done[2]), 1);
}

static void *open_from_outside(void *arg)
{
	open_gate(arg);
	return NULL;
}

static void one_that_hangs_is_waited_for_at_the_end(void **state)
{
	struct crew *c = *state;
	struct err err = { 0 };
	pthread_t opener;

	c->first = 2;
	c->stuck = 3;
	c->results[2] = -EIO;
	assert_int_equal(runner_all(c->runner, end, &c, sizeof(c), true, &err), -EIO);
	assert_false(atomic_load(&c->back));
	assert_int_equal(pthread_create(&opener, NULL, open_from_outside, c), 0);
	c->runner = runner_free(c->runner);
	assert_true(atomic_load(&c->back));
	assert_int_equal(pthread_join(opener, NULL), 0);
}

static int say_where(const void *order, unsigned int index, struct err *err)
{
	**(pthread_t *const *)order = pthread_self();
	return err_fail(err, ERR_IO, -EIO, "device %u", index);
}

static void a_set_of_one_needs_no_thread(void **state)
{
	struct runner *runner;
	struct err err = { 0 };
	struct cancel cancel;
	pthread_t thread, *where = &thread;

	(void)state;
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	assert_int_equal(runner_new(1, &cancel, &runner, &err), 0);
	assert_int_equal(runner_all(runner, say_where, &where, sizeof(where), true, &err), -EIO);
	assert_string_equal(err.text, "device 0");
	assert_true(pthread_equal(thread, pthread_self()));
	assert_false(runner_hangs(runner, 0));
	runner_join(runner);
	assert_null(runner_free(runner));
	assert_null(runner_free(NULL));
	cancel_done(&cancel);
}

#define CREW_TEST(f) cmocka_unit_test_setup_teardown(f, crew_setup, crew_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CREW_TEST(all_carry_out_an_order_at_the_same_time_each_in_its_thread),
		cmocka_unit_test(what_failed_first_and_is_no_answer_to_the_cancel_counts),
		CREW_TEST(orders_go_on_after_a_failure),
		CREW_TEST(one_that_hangs_keeps_no_other_from_its_orders),
		CREW_TEST(one_that_hangs_is_given_up_once_all_are_to_stop),
		CREW_TEST(one_that_hangs_is_waited_for_at_the_end),
		cmocka_unit_test(a_set_of_one_needs_no_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
