// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/macros.h"
#include "engine/limiter.h"

/* Not woken more often: a fast flow waits for several frames at once. */
#define WORTH_WAITING_NS (5 * NSEC_PER_MSEC)

uint64_t limiter_due(struct limiter *l, uint64_t bytes, uint64_t now_ns)
{
	if (!l->rate)
		return 0;
	l->free_ns = MAX(l->free_ns, now_ns) +
		     (uint64_t)((double)bytes * (double)NSEC_PER_SEC / (double)l->rate);
	return l->free_ns - now_ns;
}

int limiter_wait(struct limiter *l, uint64_t bytes, struct cancel *cancel, struct err *err)
{
	uint64_t start = clock_ns(), ns = limiter_due(l, bytes, start);

	if (ns < WORTH_WAITING_NS)
		return 0;
	/* In steps that an int of milliseconds has room for. */
	for (uint64_t now = clock_ns(), end = now + ns; now < end; now = clock_ns()) {
		int r = cancel_pause(cancel, (int)MIN((end - now) / NSEC_PER_MSEC + 1, 60000u),
				     err);

		if (r < 0)
			return r;
	}
	atomic_fetch_add(&l->waited_ns, clock_ns() - start);
	return 0;
}
