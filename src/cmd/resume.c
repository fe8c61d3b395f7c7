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
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/watch.h"

struct cmd_resume_args {
	struct invocation *inv;
	struct cmd_devices devices;
	struct opt_list map, only;
	const char *report;
	struct device_options options;
	struct arc_retry retry;
	struct actions_options actions;
	struct load_options load;
	struct load_result result;
	struct cmd_after after;
	struct cmd_connection connection;
	bool run, stop, no_p2p, listen;
};

static void cmd_resume_parse(struct cmd_resume_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "raw", .flag = &a->load.raw, .doc = "FILE is a bare stream, not an image" },
		{ "run", .flag = &a->run,
		  .doc = "start the device even if no DMA is mapped for it" },
		{ "stop", .flag = &a->stop, .doc = "leave the device stopped" },
		{ "clone", .flag = &a->load.clone,
		  .doc = "start it even if the sender's device runs on, or may" },
		{ "no-hold", .flag = &a->after.no_hold,
		  .doc = "exit at once; for devices that keep their state" },
		{ "handover", .value = "PATH", .text = &a->after.handover,
		  .doc = "hand the device over to the holder that listens at PATH, and exit" },
		{ "background", .flag = &a->after.background,
		  .doc = "hold the device in the background: exit once it is loaded and held" },
		{ "pid-file", .value = "FILE", .text = &a->after.pid_path,
		  .doc = "of --background: the number of the process that holds" },
		{ "force-mismatch", .flag = &a->load.force_mismatch,
		  .doc = "load the state of another kind of device" },
		{ "map", .value = "SAVED=DEV", .list = &a->map,
		  .doc = "load device SAVED of the image (index or address) into DEV; several "
			 "times" },
		{ "only", .value = "SAVED", .list = &a->only,
		  .doc = "take this device of the image and no other; several times" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "no-p2p", .flag = &a->no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ "restore-config", .flag = &a->load.restore_config,
		  .doc = "restore PCI command and interrupt line, too, before the device may run" },
		{ "listen", .flag = &a->listen,
		  .doc = "FILE is a socket: receive from who connects to it" },
		{ "dry-run", .flag = &a->load.verify_only,
		  .doc = "verify the image, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->devices.args, .optional = true },
					{ 0 } };
	const char *program = a->inv->program;

	cmd_after_split(a->inv, &a->after, &argc, argv);
	cmd_parse(a->inv,
		  &(struct cmd_line){
			  .opts = opts,
			  .args = args,
			  .open = &a->options,
			  .retry = &a->retry,
			  .actions = &a->actions,
			  .connection = &a->connection,
		  },
		  argc, argv);
	if (a->stop && (a->run || a->load.clone))
		opts_misuse(program, "%s and --stop exclude each other",
			    a->run ? "--run" : "--clone");
	if (a->stop && a->actions.freeze_owner)
		opts_misuse(program, "--freeze-owner and --stop exclude each other: it would run "
				     "with its device stopped");
	if (a->load.raw && a->load.restore_config)
		opts_misuse(program, "--raw has nothing for --restore-config");
	if (a->connection.tls.creds && !a->listen)
		opts_misuse(program, "--tls-creds is for --listen");
	if (a->listen && a->load.verify_only)
		opts_misuse(program, "--listen and --dry-run exclude each other");
	if (a->load.raw && (a->map.n || a->only.n))
		opts_misuse(program, "--raw has nothing for %s", a->map.n ? "--map" : "--only");
	cmd_after_settle(a->inv, &a->after);
	if (cmd_after_acts(&a->after) && a->load.verify_only)
		opts_misuse(program, "--dry-run loads nothing that another process could have");
	if (a->actions.freeze_owner && cmd_after_passes(&a->after) && !a->run)
		opts_misuse(program,
			    "--freeze-owner and %s exclude each other without --run: the owner "
			    "would run with its device stopped",
			    a->after.handover ? "--handover" : "-- COMMAND");
	cmd_devices_split(a->inv, &a->devices);
	if (a->load.raw && a->devices.n > 1)
		opts_misuse(program, "--raw is of one device");
}

