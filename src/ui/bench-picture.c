// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/macros.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/bench-picture.h"
#include "ui/picture-style.h"

#define PICTURE_TOP 72.0
#define GROUP_HEAD 24.0
#define GROUP_FOOT 34.0
#define ROW_PITCH 22.0
#define ROW_HEIGHT 14.0

/* A step can be found, however short it is. */
#define BAR_MIN 1.0

static const char *const bench_picture_titles[] = {
	[BENCH_SAVE] = "a save",
	[BENCH_PRECOPY] = "a save with pre-copy",
	[BENCH_LOAD] = "a load into the device itself",
	[BENCH_MOVE] = "save to load: from the device into a second one",
};
_Static_assert(ARRAY_SIZE(bench_picture_titles) == BENCH_NR_KINDS, "a title for each");

/*
 * As long as all medians take, and the spread of the last of them: one sample in a hundred that
 * took much longer must not make the rest too small to be seen.
 */
static uint64_t bench_picture_span(const struct bench_result *result, enum bench_kind kind)
{
	uint64_t start = 0, span = 1;

	for (unsigned int i = 0; i < result->n_steps; i++) {
		const struct bench_summary *s = &result->steps[i].summary;

		if (result->steps[i].kind != kind)
			continue;
		span = MAX(span, start + s->high);
		start += s->median;
	}
	return span + span / 50;
}

static void bench_picture_spread(FILE *f, const struct picture_scale *scale, uint64_t start,
				 const struct bench_summary *s, double y)
{
	const double middle = y + ROW_HEIGHT / 2;
	uint64_t from = start + s->min, to = start + s->p99;
	struct svg_box box = { picture_x(scale, start + s->low), y + 2, 0, ROW_HEIGHT - 4 };

	box.width = MAX(picture_x(scale, start + s->high) - box.x, BAR_MIN);
	svg_rect(f, &box, "rate", NULL);
	if (!picture_clip(scale, &from, &to))
		return;
	svg_line(f, picture_x(scale, from), middle, picture_x(scale, to), middle, "axis");
	svg_line(f, picture_x(scale, from), y + 4, picture_x(scale, from), y + ROW_HEIGHT - 4,
		 "axis");
	/* One that goes beyond the picture has no end in it. */
	if (to == start + s->p99)
		svg_line(f, picture_x(scale, to), y + 4, picture_x(scale, to), y + ROW_HEIGHT - 4,
			 "axis");
}

static void bench_picture_words(FILE *f, const struct bench_step *step, double y)
{
	const char *second = step->second ? "2: " : "";
	char time[UNITS_MAX];

	if (step->stream)
		svg_text(f, PICTURE_LEFT - 8, y + 11, SVG_END, "small", "%sstream in %s", second,
			 fsm_name(step->from));
	else
		svg_text(f, PICTURE_LEFT - 8, y + 11, SVG_END, "small", "%s%s -> %s", second,
			 fsm_name(step->from), fsm_name(step->to));
	svg_text(f, PICTURE_LEFT + PICTURE_PLOT + 8, y + 11, SVG_START, "small", "%s",
		 format_duration(time, step->summary.median));
}

static void bench_picture_step(FILE *f, const struct picture_scale *scale, uint64_t start,
			       const struct bench_step *step, double y)
{
	const struct bench_summary *s = &step->summary;
	char class_name[32] = "arc", title[256], min[UNITS_MAX], median[UNITS_MAX], p99[UNITS_MAX],
	     max[UNITS_MAX];
	struct svg_box box = { picture_x(scale, start), y, 0, ROW_HEIGHT };

	box.width = MAX(picture_x(scale, start + s->median) - box.x, BAR_MIN);
	if (step->stream)
		snprintf(class_name, sizeof(class_name), "s-%s", fsm_name(step->from));
	snprintf(title, sizeof(title),
		 "%zu times: least %s, median %s, 99 of 100 within %s, most %s", s->n,
		 format_duration(min, s->min), format_duration(median, s->median),
		 format_duration(p99, s->p99), format_duration(max, s->max));
	svg_rect(f, &box, class_name, title);
	bench_picture_spread(f, scale, start, s, y);
	bench_picture_words(f, step, y);
}

/* Return: where the next one begins. */
static double bench_picture_group(FILE *f, const struct bench_result *result, enum bench_kind kind,
				  double y)
{
	struct picture_scale scale = { 0, bench_picture_span(result, kind), 0, PICTURE_LEFT,
				       PICTURE_PLOT };
	unsigned int rows = 0;
	uint64_t start = 0;
	double top = y + GROUP_HEAD;

	for (unsigned int i = 0; i < result->n_steps; i++)
		rows += result->steps[i].kind == kind;
	if (!rows)
		return y;
	svg_text(f, 20, y + 10, SVG_START, "label", "%s", bench_picture_titles[kind]);
	svg_text(f, PICTURE_LEFT + PICTURE_PLOT + 8, y + 10, SVG_START, "small", "median");
	picture_time_axis(f, &scale, top - 4, top + rows * ROW_PITCH);
	for (unsigned int i = 0; i < result->n_steps; i++) {
		const struct bench_step *step = &result->steps[i];

		if (step->kind != kind)
			continue;
		bench_picture_step(f, &scale, start, step, top);
		start += step->summary.median;
		top += ROW_PITCH;
	}
	return top + GROUP_FOOT;
}

static const struct picture_legend_row bench_picture_legend[] = {
	{ "arc", "median of an arc" },
	{ "s-stop-copy", "of reading a stream" },
	{ "s-pre-copy", "of pre-copy" },
	{ "s-resuming", "of writing a stream" },
	{ "rate", "holds the median with 99 %" },
};

void bench_picture_draw(FILE *f, const struct bench_result *result, const char *name)
{
	struct svg_box page = { 0, 0, PICTURE_WIDTH, 0 };
	char *body = NULL;
	size_t size = 0;
	double y = PICTURE_TOP;
	FILE *b;

	b = open_memstream(&body, &size);
	if (!b)
		return;
	svg_text(b, 20, 30, SVG_START, "title", "%s, %u rounds", name, result->rounds);
	svg_text(
		b, 20, 51, SVG_START, "label",
		"each step begins where the medians before it end; lines are from the least to the "
		"99th of 100");
	for (unsigned int kind = 0; kind < BENCH_NR_KINDS; kind++)
		y = bench_picture_group(b, result, (enum bench_kind)kind, y);
	y += picture_legend(b, 20, y, PICTURE_WIDTH - 40, bench_picture_legend,
			    ARRAY_SIZE(bench_picture_legend));
	fclose(b);
	page.height = y + 8;
	svg_begin(f, PICTURE_WIDTH, page.height, "how long the steps of a migration take",
		  picture_style);
	svg_rect(f, &page, "page", NULL);
	fwrite(body, 1, size, f);
	svg_end(f);
	free(body);
}
