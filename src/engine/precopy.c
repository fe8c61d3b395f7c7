// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/precopy.h"

/* virtio makes new data once a second at most, so a few idle rounds prove nothing. */
#define STALLED_MAX 16

void precopy_start(struct precopy *p, uint64_t now_ns)
{
	p->rounds = 0;
	p->stalled = 0;
	p->start_ns = now_ns;
	p->least = UINT64_MAX;
}

enum precopy_verdict precopy_step(struct precopy *p, const struct mig_precopy_info *info,
				  uint64_t moved, uint64_t now_ns)
{
	uint64_t left = info ? info->initial_bytes + info->dirty_bytes : 0;

	/* A reconfigured device starts over: history says nothing about it any more. */
	if (info && info->reinit) {
		p->stalled = 0;
		p->least = UINT64_MAX;
	}
	if (p->rounds++ >= p->max_rounds || now_ns - p->start_ns >= p->max_ns)
		return PRECOPY_LIMIT;
	if (!info) /* nothing is told: done once a round brought nothing */
		return p->rounds > 1 && !moved ? PRECOPY_CONVERGED : PRECOPY_CONTINUE;
	if (!info->reinit && !info->initial_bytes && info->dirty_bytes <= p->small)
		return PRECOPY_CONVERGED;

	if (left < p->least) {
		p->least = left;
		p->stalled = 0;
	} else if (!info->initial_bytes && ++p->stalled >= STALLED_MAX) {
		return PRECOPY_DIVERGES;
	}
	return PRECOPY_CONTINUE;
}
