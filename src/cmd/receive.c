// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/sd-notify.h"
#include "engine/receive.h"
#include "engine/recover-hint.h"
#include "engine/spool.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "cmd/loaded.h"
#include "cmd/plan.h"
#include "cmd/receive-leftover.h"
#include "cmd/render.h"
#include "cmd/watch.h"

/* What a destination may be connected to by, or listen at. */
#define CMD_RECEIVE_URIS (URI_LISTEN | URI_STDIO)

struct cmd_receive_args {
	struct cmd_loaded l;
	const char *report, *state_dir, *spool;
	bool no_spool, keep;
	struct cmd_connection connection;
	char *default_dir, *default_spool;
	struct err unfit;
	struct receive_options options;
	struct receive_result result;
};

static void cmd_receive_check(struct cmd_receive_args *a)
{
	struct cmd_loaded *l = &a->l;
	const char *program = l->inv->program;

	if (l->stop && l->run)
		opts_misuse(program, "--run and --stop exclude each other");
	if (l->stop && l->actions.freeze_owner)
		opts_misuse(program, "--freeze-owner and --stop exclude each other: it would run "
				     "with its device stopped");
	if (a->spool && a->no_spool)
		opts_misuse(program, "--spool and --no-spool exclude each other");
	cmd_after_settle(l->inv, &l->after);
	if (cmd_after_acts(&l->after) && l->load.verify_only)
		opts_misuse(program, "--dry-run loads nothing that another process could have");
	if (a->keep && (cmd_after_acts(&l->after) || l->load.verify_only))
		opts_misuse(program, "--keep serves one transaction after another: it neither "
				     "hands devices over nor tries only");
	if (l->actions.freeze_owner && cmd_after_passes(&l->after) && !l->run)
		opts_misuse(program,
			    "--freeze-owner and %s exclude each other without --run: the owner "
			    "would run with its device stopped",
			    l->after.handover ? "--handover" : "-- COMMAND");
}

static void cmd_receive_parse(struct cmd_receive_args *a, int argc, char **argv)
{
	struct cmd_loaded *l = &a->l;
	const struct opt opts[] = {
		{ "keep", .flag = &a->keep,
		  .doc = "serve one transaction after another, until a signal" },
		{ "spool", .value = "DIR", .text = &a->spool,
		  .doc = "keep a copy of the state in DIR until it is safe (STATE-DIR/spool, for "
			 "devices whose state ends with this process)" },
		{ "no-spool", .flag = &a->no_spool, .doc = "keep no copy" },
		{ "state-dir", .value = "DIR", .text = &a->state_dir,
		  .doc = "the journal's folder" },
		{ "run", .flag = &l->run,
		  .doc = "start the device even if no DMA is mapped for it" },
		{ "stop", .flag = &l->stop, .doc = "leave the device stopped" },
		{ "no-hold", .flag = &l->after.no_hold,
		  .doc = "exit at once; for devices that keep their state" },
		{ "handover", .value = "PATH", .text = &l->after.handover,
		  .doc = "hand the device over to the holder that listens at PATH, and exit" },
		{ "background", .flag = &l->after.background,
		  .doc = "hold the device in the background: exit once it is loaded and held" },
		{ "pid-file", .value = "FILE", .text = &l->after.pid_path,
		  .doc = "of --background: the number of the process that holds" },
		{ "force-mismatch", .flag = &l->load.force_mismatch,
		  .doc = "take the state of another kind of device" },
		{ "map", .value = "SAVED=DEV", .list = &l->map,
		  .doc = "load the source's device SAVED (index or address) into DEV; several "
			 "times" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "no-p2p", .flag = &l->no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ "restore-config", .flag = &l->load.restore_config,
		  .doc = "restore PCI command and interrupt line, too, before the device may run" },
		{ "dry-run", .flag = &l->load.verify_only,
		  .doc = "check devices, folders and URI; open and touch nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &l->devices.args, .optional = true },
					{ 0 } };

	cmd_after_split(l->inv, &l->after, &argc, argv);
	cmd_parse(l->inv,
		  &(struct cmd_line){
			  .opts = opts,
			  .args = args,
			  .open = &l->options,
			  .retry = &l->retry,
			  .actions = &l->actions,
			  .connection = &a->connection,
		  },
		  argc, argv);
	cmd_receive_check(a);
	cmd_devices_split(l->inv, &l->devices);
}

/*
 * The report
 */

static void cmd_receive_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "source", "from", REPORT_TEXT },
		{ "txid", "transaction", REPORT_TEXT },
		{ "phase", "it is", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "state", "state now", REPORT_TEXT },
		{ "spool", "spool", REPORT_TEXT },
		{ "successor.command", "passed on to", REPORT_TEXT },
		{ "successor.socket", "handed over to", REPORT_TEXT },
		{ "successor.pid", "held by process", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "action_script", "would run", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_loaded_view_restored(f, report);
	cmd_plan_view(f, report);
}

