// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>

#include "base/clock.h"
#include "engine/event.h"

void events_init(struct events *events)
{
	*events = (struct events){ .lock = PTHREAD_MUTEX_INITIALIZER };
}

void events_done(struct events *events)
{
	pthread_mutex_destroy(&events->lock);
}

void events_listen_figures(struct events *events, event_fn *fn, void *ctx)
{
	assert(events->n < EVENT_LISTENERS_MAX);
	events->listeners[events->n].fn = fn;
	events->listeners[events->n].ctx = ctx;
	events->n++;
}

void events_listen(struct events *events, event_fn *fn, void *ctx)
{
	events_listen_figures(events, fn, ctx);
	events->dates_progress = true;
}

void event_emit(struct events *events, struct event *e)
{
	if (!events)
		return;
	pthread_mutex_lock(&events->lock);
	e->ns = e->kind == EVENT_PROGRESS && !events->dates_progress ? 0 : clock_ns();
	for (unsigned int i = 0; i < events->n; i++)
		events->listeners[i].fn(events->listeners[i].ctx, e);
	pthread_mutex_unlock(&events->lock);
}
