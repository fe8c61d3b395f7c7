// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/console.h"

static struct lines console = LINES_INIT(console, STDERR_FILENO, "(",
					 " lines are missing here: standard error was full)");

/* The cursor is at the end of a line that was drawn. */
static atomic_bool line_open;

#define CLEAR_LINE "\r\033[K"

/* One lines_put() each, so that lines of two threads never mix. */
static void console_write(const char *text, const char *end)
{
	const char *clear = atomic_exchange(&line_open, false) ? CLEAR_LINE : "";
	char *line;

	if (asprintf(&line, "%s%s%s", clear, text, end) < 0)
		return;
	lines_put(&console, line);
	free(line);
}

void console_print(const char *fmt, ...)
{
	char *text;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0)
		return;
	console_write(text, "\n");
	free(text);
}

void console_put(const char *text)
{
	console_write(text, "");
}

void console_draw(const char *line)
{
	char *text;

	if (asprintf(&text, CLEAR_LINE "%s", line) < 0)
		return;
	atomic_store(&line_open, true);
	lines_put(&console, text);
	free(text);
}

void console_end_line(void)
{
	if (atomic_exchange(&line_open, false))
		lines_put(&console, "\n");
}

struct lines *console_lines(void)
{
	return &console;
}