static void cmd_receive_render_plan(const struct cmd_receive_args *a)
{
	const struct cmd_loaded *l = &a->l;

	report_bool(l->inv->report, "dry_run", true);
	for (unsigned int i = 0; i < l->load.n; i++)
		report_bool(render_object(l->inv->report, l->load.n, i), "opening_resets",
			    device_reset_by_open(l->load.devs[i]));
}

static void cmd_receive_render(const struct cmd_receive_args *a)
{
	const struct cmd_loaded *l = &a->l;
	const struct receive_result *result = &a->result;
	struct json_object *o = l->inv->report;

	l->inv->acts = !l->load.verify_only;
	l->inv->moves_state = *result->txid;
	l->inv->outcome = l->result.verdict.outcome;
	l->inv->owner = l->load.verify_only ? OWNER_NONE : l->result.verdict.owner;
	render_devices(o, l->load.devs, l->load.n);
	report_name(o, "uri", l->devices.file);
	if (a->options.spool && l->load.verify_only)
		report_name(o, "spool", a->options.spool);
	if (l->load.verify_only) {
		cmd_receive_render_plan(a);
		return;
	}
	if (*result->txid) {
		report_string(o, "txid", result->txid);
		report_name(o, "source", result->source);
		report_string(o, "phase", wire_phase_name(move_phase(result->state)));
	}
	if (*result->spool)
		report_name(o, "spool", result->spool);
	if (l->result.info.major)
		render_image_info(o, &l->result.info,
				  l->result.receipt.accepted ? &l->result.receipt : NULL);
	for (unsigned int i = 0; l->result.opened && i < l->load.n; i++)
		cmd_loaded_render_device(render_object(o, l->load.n, i), &l->result, i);
}

/*
 * While it goes on
 */

static void cmd_receive_say_status(const char *text)
{
	if (sd_notify_status(text, NULL) < 0)
		log_debug("the service manager does not hear");
}

/* In the worker. */
static void cmd_receive_told(void *ctx, enum receive_news news, const struct receive_result *result)
{
	struct cmd_receive_args *a = ctx;
	const char *title = cmd_devices_title(&a->l.devices);
	char text[256], command[RECOVER_HINT_MAX];

	switch (news) {
	case RECEIVE_BEGINS:
		log_info("%s: transaction %s from %s", title, result->txid, result->source);
		snprintf(text, sizeof(text), "receiving transaction %s", result->txid);
		break;
	case RECEIVE_AWAITS_SOURCE:
		snprintf(text, sizeof(text),
			 "transaction %s: the link is lost, and the source "
			 "may come again",
			 result->txid);
		log_warn("%s: %s", title, text);
		break;
	case RECEIVE_IN_DOUBT:
		snprintf(text, sizeof(text),
			 "transaction %s is in doubt: the source's word is "
			 "waited for",
			 result->txid);
		log_warn("%s: %s, as long as it takes; %s asks for it", title, text,
			 recover_hint_command(command, a->options.journal, true, result->txid));
		break;
	case RECEIVE_OVER:
		transfer_rest(a->l.load.transfer);
		snprintf(text, sizeof(text), "transaction %s is %s; listening", result->txid,
			 wire_phase_name(move_phase(result->state)));
		if (a->l.inv->verbosity >= 0)
			console_print("%s: transaction %s is %s", title, result->txid,
				      wire_phase_name(move_phase(result->state)));
		break;
	}
	cmd_receive_say_status(text);
}

/*
 * The beginning
 */

/* Of devices that lose what they hold when they are closed, the image is kept until it is safe. */
static int cmd_receive_find_spool(struct cmd_receive_args *a, struct err *err)
{
	const struct device *dev;

	a->options.spool = a->spool;
	if (a->spool || a->no_spool || cmd_devices_effect(&a->l.devices, &dev) == CLOSE_KEEPS)
		return 0;
	if (asprintf(&a->default_spool, "%s/spool", journal_dir(a->options.journal)) < 0) {
		a->default_spool = NULL;
		return err_set(err, -ENOMEM, "spool");
	}
	a->options.spool = a->default_spool;
	return 0;
}

