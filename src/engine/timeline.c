// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/timeline.h"

void timeline_add(void *timeline, const struct mig_arc *arc)
{
	struct timeline *t = timeline;

	if (t->n < TIMELINE_MAX)
		t->arcs[t->n++] = *arc;
	else
		t->lost++;
}

static bool in_full(enum mig_state s)
{
	return s == MIG_RUNNING || s == MIG_PRE_COPY;
}

uint64_t timeline_downtime(const struct timeline *t, bool *ret_open)
{
	uint64_t start = 0, end = 0, total = 0;
	bool down = false;

	for (unsigned int i = 0; i < t->n; i++) {
		const struct mig_arc *a = &t->arcs[i];

		if (!down && in_full(a->from) && !in_full(a->to)) {
			start = a->start_ns;
			down = true;
		}
		end = a->start_ns + a->ns;
		if (down && a->result >= 0 && in_full(a->to)) {
			total += end - start;
			down = false;
		}
	}
	*ret_open = down;
	return down ? total + end - start : total;
}
