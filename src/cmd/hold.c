// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/pid-file.h"
#include "base/sd-notify.h"
#include "base/units.h"
#include "device/acquire-shared.h"
#include "device/device.h"
#include "device/same.h"
#include "engine/hold.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/detach.h"
#include "cmd/holding.h"
#include "cmd/render.h"
#include "cmd/stored.h"

static const char *const cmd_hold_on_request_words[] = {
	[ON_REQUEST_RELEASE] = "release",
	[ON_REQUEST_REFUSE] = "refuse",
};

struct cmd_hold_args {
	struct invocation *inv;
	struct opt_list specs, uids;
	const char *socket, *pid_path;
	bool background;
	unsigned int on_request;
	struct device_options options;
	struct arc_retry retry;

	struct acquire_shared shared;
	struct cmd_stored stored;
	unsigned int n;
	struct device *v[HOLD_DEVICES_MAX];
	struct cmd_holding holding;
	struct pid_file pid_file;
};

static void cmd_hold_parse_uids(const struct cmd_hold_args *a, struct hold_options *opts)
{
	if (a->uids.n > HOLD_UIDS_MAX)
		opts_misuse(a->inv->program, "--allow-uid: more than %u users", HOLD_UIDS_MAX);
	for (size_t i = 0; i < a->uids.n; i++) {
		uint64_t uid;

		/* The last number stands for "no user" in the kernel. */
		if (parse_uint(a->uids.v[i], 10, UINT_MAX - 1, &uid) < 0)
			opts_misuse(a->inv->program, "--allow-uid: '%s' is not a user's number",
				    a->uids.v[i]);
		opts->uids[opts->n_uids++] = (uid_t)uid;
	}
	if (a->uids.n && !a->socket)
		opts_misuse(a->inv->program, "--allow-uid is for --socket");
}

static void cmd_hold_parse(struct cmd_hold_args *a, struct hold_options *hold, int argc,
			   char **argv)
{
	const struct opt opts[] = {
		{ "socket", .value = "PATH", .text = &a->socket,
		  .doc = "lend the devices to clients that connect to a UNIX socket there" },
		{ "allow-uid", .value = "UID", .list = &a->uids,
		  .doc = "serve this user's processes, too; may be given several times" },
		{ "on-request", .value = "WHAT", .choice = &a->on_request,
		  OPT_WORDS(cmd_hold_on_request_words),
		  .doc = "when the host asks for a device (unbind, unplug): release (default) "
			 "it, or refuse" },
		{ "background", .flag = &a->background,
		  .doc = "hold them in the background: exit once they are held and lent" },
		{ "pid-file", .value = "FILE", .text = &a->pid_path,
		  .doc = "of --background: the number of the process that holds" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "DEV", .list = &a->specs, .optional = true },
		{ 0 },
	};
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
	};

	cmd_parse(a->inv, &line, argc, argv);
	if (!a->specs.n && !a->socket)
		opts_misuse(a->inv->program, "no DEV, and no --socket to be given one by");
	if (a->specs.n > HOLD_DEVICES_MAX)
		opts_misuse(a->inv->program, "more than %u devices", HOLD_DEVICES_MAX);
	if (a->socket)
		cmd_bare_path(a->inv, "--socket", a->socket);
	if (a->pid_path && !a->background)
		opts_misuse(a->inv->program, "--pid-file is for --background");
	cmd_hold_parse_uids(a, hold);
}

static void cmd_hold_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "state", "state", REPORT_TEXT },
		{ "socket", "socket", REPORT_TEXT },
		{ "on_request", "on request", REPORT_TEXT },
		{ "successor.pid", "held by process", REPORT_TEXT },
	};

	static const struct report_row columns[] = {
		{ "device.address", "DEVICE", REPORT_TEXT },
		{ "device.driver", "DRIVER", REPORT_TEXT },
		{ "device.via", "OPENED BY", REPORT_TEXT },
		{ "state", "STATE", REPORT_TEXT },
	};
	struct json_object *devices;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (!json_object_object_get_ex(report, "devices", &devices))
		return;
	fputc('\n', f);
	report_table(f, devices, columns, ARRAY_SIZE(columns));
}

static void cmd_hold_render(const struct cmd_hold_args *a)
{
	struct json_object *o = a->inv->report;

	if (a->n)
		render_devices(o, a->v, a->n);
	for (unsigned int i = 0; i < a->n; i++)
		render_device_state(render_object(o, a->n, i), a->v[i]->mig);
	report_name(o, "socket", a->socket);
	report_string(o, "on_request", cmd_hold_on_request_words[a->on_request]);
}

