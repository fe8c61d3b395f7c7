// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "engine/save.h"
#include "transport/output.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "cmd/devices.h"
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/source.h"
#include "cmd/watch.h"

enum {
	LEAVE_FOUND,
	LEAVE_STOP
};
static const char *const cmd_save_leave_words[] = { "found", "stop" };

struct cmd_save_args {
	struct invocation *inv;
	struct cmd_devices devices;
	struct device_options options;
	struct arc_retry retry;
	struct actions_options actions;
	struct cmd_connection connection;
	struct save_options save;
	struct cmd_source source;
	const char *report;
	unsigned int leave;
	bool dry_run;
};

static void cmd_save_settle(struct cmd_save_args *a)
{
	struct save_options *s = &a->save;

	if (a->actions.freeze_owner && a->leave == LEAVE_STOP)
		opts_misuse(a->inv->program,
			    "--freeze-owner and --leave=stop exclude each other: it would "
			    "run with its device stopped");
	cmd_devices_split(a->inv, &a->devices);
	s->source.leave_stopped = a->leave == LEAVE_STOP;
	cmd_source_settle(a->inv, &a->source, &a->devices, &a->options, &a->retry, &a->actions);
	if (s->source.raw && a->devices.n > 1)
		opts_misuse(a->inv->program, "--raw is of one device");
	a->connection.peer.timeout_ms = a->options.acquire.timeout_ms;
}

/* Options of its own. */
#define CMD_SAVE_OPTS 5

static void cmd_save_parse(struct cmd_save_args *a, int argc, char **argv)
{
	struct opt opts[CMD_SAVE_OPTS + CMD_SOURCE_OPTS + 1] = {
		{ "raw", .flag = &a->save.source.raw,
		  .doc = "write the bare stream and nothing else" },
		{ "force", .flag = &a->save.force, .doc = "replace FILE if it exists" },
		{ "leave", .value = "STATE", .choice = &a->leave, OPT_WORDS(cmd_save_leave_words),
		  .doc = "found (default): as it was; stop: stopped" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->devices.args, .optional = true },
					{ 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
		.actions = &a->actions,
		.connection = &a->connection,
	};

	cmd_source_opts(&opts[CMD_SAVE_OPTS], &a->source);
	cmd_parse(a->inv, &line, argc, argv);
	cmd_save_settle(a);
}

/*
 * The report
 */

static void cmd_save_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "file", "file", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "file_bytes", "file size", REPORT_BYTES_EXACT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "sha256", "sha256", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS_IF_ANY },
		{ "skew_ns", "stopped within", REPORT_NS },
		{ "downtime_estimate_ns", "expected downtime", REPORT_NS },
		{ "state", "state now", REPORT_TEXT },
		{ "expected_bytes", "expected", REPORT_BYTES_EXACT },
		{ "free_bytes", "free", REPORT_BYTES_EXACT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "action_script", "would run", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_plan_view(f, report);
}

static void cmd_save_render(struct invocation *inv, const struct save_options *s,
			    const struct save_result *result)
{
	struct json_object *o = inv->report;

	inv->acts = inv->moves_state = true;
	inv->outcome = result->verdict.outcome;
	inv->owner = result->verdict.owner;
	render_devices(o, s->source.devs, s->source.n);
	report_name(o, "file", s->uri.text);
	report_string(o, "format", s->source.raw ? "raw" : "image");
	if (!result->source.started)
		return;
	report_uint(o, "file_bytes", result->published ? result->source.written : 0);
	cmd_source_render(o, &s->source, &result->source);
}

/* A device that is open already (fd:N) can be asked; others would have to be opened. */
static int cmd_save_plan_room(struct json_object *o, const struct save_options *s, struct err *err)
{
	struct save_room room;
	int r;

	r = cmd_source_plan_adopt(&s->source, err);
	if (r < 0)
		return r;
	r = save_check_room(s, &room, err);
	if (room.expected_known)
		report_uint(o, "expected_bytes", room.expected);
	else
		report_null(o, "expected_bytes");
	if (room.free_known)
		report_uint(o, "free_bytes", room.free);
	return r;
}

