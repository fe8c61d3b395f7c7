/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * From time and bytes to pixels, and the marks of an axis
 */

#include <stdint.h>
#include <stdio.h>

#include "ui/svg.h"

/**
 * struct picture_scale - a span of time across a part of the picture
 * @zero_ns: what an axis counts from
 */
struct picture_scale {
	uint64_t from_ns, to_ns, zero_ns;
	double x, width;
};

/** picture_x() - of a moment, which may lie outside of the span */
double picture_x(const struct picture_scale *s, uint64_t ns);

/** picture_clip() - @from to @to as far as it lies in the span. Return: false for nothing. */
bool picture_clip(const struct picture_scale *s, uint64_t *from, uint64_t *to);

/** picture_time_axis() - marks and their text below @y; lines from @top to there */
void picture_time_axis(FILE *f, const struct picture_scale *s, double top, double y);

/** picture_step() - a round number, so that @max takes at most @marks of it; of binary units */
double picture_step(double max, unsigned int marks);

#define PICTURE_LABEL_MAX 32

/** picture_bytes() - "1.5 GiB", without needless digits. Return: @buf. */
char *picture_bytes(char buf[PICTURE_LABEL_MAX], double bytes);
