// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/macros.h"
#include "ui/picture-scale.h"

#define TIME_MARKS 8

double picture_x(const struct picture_scale *s, uint64_t ns)
{
	double span = (double)(s->to_ns - s->from_ns);

	return s->x + ((double)ns - (double)s->from_ns) / MAX(span, 1.0) * s->width;
}

bool picture_clip(const struct picture_scale *s, uint64_t *from, uint64_t *to)
{
	*from = MAX(*from, s->from_ns);
	*to = MIN(*to, s->to_ns);
	return *from <= *to;
}

/* 1, 2 or 5 times a power of ten. */
static uint64_t picture_scale_time_step(uint64_t span)
{
	static const unsigned int factors[] = { 1, 2, 5 };

	for (uint64_t ten = 1; ten < UINT64_MAX / 10; ten *= 10)
		for (size_t i = 0; i < ARRAY_SIZE(factors); i++)
			if (span / (factors[i] * ten) < TIME_MARKS)
				return factors[i] * ten;
	return span;
}

static const struct picture_unit {
	const char *name;
	uint64_t ns;
} picture_units[] = {
	{ "s", NSEC_PER_SEC },
	{ "ms", NSEC_PER_MSEC },
	{ "us", 1000 },
	{ "ns", 1 },
};

/* The largest of which the span has any. */
static const struct picture_unit *picture_scale_unit(uint64_t span)
{
	const struct picture_unit *unit = picture_units;

	while (unit->ns > 1 && span < unit->ns)
		unit++;
	return unit;
}

static int picture_scale_decimals(uint64_t step, uint64_t unit)
{
	int decimals = 0;

	while (step < unit) {
		step *= 10;
		decimals++;
	}
	return decimals;
}

void picture_time_axis(FILE *f, const struct picture_scale *s, double top, double y)
{
	uint64_t step = picture_scale_time_step(s->to_ns - s->from_ns);
	const struct picture_unit *unit = picture_scale_unit(s->to_ns - s->from_ns);
	double span = MAX((double)(s->to_ns - s->from_ns), 1.0);
	/* Marks before what is counted from are negative. */
	int64_t before = (int64_t)((s->zero_ns - s->from_ns) / step);
	int64_t after = (int64_t)((s->to_ns - s->zero_ns) / step);

	svg_line(f, s->x, y, s->x + s->width, y, "axis");
	for (int64_t n = -before; n <= after; n++) {
		double since = (double)n * (double)step;
		double x = picture_x(s, s->zero_ns) + since / span * s->width;

		svg_line(f, x, top, x, y, "grid");
		svg_text(f, x, y + 15, SVG_MIDDLE, "small", "%.*f %s",
			 picture_scale_decimals(step, unit->ns), since / (double)unit->ns,
			 unit->name);
	}
}

double picture_step(double max, unsigned int marks)
{
	double step = 1;

	while (max / step > marks)
		step *= 2;
	return step;
}

char *picture_bytes(char buf[PICTURE_LABEL_MAX], double bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	size_t i = 0;

	while (bytes >= 1024 && i + 1 < ARRAY_SIZE(units)) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, PICTURE_LABEL_MAX, bytes < 1024 ? "%.4g %s" : "%.0f %s", bytes, units[i]);
	return buf;
}