static void cmd_resume_settle(struct cmd_resume_args *a)
{
	struct load_options *load = &a->load;

	load->devs = a->devices.v;
	load->n = a->devices.n;
	load->device = &a->options;
	load->run_paused = a->run;
	a->options.owner_frozen = a->actions.freeze_owner || a->actions.script;
	load->actions = &a->actions;
	a->actions.file = a->devices.file;
	load->retry_ns = a->retry.budget_ns;
	load->p2p = !a->no_p2p;
	load->map = (struct load_map_options){
		.only = a->only.v,
		.n_only = (unsigned int)a->only.n,
		.pairs = a->map.v,
		.n_pairs = (unsigned int)a->map.n,
		.specs = a->devices.specs,
		.n = a->devices.n,
	};
}

static void cmd_resume_view_restored(FILE *f, struct json_object *report)
{
	static const struct report_row restored[] = {
		{ "register", "RESTORED", REPORT_TEXT },
		{ "before", "WAS", REPORT_TEXT },
		{ "after", "IS", REPORT_TEXT },
	};
	struct json_object *list;

	if (json_object_object_get_ex(report, "restored", &list))
		report_table(f, list, restored, ARRAY_SIZE(restored));
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

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_resume_view_restored(f, report);
	cmd_plan_view(f, report);
}

static void cmd_resume_render_restored(struct json_object *report, const struct config_restore *e)
{
	struct json_object *list, *o;

	if (!e->has)
		return;
	list = report_array(report, "restored");
	for (unsigned int i = 0; i < e->n; i++) {
		o = report_append(list);
		report_string(o, "register", e->changes[i].name);
		report_hex(o, "before", 2, e->changes[i].before);
		report_hex(o, "after", 2, e->changes[i].after);
	}
}

static void cmd_resume_render_device(struct json_object *o, const struct load_result *result,
				     unsigned int i)
{
	const struct member_result *m = &result->devices[i];
	const struct load_device *d = &result->loads[i];

	report_uint(o, "bytes", m->bytes);
	report_uint(o, "stream_ns", m->stream_ns);
	render_rate(o, m->bytes, m->stream_ns);
	report_bool(o, "accepted", d->accepted);
	cmd_resume_render_restored(o, &d->config);
	render_state_found(o, m->found, true);
	render_state_now(o, m->left, m->left_known);
	report_uint(o, "drain_retries", m->retries);
	render_arcs(o, &m->timeline, m->left);
	if (m->recovered)
		render_recovery(o, &m->recovery);
}

static void cmd_resume_render_plan(const struct cmd_resume_args *a, int r)
{
	const struct load_options *load = &a->load;
	struct json_object *report = a->inv->report;

	report_bool(report, "dry_run", true);
	report_bool(report, "verified", r >= 0 && !load->raw);
	for (unsigned int i = 0; i < load->n; i++) {
		struct json_object *o = render_object(report, load->n, i);

		render_fit(o, a->result.loads ? a->result.loads[i].fit : COMPAT_UNKNOWN);
		report_bool(o, "opening_resets", device_reset_by_open(load->devs[i]));
	}
}

static void cmd_resume_render(const struct cmd_resume_args *a, int r)
{
	const struct load_options *load = &a->load;
	const struct load_result *result = &a->result;
	struct json_object *o = a->inv->report;

	a->inv->acts = a->inv->moves_state = !load->verify_only;
	a->inv->outcome = result->verdict.outcome;
	a->inv->owner = load->verify_only ? OWNER_NONE : result->verdict.owner;
	render_devices(o, load->devs, load->n);
	report_name(o, "file", a->devices.file);
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
		cmd_resume_render_device(render_object(o, load->n, i), result, i);
}

/* A state lives as long as a process holds the device. */
static int cmd_resume_check_hold(const struct cmd_resume_args *a, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(&a->devices, &dev);

	if (a->after.kind != CMD_AFTER_EXIT || effect == CLOSE_KEEPS)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: --no-hold: %s, and the state is lost then",
		 device_name(dev), device_close_text(effect));
	return err_hint(err, -EOPNOTSUPP,
			"hold it elsewhere: --background, --handover=PATH; or name a device that "
			"is held already: hold:PATH, fd:N");
}

