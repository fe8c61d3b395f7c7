// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/picture-lanes.h"
#include "ui/picture-style.h"

/* Of a letter, about: nothing here knows the font. */
#define LETTER 6.6
#define NAME_LETTER 7.3

/* An arc can be found, however short it is. */
#define ARC_MIN 1.0

/**
 * struct picture_lane - a device's, as far as it is drawn
 * @since_ns: of what it is in now
 * @waiting: it waits since @waiting_ns
 * @finishing: the output is finished since @finish_ns
 * @drawn: right edge of the last arc
 */
struct picture_lane {
	bool opened;
	enum mig_state state;
	uint64_t since_ns;
	bool waiting;
	uint64_t waiting_ns;
	bool finishing;
	uint64_t finish_ns;
	double drawn;
};

struct lanes_drawing {
	FILE *f;
	const struct event_file *events;
	const struct picture_scale *scale;
	const struct picture_lanes *place;
	struct picture_lane lane[PICTURE_LANES_MAX];
	unsigned int n;
};

static struct svg_box picture_lanes_box(const struct lanes_drawing *d, unsigned int i,
					uint64_t from, uint64_t to)
{
	double x = picture_x(d->scale, from);

	return (struct svg_box){ x, d->place->y + i * d->place->pitch, picture_x(d->scale, to) - x,
				 d->place->height };
}

static void picture_lanes_word(const struct lanes_drawing *d, const struct svg_box *box,
			       const char *class_name, const char *word)
{
	if (!d->place->words || box->height < 14 || (double)strlen(word) * LETTER + 6 > box->width)
		return;
	svg_text(d->f, box->x + box->width / 2, box->y + box->height / 2 + 4, SVG_MIDDLE,
		 class_name, "%s", word);
}

/* What it was in up to @ns. */
static void picture_lanes_state(struct lanes_drawing *d, unsigned int i, uint64_t ns)
{
	struct picture_lane *lane = &d->lane[i];
	uint64_t from = lane->since_ns, to = ns;
	char class_name[32], title[128], time[UNITS_MAX];
	struct svg_box box;

	lane->since_ns = ns;
	if (!lane->opened || !picture_clip(d->scale, &from, &to) || from == to)
		return;
	box = picture_lanes_box(d, i, from, to);
	snprintf(class_name, sizeof(class_name), "s-%s", fsm_name(lane->state));
	snprintf(title, sizeof(title), "%s: %s", fsm_name(lane->state),
		 format_duration(time, to - from));
	svg_rect(d->f, &box, class_name, title);
	picture_lanes_word(d, &box, "word", fsm_name(lane->state));
}

/* What else is so from @from to @to, over the state; not where lanes are too small for it. */
static void picture_lanes_over(struct lanes_drawing *d, unsigned int i, uint64_t from, uint64_t to,
			       const char *class_name, const char *what)
{
	char title[64], time[UNITS_MAX];
	struct svg_box box;

	snprintf(title, sizeof(title), "%s: %s", what, format_duration(time, to - from));
	if (!d->place->words || !picture_clip(d->scale, &from, &to) || from == to)
		return;
	picture_lanes_state(d, i, to);
	box = picture_lanes_box(d, i, from, to);
	svg_rect(d->f, &box, class_name, title);
}

static void picture_lanes_waited(struct lanes_drawing *d, unsigned int i, uint64_t ns)
{
	struct picture_lane *lane = &d->lane[i];

	if (lane->waiting)
		picture_lanes_over(d, i, lane->waiting_ns, ns, "waiting", "waiting for the others");
	lane->waiting = false;
}

static void picture_lanes_finished(struct lanes_drawing *d, unsigned int i, uint64_t ns)
{
	struct picture_lane *lane = &d->lane[i];

	if (lane->finishing)
		picture_lanes_over(d, i, lane->finish_ns, ns, "finish", "sync or answer");
	lane->finishing = false;
}

