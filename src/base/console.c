// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/console.h"
#include "base/macros.h"

static struct lines console = LINES_INIT(console, STDERR_FILENO, "(",
					 " lines are missing here: standard error was full)");

/* So many lines were drawn, and the cursor is at the end of the last one; 0 for none. */
static atomic_uint lines_drawn;

#define CLEAR_MAX 32

/* To the start of @n lines that were drawn, and nothing behind it. Return: @buf. */
static const char *console_clear(char buf[CLEAR_MAX], unsigned int n)
{
	if (n > 1)
		snprintf(buf, CLEAR_MAX, "\r\033[%uA\033[J", n - 1);
	else
		snprintf(buf, CLEAR_MAX, "%s", n ? "\r\033[K" : "");
	return buf;
}

/* One lines_put() each, so that lines of two threads never mix. */
static void console_write(const char *text, const char *end)
{
	char buf[CLEAR_MAX];
	const char *clear = console_clear(buf, atomic_exchange(&lines_drawn, 0));
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

void console_draw(const char *text)
{
	unsigned int n = 1;
	char buf[CLEAR_MAX];
	char *all;

	for (const char *c = text; *c; c++)
		n += *c == '\n';
	console_clear(buf, MAX(atomic_exchange(&lines_drawn, n), 1u));
	if (asprintf(&all, "%s%s", buf, text) < 0)
		return;
	lines_put(&console, all);
	free(all);
}

void console_end_line(void)
{
	if (atomic_exchange(&lines_drawn, 0))
		lines_put(&console, "\n");
}

struct lines *console_lines(void)
{
	return &console;
}
