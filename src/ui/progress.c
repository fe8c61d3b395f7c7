// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/console.h"
#include "base/printable.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/progress.h"
#include "ui/report.h"

/*
 * What can be said
 */

/* Before a device is open, an image is being read. */
static bool progress_moves(const struct progress_sample *s)
{
	enum mig_state state = (enum mig_state)s->state;

	if (s->in_call)
		return false;
	if (s->state >= MIG_NR_STATES)
		return s->bytes;
	return fsm_saving(state) || state == MIG_RESUMING;
}

/* A driver's estimate is of STOP_COPY: what pre-copy brings comes on top of it. */
static bool progress_knows_total(const struct progress_sample *s)
{
	if (!s->expected || s->bytes > s->expected)
		return false;
	return s->exact || (s->state != MIG_PRE_COPY && s->state != MIG_PRE_COPY_P2P);
}

struct progress_figures progress_figures(const struct progress_sample *s)
{
	struct progress_figures f = { .moving = progress_moves(s) };

	if (!progress_knows_total(s))
		return f;
	f.total = s->expected;
	f.exact = s->exact;
	f.percent = (unsigned int)((double)s->bytes / (double)s->expected * 100);
	if (f.moving && s->rate)
		f.remaining_ns = (uint64_t)((double)(s->expected - s->bytes) / (double)s->rate *
					    (double)NSEC_PER_SEC);
	return f;
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

static struct progress_sample progress_take_sample(struct progress *p,
						   const struct cancel_waiting *waiting)
{
	const struct transfer *t = p->transfer;
	struct progress_sample s = {
		.state = atomic_load(&t->state),
		.in_call = waiting->call == CANCEL_CALL_FIXED,
		.bytes = atomic_load(&t->bytes),
		.expected = atomic_load(&t->expected),
		.exact = atomic_load(&t->exact),
	};

	s.rate = progress_rate(p, s.bytes);
	return s;
}

const char *progress_state(const struct progress *p)
{
	unsigned int state = p->transfer ? atomic_load(&p->transfer->state) : MIG_NR_STATES;

	return state < MIG_NR_STATES ? fsm_name((enum mig_state)state) : NULL;
}

/*
 * JSON lines
 */

static bool progress_wants_json(const struct progress *p)
{
	return p->status || p->mode == PROGRESS_JSON;
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

static void progress_write_event(const struct progress *p, struct json_object *o)
{
	char *text = NULL;

	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		return;
	lines_put(p->status ? p->status : console_lines(), text);
	free(text);
}

void progress_event(const struct progress *p, const char *event, const char *key, const char *value)
{
	_cleanup_(report_donep) struct json_object *o = NULL;

	if (!progress_wants_json(p))
		return;
	o = progress_new_event(p, event);
	report_name(o, key, value);
	progress_write_event(p, o);
}

static void progress_add_call(struct json_object *o, const struct cancel_waiting *waiting,
			      uint64_t ns)
{
	report_string(o, "waiting_for", waiting->what);
	report_uint(o, "waiting_ns", ns);
}

static void progress_json_line(const struct progress *p, const struct progress_sample *s,
			       const struct cancel_waiting *waiting)
{
	_cleanup_(report_donep) struct json_object *o = progress_new_event(p, "progress");
	const struct progress_figures f = progress_figures(s);

	if (progress_state(p))
		report_string(o, "state", progress_state(p));
	if (s->in_call)
		progress_add_call(o, waiting, clock_ns() - waiting->since_ns);
	report_uint(o, "bytes", s->bytes);
	if (f.total) {
		report_uint(o, "expected_bytes", f.total);
		report_bool(o, "total_exact", f.exact);
		report_uint(o, "percent", f.percent);
	}
	if (f.moving)
		report_uint(o, "bytes_per_second", s->rate);
	if (f.remaining_ns)
		report_uint(o, "remaining_ns", f.remaining_ns);
	report_uint(o, "elapsed_ns", clock_ns() - p->transfer->start_ns);
	progress_write_event(p, o);
}

/*
 * Text
 */

static bool progress_wants_text(const struct progress *p)
{
	return p->mode == PROGRESS_ALWAYS || (p->mode == PROGRESS_AUTO && isatty(STDERR_FILENO));
}

/* Of the terminal that standard error is. */
static size_t progress_columns(void)
{
	struct winsize size;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

/*
 * A line that wraps could not be overwritten. The name goes first, which the reader knows; what
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

/* "  90%  58.0 MiB of about 64.0 MiB  102 MiB/s  60 ms left", as far as it is known */
static void progress_format(char *buf, size_t size, const struct progress_sample *s)
{
	const struct progress_figures f = progress_figures(s);
	char done[UNITS_MAX], all[UNITS_MAX], rate[UNITS_MAX], left[UNITS_MAX];
	size_t n = 0;

	buf[0] = '\0';
	format_bytes(done, s->bytes);
	format_bytes(all, f.total);
	if (f.total)
		n += (size_t)snprintf(buf, size, "  %u%%  %s of %s%s", f.percent, done,
				      f.exact ? "" : "about ", all);
	else if (s->bytes || f.moving)
		n += (size_t)snprintf(buf, size, "  %s", done);
	if (f.moving)
		n += (size_t)snprintf(buf + n, size - n, "  %s",
				      format_rate(rate, s->rate, NSEC_PER_SEC));
	if (f.remaining_ns)
		snprintf(buf + n, size - n, "  %s left", format_duration(left, f.remaining_ns));
}

/* What it is in, or what it waits for, before the figures. */
static const char *progress_headline(const struct progress *p, const struct cancel_waiting *waiting)
{
	if (waiting->call == CANCEL_CALL_FIXED)
		return waiting->what;
	if (progress_state(p))
		return progress_state(p);
	if (!strcmp(p->kind, "file"))
		return "reading";
	return atomic_load(&p->transfer->bytes) ? "verifying" : "waiting";
}

/* Return: the line, to be freed, or NULL. */
static char *progress_text(const struct progress *p, const struct progress_sample *s,
			   const struct cancel_waiting *waiting)
{
	char figures[6 * UNITS_MAX], time[UNITS_MAX];
	char *line;

	progress_format(figures, sizeof(figures), s);
	if (asprintf(&line, "%s: %s%s  %s", p->name, progress_headline(p, waiting), figures,
		     format_duration(time, clock_ns() - p->transfer->start_ns)) < 0)
		return NULL;
	make_printable(line);
	return line;
}

static void progress_text_line(const struct progress *p, const struct progress_sample *s,
			       const struct cancel_waiting *waiting, bool whole)
{
	char *line = progress_text(p, s, waiting);

	if (!line)
		return;
	if (whole || !isatty(STDERR_FILENO))
		console_print("%s", line);
	else
		console_draw(progress_fit(line, strlen(p->name) + strlen(": ")));
	free(line);
}

/*
 * When it is said
 */

bool progress_wanted(const struct progress *p)
{
	return p->transfer && (progress_wants_json(p) || progress_wants_text(p));
}

void progress_tick(struct progress *p, const struct cancel_waiting *waiting)
{
	const struct progress_sample s = progress_take_sample(p, waiting);

	if (progress_wants_json(p))
		progress_json_line(p, &s, waiting);
	if (progress_wants_text(p))
		progress_text_line(p, &s, waiting, false);
}

void progress_line(struct progress *p, const struct cancel_waiting *waiting)
{
	struct progress_sample s;

	if (!p->transfer)
		return;
	s = progress_take_sample(p, waiting);
	if (p->mode == PROGRESS_JSON)
		progress_json_line(p, &s, waiting);
	else
		progress_text_line(p, &s, waiting, true);
}

void progress_waiting(const struct progress *p, const struct cancel_waiting *waiting, uint64_t ns)
{
	char time[UNITS_MAX];

	if (progress_wants_json(p)) {
		_cleanup_(report_donep) struct json_object *o = progress_new_event(p, "waiting");

		progress_add_call(o, waiting, ns);
		progress_write_event(p, o);
	}
	if (!p->quiet && (p->mode == PROGRESS_AUTO || p->mode == PROGRESS_ALWAYS))
		console_print("%s: still waiting for the driver: %s, %s", p->name, waiting->what,
			      format_duration(time, ns));
}

void progress_interrupted(const struct progress *p, const char *text)
{
	progress_event(p, "interrupted", "message", text);
	if (!p->quiet)
		console_print("%s: %s", p->name, text);
}

void progress_end(struct progress *p)
{
	(void)p;
	console_end_line();
}
