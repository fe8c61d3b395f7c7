// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "fsm/fsm.h"
#include "ui/summary.h"

int summary_init(struct summary *s, unsigned int n, struct err *err)
{
	*s = (struct summary){ .n = n };
	s->devices = calloc(n ? n : 1, sizeof(*s->devices));
	if (!s->devices)
		return err_set(err, -ENOMEM, "summary of %u devices", n);
	for (unsigned int i = 0; i < n; i++)
		s->devices[i].doing = SUMMARY_OTHER;
	return 0;
}

void summary_done(struct summary *s)
{
	free(s->devices);
	*s = (struct summary){ 0 };
}

/*
 * Time and its causes
 */

/* Up to @ns, for what the device has been doing. */
static void summary_count(struct summary_device *d, uint64_t ns)
{
	if (ns <= d->counted_ns)
		return;
	if (d->down) {
		d->causes_ns[d->doing] += ns - d->counted_ns;
		d->downtime_ns += ns - d->counted_ns;
	}
	d->counted_ns = ns;
}

static void summary_do(struct summary_device *d, enum summary_cause next, uint64_t ns)
{
	summary_count(d, ns);
	d->doing = next;
}

static void summary_goes_down(struct summary *s, struct summary_device *d, uint64_t ns)
{
	summary_count(d, ns);
	d->down = true;
	d->down_since_ns = ns;
	s->down_start_ns = s->was_down ? MIN(s->down_start_ns, ns) : ns;
	s->was_down = true;
}

static void summary_comes_back(struct summary *s, struct summary_device *d, uint64_t ns)
{
	summary_count(d, ns);
	d->down = false;
	s->down_end_ns = MAX(s->down_end_ns, ns);
}

static bool summary_in_full(enum mig_state state)
{
	return state == MIG_RUNNING || state == MIG_PRE_COPY;
}

/*
 * What happens
 */

/* What a device does that neither changes its state nor waits for others. */
static enum summary_cause summary_works(const struct summary_device *d)
{
	return d->streams ? SUMMARY_STREAM : SUMMARY_OTHER;
}

static void summary_arc(struct summary *s, struct summary_device *d, const struct mig_arc *arc)
{
	uint64_t end = arc->start_ns + arc->ns;

	timeline_add(&d->timeline, arc);
	if (!d->down && summary_in_full(arc->from) && !summary_in_full(arc->to))
		summary_goes_down(s, d, arc->start_ns);
	summary_do(d, SUMMARY_ARCS, arc->start_ns);
	if (arc->result < 0) {
		summary_do(d, SUMMARY_RETRYING, end);
		return;
	}
	d->streams = arc->to == MIG_STOP_COPY || arc->to == MIG_RESUMING;
	summary_do(d, summary_works(d), end);
	if (d->down && summary_in_full(arc->to))
		summary_comes_back(s, d, end);
	d->opened = true;
	d->state = arc->to;
	if (s->in_phase && s->phase == PHASE_STOP && fsm_runs(arc->from) && !fsm_runs(arc->to)) {
		d->stopped = true;
		d->stopped_ns = end;
	}
}

/* A reset brings a device back without an arc. */
static void summary_recovery(struct summary *s, struct summary_device *d, const struct event *e)
{
	d->recovered = true;
	d->recovery = *e->recovery;
	if (!e->recovery->end_known)
		return;
	d->opened = true;
	d->state = e->recovery->end;
	if (d->down && summary_in_full(d->state))
		summary_comes_back(s, d, e->ns);
}

static void summary_device_event(struct summary *s, struct summary_device *d, const struct event *e)
{
	switch (e->kind) {
	case EVENT_OPENED:
		d->opened = true;
		d->state = e->state;
		break;
	case EVENT_ARC:
		summary_arc(s, d, &e->arc);
		break;
	case EVENT_ARRIVED:
		summary_do(d, SUMMARY_WAITING, e->ns);
		break;
	case EVENT_PROGRESS:
		d->bytes = e->progress.bytes;
		break;
	case EVENT_ROUND:
		s->rounds = MAX(s->rounds, e->round.number);
		break;
	case EVENT_STREAM:
		d->bytes = e->stream.bytes;
		d->stream_ns = e->stream.ns;
		d->streams = false;
		summary_do(d, SUMMARY_OTHER, e->ns);
		break;
	case EVENT_RECOVERY:
		summary_recovery(s, d, e);
		break;
	default:
		break;
	}
}

static void summary_barrier(struct summary *s, uint64_t ns)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->devices[i].doing == SUMMARY_WAITING)
			summary_do(&s->devices[i], summary_works(&s->devices[i]), ns);
}

