// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cleanup.h"
#include "base/macros.h"
#include "base/printable.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/progress-view.h"

/*
 * What can be said
 */

/* Before a device is open, an image is being read. */
static bool progress_view_moves(const struct progress_sample *s)
{
	enum mig_state state = (enum mig_state)s->state;

	if (s->in_call)
		return false;
	if (s->state >= MIG_NR_STATES)
		return s->bytes;
	return fsm_saving(state) || state == MIG_RESUMING;
}

/* A driver's estimate is of STOP_COPY: what pre-copy brings comes on top of it. */
static bool progress_view_knows_total(const struct progress_sample *s)
{
	if (!s->expected || s->bytes > s->expected)
		return false;
	return s->exact || (s->state != MIG_PRE_COPY && s->state != MIG_PRE_COPY_P2P);
}

static uint64_t progress_view_remaining(uint64_t left, uint64_t rate)
{
	return rate ? (uint64_t)((double)left / (double)rate * (double)NSEC_PER_SEC) : 0;
}

struct progress_figures progress_figures(const struct progress_sample *s)
{
	struct progress_figures f = { .moving = progress_view_moves(s) };

	if (!progress_view_knows_total(s))
		return f;
	f.total = s->expected;
	f.exact = s->exact;
	f.percent = (unsigned int)((double)s->bytes / (double)s->expected * 100);
	if (f.moving)
		f.remaining_ns = progress_view_remaining(s->expected - s->bytes, s->rate);
	return f;
}

/* A total is known only where it is known of all. */
struct progress_sample progress_view_sum(const struct progress_view *v,
					 struct progress_figures *ret_figures)
{
	struct progress_sample sum = { .state = MIG_NR_STATES, .exact = true };
	struct progress_figures all = { .exact = true };
	bool known = v->n;

	for (unsigned int i = 0; i < v->n; i++) {
		const struct progress_sample *s = &v->devices[i];
		const struct progress_figures f = progress_figures(s);

		sum.bytes += s->bytes;
		sum.rate += s->rate;
		all.total += f.total;
		all.exact = all.exact && f.exact;
		all.moving = all.moving || f.moving;
		known = known && f.total;
	}
	if (v->scanned) {
		sum.bytes = v->scanned;
		all.moving = true;
	}
	if (!known)
		all.total = 0;
	if (!all.total)
		all.exact = false;
	if (all.total)
		all.percent = (unsigned int)((double)sum.bytes / (double)all.total * 100);
	if (all.total && all.moving)
		all.remaining_ns = progress_view_remaining(all.total - sum.bytes, sum.rate);
	*ret_figures = v->n == 1 && !v->scanned ? progress_figures(v->devices) : all;
	return sum;
}

/*
 * One line: pieces, of which the lightest are left out where there is no room
 */

#define PIECE_MAX 48
#define PIECES_MAX 12

struct progress_pieces {
	struct progress_piece {
		char text[PIECE_MAX];
		unsigned int weight; /* 0 once it is left out */
	} v[PIECES_MAX];
	unsigned int n;
};

static void progress_view_add(struct progress_pieces *p, unsigned int weight, const char *before,
			      const char *text, const char *behind)
{
	struct progress_piece *piece = &p->v[p->n++];

	snprintf(piece->text, sizeof(piece->text), "%s%s%s", before, text, behind);
	piece->weight = weight;
}

static void progress_view_add_bytes(struct progress_pieces *p, const struct progress_sample *s,
				    const struct progress_figures *f)
{
	char buf[UNITS_MAX];

	if (f->total) {
		snprintf(buf, sizeof(buf), "%u%%", f->percent);
		progress_view_add(p, 7, "  ", buf, "");
	}
	if (f->total || s->bytes || f->moving)
		progress_view_add(p, 9, "  ", format_bytes(buf, s->bytes), "");
	if (f->total)
		progress_view_add(p, 4, f->exact ? " of " : " of about ",
				  format_bytes(buf, f->total), "");
	if (f->moving)
		progress_view_add(p, 8, "  ", format_rate(buf, s->rate, NSEC_PER_SEC), "");
}

