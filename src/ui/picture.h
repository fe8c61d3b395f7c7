/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A run as a picture
 *
 * Above, what was left to move and how fast it moved; below, what each device did, of the time in
 * which any was down. SVG that needs nothing else, in light and dark.
 */

#include <stdio.h>

#include "ui/event-file.h"
#include "ui/summary.h"

/**
 * picture_draw() - @events as SVG
 * @summary: of the same events, after summary_end()
 */
_must_check_ int picture_draw(FILE *f, const struct event_file *events,
			      const struct summary *summary, struct err *err);
