/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a check has found, as JSON, and from that as text, TAP 14 and JUnit
 */

#include <stdio.h>

#include "check/run.h"
#include "ui/report.h"

/** check_report_rules() - "rules": those of a selection, for --list */
void check_report_rules(struct json_object *report, const struct check_selection *selection);

/** check_report_result() - one of them. Return: a new object. */
struct json_object *check_report_result(const struct check_result *result);

/** check_report_results() - "results", and "summary" with their number by verdict */
void check_report_results(struct json_object *report, const struct check_results *results);

/*
 * Views of such a report. One of a run that was ended has its error, and fewer results than its
 * summary says were selected.
 */

/** check_report_list() - the rules */
void check_report_list(FILE *f, struct json_object *report);

/**
 * check_report_text() - what follows the results that ui/check-stream.h shows: how many there were
 *
 * Of them there is a line a rule; below it what was said, unless it passed.
 */
void check_report_text(FILE *f, struct json_object *report);

/**
 * check_report_tap() - the same of TAP 14: why not all were tried, where that is so
 *
 * Known deviations are tests to be done, evidence is a YAML block.
 */
void check_report_tap(FILE *f, struct json_object *report);

/** check_report_junit() - JUnit XML; groups are class names */
void check_report_junit(FILE *f, struct json_object *report);
