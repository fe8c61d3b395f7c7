// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "device/hold-client.h"
#include "engine/give.h"
#include "ui/session.h"
#include "cmd/after.h"
#include "cmd/consumer.h"
#include "cmd/detach.h"

void cmd_after_split(const struct invocation *inv, struct cmd_after *after, int *argc, char **argv)
{
	int at = 1;

	while (at < *argc && strcmp(argv[at], "--") != 0)
		at++;
	if (at >= *argc)
		return;
	if (at + 1 == *argc)
		opts_misuse(inv->program, "no COMMAND behind --");
	after->command = &argv[at + 1];
	*argc = at;
}

void cmd_after_settle(const struct invocation *inv, struct cmd_after *after)
{
	const struct {
		const char *name;
		bool given;
		enum cmd_after_kind kind;
	} ways[] = {
		{ "--no-hold", after->no_hold, CMD_AFTER_EXIT },
		{ "--handover", after->handover, CMD_AFTER_GIVE },
		{ "--background", after->background, CMD_AFTER_DETACH },
		{ "-- COMMAND", after->command, CMD_AFTER_EXEC },
	};
	const char *first = NULL;

	after->pid_file = PID_FILE_NONE;
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		if (!ways[i].given)
			continue;
		if (first)
			opts_misuse(inv->program, "%s and %s exclude each other", first,
				    ways[i].name);
		first = ways[i].name;
		after->kind = ways[i].kind;
	}
	if (after->pid_path && !after->background)
		opts_misuse(inv->program, "--pid-file is for --background");
	if (after->handover)
		cmd_bare_path(inv, "--handover", after->handover);
}

bool cmd_after_acts(const struct cmd_after *after)
{
	return cmd_after_passes(after) || after->kind == CMD_AFTER_DETACH;
}

bool cmd_after_passes(const struct cmd_after *after)
{
	return after->kind == CMD_AFTER_EXEC || after->kind == CMD_AFTER_GIVE;
}

/*
 * What a holder has lent is not this process's to pass on, and needs no other one that holds it. A
 * server's device is no descriptor: COMMAND may connect to it.
 */
static int cmd_after_check_device(const struct cmd_after *after, const struct device *dev,
				  struct err *err)
{
	static const char *const options[] = {
		[CMD_AFTER_EXEC] = "-- COMMAND",
		[CMD_AFTER_GIVE] = "--handover",
		[CMD_AFTER_DETACH] = "--background",
	};
	bool served = device_is_served(dev);

	if (device_ownership(dev) != DEVICE_LENT || (served && after->kind != CMD_AFTER_GIVE))
		return 0;
	return err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: %s: %s", device_name(dev),
			options[after->kind],
			served ? "a server's device has no descriptor to pass on"
			       : "the device is lent, and stays its holder's");
}

/* A state lives as long as a process holds the device. */
static int cmd_after_check_exit(const struct cmd_devices *d, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(d, &dev);

	if (effect == CLOSE_KEEPS)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP, "%s: --no-hold: %s, and the state is lost then",
		 device_name(dev), device_close_text(effect));
	return err_hint(err, -EOPNOTSUPP,
			"hold it elsewhere: --background, --handover=PATH; or name a device that "
			"is held already: hold:PATH, fd:N");
}

static int cmd_after_check_socket(const char *path, struct err *err)
{
	int r = hold_check(path, path, err);

	return r < 0 ? err_prefix(err, r, "--handover") : 0;
}

static int cmd_after_check_pid_file(struct cmd_after *after, struct err *err)
{
	int r = after->pid_path ? pid_file_find(after->pid_path, &after->pid_file, err) : 0;

	return r < 0 ? err_prefix(err, r, "--pid-file") : 0;
}

int cmd_after_check(struct cmd_after *after, const struct cmd_devices *d, struct err *err)
{
	for (unsigned int i = 0; cmd_after_acts(after) && i < d->n; i++) {
		int r = cmd_after_check_device(after, d->v[i], err);

		if (r < 0)
			return r;
	}
	switch (after->kind) {
	case CMD_AFTER_EXIT:
		return cmd_after_check_exit(d, err);
	case CMD_AFTER_EXEC:
		return cmd_consumer_check(after->command[0], err);
	case CMD_AFTER_GIVE:
		return cmd_after_check_socket(after->handover, err);
	case CMD_AFTER_DETACH:
		return cmd_after_check_pid_file(after, err);
	default:
		return 0;
	}
}

struct cmd_after_giving {
	struct cmd_after *after;
	const struct cmd_devices *d;
	struct cancel *cancel;
	int timeout_ms;
};

