// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/bench-stats.h"

/* The ranks of tables of the sign test at 99 %, from 0; and of no interval below 8 samples. */
static void the_interval_is_that_of_the_sign_test(void **state)
{
	static const struct {
		size_t n, rank;
	} rows[] = {
		/* clang-format off */
		{ 0,   0 }, { 1,   0 }, { 2,    0 }, { 7,    0 }, { 8,  0 }, { 11,  0 }, { 12,  1 },
		{ 14,  1 }, { 15,  2 }, { 20,   3 }, { 25,   5 }, { 30, 7 }, { 50, 15 },
		{ 100, 36 },
		{ 500, 220 }, { 1000, 458 }, { 1001, 458 }, { 10000, 4870 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(bench_median_rank(rows[i].n), rows[i].rank);
}

static struct bench_summary summary_of(const uint64_t *v, size_t n)
{
	struct bench_samples s = { 0 };
	struct bench_summary ret;

	for (size_t i = 0; i < n; i++)
		assert_int_equal(bench_samples_add(&s, v[i], NULL), 0);
	bench_summarize(&s, &ret);
	bench_samples_done(&s);
	assert_null(s.v);
	return ret;
}

static void a_summary_is_of_the_samples_whatever_their_order(void **state)
{
	static const struct {
		uint64_t v[12];
		size_t n;
		struct bench_summary want;
	} rows[] = {
		/* clang-format off */
		{ { 0 },              0,  { 0 } },
		{ { 5 },              1,  { 1, 5, 5, 5, 5, 5, 5 } },
		{ { 9, 4 },           2,  { 2, 4, 7, 9, 9, 4, 9 } },
		{ { 3, 1, 2 },        3,  { 3, 1, 2, 3, 3, 1, 3 } },
		{ { UINT64_MAX, UINT64_MAX - 1 }, 2,
		  { 2, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX - 1,
		    UINT64_MAX } },
		{ { 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1 }, 12, { 12, 1, 7, 12, 12, 2, 11 } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench_summary s = summary_of(rows[i].v, rows[i].n);

		assert_memory_equal(&s, &rows[i].want, sizeof(s));
	}
}

static void p99_leaves_out_one_in_a_hundred(void **state)
{
	uint64_t v[200];

	(void)state;
	for (size_t i = 0; i < 200; i++)
		v[i] = i + 1;
	assert_int_equal(summary_of(v, 99).p99, 99);
	assert_int_equal(summary_of(v, 100).p99, 99);
	assert_int_equal(summary_of(v, 101).p99, 100);
	assert_int_equal(summary_of(v, 200).p99, 198);
	assert_int_equal(summary_of(v, 200).max, 200);
}

static struct bench_summary summary(const uint64_t v[4])
{
	return (struct bench_summary){
		.n = v[0],
		.low = v[1],
		.median = v[2],
		.high = v[3],
		.max = UINT64_MAX,
	};
}

static void a_change_counts_beyond_the_noise_and_the_threshold(void **state)
{
	/* How many samples; of their median the interval's lower end, itself, the upper end. */
	static const struct {
		uint64_t before[4], now[4];
		double threshold;
		enum bench_verdict want;
	} rows[] = {
		/* clang-format off */
		{ { 20, 95, 100, 105 }, { 20, 95, 100, 105 },  0, BENCH_SAME },
		/* Over the threshold, and the intervals are apart. */
		{ { 20, 95, 100, 105 }, { 20, 106, 115, 120 }, 10, BENCH_WORSE },
		{ { 20, 95, 100, 105 }, { 20, 80, 85, 94 },    10, BENCH_BETTER },
		/* Over the threshold, and it may be noise. */
		{ { 20, 95, 100, 105 }, { 20, 105, 115, 120 }, 10, BENCH_SAME },
		{ { 20, 95, 100, 105 }, { 20, 80, 85, 95 },    10, BENCH_SAME },
		/* No noise, and at the threshold or below. */
		{ { 20, 100, 100, 100 }, { 20, 110, 110, 110 }, 10, BENCH_SAME },
		{ { 20, 100, 100, 100 }, { 20, 111, 111, 111 }, 10, BENCH_WORSE },
		{ { 20, 100, 100, 100 }, { 20, 90, 90, 90 },    10, BENCH_SAME },
		{ { 20, 100, 100, 100 }, { 20, 101, 101, 101 }, 0,  BENCH_WORSE },
		/* What took no time and takes some has got worse. */
		{ { 20, 0, 0, 0 }, { 20, 1, 1, 1 }, 10, BENCH_WORSE },
		{ { 20, 0, 0, 0 }, { 20, 0, 0, 0 }, 0,  BENCH_SAME },
		/* Too few say nothing, however far apart. */
		{ { 7, 1, 1, 1 },  { 20, 9, 9, 9 }, 10, BENCH_TOO_FEW },
		{ { 20, 1, 1, 1 }, { 7, 9, 9, 9 },  10, BENCH_TOO_FEW },
		{ { 8, 1, 1, 1 },  { 8, 9, 9, 9 },  10, BENCH_WORSE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct bench_summary before = summary(rows[i].before);
		const struct bench_summary now = summary(rows[i].now);
		enum bench_verdict verdict = bench_compare(&before, &now, rows[i].threshold);

		assert_string_equal(bench_verdict_name(verdict), bench_verdict_name(rows[i].want));
	}
}

static void the_change_is_of_the_medians(void **state)
{
	const struct bench_summary zero = { 0 }, ten = { .median = 10 }, eleven = { .median = 11 };

	(void)state;
	assert_int_equal((int)(bench_change(&ten, &eleven) * 10 + 0.5), 100);
	assert_int_equal((int)bench_change(&ten, &zero), -100);
	assert_int_equal((int)bench_change(&zero, &ten), 0);
}

/* A generator of its own: the same noise everywhere. */
static uint64_t noise(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	/* A floor, and a long tail. */
	return 1000 + *x % 64 + (*x % 61 == 0 ? *x % 4096 : 0);
}

static void the_same_device_is_called_worse_less_than_once_in_a_thousand(void **state)
{
	uint64_t x = 88172645463325252u;
	unsigned int worse = 0, better = 0;

	(void)state;
	for (unsigned int i = 0; i < 4000; i++) {
		struct bench_summary s[2];

		for (unsigned int j = 0; j < 2; j++) {
			uint64_t v[20];

			for (unsigned int k = 0; k < 20; k++)
				v[k] = noise(&x);
			s[j] = summary_of(v, 20);
		}
		worse += bench_compare(&s[0], &s[1], 0) == BENCH_WORSE;
		better += bench_compare(&s[0], &s[1], 0) == BENCH_BETTER;
	}
	assert_in_range(worse, 0, 4);
	assert_in_range(better, 0, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interval_is_that_of_the_sign_test),
		cmocka_unit_test(a_summary_is_of_the_samples_whatever_their_order),
		cmocka_unit_test(p99_leaves_out_one_in_a_hundred),
		cmocka_unit_test(a_change_counts_beyond_the_noise_and_the_threshold),
		cmocka_unit_test(the_change_is_of_the_medians),
		cmocka_unit_test(the_same_device_is_called_worse_less_than_once_in_a_thousand),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
