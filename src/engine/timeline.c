// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/timeline.h"
#include "fsm/fsm.h"

static bool timeline_same_failure(const struct mig_arc *a, const struct mig_arc *b)
{
	return a->result < 0 && a->result == b->result && a->from == b->from && a->to == b->to;
}

void timeline_add(void *timeline, const struct mig_arc *arc)
{
	struct timeline *t = timeline;
	struct mig_arc *last = t->n ? &t->arcs[t->n - 1] : NULL;

	if (arc->result >= 0 && fsm_runs(arc->from) && !fsm_runs(arc->to))
		t->stopped_ns = arc->start_ns + arc->ns;
	if (last && timeline_same_failure(last, arc)) {
		last->ns = arc->start_ns + arc->ns - last->start_ns;
		t->tries[t->n - 1]++;
	} else if (t->n < TIMELINE_MAX) {
		t->tries[t->n] = 1;
		t->arcs[t->n++] = *arc;
	} else {
		t->lost++;
	}
}

static bool timeline_in_full(enum mig_state s)
{
	return s == MIG_RUNNING || s == MIG_PRE_COPY;
}

uint64_t timeline_downtime(const struct timeline *t, bool *ret_open)
{
	uint64_t start = 0, end = 0, total = 0;
	bool down = false;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct mig_arc *a = &t->arcs[i];

		if (!down && timeline_in_full(a->from) && !timeline_in_full(a->to)) {
			start = a->start_ns;
			down = true;
		}
		end = a->start_ns + a->ns;
		if (down && a->result >= 0 && timeline_in_full(a->to)) {
			total += end - start;
			down = false;
		}
	}
	*ret_open = down;
	return down ? total + end - start : total;
}