static int cmd_after_give_work(void *ctx, struct err *err)
{
	struct cmd_after_giving *g = ctx;
	int r = give_devices(g->after->handover, g->d->v, g->d->n, g->cancel, g->timeout_ms,
			     &g->after->stage, err);

	return r < 0 && r != -ECANCELED ? err_prefix(err, r, "--handover") : r;
}

/* In a session: a receiver that does not answer is waited for no longer than the user wants. */
static int cmd_after_give(struct cmd_after *after, const struct cmd_devices *d, int timeout_ms,
			  struct err *err)
{
	struct cancel cancel;
	struct cmd_after_giving g = { after, d, &cancel, timeout_ms };
	int r;

	after->stage = SUCCESSOR_FAILED;
	r = cancel_init(&cancel, err);
	if (r < 0)
		return r;
	r = session_run(cmd_after_give_work, &g, &cancel, NULL, err);
	cancel_done(&cancel);
	return r;
}

static int cmd_after_exec(struct cmd_after *after, struct invocation *inv,
			  const struct cmd_devices *d, const struct load_result *loaded,
			  struct err *err)
{
	char id[2 * sizeof(loaded->info.id) + 1];

	for (size_t i = 0; i < sizeof(loaded->info.id); i++)
		snprintf(id + 2 * i, 3, "%02x", loaded->info.id[i]);
	return cmd_consumer_exec(inv, after->command, d, loaded->info.major ? id : NULL, err);
}

static int cmd_after_detach(struct cmd_after *after, struct invocation *inv, struct err *err)
{
	int r = cmd_detach(inv, after->pid_path ? &after->pid_file : NULL, &after->pid, err);

	if (r < 0)
		return r;
	after->stage = SUCCESSOR_TOOK;
	return r == CMD_DETACH_CHILD ? CMD_AFTER_CHILD : CMD_AFTER_LET_GO;
}

static void cmd_after_render(const struct cmd_after *after, struct json_object *report)
{
	struct json_object *o = report_object(report, "successor");

	if (after->kind == CMD_AFTER_EXEC)
		report_name(o, "command", after->command[0]);
	else if (after->kind == CMD_AFTER_GIVE)
		report_name(o, "socket", after->handover);
	else
		report_int(o, "pid", after->pid);
}

static int cmd_after_try(struct cmd_after *after, struct invocation *inv, struct cmd_devices *d,
			 const struct device_options *options, const struct load_result *loaded,
			 struct err *err)
{
	if (after->kind == CMD_AFTER_GIVE)
		return cmd_after_give(after, d, options->acquire.timeout_ms, err);
	if (after->kind == CMD_AFTER_DETACH)
		return cmd_after_detach(after, inv, err);
	return cmd_after_exec(after, inv, d, loaded, err);
}

/* What is left to do when the devices stay here. */
static int cmd_after_failed(const struct cmd_after *after, const struct cmd_devices *d,
			    const struct handover_verdict *v, int r, struct err *err)
{
	err->kind = v->status == HANDOVER_IN_DOUBT ? ERR_IN_DOUBT : ERR_DEVICE;
	if (after->stage == SUCCESSOR_DOUBT) {
		err_note(err, r, "%s: open here, and maybe there, too", cmd_devices_title(d));
		return err_hint(err, r, "end the receiver or this process, and not both");
	}
	err_note(err, r, "%s: loaded, and open here", cmd_devices_title(d));
	if (cmd_devices_any_served(d))
		return r;
	return err_hint(err, r,
			"another process can take it over: vfiomigctl hold pid:%d "
			"--socket=PATH",
			(int)getpid());
}

int cmd_after_pass(struct cmd_after *after, struct invocation *inv, struct cmd_devices *d,
		   const struct device_options *options, const struct load_result *loaded,
		   struct err *err)
{
	struct handover_verdict v;
	int r;

	after->stage = SUCCESSOR_FAILED;
	/* A command has the report before it is executed, and tells what it does with it itself. */
	if (after->kind == CMD_AFTER_EXEC)
		cmd_after_render(after, inv->report);
	r = cmd_after_try(after, inv, d, options, loaded, err);
	v = successor_verdict(after->stage, loaded->verdict);
	inv->outcome = v.outcome;
	inv->owner = v.owner;
	if (after->kind == CMD_AFTER_GIVE || after->pid)
		cmd_after_render(after, inv->report);
	return successor_holds(after->stage) == SUCCESSOR_HOLD
		       ? cmd_after_failed(after, d, &v, r, err)
		       : r;
}

void cmd_after_done(struct cmd_after *after)
{
	pid_file_remove(&after->pid_file);
	pid_file_done(&after->pid_file);
}
