// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/save.h"
#include "engine/scan.h"
#include "fsm/fsm.h"
#include "transport/input.h"
#include "effort.h"
#include "fake-set.h"
#include "fake-switchover.h"

/* A set of several devices, saved into an image in memory: whatever fails, and wherever. */

#define BASE MIG_CAP_STOP_COPY
#define P2P (BASE | MIG_CAP_P2P)
#define FULL (P2P | MIG_CAP_PRE_COPY)

#define N 3u
#define NONE FAKE_SET_NONE
#define RUNS 1000u

/* The arcs of a save, as SETs are counted; with pre-copy, the first two are into it. */
enum {
	TO_P2P = 1,
	TO_STOP,
	TO_STOP_COPY,
	BACK_STOP,
	BACK_P2P,
	BACK,
	NR_ARCS
};

/**
 * struct bench - a save
 * @file: the image
 * @status: what save_run() returned, with @err
 */
struct bench {
	struct fake_set *s;
	struct save_options o;
	struct save_result r;
	int file;
	int status;
	struct err err;
};

static struct bench *bench_new(unsigned int n, bool precopy)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_policy = (struct fake_policy){ 0 };
	b->s = fake_set_new(n, FULL);
	b->file = memfd_create("image", MFD_CLOEXEC);
	assert_true(b->file >= 0);
	for (unsigned int i = 0; i < n && precopy; i++)
		b->s->fakes[i]->unasked = 20000;
	b->o = (struct save_options){
		.source.devs = b->s->devs,
		.source.n = n,
		.uri = { .kind = URI_FD, .text = "the image", .fd = b->file },
		.source.p2p = true,
		.source.precopy = precopy,
		.source.converge = { .policy = { .max_ns = 3600 * NSEC_PER_SEC } },
		.source.events = &b->s->events,
	};
	return b;
}

static void bench_free(struct bench *b)
{
	save_result_done(&b->r);
	fake_set_free(b->s);
	close(b->file);
	free(b);
}

static void *save(void *bench)
{
	struct bench *b = bench;

	b->status = save_run(&b->o, &b->s->cancel, &b->r, &b->err);
	return NULL;
}

/*
 * What has come out
 */

struct streams {
	uint64_t bytes[FAKE_SET_MOST];
	unsigned int ended;
	bool good;
};

static int on_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	struct streams *s = ctx;

	(void)err;
	s->good &= fake_matches(buf, FAKE_SET_SALT * (uint64_t)device + s->bytes[device], len);
	s->bytes[device] += len;
	return 0;
}

static int on_device_end(void *ctx, uint32_t device, const struct image_totals *totals,
			 struct err *err)
{
	struct streams *s = ctx;

	(void)err;
	s->good &= totals->bytes == s->bytes[device];
	s->ended++;
	return 0;
}

/* Each device's stream is in the image, whole, and is that device's. */
static void assert_image(const struct bench *b)
{
	static const struct image_sink sink = { .data = on_data, .device_end = on_device_end };
	const struct uri uri = { .kind = URI_FD, .text = "the image", .fd = b->file };
	struct streams streams = { .good = true };
	struct cancel cancel;
	struct err err = { 0 };
	struct input *in;

	assert_int_equal(lseek(b->file, 0, SEEK_SET), 0);
	assert_int_equal(cancel_init(&cancel, NULL), 0);
	assert_int_equal(input_open(&uri, &cancel, &in, &err), 0);
	if (scan_image(in, &sink, &streams, &cancel, NULL, &err) < 0)
		fail_msg("%s", err.text);
	input_free(in);
	cancel_done(&cancel);
	assert_true(streams.good);
	assert_int_equal(streams.ended, b->s->n);
	for (unsigned int i = 0; i < b->s->n; i++)
		assert_int_equal(streams.bytes[i], b->s->fakes[i]->size);
}