static int cmd_receive_open_journal(struct cmd_receive_args *a, struct err *err)
{
	int r;

	if (!a->state_dir) {
		r = journal_default_dir(&a->default_dir, err);
		if (r < 0)
			return r;
		a->state_dir = a->default_dir;
	}
	return journal_open(a->state_dir, &a->options.journal, err);
}

static int cmd_receive_find(struct cmd_receive_args *a, struct err *err)
{
	struct cmd_loaded *l = &a->l;
	int r;

	r = cmd_input(l->inv, l->devices.file, CMD_RECEIVE_URIS, &a->options.uri, err);
	if (r < 0)
		return cmd_hint_swapped(l->inv, l->devices.specs[0], l->devices.file, r, err);
	if (a->options.uri.kind == URI_STDIO && a->keep)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--keep needs a URI to listen at, and - "
				"is one link");
	l->inv->stdout_taken |= a->options.uri.kind == URI_STDIO;
	r = cmd_connection_open(&a->connection, TLS_SERVER, &a->options.uri, URI_LISTEN, err);
	if (r < 0)
		return r;
	r = cmd_devices_find(l->inv, &l->devices, &l->options, &a->options.uri, err);
	return r < 0 ? r : cmd_loaded_check(l, err);
}

static bool cmd_receive_listens(const struct cmd_receive_args *a)
{
	const struct uri *uri = &a->options.uri;

	return uri->kind != URI_STDIO && !(uri->kind == URI_FD && peer_can_inherit(uri->fd));
}

static int cmd_receive_listen(struct cmd_receive_args *a, const struct progress *progress,
			      struct err *err)
{
	char status[160];
	int r;

	if (!cmd_receive_listens(a))
		return 0;
	r = listener_open_soon(&a->options.uri, &a->options.peer, &a->options.listener, err);
	if (r < 0)
		return r;
	if (a->l.inv->verbosity >= 0)
		console_print("%s: listening on %s", cmd_devices_title(&a->l.devices),
			      listener_name(a->options.listener));
	transfer_rest(a->l.load.transfer);
	progress_event(progress, "listening", "address", listener_name(a->options.listener));
	snprintf(status, sizeof(status), "listening on %s", listener_name(a->options.listener));
	cmd_receive_say_status(status);
	/* What serves for ever has started once it can be connected to. */
	if (a->keep && sd_notify_ready(status, NULL) < 0)
		log_debug("the service manager does not hear");
	return 0;
}

/* Before a source may replace it. */
static int cmd_receive_say_leftover(struct cmd_receive_args *a, struct err *err)
{
	const struct cmd_receive_leftover l = {
		.journal = a->options.journal,
		.keep = a->keep,
	};

	return cmd_receive_leftover_say(&l, a->l.devices.v, a->l.devices.n, err);
}

/* Else the first source would find out, with its devices stopped. */
static int cmd_receive_check_here(struct cmd_receive_args *a, struct err *err)
{
	int r;

	r = cmd_loaded_prepare(&a->l, err);
	if (r < 0)
		return r;
	r = cmd_receive_find_spool(a, err);
	if (r < 0 || a->l.load.verify_only)
		return r;
	return a->options.spool ? spool_check(a->options.spool, err) : 0;
}

/*
 * Of the one link, once a source has offered its state by it: the source is told what is wrong
 * here, such as another process that has the device. To look at a device may take as long as the
 * source waits for HELLO.
 */
static int cmd_receive_fit(void *ctx, struct err *err)
{
	struct cmd_receive_args *a = ctx;
	const struct load_options *load = &a->l.load;

	if (a->unfit.code) {
		*err = a->unfit;
		return err->code;
	}
	for (unsigned int i = 0; i < load->n; i++) {
		int r = cmd_plan_check(load->devs[i], load->device, err);

		if (r < 0)
			return r;
	}
	return cmd_loaded_look(&a->l, err);
}

static int cmd_receive_prepare(struct cmd_receive_args *a, const struct progress *progress,
			       struct err *err)
{
	bool alone = !cmd_receive_listens(a) && !a->l.load.verify_only;
	int r;

