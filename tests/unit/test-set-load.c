// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
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

#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/load.h"
#include "engine/save.h"
#include "fsm/fsm.h"
#include "effort.h"
#include "fake-set.h"

/* The image of a set, loaded into another set: whatever fails, and wherever. */

#define FULL (MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY)

#define N 3u
#define NONE FAKE_SET_NONE
#define RUNS 300u

/* The arcs of a load, as SETs are counted. */
enum {
	TO_P2P = 1,
	TO_STOP,
	TO_RESUMING,
	JUDGED,
	START_P2P,
	START
};

/* The image of @n devices, which stay stopped. */
static int make_image(unsigned int n)
{
	struct fake_set *s = fake_set_new(n, FULL);
	int fd = memfd_create("image", MFD_CLOEXEC);
	const struct save_options o = {
		.source.devs = s->devs,
		.source.n = n,
		.uri = { .kind = URI_FD, .text = "the image", .fd = fd },
		.source.leave_stopped = true,
	};
	struct save_result r;
	struct err err = { 0 };

	assert_true(fd >= 0);
	if (save_run(&o, &s->cancel, &r, &err) < 0)
		fail_msg("%s", err.text);
	save_result_done(&r);
	fake_set_free(s);
	return fd;
}

/**
 * struct bench - a load
 * @saved: how many devices the image has
 * @source: which of them each device here gets
 */
struct bench {
	struct fake_set *s;
	unsigned int saved;
	unsigned int source[FAKE_SET_MOST];
	struct device_options device;
	struct load_options o;
	struct load_result r;
	int file;
	int status;
	struct err err;
};

static struct bench *bench_new(unsigned int n, unsigned int saved)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->s = fake_set_new(n, FULL);
	b->saved = saved;
	for (unsigned int i = 0; i < n; i++)
		b->source[i] = i;
	b->file = make_image(saved);
	assert_int_equal(lseek(b->file, 0, SEEK_SET), 0);
	b->o = (struct load_options){
		.devs = b->s->devs,
		.n = n,
		.map = { .specs = b->s->specs, .n = n },
		.device = &b->device,
		.uri = { .kind = URI_FD, .text = "the image", .fd = b->file },
		.p2p = true,
		.start = LOAD_STARTS_ALL,
		.events = &b->s->events,
	};
	return b;
}

static void bench_free(struct bench *b)
{
	load_result_done(&b->r);
	fake_set_free(b->s);
	close(b->file);
	free(b);
}

static void load(struct bench *b)
{
	for (unsigned int i = 0; i < b->s->n; i++)
		b->s->fakes[i]->salt = FAKE_SET_SALT * (uint64_t)b->source[i];
	b->status = load_run(&b->o, &b->s->cancel, &b->r, &b->err);
}

static void *load_in_thread(void *bench)
{
	load(bench);
	return NULL;
}

/* Each device runs the state that was meant for it, all of it. */
static void assert_loaded(const struct bench *b, enum mig_state state)
{
	for (unsigned int i = 0; i < b->s->n; i++) {
		const struct fake *f = b->s->fakes[i];

		if (f->state != state)
			fail_msg("%s in %s: %s:%s", b->s->specs[i], fsm_name(f->state), b->err.text,
				 fake_set_story(b->s));
		assert_true(f->load_good);
		assert_int_equal(f->loaded, 1000 * (uint64_t)b->source[i] + 70001);
		assert_int_equal(b->r.devices[i].bytes, f->loaded);
		assert_int_equal(b->r.loads[i].saved, b->source[i]);
		assert_true(b->r.loads[i].accepted);
	}
}

static void a_set_is_loaded_as_one(void **state)
{
	(void)state;
	for (unsigned int n = 1; n <= FAKE_SET_MOST; n++) {
		struct bench *b = bench_new(n, n);

		load(b);
		if (b->status < 0)
			fail_msg("%s; %s", b->err.text, b->err.note);
		assert_loaded(b, MIG_RUNNING);
		fake_set_check(b->s, NONE);
		assert_int_equal(b->r.verdict.outcome, OUTCOME_COMPLETED);
		assert_int_equal(b->r.verdict.owner, OWNER_DESTINATION);
		bench_free(b);
	}
}

