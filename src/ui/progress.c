// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/console.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/progress.h"
#include "ui/progress-json.h"

/*
 * What is known now
 */

static unsigned int progress_n(const struct progress *p)
{
	return p->transfer->n ? p->transfer->n : 1;
}

static unsigned int progress_state_of(const struct progress *p, unsigned int i)
{
	const struct transfer *t = p->transfer;

	return atomic_load(t->n ? &t->devices[i].state : &t->state);
}

static bool progress_any_open(const struct progress *p)
{
	for (unsigned int i = 0; i < progress_n(p); i++)
		if (progress_state_of(p, i) < MIG_NR_STATES)
			return true;
	return false;
}

const char *progress_state(const struct progress *p)
{
	unsigned int state = p->transfer ? progress_state_of(p, 0) : MIG_NR_STATES;

	if (state >= MIG_NR_STATES)
		return NULL;
	for (unsigned int i = 1; i < progress_n(p); i++)
		if (progress_state_of(p, i) != state)
			return NULL;
	return fsm_name((enum mig_state)state);
}

bool progress_is_idle(const struct progress *p)
{
	return p->idle || (p->transfer && atomic_load(&p->transfer->idle));
}

bool progress_several(const struct progress *p)
{
	return p->transfer && p->transfer->n > 1;
}

static struct progress_sample progress_take_sample(const struct progress *p, unsigned int i)
{
	const struct transfer *t = p->transfer;
	const struct transfer_device *d = t->n ? &t->devices[i] : NULL;

	return (struct progress_sample){
		.state = progress_state_of(p, i),
		.bytes = atomic_load(d ? &d->bytes : &t->bytes),
		.expected = atomic_load(d ? &d->expected : &t->expected),
		.exact = atomic_load(d ? &d->exact : &t->exact),
	};
}

/* In less time than this a few large reads make any rate. */
#define RATE_NS (200 * NSEC_PER_MSEC)

/* Bytes a second since the last line, which is what a reader watches. */
static void progress_measure(struct progress_last *last, uint64_t bytes, uint64_t ns)
{
	/* A resume counts anew when it goes from verifying to loading. */
	uint64_t moved = bytes < last->bytes ? bytes : bytes - last->bytes;

	last->bytes = bytes;
	last->rate = ns ? (uint64_t)((double)moved * (double)NSEC_PER_SEC / (double)ns) : 0;
}

/* SIGUSR1 can come just after a line: then the rate is still that one's. */
static void progress_rates(struct progress *p, struct progress_sample *samples, uint64_t now)
{
	uint64_t ns = now - (p->last_ns ? p->last_ns : p->transfer->start_ns);
	bool measure = !p->last_ns || ns >= RATE_NS;

	if (!p->last)
		p->last = calloc(progress_n(p), sizeof(*p->last));
	for (unsigned int i = 0; i < progress_n(p) && p->last; i++) {
		if (measure)
			progress_measure(&p->last[i], samples[i].bytes, ns);
		samples[i].rate = p->last[i].rate;
	}
	if (measure)
		p->last_ns = now;
}

/* What it is in, or what it waits for, before the figures. */
static const char *progress_headline(const struct progress *p, const struct cancel_waiting *waiting)
{
	unsigned int phase = atomic_load(&p->transfer->phase);

	if (waiting->call == CANCEL_CALL_FIXED)
		return waiting->what;
	if (progress_state(p))
		return progress_state(p);
	if (progress_any_open(p) && phase < PHASE_NR)
		return phase_name((enum phase)phase);
	if (!strcmp(p->kind, "file"))
		return "reading";
	return atomic_load(&p->transfer->bytes) ? "verifying" : "waiting";
}

/* Decisions are of pre-copy, and mean nothing once the devices are stopped. */
static void progress_add_decision(const struct transfer *t, struct progress_view *v)
{
	const struct transfer_decision *d = &t->decision;

	if (atomic_load(&t->phase) != PHASE_PRE_COPY)
		return;
	v->round = atomic_load(&d->round);
	v->dirty_rate = atomic_load(&d->dirty_rate);
	v->estimate_ns = atomic_load(&d->estimate_ns);
	v->estimated = v->round && atomic_load(&d->estimated);
}

/* Fill @samples, room for progress_n(), and @ret, which points to them. */
static void progress_look(struct progress *p, const struct cancel_waiting *waiting,
			  struct progress_sample *samples, struct progress_view *ret)
{
	const struct transfer *t = p->transfer;
	uint64_t now = clock_ns();

