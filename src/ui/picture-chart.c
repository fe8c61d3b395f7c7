// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/units.h"
#include "ui/picture-chart.h"
#include "ui/picture-series.h"
#include "ui/summary-report.h"

#define CHART_MARKS 4

/* Pixels below which two points are one. */
#define NEAR 0.4

#define DOT_RADIUS 3

/**
 * struct chart - where it is
 * @left_max, @rate_max: what its height stands for
 * @dotted: where the last decision is
 */
struct chart {
	FILE *f;
	const struct picture_scale *scale;
	double y, height;
	double left_max, rate_max;
	double dotted;
};

static double picture_chart_y(const struct chart *c, double value, double max)
{
	return c->y + c->height - (max > 0 ? value / max * c->height : 0);
}

static void picture_chart_axes(const struct chart *c, double left_step, double rate_step)
{
	double right = c->scale->x + c->scale->width;
	char text[PICTURE_LABEL_MAX];

	for (unsigned int i = 1; i * left_step <= c->left_max; i++) {
		double v = i * left_step, y = picture_chart_y(c, v, c->left_max);

		svg_line(c->f, c->scale->x, y, right, y, "grid");
		svg_text(c->f, c->scale->x - 8, y + 4, SVG_END, "small left-text", "%s",
			 picture_bytes(text, v));
	}
	for (unsigned int i = 1; i * rate_step <= c->rate_max; i++) {
		double v = i * rate_step;

		svg_text(c->f, right + 8, picture_chart_y(c, v, c->rate_max) + 4, SVG_START,
			 "small rate-text", "%s/s", picture_bytes(text, v));
	}
	svg_text(c->f, c->scale->x - 8, c->y - 14, SVG_END, "small left-text", "left to move");
	svg_text(c->f, right + 8, c->y - 14, SVG_START, "small rate-text", "rate");
}

static void picture_chart_rate(const struct chart *c, const struct picture_series *s)
{
	double bottom = c->y + c->height, width = c->scale->width / PICTURE_BINS;

	svg_path_begin(c->f, "rate");
	svg_path_to(c->f, c->scale->x, bottom, false);
	for (size_t i = 0; i < PICTURE_BINS; i++) {
		double x = c->scale->x + (double)i * width;
		double y = picture_chart_y(c, s->bins[i], c->rate_max);

		if (i && s->bins[i] == s->bins[i - 1])
			continue;
		svg_path_to(c->f, x, picture_chart_y(c, i ? s->bins[i - 1] : 0, c->rate_max), true);
		svg_path_to(c->f, x, y, true);
	}
	svg_path_to(c->f, c->scale->x + c->scale->width,
		    picture_chart_y(c, s->bins[PICTURE_BINS - 1], c->rate_max), true);
	svg_path_to(c->f, c->scale->x + c->scale->width, bottom, true);
	svg_path_end(c->f);
}

static void picture_chart_left(const struct chart *c, const struct picture_series *s)
{
	double last_x = 0, last_y = 0;
	bool any = false;

	if (!s->n)
		return;
	svg_path_begin(c->f, "left");
	for (size_t i = 0; i < s->n; i++) {
		double x = picture_x(c->scale, s->points[i].ns);
		double y = picture_chart_y(c, s->points[i].left, c->left_max);

		if (any && i + 1 < s->n && x - last_x < NEAR && y - last_y < NEAR &&
		    last_y - y < NEAR)
			continue;
		svg_path_to(c->f, x, y, any);
		any = true;
		last_x = x;
		last_y = y;
	}
	svg_path_end(c->f);
}

/* Where the decisions were made; of those that are on top of each other, the one that counted. */
static void picture_chart_decision(void *ctx, const struct event *e)
{
	const struct switchover_decision *d = &e->decision;
	struct chart *c = ctx;
	char why[SUMMARY_WHY_MAX];
	double x = picture_x(c->scale, e->ns), left = (double)d->left;

	if (e->kind != EVENT_DECISION || !d->round.told || left > c->left_max)
		return;
	if (x < c->dotted + DOT_RADIUS && d->verdict == SWITCHOVER_NOT_YET)
		return;
	c->dotted = x;
	svg_circle(c->f, x, picture_chart_y(c, left, c->left_max), DOT_RADIUS, "dot",
		   summary_why(d, why));
}

static void picture_chart_switchover(const struct chart *c, const struct summary *s)
{
	double x = picture_x(c->scale, s->down_start_ns), end = picture_x(c->scale, s->down_end_ns);
	struct svg_box band = { x, c->y, MAX(end - x, 1.5), c->height };
	/* On the side where there is room. */
	bool after = x + 90 < c->scale->x + c->scale->width;
	/* A device that is loaded was not stopped for what it runs afterwards. */
	const char *word = s->phased[PHASE_LOAD] ? "down" : "switchover";
	char time[UNITS_MAX], why[SUMMARY_WHY_MAX], title[SUMMARY_WHY_MAX + 64];

	if (!s->was_down)
		return;
	snprintf(title, sizeof(title), "devices down: %s%s%s",
		 format_duration(time, s->down_end_ns - s->down_start_ns), s->decided ? "; " : "",
		 s->decided ? summary_why(&s->decision, why) : "");
	svg_rect(c->f, &band, "band", title);
	svg_line(c->f, x, c->y - 18, x, c->y + c->height, "switchover");
	svg_text(c->f, after ? x + 5 : x - 5, c->y - 8, after ? SVG_START : SVG_END, "label", "%s",
		 word);
}

/* Whole steps that hold @most, one at least. */
static double picture_chart_top(double most, double step)
{
	unsigned int steps = (unsigned int)(most / step);

	return step * (!steps || steps * step < most ? steps + 1 : steps);
}

int picture_chart(FILE *f, const struct event_file *events, const struct summary *summary,
		  const struct picture_scale *scale, double y, double height, struct err *err)
{
	struct chart c = { .f = f, .scale = scale, .y = y, .height = height };
	struct picture_series series;
	double left_step, rate_step;
	int r;

	r = picture_series_init(&series, events, scale->from_ns, scale->to_ns, err);
	if (r >= 0) {
		left_step = picture_step(series.most, CHART_MARKS);
		rate_step = picture_step(series.fastest, CHART_MARKS);
		c.left_max = picture_chart_top(series.most, left_step);
		c.rate_max = picture_chart_top(series.fastest, rate_step);
		picture_chart_switchover(&c, summary);
		picture_chart_rate(&c, &series);
		picture_chart_axes(&c, left_step, rate_step);
		picture_time_axis(f, scale, y, y + height);
		picture_chart_left(&c, &series);
		event_list_replay(&events->list, picture_chart_decision, &c);
	}
	picture_series_done(&series);
	return r;
}
