// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "engine/transfer.h"

void transfer_start(struct transfer *t)
{
	*t = (struct transfer){ .start_ns = clock_ns() };
	atomic_init(&t->state, MIG_NR_STATES);
	atomic_init(&t->idle, false);
	atomic_init(&t->phase, PHASE_NR);
}

int transfer_init(struct transfer *t, unsigned int n, struct err *err)
{
	transfer_start(t);
	t->devices = calloc(n ? n : 1, sizeof(*t->devices));
	if (!t->devices)
		return err_set(err, -ENOMEM, "figures of %u devices", n);
	t->n = n;
	for (unsigned int i = 0; i < n; i++)
		atomic_init(&t->devices[i].state, MIG_NR_STATES);
	return 0;
}

void transfer_done(struct transfer *t)
{
	free(t->devices);
	t->devices = NULL;
	t->n = 0;
}

static void transfer_forget(struct transfer_device *d)
{
	atomic_store(&d->state, MIG_NR_STATES);
	atomic_store(&d->bytes, 0);
	atomic_store(&d->expected, 0);
	atomic_store(&d->exact, false);
}

void transfer_rest(struct transfer *t)
{
	for (unsigned int i = 0; i < t->n; i++)
		transfer_forget(&t->devices[i]);
	atomic_store(&t->bytes, 0);
	atomic_store(&t->phase, PHASE_NR);
	atomic_store(&t->idle, true);
}

void transfer_scanned(struct transfer *t, uint64_t bytes)
{
	atomic_store(&t->idle, false);
	atomic_store(&t->bytes, bytes);
}

static void transfer_decided(struct transfer_decision *to, const struct switchover_decision *d)
{
	atomic_store(&to->left, d->left);
	atomic_store(&to->rate, d->rate);
	atomic_store(&to->dirty_rate, d->dirty_rate);
	atomic_store(&to->estimate_ns, d->estimate_ns);
	atomic_store(&to->estimated, d->estimated);
	atomic_store(&to->round, d->number);
}

static void transfer_progress(struct transfer_device *d, const struct event_progress *p)
{
	atomic_store(&d->bytes, p->bytes);
	atomic_store(&d->exact, p->exact);
	atomic_store(&d->expected, p->expected);
}

/* Where a failed arc has left the device, the recovery tells. */
static void transfer_device_event(struct transfer_device *d, const struct event *e)
{
	switch (e->kind) {
	case EVENT_OPENED:
		atomic_store(&d->state, e->state);
		break;
	case EVENT_ARC:
		if (e->arc.result >= 0)
			atomic_store(&d->state, e->arc.to);
		break;
	case EVENT_PROGRESS:
		transfer_progress(d, &e->progress);
		break;
	case EVENT_STREAM:
		atomic_store(&d->bytes, e->stream.bytes);
		break;
	case EVENT_RECOVERY:
		if (e->recovery->end_known)
			atomic_store(&d->state, e->recovery->end);
		break;
	default:
		break;
	}
}

void transfer_on_event(void *transfer, const struct event *e)
{
	struct transfer *t = transfer;

	/* Moves go from state to state also while they are agreed on. */
	if (e->kind != EVENT_MOVE)
		atomic_store(&t->idle, false);
	if (e->kind == EVENT_PHASE)
		atomic_store(&t->phase, e->phase);
	else if (e->kind == EVENT_DECISION)
		transfer_decided(&t->decision, &e->decision);
	else if (e->device >= 0 && (unsigned int)e->device < t->n)
		transfer_device_event(&t->devices[e->device], e);
}
