// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/trace.h"
#include "base/units.h"
#include "base/uuid.h"
#include "host/dev-name.h"
#include "cmd/cmd.h"
#include "cmd/connection.h"
#include "cmd/files.h"

#define TIMEOUT_NS (30 * NSEC_PER_SEC)
#define TIMEOUT_MAX_NS (86400 * NSEC_PER_SEC)
#define DRAIN_NS (5 * NSEC_PER_SEC)
#define DRAIN_MAX_NS (86400 * NSEC_PER_SEC)

static const char *const cmd_progress_words[] = {
	[PROGRESS_AUTO] = "auto",
	[PROGRESS_ALWAYS] = "always",
	[PROGRESS_NEVER] = "never",
	[PROGRESS_JSON] = "json",
};

static const char *const cmd_via_words[] = {
	[ACQUIRE_CDEV] = "cdev",
	[ACQUIRE_GROUP] = "group",
};

static const char *const cmd_protocol_words[] = {
	[PROTOCOL_V1] = "v1",
	[PROTOCOL_V2] = "v2",
};

static const char *const cmd_trace_words[] = {
	[TRACE_TEXT] = "text",
	[TRACE_JSON] = "json",
};

static const char *const cmd_syslog_words[CMD_NR_SYSLOGS] = {
	[CMD_SYSLOG_NO] = "no",
	[CMD_SYSLOG_AUTO] = "auto",
	[CMD_SYSLOG_YES] = "yes",
};

static bool cmd_writable(uint64_t fd)
{
	int flags = fcntl((int)fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) != O_RDONLY;
}

/* What the shared options are read into before it is checked. */
struct cmd_shared {
	uint64_t status_fd;
	bool has_status_fd;
	uint64_t timeout_ns;
	bool has_timeout;
	uint64_t action_ns;
	bool has_action;
	bool has_syslog;
};

/* Options of every command, before or after its name. */
#define CMD_COMMON_OPTS 8

static void cmd_common_opts(struct opt opts[static CMD_COMMON_OPTS], struct invocation *inv,
			    struct cmd_shared *shared)
{
	const struct opt table[CMD_COMMON_OPTS] = {
		{ "json", 'j', .flag = &inv->json, .doc = "print one JSON document" },
		{ "verbose", 'v', .louder = &inv->verbosity,
		  .doc = "say what is done; twice: each arc and each retry" },
		{ "quiet", 'q', .silent = &inv->verbosity,
		  .doc = "no warnings, no progress, no report" },
		{ "progress", .value = "WHEN", .choice = &inv->progress,
		  OPT_WORDS(cmd_progress_words), .doc = "auto, always, never or json" },
		{ "status-fd", .value = "N", .number = &shared->status_fd, .max = INT_MAX,
		  .given = &shared->has_status_fd,
		  .doc = "write progress as JSON lines to descriptor N" },
		{ "trace", .value = "FILE", .text = &inv->trace,
		  .doc = "write each call of a device's driver or server to FILE, - or fd:N" },
		{ "trace-format", .value = "FORM", .choice = &inv->trace_format,
		  OPT_WORDS(cmd_trace_words), .doc = "text or json, whatever FILE's name says" },
	};

	memcpy(opts, table, sizeof(table));
}

static void cmd_settle_common(struct invocation *inv, const struct cmd_shared *shared)
{
	if (!shared->has_status_fd)
		return;
	if (!cmd_writable(shared->status_fd))
		opts_misuse(inv->program, "--status-fd: %d is not open for writing",
			    (int)shared->status_fd);
	inv->status_fd = (int)shared->status_fd;
}

/* How to open a device. */
#define CMD_OPEN_OPTS 5

