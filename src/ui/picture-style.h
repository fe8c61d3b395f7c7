/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What all pictures of runs have in common: places and colours
 */

#include <stdbool.h>

#include "ui/picture-scale.h"

/* In pixels: of all, left of the lanes for names, right of them for downtimes, and between. */
#define PICTURE_WIDTH 960.0
#define PICTURE_LEFT 170.0
#define PICTURE_RIGHT 100.0
#define PICTURE_PLOT (PICTURE_WIDTH - PICTURE_LEFT - PICTURE_RIGHT)

/* Classes of svg.h, in light and dark: "s-STATE" for each state. */
extern const char picture_style[];

/**
 * picture_zoom() - a scale of its own for a part of the time, where that is short
 * @scale: of the whole; made that of @from_ns to @to_ns with some margin
 *
 * Return: false where the part is not short; @scale is then untouched.
 */
bool picture_zoom(struct picture_scale *scale, uint64_t from_ns, uint64_t to_ns);

/**
 * struct picture_funnel - from a part of the whole to its picture, by y
 * @from, @neck: the part is marked from here to here
 * @mouth, @to: and its picture lies between these
 */
struct picture_funnel {
	double from, neck, mouth, to;
};

/** picture_window() - which part of @whole it is that @window shows */
void picture_window(FILE *f, const struct picture_scale *whole, const struct picture_scale *window,
		    const struct picture_funnel *y);

struct picture_legend_row {
	const char *class_name, *words;
};

/** picture_legend() - what colours mean, from @x and @y. Return: its height. */
double picture_legend(FILE *f, double x, double y, double width,
		      const struct picture_legend_row *rows, size_t n);
