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
	LEFTOVER_SHOWS_ALL, /* as if this one were not there */
};

struct leftover_row {
	enum leftover left;
	enum leftover_behind behind;
};

/*
 * What is over is over even while its process ends. A move away is recorded once its device is open
 * and was judged: it has changed nothing until it is decided. A receiver's record comes before that
 * and tells as little: its process may yet wait for the device, or was refused it.
 */
static struct leftover_row leftover_row(const struct journal_item *item)
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
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_ALL },
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
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_ALL },
			{ LEFTOVER_NONE, LEFTOVER_SHOWS_ALL },
		},
		/* clang-format on */
	};
	const struct journal_record *r = &item->record;

	return (r->role == WIRE_SOURCE ? source : destination)[r->phase][item->busy];
}

static bool leftover_is_of(const struct journal_item *item, const char *name,
			   const struct journal_record *own)
{
	const struct journal_record *r = &item->record;

	if (item->damaged)
		return false;
	if (own && own->role == r->role && !memcmp(own->txid, r->txid, sizeof(r->txid)))
		return false;
	for (unsigned int i = 0; i < r->n_devices; i++)
		if (!strcmp(r->devices[i].name, name))
			return true;
	return false;
}

/* The newest that shows no more than @most of what is behind it; NULL for none. */
static const struct journal_item *leftover_newest(const struct journal_item *items, size_t n,
						  const char *name,
						  const struct journal_record *own,
						  enum leftover_behind most)
{
	const struct journal_item *newest = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!leftover_is_of(&items[i], name, own) || leftover_row(&items[i]).behind > most)
			continue;
		if (!newest || items[i].record.begun_ns >= newest->record.begun_ns)
			newest = &items[i];
	}
	return newest;
}

/*
 * Behind moves that have changed nothing only a state that came counts: what else a device was left
 * with by then, it had another state of its own when it was to move.
 */
enum leftover leftover_find(const struct journal_item *items, size_t n, const char *name,
			    const struct journal_record *own, const struct journal_record **ret)
{
	const struct journal_item *item = leftover_newest(items, n, name, own, LEFTOVER_ENDS);
	bool last = item && item == leftover_newest(items, n, name, own, LEFTOVER_SHOWS_HELD);
	enum leftover left = item ? leftover_row(item).left : LEFTOVER_NONE;

	if (left == LEFTOVER_NONE || (!last && left != LEFTOVER_HELD))
		return LEFTOVER_NONE;
	*ret = &item->record;
	return left;
}

static bool leftover_binds(const struct journal_record *r)
{
	return r->phase == WIRE_PHASE_PREPARED || r->phase == WIRE_PHASE_COMMITTED;
}

/* A later one that is begun or aborted was refused a state that is owed: it has touched nothing. */
bool leftover_yields(const struct journal_record *own, const struct journal_record *other)
{
	bool later = other->begun_ns > own->begun_ns;

	if (leftover_binds(own))
		return later && (leftover_binds(other) || other->phase == WIRE_PHASE_DONE);
	return later || leftover_binds(other);
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