static void a_set_that_is_not_to_run_is_left_stopped(void **state)
{
	struct bench *b = bench_new(N, N);

	(void)state;
	b->o.start = LOAD_STARTS_NONE;
	load(b);
	assert_int_equal(b->status, 0);
	assert_loaded(b, MIG_STOP);
	assert_true(b->r.accepted);
	bench_free(b);
}

/* What cannot be read twice: as the frames come */
static void an_image_that_is_read_once_is_loaded_as_one(void **state)
{
	struct bench *b = bench_new(N, N);
	char buf[1 << 20];
	ssize_t len = read(b->file, buf, sizeof(buf));
	int p[2];

	(void)state;
	assert_in_range(len, 1, sizeof(buf) - 1);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	assert_true(fcntl(p[1], F_SETPIPE_SZ, (int)sizeof(buf)) >= len);
	assert_int_equal(write_full(p[1], buf, (size_t)len), 0);
	close(p[1]);
	b->o.uri.fd = p[0];
	load(b);
	close(p[0]);
	if (b->status < 0)
		fail_msg("%s; %s", b->err.text, b->err.note);
	assert_loaded(b, MIG_RUNNING);
	fake_set_check(b->s, NONE);
	assert_true(b->r.hold);
	bench_free(b);
}

static void each_device_gets_the_state_that_the_user_says(void **state)
{
	static const char *const swapped[] = { "dev0=dev2", "2=dev0" };
	static const char *const some[] = { "dev1", "3" };
	struct bench *b = bench_new(N, N);

	(void)state;
	b->o.map.pairs = swapped;
	b->o.map.n_pairs = ARRAY_SIZE(swapped);
	b->source[0] = 2;
	b->source[2] = 0;
	load(b);
	assert_int_equal(b->status, 0);
	assert_loaded(b, MIG_RUNNING);
	bench_free(b);

	b = bench_new(2, 4);
	b->o.map.only = some;
	b->o.map.n_only = ARRAY_SIZE(some);
	b->source[0] = 1;
	b->source[1] = 3;
	load(b);
	assert_int_equal(b->status, 0);
	assert_loaded(b, MIG_RUNNING);
	bench_free(b);
}

static void an_image_of_more_or_fewer_devices_touches_none(void **state)
{
	static const unsigned int saved[] = { 2, 4 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(saved); i++) {
		struct bench *b = bench_new(N, saved[i]);

		load(b);
		assert_int_equal(b->status, -EINVAL);
		assert_int_equal(err_status(&b->err), 65);
		assert_memory_equal(b->err.hint, "it holds 0 (dev0), 1 (dev1)", 27);
		for (unsigned int d = 0; d < N; d++)
			assert_string_equal(b->s->fakes[d]->log, "");
		bench_free(b);
	}
}

/*
 * The table: what fails, in which phase, and what comes of it
 */

/**
 * struct fault - what befalls a device
 * @result, @status: what the load comes to
 * @left: where it leaves all devices, but the broken one in @broken
 * @resets: of each device but the broken one
 */
