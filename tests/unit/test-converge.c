// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "engine/converge.h"
#include "fsm/fsm.h"
#include "fake-dev.h"
#include "fake-switchover.h"

/* What is done in a round of pre-copy, and about each verdict. */

#define BASE MIG_CAP_STOP_COPY
#define P2P (BASE | MIG_CAP_P2P)
#define FULL (P2P | MIG_CAP_PRE_COPY)

#define MOST 3u
#define FRAME ((uint64_t)IMAGE_FRAME_PAYLOAD)

#define NOT_YET SWITCHOVER_NOT_YET
#define CONVERGED SWITCHOVER_CONVERGED
#define DIVERGES SWITCHOVER_DIVERGES
#define LIMIT SWITCHOVER_LIMIT

/**
 * struct bench - devices in pre-copy, and what comes out of them
 * @put: bytes that have come to the output
 * @seen: how many had at the end of each round
 * @decisions, @rounds: events; those of the first device
 */
struct bench {
	unsigned int n;
	struct fake *fakes[MOST];
	struct device devices[MOST];
	struct device *devs[MOST];
	struct cancel cancel;
	struct events events;
	struct set set;
	struct lanes lanes;
	struct lane lane[MOST];
	struct converge_options options;
	struct converge_round round[MOST];
	struct converge c;
	uint64_t put;
	uint64_t seen[FAKE_POLICY_ROUNDS];
	unsigned int decisions, rounds;
	struct event_round told[FAKE_POLICY_ROUNDS];
};

static int bench_put(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct bench *b = ctx;

	(void)buf;
	(void)err;
	b->put += len;
	return 0;
}

static void bench_on_step(void *ctx)
{
	struct bench *b = ctx;

	b->seen[fake_policy.asked] = b->put;
}

static void bench_on_event(void *ctx, const struct event *e)
{
	struct bench *b = ctx;

	b->decisions += e->kind == EVENT_DECISION;
	if (e->kind == EVENT_ROUND && e->device == 0)
		b->told[b->rounds++] = e->round;
}

static struct bench *bench_new(unsigned int n, const unsigned int *caps)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_policy = (struct fake_policy){ .on_step = bench_on_step, .ctx = b };
	b->n = n;
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	events_init(&b->events);
	events_listen(&b->events, bench_on_event, b);
	for (unsigned int i = 0; i < n; i++) {
		b->fakes[i] = fake_new(caps[i]);
		b->fakes[i]->cancel = &b->cancel;
		b->fakes[i]->offers_v2 = true;
		b->devices[i] = (struct device){
			.lock = -1,
			.spec = (char *)"dev",
			.how = &acquirer_node,
			.mig = &b->fakes[i]->dev,
		};
		b->devs[i] = &b->devices[i];
	}
	b->options.policy.max_ns = 3600 * NSEC_PER_SEC;
	return b;
}

static void bench_free(struct bench *b)
{
	for (unsigned int i = 0; i < b->n; i++)
		lane_done(&b->lane[i]);
	lanes_done(&b->lanes);
	set_done(&b->set);
	free(b->set.results);
	events_done(&b->events);
	cancel_done(&b->cancel);
	for (unsigned int i = 0; i < b->n; i++)
		assert_int_equal(fake_free(b->fakes[i]), 0);
	free(b);
}

static int run(struct bench *b, struct err *err)
{
	assert_int_equal(
		set_init(&b->set, b->devs, b->n, MIG_STOP_COPY, 0, &b->cancel, &b->events, err), 0);
	assert_int_equal(set_open(&b->set, NULL, false, err), 0);
	lanes_init(&b->lanes);
	b->lanes.put = bench_put;
	b->lanes.ctx = b;
	b->lanes.cancel = &b->cancel;
	for (unsigned int i = 0; i < b->n; i++)
		assert_int_equal(
			lane_init(&b->lane[i], &b->lanes, b->devs[i]->mig, i, &b->events, err), 0);
	b->c = (struct converge){
		.options = &b->options,
		.set = &b->set,
		.lanes = b->lane,
		.rounds = b->round,
	};
	return converge_run(&b->c, err);
}

static struct bench *bench_of_one(const struct fake_round *rounds, unsigned int n)
{
	static const unsigned int full[] = { FULL };
	struct bench *b = bench_new(1, full);