/* All that do @from do @to now. */
static void summary_all_do(struct summary *s, enum summary_cause from, enum summary_cause to,
			   uint64_t ns)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (s->devices[i].doing == from)
			summary_do(&s->devices[i], to, ns);
}

static void summary_decision(struct summary *s, const struct switchover_decision *d)
{
	s->rounds = MAX(s->rounds, d->number);
	if (s->decided && s->decision.verdict != SWITCHOVER_NOT_YET &&
	    d->verdict == SWITCHOVER_NOT_YET)
		return;
	s->decided = true;
	s->decision = *d;
}

bool summary_acts(const struct event_action *action)
{
	return action->actor != ACTION_BY_FREEZER ||
	       (action->action != ACTION_POST_STOP && action->action != ACTION_PRE_START);
}

static void summary_action(struct summary *s, const struct event_action *action)
{
	if (summary_acts(action) && s->acted++ < SUMMARY_ACTIONS_MAX)
		s->actions[s->acted - 1] = *action;
}

static void summary_moved(struct summary *s, const struct event *e)
{
	if (s->moved++ < SUMMARY_MOVES_MAX)
		s->moves[s->moved - 1] = (struct summary_move){ e->move, e->ns };
}

static void summary_set_event(struct summary *s, const struct event *e)
{
	switch (e->kind) {
	case EVENT_ACTION:
		summary_action(s, &e->action);
		break;
	case EVENT_PHASE:
		s->in_phase = true;
		s->phase = e->phase;
		s->phased[e->phase] = true;
		break;
	case EVENT_BARRIER:
		summary_barrier(s, e->ns);
		break;
	case EVENT_DECISION:
		summary_decision(s, &e->decision);
		break;
	case EVENT_FINISH:
		summary_all_do(s, SUMMARY_WAITING, SUMMARY_FINISH, e->ns);
		summary_all_do(s, SUMMARY_OTHER, SUMMARY_FINISH, e->ns);
		break;
	case EVENT_MOVE:
		summary_moved(s, e);
		break;
	case EVENT_FINISHED:
		summary_all_do(s, SUMMARY_FINISH, SUMMARY_OTHER, e->ns);
		break;
	default:
		break;
	}
}

static void summary_failure(struct summary *s, const struct event *e)
{
	struct summary_failure *f;

	if (s->failed++ >= SUMMARY_FAILURES_MAX)
		return;
	f = &s->failures[s->failed - 1];
	f->device = e->device;
	snprintf(f->message, sizeof(f->message), "%s", e->failure->text);
}

void summary_on_event(void *summary, const struct event *e)
{
	struct summary *s = summary;

	if (!s->any)
		s->start_ns = e->ns;
	s->any = true;
	s->end_ns = e->ns;
	if (e->kind == EVENT_ARC)
		s->start_ns = MIN(s->start_ns, e->arc.start_ns);
	if (e->kind == EVENT_ACTION)
		s->start_ns = MIN(s->start_ns, e->action.start_ns);
	if (e->kind == EVENT_FAILURE)
		summary_failure(s, e);
	if (e->device < 0)
		summary_set_event(s, e);
	else if ((unsigned int)e->device < s->n)
		summary_device_event(s, &s->devices[e->device], e);
}

void summary_end(struct summary *s)
{
	for (unsigned int i = 0; i < s->n; i++) {
		summary_count(&s->devices[i], s->end_ns);
		if (s->devices[i].down)
			s->down_end_ns = s->end_ns;
	}
}

/*
 * Of all devices
 */

uint64_t summary_downtime(const struct summary *s)
{
	uint64_t longest = 0;

	for (unsigned int i = 0; i < s->n; i++)
		longest = MAX(longest, s->devices[i].downtime_ns);
	return longest;
}

bool summary_skew(const struct summary *s, uint64_t *ret)
{
	uint64_t first = UINT64_MAX, last = 0;
	unsigned int stopped = 0;

	for (unsigned int i = 0; i < s->n; i++)
		if (s->devices[i].stopped) {
			first = MIN(first, s->devices[i].stopped_ns);
			last = MAX(last, s->devices[i].stopped_ns);
			stopped++;
		}
	if (stopped < 2)
		return false;
	*ret = last - first;
	return true;
}

const char *summary_cause_name(enum summary_cause cause)
{
	static const char *const names[SUMMARY_NR_CAUSES] = {
		[SUMMARY_ARCS] = "arcs",	 [SUMMARY_WAITING] = "waiting",
		[SUMMARY_STREAM] = "stream",	 [SUMMARY_FINISH] = "finish",
		[SUMMARY_RETRYING] = "retrying", [SUMMARY_OTHER] = "other",
	};

	return names[cause];
}
