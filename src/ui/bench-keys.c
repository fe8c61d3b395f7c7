// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>

#include "ui/bench-keys.h"

const struct bench_unit_keys bench_unit_keys[BENCH_NR_UNITS] = {
	[BENCH_NS] = { "times", "_ns", REPORT_NS },
	[BENCH_BYTES] = { "sizes", "_bytes", REPORT_BYTES },
	[BENCH_BYTES_PER_SECOND] = { "rates", "_bytes_per_second", REPORT_RATE },
	[BENCH_COUNT] = { "counts", "", REPORT_TEXT },
};

char *bench_key(char buf[BENCH_KEY_MAX], const char *statistic, enum bench_unit unit)
{
	snprintf(buf, BENCH_KEY_MAX, "%s%s", statistic, bench_unit_keys[unit].suffix);
	return buf;
}
