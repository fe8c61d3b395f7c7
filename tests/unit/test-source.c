// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/save.h"
#include "engine/source.h"
#include "fsm/fsm.h"
#include "fake-dev.h"

#define BASE MIG_CAP_STOP_COPY
#define FULL (BASE | MIG_CAP_P2P | MIG_CAP_PRE_COPY)

/* More than a frame, and not a multiple of anything. */
#define SIZE ((uint64_t)IMAGE_FRAME_PAYLOAD + 123457)

/* A source whose device is nothing and whose sink looks at every byte. */
struct bench {
	struct fake *f;
	struct device dev;
	struct cancel cancel;
	struct transfer transfer;
	struct precopy precopy;
	struct source s;

	uint64_t sunk;
	unsigned int frames, odd_frames; /* odd ones are not full */
	bool good;
	unsigned int fail_at; /* the frame to refuse, from 1 */
	int error;
};

static int sink(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct bench *b = ctx;

	if (++b->frames == b->fail_at)
		return err_fail(err, ERR_IO, b->error, "the sink is full");
	b->odd_frames += len != IMAGE_FRAME_PAYLOAD;
	for (size_t i = 0; i < len; i++)
		b->good &= frame->payload[i] == fake_byte(b->sunk + i);
	b->sunk += len;
	/* The frame is the sink's for as long as it has it: compression scribbles on it. */
	memset(frame->payload, 0xee, len);
	return 0;
}

static struct bench *bench_new(unsigned int caps)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->f = fake_new(caps);
	b->f->size = SIZE;
	b->f->cancel = &b->cancel;
	b->dev = (struct device){
		.spec = (char *)"dev0",
		.inherited = -1,
		.mig = &b->f->dev,
	};
	b->good = true;
	b->precopy = (struct precopy){ .max_rounds = 100, .max_ns = UINT64_MAX };
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	transfer_start(&b->transfer);
	b->s = (struct source){
		.dev = &b->dev,
		.stages = { .sink = sink, .ctx = b },
		.cancel = &b->cancel,
		.transfer = &b->transfer,
	};
	return b;
}

static void bench_free(struct bench *b)
{
	cancel_done(&b->cancel);
	assert_int_equal(fake_free(b->f), 0);
	free(b);
}

/* What save_run() does with it. */
static int settle_and_run(struct bench *b, struct err *err)
{
	int r = source_settle(&b->s, err);

	return r < 0 ? r : source_run(&b->s, err);
}

/* What is true of every end, good or bad. */
static int run(struct bench *b, struct err *err)
{
	struct fake *f = b->f;
	int r;

	fake_query(f);
	r = settle_and_run(b, err);
	assert_true(b->good);
	if (r < 0)
		assert_int_equal(err->code, r);
	if (b->s.result.left_known)
		assert_string_equal(fsm_name(b->s.result.left), fsm_name(f->state));
	assert_null(f->dev.on_arc);
	assert_int_equal(b->transfer.bytes, b->s.result.bytes);
	if (b->s.result.complete) {
		assert_int_equal(b->sunk, b->s.result.bytes);
		assert_true(b->sunk >= f->size);
		assert_true(b->odd_frames <= 1);
	}
	if (r >= 0)
		assert_true(b->s.result.complete);
	/* A device that is not where it was found is an error, whatever became of the stream. */
	if (!b->s.result.left_known ||
	    (!b->s.leave_stopped && b->s.result.left != b->s.result.found) ||
	    (b->s.result.recovered && b->s.result.recovery.reset))
		assert_int_equal(err_status(err), 81);
	return r;
}

/* the plain way */

static void every_byte_arrives_in_order_and_in_full_frames(void **state)
{
	static const uint64_t sizes[] = { 0,
					  1,
					  4093,
					  IMAGE_FRAME_PAYLOAD - 1,
					  IMAGE_FRAME_PAYLOAD,
					  IMAGE_FRAME_PAYLOAD + 1,
					  3 * (uint64_t)IMAGE_FRAME_PAYLOAD,
					  SIZE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		b->f->size = sizes[i];
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->sunk, sizes[i]);
		assert_int_equal(b->frames,
				 (sizes[i] + IMAGE_FRAME_PAYLOAD - 1) / IMAGE_FRAME_PAYLOAD);
		assert_int_equal(b->odd_frames, sizes[i] % IMAGE_FRAME_PAYLOAD ? 1 : 0);
		assert_int_equal(b->s.result.bytes, sizes[i]);
		assert_int_equal(b->transfer.expected, sizes[i]);
		assert_false(b->s.result.recovered);
		assert_int_equal(b->s.result.found, MIG_RUNNING);
		assert_string_equal(b->f->log, "set:running-p2p set:stop set:stop-copy set:stop "
					       "set:running-p2p set:running");
		bench_free(b);
	}
}

