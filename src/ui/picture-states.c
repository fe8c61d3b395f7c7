// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "ui/picture-lanes.h"
#include "ui/picture-states.h"
#include "ui/picture-style.h"

#define STATES_TOP 80.0
#define STATES_LETTER 6.6
#define STATES_NAME_LETTER 7.3

/* A state can be found, however short it was. */
#define STATES_MIN 0.7

int picture_states_add(struct picture_states *p, const struct picture_state *state, struct err *err)
{
	if (p->n == PICTURE_STATES_MAX) {
		p->lost++;
		return 0;
	}
	if (p->n == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct picture_state *v = realloc(p->v, room * sizeof(*v));

		if (!v)
			return err_set(err, -ENOMEM, "states for a picture");
		p->v = v;
		p->room = room;
	}
	p->v[p->n++] = *state;
	return 0;
}

void picture_states_down(struct picture_states *p, uint64_t from_ns, uint64_t to_ns)
{
	if (!p->down_end_ns || from_ns < p->down_start_ns)
		p->down_start_ns = from_ns;
	p->down_end_ns = MAX(p->down_end_ns, to_ns);
}

void picture_states_done(struct picture_states *p)
{
	free(p->v);
	*p = (struct picture_states){ 0 };
}

/**
 * struct states_drawing
 * @lane: of each device; -1 for none
 * @lanes: how many are drawn; @seen: of how many
 */
struct states_drawing {
	FILE *f;
	const struct picture_states *p;
	const struct picture_states_device *devices;
	unsigned int n, lanes, seen;
	int *lane;
};

static void picture_states_place(struct states_drawing *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		d->lane[i] = -1;
	for (size_t i = 0; i < d->p->n; i++) {
		int *lane = &d->lane[d->p->v[i].device];

		if (*lane >= 0 || !d->p->v[i].known)
			continue;
		*lane = (int)d->seen++;
	}
	d->lanes = MIN(d->seen, PICTURE_LANES_MAX);
}

static void picture_states_box(const struct states_drawing *d, const struct picture_scale *scale,
			       const struct picture_lanes *place, const struct picture_state *s,
			       uint64_t to)
{
	char class_name[32], title[128], time[UNITS_MAX];
	const char *word = fsm_name(s->state);
	uint64_t from = s->ns;
	struct svg_box box;

	if (!picture_clip(scale, &from, &to))
		return;
	box = (struct svg_box){ picture_x(scale, from),
				place->y + d->lane[s->device] * place->pitch,
				MAX(picture_x(scale, to) - picture_x(scale, from), STATES_MIN),
				place->height };
	snprintf(class_name, sizeof(class_name), "s-%s", word);
	snprintf(title, sizeof(title), "%s: %s", word, format_duration(time, to - from));
	svg_rect(d->f, &box, class_name, title);
	if (place->words && box.height >= 14 &&
	    (double)strlen(word) * STATES_LETTER + 6 <= box.width)
		svg_text(d->f, box.x + box.width / 2, box.y + box.height / 2 + 4, SVG_MIDDLE,
			 "word", "%s", word);
}

/* Up to the device's next change. */
static uint64_t picture_states_end(const struct picture_states *p, size_t from)
{
	for (size_t i = from + 1; i < p->n; i++)
		if (p->v[i].device == p->v[from].device)
			return p->v[i].ns;
	return p->lost ? p->v[p->n - 1].ns : p->end_ns;
}

static void picture_states_lanes(const struct states_drawing *d, const struct picture_scale *scale,
				 const struct picture_lanes *place)
{
	for (size_t i = 0; i < d->p->n; i++) {
		const struct picture_state *s = &d->p->v[i];

		if (s->known && d->lane[s->device] < (int)d->lanes)
			picture_states_box(d, scale, place, s, picture_states_end(d->p, i));
	}
}

/* The end of a name that is too long: it tells more than the start. */
static void picture_states_words(const struct states_drawing *d, const struct picture_lanes *place)
{
	const size_t max = (size_t)((PICTURE_LEFT - 20) / STATES_NAME_LETTER);
	char time[UNITS_MAX];

	for (unsigned int i = 0; i < d->n; i++) {
		double y = place->y + d->lane[i] * place->pitch + place->height / 2 + 4;
		const char *name = d->devices[i].name;
		size_t len = strlen(name);

		if (d->lane[i] < 0 || d->lane[i] >= (int)d->lanes)
			continue;
		svg_text(d->f, PICTURE_LEFT - 8, y, SVG_END, "label", "%s%s", len > max ? "~" : "",
			 len > max ? name + len - max + 1 : name);
		if (d->devices[i].downtime_ns)
			svg_text(d->f, PICTURE_LEFT + PICTURE_PLOT + 8, y, SVG_START, "label", "%s",
				 format_duration(time, d->devices[i].downtime_ns));
	}
}