static void picture_lanes_arc(struct lanes_drawing *d, unsigned int i, const struct mig_arc *arc)
{
	struct picture_lane *lane = &d->lane[i];
	uint64_t from = arc->start_ns, to = arc->start_ns + arc->ns;
	char title[160], time[UNITS_MAX];
	struct svg_box box;

	/* A device that was not told to be open was in the state that the arc left. */
	if (!lane->opened) {
		lane->opened = true;
		lane->state = arc->from;
		lane->since_ns = from;
	}
	picture_lanes_state(d, i, MAX(from, lane->since_ns));
	if (arc->result >= 0)
		lane->state = arc->to;
	lane->since_ns = MAX(to, lane->since_ns);
	if (!picture_clip(d->scale, &from, &to))
		return;
	box = picture_lanes_box(d, i, from, to);
	box.width = MAX(box.width, ARC_MIN);
	if (box.x + box.width < lane->drawn + ARC_MIN / 2)
		return; /* one of many that fail, on top of the last */
	lane->drawn = box.x + box.width;
	snprintf(title, sizeof(title), "%s -> %s: %s%s%s", fsm_name(arc->from), fsm_name(arc->to),
		 format_duration(time, arc->ns), arc->result < 0 ? ", " : "",
		 arc->result < 0 ? err_name(arc->result) : "");
	svg_rect(d->f, &box, arc->result < 0 ? "failed" : "arc", title);
	picture_lanes_word(d, &box, "word-on-arc", fsm_name(arc->to));
}

static void picture_lanes_recovery(struct lanes_drawing *d, unsigned int i, const struct event *e)
{
	picture_lanes_state(d, i, e->ns);
	if (e->recovery->end_known)
		d->lane[i].state = e->recovery->end;
}

static void picture_lanes_set_event(struct lanes_drawing *d, const struct event *e)
{
	for (unsigned int i = 0; i < d->n; i++) {
		if (e->kind == EVENT_BARRIER || e->kind == EVENT_FINISH)
			picture_lanes_waited(d, i, e->ns);
		if (e->kind == EVENT_FINISHED)
			picture_lanes_finished(d, i, e->ns);
		if (e->kind == EVENT_FINISH) {
			d->lane[i].finishing = true;
			d->lane[i].finish_ns = e->ns;
		}
	}
}

static void picture_lanes_on_event(void *ctx, const struct event *e)
{
	struct lanes_drawing *d = ctx;
	unsigned int i = (unsigned int)e->device;

	if (e->device < 0)
		picture_lanes_set_event(d, e);
	if (e->device < 0 || i >= d->n)
		return;
	if (e->kind == EVENT_OPENED) {
		picture_lanes_state(d, i, e->ns);
		d->lane[i].opened = true;
		d->lane[i].state = e->state;
	} else if (e->kind == EVENT_ARRIVED) {
		d->lane[i].waiting = true;
		d->lane[i].waiting_ns = e->ns;
	} else if (e->kind == EVENT_ARC) {
		picture_lanes_waited(d, i, e->arc.start_ns);
		picture_lanes_arc(d, i, &e->arc);
	} else if (e->kind == EVENT_RECOVERY) {
		picture_lanes_recovery(d, i, e);
	}
}

/* Over all else. */
static void picture_lanes_failure(void *ctx, const struct event *e)
{
	const struct lanes_drawing *d = ctx;
	uint64_t from = e->ns, to = e->ns;
	struct svg_box box;

	if (e->kind != EVENT_FAILURE || e->device < 0 || (unsigned int)e->device >= d->n ||
	    !picture_clip(d->scale, &from, &to))
		return;
	box = picture_lanes_box(d, (unsigned int)e->device, from, to);
	svg_circle(d->f, box.x, box.y + box.height / 2, MIN(4.0, box.height / 2), "failure",
		   e->failure->text);
}

