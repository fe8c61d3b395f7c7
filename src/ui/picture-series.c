// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "ui/picture-series.h"

/* A device, as far as it was counted. */
struct series_device {
	uint64_t since_ns; /* of the bytes that come next */
	double bytes, final;
	bool counted; /* since the last point */
};

struct series_count {
	struct picture_series *series;
	struct series_device *devices;
	unsigned int n;
	bool tells; /* there are decisions that tell what is left */
	double first; /* bytes that were moved before the first of them */
	bool afterwards; /* what counts is what is known afterwards */
	bool told;
	double told_left, told_bytes;
	uint64_t last_ns; /* of the last progress */
};

/*
 * The rate
 */

/* @bytes were moved evenly from @from to @to. */
static void picture_series_spread(struct picture_series *s, double bytes, uint64_t from,
				  uint64_t to)
{
	double span = MAX((double)(s->to_ns - s->from_ns), 1.0), width = span / PICTURE_BINS;
	double begin = (double)(from - s->from_ns), end = MAX((double)(to - s->from_ns), begin + 1);
	size_t first = (size_t)(begin / width), last = (size_t)(end / width);

	for (size_t i = first; i <= MIN(last, (size_t)PICTURE_BINS - 1); i++) {
		double here = MAX(begin, (double)i * width);
		double until = MIN(end, (double)(i + 1) * width);

		if (until > here)
			s->bins[i] += bytes * (until - here) / (end - begin) / width *
				      (double)NSEC_PER_SEC;
	}
}

/* An image is verified before it is loaded: the bytes start anew. */
static void picture_series_move(struct series_count *c, struct series_device *d, uint64_t ns,
				double bytes)
{
	double moved = bytes < d->bytes ? bytes : bytes - d->bytes;
	uint64_t from = MAX(d->since_ns, c->series->from_ns);

	if (moved > 0 && ns >= from)
		picture_series_spread(c->series, moved, from, ns);
	d->bytes = bytes;
	d->since_ns = ns;
}

/*
 * What is left
 */

static double picture_series_sum(const struct series_count *c)
{
	double bytes = 0;

	for (unsigned int i = 0; i < c->n; i++)
		bytes += c->devices[i].bytes;
	return bytes;
}

static double picture_series_left(const struct series_count *c)
{
	double bytes = picture_series_sum(c), all = 0;

	if (!c->afterwards && c->told)
		return MAX(c->told_left - (bytes - c->told_bytes), 0.0);
	if (!c->afterwards)
		return MAX(c->first - bytes, 0.0);
	for (unsigned int i = 0; i < c->n; i++)
		all += c->devices[i].final;
	return MAX(all - bytes, 0.0);
}

static void picture_series_point(struct series_count *c, uint64_t ns)
{
	struct picture_series *s = c->series;
	double left = picture_series_left(c);

	if (!s->n || s->points[s->n - 1].ns != ns || s->points[s->n - 1].left != left)
		s->points[s->n++] = (struct picture_point){ ns, left };
	s->most = MAX(s->most, left);
	for (unsigned int i = 0; i < c->n; i++)
		c->devices[i].counted = false;
}

/*
 * Devices report in turn: a point for each would make stairs of them. So there is one where all
 * that do have reported.
 */
static void picture_series_catch_up(struct series_count *c)
{
	for (unsigned int i = 0; i < c->n; i++)
		if (c->devices[i].counted) {
			picture_series_point(c, c->last_ns);
			return;
		}
}

static void picture_series_progress(struct series_count *c, struct series_device *d,
				    const struct event *e)
{
	if (d->counted)
		picture_series_point(c, c->last_ns);
	picture_series_move(c, d, e->ns, (double)e->progress.bytes);
	d->counted = true;
	c->last_ns = e->ns;
}

static void picture_series_decided(struct series_count *c, const struct switchover_decision *d)
{
	if (!d->round.told || c->afterwards)
		return;
	c->told = true;
	c->told_left = (double)d->left;
	c->told_bytes = picture_series_sum(c);
}

/*
 * Events
 */

/* What the curves begin with is known only afterwards. */
static void picture_series_look_ahead(void *ctx, const struct event *e)
{
	struct series_count *c = ctx;

	if (e->kind == EVENT_DECISION && e->decision.round.told && !c->tells) {
		c->tells = true;
		for (unsigned int i = 0; i < c->n; i++)
			c->first += c->devices[i].final;
	}
	if (e->kind == EVENT_PROGRESS)
		c->devices[e->device].final = (double)e->progress.bytes;
	if (e->kind == EVENT_STREAM)
		c->devices[e->device].final = (double)e->stream.bytes;
}

static void picture_series_count(void *ctx, const struct event *e)
{
	struct series_count *c = ctx;
	/* There is one more than devices, for events of the set. */
	struct series_device *d = &c->devices[e->device >= 0 ? (unsigned int)e->device : c->n];

	switch (e->kind) {
	case EVENT_PHASE:
		picture_series_catch_up(c);
		if (e->phase == PHASE_STOP_COPY || e->phase == PHASE_LOAD)
			c->afterwards = true;
		else if (e->phase != PHASE_PRE_COPY)
			return;
		break;
	case EVENT_ARC:
		d->since_ns = MAX(d->since_ns, e->arc.start_ns + e->arc.ns);
		return;
	case EVENT_PROGRESS:
		picture_series_progress(c, d, e);
		return;
	case EVENT_STREAM:
		picture_series_catch_up(c);
		picture_series_move(c, d, e->ns, (double)e->stream.bytes);
		break;
	case EVENT_DECISION:
		picture_series_catch_up(c);
		picture_series_decided(c, &e->decision);
		break;
	default:
		return;
	}
	picture_series_point(c, e->ns);
}

int picture_series_init(struct picture_series *s, const struct event_file *events, uint64_t from_ns,
			uint64_t to_ns, struct err *err)
{
	_cleanup_free_ struct series_device *devices = NULL;
	struct series_count c = { .series = s, .n = events->list.devices };

	*s = (struct picture_series){ .from_ns = from_ns, .to_ns = to_ns };
	devices = calloc(c.n + 1, sizeof(*devices));
	/* An event that changes what counts has a point before it, too. */
	s->points = calloc(2 * events->list.n + 1, sizeof(*s->points));
	if (!devices || !s->points)
		return err_set(err, -ENOMEM, "curves of %zu events", events->list.n);
	c.devices = devices;
	event_list_replay(&events->list, picture_series_look_ahead, &c);
	c.afterwards = !c.tells;
	event_list_replay(&events->list, picture_series_count, &c);
	picture_series_catch_up(&c);
	for (size_t i = 0; i < PICTURE_BINS; i++)
		s->fastest = MAX(s->fastest, s->bins[i]);
	return 0;
}

void picture_series_done(struct picture_series *s)
{
	free(s->points);
	s->points = NULL;
}
