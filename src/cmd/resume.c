// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/load.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/render.h"

struct cmd_resume_args {
	struct invocation *inv;
	const char *spec, *file;
	struct device_options options;
	struct arc_retry retry;
	struct load_options load;
	struct load_result result;
	bool run, stop, no_hold, listen, insecure;
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
		{ "no-hold", .flag = &a->no_hold,
		  .doc = "exit at once; for devices that keep their state" },
		{ "force-mismatch", .flag = &a->load.force_mismatch,
		  .doc = "load the state of another kind of device" },
		{ "restore-config", .flag = &a->load.restore_config,
		  .doc = "restore PCI command and interrupt line, too, before the device may run" },
		{ "listen", .flag = &a->listen,
		  .doc = "FILE is a socket: receive from who connects to it" },
		{ "insecure", .flag = &a->insecure, .doc = "use TCP or vsock, or hear any user" },
		{ "dry-run", .flag = &a->load.verify_only,
		  .doc = "verify the image, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a->spec },
					{ "FILE", .text = &a->file },
					{ 0 } };
	const char *program = a->inv->program;

	cmd_parse(a->inv,
		  &(struct cmd_line){
			  .opts = opts,
			  .args = args,
			  .open = &a->options,
			  .retry = &a->retry,
		  },
		  argc, argv);
	if (a->stop && (a->run || a->load.clone))
		opts_misuse(program, "%s and --stop exclude each other",
			    a->run ? "--run" : "--clone");
	if (a->load.raw && a->load.restore_config)
		opts_misuse(program, "--raw has nothing for --restore-config");
	if (a->listen && a->load.verify_only)
		opts_misuse(program, "--listen and --dry-run exclude each other");
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
		{ "verified", "verified", REPORT_TEXT },
		{ "fits", "fits the device", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
	};

	static const struct report_row restored[] = {
		{ "register", "RESTORED", REPORT_TEXT },
		{ "before", "WAS", REPORT_TEXT },
		{ "after", "IS", REPORT_TEXT },
	};
	struct json_object *list;

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (json_object_object_get_ex(report, "restored", &list))
		report_table(f, list, restored, ARRAY_SIZE(restored));
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

static void cmd_resume_render(const struct cmd_resume_args *a, int r)
{
	const struct load_options *load = &a->load;
	const struct load_result *result = &a->result;
	struct json_object *o = a->inv->report;

	a->inv->acts = a->inv->moves_state = !load->verify_only;
	a->inv->outcome = result->verdict.outcome;
	a->inv->owner = load->verify_only ? OWNER_NONE : result->verdict.owner;
	render_device(o, load->dev);
	report_name(o, "file", a->file);
	report_string(o, "format", load->raw ? "raw" : "image");
	if (result->info.major)
		render_image_info(o, &result->info,
				  result->receipt.accepted ? &result->receipt : NULL);
	if (load->verify_only) {
		report_bool(o, "dry_run", true);
		report_bool(o, "verified", r >= 0 && !load->raw);
		render_fit(o, result->fit);
		report_bool(o, "opening_resets", device_reset_by_open(load->dev));
	}
	if (!result->opened)
		return;
	report_uint(o, "bytes", result->bytes);
	report_uint(o, "stream_ns", result->stream_ns);
	render_rate(o, result->bytes, result->stream_ns);
	report_bool(o, "accepted", result->accepted);
	report_bool(o, "copy", result->copy);
	cmd_resume_render_restored(o, &result->config);
	render_state_found(o, result->found, true);
	render_state_now(o, result->left, result->left_known);
	report_uint(o, "drain_retries", result->retries);
	render_arcs(o, &result->timeline, result->left);
	if (result->recovered)
		render_recovery(o, &result->recovery);
}

/* A state lives as long as a process holds the device. */
static int cmd_resume_check_hold(const struct cmd_resume_args *a, struct err *err)
{
	const struct device *dev = a->load.dev;
	enum close_effect effect = device_close_effect(dev);

	if (!a->no_hold || effect == CLOSE_KEEPS)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: --no-hold: %s, and the state is lost then",
		 device_name(dev), device_close_text(effect));
	return err_hint(err, -EOPNOTSUPP, "leave out --no-hold, or hand over an open fd (fd:N)");
}