/* The end of a name that is too long: it tells more than the start. */
static void picture_lanes_name(const struct lanes_drawing *d, double y, const char *name)
{
	size_t max = (size_t)((d->scale->x - 20) / NAME_LETTER), len = strlen(name);
	const char *from = name;

	if (len > max)
		for (from = name + len - max + 1; ((unsigned char)*from & 0xc0) == 0x80;)
			from++;
	svg_text(d->f, d->scale->x - 8, y, SVG_END, "label", "%s%s", from == name ? "" : "~", from);
}

static void picture_lanes_words(const struct lanes_drawing *d, const struct summary *summary)
{
	char time[UNITS_MAX];

	for (unsigned int i = 0; i < d->n; i++) {
		double y = d->place->y + i * d->place->pitch + d->place->height / 2 + 4;

		picture_lanes_name(d, y, d->events->names[i]);
		if (summary->devices[i].downtime_ns)
			svg_text(d->f, d->scale->x + d->scale->width + 8, y, SVG_START, "label",
				 "%s", format_duration(time, summary->devices[i].downtime_ns));
	}
}

void picture_lanes(FILE *f, const struct event_file *events, const struct summary *summary,
		   const struct picture_scale *scale, const struct picture_lanes *lanes)
{
	struct lanes_drawing d = {
		.f = f,
		.events = events,
		.scale = scale,
		.place = lanes,
		.n = MIN(events->list.devices, PICTURE_LANES_MAX),
	};

	event_list_replay(&events->list, picture_lanes_on_event, &d);
	for (unsigned int i = 0; i < d.n; i++) {
		picture_lanes_waited(&d, i, summary->end_ns);
		picture_lanes_finished(&d, i, summary->end_ns);
		picture_lanes_state(&d, i, summary->end_ns);
	}
	event_list_replay(&events->list, picture_lanes_failure, &d);
	if (lanes->words)
		picture_lanes_words(&d, summary);
}

/*
 * Barriers
 */

#define BARRIER_ROWS 3
#define BARRIER_ROW_HEIGHT 13

struct barriers_drawing {
	FILE *f;
	const struct picture_scale *scale;
	double top, bottom;
	double taken[BARRIER_ROWS]; /* right edge of the last name in each row */
};

/* Names that would cover each other go up a row; where all rows are taken, the line is enough. */
static void picture_lanes_barrier(void *ctx, const struct event *e)
{
	struct barriers_drawing *b = ctx;
	uint64_t from = e->ns, to = e->ns;
	double x = picture_x(b->scale, e->ns), half, middle;
	const char *name;

	if (e->kind != EVENT_BARRIER || !picture_clip(b->scale, &from, &to))
		return;
	name = phase_name(e->phase);
	half = (double)strlen(name) * LETTER / 2 + 4;
	middle = MAX(MIN(x, b->scale->x + b->scale->width - half), b->scale->x + half);
	svg_line(b->f, x, b->top, x, b->bottom, "barrier");
	for (unsigned int i = 0; i < BARRIER_ROWS; i++) {
		if (middle - half < b->taken[i])
			continue;
		svg_text(b->f, middle, b->top - 4 - i * BARRIER_ROW_HEIGHT, SVG_MIDDLE, "small",
			 "%s", name);
		b->taken[i] = middle + half;
		break;
	}
}

void picture_barriers(FILE *f, const struct event_file *events, const struct picture_scale *scale,
		      double top, double bottom)
{
	struct barriers_drawing b = { .f = f, .scale = scale, .top = top, .bottom = bottom };

	event_list_replay(&events->list, picture_lanes_barrier, &b);
}

/*
 * Actions
 */

/**
 * struct actions_drawing
 * @frozen: owners are stopped since @frozen_ns
 * @taken: right edge of the last word
 */
struct actions_drawing {
	FILE *f;
	const struct picture_scale *scale;
	double y, height;
	bool frozen;
	uint64_t frozen_ns;
	double taken;
};

