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

/* enum leftover_behind - which older records still count behind one */
enum leftover_behind {
	LEFTOVER_ENDS, /* none */
	LEFTOVER_SHOWS_HELD, /* a state that came: it is there still, but nothing else is */
	/*
	 * What may be a state's only copy, which it would have been refused; and what is over since
	 * it began: it may have replaced what was there before, but has let nothing in after it.
	 */
	LEFTOVER_SHOWS_LATER,
};

struct leftover_row {
	enum leftover left;
	enum leftover_behind behind;
};

/*
 * What is over is over even while its process ends. A move away is recorded once its device is open
 * and was judged: it has changed nothing until it is decided. A receiver's record comes before
 * that: its process may yet wait for the device, or was refused it.
 */
static struct leftover_row leftover_row(const struct journal_item *item,
					const struct journal_record *own)
{
	/* What a process has left, and what one is at work on. */
	static const struct leftover_row source[WIRE_NR_PHASES][2] = {
		/* clang-format off */
		[WIRE_PHASE_BEGUN] = {
			{ LEFTOVER_OPEN, LEFTOVER_ENDS },
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_HELD },
		},
		[WIRE_PHASE_COMMITTED] = {
			{ LEFTOVER_OWED, LEFTOVER_ENDS },
			{ LEFTOVER_BUSY, LEFTOVER_ENDS },
		},
		[WIRE_PHASE_DONE] = {
			{ LEFTOVER_GONE, LEFTOVER_ENDS },
			{ LEFTOVER_GONE, LEFTOVER_ENDS },
		},
		[WIRE_PHASE_ABORTED] = {
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_HELD },
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_HELD },
		},
		/* clang-format on */
	};
	static const struct leftover_row destination[WIRE_NR_PHASES][2] = {
		/* clang-format off */
		[WIRE_PHASE_BEGUN] = {
			{ LEFTOVER_OPEN, LEFTOVER_ENDS },
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_LATER },
		},
		[WIRE_PHASE_PREPARED] = {
			{ LEFTOVER_OWED, LEFTOVER_ENDS },
			{ LEFTOVER_BUSY, LEFTOVER_ENDS },
		},
		[WIRE_PHASE_COMMITTED] = {
			{ LEFTOVER_OWED, LEFTOVER_ENDS },
			{ LEFTOVER_BUSY, LEFTOVER_ENDS },
		},
		[WIRE_PHASE_DONE] = {
			{ LEFTOVER_HELD, LEFTOVER_ENDS },
			{ LEFTOVER_HELD, LEFTOVER_ENDS },
		},
		[WIRE_PHASE_ABORTED] = {
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_LATER },
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_LATER },
		},
		/* clang-format on */
	};
	/* Of the one that asks: it has no more than its record so far. */
	static const struct leftover_row itself = { LEFTOVER_NONE, LEFTOVER_SHOWS_LATER };
	const struct journal_record *r = &item->record;

	if (own && own->role == r->role && memcmp(own->txid, r->txid, sizeof(r->txid)) == 0)
		return itself;
	return (r->role == WIRE_SOURCE ? source : destination)[r->phase][item->busy];
}

static bool leftover_is_of(const struct journal_item *item, const char *name)
{
	for (unsigned int i = 0; !item->damaged && i < item->record.n_devices; i++)
		if (!strcmp(item->record.devices[i].name, name))
			return true;
	return false;
}

/* The newest of a device that began before @than; NULL for the newest of all. NULL for none. */
static const struct journal_item *leftover_newest(const struct journal_item *items, size_t n,
						  const char *name, const struct journal_item *than)
{
	const struct journal_item *newest = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!leftover_is_of(&items[i], name) ||
		    (than && items[i].record.begun_ns >= than->record.begun_ns))
			continue;
		if (!newest || items[i].record.begun_ns >= newest->record.begun_ns)
			newest = &items[i];
	}
	return newest;
}

/**
 * struct leftover_view - of what is behind the records that were looked at, newest first
 * @held: only a state that came counts
 * @since_ns: unless it may be a state's only copy, only what was over at that time or later; or 0
 */
struct leftover_view {
	bool held;
	uint64_t since_ns;
};

static bool leftover_counts(const struct leftover_view *view, enum leftover left,
			    const struct journal_record *record)
{
	if (view->held && left != LEFTOVER_HELD)
		return false;
	if (!view->since_ns || left == LEFTOVER_OWED || left == LEFTOVER_BUSY)
		return true;
	return left != LEFTOVER_OPEN && record->changed_ns >= view->since_ns;
}

/*
 * Behind moves that have changed nothing only a state that came counts: what else a device was left
 * with by then, it had another state of its own when it was to move.
 */
enum leftover leftover_find(const struct journal_item *items, size_t n, const char *name,
			    const struct journal_record *own, const struct journal_record **ret)
{
	const struct journal_item *item = NULL;
	struct leftover_view view = { 0 };

	while ((item = leftover_newest(items, n, name, item))) {
		struct leftover_row row = leftover_row(item, own);

		if (row.left != LEFTOVER_NONE) {
			if (!leftover_counts(&view, row.left, &item->record))
				return LEFTOVER_NONE;
			*ret = &item->record;
			return row.left;
		}
		view.held |= row.behind == LEFTOVER_SHOWS_HELD;
		if (row.behind == LEFTOVER_SHOWS_LATER && !view.since_ns)
			view.since_ns = item->record.begun_ns;
	}
	return LEFTOVER_NONE;
}

static bool leftover_binds(const struct journal_record *r)
{
	return r->phase == WIRE_PHASE_PREPARED || r->phase == WIRE_PHASE_COMMITTED;
}

/* A state that came since @own began: it had the device after that, or @own never. */
static bool leftover_has_come_since(const struct journal_record *own,
				    const struct journal_record *other)
{
	return other->role == WIRE_DESTINATION && other->phase == WIRE_PHASE_DONE &&
	       other->changed_ns >= own->begun_ns;
}

/* A later one that is begun or aborted was refused a state that is owed: it has touched nothing. */
bool leftover_yields(const struct journal_record *own, const struct journal_record *other)
{
	bool later = other->begun_ns > own->begun_ns;

	if (leftover_binds(own))
		return later && (leftover_binds(other) || other->phase == WIRE_PHASE_DONE);
	return later || leftover_binds(other) || leftover_has_come_since(own, other);
}

int leftover_each(struct journal *j, const struct journal_record *own, struct device *const *devs,
		  unsigned int n_devs, leftover_fn *fn, void *ctx, struct err *err)
{
	struct journal_item *items;
	size_t n;
	int r = journal_list(j, &items, &n, err);

	if (r < 0)
		return r;
	for (unsigned int i = 0; !r && i < n_devs; i++) {
		const struct journal_record *record = NULL;
		enum leftover left = leftover_find(items, n, device_name(devs[i]), own, &record);

		r = fn(ctx, i, left, record, err);
	}
	journal_list_done(items, n);
	return r;
}
