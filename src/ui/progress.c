// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/printable.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/progress.h"
#include "ui/report.h"

bool progress_wanted(const struct progress *p)
{
	if (p->status_fd >= 0)
		return true;
	if (p->mode == PROGRESS_AUTO)
		return isatty(STDERR_FILENO);
	return p->mode != PROGRESS_NEVER;
}

/* Bytes a second since the last line, which is what a reader watches. */
static uint64_t progress_rate(struct progress *p, uint64_t bytes)
{
	uint64_t now = clock_ns();
	uint64_t ns = now - (p->last_ns ? p->last_ns : p->transfer->start_ns);
	/* A resume counts anew when it goes from verifying to loading. */
	uint64_t moved = bytes < p->last_bytes ? bytes : bytes - p->last_bytes;

	p->last_ns = now;
	p->last_bytes = bytes;
	return ns ? (uint64_t)((double)moved * (double)NSEC_PER_SEC / (double)ns) : 0;
}

/* Return: the device's, or NULL where none is open. */
static const char *progress_state(const struct progress *p)
{
	unsigned int state = atomic_load(&p->transfer->state);

	return state < MIG_NR_STATES ? fsm_name((enum mig_state)state) : NULL;
}

static struct json_object *progress_new_event(const struct progress *p, const char *event)
{
	struct json_object *o = report_new(p->command);

	report_string(o, "event", event);
	if (!strcmp(p->kind, "device"))
		report_name(report_object(o, "device"), "address", p->name);
	else
		report_name(o, p->kind, p->name);
	return o;
}

/* One write a line, so that lines of two processes do not mix. Nobody listening: fine. */
static void progress_write_event(const struct progress *p, struct json_object *o)
{
	char *text = NULL;

	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE)) > 0)
		dprintf(p->status_fd >= 0 ? p->status_fd : STDERR_FILENO, "%s", text);
	free(text);
}

void progress_event(const struct progress *p, const char *event, const char *key, const char *value)
{
	_cleanup_(report_donep) struct json_object *o = NULL;

	if (p->status_fd < 0 && p->mode != PROGRESS_JSON)
		return;
	o = progress_new_event(p, event);
	report_name(o, key, value);
	progress_write_event(p, o);
}

static void progress_json_line(struct progress *p)
{
	_cleanup_(report_donep) struct json_object *o = progress_new_event(p, "progress");
	uint64_t bytes = atomic_load(&p->transfer->bytes);
	uint64_t expected = atomic_load(&p->transfer->expected);

	if (progress_state(p))
		report_string(o, "state", progress_state(p));
	report_uint(o, "bytes", bytes);
	if (expected)
		report_uint(o, "expected_bytes", expected);
	report_uint(o, "bytes_per_second", progress_rate(p, bytes));
	report_uint(o, "elapsed_ns", clock_ns() - p->transfer->start_ns);
	progress_write_event(p, o);
}

/* Of the terminal that standard error is. */
static size_t progress_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/*
 * A line that wraps could not be overwritten. The name goes first, which whoever looks knows; what
 * is behind it is ASCII, so that only a name has characters of several bytes, and none has more
 * columns than bytes. The last column stays free: some terminals wrap as soon as it is written to.
 */
static char *progress_fit(char *line, size_t name_len)
{
	size_t max = progress_columns() - 1;

	if (strlen(line) > max)
		line += name_len;
	if (strlen(line) > max)
		line[max] = '\0';
	return line;
}

/* @whole: however long it is; such a line is never overwritten. */
static void progress_text_line(struct progress *p, bool whole)
{
	char done[UNITS_MAX], all[UNITS_MAX], speed[UNITS_MAX], time[UNITS_MAX];
	uint64_t bytes = atomic_load(&p->transfer->bytes);
	uint64_t expected = atomic_load(&p->transfer->expected);
	bool tty = isatty(STDERR_FILENO);
	char *line = NULL;

	format_bytes(done, bytes);
	format_bytes(all, expected);
	format_rate(speed, progress_rate(p, bytes), NSEC_PER_SEC);
	format_duration(time, clock_ns() - p->transfer->start_ns);
	if (asprintf(&line, "%s: %s%s%s%s%s  %s  %s", p->name,
		     progress_state(p) ? progress_state(p) : "", progress_state(p) ? "  " : "",
		     done, expected ? " of about " : "", expected ? all : "", speed, time) < 0)
		return;
	make_printable(line);
	fprintf(stderr, "%s%s%s", tty ? "\r\033[K" : "",
		tty && !whole ? progress_fit(line, strlen(p->name) + strlen(": ")) : line,
		tty ? "" : "\n");
	fflush(stderr);
	free(line);
	p->line_open = tty;
}

void progress_tick(struct progress *p)
{
	if (p->status_fd >= 0 || p->mode == PROGRESS_JSON)
		progress_json_line(p);
	if (p->mode == PROGRESS_ALWAYS || (p->mode == PROGRESS_AUTO && isatty(STDERR_FILENO)))
		progress_text_line(p, false);
}

void progress_line(struct progress *p)
{
	if (p->mode == PROGRESS_JSON)
		progress_json_line(p);
	else
		progress_text_line(p, true);
	progress_end(p);
}

void progress_end(struct progress *p)
{
	if (p->line_open)
		fputc('\n', stderr);
	p->line_open = false;
}
