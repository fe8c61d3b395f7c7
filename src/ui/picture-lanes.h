/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What each device did, a lane a device
 */

#include "ui/event-file.h"
#include "ui/picture-scale.h"
#include "ui/summary.h"

/* More devices than a picture can have lanes for are left out, and said so. */
#define PICTURE_LANES_MAX 64u

/**
 * struct picture_lanes - where they are
 * @y, @pitch, @height: of the first lane, from one to the next, and of each
 * @words: with names, downtimes and the words of states
 */
struct picture_lanes {
	double y, pitch, height;
	bool words;
};

/** picture_lanes() - of all devices, as far as it lies in @scale */
void picture_lanes(FILE *f, const struct event_file *events, const struct summary *summary,
		   const struct picture_scale *scale, const struct picture_lanes *lanes);

/** picture_barriers() - lines from @top to @bottom, with their names above @top */
void picture_barriers(FILE *f, const struct event_file *events, const struct picture_scale *scale,
		      double top, double bottom);

/**
 * picture_actions() - a row of marks for what was done to the devices' users
 * @y, @height: of the row
 *
 * Under them, the time in which the freezer kept owners stopped.
 */
void picture_actions(FILE *f, const struct event_file *events, const struct summary *summary,
		     const struct picture_scale *scale, double y, double height);

/** picture_lanes_legend() - what the colours mean, from @x and @y. Return: its height. */
double picture_lanes_legend(FILE *f, double x, double y, double width);