/* Nothing is opened, so what stands in the way is told as far as names and debugfs tell it. */
static int cmd_save_plan(struct invocation *inv, const struct save_options *s, struct err *err)
{
	int r;

	report_name(inv->report, "file", s->uri.text);
	report_string(inv->report, "format", s->source.raw ? "raw" : "image");
	r = cmd_source_plan(inv->report, &s->source, err);
	if (r < 0)
		return r;
	if (s->uri.kind & URI_SOCKET)
		r = peer_check(&s->uri, &s->peer, err);
	else
		r = output_check(&s->uri, s->force, err);
	if (r < 0)
		return r;
	r = cmd_plan_actions(inv->report, s->source.actions, s->source.devs, s->source.n, err);
	if (r < 0)
		return r;
	r = cmd_save_plan_room(inv->report, s, err);
	if (r < 0)
		return r;
	inv->owner = OWNER_SOURCE;
	return 0;
}

struct cmd_save_work {
	const struct save_options *options;
	struct save_result result;
	struct cancel *cancel;
};

static int cmd_save_work(void *ctx, struct err *err)
{
	struct cmd_save_work *w = ctx;

	return save_run(w->options, w->cancel, &w->result, err);
}

static int cmd_save_save(struct cmd_save_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	struct save_options *s = &a->save;
	struct cmd_watch watch;
	struct cmd_save_work w = { .options = s, .cancel = &watch.cancel };
	int r;

	w.result.verdict =
		handover_sender_verdict(HANDOVER_STORED, HANDOVER_FAILED, false, MIG_FATE_BACK);
	r = cmd_watch_begin(inv, &watch, &a->devices, &a->options, a->report, err);
	if (r < 0)
		return r;
	if (s->uri.kind & URI_SOCKET)
		watch.progress.timeout_ms = s->peer.timeout_ms;
	s->source.events = &watch.events;
	r = session_run(cmd_save_work, &w, &watch.cancel, &watch.progress, err);
	cmd_save_render(inv, s, &w.result);
	s->source.events = NULL;
	r = cmd_watch_end(&watch, &a->options, r, err);
	if (w.result.verdict.status == HANDOVER_IN_DOUBT)
		cmd_source_hold(inv, &a->devices, r, err);
	save_result_done(&w.result);
	return r;
}

static int cmd_save_plan_or_save(struct cmd_save_args *a, struct err *err)
{
	int r = cmd_devices_find(a->inv, &a->devices, &a->options, &a->save.uri, err);

	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_CLIENT, &a->save.uri, URI_SOCKET, err);
	if (r < 0)
		return r;
	a->save.peer = a->connection.peer;
	return a->dry_run ? cmd_save_plan(a->inv, &a->save, err) : cmd_save_save(a, err);
}

static int cmd_save_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_save_args a = {
		.inv = inv,
		.source.options = &a.save.source,
	};
	struct save_options *s = &a.save;
	int r;

	cmd_save_parse(&a, argc, argv);
	r = cmd_output(inv, a.devices.file, URI_PLAIN | URI_SOCKET, &s->uri, err);
	if (r < 0)
		return cmd_hint_swapped(inv, a.devices.specs[0], a.devices.file, r, err);
	inv->view = cmd_save_view;
	/* What goes into a file alone runs nowhere else until this has ended well. */
	a.options.returns = s->uri.kind == URI_FILE && !s->source.leave_stopped;
	r = cmd_save_plan_or_save(&a, err);
	cmd_devices_done(&a.devices);
	cmd_connection_done(&a.connection);
	image_labels_done(&s->source.labels);
	return r;
}

const struct command cmd_save = {
	.name = "save",
	.args_doc = "DEV... FILE",
	.summary = "stream the state of devices to a file",
	.doc = "Save a device's state to FILE, or that of several devices as one consistent set.\v"
	       "The devices are stopped, their streams written, and the devices returned to where "
	       "they were: none is stopped before all are P2P-quiescent, and none runs in full "
	       "before all can answer. DEV is a PCI address, an mdev's UUID, vfioN, "
	       "/dev/vfio/devices/vfioN, a sysfs path, fd:N, or vfio-user:PATH. FILE is a path, "
	       "file:PATH, -, fd:N, exec:CMD, unix:PATH, tcp:HOST:PORT or vsock:CID:PORT; the last "
	       "three are sockets of a resume --listen, which has the last word. A path gets its "
	       "file only when all of it is there and synced.",
	.run = cmd_save_run,
};
