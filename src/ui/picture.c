// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "base/units.h"
#include "ui/picture-chart.h"
#include "ui/picture-lanes.h"
#include "ui/picture-style.h"
#include "ui/picture.h"

#define CHART_Y 96.0
#define CHART_HEIGHT 170.0
#define BARRIERS_HEIGHT 46.0

/* Of the row of actions, and of all that it takes with its words. */
#define ACTIONS_HEIGHT 10.0
#define ACTIONS_PITCH 28.0

/**
 * struct picture - what is where
 * @zoomed: the lanes are of a part of the time
 * @lanes: their number
 */
struct picture {
	FILE *f;
	const struct event_file *events;
	const struct summary *summary;
	struct picture_scale whole, window;
	bool zoomed;
	unsigned int lanes;
	struct picture_lanes overview, detail;
	double bottom; /* of the lanes, and of the row of actions below them */
};

static void picture_set_window(struct picture *p)
{
	const struct summary *s = p->summary;

	p->window = p->whole;
	if (s->was_down)
		p->zoomed = picture_zoom(&p->window, s->down_start_ns, s->down_end_ns);
}

static void picture_set_places(struct picture *p)
{
	double y = CHART_Y + CHART_HEIGHT + 26;

	if (p->zoomed) {
		p->overview.pitch = p->lanes > 8 ? 5 : 9;
		p->overview.height = p->overview.pitch - 1;
		p->overview.y = y;
		y += p->lanes * p->overview.pitch + 26;
	}
	p->detail.words = true;
	p->detail.pitch = p->lanes > 16 ? 14 : p->lanes > 8 ? 19 : 24;
	p->detail.height = p->detail.pitch - 4;
	p->detail.y = y + BARRIERS_HEIGHT;
	p->bottom = p->detail.y + p->lanes * p->detail.pitch;
	if (p->summary->acted)
		p->bottom += ACTIONS_PITCH;
}

static void picture_title(const struct picture *p)
{
	const struct summary *s = p->summary;
	char time[UNITS_MAX];
	uint64_t skew;
	FILE *f = p->f;

	svg_text(f, 20, 30, SVG_START, "title", "%s of %u device%s, %s", p->events->command, s->n,
		 s->n == 1 ? "" : "s", format_duration(time, s->end_ns - s->start_ns));
	if (s->was_down) {
		char down[UNITS_MAX], expected[UNITS_MAX + 16] = "", apart[UNITS_MAX + 16] = "";

		if (s->decided && s->decision.estimated)
			snprintf(expected, sizeof(expected), " (expected %s)",
				 format_duration(time, s->decision.estimate_ns));
		if (summary_skew(s, &skew))
			snprintf(apart, sizeof(apart), ", stopped within %s",
				 format_duration(time, skew));
		svg_text(f, 20, 51, SVG_START, "label", "downtime %s%s%s",
			 format_duration(down, summary_downtime(s)), expected, apart);
	}
	if (s->failed)
		svg_text(f, PICTURE_WIDTH - 20, 30, SVG_END, "label", "%u failure%s", s->failed,
			 s->failed == 1 ? "" : "s");
}

static void picture_draw_lanes(const struct picture *p)
{
	unsigned int left_out = p->events->list.devices - p->lanes;

	if (p->zoomed) {
		picture_window(p->f, &p->whole, &p->window,
			       &(struct picture_funnel){
				       .from = CHART_Y + CHART_HEIGHT,
				       .neck = p->overview.y + p->lanes * p->overview.pitch + 3,
				       .mouth = p->detail.y - 40,
				       .to = p->bottom,
			       });
		picture_lanes(p->f, p->events, p->summary, &p->whole, &p->overview);
	}
	picture_time_axis(p->f, &p->window, p->detail.y - 2, p->bottom);
	picture_lanes(p->f, p->events, p->summary, &p->window, &p->detail);
	picture_barriers(p->f, p->events, &p->window, p->detail.y - 4, p->bottom);
	if (p->summary->acted)
		picture_actions(p->f, p->events, p->summary, &p->window,
				p->bottom - ACTIONS_PITCH + 4, ACTIONS_HEIGHT);
	svg_text(p->f, PICTURE_WIDTH - PICTURE_RIGHT + 8, p->detail.y - 8, SVG_START, "small",
		 "downtime");
	if (left_out)
		svg_text(p->f, PICTURE_LEFT, p->bottom + 32, SVG_START, "small",
			 "and %u more devices", left_out);
}

int picture_draw(FILE *f, const struct event_file *events, const struct summary *summary,
		 struct err *err)
{
	struct picture p = {
		.f = f,
		.events = events,
		.summary = summary,
		.whole = { summary->start_ns, summary->end_ns, summary->start_ns, PICTURE_LEFT,
			   PICTURE_PLOT },
		.lanes = MIN(events->list.devices, PICTURE_LANES_MAX),
	};
	struct svg_box page = { 0, 0, PICTURE_WIDTH, 0 };
	struct svg_box plot = { PICTURE_LEFT, CHART_Y, PICTURE_PLOT, CHART_HEIGHT };
	int r;

	picture_set_window(&p);
	picture_set_places(&p);
	page.height = p.bottom + 44 + 80;
	svg_begin(f, PICTURE_WIDTH, page.height, "where the time of a run went", picture_style);
	svg_rect(f, &page, "page", NULL);
	svg_rect(f, &plot, "plot", NULL);
	picture_title(&p);
	r = picture_chart(f, events, summary, &p.whole, CHART_Y, CHART_HEIGHT, err);
	picture_draw_lanes(&p);
	picture_lanes_legend(f, 20, p.bottom + 42, PICTURE_WIDTH - 40);
	svg_end(f);
	return r;
}