static const struct fault {
	enum fake_call call;
	unsigned int nth;
	int error;
	enum mig_state lands;
	int result, status;
	enum mig_state left, broken;
	enum owner owner;
	unsigned int resets;
	bool hold;
} faults[] = {
	/* clang-format off */
	/* All have their own states still, and run on. */
	{ FAKE_SET, TO_P2P, -EIO, FAKE_STAYS, -EIO, 75,
	  MIG_RUNNING, MIG_RUNNING, OWNER_NONE, 0, false },
	{ FAKE_SET, TO_STOP, -EBUSY, FAKE_STAYS, -EBUSY, 75,
	  MIG_RUNNING, MIG_RUNNING, OWNER_NONE, 0, false },
	{ FAKE_SET, TO_STOP, -EIO, MIG_ERROR, -EIO, 81,
	  MIG_RUNNING, MIG_RUNNING, OWNER_NONE, 0, false },
	/* Some have lost theirs: none runs. */
	{ FAKE_SET, TO_RESUMING, -EIO, FAKE_STAYS, -EIO, 75,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	{ FAKE_SET, TO_RESUMING, -EIO, MIG_ERROR, -EIO, 81,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	{ FAKE_WRITE, 1, -EIO, FAKE_STAYS, -EIO, 74,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	{ FAKE_WRITE, 1, -EIO, MIG_ERROR, -EIO, 74,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	{ FAKE_SET, JUDGED, -EINVAL, FAKE_STAYS, -EINVAL, 65,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	{ FAKE_SET, JUDGED, -ENOMEM, MIG_ERROR, -ENOMEM, 71,
	  MIG_STOP, MIG_STOP, OWNER_NONE, 1, false },
	/* All drivers have accepted: the states stay, and those that run are stopped again. */
	{ FAKE_SET, START_P2P, -EIO, FAKE_STAYS, -EIO, 81,
	  MIG_STOP, MIG_STOP, OWNER_DESTINATION, 0, true },
	{ FAKE_SET, START, -EIO, FAKE_STAYS, -EIO, 81,
	  MIG_STOP, MIG_STOP, OWNER_DESTINATION, 0, true },
	{ FAKE_SET, START_P2P, -EIO, MIG_ERROR, -EIO, 81,
	  MIG_STOP, MIG_ERROR, OWNER_NONE, 0, true },
	{ FAKE_SET, START, -EIO, MIG_ERROR, -EIO, 81,
	  MIG_STOP, MIG_ERROR, OWNER_NONE, 0, true },
	/* clang-format on */
};

static void assert_fault(const struct bench *b, const struct fault *f, unsigned int broken)
{
	if (b->status != f->result || err_status(&b->err) != f->status)
		fail_msg("nth %u: %d, status %d: %s; %s:%s", f->nth, b->status, err_status(&b->err),
			 b->err.text, b->err.note, fake_set_story(b->s));
	for (unsigned int i = 0; i < b->s->n; i++) {
		enum mig_state want = i == broken ? f->broken : f->left;

		if (b->s->fakes[i]->state != want)
			fail_msg("nth %u: %s in %s:%s", f->nth, b->s->specs[i],
				 fsm_name(b->s->fakes[i]->state), fake_set_story(b->s));
		assert_int_equal(b->r.devices[i].left, want);
		if (i != broken)
			assert_int_equal(b->s->fakes[i]->calls[FAKE_RESET], f->resets);
		/* What was accepted is all there, in those that are not lost. */
		if (f->hold && want == MIG_STOP)
			assert_int_equal(b->s->fakes[i]->loaded, 1000 * (uint64_t)i + 70001);
	}
	assert_int_equal(b->r.verdict.owner, f->owner);
	assert_int_equal(b->r.hold, f->hold);
	assert_non_null(strstr(b->err.text, b->s->specs[broken]));
	assert_string_not_equal(b->err.note, "");
	fake_set_check(b->s, broken);
}

static void whatever_fails_in_one_device_no_part_of_the_set_runs(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(faults); i++)
		for (unsigned int broken = 0; broken < N; broken++) {
			struct bench *b = bench_new(N, N);
			const struct fault *f = &faults[i];

			fake_fail(b->s->fakes[broken], f->call, f->nth, f->error, f->lands);
			load(b);
			assert_fault(b, f, broken);
			bench_free(b);
		}
}

static void whenever_it_is_cancelled_all_run_or_none(void **state)
{
	(void)state;
	for (unsigned int nth = TO_P2P; nth <= START; nth++)
		for (unsigned int at = 0; at < N; at++) {
			struct bench *b = bench_new(N, N);
			bool late = nth > JUDGED, early = nth < TO_RESUMING;

			b->s->fakes[at]->cancel_at = FAKE_SET;
			b->s->fakes[at]->cancel_n = nth;
			load(b);
			assert_int_equal(b->status, late ? 0 : -ECANCELED);
			if (late)
				assert_loaded(b, MIG_RUNNING);
			else
				assert_int_equal(err_status(&b->err), 75);
			for (unsigned int i = 0; i < N && !late; i++)
				assert_true(b->s->fakes[i]->state == MIG_STOP || early);
			fake_set_check(b->s, NONE);
			bench_free(b);
		}
}

/* All at the same time, as each is given up only after a while. */
static void one_that_hangs_keeps_no_other_from_being_given_up(void **state)
{
	static const struct {
		unsigned int nth;
		int status;
		enum mig_state left;
		unsigned int resets;
	} rows[] = {
		{ TO_P2P, 75, MIG_RUNNING, 0 },	  { TO_STOP, 75, MIG_RUNNING, 0 },
		{ TO_RESUMING, 75, MIG_STOP, 1 }, /* it has lost its own state when it is back */
		{ JUDGED, 71, MIG_STOP, 1 },	  { START_P2P, 81, MIG_STOP, 0 },
		{ START, 81, MIG_STOP, 0 },
	};
	struct bench *benches[ARRAY_SIZE(rows)];
	pthread_t threads[ARRAY_SIZE(rows)];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = benches[i] = bench_new(N, N);

		fake_fail(b->s->fakes[0], FAKE_SET, rows[i].nth, -ENOMEM, FAKE_STAYS);
		fake_set_hang(b->s, 1, FAKE_SET, rows[i].nth, N - 1);
		assert_int_equal(pthread_create(&threads[i], NULL, load_in_thread, b), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = benches[i];

		if (b->status != -ENOMEM || err_status(&b->err) != rows[i].status)
			fail_msg("nth %u: %d, status %d: %s; %s:%s", rows[i].nth, b->status,
				 err_status(&b->err), b->err.text, b->err.note,
				 fake_set_story(b->s));
		assert_int_equal(b->s->recoveries, N);
		for (unsigned int d = 0; d < N; d++) {
			/* The one whose way to RESUMING failed has its own state still. */
			bool own = d == 0 && rows[i].nth == TO_RESUMING;

			assert_int_equal(b->s->fakes[d]->state, rows[i].left);
			assert_int_equal(b->s->fakes[d]->calls[FAKE_RESET],
					 own ? 0 : rows[i].resets);
		}
		bench_free(b);
	}
}

/*
 * By chance
 */

static void a_run(unsigned int seed)
{
	struct bench *b = bench_new(FAKE_SET_MOST, FAKE_SET_MOST);
	unsigned int at = (unsigned int)rand_r(&seed) % FAKE_SET_MOST;
	const struct fault *f = &faults[(unsigned int)rand_r(&seed) % ARRAY_SIZE(faults)];
	bool fails = rand_r(&seed) % 2;

	for (unsigned int i = 0; i < FAKE_SET_MOST; i++) {
		b->s->fakes[i]->yields = 40;
		b->s->fakes[i]->seed = (unsigned int)rand_r(&seed);
	}
	if (fails)
		fake_fail(b->s->fakes[at], f->call, f->nth, f->error, f->lands);
	load(b);
	if (fails) {
		assert_fault(b, f, at);
	} else {
		assert_int_equal(b->status, 0);
		assert_loaded(b, MIG_RUNNING);
		fake_set_check(b->s, NONE);
	}
	bench_free(b);
}

static void many_runs_keep_the_rule(void **state)
{
	(void)state;
	for (unsigned int seed = 0; seed < RUNS; seed += effort_share())
		a_run(seed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_set_is_loaded_as_one),
		cmocka_unit_test(a_set_that_is_not_to_run_is_left_stopped),
		cmocka_unit_test(an_image_that_is_read_once_is_loaded_as_one),
		cmocka_unit_test(each_device_gets_the_state_that_the_user_says),
		cmocka_unit_test(an_image_of_more_or_fewer_devices_touches_none),
		cmocka_unit_test(whatever_fails_in_one_device_no_part_of_the_set_runs),
		cmocka_unit_test(whenever_it_is_cancelled_all_run_or_none),
		cmocka_unit_test(one_that_hangs_keeps_no_other_from_being_given_up),
		cmocka_unit_test(many_runs_keep_the_rule),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
