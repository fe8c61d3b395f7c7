// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "device/arc-retry.h"
#include "fsm/fsm.h"

#define PAUSE_MIN_MS 5
#define PAUSE_MAX_MS 250

/* A session without its stream cannot go on, even if the rest of the way is free. */
static bool arc_retry_may_pass(const struct mig_dev *dev, int r)
{
	bool session = fsm_saving(dev->state) || dev->state == MIG_RESUMING;

	return (r == -EBUSY || r == -EAGAIN) && dev->state_known && dev->state != MIG_ERROR &&
	       (!session || dev->stream);
}

static int arc_retry_pause(const struct mig_dev *dev, struct cancel *cancel, int ms,
			   struct err *err)
{
	if (cancel)
		return cancel_pause(cancel, ms, err);
	if (dev->cancel)
		cancel_rest(dev->cancel, ms);
	else
		poll(NULL, 0, ms);
	return 0;
}

/* On the way back one signal changes nothing; two leave the device where it is. */
static bool arc_retry_time_is_up(const struct arc_retry *retry, const struct mig_dev *dev,
				 uint64_t start_ns)
{
	return clock_ns() - start_ns >= retry->budget_ns ||
	       (dev->cancel && atomic_load(&dev->cancel->hurried));
}

int mig_goto_retrying(struct arc_retry *retry, struct mig_dev *dev, enum mig_state to,
		      struct cancel *cancel, struct err *err)
{
	uint64_t start = clock_ns();
	int pause_ms = PAUSE_MIN_MS;
	char text[UNITS_MAX];

	for (;;) {
		int r = mig_goto(dev, to, err);

		/* A last arc that failed does not count as taken, wherever it has led. */
		if (r >= 0 || dev->state == to || !arc_retry_may_pass(dev, r))
			return r;
		if (arc_retry_time_is_up(retry, dev, start)) {
			return retry->budget_ns
				       ? err_prefix(err, r, "still refused after %s",
						    format_duration(text, MIN(clock_ns() - start,
									      retry->budget_ns)))
				       : r;
		}
		log_debug("%s: refused for now, trying again", dev->name);
		retry->retries++;
		r = arc_retry_pause(dev, cancel, pause_ms, err);
		if (r < 0)
			return r;
		pause_ms = MIN(2 * pause_ms, PAUSE_MAX_MS);
	}
}
