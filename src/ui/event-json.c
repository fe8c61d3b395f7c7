// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "fsm/fsm.h"
#include "ui/event-json.h"
#include "ui/json-reader.h"
#include "ui/report.h"

static const char *const event_json_kinds[EVENT_NR_KINDS] = {
	[EVENT_OPENED] = "opened",     [EVENT_PHASE] = "phase",	      [EVENT_ARC] = "arc",
	[EVENT_ARRIVED] = "arrived",   [EVENT_BARRIER] = "barrier",   [EVENT_PROGRESS] = "progress",
	[EVENT_ROUND] = "round",       [EVENT_DECISION] = "decision", [EVENT_STREAM] = "stream",
	[EVENT_FINISH] = "finish",     [EVENT_FINISHED] = "finished", [EVENT_FAILURE] = "failure",
	[EVENT_RECOVERY] = "recovery", [EVENT_ACTION] = "action",     [EVENT_MOVE] = "move",
};

#define ERRNO_MAX 4095

/*
 * Writing
 */

/* Larger numbers would not be read again; no device has them, but one that lies. */
static void event_json_put(struct json_object *o, const char *key, uint64_t value)
{
	report_uint(o, key, MIN(value, EVENT_JSON_MAX));
}

static void event_json_put_time(struct json_object *o, const char *key, uint64_t ns,
				uint64_t origin_ns)
{
	event_json_put(o, key, ns > origin_ns ? ns - origin_ns : 0);
}

static void event_json_put_arc(struct json_object *o, const struct mig_arc *arc, uint64_t origin_ns)
{
	report_string(o, "from", fsm_name(arc->from));
	report_string(o, "to", fsm_name(arc->to));
	event_json_put_time(o, "start_ns", arc->start_ns, origin_ns);
	event_json_put(o, "arc_ns", arc->ns);
	if (arc->result < 0)
		report_string(o, "error", err_name(arc->result));
}

static void event_json_put_progress(struct json_object *o, const struct event_progress *p)
{
	event_json_put(o, "bytes", p->bytes);
	if (!p->expected)
		return;
	event_json_put(o, "expected_bytes", p->expected);
	report_bool(o, "total_exact", p->exact);
}

static void event_json_put_round(struct json_object *o, const struct event_round *r)
{
	report_uint(o, "round", r->number);
	event_json_put(o, "bytes", r->bytes);
	event_json_put(o, "round_ns", r->ns);
	if (!r->told)
		return;
	event_json_put(o, "initial_bytes", r->info.initial_bytes);
	event_json_put(o, "dirty_bytes", r->info.dirty_bytes);
	report_bool(o, "reinit", r->info.reinit);
}

static void event_json_put_decision(struct json_object *o, const struct switchover_decision *d)
{
	const struct switchover_round *r = &d->round;

	report_string(o, "verdict", switchover_verdict_name(d->verdict));
	report_uint(o, "round", d->number);
	report_bool(o, "told", r->told);
	report_bool(o, "reinit", r->reinit);
	report_bool(o, "quiescent", r->quiescent);
	event_json_put(o, "initial_bytes", r->initial);
	event_json_put(o, "dirty_bytes", r->dirty);
	event_json_put(o, "stop_copy_bytes", r->stop_copy);
	event_json_put(o, "moved_bytes", r->moved);
	event_json_put(o, "moved_ns", r->moved_ns);
	event_json_put(o, "moved_told_bytes", r->moved_told);
	event_json_put(o, "arcs_ns", r->arcs_ns);
	event_json_put(o, "finish_ns", r->finish_ns);
	event_json_put(o, "left_bytes", d->left);
	event_json_put(o, "suspected_bytes", d->suspected);
	event_json_put(o, "bytes_per_second", d->rate);
	event_json_put(o, "dirty_bytes_per_second", d->dirty_rate);
	if (d->estimated)
		event_json_put(o, "downtime_estimate_ns", d->estimate_ns);
	event_json_put(o, "pause_ns", d->pause_ns);
}

