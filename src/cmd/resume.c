// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/sd-notify.h"
#include "engine/load.h"
#include "ui/session.h"
#include "cmd/after.h"
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "cmd/devices.h"
#include "cmd/loaded.h"
#include "cmd/objections.h"
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/watch.h"

struct cmd_resume_args {
	struct cmd_loaded l;
	const char *report;
	struct cmd_connection connection;
	bool listen;
};

static void cmd_resume_parse(struct cmd_resume_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "raw", .flag = &a->l.load.raw, .doc = "FILE is a bare stream, not an image" },
		{ "run", .flag = &a->l.run,
		  .doc = "start the device even if no DMA is mapped for it" },
		{ "stop", .flag = &a->l.stop, .doc = "leave the device stopped" },
		{ "clone", .flag = &a->l.load.clone,
		  .doc = "start it even if the sender's device runs on, or may" },
		{ "no-hold", .flag = &a->l.after.no_hold,
		  .doc = "exit at once; for devices that keep their state" },
		{ "handover", .value = "PATH", .text = &a->l.after.handover,
		  .doc = "hand the device over to the holder that listens at PATH, and exit" },
		{ "background", .flag = &a->l.after.background,
		  .doc = "hold the device in the background: exit once it is loaded and held" },
		{ "pid-file", .value = "FILE", .text = &a->l.after.pid_path,
		  .doc = "of --background: the number of the process that holds" },
		{ "force-mismatch", .flag = &a->l.load.force_mismatch,
		  .doc = "load the state of another kind of device" },
		{ "map", .value = "SAVED=DEV", .list = &a->l.map,
		  .doc = "load device SAVED of the image (index or address) into DEV; several "
			 "times" },
		{ "only", .value = "SAVED", .list = &a->l.only,
		  .doc = "take this device of the image and no other; several times" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "no-p2p", .flag = &a->l.no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ "restore-config", .flag = &a->l.load.restore_config,
		  .doc = "restore PCI command and interrupt line, too, before the device may run" },
		{ "listen", .flag = &a->listen,
		  .doc = "FILE is a socket: receive from who connects to it" },
		{ "dry-run", .flag = &a->l.load.verify_only,
		  .doc = "verify the image, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->l.devices.args, .optional = true },
					{ 0 } };
	const char *program = a->l.inv->program;

	cmd_after_split(a->l.inv, &a->l.after, &argc, argv);
	cmd_parse(a->l.inv,
		  &(struct cmd_line){
			  .opts = opts,
			  .args = args,
			  .open = &a->l.options,
			  .retry = &a->l.retry,
			  .actions = &a->l.actions,
			  .connection = &a->connection,
		  },
		  argc, argv);
	if (a->l.stop && (a->l.run || a->l.load.clone))
		opts_misuse(program, "%s and --stop exclude each other",
			    a->l.run ? "--run" : "--clone");
	if (a->l.stop && a->l.actions.freeze_owner)
		opts_misuse(program, "--freeze-owner and --stop exclude each other: it would run "
				     "with its device stopped");
	if (a->l.load.raw && a->l.load.restore_config)
		opts_misuse(program, "--raw has nothing for --restore-config");
	if (a->connection.tls.creds && !a->listen)
		opts_misuse(program, "--tls-creds is for --listen");
	if (a->listen && a->l.load.verify_only)
		opts_misuse(program, "--listen and --dry-run exclude each other");
	if (a->l.load.raw && (a->l.map.n || a->l.only.n))
		opts_misuse(program, "--raw has nothing for %s", a->l.map.n ? "--map" : "--only");
	cmd_after_settle(a->l.inv, &a->l.after);
	if (cmd_after_acts(&a->l.after) && a->l.load.verify_only)
		opts_misuse(program, "--dry-run loads nothing that another process could have");
	if (a->l.actions.freeze_owner && cmd_after_passes(&a->l.after) && !a->l.run)
		opts_misuse(program,
			    "--freeze-owner and %s exclude each other without --run: the owner "
			    "would run with its device stopped",
			    a->l.after.handover ? "--handover" : "-- COMMAND");
	cmd_devices_split(a->l.inv, &a->l.devices);
	if (a->l.load.raw && a->l.devices.n > 1)
		opts_misuse(program, "--raw is of one device");
}

