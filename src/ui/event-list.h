/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A run's events in memory, as many as it may take
 *
 * Written to in the threads of devices that may be stopped, so nothing here waits for a disk. When
 * the list is full, each second of those events goes that others like it follow: progress, rounds,
 * tries that failed. So a run of any length keeps its shape.
 */

#include "base/err.h"
#include "engine/event.h"

/* All together take 16 MiB. */
#define EVENT_LIST_MAX 65536u

/** struct event_record - an event, with what @event only points to */
struct event_record {
	struct event event;
	struct mig_recovery recovery;
	char *message; /* of a failure */
	int code;
	bool system;
};

/**
 * struct event_list - in the order of their times
 * @lost: events that found no room, with none to be left out for them
 */
struct event_list {
	struct event_record *v;
	size_t n, room, max;
	unsigned int devices;
	uint64_t lost;
	unsigned char *seen; /* of each device: bits of enum event_kind */
};

/** event_list_init() - of a set of @devices; @max: as many events as it may hold */
_must_check_ int event_list_init(struct event_list *l, unsigned int devices, size_t max,
				 struct err *err);

void event_list_done(struct event_list *l);

/** event_list_add() - an event_fn; @list: struct event_list. Copies all of @e. Never waits. */
void event_list_add(void *list, const struct event *e);

/** event_list_origin() - the first moment that an event speaks of; 0 for none */
uint64_t event_list_origin(const struct event_list *l);

/** event_list_replay() - tell @fn all of it again. */
void event_list_replay(const struct event_list *l, event_fn *fn, void *ctx);
