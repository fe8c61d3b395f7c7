/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A benchmark as a picture
 *
 * A time line for each kind of work: its steps one below the other, each begins where the medians
 * of those before it end, so that the eye sees what a downtime consists of. On each step, how far
 * its samples spread. SVG that needs nothing else, in light and dark.
 */

#include <stdio.h>

#include "engine/bench.h"

/** bench_picture_draw() - @name: what the device is called */
void bench_picture_draw(FILE *f, const struct bench_result *result, const char *name);