/* What is true of every end: all devices run, the rule was kept, and what is told is so. */
static void assert_end(const struct bench *b, uint32_t excused)
{
	for (unsigned int i = 0; i < b->s->n; i++) {
		const struct member_result *m = &b->r.source.devices[i];

		if (b->s->fakes[i]->state != MIG_RUNNING)
			fail_msg("%s in %s:%s", b->s->specs[i], fsm_name(b->s->fakes[i]->state),
				 fake_set_story(b->s));
		assert_int_equal(m->left, MIG_RUNNING);
		assert_int_equal(m->found, MIG_RUNNING);
		assert_null(b->s->fakes[i]->dev.on_arc);
	}
	fake_set_check(b->s, excused);
	if (b->r.published)
		assert_image(b);
	assert_true(b->status < 0 || b->r.published);
}

/*
 * The table: what fails, in which phase, and what comes of it
 */

/**
 * struct fault - what befalls a device
 * @result, @status: what the save comes to, 0 for well
 * @published: the image is complete
 * @reset: the device had to be
 */
struct fault {
	enum fake_call call;
	unsigned int nth;
	int error;
	enum mig_state lands;
	int result, status;
	bool published, reset;
};

static const struct fault faults[] = {
	/* clang-format off */
	{ FAKE_SET,  TO_P2P,       -EIO,    FAKE_STAYS,  -EIO,    75, false, false },
	{ FAKE_SET,  TO_P2P,       -EBUSY,  FAKE_STAYS,  -EBUSY,  75, false, false },
	{ FAKE_SET,  TO_P2P,       -EIO,    MIG_ERROR,   -EIO,    81, false, true },
	{ FAKE_SET,  TO_STOP,      -EIO,    FAKE_STAYS,  -EIO,    75, false, false },
	{ FAKE_SET,  TO_STOP,      -EBUSY,  FAKE_STAYS,  -EBUSY,  75, false, false },
	{ FAKE_SET,  TO_STOP,      -EIO,    MIG_ERROR,   -EIO,    81, false, true },
	{ FAKE_SET,  TO_STOP_COPY, -EIO,    FAKE_STAYS,  -EIO,    75, false, false },
	{ FAKE_SET,  TO_STOP_COPY, -EBUSY,  FAKE_STAYS,  -EBUSY,  75, false, false },
	{ FAKE_SET,  TO_STOP_COPY, -EIO,    MIG_ERROR,   -EIO,    81, false, true },
	{ FAKE_READ, 2,            -EIO,    FAKE_STAYS,  -EIO,    74, false, false },
	{ FAKE_READ, 1,            -EIO,    MIG_ERROR,   -EIO,    81, false, true },
	{ FAKE_READ, 3,            -ENODEV, MIG_ERROR,   -ENODEV, 81, false, true },
	/* on its way back, after all streams were complete: what can be tried again is */
	{ FAKE_SET,  BACK_STOP,    -EIO,    FAKE_STAYS,  0,       0,  true,  false },
	{ FAKE_SET,  BACK_STOP,    -EIO,    MIG_ERROR,   -EIO,    81, true,  true },
	{ FAKE_SET,  BACK_P2P,     -EBUSY,  FAKE_STAYS,  0,       0,  true,  false },
	{ FAKE_SET,  BACK_P2P,     -EIO,    MIG_ERROR,   -EIO,    81, true,  true },
	{ FAKE_SET,  BACK,         -EIO,    FAKE_STAYS,  0,       0,  true,  false },
	{ FAKE_SET,  BACK,         -EIO,    MIG_ERROR,   -EIO,    81, true,  true },
	/* clang-format on */
};