/* Why the device does not run, to follow "stopped". */
static const char *cmd_resume_why_stopped(const struct cmd_resume_args *a)
{
	if (a->result.copy)
		return ", as this is a copy: the sender's device runs on, or may (--clone starts "
		       "it all the same)";
	if (a->stop || a->result.verdict.status != HANDOVER_DONE || cmd_after_passes(&a->after))
		return "";
	return ", as no DMA is known to be mapped (--run starts it all the same)";
}

/* The service has started. A manager that does not hear it is no failure. */
static void cmd_resume_tell_manager(const struct cmd_resume_args *a, bool stopped)
{
	char reason[ERR_REASON_MAX], status[160];
	struct err err = { 0 };

	snprintf(status, sizeof(status), "%s: %s, held open", cmd_devices_title(&a->devices),
		 stopped ? "stopped" : "running");
	if (sd_notify_ready(status, &err) < 0)
		log_warn("%s%s", err.text, err_reason(&err, reason));
}

static int cmd_resume_hold(const struct cmd_resume_args *a, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(&a->devices, &dev);
	const char *why = device_close_text(effect);
	bool stopped = dev->mig->state == MIG_STOP;

	/* After a failure it is held for what may still be needed of it. */
	if (effect == CLOSE_KEEPS)
		why = a->result.verdict.status == HANDOVER_DONE && a->after.kind == CMD_AFTER_HOLD
			      ? "It keeps its state without that: --no-hold exits at once"
			      : NULL;
	if (a->inv->verbosity >= 0)
		console_print("%s: %s%s; held open until %s%s%s", cmd_devices_title(&a->devices),
			      stopped ? "stopped" : "running",
			      stopped ? cmd_resume_why_stopped(a) : "", session_ended_by(),
			      !why		      ? ""
			      : effect == CLOSE_KEEPS ? ". "
						      : ", because ",
			      why ? why : "");
	cmd_resume_tell_manager(a, stopped);
	return cmd_devices_hold(a->inv, &a->devices, err);
}

/*
 * The image of each sender is compared with the device. Ask the device for what sysfs does not know
 * of it now, before a source is stopped. Close it again: its server may serve another client
 * meanwhile.
 */
static int cmd_resume_look_at(struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	int r;

	if (device_opening(dev) == OPENING_MAY_RESET)
		return 0;
	r = device_open(dev, opts, err);
	r = r < 0 ? r : mig_query(dev->mig, err);
	device_close(dev);
	return r;
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

	for (unsigned int i = 0; i < a->devices.n; i++) {
		r = cmd_resume_look_at(a->devices.v[i], &a->options, err);
		if (r < 0)
			return r;
	}
	r = listener_open(uri, &a->connection.peer, &a->load.listener, err);
	if (r < 0)
		return r;
	if (a->inv->verbosity >= 0)
		console_print("%s: listening on %s", cmd_devices_title(&a->devices),
			      listener_name(a->load.listener));
	progress_event(progress, "listening", "address", listener_name(a->load.listener));
	cmd_resume_say_listening(listener_name(a->load.listener));
	return 0;
}

struct cmd_resume_work {
	const struct load_options *options;
	struct load_result *result;
	struct cancel *cancel;
};

static int cmd_resume_work(void *ctx, struct err *err)
{
	struct cmd_resume_work *w = ctx;

	return load_run(w->options, w->cancel, w->result, err);
}

static bool cmd_resume_all_kept(const struct cmd_devices *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (!device_is_kept(d->v[i]))
			return false;
	return true;
}

/* What stands in the way of the devices, as far as it can be told; the image is another matter. */
static int cmd_resume_plan(struct cmd_resume_args *a, struct err *err)
{
	const struct load_options *load = &a->load;
	int r;

	for (unsigned int i = 0; i < load->n; i++) {
		r = cmd_plan_check(load->devs[i], load->device, err);
		if (r < 0)
			return r;
		r = cmd_plan_adopt(load->devs[i], load->device, ADOPT_LOAD, err);
		if (r < 0)
			return r;
	}
	return cmd_plan_actions(a->inv->report, load->actions, load->devs, load->n, err);
}

/* What is passed on its new holder starts, once it has mapped the memory for it. */
static enum load_start cmd_resume_start(const struct cmd_resume_args *a)
{
	if (a->stop)
		return LOAD_STARTS_NONE;
	if (a->run)
		return LOAD_STARTS_ALL;
	return cmd_after_passes(&a->after) ? LOAD_STARTS_NONE : LOAD_STARTS_READY;
}

