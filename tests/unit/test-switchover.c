// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/switchover.h"

#define KB UINT64_C(1000)
#define MB UINT64_C(1000000)
#define GB UINT64_C(1000000000)
#define MOST UINT64_MAX

#define GO SWITCHOVER_NOT_YET
#define CONVERGED SWITCHOVER_CONVERGED
#define DIVERGES SWITCHOVER_DIVERGES
#define LIMIT SWITCHOVER_LIMIT

/* A round as a history has it; times in milliseconds. */
struct look {
	uint64_t at;
	uint64_t initial, dirty;
	uint64_t moved, took;
	bool untold, cut, reinit, quiescent;
	uint64_t stop_copy;
	enum switchover_verdict verdict;
};

static const struct switchover_options wish = {
	.downtime_limit_ns = 300 * NSEC_PER_MSEC,
	.max_rounds = 1000,
	.max_ns = 3600 * NSEC_PER_SEC,
};

static struct switchover_round round_of(const struct look *l)
{
	return (struct switchover_round){
		.told = !l->untold,
		.cut = l->cut,
		.reinit = l->reinit,
		.quiescent = l->quiescent,
		.initial = l->initial,
		.dirty = l->dirty,
		.stop_copy = l->stop_copy,
		.moved = l->moved,
		.moved_ns = l->took * NSEC_PER_MSEC,
		.now_ns = l->at * NSEC_PER_MSEC,
	};
}

static struct switchover_decision decide(struct switchover *p, const struct look *l)
{
	const struct switchover_round round = round_of(l);
	struct switchover_decision d;

	switchover_step(p, &round, &d);
	return d;
}

static enum switchover_verdict step(struct switchover *p, const struct look *l)
{
	return decide(p, l).verdict;
}

/* A history ends with a verdict that is not GO. */
struct history {
	const char *name;
	struct look looks[8];
};

static void check_history(const struct history *h, const struct switchover_options *options)
{
	struct switchover p;

	switchover_start(&p, options, 0);
	for (size_t i = 0; i < ARRAY_SIZE(h->looks); i++) {
		enum switchover_verdict got = step(&p, &h->looks[i]);

		if (got != h->looks[i].verdict)
			fail_msg("%s: %s in round %zu, not %s", h->name,
				 switchover_verdict_name(got), i + 1,
				 switchover_verdict_name(h->looks[i].verdict));
		if (got != GO)
			return;
	}
	fail_msg("%s: has no end", h->name);
}

