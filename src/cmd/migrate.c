// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/macros.h"
#include "base/units.h"
#include "engine/migrate.h"
#include "transport/channel.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "cmd/devices.h"
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/source.h"
#include "cmd/watch.h"

#define RETRIES_MAX 1000

struct cmd_migrate_args {
	struct invocation *inv;
	struct cmd_devices devices;
	struct device_options options;
	struct arc_retry retry;
	struct actions_options actions;
	struct cmd_connection connection;
	struct migrate_options migrate;
	struct cmd_source source;
	const char *report;
	uint64_t retries;
	bool dry_run;
};

static void cmd_migrate_settle(struct cmd_migrate_args *a)
{
	struct migrate_options *m = &a->migrate;

	if (a->dry_run && m->check_only)
		opts_misuse(a->inv->program, "--dry-run and --check-only exclude each other");
	cmd_devices_split(a->inv, &a->devices);
	m->source.leave_stopped = true;
	cmd_source_settle(a->inv, &a->source, &a->devices, &a->options, &a->retry, &a->actions);
	m->retries = (unsigned int)a->retries;
	a->connection.peer.timeout_ms = a->options.acquire.timeout_ms;
	m->break_max_ns = UINT64_MAX;
	if (a->source.limit_given)
		m->break_max_ns = m->source.converge.policy.downtime_limit_ns;
}

/* Options of its own. */
#define CMD_MIGRATE_OPTS 5

static void cmd_migrate_parse(struct cmd_migrate_args *a, int argc, char **argv)
{
	struct opt opts[CMD_MIGRATE_OPTS + CMD_SOURCE_OPTS + 1] = {
		{ "check-only", .flag = &a->migrate.check_only,
		  .doc = "ask the other end whether it would take them, and touch nothing" },
		{ "dry-run", .flag = &a->dry_run,
		  .doc = "say what would be done, open and connect to nothing" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "retries", .value = "N", .number = &a->retries, .max = RETRIES_MAX,
		  .doc = "connect again, N times, when the channel breaks before all has arrived "
			 "(0)" },
		{ "state-dir", .value = "DIR", .text = &a->migrate.state_dir,
		  .doc = "keep the record of the transaction in DIR" },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->devices.args, .optional = true },
					{ 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
		.actions = &a->actions,
		.stays_stopped = true,
		.connection = &a->connection,
	};

	cmd_source_opts(&opts[CMD_MIGRATE_OPTS], &a->source);
	cmd_parse(a->inv, &line, argc, argv);
	cmd_migrate_settle(a);
}

/*
 * The report
 */

static void cmd_migrate_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "peer", "to", REPORT_TEXT },
		{ "txid", "transaction", REPORT_TEXT },
		{ "answer.devices.0.here", "goes to", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "sent_bytes", "sent", REPORT_BYTES_EXACT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "sha256", "sha256", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS_IF_ANY },
		{ "skew_ns", "stopped within", REPORT_NS },
		{ "downtime_estimate_ns", "expected downtime", REPORT_NS },
		{ "state", "state now", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "action_script", "would run", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_plan_view(f, report);
}

static void cmd_migrate_render_taker(struct json_object *o, const struct verdict_device *d)
{
	struct json_object *list;

	report_string(o, "saved", d->saved);
	report_string(o, "here", d->here);
	list = report_array(o, "differences");
	for (size_t i = 0; i < d->n_differences; i++) {
		struct json_object *row = report_append(list);

		report_string(row, "field", d->differences[i].field);
		report_string(row, "saved", d->differences[i].saved);
		report_string(row, "here", d->differences[i].here);
		report_bool(row, "vital", d->differences[i].vital);
	}
}

/* "answer": what the other end says of the devices that it was offered. */
static void cmd_migrate_render_answer(struct json_object *report, const struct verdict *v)
{
	struct json_object *o = report_object(report, "answer"), *list;

	report_bool(o, "accepted", v->accepted);
	report_string(o, "reason", v->reason);
	list = report_array(o, "devices");
	for (size_t i = 0; i < v->n_devices; i++)
		cmd_migrate_render_taker(report_append(list), &v->devices[i]);
}