/* Why the device does not run, to follow "stopped". */
static const char *cmd_resume_why_stopped(const struct cmd_resume_args *a)
{
	if (a->result.copy)
		return ", as this is a copy: the sender's device runs on, or may (--clone starts "
		       "it all the same)";
	if (a->stop || a->result.verdict.status != HANDOVER_DONE)
		return "";
	return ", as no DMA is mapped (--run starts it all the same)";
}

static int cmd_resume_attend(void *dev, struct err *err)
{
	return mig_attend(dev, err);
}

static int cmd_resume_hold(const struct cmd_resume_args *a, struct err *err)
{
	const struct device *dev = a->load.dev;
	const struct session_held held = {
		.fd = mig_watch_fd(dev->mig),
		.attend = cmd_resume_attend,
		.ctx = dev->mig,
	};
	bool stopped = a->result.left == MIG_STOP;
	enum close_effect effect = device_close_effect(dev);
	const char *why = device_close_text(effect);
	int r;

	if (effect == CLOSE_KEEPS)
		why = "It keeps its state without that: --no-hold exits at once";
	if (a->inv->verbosity >= 0)
		console_print("%s: %s%s; held open until %s%s%s", device_name(dev),
			      stopped ? "stopped" : "running",
			      stopped ? cmd_resume_why_stopped(a) : "", session_ended_by(),
			      effect == CLOSE_KEEPS ? ". " : ", because ", why);
	r = session_hold(&held, cmd_status(a->inv), err);
	if (r == -ECONNRESET)
		return err_fail(err, ERR_DEVICE, r, "%s: its server is gone, and the state with it",
				device_name(dev));
	return r;
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

	if (!dev->socket && dev->inherited < 0)
		return 0;
	r = device_open(dev, opts, err);
	r = r < 0 ? r : mig_query(dev->mig, err);
	device_close(dev);
	return r;
}

/* A sender needs to know the port, if the system chose it. */
static int cmd_resume_listen_at(struct cmd_resume_args *a, const struct uri *uri,
				const struct progress *progress, struct err *err)
{
	const struct peer_options opts = {
		.timeout_ms = a->options.acquire.timeout_ms,
		.insecure = a->insecure,
	};
	int r;

	r = cmd_resume_look_at(a->load.dev, &a->options, err);
	if (r < 0)
		return r;
	r = listener_open(uri, &opts, &a->load.listener, err);
	if (r < 0)
		return r;
	if (a->inv->verbosity >= 0)
		console_print("%s: listening on %s", device_name(a->load.dev),
			      listener_name(a->load.listener));
	progress_event(progress, "listening", "address", listener_name(a->load.listener));
	return 0;
}

struct cmd_resume_work {
	const struct load_options *options;
	struct load_result *result;
	struct cancel cancel;
	struct transfer transfer;
};

static int cmd_resume_work(void *ctx, struct err *err)
{
	struct cmd_resume_work *w = ctx;

	return load_run(w->options, &w->cancel, &w->transfer, w->result, err);
}

static int cmd_resume_prepare(struct cmd_resume_args *a, const struct progress *progress,
			      struct err *err)
{
	struct load_options *load = &a->load;
	int r;

	load->device = &a->options;
	load->retry_ns = a->retry.budget_ns;
	load->run = !a->stop && (a->run || !device_opened_here(load->dev));
	r = device_check(load->dev, load->device, err);
	if (r < 0 || !a->listen)
		return r;
	return cmd_resume_listen_at(a, &load->uri, progress, err);
}

/* A signal that came too late to abort means: do not stay. But not if that loses the only copy. */
static void cmd_resume_heed(struct cmd_resume_args *a)
{
	if (!a->result.hold)
		a->no_hold = true;
	else if (!a->no_hold)
		log_warn("%s: it was too late to stop: the state is here alone, and ending this "
			 "may lose it",
			 device_name(a->load.dev));
}