static void the_arcs_are_kept_and_the_last_state_is_shown(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };
	bool open;

	(void)state;
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->s.result.timeline.n, 6);
	assert_int_equal(b->s.result.timeline.arcs[2].to, MIG_STOP_COPY);
	assert_true(timeline_downtime(&b->s.result.timeline, &open) >=
		    b->s.result.timeline.arcs[0].ns);
	assert_false(open);
	assert_int_equal(b->transfer.state, MIG_RUNNING);
	assert_true(b->s.result.stream_ns > 0);
	bench_free(b);
}

static void a_device_goes_back_to_where_it_was_found(void **state)
{
	static const struct {
		enum mig_state at, found, left;
		bool leave_stopped;
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING,      MIG_RUNNING,     MIG_RUNNING,     false },
		{ MIG_RUNNING,      MIG_RUNNING,     MIG_STOP,        true },
		{ MIG_RUNNING_P2P,  MIG_RUNNING_P2P, MIG_RUNNING_P2P, false },
		{ MIG_RUNNING_P2P,  MIG_RUNNING_P2P, MIG_STOP,        true },
		{ MIG_STOP,         MIG_STOP,        MIG_STOP,        false },
		{ MIG_STOP,         MIG_STOP,        MIG_STOP,        true },
		/* left behind by another process */
		{ MIG_STOP_COPY,    MIG_STOP,        MIG_STOP,        false },
		{ MIG_PRE_COPY,     MIG_RUNNING,     MIG_RUNNING,     false },
		{ MIG_PRE_COPY_P2P, MIG_RUNNING_P2P, MIG_RUNNING_P2P, false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int precopy = 0; precopy < 2; precopy++) {
			static const struct fake_round rounds[] = { { 5000, 0, false } };
			struct bench *b = bench_new(FULL);
			struct err err = { 0 };

			b->f->rounds = rounds;
			b->f->n_rounds = ARRAY_SIZE(rounds);
			b->f->state = rows[i].at;
			b->s.leave_stopped = rows[i].leave_stopped;
			if (precopy)
				b->s.precopy = &b->precopy;
			assert_int_equal(run(b, &err), 0);
			assert_int_equal(b->s.result.found, rows[i].found);
			assert_int_equal(b->s.result.left, rows[i].left);
			assert_true(b->s.result.left_known);
			assert_int_equal(b->sunk, SIZE);
			bench_free(b);
		}
}

static void where_there_is_no_state_nothing_is_saved(void **state)
{
	static const enum mig_state rows[] = { MIG_ERROR, MIG_RESUMING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		b->f->state = rows[i];
		fake_query(b->f);
		assert_int_equal(source_settle(&b->s, &err), -EBUSY);
		assert_int_equal(b->s.result.fate, MIG_FATE_LOST);
		assert_int_equal(err_status(&err), 81);
		assert_string_equal(err.hint, "vfiomigctl reset dev0");
		assert_string_equal(b->f->log, "");
		assert_int_equal(b->frames, 0);
		bench_free(b);
	}
}

static void what_cannot_be_settled_is_not_saved(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->f->state = MIG_STOP_COPY;
	fake_fail(b->f, FAKE_SET, 1, -EIO, MIG_ERROR);
	assert_int_equal(run(b, &err), -EIO);
	assert_int_equal(b->frames, 0);
	assert_false(b->s.result.complete);
	/* Its state was lost before: a reset can do no harm. */
	assert_int_equal(b->s.result.left, MIG_STOP);
	assert_int_equal(b->s.result.fate, MIG_FATE_BLANK);
	assert_int_equal(err_status(&err), 81);
	bench_free(b);
}

/* pre-copy */