static void event_json_put_recovery(struct json_object *o, const struct mig_recovery *r)
{
	report_string(o, "found", r->found_known ? fsm_name(r->found) : NULL);
	report_string(o, "end", r->end_known ? fsm_name(r->end) : NULL);
	report_bool(o, "reset", r->reset);
	report_bool(o, "ok", r->ok);
}

static void event_json_put_action(struct json_object *o, const struct event_action *a,
				  uint64_t origin_ns)
{
	report_string(o, "action", action_name(a->action));
	report_string(o, "actor", action_actor_name(a->actor));
	event_json_put_time(o, "start_ns", a->start_ns, origin_ns);
	event_json_put(o, "action_ns", a->ns);
	if (a->result < 0)
		report_string(o, "error", err_name(a->result));
}

static void event_json_put_move(struct json_object *o, enum move_state state)
{
	report_string(o, "role", move_role(state) == WIRE_SOURCE ? "source" : "destination");
	report_string(o, "state", move_state_name(state));
}

struct json_object *event_json_new(const struct event *e, uint64_t origin_ns)
{
	struct json_object *o = report_new(NULL);

	json_object_object_del(o, "schema");
	json_object_object_del(o, "command");
	report_string(o, "event", event_json_kinds[e->kind]);
	event_json_put_time(o, "at_ns", e->ns, origin_ns);
	if (e->device >= 0)
		report_uint(o, "device", (uint64_t)e->device);
	if (e->kind == EVENT_OPENED)
		report_string(o, "state", fsm_name(e->state));
	else if (e->kind == EVENT_PHASE || e->kind == EVENT_ARRIVED || e->kind == EVENT_BARRIER)
		report_string(o, "phase", phase_name(e->phase));
	else if (e->kind == EVENT_ARC)
		event_json_put_arc(o, &e->arc, origin_ns);
	else if (e->kind == EVENT_PROGRESS)
		event_json_put_progress(o, &e->progress);
	else if (e->kind == EVENT_ROUND)
		event_json_put_round(o, &e->round);
	else if (e->kind == EVENT_DECISION)
		event_json_put_decision(o, &e->decision);
	else if (e->kind == EVENT_RECOVERY)
		event_json_put_recovery(o, e->recovery);
	else if (e->kind == EVENT_ACTION)
		event_json_put_action(o, &e->action, origin_ns);
	else if (e->kind == EVENT_MOVE)
		event_json_put_move(o, e->move);
	if (e->kind == EVENT_STREAM) {
		event_json_put(o, "bytes", e->stream.bytes);
		event_json_put(o, "stream_ns", e->stream.ns);
	}
	if (e->kind == EVENT_FAILURE) {
		report_string(o, "message", e->failure->text);
		report_string(o, "errno", e->failure->system ? err_name(e->failure->code) : NULL);
	}
	return o;
}

/*
 * Reading
 */

static uint64_t event_json_get(struct json_reader *r, const char *key)
{
	return json_reader_uint(r, key, EVENT_JSON_MAX);
}

static enum event_kind event_json_kind(struct json_reader *r)
{
	const char *word = json_reader_string(r, "event");

	for (unsigned int i = 0; i < EVENT_NR_KINDS; i++)
		if (!strcmp(word, event_json_kinds[i]))
			return (enum event_kind)i;
	json_reader_fail(r, "event", "a kind of event");
	return EVENT_OPENED;
}

static enum switchover_verdict event_json_verdict(struct json_reader *r)
{
	const char *word = json_reader_string(r, "verdict");

	for (unsigned int i = 0; i < SWITCHOVER_NR_VERDICTS; i++)
		if (!strcmp(word, switchover_verdict_name((enum switchover_verdict)i)))
			return (enum switchover_verdict)i;
	json_reader_fail(r, "verdict", "a verdict");
	return SWITCHOVER_NOT_YET;
}

/* Names that an event has are those of fsm_name(), to the letter. */
static enum mig_state event_json_state(struct json_reader *r, const char *key)
{
	const char *word = json_reader_string(r, key);
	enum mig_state state = MIG_ERROR;

	if (!fsm_parse(word, &state) || strcmp(word, fsm_name(state)) != 0)
		json_reader_fail(r, key, "a device state");
	return state;
}

