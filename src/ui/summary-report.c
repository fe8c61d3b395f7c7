// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/units.h"
#include "fsm/fsm.h"
#include "ui/summary-report.h"

/*
 * The decision
 */

static const char *const summary_report_reasons[SWITCHOVER_NR_VERDICTS] = {
	[SWITCHOVER_NOT_YET] = "pre-copy was not over",
	[SWITCHOVER_CONVERGED] = "the downtime fits",
	[SWITCHOVER_DIVERGES] = "what is dirty no longer shrinks",
	[SWITCHOVER_LIMIT] = "rounds or time are used up",
};

char *summary_why(const struct switchover_decision *d, char buf[SUMMARY_WHY_MAX])
{
	const struct switchover_round *r = &d->round;
	char left[UNITS_MAX], rate[UNITS_MAX], time[UNITS_MAX];
	size_t n;

	n = (size_t)snprintf(buf, SUMMARY_WHY_MAX, "%s: after round %u",
			     summary_report_reasons[d->verdict], d->number);
	if (r->told || d->left)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", %s are left",
				      format_bytes(left, d->left));
	if (r->stop_copy)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, " (%s of stop-copy)",
				      format_bytes(left, r->stop_copy));
	if (d->suspected)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", %s more may come",
				      format_bytes(left, d->suspected));
	if (d->rate)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", at %s",
				      format_rate(rate, d->rate, NSEC_PER_SEC));
	if (d->dirty_rate)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", %s get dirty",
				      format_rate(rate, d->dirty_rate, NSEC_PER_SEC));
	if (r->arcs_ns)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", arcs take %s",
				      format_duration(time, r->arcs_ns));
	if (r->finish_ns)
		n += (size_t)snprintf(buf + n, SUMMARY_WHY_MAX - n, ", sync or answer %s",
				      format_duration(time, r->finish_ns));
	if (d->estimated)
		snprintf(buf + n, SUMMARY_WHY_MAX - n, ": %s of downtime expected",
			 format_duration(time, d->estimate_ns));
	return buf;
}

static void summary_report_decision(struct json_object *o, const struct switchover_decision *d)
{
	char why[SUMMARY_WHY_MAX];

	report_string(o, "verdict", switchover_verdict_name(d->verdict));
	report_uint(o, "round", d->number);
	if (d->round.told) {
		report_uint(o, "initial_bytes", d->round.initial);
		report_uint(o, "dirty_bytes", d->round.dirty);
	}
	report_uint(o, "stop_copy_bytes", d->round.stop_copy);
	report_uint(o, "left_bytes", d->left);
	report_uint(o, "arcs_ns", d->round.arcs_ns);
	report_uint(o, "finish_ns", d->round.finish_ns);
	report_uint(o, "bytes_per_second", d->rate);
	report_uint(o, "dirty_bytes_per_second", d->dirty_rate);
	report_string(o, "why", summary_why(d, why));
}

/*
 * Devices
 */

static void summary_report_arcs(struct json_object *o, const struct timeline *t)
{
	struct json_object *list = report_array(o, "arcs");

	for (unsigned int i = 0; i < t->n; i++) {
		const struct mig_arc *arc = &t->arcs[i];
		struct json_object *line = report_append(list);

		report_string(line, "from", fsm_name(arc->from));
		report_string(line, "to", fsm_name(arc->to));
		report_uint(line, "ns", arc->ns);
		if (arc->result < 0)
			report_string(line, "error", err_name(arc->result));
		if (t->tries[i] > 1)
			report_uint(line, "tries", t->tries[i]);
	}
}

static void summary_report_recovery(struct json_object *o, const struct mig_recovery *r)
{
	report_string(o, "found", r->found_known ? fsm_name(r->found) : NULL);
	report_string(o, "end", r->end_known ? fsm_name(r->end) : NULL);
	report_bool(o, "reset", r->reset);
	report_bool(o, "ok", r->ok);
}