static void precopy_and_the_rest_are_one_stream(void **state)
{
	static const struct fake_round rounds[] = {
		{ IMAGE_FRAME_PAYLOAD + 5, 7, false },
		{ 0, 70000, false },
		{ 0, 300, false },
	};
	static const int empties[] = { 0, -ENOMSG };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(empties); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		b->s.precopy = &b->precopy;
		b->precopy.small = 300;
		b->f->empty = empties[i];
		b->f->rounds = rounds;
		b->f->n_rounds = ARRAY_SIZE(rounds);
		b->f->size = 2 * (uint64_t)IMAGE_FRAME_PAYLOAD + 1;
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->sunk, b->f->size);
		assert_int_equal(b->frames, 3);
		assert_int_equal(b->precopy.rounds, 3);
		assert_int_equal(b->f->opened, 1);
		assert_string_equal(b->f->log,
				    "set:pre-copy set:pre-copy-p2p set:stop-copy set:stop "
				    "set:running-p2p set:running");
		bench_free(b);
	}
}

static void a_device_without_precopy_is_stopped_at_once(void **state)
{
	struct bench *b = bench_new(BASE);
	struct err err = { 0 };

	(void)state;
	b->s.precopy = &b->precopy;
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->f->log, "set:stop set:stop-copy set:stop set:running");
	assert_int_equal(b->precopy.rounds, 0);
	bench_free(b);
}

static void a_device_that_tells_nothing_is_read_until_it_is_empty(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->s.precopy = &b->precopy;
	b->f->unasked = 100000;
	b->f->size = 100001;
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->sunk, 100001);
	assert_in_range(b->precopy.rounds, 2, 4);
	bench_free(b);
}

static void precopy_ends_at_its_bounds(void **state)
{
	static const struct fake_round rounds[] = {
		{ 0, 5000, false }, { 0, 4000, false }, { 0, 3000, false },
		{ 0, 2000, false }, { 0, 1000, false }, { 0, 0, false },
	};
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->s.precopy = &b->precopy;
	b->precopy.max_rounds = 2;
	b->f->rounds = rounds;
	b->f->n_rounds = ARRAY_SIZE(rounds);
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->f->calls[FAKE_INFO], 3);
	assert_int_equal(b->sunk, SIZE);
	bench_free(b);
}

static void a_device_reconfigured_at_the_last_moment_has_another_turn(void **state)
{
	static const struct fake_round rounds[] = {
		{ 1000, 0, false }, { 0, 0, false }, /* converged */
		{ 2000, 0, true }, /* and in PRE_COPY_P2P it is not any more */
		{ 100, 0, false },  { 0, 0, false }, /* converged again */
		{ 0, 0, false }, /* and so it is in PRE_COPY_P2P */
	};
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->s.precopy = &b->precopy;
	b->f->offers_v2 = true;
	b->f->rounds = rounds;
	b->f->n_rounds = ARRAY_SIZE(rounds);
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->f->log,
			    "set:pre-copy set:pre-copy-p2p set:pre-copy set:pre-copy-p2p "
			    "set:stop-copy set:stop set:running-p2p set:running");
	assert_int_equal(b->sunk, SIZE);
	assert_int_equal(b->f->opened, 1);
	assert_int_equal(b->f->opt_ins, 1);
	bench_free(b);
}

static void one_that_is_reconfigured_for_ever_is_stopped_all_the_same(void **state)
{
	struct fake_round rounds[64];
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rounds); i++)
		rounds[i] = (struct fake_round){ 0, 10, true };
	b->s.precopy = &b->precopy;
	b->precopy.max_rounds = 20;
	b->f->offers_v2 = true;
	b->f->rounds = rounds;
	b->f->n_rounds = ARRAY_SIZE(rounds);
	assert_int_equal(run(b, &err), 0);
	assert_true(b->f->calls[FAKE_INFO] <= 23);
	bench_free(b);
}

/* failures, everywhere */

enum policy {
	AT_ONCE,
	TOLD,
	STOPPED,
	NR_POLICIES
};

static struct bench *bench_of(enum policy policy)
{
	static const struct fake_round rounds[] = { { 70000, 5, false }, { 0, 0, false } };
	struct bench *b = bench_new(FULL);