/* What another process lends is held there already, and a server keeps its device itself. */
static int cmd_hold_find(struct cmd_hold_args *a, const char *spec, struct err *err)
{
	int r = device_find(&host_live, spec, &a->v[a->n], err);

	if (r < 0)
		return r;
	a->n++;
	if (device_ownership(a->v[a->n - 1]) == DEVICE_LENT) {
		err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
			 "%s: its server or holder keeps it: there is nothing to hold", spec);
		return err_hint(err, -EOPNOTSUPP, "connect to that one instead");
	}
	for (unsigned int i = 0; i + 1 < a->n; i++)
		if (device_same(a->v[i], a->v[a->n - 1]))
			return err_fail(err, ERR_USAGE, -EINVAL, "%s: named twice", spec);
	return 0;
}

/* Which the service manager has kept open since the last process of the service, if it has. */
static int cmd_hold_open_one(struct cmd_hold_args *a, unsigned int i, struct err *err)
{
	struct device *kept = cmd_stored_claim(&a->stored, a->v[i]);

	if (!kept)
		return device_open(a->v[i], &a->options, err);
	device_free(a->v[i]);
	a->v[i] = kept;
	log_info("%s: kept open by the service manager", device_name(kept));
	return 0;
}

/*
 * What is wrong with one device must not cost those their state that the service manager has kept
 * open: it may have been given up for the host since. Return: 0 for what ends nothing, else @r.
 */
static int cmd_hold_without(bool kept, int r, struct err *err)
{
	char reason[ERR_REASON_MAX];

	if (r >= 0 || !kept)
		return r;
	log_warn("%s%s; holding the others", err->text, err_reason(err, reason));
	*err = (struct err){ 0 };
	return 0;
}

static int cmd_hold_open_and_add(struct cmd_hold_args *a, unsigned int i, struct hold *hold,
				 struct err *err)
{
	int r = cmd_hold_open_one(a, i, err);

	if (r < 0)
		return r;
	r = hold_add(hold, a->v[i], err);
	if (r < 0)
		return r;
	cmd_stored_put(a->v[i]);
	return 0;
}

static void cmd_hold_forget(struct cmd_hold_args *a, unsigned int i)
{
	a->n--;
	memmove(&a->v[i], &a->v[i + 1], (a->n - i) * sizeof(a->v[0]));
	a->v[a->n] = NULL;
}

static void cmd_hold_leave_out(struct cmd_hold_args *a, unsigned int i)
{
	device_free(a->v[i]);
	cmd_hold_forget(a, i);
}

/* What was handed over to an earlier process of the service. */
static void cmd_hold_take_rest(struct cmd_hold_args *a, struct hold *hold)
{
	char reason[ERR_REASON_MAX];
	struct device *dev;

	while ((dev = cmd_stored_next(&a->stored))) {
		struct err err = { 0 };

		log_info("%s: kept open by the service manager", device_name(dev));
		/* A kernel without kcmp(2) has the manager keep a device twice. */
		if (hold_take(hold, dev, &err) < 0)
			log_info("%s%s", err.text, err_reason(&err, reason));
	}
}

static int cmd_hold_find_all(struct cmd_hold_args *a, bool kept, struct err *err)
{
	for (size_t i = 0; i < a->specs.n; i++) {
		unsigned int before = a->n;
		int r = cmd_hold_find(a, a->specs.v[i], err);

		if (r >= 0)
			continue;
		r = cmd_hold_without(kept, r, err);
		if (r < 0)
			return r;
		if (a->n > before)
			cmd_hold_leave_out(a, before);
	}
	return 0;
}

static int cmd_hold_open(struct cmd_hold_args *a, struct hold *hold, struct err *err)
{
	bool kept = a->stored.n;
	unsigned int i = 0;
	int r;

	if (a->specs.n > 1)
		a->options.acquire.shared = &a->shared;
	r = cmd_hold_find_all(a, kept, err);
	if (r < 0)
		return r;
	while (i < a->n) {
		r = cmd_hold_open_and_add(a, i, hold, err);
		if (r >= 0) {
			i++;
			continue;
		}
		r = cmd_hold_without(kept, r, err);
		if (r < 0)
			return r;
		cmd_hold_leave_out(a, i);
	}
	cmd_hold_take_rest(a, hold);
	return 0;
}

/* Once this ends, what the devices hold is lost where closing them resets them. */
static void cmd_hold_warn_end(const struct cmd_hold_args *a)
{
	for (unsigned int i = 0; i < a->n; i++) {
		enum close_effect effect = device_close_effect(a->v[i]);

		if (a->v[i]->mig && effect != CLOSE_KEEPS)
			log_warn("%s: not held any longer: %s", device_name(a->v[i]),
				 device_close_text(effect));
	}
}

static void cmd_hold_tell_manager(const struct hold *hold)
{
	char reason[ERR_REASON_MAX], status[64];
	struct err err = { 0 };

	snprintf(status, sizeof(status), "devices held: %u", hold_count(hold));
	if (sd_notify_ready(status, &err) < 0)
		log_warn("%s%s", err.text, err_reason(&err, reason));
}

