// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/console.h"
#include "fsm/fsm.h"
#include "ui/progress-json.h"

static bool progress_json_is_device(const struct progress *p)
{
	return !strcmp(p->kind, "device");
}

/* Of a set without names, @p->name is the one of its only device. */
static unsigned int progress_json_devices(const struct progress *p)
{
	if (!progress_json_is_device(p))
		return 0;
	return p->names && p->transfer && p->transfer->n ? p->transfer->n : 1;
}

struct json_object *progress_json_new(const struct progress *p, const char *event)
{
	struct json_object *o = report_new(p->command), *list;
	unsigned int n = progress_json_devices(p);

	report_string(o, "event", event);
	if (!n)
		report_name(o, p->kind, p->name);
	if (n == 1)
		report_name(report_object(o, "device"), "address", p->names ? *p->names : p->name);
	if (n < 2)
		return o;
	list = report_array(o, "devices");
	for (unsigned int i = 0; i < n; i++)
		report_name(report_append(list), "address", p->names[i]);
	return o;
}

void progress_json_put(const struct progress *p, struct json_object *o)
{
	char *text = NULL;

	if (asprintf(&text, "%s\n",
		     json_object_to_json_string_ext(o, JSON_C_TO_STRING_NOSLASHESCAPE)) < 0)
		return;
	lines_put(p->status ? p->status : console_lines(), text);
	free(text);
}

void progress_json_call(struct json_object *o, const struct cancel_waiting *waiting, uint64_t ns)
{
	if (waiting->who[0])
		report_name(o, "waiting_device", waiting->who);
	report_string(o, "waiting_for", waiting->what);
	report_uint(o, "waiting_ns", ns);
}

static void progress_json_figures(struct json_object *o, const struct progress_sample *s,
				  const struct progress_figures *f)
{
	report_uint(o, "bytes", s->bytes);
	if (f->total) {
		report_uint(o, "expected_bytes", f->total);
		report_bool(o, "total_exact", f->exact);
		report_uint(o, "percent", f->percent);
	}
	if (f->moving)
		report_uint(o, "bytes_per_second", s->rate);
	if (f->remaining_ns)
		report_uint(o, "remaining_ns", f->remaining_ns);
}

static void progress_json_device(struct json_object *o, const struct progress_sample *s)
{
	const struct progress_figures f = progress_figures(s);

	if (s->state < MIG_NR_STATES)
		report_string(o, "state", fsm_name((enum mig_state)s->state));
	progress_json_figures(o, s, &f);
}

static void progress_json_precopy(struct json_object *o, const struct progress_view *v)
{
	if (!v->round)
		return;
	report_uint(o, "round", v->round);
	if (v->dirty_rate)
		report_uint(o, "dirty_bytes_per_second", v->dirty_rate);
	if (v->estimated)
		report_uint(o, "downtime_estimate_ns", v->estimate_ns);
}

void progress_json_line(const struct progress *p, const struct progress_view *v,
			const struct cancel_waiting *waiting)
{
	_cleanup_(report_donep) struct json_object *o = progress_json_new(p, "progress");
	enum phase phase = (enum phase)atomic_load(&p->transfer->phase);
	struct progress_figures f;
	const struct progress_sample sum = progress_view_sum(v, &f);
	struct json_object *list;

	if (json_object_object_get_ex(o, "devices", &list))
		for (unsigned int i = 0; i < v->n; i++)
			progress_json_device(json_object_array_get_idx(list, i), &v->devices[i]);
	if (phase < PHASE_NR)
		report_string(o, "phase", phase_name(phase));
	if (progress_state(p))
		report_string(o, "state", progress_state(p));
	if (waiting->call == CANCEL_CALL_FIXED)
		progress_json_call(o, waiting, clock_ns() - waiting->since_ns);
	progress_json_figures(o, &sum, &f);
	progress_json_precopy(o, v);
	report_uint(o, "elapsed_ns", v->elapsed_ns);
	progress_json_put(p, o);
}