	if (policy == TOLD) {
		b->s.precopy = &b->precopy;
		b->f->rounds = rounds;
		b->f->n_rounds = ARRAY_SIZE(rounds);
	}
	b->s.leave_stopped = policy == STOPPED;
	return b;
}

/* What must hold whatever failed once: the device is where it belongs. */
static void assert_brought_back(struct bench *b, const char *what, unsigned int nth, int r,
				const struct err *err)
{
	enum mig_state home = b->s.leave_stopped && b->s.result.complete ? MIG_STOP : MIG_RUNNING;

	/* A driver that ends up in a load has dropped the state; the load is not ours to reset. */
	if (b->f->state == MIG_RESUMING) {
		assert_int_equal(err_status(err), 81);
		assert_int_equal(b->s.result.fate, MIG_FATE_LOST);
		return;
	}
	if (b->f->state != home || !b->s.result.left_known)
		fail_msg("%s %u (%d, %s): left in %s: %s", what, nth, r, err->text,
			 fsm_name(b->f->state), b->f->log);
	assert_int_equal(b->s.result.left, home);
	if (r >= 0)
		return;
	assert_true(b->s.result.recovered);
	assert_true(b->s.result.recovery.ok);
	assert_string_not_equal(err->note, "");
	if (!b->s.result.recovery.reset)
		assert_int_not_equal(err_status(err), 81);
}

static void wherever_a_call_fails_the_device_comes_back(void **state)
{
	static const struct {
		enum fake_call call;
		const char *name;
		bool lands; /* try every place that the failure may leave the device in */
	} kinds[] = {
		{ FAKE_SET, "set", true },
		{ FAKE_READ, "read", false },
		{ FAKE_INFO, "info", false },
	};
	unsigned int runs = 0;

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int lands = kinds[k].lands ? 0 : FAKE_STAYS;
			     lands <= FAKE_STAYS; lands++)
				for (unsigned int nth = 1;; nth++) {
					struct bench *b = bench_of((enum policy)policy);
					struct err err = { 0 };
					bool failed;
					int r;

					fake_fail(b->f, kinds[k].call, nth, -EIO,
						  (enum mig_state)lands);
					r = run(b, &err);
					failed = b->f->calls[kinds[k].call] >= nth;
					assert_brought_back(b, kinds[k].name, nth, r, &err);
					assert_true(failed || r == 0);
					/* A stream that lacks something is never complete. */
					if (failed && kinds[k].call == FAKE_READ)
						assert_false(b->s.result.complete);
					/* What pre-copy is not told it does without. */
					if (kinds[k].call == FAKE_INFO)
						assert_true(r == 0 && b->s.result.complete);
					runs++;
					bench_free(b);
					if (!failed)
						break;
				}
	assert_true(runs > 100);
}

static void a_failed_arc_that_cost_nothing_is_safe_to_try_again(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, nth, -EBUSY, FAKE_STAYS);
		assert_int_equal(run(b, &err), -EBUSY);
		assert_int_equal(err_status(&err), 75);
		assert_string_equal(err.note, "the device is in running again");
		assert_false(b->s.result.recovery.reset);
		bench_free(b);
	}
}

static void whenever_it_is_cancelled_the_device_comes_back(void **state)
{
	static const enum fake_call kinds[] = { FAKE_SET, FAKE_READ, FAKE_INFO };

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int nth = 1;; nth++) {
				struct bench *b = bench_of((enum policy)policy);
				struct err err = { 0 };
				bool asked;
				int r;

				b->f->cancel_at = kinds[k];
				b->f->cancel_n = nth;
				r = run(b, &err);
				asked = b->f->calls[kinds[k]] >= nth;
				assert_brought_back(b, "cancelled at", nth, r, &err);
				/* Once all of it is out there is nothing left to cancel. */
				assert_int_equal(r, b->s.result.complete ? 0 : -ECANCELED);
				if (r < 0)
					assert_int_equal(err_status(&err), 75);
				if (kinds[k] == FAKE_READ && asked && b->f->at < b->f->size)
					assert_int_equal(r, -ECANCELED);
				bench_free(b);
				if (!asked)
					break;
			}
}