static void summary_report_device(struct json_object *o, const struct summary_device *d)
{
	struct json_object *causes;
	char key[32];

	report_string(o, "state", d->opened ? fsm_name(d->state) : NULL);
	report_uint(o, "bytes", d->bytes);
	report_uint(o, "stream_ns", d->stream_ns);
	report_uint(o, "downtime_ns", d->downtime_ns);
	report_bool(o, "down", d->down);
	causes = report_object(o, "downtime");
	for (unsigned int i = 0; i < SUMMARY_NR_CAUSES; i++) {
		snprintf(key, sizeof(key), "%s_ns", summary_cause_name((enum summary_cause)i));
		report_uint(causes, key, d->causes_ns[i]);
	}
	summary_report_arcs(o, &d->timeline);
	if (d->recovered)
		summary_report_recovery(report_object(o, "recovery"), &d->recovery);
}

static void summary_report_failures(struct json_object *o, const struct summary *s,
				    const char *const *names)
{
	struct json_object *list, *line;

	if (!s->failed)
		return;
	list = report_array(o, "failures");
	for (unsigned int i = 0; i < MIN(s->failed, SUMMARY_FAILURES_MAX); i++) {
		const struct summary_failure *f = &s->failures[i];

		line = report_append(list);
		if (f->device >= 0)
			report_name(line, "address", names[f->device]);
		report_string(line, "message", f->message);
	}
}

static void summary_report_actions(struct json_object *o, const struct summary *s)
{
	struct json_object *list, *line;

	if (!s->acted)
		return;
	list = report_array(o, "actions");
	for (unsigned int i = 0; i < MIN(s->acted, SUMMARY_ACTIONS_MAX); i++) {
		const struct event_action *a = &s->actions[i];

		line = report_append(list);
		report_string(line, "action", action_name(a->action));
		report_string(line, "actor", action_actor_name(a->actor));
		report_uint(line, "at_ns", a->start_ns - MIN(s->start_ns, a->start_ns));
		report_uint(line, "ns", a->ns);
		if (a->result < 0)
			report_string(line, "error", err_name(a->result));
	}
}

static void summary_report_moves(struct json_object *o, const struct summary *s)
{
	struct json_object *list, *line;

	if (!s->moved)
		return;
	list = report_array(o, "moves");
	for (unsigned int i = 0; i < MIN(s->moved, SUMMARY_MOVES_MAX); i++) {
		line = report_append(list);
		report_string(line, "state", move_state_name(s->moves[i].state));
		report_uint(line, "at_ns", s->moves[i].ns - MIN(s->start_ns, s->moves[i].ns));
	}
}

void summary_render(struct json_object *o, const struct summary *s, const char *const *names)
{
	struct json_object *list, *device;
	uint64_t skew;

	report_uint(o, "elapsed_ns", s->end_ns - s->start_ns);
	report_uint(o, "downtime_ns", summary_downtime(s));
	if (s->decided && s->decision.estimated)
		report_uint(o, "downtime_estimate_ns", s->decision.estimate_ns);
	if (summary_skew(s, &skew))
		report_uint(o, "skew_ns", skew);
	if (s->rounds)
		report_uint(o, "rounds", s->rounds);
	if (s->decided)
		summary_report_decision(report_object(o, "switchover"), &s->decision);
	list = report_array(o, "devices");
	for (unsigned int i = 0; i < s->n; i++) {
		device = report_append(list);
		report_name(device, "address", names[i]);
		summary_report_device(device, &s->devices[i]);
	}
	summary_report_actions(o, s);
	summary_report_moves(o, s);
	summary_report_failures(o, s, names);
}

/*
 * Text
 */

#define DEVICE_COLUMNS 9

static bool summary_report_any(struct json_object *devices, const char *key)
{
	struct json_object *causes, *ns;

	for (size_t i = 0; i < json_object_array_length(devices); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(devices, i), "downtime",
					      &causes) &&
		    json_object_object_get_ex(causes, key, &ns) && json_object_get_uint64(ns))
			return true;
	return false;
}

