// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "engine/leftover.h"

const char *leftover_story(enum wire_role role, enum wire_phase phase)
{
	static const char *const source[WIRE_NR_PHASES] = {
		[WIRE_PHASE_BEGUN] = "was cut off while this device's state was sent",
		[WIRE_PHASE_COMMITTED] = "has moved this device's state away, unconfirmed",
		[WIRE_PHASE_DONE] = "has moved this device's state away",
	};
	static const char *const destination[WIRE_NR_PHASES] = {
		[WIRE_PHASE_BEGUN] = "was cut off while its state came",
		[WIRE_PHASE_PREPARED] = "is in doubt, and its state is here",
		[WIRE_PHASE_COMMITTED] = "is decided, and its state is to run here",
	};

	return (role == WIRE_SOURCE ? source : destination)[phase];
}

static bool leftover_has(const struct journal_record *record, const char *name)
{
	for (unsigned int i = 0; i < record->n_devices; i++)
		if (!strcmp(record->devices[i].name, name))
			return true;
	return false;
}

enum leftover leftover_find(const struct journal_item *items, size_t n, const char *name,
			    const struct journal_record **ret)
{
	const struct journal_item *newest = NULL;

	for (size_t i = 0; i < n; i++) {
		if (items[i].damaged || !leftover_has(&items[i].record, name))
			continue;
		if (!newest || items[i].record.begun_ns >= newest->record.begun_ns)
			newest = &items[i];
	}
	if (!newest || newest->busy)
		return LEFTOVER_NONE;
	*ret = &newest->record;
	if (newest->record.phase == WIRE_PHASE_PREPARED ||
	    newest->record.phase == WIRE_PHASE_COMMITTED)
		return LEFTOVER_OWED;
	if (newest->record.phase == WIRE_PHASE_DONE)
		return newest->record.role == WIRE_DESTINATION ? LEFTOVER_HELD : LEFTOVER_GONE;
	return leftover_story(newest->record.role, newest->record.phase) ? LEFTOVER_OPEN
									 : LEFTOVER_NONE;
}
