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

/* A move away that has changed nothing, or not yet: the device has what it had. */
static bool leftover_changes_nothing(const struct journal_item *item)
{
	return item->record.role == WIRE_SOURCE &&
	       (item->record.phase == WIRE_PHASE_ABORTED ||
		(item->busy && item->record.phase == WIRE_PHASE_BEGUN));
}

/* The newest of a device; @changes: of those that have changed what it has. NULL for none. */
static const struct journal_item *leftover_newest(const struct journal_item *items, size_t n,
						  const char *name, bool changes)
{
	const struct journal_item *newest = NULL;

	for (size_t i = 0; i < n; i++) {
		if (items[i].damaged || !leftover_has(&items[i].record, name))
			continue;
		if (changes && leftover_changes_nothing(&items[i]))
			continue;
		if (!newest || items[i].record.begun_ns >= newest->record.begun_ns)
			newest = &items[i];
	}
	return newest;
}

static enum leftover leftover_judge(const struct journal_item *item)
{
	const struct journal_record *r = &item->record;

	if (item->busy)
		return LEFTOVER_NONE;
	if (r->phase == WIRE_PHASE_PREPARED || r->phase == WIRE_PHASE_COMMITTED)
		return LEFTOVER_OWED;
	if (r->phase == WIRE_PHASE_DONE)
		return r->role == WIRE_DESTINATION ? LEFTOVER_HELD : LEFTOVER_GONE;
	return leftover_story(r->role, r->phase) ? LEFTOVER_OPEN : LEFTOVER_NONE;
}

/*
 * Behind moves that have changed nothing only a state that came counts: what else a device was left
 * with by then, it had another state of its own when it was to move.
 */
enum leftover leftover_find(const struct journal_item *items, size_t n, const char *name,
			    const struct journal_record **ret)
{
	const struct journal_item *item = leftover_newest(items, n, name, true);
	bool last = item && item == leftover_newest(items, n, name, false);
	enum leftover left = item ? leftover_judge(item) : LEFTOVER_NONE;

	if (left == LEFTOVER_NONE || (!last && left != LEFTOVER_HELD))
		return LEFTOVER_NONE;
	*ret = &item->record;
	return left;
}

int leftover_each(struct journal *j, struct device *const *devs, unsigned int n_devs,
		  leftover_fn *fn, void *ctx, struct err *err)
{
	struct journal_item *items;
	size_t n;
	int r = journal_list(j, &items, &n, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; !r && i < n_devs; i++) {
		const struct journal_record *record = NULL;
		enum leftover left = leftover_find(items, n, device_name(devs[i]), &record);

		r = fn(ctx, i, left, record, err);
	}
	journal_list_done(items, n);
	return r;
}