static void a_request_before_it_began_is_heard(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	assert_true(cancel_request(&b->cancel));
	assert_int_equal(run(b, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_int_equal(b->frames, 0);
	assert_int_equal(b->f->state, MIG_RUNNING);
	bench_free(b);
}

static void when_the_sink_fails_the_device_comes_back(void **state)
{
	static const int errors[] = { -ENOSPC, -EPIPE, -EIO };

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (unsigned int nth = 1; nth <= 2; nth++) {
			struct bench *b = bench_of((enum policy)policy);
			int error = errors[policy % ARRAY_SIZE(errors)];
			struct err err = { 0 };
			int r;

			b->fail_at = nth;
			b->error = error;
			r = run(b, &err);
			assert_int_equal(r, error);
			assert_int_equal(err_status(&err), 74);
			assert_string_equal(err.text, "the sink is full");
			assert_false(b->s.result.complete);
			assert_brought_back(b, "frame", nth, r, &err);
			bench_free(b);
		}
}

/* The driver says no from some SET on, and will not be reset: say so, and where it is. */
static void a_device_that_cannot_be_brought_back_is_told_of(void **state)
{
	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (unsigned int lands = 0; lands <= FAKE_STAYS; lands++)
			for (unsigned int nth = 1;; nth++) {
				struct bench *b = bench_of((enum policy)policy);
				struct err err = { 0 };
				bool failed;
				int r;

				fake_fail(b->f, FAKE_SET, nth, -EIO, FAKE_STAYS)->times = 1000;
				b->f->faults[0].lands = (enum mig_state)lands;
				b->f->cannot_reset = true;
				b->f->dev.can_reset = false;
				r = run(b, &err);
				failed = b->f->calls[FAKE_SET] >= nth;
				assert_true(b->s.result.left_known);
				if (failed && b->f->state != MIG_RUNNING &&
				    !(b->s.leave_stopped && b->f->state == MIG_STOP)) {
					assert_true(r < 0);
					assert_int_equal(err_status(&err), 81);
					assert_false(b->s.result.recovery.ok);
					assert_string_not_equal(err.note, "");
				}
				bench_free(b);
				if (!failed)
					break;
			}
}

/* A device with page requests under way. */
static void a_device_that_is_busy_is_asked_again(void **state)
{
	static const unsigned int caps[] = { BASE, BASE | MIG_CAP_P2P, FULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		struct bench *b = bench_new(caps[i]);
		struct err err = { 0 };

		/* The arc to STOP is the second where the first is to RUNNING_P2P. */
		fake_fail(b->f, FAKE_SET, caps[i] == BASE ? 1 : 2, -EBUSY, FAKE_STAYS)->times = 3;
		b->s.retry.budget_ns = 60 * NSEC_PER_SEC;
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->s.retry.retries, 3);
		assert_int_equal(b->sunk, SIZE);
		assert_false(b->s.result.recovered);
		bench_free(b);
	}
}

static void one_that_stays_busy_runs_on(void **state)
{
	static const uint64_t budgets[] = { 0, 1, 50 * NSEC_PER_MSEC };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct bench *b = bench_new(BASE);
		struct err err = { 0 };

		b->s.retry.budget_ns = budgets[i];
		fake_fail(b->f, FAKE_SET, 1, -EBUSY, FAKE_STAYS)->times = 1000000;
		assert_int_equal(run(b, &err), -EBUSY);
		assert_int_equal(err_status(&err), 75);
		assert_int_equal(b->f->state, MIG_RUNNING);
		assert_int_equal(!!strstr(err.text, "still refused after"), budgets[i] > 0);
		assert_int_equal(b->s.retry.retries > 0, budgets[i] > 1);
		assert_int_equal(b->sunk, 0);
		bench_free(b);
	}
}