static struct progress_pieces progress_view_pieces(const struct progress_view *v)
{
	struct progress_figures f;
	const struct progress_sample sum = progress_view_sum(v, &f);
	struct progress_pieces p = { 0 };
	char buf[UNITS_MAX];

	if (v->round) {
		snprintf(buf, sizeof(buf), "%u", v->round);
		progress_view_add(&p, 1, "  round ", buf, "");
	}
	progress_view_add_bytes(&p, &sum, &f);
	if (f.remaining_ns)
		progress_view_add(&p, 5, "  ", format_duration(buf, f.remaining_ns), " left");
	if (v->dirty_rate)
		progress_view_add(&p, 3, "  dirty ", format_rate(buf, v->dirty_rate, NSEC_PER_SEC),
				  "");
	if (v->estimated)
		progress_view_add(&p, 6, "  downtime ", format_duration(buf, v->estimate_ns), "");
	progress_view_add(&p, 2, "  ", format_duration(buf, v->elapsed_ns), "");
	return p;
}

static size_t progress_view_width(const struct progress_pieces *p)
{
	size_t width = 0;

	for (unsigned int i = 0; i < p->n; i++)
		if (p->v[i].weight)
			width += strlen(p->v[i].text);
	return width;
}

static bool progress_view_leave_out_lightest(struct progress_pieces *p)
{
	struct progress_piece *lightest = NULL;

	for (unsigned int i = 0; i < p->n; i++)
		if (p->v[i].weight && (!lightest || p->v[i].weight < lightest->weight))
			lightest = &p->v[i];
	if (!lightest)
		return false;
	lightest->weight = 0;
	return true;
}

/*
 * A line that wraps could not be overwritten. The name goes first, which the reader knows. What is
 * behind it is ASCII, so that only a name has characters of several bytes, and none has more
 * columns than bytes. The last column stays free: some terminals wrap as soon as it is written to.
 */
char *progress_view_line(const struct progress_view *v, size_t columns)
{
	struct progress_pieces p = progress_view_pieces(v);
	size_t max = columns ? columns - 1 : SIZE_MAX, head = strlen(v->headline);
	bool named = head + progress_view_width(&p) + strlen(v->name) + 2 <= max;
	char *line;
	size_t size;
	FILE *f;

	while (head + progress_view_width(&p) > max)
		if (!progress_view_leave_out_lightest(&p))
			break;
	f = open_memstream(&line, &size);
	if (!f)
		return NULL;
	if (named)
		fprintf(f, "%s: ", v->name);
	fputs(v->headline, f);
	for (unsigned int i = 0; i < p.n; i++)
		if (p.v[i].weight)
			fputs(p.v[i].text, f);
	if (fclose(f) != 0)
		return NULL;
	if (size > max)
		line[max] = '\0';
	make_printable(line);
	return line;
}

/*
 * A line a device: the same columns in each
 */

#define STATE_WIDTH 12 /* "pre-copy-p2p" */
#define NAME_WIDTH_MIN 12u /* "0000:3b:00.1" */

/* Columns of figures behind name and state; what matters most is the first to get room. */
enum progress_column {
	COLUMN_BYTES,
	COLUMN_RATE,
	COLUMN_PERCENT,
	COLUMN_LEFT,
	COLUMN_TOTAL,
	NR_COLUMNS
};

static const int progress_widths[NR_COLUMNS] = {
	[COLUMN_PERCENT] = 4, [COLUMN_BYTES] = 8, [COLUMN_TOTAL] = 17,
	[COLUMN_RATE] = 10,   [COLUMN_LEFT] = 12,
};

/* The order in which they stand. */
static const enum progress_column progress_order[NR_COLUMNS] = {
	COLUMN_PERCENT, COLUMN_BYTES, COLUMN_TOTAL, COLUMN_RATE, COLUMN_LEFT,
};

