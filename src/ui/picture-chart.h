/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What was left, and the rate, over all of the time
 */

#include "ui/event-file.h"
#include "ui/picture-scale.h"
#include "ui/summary.h"

/** picture_chart() - @y, @height: of the plot; its marks go below */
_must_check_ int picture_chart(FILE *f, const struct event_file *events,
			       const struct summary *summary, const struct picture_scale *scale,
			       double y, double height, struct err *err);