static int cmd_resume_resume(struct cmd_resume_args *a, struct err *err)
{
	struct cmd_resume_work w = { .options = &a->load, .result = &a->result };
	struct device *dev = a->load.dev;
	struct progress progress = cmd_progress(a->inv, &w.transfer, device_name(dev));
	int r;

	if (a->listen || dev->socket)
		progress.timeout_ms = a->options.acquire.timeout_ms;
	a->result.verdict =
		handover_gave_up(HANDOVER_STORED, HANDOVER_NOT_SAID, HANDOVER_IDLE, MIG_FATE_BACK);
	r = cancel_init(&w.cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &w.cancel;
	w.cancel.call_timeout_ms = device_call_timeout(dev, &a->options);
	transfer_start(&w.transfer);
	r = cmd_resume_prepare(a, &progress, err);
	r = r < 0 ? r : session_run(cmd_resume_work, &w, &w.cancel, &progress, err);
	if (atomic_load(&w.cancel.requested))
		cmd_resume_heed(a);
	cmd_resume_render(a, r);
	a->options.cancel = NULL;
	cancel_done(&w.cancel);
	return r;
}

static int cmd_resume_parse_input(struct cmd_resume_args *a, struct err *err)
{
	const char *text = a->file;
	struct uri socket;
	int r;

	r = cmd_input(a->inv, text, a->listen ? URI_LISTEN : URI_PLAIN, &a->load.uri, err);
	if (r < 0 && !a->listen && uri_parse(text, URI_SOCKET, &socket, NULL) >= 0)
		err_hint(err, r,
			 "to wait for a sender there: --listen; a file of this name is file:%s",
			 text);
	return r < 0 ? cmd_hint_swapped(a->inv, a->spec, text, r, err) : 0;
}

/* The input and the device, by name: nothing is opened. */
static int cmd_resume_find(struct cmd_resume_args *a, struct err *err)
{
	int r;

	r = cmd_resume_parse_input(a, err);
	if (r < 0)
		return r;
	r = cmd_find_device(a->inv, a->spec, a->file, &a->load.dev, err);
	if (r < 0)
		return r;
	r = cmd_files_device(a->load.dev, &a->load.uri, err);
	if (r < 0)
		return r;
	return cmd_resume_check_hold(a, err);
}

/* Keep a state that did not start, since there may be no other copy. Return: @r, why it did not. */
static int cmd_resume_hold_failed(const struct cmd_resume_args *a, int r, struct err *err)
{
	char reason[ERR_REASON_MAX];
	struct err gone = { 0 };

	a->inv->show(a->inv, r, err);
	log_warn("%s%s%s%s", err->text, err_reason(err, reason), *err->note ? "; " : "", err->note);
	if (cmd_resume_hold(a, &gone) < 0)
		*err = gone;
	return r;
}

static int cmd_resume_resume_and_hold(struct cmd_resume_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	int r;

	r = cmd_resume_find(a, err);
	if (r < 0)
		return r;
	r = cmd_resume_resume(a, err);
	if (r < 0)
		return a->result.hold && !a->no_hold ? cmd_resume_hold_failed(a, r, err) : r;
	if (a->no_hold && a->result.copy && inv->verbosity >= 0)
		console_print("%s: stopped%s", device_name(a->load.dev), cmd_resume_why_stopped(a));
	if (a->no_hold || a->load.verify_only)
		return r;
	/* A caller that waits for the result must have it before the wait begins. */
	inv->show(inv, r, err);
	return cmd_resume_hold(a, err);
}

static int cmd_resume_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_resume_args a = { .inv = inv };
	int r;

	cmd_resume_parse(&a, argc, argv);
	inv->view = cmd_resume_view;
	r = cmd_resume_resume_and_hold(&a, err);
	device_free(a.load.dev);
	return r;
}

const struct command cmd_resume = {
	.name = "resume",
	.args_doc = "DEV FILE",
	.summary = "load a state into a device, start it, hold it",
	.doc = "Load a state from FILE into a device, have the driver verify it, start the device "
	       "and keep it open.\v"
	       "FILE is a path, file:PATH, -, fd:N or exec:CMD; with --listen it is fd:N, "
	       "unix:PATH, tcp:HOST:PORT or vsock:CID:PORT. A PCI function that this command "
	       "opens itself has no DMA mapped: it is left stopped unless --run is given. It "
	       "would be reset once no process holds it, so it is held until SIGINT, SIGTERM or "
	       "SIGHUP.",
	.run = cmd_resume_run,
};