static void progress_view_cell(char buf[PIECE_MAX], enum progress_column column,
			       const struct progress_sample *s)
{
	const struct progress_figures f = progress_figures(s);
	char text[UNITS_MAX];

	buf[0] = '\0';
	if (column == COLUMN_PERCENT && f.total)
		snprintf(buf, PIECE_MAX, "%u%%", f.percent);
	else if (column == COLUMN_BYTES && (f.total || s->bytes || f.moving))
		format_bytes(buf, s->bytes);
	else if (column == COLUMN_TOTAL && f.total)
		snprintf(buf, PIECE_MAX, "of %s%s", f.exact ? "" : "about ",
			 format_bytes(text, f.total));
	else if (column == COLUMN_RATE && f.moving)
		format_rate(buf, s->rate, NSEC_PER_SEC);
	else if (column == COLUMN_LEFT && f.remaining_ns)
		snprintf(buf, PIECE_MAX, "%s left", format_duration(text, f.remaining_ns));
}

/* The end of a name tells more than its start: "~b:00.1". No character of it is cut in two. */
static const char *progress_view_name(const char *name, size_t width, bool *ret_cut)
{
	size_t len = strlen(name);

	*ret_cut = len > width;
	if (!*ret_cut)
		return name;
	name += len - width + 1;
	while (((unsigned char)*name & 0xc0) == 0x80)
		name++;
	return name;
}

static size_t progress_view_name_width(const struct progress_view *v, size_t columns)
{
	size_t width = NAME_WIDTH_MIN;

	for (unsigned int i = 0; i < v->n; i++)
		width = MAX(width, strlen(v->names[i]));
	return MIN(width, MAX((size_t)NAME_WIDTH_MIN, columns / 3));
}

static void progress_view_device(FILE *f, const struct progress_view *v, unsigned int i,
				 size_t name_width, size_t room, const bool *shown)
{
	const struct progress_sample *s = &v->devices[i];
	const char *state = s->state < MIG_NR_STATES ? fsm_name((enum mig_state)s->state) : "-";
	_cleanup_free_ char *line = NULL;
	char cell[PIECE_MAX];
	const char *name;
	size_t size;
	FILE *text;
	bool cut;

	text = open_memstream(&line, &size);
	if (!text)
		return;
	name = progress_view_name(v->names[i], name_width, &cut);
	fprintf(text, "%s%-*s  %-*s", cut ? "~" : "", (int)name_width - cut, name, STATE_WIDTH,
		state);
	for (unsigned int c = 0; c < NR_COLUMNS; c++)
		if (shown[progress_order[c]]) {
			progress_view_cell(cell, progress_order[c], s);
			fprintf(text, "  %*s", progress_widths[progress_order[c]], cell);
		}
	if (fclose(text) != 0)
		return;
	size = MIN(size, room);
	while (size && line[size - 1] == ' ')
		size--;
	line[size] = '\0';
	make_printable(line);
	fprintf(f, "\n%s", line);
}

/* One of the devices has something there. */
static bool progress_view_needs(const struct progress_view *v, enum progress_column column)
{
	char cell[PIECE_MAX];

	for (unsigned int i = 0; i < v->n; i++) {
		progress_view_cell(cell, column, &v->devices[i]);
		if (*cell)
			return true;
	}
	return false;
}

char *progress_view_lines(const struct progress_view *v, size_t columns, size_t rows)
{
	size_t name_width = progress_view_name_width(v, columns), room = columns - 1;
	size_t width = name_width + 2 + STATE_WIDTH;
	char *head = progress_view_line(v, columns), *text;
	bool shown[NR_COLUMNS] = { false };
	size_t size;
	FILE *f;

	if (!head || v->n < 2 || v->n > PROGRESS_LINES_MAX || v->n + 2 > rows)
		return head;
	for (unsigned int c = 0; c < NR_COLUMNS; c++) {
		size_t wide = width + 2 + (size_t)progress_widths[c];

		if (!progress_view_needs(v, (enum progress_column)c))
			continue;
		if (wide > room)
			break;
		shown[c] = true;
		width = wide;
	}
	f = open_memstream(&text, &size);
	if (!f)
		return head;
	fputs(head, f);
	for (unsigned int i = 0; i < v->n; i++)
		progress_view_device(f, v, i, name_width, room, shown);
	free(head);
	return fclose(f) == 0 ? text : NULL;
}
