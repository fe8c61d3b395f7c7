/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A run's summary as part of a report, and its text
 */

#include "ui/report.h"
#include "ui/summary.h"

#define SUMMARY_WHY_MAX 512
#define SUMMARY_ROWS_MAX 24

/**
 * summary_why() - why pre-copy was left when it was, in words, with the numbers
 *
 * Return: @buf.
 */
char *summary_why(const struct switchover_decision *d, char buf[SUMMARY_WHY_MAX]);

/**
 * summary_render() - what is known of the set and of each device, after summary_end()
 * @names: of the devices
 */
void summary_render(struct json_object *o, const struct summary *s, const char *const *names);

/**
 * summary_view() - the text of what summary_render() has put into @o
 * @rows: what the caller has to say, before it; @n of them, at most SUMMARY_ROWS_MAX
 */
void summary_view(FILE *f, struct json_object *o, const struct report_row *rows, size_t n);