static void cmd_open_opts(struct opt opts[static CMD_OPEN_OPTS], struct device_options *o,
			  struct cmd_shared *shared)
{
	const struct opt table[CMD_OPEN_OPTS] = {
		{ "via", .value = "WAY", .choice = &o->acquire.via, OPT_WORDS(cmd_via_words),
		  .doc = "open by cdev or group, whatever the system has" },
		{ "vf-token", .value = "UUID", .text = &o->acquire.vf_token,
		  .doc = "token that the driver of the VF's PF asks for" },
		{ "protocol", .value = "WHICH", .choice = &o->protocol,
		  OPT_WORDS(cmd_protocol_words), .doc = "speak v1 or v2, whatever the device has" },
		{ "timeout", .value = "TIME", .duration_ns = &shared->timeout_ns,
		  .min = NSEC_PER_MSEC, .max = TIMEOUT_MAX_NS, .given = &shared->has_timeout,
		  .doc = "give up on a vfio-user server that is silent for so long (30s); save and "
			 "resume also on a peer (30s) and on a driver's stream (never)" },
	};

	memcpy(opts, table, sizeof(table));
}

static void cmd_settle_open(const struct invocation *inv, struct device_options *o,
			    const struct cmd_shared *shared)
{
	if (o->acquire.vf_token && !uuid_parse(o->acquire.vf_token, NULL))
		opts_misuse(inv->program, "--vf-token: '%s' is not a UUID", o->acquire.vf_token);
	o->program = inv->program;
	o->acquire.timeout_ms = (int)((shared->timeout_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
	if (shared->has_timeout)
		o->call_timeout_ms = o->acquire.timeout_ms;
}

/* What is done to the devices' user; the first one to an owner that goes on with them. */
#define CMD_ACTION_OPTS 4

static void cmd_action_opts(struct opt opts[static CMD_ACTION_OPTS], struct actions_options *o,
			    struct cmd_shared *shared)
{
	const struct opt table[CMD_ACTION_OPTS] = {
		{ "freeze-owner", .flag = &o->freeze_owner,
		  .doc = "stop the process whose devices these are (pid:PID) while they are "
			 "stopped" },
		{ "action-script", .value = "PATH", .text = &o->script,
		  .doc = "run PATH before and after the devices stop and start" },
		{ "action-timeout", .value = "TIME", .duration_ns = &shared->action_ns,
		  .min = NSEC_PER_MSEC, .max = TIMEOUT_MAX_NS, .given = &shared->has_action,
		  .doc = "end it when it takes longer (30s)" },
	};

	memcpy(opts, table, sizeof(table));
}

static void cmd_settle_actions(const struct invocation *inv, struct actions_options *o,
			       const struct cmd_shared *shared)
{
	if (shared->has_action && !o->script)
		opts_misuse(inv->program, "--action-timeout is for --action-script");
	o->timeout_ms = (int)((shared->action_ns + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC);
	o->command = inv->command->name;
	o->owner = device_owner_pid;
}

/* Of commands that move a state. */
#define CMD_SYSLOG_OPTS 2

static void cmd_syslog_opts(struct opt opts[static CMD_SYSLOG_OPTS], struct invocation *inv,
			    struct cmd_shared *shared)
{
	opts[0] = (struct opt){
		"syslog",
		.value = "WHEN",
		.value_optional = true,
		.choice = &inv->syslog,
		OPT_WORDS(cmd_syslog_words),
		.given = &shared->has_syslog,
		.doc = "write what became of the state to syslog: yes, no or auto (in a unit)"
	};
	inv->syslog = CMD_NR_SYSLOGS;
}

/* The option alone means yes. */
static void cmd_settle_syslog(struct invocation *inv, const struct cmd_shared *shared)
{
	if (inv->syslog == CMD_NR_SYSLOGS)
		inv->syslog = shared->has_syslog ? CMD_SYSLOG_YES : CMD_SYSLOG_AUTO;
}

int cmd_parse_common(struct invocation *inv, const struct opt_line *line, int argc, char **argv)
{
	struct opt opts[CMD_COMMON_OPTS];
	const struct opt_group groups[] = { { NULL, opts }, { 0 } };
	struct opt_line whole = *line;
	struct cmd_shared shared = { 0 };
	int next;

	cmd_common_opts(opts, inv, &shared);
	whole.groups = groups;
	next = opts_parse(&whole, argc, argv);
	cmd_settle_common(inv, &shared);
	return next - 1;
}

/* Exits where it cannot begin: nothing was done yet, and nothing would be seen of it. */
static void cmd_begin_trace(struct invocation *inv)
{
	struct err err = { 0 };

	if (inv->trace_format && !inv->trace)
		opts_misuse(inv->program, "--trace-format is for --trace");
	if (!inv->trace || trace_open(inv->trace, inv->trace_format, inv->command->name, &err) >= 0)
		return;
	inv->say_error(inv, &err);
	exit(err_status(&err));
}

void cmd_parse(struct invocation *inv, const struct cmd_line *line, int argc, char **argv)
{
	struct cmd_shared shared = { .timeout_ns = TIMEOUT_NS, .action_ns = TIMEOUT_NS };
	const struct opt none[] = { { 0 } };
	struct opt open[CMD_OPEN_OPTS] = { 0 }, common[CMD_COMMON_OPTS];
	struct opt retry[] = { { 0 }, { 0 } }, actions[CMD_ACTION_OPTS] = { 0 };
	struct opt connection[CMD_CONNECTION_OPTS] = { 0 }, syslog[CMD_SYSLOG_OPTS] = { 0 };
	const struct opt_group groups[] = {
		{ NULL, line->opts ? line->opts : none },
		{ NULL, retry },
		{ "The connection:", connection },
		{ "The system's log:", syslog },
		{ "The device's user:", line->stays_stopped ? actions + 1 : actions },
		{ line->open_title ? line->open_title : "Opening the device:", open },
		{ "Output:", common },
		{ 0 },
	};
	const char *more = inv->command->more_doc;
	char args_doc[64];
	const struct opt_line whole = {
		.program = inv->program,
		.version = CMD_VERSION,
		.args_doc = args_doc,
		.doc = inv->command->doc,
		.groups = groups,
		.args = line->args,
	};

	snprintf(args_doc, sizeof(args_doc), "%s%s%s", inv->command->args_doc, more ? " " : "",
		 more ? more : "");
	if (line->retry)
		retry[0] = (struct opt){
			"drain-timeout", .value = "TIME", .duration_ns = &line->retry->budget_ns,
			.max = DRAIN_MAX_NS,
			.doc = "try an arc again that the device refuses for now, for so long (5s)"
		};
	if (line->retry)
		line->retry->budget_ns = DRAIN_NS;
	if (line->connection) {
		cmd_connection_opts(connection, line->connection);
		cmd_syslog_opts(syslog, inv, &shared);
	}
	if (line->actions)
		cmd_action_opts(actions, line->actions, &shared);
	if (line->open)
		cmd_open_opts(open, line->open, &shared);
	cmd_common_opts(common, inv, &shared);
	opts_parse(&whole, argc, argv);
	cmd_settle_common(inv, &shared);
	if (line->open)
		cmd_settle_open(inv, line->open, &shared);
	if (line->connection) {
		cmd_connection_settle(inv, line->connection);
		cmd_settle_syslog(inv, &shared);
	}
	if (line->actions)
		cmd_settle_actions(inv, line->actions, &shared);
	log_setup(inv->verbosity, program_invocation_short_name);
	cmd_begin_trace(inv);
}

/* @text has the form of a device's name: nothing is looked up. */
static bool cmd_names_device(const char *text)
{
	static const char *const prefixes[] = { "vfio-user:", "fd:",	    "hold:",
						"pid:",	      "/dev/vfio/", "/sys/" };
	struct dev_name name;

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(text, prefixes[i], strlen(prefixes[i])))
			return true;
	return dev_name_parse(text, &name) != DEV_FORM_NONE && name.form != DEV_FORM_PATH;
}

int cmd_hint_swapped(const struct invocation *inv, const char *spec, const char *other, int code,
		     struct err *err)
{
	if (cmd_names_device(spec) || !cmd_names_device(other))
		return code;
	return err_hint(err, code, "swapped? DEV comes first: %s %s %s", inv->program, other, spec);
}

void cmd_bare_path(const struct invocation *inv, const char *option, const char *path)
{
	static const char *const prefixes[] = { "hold:", "unix:", "vfio-user:" };

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (!strncmp(path, prefixes[i], strlen(prefixes[i])))
			opts_misuse(inv->program, "%s takes a path alone: %s %s, or ./%s", option,
				    option, path + strlen(prefixes[i]), path);
}

int cmd_find_device(const struct invocation *inv, const char *spec, const char *other,
		    struct device **ret, struct err *err)
{
	int r = device_find(&host_live, spec, ret, err);

	return r < 0 ? cmd_hint_swapped(inv, spec, other, r, err) : 0;
}

static int cmd_parse_open_file(const char *text, unsigned int kinds, enum err_kind kind,
			       struct uri *ret, struct err *err)
{
	int r = uri_parse(text, kinds, ret, err);

	if (r >= 0 && ret->kind == URI_FD && fcntl(ret->fd, F_GETFD) < 0)
		return err_fail(err, kind, -errno, "%s: not open here", text);
	return r;
}

int cmd_input(struct invocation *inv, const char *text, unsigned int kinds, struct uri *ret,
	      struct err *err)
{
	int r = cmd_parse_open_file(text, kinds, ERR_MISSING, ret, err);

	return r < 0 ? r : cmd_files_input(inv, ret, err);
}

/*
 * What is written to @uri comes out of @fd, too. What devices make of it is theirs: /dev/null takes
 * any number of things at once, and terminals take no data.
 */
static bool cmd_leads_to(const struct uri *uri, int fd)
{
	struct stat to, here;
	int r;

	if (uri->kind == URI_FILE)
		r = stat(uri->path, &to);
	else if (uri->kind & (URI_STDIO | URI_FD))
		r = fstat(uri->kind == URI_FD ? uri->fd : STDOUT_FILENO, &to);
	else
		return false;
	return r == 0 && fstat(fd, &here) == 0 && to.st_dev == here.st_dev &&
	       to.st_ino == here.st_ino && !S_ISCHR(to.st_mode);
}

int cmd_output(struct invocation *inv, const char *text, unsigned int kinds, struct uri *ret,
	       struct err *err)
{
	int r = cmd_parse_open_file(text, kinds, ERR_OUTPUT, ret, err);

	if (r < 0)
		return r;
	inv->stdout_taken = ret->kind == URI_STDIO || cmd_leads_to(ret, STDOUT_FILENO);
	if (inv->stdout_taken && inv->json) {
		err_fail(err, ERR_USAGE, -EINVAL, "--json and the data both want standard output");
		return err_hint(err, -EINVAL, "name a file, or use --status-fd for JSON");
	}
	if (inv->status_fd >= 0 && cmd_leads_to(ret, inv->status_fd)) {
		err_fail(err, ERR_USAGE, -EINVAL, "--status-fd: %d is where the data goes",
			 inv->status_fd);
		inv->status_fd = -1;
		return -EINVAL;
	}
	return cmd_files_output(inv, ret, err);
}

struct lines *cmd_status(struct invocation *inv)
{
	snprintf(inv->status_lost, sizeof(inv->status_lost),
		 "{\"schema\":%d,\"command\":\"%s\",\"event\":\"dropped\",\"dropped\":",
		 REPORT_SCHEMA, inv->command->name);
	inv->status.lost_before = inv->status_lost;
	inv->status.fd = inv->status_fd;
	return inv->status_fd < 0 ? NULL : &inv->status;
}

struct progress cmd_progress(struct invocation *inv, const struct transfer *transfer,
			     const char *name)
{
	return (struct progress){
		.mode = inv->verbosity < 0 && inv->progress == PROGRESS_AUTO ? PROGRESS_NEVER
									     : inv->progress,
		.status = cmd_status(inv),
		.quiet = inv->verbosity < 0,
		.command = inv->command->name,
		.kind = "device",
		.name = name,
		.transfer = transfer,
	};
}
