/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Commands
 *
 * A command parses its own arguments and fills a report; main() shows it, as text by the
 * command's own view or as JSON, prints the error if there is one, and exits with its status.
 */

#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/opts.h"
#include "device/device.h"
#include "device/arc-retry.h"
#include "engine/actions.h"
#include "engine/handover.h"
#include "engine/transfer.h"
#include "transport/uri.h"
#include "ui/progress.h"
#include "ui/report.h"

#define CMD_VERSION PACKAGE_STRING "\nVFIO migration protocol v2, uAPI of Linux 7.2"

/** enum cmd_syslog - AUTO: in a unit of the service manager, without a terminal */
enum cmd_syslog {
	CMD_SYSLOG_NO,
	CMD_SYSLOG_AUTO,
	CMD_SYSLOG_YES,
	CMD_NR_SYSLOGS
};

/**
 * struct invocation - one run of a command
 * @program: "vfiomigctl NAME", for messages
 * @json: the report goes to standard output as JSON
 * @status, @status_lost: of @status_fd; by cmd_status()
 * @trace, @trace_format: where each call of a device is told, NULL for nowhere
 * @syslog: whether the result goes to the system's log; CMD_SYSLOG_NO of commands that have none
 * @stdout_taken: standard output carries data: nothing else may go there
 * @report: the command's document; main()'s to show and free
 * @view: shows @report as text, to standard output or, when that carries data, standard error
 * @unshown: text that goes before that of @view; NULL for none
 * @add_result: main()'s: puts status, outcome, owner and error into the report, for a command that
 *              needs it whole before it is shown
 * @show: main()'s: shows the report now, for a command that goes on after its result; NULL once
 *        that is done
 * @say_error: main()'s: says the error now, for a command that goes on after a failure; main() says
 *             it no more, as @error_said tells
 * @input, @output: the files behind FILE, if @has_input, @has_output: they must not be the same
 * @for_program: the text of @view has a format that programs read: as of @json, all of it counts
 * @acts: the command does something to a device: the status speaks of that alone
 * @judges: ERR_NONCONFORMING is its result, too: the report says why, and is shown as text
 * @shows_partial: what the report has by the time of any failure is shown as text, too
 * @moves_state: @outcome is the command's own; of others it follows from the result
 * @owner: who has the state, where the command knows
 */
struct invocation {
	const struct command *command;
	const char *program;
	bool json;
	int verbosity;
	unsigned int progress; /* enum progress_mode */
	int status_fd;
	struct lines status;
	char status_lost[96];
	const char *trace;
	unsigned int trace_format; /* enum trace_format */
	unsigned int syslog; /* enum cmd_syslog */

	bool stdout_taken;
	bool has_input, has_output;
	struct stat input, output;
	struct json_object *report;
	void (*view)(FILE *f, struct json_object *report);
	const char *unshown;
	void (*add_result)(struct invocation *inv, int result, const struct err *err);
	void (*show)(struct invocation *inv, int result, const struct err *err);
	void (*say_error)(struct invocation *inv, struct err *err);
	bool error_said;
	bool for_program;
	bool acts;
	bool judges;
	bool shows_partial;
	bool moves_state;
	enum outcome outcome;
	enum owner owner;
};

/**
 * struct command - a subcommand
 * @name: the word on the command line
 * @args_doc: its arguments, for usage lines
 * @more_doc: what may follow them, or NULL
 * @summary: one line for the list of commands; lower case, no full stop
 * @doc: for --help; what follows \v stands behind the options
 * @run: parses argv and does the work; @argv[0] is "vfiomigctl NAME"
 */
struct command {
	const char *name;
	const char *args_doc;
	const char *more_doc;
	const char *summary;
	const char *doc;
	int (*run)(struct invocation *inv, int argc, char **argv, struct err *err);
};

