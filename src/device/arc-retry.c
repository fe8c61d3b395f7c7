// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "device/arc-retry.h"
#include "fsm/fsm.h"

#define PAUSE_MIN_MS 5
#define PAUSE_MAX_MS 250

static bool arc_retry_refused(const struct mig_dev *dev, int r)
{
	return r == -EBUSY && dev->state_known && fsm_runs(dev->state);
}

int mig_goto_retrying(struct arc_retry *d, struct mig_dev *dev, enum mig_state to,
		      struct cancel *cancel, struct err *err)
{
	uint64_t start = clock_ns();
	int pause_ms = PAUSE_MIN_MS;
	char text[UNITS_MAX];

	for (;;) {
		int r = mig_goto(dev, to, err);

		if (!arc_retry_refused(dev, r))
			return r;
		if (clock_ns() - start >= d->budget_ns) {
			return d->budget_ns
				       ? err_prefix(err, r, "not ready to be stopped within %s",
						    format_duration(text, d->budget_ns))
				       : r;
		}
		log_debug("%s: not ready to be stopped, asking again", dev->name);
		d->retries++;
		r = cancel_pause(cancel, pause_ms, err);
		if (r < 0)
			return r;
		pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
	}
}