static void picture_states_title(const struct states_drawing *d)
{
	const struct picture_states *p = d->p;
	char time[UNITS_MAX], gap[UNITS_MAX];
	uint64_t longest = 0;

	for (unsigned int i = 0; i < d->n; i++)
		longest = MAX(longest, d->devices[i].downtime_ns);
	svg_text(d->f, 20, 30, SVG_START, "title", "states of %u device%s, %s", d->seen,
		 d->seen == 1 ? "" : "s", format_duration(time, p->end_ns - p->start_ns));
	if (!d->seen)
		svg_text(d->f, 20, 51, SVG_START, "label", "no state was seen");
	else if (longest)
		svg_text(d->f, 20, 51, SVG_START, "label", "downtime %s; changes seen within %s",
			 format_duration(time, longest), format_duration(gap, p->gap_ns));
	else
		svg_text(d->f, 20, 51, SVG_START, "label", "changes seen within %s",
			 format_duration(gap, p->gap_ns));
	if (p->lost)
		svg_text(d->f, PICTURE_WIDTH - 20, 30, SVG_END, "label",
			 "and %" PRIu64 " changes that had no room", p->lost);
}

/* Return: its lower edge. */
static double picture_states_draw_lanes(const struct states_drawing *d)
{
	const struct picture_states *p = d->p;
	const struct picture_scale whole = { p->start_ns, p->end_ns, p->start_ns, PICTURE_LEFT,
					     PICTURE_PLOT };
	const double pitch = d->lanes > 16 ? 14 : d->lanes > 8 ? 19 : 24;
	struct picture_lanes detail = { STATES_TOP, pitch, pitch - 4, true };
	struct picture_scale window = whole;
	double bottom;

	if (p->down_end_ns && picture_zoom(&window, p->down_start_ns, p->down_end_ns)) {
		const double small = d->lanes > 8 ? 5 : 9;
		const struct picture_lanes overview = { STATES_TOP, small, small - 1, false };
		const double neck = STATES_TOP + d->lanes * small + 22;

		detail.y = neck + 34;
		picture_window(d->f, &whole, &window,
			       &(struct picture_funnel){
				       .from = STATES_TOP - 4,
				       .neck = neck,
				       .mouth = detail.y - 6,
				       .to = detail.y + d->lanes * pitch,
			       });
		picture_time_axis(d->f, &whole, STATES_TOP - 4, neck - 20);
		picture_states_lanes(d, &whole, &overview);
	}
	bottom = detail.y + d->lanes * pitch;
	picture_time_axis(d->f, &window, detail.y - 2, bottom);
	picture_states_lanes(d, &window, &detail);
	picture_states_words(d, &detail);
	if (d->lanes)
		svg_text(d->f, PICTURE_LEFT + PICTURE_PLOT + 8, detail.y - 8, SVG_START, "small",
			 "downtime");
	if (d->seen > d->lanes)
		svg_text(d->f, PICTURE_LEFT, bottom + 32, SVG_START, "small", "and %u more devices",
			 d->seen - d->lanes);
	return bottom;
}

static const struct picture_legend_row picture_states_legend[] = {
	{ "s-running", "running" },   { "s-running-p2p", "running-p2p" },
	{ "s-pre-copy", "pre-copy" }, { "s-pre-copy-p2p", "pre-copy-p2p" },
	{ "s-stop", "stop" },	      { "s-stop-copy", "stop-copy" },
	{ "s-resuming", "resuming" }, { "s-error", "error" },
};

void picture_states_draw(FILE *f, const struct picture_states *p,
			 const struct picture_states_device *devices, unsigned int n)
{
	_cleanup_free_ int *lane = calloc(n + 1, sizeof(*lane));
	struct states_drawing d = { .f = f, .p = p, .devices = devices, .n = n, .lane = lane };
	struct svg_box page = { 0, 0, PICTURE_WIDTH, 0 };
	char *body = NULL;
	size_t size = 0;
	double bottom;

	if (!lane)
		return;
	picture_states_place(&d);
	d.f = open_memstream(&body, &size);
	if (!d.f)
		return;
	picture_states_title(&d);
	bottom = picture_states_draw_lanes(&d);
	bottom += 48 + picture_legend(d.f, 20, bottom + 48, PICTURE_WIDTH - 40,
				      picture_states_legend, ARRAY_SIZE(picture_states_legend));
	fclose(d.f);
	page.height = bottom + 6;
	svg_begin(f, PICTURE_WIDTH, page.height, "the states that devices were seen in",
		  picture_style);
	svg_rect(f, &page, "page", NULL);
	fwrite(body, 1, size, f);
	svg_end(f);
	free(body);
}