	b->fakes[0]->rounds = rounds;
	b->fakes[0]->n_rounds = n;
	return b;
}

static void say(const enum switchover_verdict *verdicts, unsigned int n)
{
	fake_policy.verdicts = verdicts;
	fake_policy.n = n;
}

/* A round is what was told before it, and the frame that is not full does not wait for the next. */
static void each_round_is_read_to_its_end_and_put_out(void **state)
{
	static const struct fake_round rounds[] = {
		{ 2 * IMAGE_FRAME_PAYLOAD + 7, 0, false },
		{ 0, 500, false }, /* round 1 */
		{ 0, 300, false },
		{ 0, 20, false }, /* round 2 */
		{ 0, 3, false },
		{ 0, 0, false }, /* round 3 */
	};
	static const enum switchover_verdict verdicts[] = { NOT_YET, NOT_YET, CONVERGED };
	static const int empties[] = { 0, -ENOMSG };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(empties); i++) {
		struct bench *b = bench_of_one(rounds, ARRAY_SIZE(rounds));
		struct err err = { 0 };

		say(verdicts, ARRAY_SIZE(verdicts));
		b->fakes[0]->empty = empties[i];
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(fake_policy.asked, 3);
		assert_int_equal(b->seen[0], 2 * FRAME + 7);
		assert_int_equal(b->seen[1], 2 * FRAME + 7 + 800);
		assert_int_equal(b->seen[2], 2 * FRAME + 7 + 823);
		assert_int_equal(fake_policy.rounds[0].moved, 2 * FRAME + 7);
		assert_int_equal(fake_policy.rounds[0].dirty, 500);
		assert_int_equal(fake_policy.rounds[1].moved, 800);
		assert_int_equal(fake_policy.rounds[1].dirty, 20);
		assert_int_equal(fake_policy.rounds[2].moved, 23);
		assert_int_equal(fake_policy.rounds[2].dirty, 0);
		assert_true(fake_policy.rounds[2].told);
		assert_string_equal(b->fakes[0]->log, "get set:pre-copy set:pre-copy-p2p");
		assert_int_equal(b->fakes[0]->opened, 1);
		bench_free(b);
	}
}

static void rounds_and_decisions_are_told(void **state)
{
	static const struct fake_round rounds[] = {
		{ 100, 0, false },
		{ 40, 500, false },
		{ 0, 0, false },
		{ 0, 9, false },
	};
	static const enum switchover_verdict verdicts[] = { NOT_YET, CONVERGED };
	struct bench *b = bench_of_one(rounds, ARRAY_SIZE(rounds));
	struct err err = { 0 };

	(void)state;
	say(verdicts, ARRAY_SIZE(verdicts));
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->rounds, 2);
	assert_int_equal(b->told[0].number, 1);
	assert_int_equal(b->told[0].bytes, 100);
	assert_int_equal(b->told[0].info.initial_bytes, 40);
	assert_int_equal(b->told[0].info.dirty_bytes, 500);
	assert_int_equal(b->told[1].number, 2);
	assert_int_equal(b->told[1].bytes, 540);
	assert_int_equal(b->told[1].info.dirty_bytes, 9);
	assert_int_equal(b->decisions, 2);
	assert_true(b->c.decided);
	assert_int_equal(b->c.decision.verdict, CONVERGED);
	assert_int_equal(b->c.decision.number, 2);
	bench_free(b);
}

/* Pre-copy only ever saves time: a device that does not tell is read until it is empty. */
static void a_device_that_tells_nothing_is_read_all_the_same(void **state)
{
	static const struct fake_round rounds[] = { { 700, 0, false }, { 0, 0, false } };

	(void)state;
	for (int fails = 0; fails < 2; fails++) {
		struct bench *b = bench_of_one(rounds, fails ? ARRAY_SIZE(rounds) : 0);
		struct err err = { 0 };

		b->fakes[0]->unasked = 100000;
		if (fails) /* the second question of the first round */
			fake_fail(b->fakes[0], FAKE_INFO, 2, -EIO, FAKE_STAYS);
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->put, fails ? 700 : 100000);
		assert_false(fake_policy.rounds[0].told);
		assert_int_equal(fake_policy.rounds[0].dirty, 0);
		assert_int_equal(fake_policy.rounds[0].moved, b->put);
		bench_free(b);
	}
}