static void assert_fault(const struct bench *b, const struct fault *f, unsigned int broken)
{
	const struct member_result *m = &b->r.source.devices[broken];

	if (b->status != f->result || (f->result < 0 && err_status(&b->err) != f->status))
		fail_msg("%d, status %d: %s; %s:%s", b->status, err_status(&b->err), b->err.text,
			 b->err.note, fake_set_story(b->s));
	assert_int_equal(b->r.published, f->published);
	assert_int_equal(m->recovered && m->recovery.reset, f->reset);
	assert_int_equal(b->r.verdict.owner, f->reset ? OWNER_NONE : OWNER_SOURCE);
	assert_int_equal(b->r.verdict.outcome, f->status == 81 ? OUTCOME_DEVICE_ERROR
					       : f->result < 0 ? OUTCOME_ABORTED
							       : OUTCOME_COMPLETED);
	if (f->result >= 0)
		return;
	assert_memory_equal(b->err.text, b->s->specs[broken], 4);
	if (f->reset) {
		assert_non_null(strstr(b->err.note, "it had to be reset"));
		assert_int_equal(!!strstr(b->err.note, "the image is complete"), f->published);
	} else {
		assert_string_equal(b->err.note, "all 3 devices are back");
	}
	/* What befalls one is no matter of the others' states. */
	for (unsigned int i = 0; i < b->s->n; i++) {
		assert_int_equal(b->s->fakes[i]->calls[FAKE_RESET], i == broken && f->reset);
		if (i != broken)
			assert_int_equal(b->r.source.devices[i].fate, MIG_FATE_BACK);
	}
}

static void whatever_fails_in_one_device_all_of_them_run_again(void **state)
{
	(void)state;
	for (int precopy = 0; precopy < 2; precopy++)
		for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
			for (unsigned int broken = 0; broken < N; broken++) {
				struct bench *b = bench_new(N, precopy);
				const struct fault *f = &faults[i];
				bool back = f->call == FAKE_SET && f->nth >= BACK_STOP;

				fake_fail(b->s->fakes[broken], f->call, f->nth, f->error, f->lands);
				save(b);
				assert_end(b, back ? broken : NONE);
				assert_fault(b, f, broken);
				bench_free(b);
			}
}

static void a_set_is_saved_as_one(void **state)
{
	(void)state;
	for (int precopy = 0; precopy < 2; precopy++)
		for (unsigned int n = 1; n <= FAKE_SET_MOST; n++) {
			struct bench *b = bench_new(n, precopy);

			save(b);
			assert_int_equal(b->status, 0);
			assert_end(b, NONE);
			assert_int_equal(b->r.verdict.outcome, OUTCOME_COMPLETED);
			for (unsigned int i = 0; i < n; i++) {
				assert_true(b->r.source.devices[i].complete);
				assert_false(b->r.source.devices[i].recovered);
				assert_int_equal(b->r.source.devices[i].bytes,
						 b->s->fakes[i]->size);
				assert_string_equal(
					b->s->fakes[i]->log,
					precopy ? "get set:pre-copy set:pre-copy-p2p set:stop-copy "
						  "set:stop set:running-p2p set:running"
						: "get set:running-p2p set:stop set:stop-copy "
						  "set:stop set:running-p2p set:running");
			}
			bench_free(b);
		}
}

static void a_set_is_left_stopped_as_one(void **state)
{
	struct bench *b = bench_new(N, false);

	(void)state;
	b->o.source.leave_stopped = true;
	save(b);
	assert_int_equal(b->status, 0);
	for (unsigned int i = 0; i < N; i++)
		assert_int_equal(b->s->fakes[i]->state, MIG_STOP);
	fake_set_check(b->s, NONE);
	assert_image(b);
	bench_free(b);
}

/* Left stopped, and then one is in ERROR: the others have their state, and the image has all. */
static void one_that_is_lost_on_the_way_to_stop_leaves_the_others_there(void **state)
{
	(void)state;
	for (unsigned int broken = 0; broken < N; broken++) {
		struct bench *b = bench_new(N, false);

		b->o.source.leave_stopped = true;
		fake_fail(b->s->fakes[broken], FAKE_SET, BACK_STOP, -EIO, MIG_ERROR);
		save(b);
		assert_int_equal(b->status, -EIO);
		assert_int_equal(err_status(&b->err), 81);
		assert_true(b->r.published);
		for (unsigned int i = 0; i < N; i++)
			assert_int_equal(b->s->fakes[i]->state, MIG_STOP);
		assert_image(b);
		bench_free(b);
	}
}