static void cmd_resume_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "file", "file", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "state", "state now", REPORT_TEXT },
		{ "successor.command", "passed on to", REPORT_TEXT },
		{ "successor.socket", "handed over to", REPORT_TEXT },
		{ "successor.pid", "held by process", REPORT_TEXT },
		{ "verified", "verified", REPORT_TEXT },
		{ "fits", "fits the device", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "action_script", "would run", REPORT_TEXT },
	};
	struct json_object *list;

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_loaded_view_restored(f, report);
	cmd_plan_view(f, report);
	cmd_objections_view(f, report);
	if (json_object_object_get_ex(report, "devices", &list))
		for (size_t i = 0; i < json_object_array_length(list); i++)
			cmd_objections_view(f, json_object_array_get_idx(list, i));
}

static void cmd_resume_render_plan(const struct cmd_resume_args *a, int r)
{
	const struct load_options *load = &a->l.load;
	struct json_object *report = a->l.inv->report;

	report_bool(report, "dry_run", true);
	report_bool(report, "verified", r >= 0 && !load->raw);
	for (unsigned int i = 0; i < load->n; i++) {
		struct json_object *o = render_object(report, load->n, i);

		render_fit(o, a->l.result.loads ? a->l.result.loads[i].fit : COMPAT_UNKNOWN);
		report_bool(o, "opening_resets", device_reset_by_open(load->devs[i]));
	}
}

static void cmd_resume_render(const struct cmd_resume_args *a, int r)
{
	const struct load_options *load = &a->l.load;
	const struct load_result *result = &a->l.result;
	struct json_object *o = a->l.inv->report;

	a->l.inv->acts = a->l.inv->moves_state = !load->verify_only;
	a->l.inv->outcome = result->verdict.outcome;
	a->l.inv->owner = load->verify_only ? OWNER_NONE : result->verdict.owner;
	render_devices(o, load->devs, load->n);
	report_name(o, "file", a->l.devices.file);
	report_string(o, "format", load->raw ? "raw" : "image");
	if (result->info.major)
		render_image_info(o, &result->info,
				  result->receipt.accepted ? &result->receipt : NULL);
	if (load->verify_only)
		cmd_resume_render_plan(a, r);
	if (!result->opened)
		return;
	report_bool(o, "copy", result->copy);
	for (unsigned int i = 0; i < load->n; i++)
		cmd_loaded_render_device(render_object(o, load->n, i), result, i);
}

static void cmd_resume_say_listening(const char *where)
{
	char status[160];

	snprintf(status, sizeof(status), "listening on %s", where);
	if (sd_notify_status(status, NULL) < 0)
		log_debug("the service manager does not hear");
}

/* A sender needs to know the port, if the system chose it. */
static int cmd_resume_listen_at(struct cmd_resume_args *a, const struct uri *uri,
				const struct progress *progress, struct err *err)
{
	int r;

	r = cmd_loaded_look(&a->l, err);
	if (r < 0)
		return r;
	r = listener_open_soon(uri, &a->connection.peer, &a->l.load.listener, err);
	if (r < 0)
		return r;
	if (a->l.inv->verbosity >= 0)
		console_print("%s: listening on %s", cmd_devices_title(&a->l.devices),
			      listener_name(a->l.load.listener));
	transfer_rest(a->l.load.transfer);
	progress_event(progress, "listening", "address", listener_name(a->l.load.listener));
	cmd_resume_say_listening(listener_name(a->l.load.listener));
	return 0;
}

/* @objections: of a dry run, an object a device */
struct cmd_resume_work {
	const struct load_options *options;
	struct load_result *result;
	struct cancel *cancel;
	struct json_object *objections;
};

static int cmd_resume_object(struct cmd_resume_work *w, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; i < w->options->n && r >= 0; i++) {
		const struct cmd_objections q = {
			.uri = &w->options->uri,
			.dev = w->options->devs[i],
			.has_index = true,
			.index = w->result->loads[i].saved,
		};

		r = cmd_objections_add(report_append(w->objections), &q, w->cancel, err);
	}
	return r;
}

static int cmd_resume_work(void *ctx, struct err *err)
{
	struct cmd_resume_work *w = ctx;
	int r = load_run(w->options, w->cancel, w->result, err);

	if (r < 0 || !w->options->verify_only || w->options->raw || !w->result->loads)
		return r;
	return cmd_resume_object(w, err);
}

/* The report's objects of the devices are made after the work. */
static void cmd_resume_render_objections(struct json_object *report, unsigned int n,
					 struct json_object *objections)
{
	struct json_object *list;

	for (size_t i = 0; i < json_object_array_length(objections); i++)
		if (json_object_object_get_ex(json_object_array_get_idx(objections, i),
					      "objections", &list))
			json_object_object_add(render_object(report, n, (unsigned int)i),
					       "objections", json_object_get(list));
}

static int cmd_resume_prepare(struct cmd_resume_args *a, const struct progress *progress,
			      struct err *err)
{
	int r = cmd_loaded_prepare(&a->l, err);