/* The set waits for all; one without pre-copy runs until the others are stopped. */
static void those_that_can_take_part_and_the_others_wait(void **state)
{
	static const unsigned int caps[] = { FULL, P2P, FULL };
	static const struct fake_round rounds[] = {
		{ 1000, 0, false },
		{ 0, 30, false },
		{ 0, 0, false },
		{ 0, 4, false },
	};
	static const enum switchover_verdict verdicts[] = { NOT_YET, CONVERGED };
	struct bench *b = bench_new(ARRAY_SIZE(caps), caps);
	struct err err = { 0 };

	(void)state;
	say(verdicts, ARRAY_SIZE(verdicts));
	for (unsigned int i = 0; i < b->n; i++) {
		b->fakes[i]->size = 5000;
		b->fakes[i]->rounds = rounds;
		b->fakes[i]->n_rounds = ARRAY_SIZE(rounds);
	}
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->fakes[0]->log, "get set:pre-copy set:pre-copy-p2p");
	assert_string_equal(b->fakes[1]->log, "get set:running-p2p");
	assert_string_equal(b->fakes[2]->log, "get set:pre-copy set:pre-copy-p2p");
	assert_int_equal(b->fakes[1]->calls[FAKE_INFO], 0);
	assert_int_equal(b->fakes[1]->calls[FAKE_READ], 0);
	/* All that the one has is for STOP_COPY; of the two, what was neither read nor told. */
	assert_true(fake_policy.rounds[0].told);
	assert_int_equal(fake_policy.rounds[0].moved, 2000);
	assert_int_equal(fake_policy.rounds[0].dirty, 60);
	assert_int_equal(fake_policy.rounds[0].stop_copy, 5000 + 2 * (5000 - 1030));
	assert_int_equal(fake_policy.rounds[1].moved, 60);
	assert_int_equal(fake_policy.rounds[1].dirty, 8);
	for (unsigned int i = 0; i < b->n; i++)
		assert_int_equal(b->fakes[i]->opt_ins, i == 1 ? 0 : 1);
	bench_free(b);
}

static void one_that_was_found_stopped_is_left_alone(void **state)
{
	static const unsigned int caps[] = { FULL, FULL };
	struct bench *b = bench_new(ARRAY_SIZE(caps), caps);
	struct err err = { 0 };

	(void)state;
	b->fakes[1]->state = MIG_STOP;
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->fakes[1]->log, "get");
	assert_int_equal(b->fakes[1]->opt_ins, 0);
	assert_int_equal(b->fakes[0]->opt_ins, 1);
	bench_free(b);
}