/* Until all can stop, all wait quiescent. */
static void one_that_is_busy_is_waited_for(void **state)
{
	(void)state;
	for (unsigned int arc = TO_P2P; arc <= BACK; arc++)
		for (unsigned int busy = 0; busy < N; busy++) {
			struct bench *b = bench_new(N, false);

			b->o.source.retry_ns = 60 * NSEC_PER_SEC;
			fake_fail(b->s->fakes[busy], FAKE_SET, arc, -EBUSY, FAKE_STAYS)->times = 2;
			save(b);
			assert_int_equal(b->status, 0);
			assert_end(b, NONE);
			assert_int_equal(b->r.source.devices[busy].retries, 2);
			assert_false(b->r.source.devices[busy].recovered);
			bench_free(b);
		}
}

static void whenever_it_is_cancelled_all_run_again(void **state)
{
	static const enum fake_call kinds[] = { FAKE_SET, FAKE_READ };

	(void)state;
	for (int precopy = 0; precopy < 2; precopy++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int nth = 1; nth <= BACK; nth++)
				for (unsigned int at = 0; at < N; at++) {
					struct bench *b = bench_new(N, precopy);

					b->s->fakes[at]->cancel_at = kinds[k];
					b->s->fakes[at]->cancel_n = nth;
					save(b);
					assert_end(b, NONE);
					if (b->s->fakes[at]->calls[kinds[k]] >= nth) {
						assert_int_equal(b->status, -ECANCELED);
						assert_int_equal(err_status(&b->err), 75);
						assert_false(b->r.published);
					}
					bench_free(b);
				}
}

/*
 * Devices whose drivers do not come back
 */

