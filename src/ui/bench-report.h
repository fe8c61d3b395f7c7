/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A benchmark as a report: JSON, text from that, and Markdown from that
 *
 * "arcs" has the time of each arc, by what it was taken for; "times", "sizes", "rates" and "counts"
 * have the measures, by their unit. Each entry has the samples' number, least, median, 99th
 * percentile and largest, and the interval that holds the median with 99 %: "low" and "high".
 */

#include "engine/bench.h"
#include "ui/bench-baseline.h"
#include "ui/report.h"

/** bench_report_render() - into @o; @dev and @second: what the devices are called */
void bench_report_render(struct json_object *o, const struct bench_result *result, const char *dev,
			 const char *second);

/**
 * bench_report_compare() - "comparison", of what both have
 * @file: what the user calls the baseline
 * @threshold: in percent
 * @ret_compared, @ret_worse: how many, and how many of them got worse
 */
void bench_report_compare(struct json_object *o, const struct bench_result *result,
			  const struct bench_baseline *baseline, const char *file,
			  unsigned int threshold, unsigned int *ret_compared,
			  unsigned int *ret_worse);

/** bench_report_view() - as tables for people */
void bench_report_view(FILE *f, struct json_object *report);

/** bench_report_markdown() - the same for a mail or a commit message */
void bench_report_markdown(FILE *f, struct json_object *report);