extern const struct command cmd_check;
extern const struct command cmd_doctor;
extern const struct command cmd_bench;
extern const struct command cmd_bind;
extern const struct command cmd_dirty;
extern const struct command cmd_extract;
extern const struct command cmd_hold;
extern const struct command cmd_info;
extern const struct command cmd_inspect;
extern const struct command cmd_list;
extern const struct command cmd_migratable;
extern const struct command cmd_migrate;
extern const struct command cmd_monitor;
extern const struct command cmd_recover;
extern const struct command cmd_receive;
extern const struct command cmd_report;
extern const struct command cmd_reset;
extern const struct command cmd_resume;
extern const struct command cmd_save;
extern const struct command cmd_state;
extern const struct command cmd_unbind;
extern const struct command cmd_verify;
extern const struct command cmd_vfs;

struct cmd_connection;

/**
 * struct cmd_line - what a command takes
 * @opts: its own options, up to one without a name; NULL for none
 * @args: its arguments, up to one without a name
 * @open: how to open a device, for a command that does; filled in
 * @open_title: what help calls these options; NULL for the usual
 * @retry: how long a device may refuse to be stopped, for a command that stops one; filled in
 * @actions: what is done to the devices' user, for a command that stops them; filled in
 * @connection: who may be at the other end, for a command that connects or listens; filled in
 * @stays_stopped: they do not run again here, so that no owner can be frozen meanwhile
 */
struct cmd_line {
	const struct opt *opts;
	const struct opt_arg *args;
	struct device_options *open;
	const char *open_title;
	struct arc_retry *retry;
	struct actions_options *actions;
	struct cmd_connection *connection;
	bool stays_stopped;
};

/** cmd_parse() - the command's own options and all that commands share. Exits on misuse. */
void cmd_parse(struct invocation *inv, const struct cmd_line *line, int argc, char **argv);

/** cmd_parse_common() - the options in front of the command's name. Return: the name's index. */
int cmd_parse_common(struct invocation *inv, const struct opt_line *line, int argc, char **argv);

/**
 * cmd_find_device() - device_find(), for a command whose other argument is @other
 *
 * Where DEV is no device's name and @other is one, the hint asks whether they were exchanged.
 */
_must_check_ int cmd_find_device(const struct invocation *inv, const char *spec, const char *other,
				 struct device **ret, struct err *err);

/**
 * cmd_bare_path() - an option that takes the path of a socket, and no DEV or FILE
 * @option: "--socket"
 *
 * Exits on misuse.
 */
void cmd_bare_path(const struct invocation *inv, const char *option, const char *path);

/** cmd_hint_swapped() - the hint alone, for what failed otherwise. Return: @code. */
int cmd_hint_swapped(const struct invocation *inv, const char *spec, const char *other, int code,
		     struct err *err);

/**
 * cmd_input() - FILE, where data comes from, by uri_parse()
 *
 * To be called before anything is opened, which could get the number of a descriptor that was not.
 *
 * Return: 0; -EINVAL (ERR_USAGE), also when the command writes to the same file; -EBADF
 * (ERR_MISSING).
 */
_must_check_ int cmd_input(struct invocation *inv, const char *text, unsigned int kinds,
			   struct uri *ret, struct err *err);

/**
 * cmd_output() - the same, where data goes
 *
 * Where it leads to standard output, by any name, nothing else may go there (@inv->stdout_taken).
 *
 * Return: 0; -EINVAL (ERR_USAGE), also when --json or --status-fd want the same; -EBADF
 * (ERR_OUTPUT).
 */
_must_check_ int cmd_output(struct invocation *inv, const char *text, unsigned int kinds,
			    struct uri *ret, struct err *err);

/** cmd_progress() - how far it is, the way the invocation asks for it. */
struct progress cmd_progress(struct invocation *inv, const struct transfer *transfer,
			     const char *name);

/** cmd_status() - where JSON lines go, NULL without --status-fd */
struct lines *cmd_status(struct invocation *inv);
