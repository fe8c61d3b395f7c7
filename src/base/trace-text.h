/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Lines of a trace
 *
 * Pure. vfiomigctl(8), TRACE, describes the text; schema/trace.json the JSON.
 */

#include <stddef.h>

#include "base/trace.h"

/* No line is longer, its newline and NUL included. */
#define TRACE_LINE_MAX ((size_t)2048)

/**
 * struct trace_head - what all lines share
 * @format: never TRACE_AUTO
 * @wall_ns, @origin_ns: when the trace began, by the wall's clock and the monotonic one
 */
struct trace_head {
	enum trace_format format;
	const char *command;
	pid_t pid;
	uint64_t wall_ns, origin_ns;
};

/* What the first line of a text trace begins with, and what that of JSON holds. */
#define TRACE_TEXT_MARK "# vfiomigctl trace "
#define TRACE_JSON_MARK "\"event\":\"trace\""

/* Each writes one line with its newline. Return: its length. */
size_t trace_text_begin(const struct trace_head *head, char buf[static TRACE_LINE_MAX]);
size_t trace_text_record(const struct trace_head *head, const struct trace_record *r,
			 char buf[static TRACE_LINE_MAX]);
size_t trace_text_dropped(const struct trace_head *head, uint64_t n,
			  char buf[static TRACE_LINE_MAX]);