static int cmd_resume_prepare(struct cmd_resume_args *a, const struct progress *progress,
			      struct err *err)
{
	struct load_options *load = &a->load;

	load->start = cmd_resume_start(a);
	if (a->actions.freeze_owner &&
	    !load_start_any(load->start, load->devs, load->n, a->options.owner_frozen))
		return load_start_refuse(err);
	if (a->after.kind == CMD_AFTER_HOLD && cmd_resume_all_kept(&a->devices))
		a->after.kind = CMD_AFTER_EXIT;
	load->kept = a->after.kind == CMD_AFTER_EXIT;
	if (load->verify_only)
		return cmd_resume_plan(a, err);
	for (unsigned int i = 0; i < load->n; i++) {
		int r = device_check(load->devs[i], load->device, err);

		if (r < 0)
			return r;
	}
	return a->listen ? cmd_resume_listen_at(a, &load->uri, progress, err) : 0;
}

/*
 * A signal that came too late to abort means: do not stay. But not if that loses the only copy. To
 * pass it on is not to stay.
 */
static void cmd_resume_heed(struct cmd_resume_args *a)
{
	if (cmd_after_passes(&a->after) && a->result.accepted)
		return;
	if (!a->result.hold)
		a->after.kind = CMD_AFTER_EXIT;
	else if (a->after.kind != CMD_AFTER_EXIT)
		log_warn("%s: it was too late to stop: the state is here alone, and ending this "
			 "may lose it",
			 cmd_devices_title(&a->devices));
}

static int cmd_resume_resume(struct cmd_resume_args *a, struct err *err)
{
	struct cmd_watch watch;
	struct cmd_resume_work w = { &a->load, &a->result, &watch.cancel };
	int r;

	a->result.verdict =
		handover_gave_up(HANDOVER_STORED, HANDOVER_NOT_SAID, HANDOVER_IDLE, MIG_FATE_BACK);
	r = cmd_watch_begin(a->inv, &watch, &a->devices, &a->options, a->report, err);
	if (r < 0)
		return r;
	if (a->listen)
		watch.progress.timeout_ms = a->options.acquire.timeout_ms;
	a->load.events = &watch.events;
	a->load.transfer = &watch.transfer;
	r = cmd_resume_prepare(a, &watch.progress, err);
	r = r < 0 ? r : session_run(cmd_resume_work, &w, &watch.cancel, &watch.progress, err);
	if (atomic_load(&watch.cancel.requested))
		cmd_resume_heed(a);
	cmd_resume_render(a, r);
	a->load.events = NULL;
	a->load.transfer = NULL;
	return cmd_watch_end(&watch, &a->options, r, err);
}

static int cmd_resume_parse_input(struct cmd_resume_args *a, struct err *err)
{
	const char *text = a->devices.file;
	struct uri socket;
	int r;

	r = cmd_input(a->inv, text, a->listen ? URI_LISTEN : URI_PLAIN, &a->load.uri, err);
	if (r < 0 && !a->listen && uri_parse(text, URI_SOCKET, &socket, NULL) >= 0)
		err_hint(err, r,
			 "to wait for a sender there: --listen; a file of this name is file:%s",
			 text);
	return r < 0 ? cmd_hint_swapped(a->inv, a->devices.specs[0], text, r, err) : 0;
}

/* The input and the device, by name: nothing is opened. */
static int cmd_resume_find(struct cmd_resume_args *a, struct err *err)
{
	int r;

	r = cmd_resume_parse_input(a, err);
	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_SERVER, &a->load.uri, URI_LISTEN, err);
	if (r < 0)
		return r;
	a->connection.peer.timeout_ms = a->options.acquire.timeout_ms;
	/* Of another kind of FILE there may be a sender, which is not known yet. */
	if (a->load.uri.kind == URI_FILE)
		a->inv->owner = OWNER_NONE;
	r = cmd_devices_find(a->inv, &a->devices, &a->options, &a->load.uri, err);
	if (r < 0)
		return r;
	r = cmd_resume_check_hold(a, err);
	return r < 0 ? r : cmd_after_check(&a->after, &a->devices, err);
}