/* What took no time of any device has no column. */
static void summary_report_view_devices(FILE *f, struct json_object *devices)
{
	static const struct report_row causes[] = {
		{ "downtime.arcs_ns", "ARCS", REPORT_NS },
		{ "downtime.waiting_ns", "WAITING", REPORT_NS },
		{ "downtime.stream_ns", "STREAM", REPORT_NS },
		{ "downtime.finish_ns", "SYNC", REPORT_NS },
		{ "downtime.retrying_ns", "RETRYING", REPORT_NS },
		{ "downtime.other_ns", "OTHER", REPORT_NS },
	};
	struct report_row columns[DEVICE_COLUMNS] = {
		{ "address", "DEVICE", REPORT_TEXT },
		{ "bytes", "BYTES", REPORT_BYTES },
		{ "downtime_ns", "DOWNTIME", REPORT_NS },
	};
	size_t n = 3;

	for (size_t i = 0; i < ARRAY_SIZE(causes); i++)
		if (summary_report_any(devices, strchr(causes[i].key, '.') + 1))
			columns[n++] = causes[i];
	report_table(f, devices, columns, n);
}

static const char *summary_report_text(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_string(value) : "";
}

/* Return: the line of @table for such an arc, made where there is none yet. */
static struct json_object *summary_report_line(struct json_object *table, struct json_object *arc)
{
	struct json_object *line;

	for (size_t i = 0; i < json_object_array_length(table); i++) {
		line = json_object_array_get_idx(table, i);
		if (!strcmp(summary_report_text(line, "from"), summary_report_text(arc, "from")) &&
		    !strcmp(summary_report_text(line, "to"), summary_report_text(arc, "to")) &&
		    !strcmp(summary_report_text(line, "error"), summary_report_text(arc, "error")))
			return line;
	}
	line = report_append(table);
	report_string(line, "from", summary_report_text(arc, "from"));
	report_string(line, "to", summary_report_text(arc, "to"));
	if (*summary_report_text(arc, "error"))
		report_string(line, "error", summary_report_text(arc, "error"));
	return line;
}

static uint64_t summary_report_number(struct json_object *o, const char *key)
{
	struct json_object *value;

	return json_object_object_get_ex(o, key, &value) ? json_object_get_uint64(value) : 0;
}

static void summary_report_add_arc(struct json_object *table, struct json_object *device,
				   struct json_object *arc)
{
	struct json_object *line = summary_report_line(table, arc);
	uint64_t ns = summary_report_number(arc, "ns"), count, tries;

	count = summary_report_number(line, "count");
	tries = summary_report_number(arc, "tries");
	report_uint(line, "count", count + MAX(tries, UINT64_C(1)));
	if (!count || ns < summary_report_number(line, "shortest_ns"))
		report_uint(line, "shortest_ns", ns);
	if (count && ns <= summary_report_number(line, "longest_ns"))
		return;
	report_uint(line, "longest_ns", ns);
	report_string(line, "device", summary_report_text(device, "address"));
}

