// SPDX-License-Identifier: GPL-2.0-or-later
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/event.h"

#define DEVICES 4
#define EACH 2000u

/**
 * struct listener - looks at what it is told
 * @before: who has it first; NULL for the first
 * @busy: it is being told something
 * @last_ns, @last_bytes: of the record before, of all and of each device
 */
struct listener {
	const struct listener *before;
	atomic_bool busy;
	unsigned int n, late, mixed, early, lost;
	uint64_t last_ns;
	uint64_t last_bytes[DEVICES];
};

static void listen(void *ctx, const struct event *e)
{
	struct listener *l = ctx;

	l->mixed += atomic_exchange(&l->busy, true);
	l->n++;
	l->late += e->ns < l->last_ns;
	l->last_ns = e->ns;
	l->early += l->before && l->before->n != l->n;
	l->lost += e->progress.bytes != l->last_bytes[e->device] + 1;
	l->last_bytes[e->device] = e->progress.bytes;
	atomic_store(&l->busy, false);
}

struct teller {
	struct events *events;
	int device;
	pthread_t thread;
};

static void *tell(void *arg)
{
	const struct teller *t = arg;

	for (uint64_t i = 1; i <= EACH; i++) {
		struct event e = {
			.kind = EVENT_PROGRESS,
			.device = t->device,
			.progress = { .bytes = i },
		};

		event_emit(t->events, &e);
	}
	return NULL;
}

static void a_listener_has_one_record_at_a_time_in_the_order_of_their_times(void **state)
{
	struct listener first = { 0 }, second = { .before = &first };
	struct teller tellers[DEVICES];
	struct events events;

	(void)state;
	events_init(&events);
	events_listen(&events, listen, &first);
	events_listen(&events, listen, &second);
	for (int i = 0; i < DEVICES; i++) {
		tellers[i] = (struct teller){ .events = &events, .device = i };
		assert_int_equal(pthread_create(&tellers[i].thread, NULL, tell, &tellers[i]), 0);
	}
	for (int i = 0; i < DEVICES; i++)
		assert_int_equal(pthread_join(tellers[i].thread, NULL), 0);
	events_done(&events);
	for (const struct listener *l = &second; l; l = l->before) {
		assert_int_equal(l->n, DEVICES * EACH);
		assert_int_equal(l->late + l->mixed + l->early + l->lost, 0);
	}
}

static void copy(void *ctx, const struct event *e)
{
	*(struct event *)ctx = *e;
}

/* Progress has a time only where a listener wants it; all else has one for every listener. */
static void progress_is_dated_for_those_who_look(void **state)
{
	for (int dated = 0; dated < 2; dated++) {
		struct event got[2], e = { .kind = EVENT_PROGRESS },
				     stream = { .kind = EVENT_STREAM };
		uint64_t before = clock_ns();
		struct events events;

		(void)state;
		events_init(&events);
		events_listen_figures(&events, copy, &got[0]);
		if (dated)
			events_listen(&events, copy, &got[1]);
		event_emit(&events, &e);
		for (int i = 0; i <= dated; i++)
			assert_in_range(got[i].ns, dated ? before : 0, dated ? clock_ns() : 0);
		event_emit(&events, &stream);
		for (int i = 0; i <= dated; i++)
			assert_in_range(got[i].ns, before, clock_ns());
		events_done(&events);
	}
}

static void a_record_gets_its_time_and_nothing_else(void **state)
{
	struct event e = { .kind = EVENT_PHASE, .device = EVENT_SET, .phase = PHASE_STOP }, got;
	uint64_t before = clock_ns();
	struct events events;

	(void)state;
	events_init(&events);
	events_listen(&events, copy, &got);
	event_emit(&events, &e);
	events_done(&events);
	assert_in_range(got.ns, before, clock_ns());
	assert_int_equal(got.kind, EVENT_PHASE);
	assert_int_equal(got.device, EVENT_SET);
	assert_int_equal(got.phase, PHASE_STOP);
}

/* Engines are used without a listener, too. */
static void events_may_have_no_listener(void **state)
{
	struct event e = { .kind = EVENT_FINISH, .device = EVENT_SET };
	struct events events;

	(void)state;
	event_emit(NULL, &e);
	events_init(&events);
	event_emit(&events, &e);
	events_done(&events);
	assert_true(e.ns > 0);
}

static void there_is_room_for_all_that_listen(void **state)
{
	struct event e = { .kind = EVENT_FINISH, .device = EVENT_SET };
	struct event got[EVENT_LISTENERS_MAX] = { 0 };
	struct events events;

	(void)state;
	events_init(&events);
	for (size_t i = 0; i < ARRAY_SIZE(got); i++)
		events_listen(&events, copy, &got[i]);
	event_emit(&events, &e);
	events_done(&events);
	for (size_t i = 0; i < ARRAY_SIZE(got); i++)
		assert_int_equal(got[i].kind, EVENT_FINISH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_listener_has_one_record_at_a_time_in_the_order_of_their_times),
		cmocka_unit_test(a_record_gets_its_time_and_nothing_else),
		cmocka_unit_test(progress_is_dated_for_those_who_look),
		cmocka_unit_test(events_may_have_no_listener),
		cmocka_unit_test(there_is_room_for_all_that_listen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