static enum phase event_json_phase(struct json_reader *r)
{
	enum phase phase = PHASE_SETTLE;

	if (!phase_parse(json_reader_string(r, "phase"), &phase))
		json_reader_fail(r, "phase", "a phase");
	return phase;
}

/* Return: negative errno; -EIO for one that had no name where it was written. */
static int event_json_errno(struct json_reader *r, const char *key)
{
	const char *name = json_reader_string(r, key);

	for (int i = 1; i <= ERRNO_MAX; i++)
		if (!strcmp(err_name(-i), name))
			return strerrorname_np(i) ? -i : -EIO;
	json_reader_fail(r, key, "the name of an errno");
	return -EIO;
}

static void event_json_get_arc(struct json_reader *r, struct event *e)
{
	struct mig_arc *arc = &e->arc;

	arc->from = event_json_state(r, "from");
	arc->to = event_json_state(r, "to");
	arc->start_ns = event_json_get(r, "start_ns");
	arc->ns = event_json_get(r, "arc_ns");
	arc->result = json_reader_has(r, "error") ? event_json_errno(r, "error") : 0;
	if (arc->start_ns > e->ns || arc->ns > e->ns - arc->start_ns)
		json_reader_fail(r, "arc_ns", "of an arc that has ended");
}

static void event_json_get_progress(struct json_reader *r, struct event_progress *p)
{
	p->bytes = event_json_get(r, "bytes");
	if (!json_reader_has(r, "expected_bytes"))
		return;
	p->expected = event_json_get(r, "expected_bytes");
	p->exact = json_reader_bool(r, "total_exact");
}

static void event_json_get_round(struct json_reader *r, struct event_round *round)
{
	round->number = (unsigned int)json_reader_uint(r, "round", UINT32_MAX);
	round->bytes = event_json_get(r, "bytes");
	round->ns = event_json_get(r, "round_ns");
	round->told = json_reader_has(r, "initial_bytes");
	if (!round->told)
		return;
	round->info.initial_bytes = event_json_get(r, "initial_bytes");
	round->info.dirty_bytes = event_json_get(r, "dirty_bytes");
	round->info.reinit = json_reader_bool(r, "reinit");
}

static void event_json_get_decision(struct json_reader *r, struct event *e)
{
	struct switchover_decision *d = &e->decision;
	struct switchover_round *round = &d->round;

	d->verdict = event_json_verdict(r);
	d->number = (unsigned int)json_reader_uint(r, "round", UINT32_MAX);
	round->told = json_reader_bool(r, "told");
	round->reinit = json_reader_bool(r, "reinit");
	round->quiescent = json_reader_bool(r, "quiescent");
	round->initial = event_json_get(r, "initial_bytes");
	round->dirty = event_json_get(r, "dirty_bytes");
	round->stop_copy = event_json_get(r, "stop_copy_bytes");
	round->moved = event_json_get(r, "moved_bytes");
	round->moved_ns = event_json_get(r, "moved_ns");
	round->moved_told = event_json_get(r, "moved_told_bytes");
	round->arcs_ns = event_json_get(r, "arcs_ns");
	round->finish_ns = event_json_get(r, "finish_ns");
	round->now_ns = e->ns;
	d->left = event_json_get(r, "left_bytes");
	d->suspected = event_json_get(r, "suspected_bytes");
	d->rate = event_json_get(r, "bytes_per_second");
	d->dirty_rate = event_json_get(r, "dirty_bytes_per_second");
	d->estimated = json_reader_has(r, "downtime_estimate_ns");
	if (d->estimated)
		d->estimate_ns = event_json_get(r, "downtime_estimate_ns");
	d->pause_ns = event_json_get(r, "pause_ns");
}

static void event_json_get_recovery(struct json_reader *r, struct mig_recovery *recovery)
{
	recovery->found_known = json_reader_has(r, "found");
	if (recovery->found_known)
		recovery->found = event_json_state(r, "found");
	recovery->end_known = json_reader_has(r, "end");
	if (recovery->end_known)
		recovery->end = event_json_state(r, "end");
	recovery->reset = json_reader_bool(r, "reset");
	recovery->ok = json_reader_bool(r, "ok");
}