static void picture_lanes_thawed(struct actions_drawing *d, uint64_t ns)
{
	uint64_t from = d->frozen_ns, to = ns;
	char title[64], time[UNITS_MAX];
	struct svg_box box;

	snprintf(title, sizeof(title), "owners are stopped: %s", format_duration(time, to - from));
	if (!d->frozen || !picture_clip(d->scale, &from, &to))
		return;
	box = (struct svg_box){ picture_x(d->scale, from), d->y, 0, d->height };
	box.width = picture_x(d->scale, to) - box.x;
	svg_rect(d->f, &box, "frozen", title);
}

/* The freezer has stopped them when its first action ends, and lets them go on in its last one. */
static void picture_lanes_freezer(void *ctx, const struct event *e)
{
	struct actions_drawing *d = ctx;

	if (e->kind != EVENT_ACTION || e->action.actor != ACTION_BY_FREEZER ||
	    !summary_acts(&e->action))
		return;
	if (d->frozen)
		picture_lanes_thawed(d, e->action.start_ns + e->action.ns);
	d->frozen = e->action.action == ACTION_PRE_STOP && e->action.result >= 0;
	d->frozen_ns = e->action.start_ns + e->action.ns;
}

static void picture_lanes_action(void *ctx, const struct event *e)
{
	const struct event_action *a = &e->action;
	uint64_t from = a->start_ns, to = a->start_ns + a->ns;
	struct actions_drawing *d = ctx;
	char title[96], time[UNITS_MAX];
	struct svg_box box;
	double wide;

	if (e->kind != EVENT_ACTION || !summary_acts(a) || !picture_clip(d->scale, &from, &to))
		return;
	snprintf(title, sizeof(title), "%s, %s: %s%s%s", action_name(a->action),
		 action_actor_name(a->actor), format_duration(time, a->ns),
		 a->result < 0 ? ", " : "", a->result < 0 ? err_name(a->result) : "");
	box = (struct svg_box){ picture_x(d->scale, from), d->y, 0, d->height };
	box.width = MAX(picture_x(d->scale, to) - box.x, 2 * ARC_MIN);
	svg_rect(d->f, &box, a->result < 0 ? "failed" : action_actor_name(a->actor), title);
	/* Beside the mark, as far as the last one left room. */
	wide = (double)strlen(action_name(a->action)) * LETTER + 4;
	if (a->actor != ACTION_BY_SCRIPT || box.x < d->taken ||
	    box.x + wide > d->scale->x + d->scale->width)
		return;
	svg_text(d->f, box.x, d->y + d->height + 11, SVG_START, "small", "%s",
		 action_name(a->action));
	d->taken = box.x + wide;
}

void picture_actions(FILE *f, const struct event_file *events, const struct summary *summary,
		     const struct picture_scale *scale, double y, double height)
{
	struct actions_drawing d = { .f = f, .scale = scale, .y = y, .height = height };

	event_list_replay(&events->list, picture_lanes_freezer, &d);
	if (d.frozen)
		picture_lanes_thawed(&d, summary->end_ns);
	event_list_replay(&events->list, picture_lanes_action, &d);
	svg_text(f, scale->x - 8, y + height - 1, SVG_END, "label", "actions");
}

/*
 * Legend
 */

double picture_lanes_legend(FILE *f, double x, double y, double width)
{
	static const struct picture_legend_row rows[] = {
		{ "s-running", "running" },
		{ "s-running-p2p", "running-p2p" },
		{ "s-pre-copy", "pre-copy" },
		{ "s-pre-copy-p2p", "pre-copy-p2p" },
		{ "s-stop", "stop" },
		{ "s-stop-copy", "stop-copy" },
		{ "s-resuming", "resuming" },
		{ "s-error", "error" },
		{ "arc", "arc: the driver changes its state" },
		{ "failed", "arc that failed" },
		{ "failure", "failure" },
		{ "waiting", "waiting for the others" },
		{ "finish", "sync or answer" },
		{ "action-script", "action of the script" },
		{ "freeze-owner", "of the freezer" },
		{ "frozen", "owners are stopped" },
	};

	return picture_legend(f, x, y, width, rows, ARRAY_SIZE(rows));
}
