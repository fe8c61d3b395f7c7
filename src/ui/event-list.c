// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "ui/event-list.h"

#define FIRST_ROOM 64u

int event_list_init(struct event_list *l, unsigned int devices, size_t max, struct err *err)
{
	*l = (struct event_list){ .devices = devices, .max = max };
	/* One more, for what is of the set. */
	l->seen = calloc(devices + 1, EVENT_NR_KINDS);
	return l->seen ? 0 : err_set(err, -ENOMEM, "events of %u devices", devices);
}

void event_list_done(struct event_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i].message);
	free(l->v);
	free(l->seen);
	*l = (struct event_list){ 0 };
}

/* Others like it come before and after it. */
static bool event_list_is_one_of_many(const struct event *e)
{
	switch (e->kind) {
	case EVENT_PROGRESS:
	case EVENT_ROUND:
		return true;
	case EVENT_ARC:
		return e->arc.result < 0;
	case EVENT_DECISION:
		return e->decision.verdict == SWITCHOVER_NOT_YET;
	default:
		return false;
	}
}

/* Each second one of a device's events of a kind: two devices may take turns. */
static bool event_list_is_second(struct event_list *l, const struct event *e)
{
	unsigned int row = e->device < 0 ? l->devices : (unsigned int)e->device;
	unsigned char *seen = &l->seen[row * EVENT_NR_KINDS + e->kind];

	*seen ^= 1;
	return !*seen;
}

static void event_list_thin(struct event_list *l)
{
	size_t kept = 0;

	memset(l->seen, 0, ((size_t)l->devices + 1) * EVENT_NR_KINDS);
	for (size_t i = 0; i < l->n; i++)
		if (!event_list_is_one_of_many(&l->v[i].event) ||
		    !event_list_is_second(l, &l->v[i].event))
			l->v[kept++] = l->v[i];
	l->n = kept;
}

static bool event_list_has_room(struct event_list *l)
{
	size_t room = l->room ? MIN(2 * l->room, l->max) : MIN(FIRST_ROOM, l->max);
	struct event_record *v;

	if (l->n == l->max)
		event_list_thin(l);
	if (l->n < l->room)
		return true;
	if (l->n == l->max)
		return false;
	v = realloc(l->v, room * sizeof(*v));
	if (!v)
		return false;
	l->v = v;
	l->room = room;
	return true;
}

void event_list_add(void *list, const struct event *e)
{
	struct event_list *l = list;
	struct event_record *record;

	if (e->device >= 0 && (unsigned int)e->device >= l->devices)
		return;
	if (!event_list_has_room(l)) {
		l->lost++;
		return;
	}
	record = &l->v[l->n++];
	*record = (struct event_record){ .event = *e };
	if (e->kind == EVENT_RECOVERY)
		record->recovery = *e->recovery;
	if (e->kind != EVENT_FAILURE)
		return;
	record->message = strdup(e->failure->text);
	record->code = e->failure->code;
	record->system = e->failure->system;
}

uint64_t event_list_origin(const struct event_list *l)
{
	uint64_t first = l->n ? l->v[0].event.ns : 0;

	/* An arc is told when it has ended, and so is an action. */
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].event.kind == EVENT_ARC)
			first = MIN(first, l->v[i].event.arc.start_ns);
		else if (l->v[i].event.kind == EVENT_ACTION)
			first = MIN(first, l->v[i].event.action.start_ns);
	return first;
}

void event_list_replay(const struct event_list *l, event_fn *fn, void *ctx)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct event_record *record = &l->v[i];
		struct event e = record->event;
		struct err err = { .code = record->code, .system = record->system };

		if (e.kind == EVENT_RECOVERY)
			e.recovery = &record->recovery;
		if (e.kind == EVENT_FAILURE) {
			snprintf(err.text, sizeof(err.text), "%s",
				 record->message ? record->message : "");
			e.failure = &err;
		}
		fn(ctx, &e);
	}
}