static void cmd_migrate_render(struct invocation *inv, const struct migrate_options *m,
			       const struct migrate_result *result)
{
	struct json_object *o = inv->report;

	inv->acts = inv->moves_state = true;
	inv->outcome = result->verdict.outcome;
	inv->owner = result->verdict.owner;
	render_devices(o, m->source.devs, m->source.n);
	report_name(o, "peer", m->uri.text);
	if (m->check_only)
		report_bool(o, "check_only", true);
	if (!result->started)
		return;
	report_octets(o, "txid", result->txid, sizeof(result->txid));
	report_string(o, "move_state", move_state_name(result->state));
	report_uint(o, "reconnects", result->tries);
	if (result->answered)
		cmd_migrate_render_answer(o, &result->answer);
	if (!result->source.started || m->check_only)
		return;
	report_uint(o, "sent_bytes", result->source.written);
	cmd_source_render(o, &m->source, &result->source);
	/* Until they run there: what the arcs of this end tell goes no further than its own. */
	if (result->downtime_ns)
		report_uint(o, "downtime_ns", result->downtime_ns);
}

static int cmd_migrate_plan(struct invocation *inv, const struct migrate_options *m,
			    struct err *err)
{
	int r;

	report_name(inv->report, "peer", m->uri.text);
	r = cmd_source_plan(inv->report, &m->source, err);
	if (r < 0)
		return r;
	r = m->uri.kind & URI_SOCKET ? peer_check(&m->uri, &m->peer, err) : 0;
	if (r < 0)
		return r;
	r = cmd_plan_actions(inv->report, m->source.actions, m->source.devs, m->source.n, err);
	if (r < 0)
		return r;
	r = cmd_source_plan_adopt(&m->source, err);
	if (r < 0)
		return r;
	inv->owner = OWNER_SOURCE;
	return 0;
}

struct cmd_migrate_work {
	const struct migrate_options *options;
	struct migrate_result result;
	struct cancel *cancel;
};

static int cmd_migrate_work(void *ctx, struct err *err)
{
	struct cmd_migrate_work *w = ctx;

	return migrate_run(w->options, w->cancel, &w->result, err);
}

static int cmd_migrate_migrate(struct cmd_migrate_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	struct migrate_options *m = &a->migrate;
	struct cmd_watch watch;
	struct cmd_migrate_work w = { .options = m, .cancel = &watch.cancel };
	int r;

	w.result.verdict =
		handover_sender_verdict(HANDOVER_ANSWERED, HANDOVER_FAILED, false, MIG_FATE_BACK);
	r = cmd_watch_begin(inv, &watch, &a->devices, &a->options, a->report, err);
	if (r < 0)
		return r;
	watch.progress.timeout_ms = m->peer.timeout_ms;
	m->source.events = &watch.events;
	r = session_run(cmd_migrate_work, &w, &watch.cancel, &watch.progress, err);
	cmd_migrate_render(inv, m, &w.result);
	m->source.events = NULL;
	r = cmd_watch_end(&watch, &a->options, r, err);
	if (w.result.verdict.status == HANDOVER_IN_DOUBT)
		cmd_source_hold(inv, &a->devices, r, err);
	migrate_result_done(&w.result);
	return r;
}

static int cmd_migrate_plan_or_migrate(struct cmd_migrate_args *a, struct err *err)
{
	int r = cmd_devices_find(a->inv, &a->devices, &a->options, &a->migrate.uri, err);

	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_CLIENT, &a->migrate.uri, URI_SOCKET, err);
	if (r < 0)
		return r;
	a->migrate.peer = a->connection.peer;
	return a->dry_run ? cmd_migrate_plan(a->inv, &a->migrate, err)
			  : cmd_migrate_migrate(a, err);
}

static int cmd_migrate_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_migrate_args a = {
		.inv = inv,
		.source.options = &a.migrate.source,
	};
	int r;

	cmd_migrate_parse(&a, argc, argv);
	r = cmd_output(inv, a.devices.file, URI_CHANNEL, &a.migrate.uri, err);
	if (r < 0)
		return cmd_hint_swapped(inv, a.devices.specs[0], a.devices.file, r, err);
	inv->view = cmd_migrate_view;
	r = cmd_migrate_plan_or_migrate(&a, err);
	cmd_devices_done(&a.devices);
	cmd_connection_done(&a.connection);
	image_labels_done(&a.migrate.source.labels);
	return r;
}

const struct command cmd_migrate = {
	.name = "migrate",
	.args_doc = "DEV... URI",
	.summary = "move devices' state to another host",
	.doc = "Move the state of devices to the receive that is at URI, on another host.\v"
	       "Both ends agree on the devices before any is touched, and on what has arrived "
	       "before it is decided that it runs there: at no moment can both run. The devices "
	       "here then stay stopped; if anything fails before that they run on. URI is "
	       "tcp:HOST:PORT, vsock:CID:PORT, unix:PATH, exec:CMD (exec:ssh HOST vfiomigctl "
	       "receive DEV -), fd:N or -.",
	.run = cmd_migrate_run,
};