static void each_driver_comes_to_its_end(void **state)
{
	static const struct history rows[] = {
		/* clang-format off */
		{ "mtty: a header, then nothing",
		  { { 1, .moved = 24, .took = 1, .stop_copy = 36, .verdict = CONVERGED } } },
		{ "hisi_acc: a match record, then nothing",
		  { { 1, .moved = 40, .took = 1, .stop_copy = 136, .verdict = CONVERGED } } },
		{ "hisi_acc: read in two pieces",
		  { { 1, .initial = 20, .moved = 20, .verdict = GO },
		    { 2, .moved = 20, .verdict = CONVERGED } } },
		{ "qat: the setup part, then nothing",
		  { { 1, .moved = 400, .took = 1, .stop_copy = 3696, .verdict = CONVERGED } } },
		{ "virtio: a few kilobytes matter at no time",
		  { { 2, .moved = 8 * KB, .took = 2, .verdict = CONVERGED } } },
		{ "one that has nothing before STOP_COPY",
		  { { 1, .stop_copy = 1 * MB, .verdict = CONVERGED } } },
		{ "virtio: so much that it may have as much again",
		  { { 500, .moved = 500 * MB, .took = 500, .verdict = GO },
		    { 600, .verdict = GO },
		    { 1010, .dirty = 50 * MB, .verdict = CONVERGED } } },
		{ "virtio: has had its second, and found nothing",
		  { { 500, .moved = 500 * MB, .took = 500, .verdict = GO },
		    { 1090, .verdict = GO },
		    { 1110, .verdict = CONVERGED } } },
		{ "virtio: what it finds is read, and then it has another second",
		  { { 500, .moved = 500 * MB, .took = 500, .verdict = GO },
		    { 1010, .dirty = 400 * MB, .verdict = GO },
		    { 1420, .moved = 400 * MB, .took = 400, .verdict = GO },
		    { 2100, .verdict = GO },
		    { 2130, .verdict = CONVERGED } } },
		{ "virtio: what it tells begins another second, too",
		  { { 500, .moved = 500 * MB, .took = 500, .verdict = GO },
		    { 1010, .dirty = 400 * MB, .verdict = GO },
		    { 1700, .verdict = GO },
		    { 2110, .verdict = CONVERGED } } },
		{ "mlx5: makes new data when asked, and takes its time",
		  { { 2000, .dirty = 500 * MB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 2010, .dirty = 500 * MB, .verdict = GO },
		    { 2030, .dirty = 500 * MB, .verdict = GO },
		    { 2530, .dirty = 100 * MB, .moved = 500 * MB, .took = 500,
		      .verdict = CONVERGED } } },
		{ "mlx5: nothing got dirty in a round of seconds",
		  { { 2000, .moved = 2 * GB, .took = 2000, .verdict = CONVERGED } } },
		{ "mlx5: refuses pre-copy, all of it is left for the end",
		  { { 1, .moved = 24, .stop_copy = 4 * GB, .verdict = GO },
		    { 100, .stop_copy = 4 * GB, .verdict = GO },
		    { 2000, .stop_copy = 4 * GB, .verdict = GO },
		    { 4000, .stop_copy = 4 * GB, .verdict = GO },
		    { 6000, .stop_copy = 4 * GB, .verdict = GO },
		    { 7000, .stop_copy = 4 * GB, .verdict = DIVERGES } } },
		{ "pds beside mtty: 64 KiB, whatever it has",
		  { { 1, .moved = 24, .took = 1, .stop_copy = 65572, .verdict = CONVERGED } } },
		{ "xe beside mtty: gigabytes of memory that pre-copy does not move",
		  { { 1, .moved = 24, .took = 1, .stop_copy = 8 * GB, .verdict = GO },
		    { 2000, .stop_copy = 8 * GB, .verdict = GO },
		    { 4000, .stop_copy = 8 * GB, .verdict = GO },
		    { 6000, .stop_copy = 8 * GB, .verdict = GO },
		    { 7000, .stop_copy = 8 * GB, .verdict = DIVERGES } } },
		{ "vGPU: gets dirty as fast as it is read",
		  { { 4000, .dirty = 2 * GB, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 6000, .dirty = 2 * GB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 8000, .dirty = 2 * GB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 10000, .dirty = 2 * GB, .moved = 2 * GB, .took = 2000,
		      .verdict = DIVERGES } } },
		{ "vGPU: tells of what it never lets be read",
		  { { 10, .dirty = 512 * MB, .moved = 10 * MB, .took = 10, .verdict = GO },
		    { 110, .dirty = 512 * MB, .verdict = GO },
		    { 3000, .dirty = 512 * MB, .verdict = GO },
		    { 5011, .dirty = 512 * MB, .verdict = DIVERGES } } },
		{ "vGPU: halves what is left in each round",
		  { { 4000, .dirty = 2 * GB, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 6000, .dirty = 1 * GB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 7000, .dirty = 500 * MB, .moved = 1 * GB, .took = 1000, .verdict = GO },
		    { 7500, .dirty = 250 * MB, .moved = 500 * MB, .took = 500,
		      .verdict = CONVERGED } } },
		{ "vfio-user: little, and nothing of it gets dirty",
		  { { 1, .untold = true, .moved = 12288, .took = 1, .verdict = GO },
		    { 2, .untold = true, .verdict = CONVERGED } } },
		{ "vfio-user: little, and some of it gets dirty",
		  { { 1, .untold = true, .moved = 12288, .took = 1, .verdict = GO },
		    { 2, .untold = true, .moved = 4096, .verdict = CONVERGED } } },
		{ "vfio-user: what it has would fit, but less will be left of it",
		  { { 100, .untold = true, .moved = 200 * MB, .took = 100, .verdict = GO },
		    { 110, .untold = true, .moved = 10 * MB, .took = 10,
		      .verdict = CONVERGED } } },
		{ "hisi_acc: refuses to tell",
		  { { 1, .untold = true, .moved = 40, .took = 1, .verdict = GO },
		    { 2, .untold = true, .verdict = CONVERGED } } },
		{ "vfio-user: a round brings what got dirty in the one before",
		  { { 4000, .untold = true, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 6000, .untold = true, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 7000, .untold = true, .moved = 1 * GB, .took = 1000, .verdict = GO },
		    { 7500, .untold = true, .moved = 500 * MB, .took = 500, .verdict = GO },
		    { 7750, .untold = true, .moved = 250 * MB, .took = 250,
		      .verdict = CONVERGED } } },
		{ "vfio-user: a round brings as much as the one before",
		  { { 2000, .untold = true, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 4000, .untold = true, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 6000, .untold = true, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 8000, .untold = true, .moved = 2 * GB, .took = 2000,
		      .verdict = DIVERGES } } },
		{ "vfio-user: so much that it takes several rounds",
		  { { 1000, .untold = true, .cut = true, .moved = 200 * MB, .took = 1000,
		      .verdict = GO },
		    { 2000, .untold = true, .cut = true, .moved = 200 * MB, .took = 1000,
		      .verdict = GO },
		    { 4000, .untold = true, .cut = true, .moved = 200 * MB, .took = 1000,
		      .verdict = GO },
		    { 9000, .untold = true, .cut = true, .moved = 200 * MB, .took = 1000,
		      .verdict = GO },
		    { 9010, .untold = true, .moved = 2 * MB, .took = 10, .verdict = GO },
		    { 9020, .untold = true, .moved = 1 * MB, .took = 10, .verdict = CONVERGED } } },
		{ "vfio-user: makes a little as fast as it is read",
		  { { 1000, .untold = true, .cut = true, .moved = 2 * MB, .took = 1000,
		      .verdict = GO },
		    { 2000, .untold = true, .cut = true, .moved = 2 * MB, .took = 1000,
		      .verdict = GO },
		    { 3000, .untold = true, .moved = 2 * MB, .took = 1000, .verdict = GO },
		    { 3001, .untold = true, .cut = true, .moved = 1, .verdict = GO },
		    { 3600000, .untold = true, .cut = true, .moved = 1, .verdict = LIMIT } } },
		{ "vfio-user: has nothing to say",
		  { { 1, .untold = true, .verdict = GO },
		    { 1000, .untold = true, .verdict = GO },
		    { 1100, .untold = true, .verdict = CONVERGED } } },
		{ "vfio-user: begins late",
		  { { 1, .untold = true, .verdict = GO },
		    { 2000, .untold = true, .verdict = CONVERGED } } },
		{ "vfio-user: begins late, but within its second",
		  { { 1, .untold = true, .verdict = GO },
		    { 4000, .untold = true, .moved = 4 * GB, .took = 3900, .verdict = GO },
		    { 4001, .untold = true, .moved = 4 * KB, .verdict = CONVERGED } } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_history(&rows[i], &wish);
}

/* Of a second and longer, which the wish has room for. */
static void a_long_first_round_of_a_device_that_does_not_tell_is_no_estimate(void **state)
{
	const struct look first = { 2000, .untold = true, .moved = 2 * GB, .took = 2000 };
	const struct look second = { 2001, .untold = true, .moved = 1 * MB, .took = 1 };
	struct switchover_options options = wish;
	struct switchover_decision d;
	struct switchover p;

	(void)state;
	options.downtime_limit_ns = 10 * NSEC_PER_SEC;
	switchover_start(&p, &options, 0);
	assert_int_equal(step(&p, &first), GO);
	d = decide(&p, &second);
	assert_int_equal(d.verdict, CONVERGED);
	assert_int_equal(d.left, 1 * MB);
}

static void initial_bytes_come_first_and_start_over(void **state)
{
	static const struct history rows[] = {
		/* clang-format off */
		{ "the last initial byte must go",
		  { { 1, .initial = 1, .moved = 64, .verdict = GO },
		    { 2, .moved = 1, .verdict = CONVERGED } } },
		{ "they are waited for, whatever the time",
		  { { 1000, .initial = 1, .verdict = GO },
		    { 60000, .initial = 1, .verdict = GO },
		    { 120000, .initial = 1, .verdict = GO },
		    { 240000, .initial = 1, .verdict = GO },
		    { 480000, .initial = 1, .verdict = GO },
		    { 480001, .moved = 1, .verdict = CONVERGED } } },
		{ "more may be dirty than was the last of them",
		  { { 4000, .initial = 10, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 4001, .dirty = 3 * GB, .moved = 10, .verdict = GO },
		    { 7001, .dirty = 2 * GB, .moved = 3 * GB, .took = 3000, .verdict = GO },
		    { 9001, .dirty = 1 * GB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 10001, .dirty = 500 * MB, .moved = 1 * GB, .took = 1000, .verdict = GO },
		    { 10501, .dirty = 50 * MB, .moved = 500 * MB, .took = 500,
		      .verdict = CONVERGED } } },
		{ "reconfigured, with nothing left",
		  { { 1, .moved = 64, .reinit = true, .verdict = GO },
		    { 2, .moved = 64, .verdict = CONVERGED } } },
		{ "reconfigured, and nothing comes of it",
		  { { 1, .moved = 64, .reinit = true, .verdict = GO },
		    { 2, .verdict = CONVERGED } } },
		{ "reconfigured: what came before says nothing of what will come",
		  { { 1000, .dirty = 1 * GB, .moved = 1 * GB, .took = 1000, .verdict = GO },
		    { 1001, .reinit = true, .verdict = GO },
		    { 1002, .verdict = CONVERGED } } },
		{ "reconfigured: what is dirty then is none of the new",
		  { { 1, .dirty = 1 * GB, .moved = 64, .reinit = true, .verdict = GO },
		    { 4000, .dirty = 4 * GB, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 8000, .dirty = 3 * GB, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 11000, .dirty = 2 * GB, .moved = 3 * GB, .took = 3000, .verdict = GO },
		    { 13000, .dirty = 1 * MB, .moved = 2 * GB, .took = 2000,
		      .verdict = CONVERGED } } },
		{ "reconfigured, beside a device that does not tell",
		  { { 1, .untold = true, .moved = 64, .verdict = GO },
		    { 2, .untold = true, .moved = 64, .reinit = true, .verdict = GO },
		    { 3, .untold = true, .moved = 64, .verdict = GO },
		    { 4, .untold = true, .moved = 64, .verdict = CONVERGED } } },
		{ "reconfigured again and again",
		  { { 1, .moved = 64, .reinit = true, .verdict = GO },
		    { 2, .moved = 64, .reinit = true, .verdict = GO },
		    { 3, .moved = 64, .reinit = true, .verdict = GO },
		    { 4, .moved = 64, .verdict = CONVERGED } } },
		{ "reconfigured: more than it once was, less than it is now",
		  { { 2000, .dirty = 1 * GB, .moved = 2 * GB, .took = 2000, .verdict = GO },
		    { 4000, .dirty = 1 * GB, .verdict = GO },
		    { 6900, .dirty = 1 * GB, .verdict = GO },
		    { 7100, .initial = 4 * GB, .dirty = 1 * GB, .reinit = true, .verdict = GO },
		    { 11100, .dirty = 3 * GB, .moved = 4 * GB, .took = 4000, .verdict = GO },
		    { 14100, .dirty = 2 * GB, .moved = 3 * GB, .took = 3000, .verdict = GO },
		    { 16100, .dirty = 100 * MB, .moved = 2 * GB, .took = 2000,
		      .verdict = CONVERGED } } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_history(&rows[i], &wish);
}

static void a_quiescent_set_goes_back_only_when_a_device_has_started_over(void **state)
{
	const struct look fits = { 1, .moved = 64, .verdict = CONVERGED };
	const struct look much = { 1, .dirty = 8 * GB, .moved = 64, .verdict = GO };
	static const struct {
		struct look look;
		enum switchover_verdict converged, diverged;
	} rows[] = {
		/* clang-format off */
		{ { 9000, .quiescent = true }, CONVERGED, DIVERGES },
		{ { 9000, .quiescent = true, .dirty = 8 * GB }, CONVERGED, DIVERGES },
		{ { 9000, .quiescent = true, .reinit = true }, GO, GO },
		{ { 9000, .quiescent = true, .reinit = true, .initial = 4 * KB }, GO, GO },
		{ { 9000, .quiescent = true, .initial = 4 * KB }, GO, GO },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct switchover_decision d;
		struct switchover p;
		struct look l = much;

		switchover_start(&p, &wish, 0);
		assert_int_equal(step(&p, &fits), CONVERGED);
		d = decide(&p, &rows[i].look);
		assert_int_equal(d.verdict, rows[i].converged);
		assert_int_equal(d.number, 1);
		assert_int_equal(d.pause_ns, 0);
		assert_int_equal(d.dirty_rate, 0);

		switchover_start(&p, &wish, 0);
		for (; step(&p, &l) == GO; l.at += 2000)
			;
		assert_int_equal(p.verdict, DIVERGES);
		assert_int_equal(step(&p, &rows[i].look), rows[i].diverged);
	}
}

/* Whether they have always been there is known: they were told in the round before. */
static void initial_bytes_that_were_never_read_send_no_quiescent_set_back(void **state)
{
	const struct look last = { 1, .initial = 9 * GB, .moved = 64 };
	const struct look quiescent = { 2, .initial = 9 * GB, .quiescent = true };
	struct switchover_options once = wish;
	struct switchover p;

	(void)state;
	once.max_rounds = 1;
	switchover_start(&p, &once, 0);
	assert_int_equal(step(&p, &last), LIMIT);
	assert_int_equal(step(&p, &quiescent), LIMIT);
}

static void a_budget_ends_it(void **state)
{
	static const struct {
		unsigned int max_rounds;
		uint64_t max_ms;
		struct history history;
	} rows[] = {
		/* clang-format off */
		{ 0, 1000, { "no rounds at all",
		  { { 1, .dirty = 1 * GB, .verdict = LIMIT } } } },
		{ 2, 1000, { "rounds used up",
		  { { 1, .dirty = 2 * GB, .verdict = GO },
		    { 2, .dirty = 1 * GB, .verdict = LIMIT } } } },
		{ 2, 1000, { "just in time",
		  { { 1, .dirty = 1 * GB, .moved = 1, .verdict = GO },
		    { 2, .moved = 1, .verdict = CONVERGED } } } },
		{ 9, 0, { "no time at all",
		  { { 1, .dirty = 1 * GB, .verdict = LIMIT } } } },
		{ 9, 1000, { "time used up",
		  { { 999, .dirty = 2 * GB, .verdict = GO },
		    { 1000, .dirty = 1 * GB, .verdict = LIMIT } } } },
		{ 9, MOST / NSEC_PER_MSEC, { "no end of time",
		  { { 1, .dirty = 2 * GB, .verdict = GO },
		    { MOST / NSEC_PER_MSEC - 1, .dirty = 1 * GB, .verdict = GO },
		    { MOST / NSEC_PER_MSEC - 1, .moved = 1, .verdict = CONVERGED } } } },
		{ 2, 1000, { "initial bytes are left behind",
		  { { 1, .initial = 2 * GB, .verdict = GO },
		    { 2, .initial = 1 * GB, .verdict = LIMIT } } } },
		{ 2, 1000, { "reconfigured in the last round",
		  { { 1, .reinit = true, .verdict = GO },
		    { 2, .moved = 1, .reinit = true, .verdict = LIMIT } } } },
		{ 3, 1000, { "untold, it never ends",
		  { { 1, .untold = true, .moved = 1 * GB, .verdict = GO },
		    { 2, .untold = true, .moved = 1 * GB, .verdict = GO },
		    { 3, .untold = true, .moved = 1 * GB, .verdict = LIMIT } } } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct switchover_options options = wish;

		options.max_rounds = rows[i].max_rounds;
		options.max_ns = rows[i].max_ms * NSEC_PER_MSEC;
		check_history(&rows[i].history, &options);
	}
}

/* A round of 100 MB in 100 ms, by which all the rest is judged. */
static void the_estimate_is_all_that_the_devices_would_be_stopped_for(void **state)
{
	static const struct {
		uint64_t dirty, stop_copy, arcs_ms, finish_ms, limit_ms, estimate_ms;
		enum switchover_verdict verdict;
	} rows[] = {
		/* clang-format off */
		{ 300 * MB, 0,        0,   0,   300, 300, CONVERGED },
		{ 301 * MB, 0,        0,   0,   300, 301, GO },
		{ 100 * MB, 200 * MB, 0,   0,   300, 300, CONVERGED },
		{ 100 * MB, 201 * MB, 0,   0,   300, 301, GO },
		{ 100 * MB, 100 * MB, 50,  50,  300, 300, CONVERGED },
		{ 100 * MB, 100 * MB, 51,  50,  300, 301, GO },
		{ 100 * MB, 100 * MB, 50,  51,  300, 301, GO },
		{ 1 * MB,   0,        300, 0,   300, 301, GO },
		{ 1 * MB,   0,        0,   0,   1,   1,   CONVERGED },
		{ 1 * MB,   0,        0,   0,   0,   1,   GO },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct switchover_round round = round_of(&(struct look){
			2000, .dirty = rows[i].dirty, .moved = 100 * MB, .took = 100 });
		struct switchover_options options = wish;
		struct switchover_decision d;
		struct switchover p;

		round.stop_copy = rows[i].stop_copy;
		round.arcs_ns = rows[i].arcs_ms * NSEC_PER_MSEC;
		round.finish_ns = rows[i].finish_ms * NSEC_PER_MSEC;
		options.downtime_limit_ns = rows[i].limit_ms * NSEC_PER_MSEC;
		switchover_start(&p, &options, 0);
		switchover_step(&p, &round, &d);
		if (d.verdict != rows[i].verdict ||
		    d.estimate_ns != rows[i].estimate_ms * NSEC_PER_MSEC)
			fail_msg("row %zu: %s, %llu ns", i, switchover_verdict_name(d.verdict),
				 (unsigned long long)d.estimate_ns);
		assert_true(d.estimated);
		assert_int_equal(d.rate, GB);
		assert_int_equal(d.left, rows[i].dirty + rows[i].stop_copy);
		assert_int_equal(d.number, 1);
		assert_int_equal(d.round.dirty, rows[i].dirty);
	}
}

static void of_devices_that_do_not_tell_only_what_they_brought_counts(void **state)
{
	struct switchover_round round = {
		.dirty = 10 * MB, .moved = 1 * GB, .moved_ns = NSEC_PER_SEC, .now_ns = NSEC_PER_SEC
	};
	struct switchover_decision d;
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	switchover_step(&p, &round, &d);
	assert_int_equal(d.left, 1010 * MB);
	switchover_start(&p, &wish, 0);
	round.moved_told = 900 * MB;
	switchover_step(&p, &round, &d);
	assert_int_equal(d.left, 110 * MB);
	/* All tell: then the rest is what they tell. */
	switchover_start(&p, &wish, 0);
	round.told = true;
	round.moved_told = 0;
	switchover_step(&p, &round, &d);
	assert_int_equal(d.left, 10 * MB);
}

static void small_rounds_say_nothing_of_the_link(void **state)
{
	static const struct {
		const char *name;
		struct look looks[4];
		uint64_t stop_copy_rate, rate;
		bool estimated;
	} rows[] = {
		/* clang-format off */
		{ "nothing moved: a slow link",
		  { { 1, .dirty = 2 * GB }, { 2, .dirty = 2 * GB } }, 0, 100 * MB, false },
		{ "nothing moved, but hardly anything is left",
		  { { 1, .dirty = 4 * KB } }, 0, 100 * MB, true },
		{ "small and slow: a slow link",
		  { { 1, .dirty = 2 * GB, .moved = 1, .took = 1 },
		    { 2, .dirty = 2 * GB, .moved = 1, .took = 1 } }, 0, 100 * MB, false },
		{ "small and fast: faster than a slow link",
		  { { 1, .dirty = 2 * GB, .moved = 500 * KB, .took = 1 },
		    { 2, .dirty = 2 * GB, .moved = 500 * KB, .took = 1 } }, 0, 500 * MB, false },
		{ "a large one makes up for them",
		  { { 1, .dirty = 2 * GB, .moved = 1, .took = 1 },
		    { 2, .dirty = 2 * GB, .moved = 40 * MB, .took = 1000 } }, 0, 40 * MB, true },
		{ "small ones after it change nothing",
		  { { 1, .dirty = 2 * GB, .moved = 2 * GB, .took = 1000 },
		    { 2, .dirty = 2 * GB, .moved = 1, .took = 1000 },
		    { 3, .dirty = 2 * GB, .moved = 1 * KB, .took = 1000 },
		    { 4, .dirty = 2 * GB, .moved = 500 * KB, .took = 1000 } }, 0, 2 * GB, true },
		{ "a link that got slower",
		  { { 1, .dirty = 2 * GB, .moved = 4 * GB, .took = 1000 },
		    { 2, .dirty = 2 * GB, .moved = 100 * MB, .took = 1500 } }, 0,
		  1050 * MB, true },
		{ "a time that cannot be measured",
		  { { 1, .dirty = 2 * GB, .moved = 4 * GB },
		    { 1, .dirty = 2 * GB, .moved = 4 * GB } }, 0, 100 * MB, false },
		{ "faster than the stop-copy may be",
		  { { 1, .dirty = 2 * GB, .moved = 2 * GB, .took = 1000 },
		    { 2, .dirty = 2 * GB } }, 10 * MB, 10 * MB, true },
		{ "slower than that all the same",
		  { { 1, .dirty = 2 * GB, .moved = 2 * GB, .took = 1000 },
		    { 2, .dirty = 2 * GB } }, 10 * GB, 2 * GB, true },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct switchover_options options = wish;
		struct switchover_decision d = { 0 };
		struct switchover p;

		options.stop_copy_rate = rows[i].stop_copy_rate;
		switchover_start(&p, &options, 0);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].looks) && rows[i].looks[k].at; k++)
			d = decide(&p, &rows[i].looks[k]);
		if (d.rate != rows[i].rate || d.estimated != rows[i].estimated)
			fail_msg("%s: %llu, %s", rows[i].name, (unsigned long long)d.rate,
				 d.estimated ? "estimated" : "not estimated");
	}
}

static void what_gets_dirty_is_what_was_not_there_before(void **state)
{
	static const struct {
		const char *name;
		struct look looks[5];
		uint64_t rate;
	} rows[] = {
		/* clang-format off */
		{ "a first look tells nothing",
		  { { 1000, .dirty = 1 * GB, .moved = 4 * GB, .took = 1000 } }, 0 },
		{ "read and there again",
		  { { 4000, .dirty = 2 * GB, .moved = 4 * GB, .took = 4000 },
		    { 6000, .dirty = 1 * GB, .moved = 2 * GB, .took = 2000 } }, 500 * MB },
		{ "not read, and more",
		  { { 1000, .dirty = 100 * MB },
		    { 2000, .dirty = 150 * MB } }, 50 * MB },
		{ "read only",
		  { { 1000, .initial = 100 * MB, .dirty = 100 * MB },
		    { 2000, .dirty = 50 * MB, .moved = 150 * MB, .took = 1000 } }, 0 },
		{ "untold: read",
		  { { 4000, .untold = true, .moved = 4 * GB, .took = 4000 },
		    { 6000, .untold = true, .moved = 1 * GB, .took = 2000 } }, 500 * MB },
		{ "while initial bytes are read",
		  { { 1000, .initial = 100 * MB },
		    { 2000, .initial = 50 * MB, .dirty = 100 * MB, .moved = 50 * MB } },
		  100 * MB },
		{ "less than it was told is no dirt",
		  { { 1000, .dirty = 100 * MB },
		    { 2000, .dirty = 50 * MB } }, 0 },
		{ "a reconfigured device is another one",
		  { { 1000, .dirty = 1 * GB },
		    { 2000, .dirty = 2 * GB },
		    { 3000, .initial = 9 * GB, .reinit = true } }, 0 },
		{ "what is long ago counts less",
		  { { 1000, .dirty = 1 * GB },
		    { 3000, .dirty = 3 * GB },
		    { 5000, .dirty = 3 * GB },
		    { 7000, .dirty = 3 * GB } }, 142857142 },
		{ "a clock that stands still",
		  { { 1000, .dirty = 1 * GB },
		    { 1000, .dirty = 2 * GB } }, 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct switchover_decision d = { 0 };
		struct switchover p;

		switchover_start(&p, &wish, 0);
		for (size_t k = 0; k < ARRAY_SIZE(rows[i].looks) && rows[i].looks[k].at; k++)
			d = decide(&p, &rows[i].looks[k]);
		if (d.dirty_rate != rows[i].rate)
			fail_msg("%s: %llu", rows[i].name, (unsigned long long)d.dirty_rate);
	}
}

static void what_is_suspected_is_told(void **state)
{
	const struct look first = { 500, .moved = 500 * MB, .took = 500, .verdict = GO };
	const struct look sure = { 1100, .verdict = CONVERGED };
	struct switchover_decision d;
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	d = decide(&p, &first);
	assert_int_equal(d.left, 0);
	assert_int_equal(d.suspected, 500 * MB);
	assert_int_equal(d.estimate_ns, 0);
	d = decide(&p, &sure);
	assert_int_equal(d.verdict, CONVERGED);
	assert_int_equal(d.suspected, 0);
}

/* Return: rounds at one a second until it is not GO any more, that one counted. */
static unsigned int rounds_of_the_same(struct switchover *p, struct look l,
				       enum switchover_verdict *ret)
{
	unsigned int n = 0;

	do {
		*ret = step(p, &l);
		l.at += 1000;
		n++;
	} while (*ret == GO && n < 1000);
	return n;
}

static void what_does_not_shrink_is_given_up(void **state)
{
	struct look l = { 1000, .dirty = 500 * MB };
	enum switchover_verdict got;
	unsigned int patience;
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	patience = rounds_of_the_same(&p, l, &got);
	assert_int_equal(got, DIVERGES);
	/* virtio finds something once a second. */
	assert_in_range(patience, 3, 10);

	/* Growing is no better. Only less than ever before counts, and then all starts over. */
	switchover_start(&p, &wish, 0);
	for (unsigned int i = 1; i < patience; i++, l.at += 1000) {
		l.dirty = 500 * MB + (i > 1) * (i % 2);
		assert_int_equal(step(&p, &l), GO);
	}
	l.dirty = 500 * MB - 1;
	assert_int_equal(step(&p, &l), GO);
	l.at += 1000;
	assert_int_equal(rounds_of_the_same(&p, l, &got), patience - 1);
	assert_int_equal(got, DIVERGES);
}

static void rounds_that_follow_each_other_quickly_are_not_given_up(void **state)
{
	struct look l = { .dirty = 500 * MB, .verdict = GO };
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	for (l.at = 0; l.at < 5000; l.at += 10)
		assert_int_equal(step(&p, &l), GO);
	assert_int_equal(step(&p, &l), DIVERGES);
}

static void a_slow_round_is_not_given_up_for_its_time(void **state)
{
	struct look l = { 100000, .dirty = 500 * MB, .moved = 500 * MB, .took = 100000 };
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	assert_int_equal(step(&p, &l), GO);
	l.at += 100000;
	assert_int_equal(step(&p, &l), GO);
	l.at += 100000;
	l.dirty = 400 * MB;
	for (unsigned int i = 0; i < 3; i++, l.at += 100000)
		assert_int_equal(step(&p, &l), GO);
	assert_int_equal(step(&p, &l), DIVERGES);
}

static void pauses_begin_anew_after_a_round_that_brought_something(void **state)
{
	const struct look nothing = { 1, .dirty = 2 * GB };
	const struct look something = { 1, .dirty = 2 * GB, .moved = 1 };
	uint64_t first, last;
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	first = decide(&p, &nothing).pause_ns;
	assert_true(first <= 10 * NSEC_PER_MSEC);
	for (unsigned int i = 0; i < 10; i++)
		last = decide(&p, &nothing).pause_ns;
	assert_true(last > first);
	assert_int_equal(decide(&p, &something).pause_ns, 0);
	assert_int_equal(decide(&p, &nothing).pause_ns, first);
}

static void a_pause_is_made_where_there_is_nothing_to_read(void **state)
{
	static const struct {
		const char *name;
		struct look look;
		bool pause;
	} rows[] = {
		/* clang-format off */
		{ "more is there", { 1, .dirty = 2 * GB, .moved = 1 }, false },
		{ "initial bytes are there", { 1, .initial = 1, .moved = 1 }, false },
		{ "untold: there may be more", { 1, .untold = true, .moved = 2 * GB }, false },
		{ "told, and not readable yet", { 1, .dirty = 2 * GB }, true },
		{ "initial bytes, not readable yet", { 1, .initial = 1 }, true },
		{ "nothing is told any more", { 1, .moved = 2 * GB }, true },
		{ "untold, nothing", { 1, .untold = true }, true },
		{ "reconfigured, nothing yet", { 1, .reinit = true }, true },
		{ "reconfigured, initial bytes", { 1, .initial = 1, .moved = 1, .reinit = true },
		  false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct look l = rows[i].look;
		uint64_t before = 0;
		struct switchover p;

		switchover_start(&p, &wish, 0);
		/* Longer from pause to pause, but not so long that new data would wait. */
		for (unsigned int k = 0; k < 10; k++, l.at++) {
			struct switchover_decision d = decide(&p, &l);

			assert_int_equal(d.verdict, GO);
			if (!d.pause_ns == rows[i].pause)
				fail_msg("%s: %llu", rows[i].name, (unsigned long long)d.pause_ns);
			assert_true(d.pause_ns >= before);
			assert_true(d.pause_ns <= NSEC_PER_SEC / 10);
			before = l.reinit ? 0 : d.pause_ns;
		}
	}
}

static void a_new_start_forgets_the_old_one(void **state)
{
	const struct look first = { 1000, .dirty = 1 * GB, .moved = 9 * GB, .took = 1000 };
	const struct look more = { 6000, .dirty = 2 * GB };
	const struct look late = { 6000, .untold = true };
	struct switchover_decision d;
	struct switchover p;

	(void)state;
	switchover_start(&p, &wish, 0);
	for (unsigned int i = 0; i < 5; i++)
		step(&p, &first);
	switchover_start(&p, &wish, 5000 * NSEC_PER_MSEC);
	d = decide(&p, &more);
	assert_int_equal(d.verdict, GO);
	assert_int_equal(d.number, 1);
	assert_int_equal(p.least, 2 * GB);
	assert_false(d.estimated);
	assert_int_equal(d.dirty_rate, 0);
	/* A second counts from the start, too. */
	switchover_start(&p, &wish, 5000 * NSEC_PER_MSEC);
	assert_int_equal(step(&p, &late), GO);
}

static void check_promises(const struct switchover *p, const struct switchover_decision *d)
{
	const struct switchover_round *r = &d->round;

	assert_in_range(d->verdict, 0, SWITCHOVER_NR_VERDICTS - 1);
	assert_true(d->rate > 0);
	assert_false(r->cut && d->estimated);
	assert_true(d->estimate_ns >= r->arcs_ns && d->estimate_ns >= r->finish_ns);
	assert_true(d->left >= r->dirty && d->left >= r->initial && d->left >= r->stop_copy);
	if (d->verdict == GO) {
		assert_true(p->rounds < p->options.max_rounds);
		assert_true(r->moved || r->quiescent || d->pause_ns);
	} else {
		assert_int_equal(d->pause_ns, 0);
	}
	if (d->verdict == CONVERGED && !r->quiescent) {
		assert_false(r->initial || r->reinit || r->cut);
		assert_true(d->estimate_ns <= p->options.downtime_limit_ns);
	}
}

/* Numbers that a device or a clock could come up with, in an order that is always the same. */
static void whatever_is_told_the_promises_hold(void **state)
{
	static const uint64_t values[] = { 0, 1, 1000, 1 << 20, GB, INT64_MAX, MOST - 1, MOST };
	uint64_t seed = 1, *fields[7];
	unsigned int seen[SWITCHOVER_NR_VERDICTS] = { 0 };
	struct switchover_options options = wish;

	(void)state;
	options.max_rounds = 20;
	for (unsigned int i = 0; i < 20000; i++) {
		struct switchover_decision d = { .verdict = GO };
		struct switchover p;

		options.stop_copy_rate = values[i % ARRAY_SIZE(values)];
		options.downtime_limit_ns = i % 3 ? wish.downtime_limit_ns : MOST;
		options.max_ns = i % 5 ? MOST : 0;
		switchover_start(&p, &options, i % 7 ? 0 : MOST);
		for (unsigned int k = 0; k < 25 && d.verdict == GO; k++) {
			struct switchover_round r = { 0 };

			fields[0] = &r.initial;
			fields[1] = &r.dirty;
			fields[2] = &r.stop_copy;
			fields[3] = &r.moved;
			fields[4] = &r.moved_ns;
			fields[5] = &r.now_ns;
			fields[6] = k % 2 ? &r.arcs_ns : &r.finish_ns;
			for (unsigned int f = 0; f < ARRAY_SIZE(fields); f++) {
				seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407;
				if (seed >> 63)
					*fields[f] = values[(seed >> 60) % ARRAY_SIZE(values)];
			}
			r.told = (seed >> 40) % 4;
			r.reinit = !((seed >> 42) % 8);
			r.quiescent = !((seed >> 45) % 16);
			r.moved_told = (seed >> 49) % 2 ? r.moved : MOST;
			r.cut = !r.told && (seed >> 51) % 2;
			switchover_step(&p, &r, &d);
			check_promises(&p, &d);
		}
		seen[d.verdict]++;
	}
	for (unsigned int v = CONVERGED; v < SWITCHOVER_NR_VERDICTS; v++)
		assert_true(v == DIVERGES || seen[v] > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_driver_comes_to_its_end),
		cmocka_unit_test(a_long_first_round_of_a_device_that_does_not_tell_is_no_estimate),
		cmocka_unit_test(initial_bytes_come_first_and_start_over),
		cmocka_unit_test(a_quiescent_set_goes_back_only_when_a_device_has_started_over),
		cmocka_unit_test(initial_bytes_that_were_never_read_send_no_quiescent_set_back),
		cmocka_unit_test(a_budget_ends_it),
		cmocka_unit_test(the_estimate_is_all_that_the_devices_would_be_stopped_for),
		cmocka_unit_test(of_devices_that_do_not_tell_only_what_they_brought_counts),
		cmocka_unit_test(small_rounds_say_nothing_of_the_link),
		cmocka_unit_test(what_gets_dirty_is_what_was_not_there_before),
		cmocka_unit_test(what_is_suspected_is_told),
		cmocka_unit_test(what_does_not_shrink_is_given_up),
		cmocka_unit_test(rounds_that_follow_each_other_quickly_are_not_given_up),
		cmocka_unit_test(a_slow_round_is_not_given_up_for_its_time),
		cmocka_unit_test(a_pause_is_made_where_there_is_nothing_to_read),
		cmocka_unit_test(pauses_begin_anew_after_a_round_that_brought_something),
		cmocka_unit_test(a_new_start_forgets_the_old_one),
		cmocka_unit_test(whatever_is_told_the_promises_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
