// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/macros.h"
#include "engine/bench-stats.h"

int bench_samples_add(struct bench_samples *s, uint64_t value, struct err *err)
{
	if (s->n == s->room) {
		size_t room = s->room ? 2 * s->room : 16;
		uint64_t *v = realloc(s->v, room * sizeof(*v));

		if (!v)
			return err_set(err, -ENOMEM, "samples");
		s->v = v;
		s->room = room;
	}
	s->v[s->n++] = value;
	return 0;
}

void bench_samples_done(struct bench_samples *s)
{
	free(s->v);
	*s = (struct bench_samples){ 0 };
}

static int bench_stats_order(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/*
 * The samples below the median are binomial, of n with a chance of a half. The rank grows while
 * what lies outside of it on one side stays below half of what may. Above 1000 samples the powers
 * of a half are no more doubles; then the normal distribution is as good.
 */
size_t bench_median_rank(size_t n)
{
	const double outside = (1 - BENCH_CONFIDENCE) / 2;
	double chance = 1, sum;
	size_t rank = 0;

	if (n > 1000) {
		/* n/2 - 2.576 * sqrt(n)/2, and a root by Newton's way, to stay off libm. */
		double root = (double)n / 32;

		for (int i = 0; i < 64; i++)
			root = (root + (double)n / root) / 2;
		return (size_t)((double)n / 2 - 1.288 * root) - 1;
	}
	for (size_t i = 0; i < n; i++)
		chance /= 2;
	sum = chance;
	while (rank < n / 2 && sum <= outside) {
		chance = chance * (double)(n - rank) / (double)(rank + 1);
		sum += chance;
		rank++;
	}
	return rank ? rank - 1 : 0;
}

void bench_summarize(struct bench_samples *s, struct bench_summary *ret)
{
	size_t n = s->n, rank = bench_median_rank(n);
	const uint64_t *v = s->v;

	*ret = (struct bench_summary){ .n = n };
	if (!n)
		return;
	qsort(s->v, n, sizeof(*s->v), bench_stats_order);
	ret->min = v[0];
	ret->max = v[n - 1];
	ret->median = v[(n - 1) / 2] + (v[n / 2] - v[(n - 1) / 2] + 1) / 2;
	ret->p99 = v[(99 * n + 99) / 100 - 1];
	ret->low = v[rank];
	ret->high = v[n - 1 - rank];
}

const char *bench_verdict_name(enum bench_verdict verdict)
{
	static const char *const names[] = {
		[BENCH_SAME] = "same",
		[BENCH_BETTER] = "better",
		[BENCH_WORSE] = "worse",
		[BENCH_TOO_FEW] = "too-few",
	};

	_Static_assert(ARRAY_SIZE(names) == BENCH_NR_VERDICTS, "a name for each");
	return names[verdict];
}

double bench_change(const struct bench_summary *before, const struct bench_summary *now)
{
	if (!before->median)
		return 0;
	return ((double)now->median / (double)before->median - 1) * 100;
}

enum bench_verdict bench_compare(const struct bench_summary *before,
				 const struct bench_summary *now, double threshold)
{
	const double was = (double)before->median, is = (double)now->median;

	if (before->n < BENCH_SAMPLES_MIN || now->n < BENCH_SAMPLES_MIN)
		return BENCH_TOO_FEW;
	if (now->low > before->high && is > was * (1 + threshold / 100))
		return BENCH_WORSE;
	if (now->high < before->low && is < was * (1 - threshold / 100))
		return BENCH_BETTER;
	return BENCH_SAME;
}
