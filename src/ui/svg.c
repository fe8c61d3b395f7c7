// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/printable.h"
#include "ui/svg.h"

void svg_begin(FILE *f, double width, double height, const char *label, const char *style)
{
	fprintf(f,
		"<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" "
		"viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n<style>%s</style>\n",
		width, height, width, height, label, style);
}

void svg_end(FILE *f)
{
	fputs("</svg>\n", f);
}

/* U+FFFE and U+FFFF are UTF-8, and no characters of XML. */
static bool svg_is_noncharacter(const char *c)
{
	return !strncmp(c, "\xef\xbf\xbe", 3) || !strncmp(c, "\xef\xbf\xbf", 3);
}

static void svg_escape(FILE *f, const char *text)
{
	_cleanup_free_ char *copy = strdup(text);

	if (!copy)
		return;
	make_printable(copy);
	for (const char *c = copy; *c; c++) {
		if (*c == '&')
			fputs("&amp;", f);
		else if (*c == '<')
			fputs("&lt;", f);
		else if (*c == '>')
			fputs("&gt;", f);
		else if (svg_is_noncharacter(c))
			c += 2;
		else
			fputc(*c, f);
	}
}

void svg_text(FILE *f, double x, double y, enum svg_anchor anchor, const char *class_name,
	      const char *fmt, ...)
{
	static const char *const anchors[] = {
		[SVG_START] = "start",
		[SVG_MIDDLE] = "middle",
		[SVG_END] = "end",
	};
	_cleanup_free_ char *text = NULL;
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = vasprintf(&text, fmt, ap);
	va_end(ap);
	if (r < 0) {
		text = NULL;
		return;
	}
	fprintf(f, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y,
		anchors[anchor], class_name);
	svg_escape(f, text);
	fputs("</text>\n", f);
}

static void svg_close_element(FILE *f, const char *name, const char *title)
{
	if (!title) {
		fputs("/>\n", f);
		return;
	}
	fputs("><title>", f);
	svg_escape(f, title);
	fprintf(f, "</title></%s>\n", name);
}

void svg_rect(FILE *f, const struct svg_box *box, const char *class_name, const char *title)
{
	fprintf(f, "<rect x=\"%.2f\" y=\"%.1f\" width=\"%.2f\" height=\"%.1f\" class=\"%s\"",
		box->x, box->y, box->width, box->height, class_name);
	svg_close_element(f, "rect", title);
}

void svg_line(FILE *f, double x1, double y1, double x2, double y2, const char *class_name)
{
	fprintf(f, "<line x1=\"%.2f\" y1=\"%.1f\" x2=\"%.2f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1,
		x2, y2, class_name);
}

void svg_circle(FILE *f, double x, double y, double radius, const char *class_name,
		const char *title)
{
	fprintf(f, "<circle cx=\"%.2f\" cy=\"%.1f\" r=\"%.1f\" class=\"%s\"", x, y, radius,
		class_name);
	svg_close_element(f, "circle", title);
}

void svg_path_begin(FILE *f, const char *class_name)
{
	fprintf(f, "<path class=\"%s\" d=\"", class_name);
}

void svg_path_to(FILE *f, double x, double y, bool line)
{
	fprintf(f, "%c%.2f %.1f", line ? 'L' : 'M', x, y);
}

void svg_path_end(FILE *f)
{
	fputs("\"/>\n", f);
}
