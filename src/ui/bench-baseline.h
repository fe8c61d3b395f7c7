/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The report of an earlier benchmark, to compare with
 *
 * A file that comes from outside: it is read to its end before anything is believed, and bounded.
 */

#include "engine/bench.h"

/* A report has some 20 KiB. */
#define BENCH_BASELINE_MAX ((size_t)1 << 20)

/**
 * struct bench_baseline - what is compared of it; owns nothing
 * @arcs: @n_arcs, only with their summaries
 * @measures: with no samples where the file has none
 */
struct bench_baseline {
	struct bench_step arcs[BENCH_STEPS_MAX];
	unsigned int n_arcs;
	struct bench_summary measures[BENCH_NR_MEASURES];
};

/**
 * bench_baseline_parse() - a report of `bench --json`
 *
 * Return: 0; -EBADMSG (ERR_IMAGE) for anything else, and for one of a benchmark that failed or had
 * too few rounds to be compared with.
 */
_must_check_ int bench_baseline_parse(const char *text, size_t len, struct bench_baseline *ret,
				      struct err *err);

/** bench_baseline_arc() - the summary of the arc of @like; NULL where it has none */
const struct bench_summary *bench_baseline_arc(const struct bench_baseline *b,
					       const struct bench_step *like);
