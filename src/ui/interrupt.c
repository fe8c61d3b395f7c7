// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/units.h"
#include "ui/interrupt.h"

static const char *interrupt_decision(const struct interrupt *i)
{
	if (i->again)
		return "waiting for nothing that can be left out";
	if (i->idle)
		return "ending, nothing is under way";
	return i->too_late ? "too late to stop, finishing" : "unwinding";
}

/* A call that can be ended is worth a word once it has lasted. */
#define LASTING_NS NSEC_PER_SEC

/* "; under way: NAME: stop -> stop-copy, for 1.20 s, which only the driver ends, and 2 more" */
static size_t interrupt_add_call(const struct interrupt *i, char *buf, size_t size)
{
	const struct cancel_waiting *w = &i->waiting;
	char call[CANCEL_TEXT_MAX], time[UNITS_MAX], more[32] = "";

	if (i->calls > 1)
		snprintf(more, sizeof(more), ", and %u more", i->calls - 1);
	return (size_t)snprintf(buf, size, "; under way: %s, for %s%s%s",
				cancel_waiting_text(w, call), format_duration(time, i->waiting_ns),
				w->call == CANCEL_CALL_FIXED ? ", which only the driver ends" : "",
				more);
}

static size_t interrupt_add_under_way(const struct interrupt *i, char *buf, size_t size)
{
	if (i->waiting.call == CANCEL_CALL_FIXED)
		return interrupt_add_call(i, buf, size);
	if (i->waiting.call == CANCEL_CALL_KICKABLE && i->waiting_ns >= LASTING_NS)
		return interrupt_add_call(i, buf, size);
	if (!i->state)
		return 0;
	return (size_t)snprintf(buf, size, "; the %s in %s",
				i->several ? "devices are" : "device is", i->state);
}

/* A second signal has no more to say. */
static void interrupt_add_limit(const struct interrupt *i, char *buf, size_t size)
{
	char time[UNITS_MAX];

	/* Where nothing is to be brought back, it is over at once. */
	if (i->again || (!i->state && !i->too_late && i->waiting.call == CANCEL_CALL_NONE))
		return;
	if (!i->timeout_ms) {
		snprintf(buf, size, "; a second signal gives up retries");
		return;
	}
	format_duration(time, (uint64_t)i->timeout_ms * NSEC_PER_MSEC);
	snprintf(buf, size,
		 "; a silent peer is waited for %s at most, after a second signal no longer", time);
}

char *interrupt_text(const struct interrupt *i, char buf[INTERRUPT_TEXT_MAX])
{
	const size_t size = INTERRUPT_TEXT_MAX;
	size_t n;

	n = (size_t)snprintf(buf, size, "%s: %s", strsignal(i->signal), interrupt_decision(i));
	n += interrupt_add_under_way(i, buf + n, size - n);
	interrupt_add_limit(i, buf + n, size - n);
	return buf;
}