/* Arcs of all devices, those between the same states together. */
static void summary_report_view_arcs(FILE *f, struct json_object *devices)
{
	static const struct report_row columns[] = {
		{ "from", "FROM", REPORT_TEXT },	{ "to", "TO", REPORT_TEXT },
		{ "count", "TIMES", REPORT_TEXT },	{ "shortest_ns", "SHORTEST", REPORT_NS },
		{ "longest_ns", "LONGEST", REPORT_NS }, { "device", "OF", REPORT_TEXT },
		{ "error", "ERROR", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *table = report_new(NULL);
	struct json_object *lines = report_array(table, "lines"), *arcs, *device;
	size_t n = ARRAY_SIZE(columns) - 1;

	for (size_t i = 0; i < json_object_array_length(devices); i++) {
		device = json_object_array_get_idx(devices, i);
		if (!json_object_object_get_ex(device, "arcs", &arcs))
			continue;
		for (size_t j = 0; j < json_object_array_length(arcs); j++)
			summary_report_add_arc(lines, device, json_object_array_get_idx(arcs, j));
	}
	for (size_t i = 0; i < json_object_array_length(lines); i++)
		if (*summary_report_text(json_object_array_get_idx(lines, i), "error"))
			n = ARRAY_SIZE(columns);
	if (json_object_array_length(lines))
		fputc('\n', f);
	report_table(f, lines, columns, n);
}

static void summary_report_view_actions(FILE *f, struct json_object *o)
{
	static const struct report_row columns[] = {
		{ "action", "ACTION", REPORT_TEXT }, { "actor", "BY", REPORT_TEXT },
		{ "at_ns", "AT", REPORT_NS },	     { "ns", "TOOK", REPORT_NS },
		{ "error", "ERROR", REPORT_TEXT },
	};
	struct json_object *list;
	size_t n = ARRAY_SIZE(columns) - 1;

	if (!json_object_object_get_ex(o, "actions", &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++)
		if (*summary_report_text(json_object_array_get_idx(list, i), "error"))
			n = ARRAY_SIZE(columns);
	fputc('\n', f);
	report_table(f, list, columns, n);
}

static void summary_report_view_moves(FILE *f, struct json_object *o)
{
	static const struct report_row columns[] = {
		{ "state", "MOVE", REPORT_TEXT },
		{ "at_ns", "AT", REPORT_NS },
	};
	struct json_object *list;

	if (!json_object_object_get_ex(o, "moves", &list))
		return;
	fputc('\n', f);
	report_table(f, list, columns, ARRAY_SIZE(columns));
}

static void summary_report_view_troubles(FILE *f, struct json_object *o)
{
	static const struct report_row failures[] = {
		{ "address", "DEVICE", REPORT_TEXT },
		{ "message", "FAILURE", REPORT_TEXT },
	};
	static const struct report_row recoveries[] = {
		{ "address", "DEVICE", REPORT_TEXT },
		{ "recovery.found", "FOUND", REPORT_TEXT },
		{ "recovery.end", "BROUGHT TO", REPORT_TEXT },
		{ "recovery.reset", "RESET", REPORT_TEXT },
		{ "recovery.ok", "AS WANTED", REPORT_TEXT },
	};
	_cleanup_(report_donep) struct json_object *table = report_new(NULL);
	struct json_object *list, *recovered = report_array(table, "devices"), *device;

	if (json_object_object_get_ex(o, "failures", &list)) {
		fputc('\n', f);
		report_table(f, list, failures, ARRAY_SIZE(failures));
	}
	if (!json_object_object_get_ex(o, "devices", &list))
		return;
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		device = json_object_array_get_idx(list, i);
		if (json_object_object_get_ex(device, "recovery", NULL))
			json_object_array_add(recovered, json_object_get(device));
	}
	if (json_object_array_length(recovered))
		fputc('\n', f);
	report_table(f, recovered, recoveries, ARRAY_SIZE(recoveries));
}

void summary_view(FILE *f, struct json_object *o, const struct report_row *rows, size_t n)
{
	static const struct report_row own[] = {
		{ "elapsed_ns", "time", REPORT_NS },
		{ "rounds", "rounds", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS_IF_ANY },
		{ "downtime_estimate_ns", "expected", REPORT_NS },
		{ "skew_ns", "skew", REPORT_NS },
		{ "switchover.why", "switchover", REPORT_TEXT },
		{ "lost_events", "events lost", REPORT_TEXT },
	};
	struct report_row all[SUMMARY_ROWS_MAX + ARRAY_SIZE(own)];
	struct json_object *devices;

	assert(n <= SUMMARY_ROWS_MAX);
	memcpy(all, rows, n * sizeof(*all));
	memcpy(all + n, own, sizeof(own));
	report_lines(f, o, all, n + ARRAY_SIZE(own));
	if (json_object_object_get_ex(o, "devices", &devices)) {
		fputc('\n', f);
		summary_report_view_devices(f, devices);
		summary_report_view_arcs(f, devices);
	}
	summary_report_view_actions(f, o);
	summary_report_view_moves(f, o);
	summary_report_view_troubles(f, o);
}
