// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "engine/dwell.h"

static bool dwell_runs(enum mig_state state)
{
	return state == MIG_RUNNING || state == MIG_PRE_COPY;
}

static void dwell_leave(struct dwell *d, uint64_t now_ns, struct dwell_change *ret)
{
	*ret = (struct dwell_change){ 0 };
	if (!d->known)
		return;
	ret->had = true;
	ret->from = d->state;
	ret->ns = now_ns - d->since_ns;
	d->total_ns[d->state] += ret->ns;
	d->visits[d->state]++;
}

static void dwell_follow_downtime(struct dwell *d, enum mig_state state, uint64_t now_ns,
				  struct dwell_change *ret)
{
	if (d->known && dwell_runs(d->state) && !dwell_runs(state)) {
		d->down = true;
		d->down_since_ns = now_ns;
	} else if (d->down && dwell_runs(state)) {
		d->down = false;
		ret->up = true;
		ret->down_ns = now_ns - d->down_since_ns;
		d->downtime_ns += ret->down_ns;
	}
}

enum dwell_seen dwell_look(struct dwell *d, enum mig_state state, uint64_t now_ns,
			   struct dwell_change *ret)
{
	if (d->known && d->last_look_ns)
		d->longest_gap_ns = MAX(d->longest_gap_ns, now_ns - d->last_look_ns);
	d->last_look_ns = now_ns;
	d->looks++;
	if (d->known && d->state == state)
		return DWELL_SAME;
	dwell_leave(d, now_ns, ret);
	dwell_follow_downtime(d, state, now_ns, ret);
	d->known = true;
	d->state = state;
	d->since_ns = now_ns;
	return DWELL_CHANGED;
}

enum dwell_seen dwell_lose(struct dwell *d, uint64_t now_ns, struct dwell_change *ret)
{
	if (!d->known)
		return DWELL_SAME;
	dwell_leave(d, now_ns, ret);
	d->known = false;
	d->down = false;
	return DWELL_CHANGED;
}