	return r < 0 || !a->listen ? r : cmd_resume_listen_at(a, &a->l.load.uri, progress, err);
}

static int cmd_resume_resume(struct cmd_resume_args *a, struct err *err)
{
	struct cmd_watch watch;
	struct cmd_resume_work w = { &a->l.load, &a->l.result, &watch.cancel, NULL };
	int r;

	a->l.result.verdict =
		handover_gave_up(HANDOVER_STORED, HANDOVER_NOT_SAID, HANDOVER_IDLE, MIG_FATE_BACK);
	r = cmd_watch_begin(a->l.inv, &watch, &a->l.devices, &a->l.options, a->report, err);
	if (r < 0)
		return r;
	if (a->listen)
		watch.progress.timeout_ms = a->l.options.acquire.timeout_ms;
	a->l.load.events = &watch.events;
	a->l.load.transfer = &watch.transfer;
	r = cmd_resume_prepare(a, &watch.progress, err);
	w.objections = json_object_new_array();
	r = r < 0 ? r : session_run(cmd_resume_work, &w, &watch.cancel, &watch.progress, err);
	if (atomic_load(&watch.cancel.requested))
		cmd_loaded_heed(&a->l);
	cmd_resume_render(a, r);
	cmd_resume_render_objections(a->l.inv->report, a->l.load.n, w.objections);
	json_object_put(w.objections);
	a->l.load.events = NULL;
	a->l.load.transfer = NULL;
	return cmd_watch_end(&watch, &a->l.options, r, err);
}

static int cmd_resume_parse_input(struct cmd_resume_args *a, struct err *err)
{
	const char *text = a->l.devices.file;
	struct uri socket;
	int r;

	r = cmd_input(a->l.inv, text, a->listen ? URI_LISTEN : URI_PLAIN, &a->l.load.uri, err);
	if (r < 0 && !a->listen && uri_parse(text, URI_SOCKET, &socket, NULL) >= 0)
		err_hint(err, r,
			 "to wait for a sender there: --listen; a file of this name is file:%s",
			 text);
	return r < 0 ? cmd_hint_swapped(a->l.inv, a->l.devices.specs[0], text, r, err) : 0;
}

/* The input and the device, by name: nothing is opened. */
static int cmd_resume_find(struct cmd_resume_args *a, struct err *err)
{
	int r;

	r = cmd_resume_parse_input(a, err);
	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_SERVER, &a->l.load.uri, URI_LISTEN, err);
	if (r < 0)
		return r;
	a->connection.peer.timeout_ms = a->l.options.acquire.timeout_ms;
	/* Of another kind of FILE there may be a sender, which is not known yet. */
	if (a->l.load.uri.kind == URI_FILE)
		a->l.inv->owner = OWNER_NONE;
	r = cmd_devices_find(a->l.inv, &a->l.devices, &a->l.options, &a->l.load.uri, err);
	if (r < 0)
		return r;
	return cmd_loaded_check(&a->l, err);
}

static int cmd_resume_resume_and_hold(struct cmd_resume_args *a, struct err *err)
{
	int r = cmd_resume_find(a, err);

	if (r < 0)
		return r;
	r = cmd_resume_resume(a, err);
	return cmd_loaded_finish(&a->l, r, err);
}

static int cmd_resume_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_resume_args a = { .l.inv = inv };
	int r;

	cmd_resume_parse(&a, argc, argv);
	cmd_loaded_settle(&a.l);
	inv->view = cmd_resume_view;
	r = cmd_resume_resume_and_hold(&a, err);
	cmd_loaded_done(&a.l);
	cmd_connection_done(&a.connection);
	return r;
}

const struct command cmd_resume = {
	.name = "resume",
	.args_doc = "DEV... FILE",
	.more_doc = "[-- COMMAND [ARG...]]",
	.summary = "load a state into devices, start them, hold them",
	.doc = "Load a state from FILE into a device, or that of a set into several, have the "
	       "drivers verify it, start the devices and keep them open.\v"
	       "The image's devices go into those named, in the order of both, or as --map says. "
	       "FILE is a path, file:PATH, -, fd:N or exec:CMD; with --listen it is fd:N, "
	       "unix:PATH, tcp:HOST:PORT or vsock:CID:PORT. A PCI function that this command "
	       "opens itself, or that is lent, has no DMA mapped: it is left stopped unless --run "
	       "is given. It would be reset once no process holds it, so it is held until SIGINT, "
	       "SIGTERM or SIGHUP; or COMMAND is executed with its descriptors.",
	.run = cmd_resume_run,
};