static void event_json_get_action(struct json_reader *r, struct event_action *a)
{
	if (!action_parse(json_reader_string(r, "action"), &a->action))
		json_reader_fail(r, "action", "an action");
	if (!action_actor_parse(json_reader_string(r, "actor"), &a->actor))
		json_reader_fail(r, "actor", "an actor");
	a->start_ns = event_json_get(r, "start_ns");
	a->ns = event_json_get(r, "action_ns");
	if (json_reader_has(r, "error"))
		a->result = event_json_errno(r, "error");
}

static void event_json_get_failure(struct json_reader *r, struct err *failure)
{
	failure->code = -EIO;
	failure->system = json_reader_has(r, "errno");
	if (failure->system)
		failure->code = event_json_errno(r, "errno");
	snprintf(failure->text, sizeof(failure->text), "%s", json_reader_string(r, "message"));
}

static enum move_state event_json_move(struct json_reader *r)
{
	const char *role = json_reader_string(r, "role"), *name = json_reader_string(r, "state");

	for (unsigned int i = 0; i < MOVE_NR_STATES; i++) {
		bool source = move_role(i) == WIRE_SOURCE;

		if (!strcmp(role, source ? "source" : "destination") &&
		    !strcmp(name, move_state_name(i)))
			return i;
	}
	json_reader_fail(r, "state", "of a move");
	return MOVE_S_AGREEING;
}

static void event_json_get_details(struct json_reader *r, struct event_json *ret)
{
	struct event *e = &ret->event;

	if (e->kind == EVENT_OPENED) {
		e->state = event_json_state(r, "state");
	} else if (e->kind == EVENT_PHASE || e->kind == EVENT_ARRIVED || e->kind == EVENT_BARRIER) {
		e->phase = event_json_phase(r);
	} else if (e->kind == EVENT_ARC) {
		event_json_get_arc(r, e);
	} else if (e->kind == EVENT_PROGRESS) {
		event_json_get_progress(r, &e->progress);
	} else if (e->kind == EVENT_ROUND) {
		event_json_get_round(r, &e->round);
	} else if (e->kind == EVENT_DECISION) {
		event_json_get_decision(r, e);
	} else if (e->kind == EVENT_STREAM) {
		e->stream.bytes = event_json_get(r, "bytes");
		e->stream.ns = event_json_get(r, "stream_ns");
	} else if (e->kind == EVENT_FAILURE) {
		event_json_get_failure(r, &ret->failure);
		e->failure = &ret->failure;
	} else if (e->kind == EVENT_RECOVERY) {
		event_json_get_recovery(r, &ret->recovery);
		e->recovery = &ret->recovery;
	} else if (e->kind == EVENT_ACTION) {
		event_json_get_action(r, &e->action);
	} else if (e->kind == EVENT_MOVE) {
		e->move = event_json_move(r);
	}
}

/* What can only be of a device; a failure may be of the set, too. */
static bool event_json_needs_device(enum event_kind kind)
{
	return kind == EVENT_OPENED || kind == EVENT_ARC || kind == EVENT_ARRIVED ||
	       kind == EVENT_PROGRESS || kind == EVENT_ROUND || kind == EVENT_STREAM ||
	       kind == EVENT_RECOVERY;
}

int event_json_parse(struct json_object *o, unsigned int devices, struct event_json *ret,
		     struct err *err)
{
	struct json_reader r = { .o = o };
	struct event *e = &ret->event;

	*ret = (struct event_json){ .event.device = EVENT_SET };
	e->kind = event_json_kind(&r);
	e->ns = event_json_get(&r, "at_ns");
	if (!r.failed && (event_json_needs_device(e->kind) ||
			  (e->kind == EVENT_FAILURE && json_reader_has(&r, "device")))) {
		e->device = (int)json_reader_uint(&r, "device", UINT16_MAX);
		if ((unsigned int)e->device >= devices)
			json_reader_fail(&r, "device", "the number of a device");
	}
	if (!r.failed)
		event_json_get_details(&r, ret);
	return json_reader_result(&r, err);
}