	r = cmd_receive_open_journal(a, err);
	if (r < 0)
		return r;
	r = cmd_receive_say_leftover(a, err);
	if (r < 0)
		return r;
	r = cmd_receive_check_here(a, alone ? &a->unfit : err);
	a->options.load = a->l.load;
	if (alone || r < 0 || a->l.load.verify_only)
		return alone ? 0 : r;
	r = cmd_loaded_look(&a->l, err);
	return r < 0 ? r : cmd_receive_listen(a, progress, err);
}

struct cmd_receive_work {
	struct cmd_receive_args *args;
	struct cancel *cancel;
};

static int cmd_receive_work(void *ctx, struct err *err)
{
	struct cmd_receive_work *w = ctx;

	return receive_run(&w->args->options, w->cancel, &w->args->result, err);
}

static int cmd_receive_receive(struct cmd_receive_args *a, struct err *err)
{
	struct cmd_loaded *l = &a->l;
	struct cmd_watch watch;
	struct cmd_receive_work w = { a, &watch.cancel };
	int r;

	l->result.verdict =
		handover_gave_up(HANDOVER_ANSWERED, HANDOVER_STOPS, HANDOVER_IDLE, MIG_FATE_BACK);
	r = cmd_watch_begin(l->inv, &watch, &l->devices, &l->options, a->report, err);
	if (r < 0)
		return r;
	watch.progress.timeout_ms = l->options.acquire.timeout_ms;
	l->load.events = &watch.events;
	l->load.transfer = &watch.transfer;
	r = cmd_receive_prepare(a, &watch.progress, err);
	if (!l->load.verify_only)
		r = r < 0 ? r
			  : session_run(cmd_receive_work, &w, &watch.cancel, &watch.progress, err);
	if (a->result.load.loads)
		l->result = a->result.load;
	/* With --keep a signal is the end that is meant, and no load that came too early. */
	if (atomic_load(&watch.cancel.requested) && !a->keep)
		cmd_loaded_heed(l);
	cmd_receive_render(a);
	l->load.events = NULL;
	l->load.transfer = NULL;
	return cmd_watch_end(&watch, &l->options, r, err);
}

/*
 * In doubt, ended by a signal: what is held by others stays there stopped, and what is not is lost
 * with this process but for the spool. There is nothing to be held for.
 */
static bool cmd_receive_holds(const struct cmd_receive_args *a)
{
	return a->result.state != MOVE_D_PREPARED && !a->keep;
}

static int cmd_receive_receive_and_hold(struct cmd_receive_args *a, struct err *err)
{
	struct cmd_loaded *l = &a->l;
	int r;

	r = cmd_receive_find(a, err);
	if (r < 0)
		return r;
	a->options.keep = a->keep;
	a->options.fit = cmd_receive_fit;
	a->options.told = cmd_receive_told;
	a->options.ctx = a;
	a->connection.peer.timeout_ms = l->options.acquire.timeout_ms;
	a->options.peer = a->connection.peer;
	r = cmd_receive_receive(a, err);
	return cmd_receive_holds(a) ? cmd_loaded_finish(l, r, err) : r;
}

static int cmd_receive_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_receive_args a = { .l.inv = inv };
	int r;

	cmd_receive_parse(&a, argc, argv);
	cmd_loaded_settle(&a.l);
	inv->view = cmd_receive_view;
	r = cmd_receive_receive_and_hold(&a, err);
	journal_free(a.options.journal);
	free(a.default_dir);
	free(a.default_spool);
	cmd_loaded_done(&a.l);
	cmd_connection_done(&a.connection);
	return r;
}

const struct command cmd_receive = {
	.name = "receive",
	.args_doc = "DEV... URI",
	.more_doc = "[-- COMMAND [ARG...]]",
	.summary = "take the state that another host migrates",
	.doc = "Wait for `vfiomigctl migrate`, load its state into the devices, and start them "
	       "once the source has given it up.\v"
	       "The source's devices go into those named, in the order of both, or as --map says. "
	       "URI is unix:PATH, tcp:HOST:PORT, vsock:CID:PORT or fd:N, where it listens; or -, "
	       "for one link over standard input and output, as of ssh. Once the source has been "
	       "told that its state is here, only the source decides: a link that is lost then "
	       "leaves the devices stopped, until it comes again or `vfiomigctl recover` asks it.",
	.run = cmd_receive_run,
};