/* All at the same time, as each is given up only after a while. */
static void one_that_hangs_keeps_no_other_from_being_brought_back(void **state)
{
	static const struct {
		enum fake_call call;
		unsigned int nth;
		enum fake_call fails;
		unsigned int fails_nth;
		bool precopy;
	} rows[] = {
		/* clang-format off */
		{ FAKE_SET,  TO_P2P,       FAKE_SET,  TO_P2P,       false },
		{ FAKE_SET,  TO_STOP,      FAKE_SET,  TO_STOP,      false },
		{ FAKE_SET,  TO_STOP_COPY, FAKE_SET,  TO_STOP_COPY, false },
		{ FAKE_READ, 2,            FAKE_READ, 1,            false },
		{ FAKE_SET,  TO_STOP_COPY, FAKE_READ, 1,            false },
		{ FAKE_SET,  1,            FAKE_SET,  1,            true },
		{ FAKE_READ, 1,            FAKE_READ, 1,            true },
		/* clang-format on */
	};
	struct bench *benches[ARRAY_SIZE(rows)];
	pthread_t threads[ARRAY_SIZE(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = benches[i] = bench_new(N, rows[i].precopy);

		fake_fail(b->s->fakes[0], rows[i].fails, rows[i].fails_nth, -EIO, FAKE_STAYS);
		fake_set_hang(b->s, 1, rows[i].call, rows[i].nth, N - 1);
		assert_int_equal(pthread_create(&threads[i], NULL, save, b), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = benches[i];

		assert_int_equal(b->status, -EIO);
		assert_memory_equal(b->err.text, "dev0", 4);
		assert_int_equal(err_status(&b->err), rows[i].fails == FAKE_READ ? 74 : 75);
		assert_string_equal(b->err.note, "all 3 devices are back");
		assert_int_equal(b->s->recoveries, N);
		assert_end(b, 1);
		bench_free(b);
	}
}

/* Others wait at a barrier, and only the coordinator can see that all are to stop. */
static void one_that_hangs_holds_up_no_cancel(void **state)
{
	struct bench *b = bench_new(N, false);

	(void)state;
	b->s->fakes[0]->cancel_at = FAKE_SET;
	b->s->fakes[0]->cancel_n = TO_STOP;
	fake_set_hang(b->s, 1, FAKE_SET, TO_STOP, N - 1);
	save(b);
	assert_int_equal(b->status, -ECANCELED);
	assert_int_equal(err_status(&b->err), 75);
	assert_string_equal(b->err.note, "all 3 devices are back");
	assert_int_equal(b->s->recoveries, N);
	assert_end(b, 1);
	bench_free(b);
}

/*
 * Limits
 */

/* One stops after the other has, so the clock has moved. */
static void devices_that_stop_too_far_apart_run_again(void **state)
{
	(void)state;
	for (int limit = 0; limit < 2; limit++) {
		struct bench *b = bench_new(N, false);

		fake_set_await(b->s, 2, FAKE_SET, TO_STOP, 0, PHASE_STOP);
		b->o.source.max_skew_ns = limit ? 1 : 0;
		save(b);
		assert_int_equal(b->status, limit ? -ETIME : 0);
		assert_true(b->r.source.skew_ns > 1);
		if (limit) {
			assert_int_equal(err_status(&b->err), 75);
			assert_non_null(strstr(b->err.text, "apart, more than --max-skew allows"));
		}
		assert_end(b, NONE);
		bench_free(b);
	}
}

static void devices_that_were_stopped_for_too_long_run_on(void **state)
{
	(void)state;
	for (int precopy = 0; precopy < 2; precopy++) {
		struct bench *b = bench_new(N, precopy);

		b->o.source.converge.downtime_max_ns = 1;
		save(b);
		assert_int_equal(b->status, -ETIME);
		assert_int_equal(err_status(&b->err), 75);
		assert_non_null(strstr(b->err.text, "--downtime-max"));
		assert_end(b, NONE);
		bench_free(b);
	}
}

/*
 * What is no set
 */

static void a_device_that_cannot_be_quiescent_is_in_no_set_unless_asked_for(void **state)
{
	(void)state;
	for (int p2p = 0; p2p < 2; p2p++)
		for (unsigned int n = 1; n <= 2; n++) {
			struct bench *b = bench_new(n, false);
			bool refused = p2p && n > 1;

			b->s->fakes[n - 1]->dev.caps = BASE;
			b->o.source.p2p = p2p;
			save(b);
			assert_int_equal(b->status, refused ? -EOPNOTSUPP : 0);
			if (refused) {
				assert_int_equal(err_status(&b->err), 69);
				assert_memory_equal(b->err.text, "dev1: has no P2P", 16);
				assert_non_null(strstr(b->err.hint, "--no-p2p"));
				assert_string_equal(b->s->fakes[0]->log, "get");
			}
			for (unsigned int i = 0; i < n; i++)
				assert_int_equal(b->s->fakes[i]->state, MIG_RUNNING);
			bench_free(b);
		}
}

static void a_device_is_in_a_set_once(void **state)
{
	struct vfio_node node = {
		.name = (char *)"0000:3b:00.1",
		.sysfs = (char *)"/sys/devices/x",
		.group = -1,
	};
	struct bench *b = bench_new(N, false);

	(void)state;
	b->s->devices[0].node = b->s->devices[2].node = &node;
	save(b);
	assert_int_equal(b->status, -EINVAL);
	assert_int_equal(err_status(&b->err), 64);
	assert_string_equal(b->err.text, "dev0 and dev2 are the same device");
	for (unsigned int i = 0; i < N; i++) {
		assert_string_equal(b->s->fakes[i]->log, "");
		b->s->devices[i].node = NULL;
	}
	bench_free(b);
}

static void one_that_has_no_state_leaves_the_others_alone(void **state)
{
	static const enum mig_state states[] = { MIG_ERROR, MIG_RESUMING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct bench *b = bench_new(N, false);

		b->s->fakes[1]->state = states[i];
		save(b);
		assert_int_equal(b->status, -EBUSY);
		assert_int_equal(err_status(&b->err), 81);
		assert_string_equal(b->err.hint, "vfiomigctl reset dev1");
		assert_int_equal(b->s->journal.n, 0);
		assert_int_equal(b->s->fakes[1]->state, states[i]);
		bench_free(b);
	}
}

/* Each goes back to its own place, and what another process left behind is settled first. */
static void each_device_goes_back_to_where_it_was_found(void **state)
{
	static const enum mig_state at[N] = { MIG_RUNNING_P2P, MIG_STOP, MIG_PRE_COPY_P2P };
	static const enum mig_state left[N] = { MIG_RUNNING_P2P, MIG_STOP, MIG_RUNNING_P2P };
	struct bench *b = bench_new(N, false);

	(void)state;
	for (unsigned int i = 0; i < N; i++)
		b->s->fakes[i]->state = at[i];
	save(b);
	assert_int_equal(b->status, 0);
	for (unsigned int i = 0; i < N; i++) {
		assert_int_equal(b->s->fakes[i]->state, left[i]);
		assert_int_equal(b->r.source.devices[i].found, left[i]);
		assert_int_equal(b->r.source.devices[i].fate, MIG_FATE_BACK);
	}
	assert_image(b);
	bench_free(b);
}

/*
 * By chance
 */

/* A fault, a cancel or nothing, with threads that take turns in another order each time. */
static void a_run(unsigned int seed)
{
	struct bench *b = bench_new(FAKE_SET_MOST, seed & 1);
	unsigned int at = (unsigned int)rand_r(&seed) % FAKE_SET_MOST;
	const struct fault *f = &faults[(unsigned int)rand_r(&seed) % ARRAY_SIZE(faults)];
	bool back = f->call == FAKE_SET && f->nth >= BACK_STOP;
	int what = rand_r(&seed) % 4;

	for (unsigned int i = 0; i < FAKE_SET_MOST; i++) {
		b->s->fakes[i]->yields = 40;
		b->s->fakes[i]->seed = (unsigned int)rand_r(&seed);
		b->s->fakes[i]->size = 1 + (unsigned int)rand_r(&seed) % 3000;
		b->s->fakes[i]->unasked = 0;
	}
	if (what == 0)
		fake_fail(b->s->fakes[at], f->call, f->nth, f->error, f->lands);
	b->s->fakes[at]->cancel_n = what == 1 ? 1 + (unsigned int)rand_r(&seed) % BACK : 0;
	b->s->fakes[at]->cancel_at = FAKE_SET;
	save(b);
	assert_end(b, what == 0 && back ? at : NONE);
	assert_true(b->status == 0 || what <= 1);
	bench_free(b);
}

static void a_thousand_runs_keep_the_rule(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < RUNS; seed += effort_share())
		a_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_saved_as_one),
		cmocka_unit_test(a_set_is_left_stopped_as_one),
		cmocka_unit_test(each_device_goes_back_to_where_it_was_found),
		cmocka_unit_test(whatever_fails_in_one_device_all_of_them_run_again),
		cmocka_unit_test(one_that_is_lost_on_the_way_to_stop_leaves_the_others_there),
		cmocka_unit_test(one_that_is_busy_is_waited_for),
		cmocka_unit_test(whenever_it_is_cancelled_all_run_again),
		cmocka_unit_test(one_that_hangs_keeps_no_other_from_being_brought_back),
		cmocka_unit_test(one_that_hangs_holds_up_no_cancel),
		cmocka_unit_test(devices_that_stop_too_far_apart_run_again),
		cmocka_unit_test(devices_that_were_stopped_for_too_long_run_on),
		cmocka_unit_test(a_device_that_cannot_be_quiescent_is_in_no_set_unless_asked_for),
		cmocka_unit_test(a_device_is_in_a_set_once),
		cmocka_unit_test(one_that_has_no_state_leaves_the_others_alone),
		cmocka_unit_test(a_thousand_runs_keep_the_rule),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