/* The socket and the file first: one that is in use must not cost a device its state. */
static int cmd_hold_settle(struct cmd_hold_args *a, struct hold *hold, struct err *err)
{
	int r;

	r = a->pid_path ? pid_file_find(a->pid_path, &a->pid_file, err) : 0;
	if (r < 0)
		return err_prefix(err, r, "--pid-file");
	r = a->socket ? hold_listen(hold, a->socket, err) : 0;
	return r < 0 ? err_prefix(err, r, "--socket") : 0;
}

/* Return: as cmd_detach(). Where a child holds them, what is left here ends without any effect. */
static int cmd_hold_detach(struct cmd_hold_args *a, struct hold *hold, struct err *err)
{
	pid_t pid = 0;
	int r = cmd_detach(a->inv, a->pid_path ? &a->pid_file : NULL, &pid, err);

	if (r != CMD_DETACH_PARENT)
		return r;
	hold_leave_socket(hold);
	report_int(report_object(a->inv->report, "successor"), "pid", pid);
	return r;
}

/* What is waited for is left to its thread: to close it would wait, too. */
static void cmd_hold_forget_forsaken(struct cmd_hold_args *a)
{
	for (unsigned int i = a->n; i-- > 0;)
		if (hold_is_forsaken(a->holding.hold, a->v[i]))
			cmd_hold_forget(a, i);
}

/* @r: 0 after a signal, else why there is nothing left to hold */
static int cmd_hold_end(struct cmd_hold_args *a, int r, struct err *err)
{
	struct err calls = { 0 }, closing = { 0 };
	const struct err *hangs = NULL;

	if (hold_end(a->holding.hold, &calls) < 0)
		hangs = &calls;
	cmd_hold_forget_forsaken(a);
	if (r >= 0)
		cmd_hold_warn_end(a);
	if (hold_close(a->holding.hold, &closing) < 0 && !hangs)
		hangs = &closing;
	cmd_hold_forget_forsaken(a);
	if (r < 0 || !hangs)
		return r;
	*err = *hangs;
	return err->code;
}

static int cmd_hold_hold(struct cmd_hold_args *a, struct hold *hold, struct err *err)
{
	int r;

	r = cmd_hold_settle(a, hold, err);
	if (r < 0)
		return r;
	r = cmd_stored_take(&host_live, &a->options, &a->stored, err);
	if (r < 0)
		return r;
	r = cmd_hold_open(a, hold, err);
	if (r < 0)
		return r;
	cmd_hold_render(a);
	/* Who waits for the devices to be held goes by the report, and may send SIGUSR1. */
	session_block_signals();
	r = a->background ? cmd_hold_detach(a, hold, err) : CMD_DETACH_CHILD;
	if (r != CMD_DETACH_CHILD)
		return r;
	hold_begin(hold);
	if (a->inv->show)
		a->inv->show(a->inv, 0, err);
	if (a->inv->verbosity >= 0)
		console_print("held open until %s", session_ended_by());
	cmd_hold_tell_manager(hold);
	r = cmd_holding_run(&a->holding, err);
	return cmd_hold_end(a, r, err);
}

static int cmd_hold_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_hold_args a = {
		.inv = inv,
		.holding = { .inv = inv, .stores = true },
		.pid_file = PID_FILE_NONE,
	};
	struct hold_options opts = {
		.host = &host_live,
		.told = cmd_holding_told,
		.ctx = &a.holding,
	};
	int r;

	cmd_hold_parse(&a, &opts, argc, argv);
	inv->view = cmd_hold_view;
	inv->acts = true;
	opts.on_request = (enum hold_on_request)a.on_request;
	opts.drain_ns = a.retry.budget_ns;
	opts.device = a.options;
	r = hold_new(&opts, &a.holding.hold, err);
	if (r < 0)
		return r;
	r = cmd_hold_hold(&a, a.holding.hold, err);
	hold_free(a.holding.hold);
	for (unsigned int i = 0; i < a.n; i++)
		device_free(a.v[i]);
	cmd_stored_done(&a.stored);
	acquire_shared_done(&a.shared);
	pid_file_remove(&a.pid_file);
	pid_file_done(&a.pid_file);
	return r;
}

const struct command cmd_hold = {
	.name = "hold",
	.args_doc = "[DEV...]",
	.summary = "keep devices open, and lend them to other programs",
	.doc = "Open devices and keep them open, so that their state outlives the programs that "
	       "use them.\v"
	       "With --socket their descriptors are lent to clients: DEV is hold:PATH or "
	       "hold:PATH/NAME for the other commands, and any program can ask by the protocol of "
	       "vfiomigctl-hold(8). One client at a time may change a device's state. Without DEV "
	       "it waits for devices that are handed over.",
	.run = cmd_hold_run,
};