static void precopy_is_wanted_where_one_can_and_runs(void **state)
{
	static const struct {
		unsigned int caps[2];
		enum mig_state states[2];
		bool wanted;
	} rows[] = {
		{ { P2P, P2P }, { MIG_RUNNING, MIG_RUNNING }, false },
		{ { P2P, FULL }, { MIG_RUNNING, MIG_RUNNING }, true },
		{ { P2P, FULL }, { MIG_RUNNING, MIG_RUNNING_P2P }, true },
		{ { P2P, FULL }, { MIG_RUNNING, MIG_STOP }, false },
		{ { FULL, FULL }, { MIG_STOP, MIG_RUNNING }, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(2, rows[i].caps);
		struct err err = { 0 };

		for (unsigned int d = 0; d < 2; d++)
			b->fakes[d]->state = rows[i].states[d];
		assert_int_equal(set_init(&b->set, b->devs, b->n, MIG_STOP_COPY, 0, &b->cancel,
					  &b->events, &err),
				 0);
		assert_int_equal(set_open(&b->set, NULL, false, &err), 0);
		assert_int_equal(converge_wanted(&b->set), rows[i].wanted);
		set_done(&b->set);
		free(b->set.results);
		for (unsigned int d = 0; d < 2; d++)
			assert_int_equal(fake_free(b->fakes[d]), 0);
		events_done(&b->events);
		cancel_done(&b->cancel);
		free(b);
	}
}

static void a_device_reconfigured_at_the_last_moment_has_another_turn(void **state)
{
	static const struct fake_round rounds[] = {
		{ 1000, 0, false }, { 0, 0, false }, /* round 1: converged */
		{ 2000, 0, true }, /* and in PRE_COPY_P2P it is not any more */
		{ 100, 0, false },  { 0, 0, false }, /* round 2: converged again */
		{ 0, 0, false }, /* and so it is in PRE_COPY_P2P */
	};
	static const enum switchover_verdict verdicts[] = { CONVERGED, NOT_YET, CONVERGED };
	struct bench *b = bench_of_one(rounds, ARRAY_SIZE(rounds));
	struct err err = { 0 };

	(void)state;
	say(verdicts, ARRAY_SIZE(verdicts));
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->fakes[0]->log,
			    "get set:pre-copy set:pre-copy-p2p set:pre-copy set:pre-copy-p2p");
	assert_int_equal(b->put, 3100);
	assert_int_equal(fake_policy.asked, 3);
	assert_false(fake_policy.rounds[0].quiescent);
	assert_true(fake_policy.rounds[1].quiescent);
	assert_true(fake_policy.rounds[1].reinit);
	assert_int_equal(fake_policy.rounds[1].initial, 2000);
	assert_int_equal(fake_policy.rounds[1].moved, 0);
	assert_false(fake_policy.rounds[2].quiescent);
	assert_false(fake_policy.rounds[2].reinit);
	assert_int_equal(b->fakes[0]->opened, 1);
	assert_int_equal(b->fakes[0]->opt_ins, 1);
	bench_free(b);
}

/* There is no other turn: what the policy says, or a budget that is used up, stands. */
static void after_a_reconfiguration_the_policy_has_the_last_word(void **state)
{
	static const struct fake_round rounds[] = {
		{ 1000, 0, false },
		{ 0, 0, false },
		{ 2000, 0, true },
	};
	static const struct {
		enum switchover_verdict verdicts[2];
		unsigned int asked;
		int result; /* where divergence is to end it */
	} rows[] = {
		{ { CONVERGED, CONVERGED }, 2, 0 },	{ { CONVERGED, LIMIT }, 2, -ETIME },
		{ { CONVERGED, DIVERGES }, 2, -ETIME }, { { DIVERGES, CONVERGED }, 2, 0 },
		{ { LIMIT, NOT_YET }, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int abort = 0; abort < 2; abort++) {
			struct bench *b;
			struct err err = { 0 };

			/* Else it ends before the last look. */
			if (abort && rows[i].verdicts[0] != CONVERGED)
				continue;
			b = bench_of_one(rounds, ARRAY_SIZE(rounds));
			say(rows[i].verdicts, 2);
			b->options.on_divergence = abort ? ON_DIVERGENCE_ABORT : ON_DIVERGENCE_STOP;
			assert_int_equal(run(b, &err), abort ? rows[i].result : 0);
			assert_string_equal(b->fakes[0]->log, "get set:pre-copy set:pre-copy-p2p");
			assert_int_equal(fake_policy.asked, rows[i].asked);
			bench_free(b);
		}
}

/* Its driver does not know the flag, and would say nothing true. */
static void without_the_flag_no_device_is_asked_once_it_is_quiescent(void **state)
{
	static const struct fake_round rounds[] = {
		{ 1000, 0, false },
		{ 0, 0, false },
		{ 2000, 0, true },
	};
	struct bench *b = bench_of_one(rounds, ARRAY_SIZE(rounds));
	struct err err = { 0 };

	(void)state;
	b->fakes[0]->offers_v2 = false;
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->fakes[0]->calls[FAKE_INFO], 2);
	assert_int_equal(fake_policy.asked, 1);
	bench_free(b);
}