static void to_wait_for_a_busy_device_can_be_cancelled(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->s.retry.budget_ns = UINT64_MAX;
	fake_fail(b->f, FAKE_SET, 2, -EBUSY, FAKE_STAYS)->times = 3;
	b->f->cancel_at = FAKE_SET;
	b->f->cancel_n = 4;
	assert_int_equal(run(b, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_int_equal(b->f->state, MIG_RUNNING);
	bench_free(b);
}

static void a_device_that_no_longer_answers_is_told_of(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 6; nth++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, nth, -ENODEV, FAKE_STAYS)->times = 1000;
		fake_query(b->f);
		fake_fail(b->f, FAKE_GET, 1, -ENODEV, FAKE_STAYS)->times = 1000;
		fake_fail(b->f, FAKE_RESET, 1, -ENODEV, FAKE_STAYS)->times = 1000;
		assert_int_equal(settle_and_run(b, &err), -ENODEV);
		assert_false(b->s.result.left_known);
		assert_int_equal(err_status(&err), 81);
		assert_int_equal(b->s.result.complete, nth > 3);
		bench_free(b);
	}
}

/* It may be the only copy of the state that there is. */
static void a_stream_is_complete_when_only_the_way_back_failed(void **state)
{
	static const struct {
		unsigned int nth;
		int error;
		enum mig_state lands;
		int result, status;
		bool reset;
	} rows[] = {
		/* clang-format off */
		{ 4, -EIO, FAKE_STAYS,    0,    0,  false }, /* tried again, and then it worked */
		{ 5, -EIO, FAKE_STAYS,    0,    0,  false },
		{ 6, -EIO, FAKE_STAYS,    0,    0,  false },
		{ 4, -EIO, MIG_ERROR,     -EIO, 81, true },
		{ 6, -EIO, MIG_ERROR,     -EIO, 81, true },
		{ 5, -EIO, MIG_RESUMING,  -EIO, 81, false }, /* a load that is not ours */
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, rows[i].nth, rows[i].error, rows[i].lands);
		fake_query(b->f);
		assert_int_equal(settle_and_run(b, &err), rows[i].result);
		assert_true(b->s.result.complete);
		assert_int_equal(b->sunk, SIZE);
		assert_int_equal(b->s.result.recovery.reset, rows[i].reset);
		assert_int_equal(b->f->state,
				 rows[i].lands == MIG_RESUMING ? MIG_RESUMING : MIG_RUNNING);
		if (rows[i].result < 0)
			assert_int_equal(err_status(&err), rows[i].status);
		bench_free(b);
	}
}

/* --leave stop: once the stream is whole, stopped is where it belongs. */
static void a_device_to_be_left_stopped_is_stopped_after_a_failure_too(void **state)
{
	struct bench *b = bench_of(STOPPED);
	struct err err = { 0 };

	(void)state;
	fake_fail(b->f, FAKE_SET, 4, -EIO, MIG_ERROR);
	assert_int_equal(run(b, &err), -EIO);
	assert_true(b->s.result.complete);
	assert_int_equal(b->f->state, MIG_STOP);
	assert_int_equal(err_status(&err), 81);
	assert_string_equal(err.note, "it had to be reset: it is in stop, its state is lost");
	bench_free(b);
}

/* Left in STOP as asked, and then the file could not be finished: nothing was saved after all. */
static void what_was_not_kept_is_undone(void **state)
{
	static const struct {
		int error; /* of the first SET on the way back */
		enum mig_state lands;
		int status;
	} rows[] = {
		{ 0, FAKE_STAYS, 74 },
		{ -EIO, MIG_ERROR, 81 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_of(STOPPED);
		struct err err = { 0 };

		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->s.result.left, MIG_STOP);
		if (rows[i].error)
			fake_fail(b->f, FAKE_SET, b->f->calls[FAKE_SET] + 1, rows[i].error,
				  rows[i].lands);
		err_fail(&err, ERR_IO, -ENOSPC, "the disk is full");
		source_give_back(&b->s, &err);
		assert_string_equal(err.text, "the disk is full");
		assert_int_equal(err_status(&err), rows[i].status);
		assert_string_not_equal(err.note, "");
		assert_int_equal(b->f->state, MIG_RUNNING);
		assert_int_equal(b->s.result.left, MIG_RUNNING);
		assert_true(b->s.result.left_known);
		assert_null(b->f->dev.on_arc);
		bench_free(b);
	}
}

