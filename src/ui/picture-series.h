/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What was left to move, and the rate, as curves
 *
 * While the devices tell what is left (pre-copy's decisions), that counts, less what was read
 * since. Else what is known afterwards: all that was read in the first round, or that a stream had
 * in the end, less what was moved.
 */

#include "ui/event-file.h"

#define PICTURE_BINS 180u

/** struct picture_point - @left: bytes, at a moment */
struct picture_point {
	uint64_t ns;
	double left;
};

/**
 * struct picture_series - of all devices together
 * @points: @n of them, in the order of their times
 * @most: the largest of them
 * @bins: bytes a second in equal parts of the time from @from_ns to @to_ns
 * @fastest: the largest of them
 */
struct picture_series {
	struct picture_point *points;
	size_t n;
	double most;
	uint64_t from_ns, to_ns;
	double bins[PICTURE_BINS];
	double fastest;
};

_must_check_ int picture_series_init(struct picture_series *s, const struct event_file *events,
				     uint64_t from_ns, uint64_t to_ns, struct err *err);

void picture_series_done(struct picture_series *s);