static void what_does_not_converge_is_stopped_or_given_up(void **state)
{
	static const enum switchover_verdict verdicts[] = { DIVERGES, LIMIT };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		for (int abort = 0; abort < 2; abort++) {
			struct bench *b = bench_of_one(NULL, 0);
			struct err err = { 0 };

			say(&verdicts[i], 1);
			b->options.on_divergence = abort ? ON_DIVERGENCE_ABORT : ON_DIVERGENCE_STOP;
			assert_int_equal(run(b, &err), abort ? -ETIME : 0);
			assert_int_equal(b->fakes[0]->state,
					 abort ? MIG_PRE_COPY : MIG_PRE_COPY_P2P);
			assert_true(b->c.decided);
			assert_int_equal(b->c.decision.verdict, verdicts[i]);
			if (abort) {
				assert_int_equal(err_status(&err), 75);
				assert_string_not_equal(err.hint, "");
			}
			bench_free(b);
		}
}

/* A device that makes data as fast as it is read; what it still has comes later. */
static void no_round_goes_on_after_the_time_is_up(void **state)
{
	struct bench *b = bench_of_one(NULL, 0);
	struct err err = { 0 };

	(void)state;
	b->options.policy.max_ns = 1;
	b->fakes[0]->unasked = 100000;
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(fake_policy.rounds[0].moved, 0);
	assert_int_equal(b->put, 0);
	assert_int_equal(b->lane[0].pump.deadline_ns, 0);
	assert_int_equal(pump_run(&b->lane[0].pump, &err), 0);
	assert_int_equal(b->lane[0].pump.bytes, 100000);
	bench_free(b);
}

static void request_cancel(void *ctx)
{
	cancel_request(&((struct bench *)ctx)->cancel);
}

static void a_pause_and_the_next_round_heed_the_cancel(void **state)
{
	static const enum switchover_verdict verdicts[] = { NOT_YET, NOT_YET };

	(void)state;
	for (int pause = 0; pause < 2; pause++) {
		struct bench *b = bench_of_one(NULL, 0);
		struct err err = { 0 };

		say(verdicts, ARRAY_SIZE(verdicts));
		fake_policy.pause_ns = pause ? UINT64_MAX : 0;
		fake_policy.on_step = request_cancel;
		assert_int_equal(run(b, &err), -ECANCELED);
		assert_int_equal(err_status(&err), 75);
		assert_int_equal(fake_policy.asked, 1);
		assert_int_equal(b->fakes[0]->state, MIG_PRE_COPY);
		bench_free(b);
	}
}

/* A read that fails in one device ends the rounds of all. */
static void a_failure_in_a_round_ends_pre_copy(void **state)
{
	static const unsigned int caps[] = { FULL, FULL, FULL };
	static const enum switchover_verdict verdicts[] = { NOT_YET, NOT_YET, NOT_YET };

	(void)state;
	for (unsigned int broken = 0; broken < ARRAY_SIZE(caps); broken++) {
		struct bench *b = bench_new(ARRAY_SIZE(caps), caps);
		struct err err = { 0 };

		say(verdicts, ARRAY_SIZE(verdicts));
		for (unsigned int i = 0; i < b->n; i++)
			b->fakes[i]->unasked = 1000;
		fake_fail(b->fakes[broken], FAKE_READ, 3, -EIO, FAKE_STAYS);
		assert_int_equal(run(b, &err), -EIO);
		assert_true(fake_policy.asked <= 2);
		for (unsigned int i = 0; i < b->n; i++)
			assert_int_equal(b->fakes[i]->state, MIG_PRE_COPY);
		bench_free(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_round_is_read_to_its_end_and_put_out),
		cmocka_unit_test(rounds_and_decisions_are_told),
		cmocka_unit_test(a_device_that_tells_nothing_is_read_all_the_same),
		cmocka_unit_test(those_that_can_take_part_and_the_others_wait),
		cmocka_unit_test(one_that_was_found_stopped_is_left_alone),
		cmocka_unit_test(precopy_is_wanted_where_one_can_and_runs),
		cmocka_unit_test(a_device_reconfigured_at_the_last_moment_has_another_turn),
		cmocka_unit_test(after_a_reconfiguration_the_policy_has_the_last_word),
		cmocka_unit_test(without_the_flag_no_device_is_asked_once_it_is_quiescent),
		cmocka_unit_test(what_does_not_converge_is_stopped_or_given_up),
		cmocka_unit_test(no_round_goes_on_after_the_time_is_up),
		cmocka_unit_test(a_pause_and_the_next_round_heed_the_cancel),
		cmocka_unit_test(a_failure_in_a_round_ends_pre_copy),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