/* Keep a state that did not start, since there may be no other copy. Return: @r, why it did not. */
static int cmd_resume_hold_failed(const struct cmd_resume_args *a, int r, struct err *err)
{
	const struct progress progress = cmd_progress(a->inv, NULL, cmd_devices_title(&a->devices));
	struct err gone = { 0 };

	/* What is to be executed has the report before: then the failure is an event after it. */
	if (a->inv->show)
		a->inv->show(a->inv, r, err);
	else
		progress_event(&progress, "not-executed", "message", err->text);
	a->inv->say_error(a->inv, err);
	if (cmd_resume_hold(a, &gone) < 0) {
		*err = gone;
		a->inv->error_said = false;
	}
	return r;
}

/* A device that another process keeps is left stopped like one that is held here: say what next. */
static void cmd_resume_say_stopped(const struct cmd_resume_args *a)
{
	const struct cmd_devices *d = &a->devices;
	const char *title = cmd_devices_title(d), *why = cmd_resume_why_stopped(a);

	if (a->load.verify_only || a->inv->verbosity < 0 || (a->result.starts && !a->result.copy))
		return;
	if (a->after.kind == CMD_AFTER_GIVE)
		console_print("%s: stopped%s; to start it: vfiomigctl state hold:%s/%s running",
			      title, why, a->after.handover,
			      d->n > 1 ? "NAME" : device_name(d->v[0]));
	else if (*why && (a->result.copy || device_lacks_dma(d->v[0])))
		console_print("%s: stopped%s", title, why);
}

/*
 * An owner or lender that was to keep a device may have let it go since it was asked last. Return:
 * @r, or -ESRCH if all went well but for that; @ret_left: one has.
 */
static int cmd_resume_check_left(const struct cmd_resume_args *a, int r, bool *ret_left,
				 struct err *err)
{
	struct err why = { 0 };

	*ret_left = false;
	for (unsigned int i = 0; a->result.opened && i < a->devices.n; i++) {
		int left = device_check_kept(a->devices.v[i], &why);

		if (left >= 0)
			continue;
		*ret_left = true;
		if (r < 0)
			return r;
		err_classify(&why, ERR_DEVICE, left);
		err_note(&why, left, "the state that was loaded is in this process alone%s",
			 a->result.hold ? "" : ", and ends with it");
		*err = why;
		return left;
	}
	return r;
}

/* Loaded, and for another process. Return: as cmd_after_pass(), or what holding it here came to. */
static int cmd_resume_pass_on(struct cmd_resume_args *a, struct err *err)
{
	int r;

	r = cmd_after_pass(&a->after, a->inv, &a->devices, &a->options, &a->result, err);
	if (r < 0)
		return cmd_resume_hold_failed(a, r, err);
	if (r == CMD_AFTER_CHILD)
		return cmd_resume_hold(a, err);
	cmd_resume_say_stopped(a);
	return 0;
}

static int cmd_resume_resume_and_hold(struct cmd_resume_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	bool exits, left = false;
	int r;

	r = cmd_resume_find(a, err);
	if (r < 0)
		return r;
	r = cmd_resume_resume(a, err);
	exits = a->after.kind == CMD_AFTER_EXIT;
	if (exits)
		r = cmd_resume_check_left(a, r, &left, err);
	if (r < 0)
		return a->result.hold && (!exits || left) ? cmd_resume_hold_failed(a, r, err) : r;
	if (exits)
		cmd_resume_say_stopped(a);
	if (exits || a->load.verify_only)
		return r;
	if (a->after.kind != CMD_AFTER_HOLD)
		return cmd_resume_pass_on(a, err);
	/* A caller that waits for the result must have it before the wait begins. */
	inv->show(inv, r, err);
	return cmd_resume_hold(a, err);
}

static int cmd_resume_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_resume_args a = { .inv = inv };
	int r;

	cmd_resume_parse(&a, argc, argv);
	cmd_resume_settle(&a);
	inv->view = cmd_resume_view;
	r = cmd_resume_resume_and_hold(&a, err);
	cmd_after_done(&a.after);
	load_result_done(&a.result);
	cmd_devices_done(&a.devices);
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