/* A read that ends the session: the driver failed, or another process reset the device. */
static void a_session_that_ends_under_the_reader_is_no_end_of_stream(void **state)
{
	static const enum mig_state lands[] = { MIG_RUNNING, MIG_ERROR, MIG_STOP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lands); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };
		int r;

		fake_fail(b->f, FAKE_READ, 5, -ENODEV, lands[i]);
		r = run(b, &err);
		assert_int_equal(r, -ENODEV);
		assert_int_equal(!!strstr(err.note, "it was reset by another process"),
				 lands[i] == MIG_RUNNING);
		assert_false(b->s.result.complete);
		assert_brought_back(b, "read", 5, r, &err);
		bench_free(b);
	}
}

/* Where it is a file that is made, of a stream that is stored as it is. */
static void room_for_what_the_driver_expects_is_asked_for_first(void **state)
{
	static const struct {
		uint64_t size;
		const char *file;
		int zstd_level;
		int r;
		bool free_known;
	} rows[] = {
		{ 0, "there/room.img", 0, 0, true },
		{ UINT64_MAX, "there/room.img", 0, -ENOSPC, true },
		{ UINT64_MAX, "there/room.img", 3, 0, true },
		{ UINT64_MAX, "/dev/null", 0, 0, false },
		{ UINT64_MAX, "exec:cat", 0, 0, false },
		{ UINT64_MAX, "nowhere/room.img", 0, 0, false },
	};

	(void)state;
	assert_true(mkdir("there", 0700) == 0 || errno == EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct save_options o = { .dev = &b->dev, .zstd_level = rows[i].zstd_level };
		struct err err = { 0 };
		struct save_room room;

		b->f->size = rows[i].size;
		fake_query(b->f);
		assert_int_equal(uri_parse(rows[i].file, URI_PLAIN, &o.uri, NULL), 0);
		assert_int_equal(save_check_room(&o, &room, &err), rows[i].r);
		assert_true(room.expected_known && room.expected == rows[i].size);
		assert_int_equal(room.free_known, rows[i].free_known);
		if (rows[i].r < 0) {
			assert_int_equal(err_status(&err), ERR_OUTPUT);
			assert_non_null(strstr(err.text, "there/room.img: "));
			assert_non_null(
				strstr(err.text, "free, and the driver of dev0 expects 16"));
			assert_string_not_equal(err.hint, "");
		}
		bench_free(b);
	}
	rmdir("there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_for_what_the_driver_expects_is_asked_for_first),
		cmocka_unit_test(every_byte_arrives_in_order_and_in_full_frames),
		cmocka_unit_test(the_arcs_are_kept_and_the_last_state_is_shown),
		cmocka_unit_test(a_device_goes_back_to_where_it_was_found),
		cmocka_unit_test(where_there_is_no_state_nothing_is_saved),
		cmocka_unit_test(what_cannot_be_settled_is_not_saved),
		cmocka_unit_test(precopy_and_the_rest_are_one_stream),
		cmocka_unit_test(a_device_without_precopy_is_stopped_at_once),
		cmocka_unit_test(a_device_that_tells_nothing_is_read_until_it_is_empty),
		cmocka_unit_test(precopy_ends_at_its_bounds),
		cmocka_unit_test(a_device_reconfigured_at_the_last_moment_has_another_turn),
		cmocka_unit_test(one_that_is_reconfigured_for_ever_is_stopped_all_the_same),
		cmocka_unit_test(wherever_a_call_fails_the_device_comes_back),
		cmocka_unit_test(a_failed_arc_that_cost_nothing_is_safe_to_try_again),
		cmocka_unit_test(whenever_it_is_cancelled_the_device_comes_back),
		cmocka_unit_test(a_request_before_it_began_is_heard),
		cmocka_unit_test(when_the_sink_fails_the_device_comes_back),
		cmocka_unit_test(a_device_that_cannot_be_brought_back_is_told_of),
		cmocka_unit_test(a_device_that_is_busy_is_asked_again),
		cmocka_unit_test(one_that_stays_busy_runs_on),
		cmocka_unit_test(to_wait_for_a_busy_device_can_be_cancelled),
		cmocka_unit_test(a_device_that_no_longer_answers_is_told_of),
		cmocka_unit_test(a_stream_is_complete_when_only_the_way_back_failed),
		cmocka_unit_test(a_device_to_be_left_stopped_is_stopped_after_a_failure_too),
		cmocka_unit_test(what_was_not_kept_is_undone),
		cmocka_unit_test(a_session_that_ends_under_the_reader_is_no_end_of_stream),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
