/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What samples of a benchmark come to, and whether two sets of them differ
 *
 * Times of arcs have a floor and a long tail: a mean says little, and no normal distribution fits.
 * So the middle is the median, and what is known of it is the interval between two of the samples
 * themselves that holds the true median with BENCH_CONFIDENCE, whatever the distribution: by the
 * binomial distribution of how many samples lie below it. That needs no random numbers, unlike a
 * bootstrap, so that the same samples always come to the same verdict; and it stays honest with few
 * samples, where a bootstrap and the median of deviations (MAD) are too narrow.
 *
 * A change counts when the intervals of before and after have nothing in common, and the medians
 * differ by more than a threshold. The first is about noise: for two sets with the same median it
 * happens less than once in a thousand times, so that a page of arcs can be compared. The second is
 * about what matters.
 *
 * Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define BENCH_CONFIDENCE 0.99

/* With fewer samples the interval is from the least to the largest, and holds it with less. */
#define BENCH_SAMPLES_MIN 8u

/** struct bench_samples - @n values in the order they came; zeroes to begin with */
struct bench_samples {
	uint64_t *v;
	size_t n, room;
};

/** bench_samples_add() - Return: 0, -ENOMEM. */
_must_check_ int bench_samples_add(struct bench_samples *s, uint64_t value, struct err *err);

void bench_samples_done(struct bench_samples *s);

/**
 * struct bench_summary - what they come to, in their unit
 * @n: of how many; all else is 0 with none
 * @median: of an even number half-way between the two in the middle, rounded up
 * @p99: the least value that 99 of a hundred do not exceed: with fewer than 100 the largest
 * @low, @high: the interval of the median
 */
struct bench_summary {
	size_t n;
	uint64_t min, median, p99, max;
	uint64_t low, high;
};

/** bench_summarize() - sorts the samples */
void bench_summarize(struct bench_samples *s, struct bench_summary *ret);

/**
 * bench_median_rank() - the interval's ends, as places in @n sorted samples
 *
 * Return: the place of the lower end, counted from 0; the upper end has the same from the other
 * side. 0 also where @n is too small for BENCH_CONFIDENCE.
 */
size_t bench_median_rank(size_t n);

enum bench_verdict {
	BENCH_SAME, /* within the noise, or the threshold */
	BENCH_BETTER,
	BENCH_WORSE,
	BENCH_TOO_FEW, /* one of both has less than BENCH_SAMPLES_MIN samples */
	BENCH_NR_VERDICTS
};

/** bench_verdict_name() - "worse" */
const char *bench_verdict_name(enum bench_verdict verdict);

/**
 * bench_compare() - of what is better when it is less, @now against @before
 * @threshold: in percent of the median of @before; 0 for any change that is more than noise
 */
enum bench_verdict bench_compare(const struct bench_summary *before,
				 const struct bench_summary *now, double threshold);

/** bench_change() - of the medians, in percent; 0 where @before is 0 */
double bench_change(const struct bench_summary *before, const struct bench_summary *now);
