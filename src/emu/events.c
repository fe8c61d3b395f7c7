// SPDX-License-Identifier: GPL-2.0-or-later
#include "emu/events.h"

void emu_events_add(struct emu_events *e, const struct emu_event *event)
{
	if (e->n < EMU_EVENTS_MAX)
		e->list[e->n++] = *event;
}

uint64_t emu_events_due_ns(const struct emu_events *e)
{
	return e->taken < e->n ? e->list[e->taken].ns : UINT64_MAX;
}

bool emu_events_take(struct emu_events *e, uint64_t now_ns, struct emu_event *ret)
{
	if (e->taken == e->n || e->list[e->taken].ns > now_ns)
		return false;
	*ret = e->list[e->taken++];
	if (e->taken == e->n)
		e->taken = e->n = 0;
	return true;
}