	*ret = (struct progress_view){
		.name = p->name,
		.headline = progress_headline(p, waiting),
		.n = progress_n(p),
		.names = p->names ? p->names : &p->name,
		.devices = samples,
		.elapsed_ns = now - t->start_ns,
	};
	for (unsigned int i = 0; i < ret->n; i++) {
		samples[i] = progress_take_sample(p, i);
		samples[i].in_call = waiting->call == CANCEL_CALL_FIXED;
	}
	if (t->n && !progress_any_open(p))
		samples[0].bytes = ret->scanned = atomic_load(&t->bytes);
	progress_rates(p, samples, now);
	progress_add_decision(t, ret);
}

/*
 * Where it is shown
 */

static bool progress_wants_json(const struct progress *p)
{
	return p->status || p->mode == PROGRESS_JSON;
}

static bool progress_wants_text(const struct progress *p)
{
	return p->mode == PROGRESS_ALWAYS || (p->mode == PROGRESS_AUTO && isatty(STDERR_FILENO));
}

/* Of the terminal that standard error is; one that does not know is taken for a small one. */
static void progress_terminal(size_t *ret_columns, size_t *ret_rows)
{
	struct winsize size = { 0 };

	ioctl(STDERR_FILENO, TIOCGWINSZ, &size);
	*ret_columns = size.ws_col ? size.ws_col : 80;
	*ret_rows = size.ws_row ? size.ws_row : 24;
}

static void progress_draw(const struct progress_view *v)
{
	size_t columns, rows;
	char *text;

	if (isatty(STDERR_FILENO)) {
		progress_terminal(&columns, &rows);
		text = progress_view_lines(v, columns, rows);
		if (text)
			console_draw(text);
	} else {
		text = progress_view_line(v, 0);
		if (text)
			console_print("%s", text);
	}
	free(text);
}

static void progress_print(const struct progress_view *v)
{
	char *text = progress_view_lines(v, PROGRESS_WIDE, PROGRESS_LINES_MAX + 2);

	if (text)
		console_print("%s", text);
	free(text);
}

/*
 * When it is said
 */

bool progress_wanted(const struct progress *p)
{
	return p->transfer && (progress_wants_json(p) || progress_wants_text(p));
}

/* Before, a command that connects may ask for a password on the terminal, as ssh(1) does. */
static bool progress_has_begun(const struct progress *p)
{
	return p->mode == PROGRESS_ALWAYS || progress_any_open(p) ||
	       atomic_load(&p->transfer->bytes) || !strcmp(p->kind, "file");
}

void progress_tick(struct progress *p, const struct cancel_waiting *waiting)
{
	_cleanup_free_ struct progress_sample *samples =
		calloc(progress_n(p), sizeof(struct progress_sample));
	struct progress_view view;

	if (!samples)
		return;
	progress_look(p, waiting, samples, &view);
	if (progress_wants_json(p))
		progress_json_line(p, &view, waiting);
	if (progress_wants_text(p) && progress_has_begun(p))
		progress_draw(&view);
}

void progress_line(struct progress *p, const struct cancel_waiting *waiting)
{
	_cleanup_free_ struct progress_sample *samples = NULL;
	struct progress_view view;

	if (!p->transfer)
		return;
	samples = calloc(progress_n(p), sizeof(*samples));
	if (!samples)
		return;
	progress_look(p, waiting, samples, &view);
	if (p->mode == PROGRESS_JSON)
		progress_json_line(p, &view, waiting);
	else
		progress_print(&view);
}

void progress_event(const struct progress *p, const char *event, const char *key, const char *value)
{
	_cleanup_(report_donep) struct json_object *o = NULL;

	if (!progress_wants_json(p))
		return;
	o = progress_json_new(p, event);
	report_name(o, key, value);
	progress_json_put(p, o);
}

void progress_waiting(const struct progress *p, const struct cancel_waiting *waiting, uint64_t ns)
{
	char call[CANCEL_TEXT_MAX], time[UNITS_MAX];

	if (progress_wants_json(p)) {
		_cleanup_(report_donep) struct json_object *o = progress_json_new(p, "waiting");

		progress_json_call(o, waiting, ns);
		progress_json_put(p, o);
	}
	if (!p->quiet && (p->mode == PROGRESS_AUTO || p->mode == PROGRESS_ALWAYS))
		console_print("%s: still waiting for the driver: %s, %s", p->name,
			      cancel_waiting_text(waiting, call), format_duration(time, ns));
}

void progress_interrupted(const struct progress *p, const char *text)
{
	progress_event(p, "interrupted", "message", text);
	if (!p->quiet)
		console_print("%s: %s", p->name, text);
}

void progress_end(struct progress *p)
{
	console_end_line();
	free(p->last);
	p->last = NULL;
}
