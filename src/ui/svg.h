/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Elements of an SVG document
 *
 * Colours are classes, so that the document's own style sheet can have two sets of them. Text is
 * escaped here and nowhere else.
 */

#include <stdio.h>

#include "base/err.h"

enum svg_anchor {
	SVG_START,
	SVG_MIDDLE,
	SVG_END
};

/** struct svg_box - a place in the picture, in pixels from the top left corner */
struct svg_box {
	double x, y, width, height;
};

/**
 * svg_begin() - the document, of @width times @height
 * @label: what it is, for those who cannot see it; both this and @style, its style sheet, go into
 *         it as they are
 */
void svg_begin(FILE *f, double width, double height, const char *label, const char *style);

void svg_end(FILE *f);

/** svg_text() - @y is the base line's */
void svg_text(FILE *f, double x, double y, enum svg_anchor anchor, const char *class_name,
	      const char *fmt, ...) _printf_(6, 7);

/** svg_rect() - @title: what a browser shows of it, NULL for nothing */
void svg_rect(FILE *f, const struct svg_box *box, const char *class_name, const char *title);

void svg_line(FILE *f, double x1, double y1, double x2, double y2, const char *class_name);

/** svg_circle() - @title: as of svg_rect() */
void svg_circle(FILE *f, double x, double y, double radius, const char *class_name,
		const char *title);

/** svg_path_begin() - what follows are svg_path_to(), then svg_path_end() */
void svg_path_begin(FILE *f, const char *class_name);

/** svg_path_to() - @line: draw a line there; else begin another one there */
void svg_path_to(FILE *f, double x, double y, bool line);

void svg_path_end(FILE *f);
