/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The keys of a benchmark's report, for what writes it and what reads it
 */

#include "engine/bench.h"
#include "ui/report.h"

/* The lists of measures, and what their keys end in. */
struct bench_unit_keys {
	const char *list, *suffix;
	enum report_format format;
};

extern const struct bench_unit_keys bench_unit_keys[BENCH_NR_UNITS];

#define BENCH_KEY_MAX 48

/** bench_key() - "median_ns" for "median". Return: @buf. */
char *bench_key(char buf[BENCH_KEY_MAX], const char *statistic, enum bench_unit unit);
