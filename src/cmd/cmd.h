/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Commands
 *
 * A command parses its own arguments and fills a report; main() shows it, as text by the
 * command's own view or as JSON, prints the error if there is one, and exits with its status.
 */

#include <argp.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "base/err.h"
#include "device/device.h"
#include "device/arc-retry.h"
#include "engine/transfer.h"
#include "transport/uri.h"
#include "ui/progress.h"
#include "ui/report.h"

/* Long options without a letter; each command's own start at OPT_COMMAND. */
enum {
	OPT_COMMON = 0x100,
	OPT_DEVICE = 0x120,
	OPT_DRAIN = 0x130,
	OPT_COMMAND = 0x140
};

/**
 * struct invocation - one run of a command
 * @json: the report goes to standard output as JSON
 * @stdout_taken: standard output carries data: nothing else may go there
 * @report: the command's document; main()'s to show and free
 * @view: shows @report as text, to standard output or, when that carries data, standard error
 * @show: main()'s: shows the report now, for a command that goes on after its result; NULL once
 *        that is done
 * @input, @output: the files behind FILE, if @has_input, @has_output: they must not be the same
 * @acts: the command does something to a device: the status speaks of that alone
 * @outcome, @owner: of a command that moves state; shown only if @moves_state
 */
struct invocation {
	const struct command *command;
	bool json;
	int verbosity;
	enum progress_mode progress;
	int status_fd;

	bool stdout_taken;
	bool has_input, has_output;
	struct stat input, output;
	struct json_object *report;
	void (*view)(FILE *f, struct json_object *report);
	void (*show)(struct invocation *inv, int result, const struct err *err);
	bool acts;
	bool moves_state;
	enum outcome outcome;
	enum owner owner;
};

/**
 * struct command - a subcommand
 * @name: the word on the command line
 * @args_doc: its arguments, for usage lines
 * @summary: one line for the list of commands; lower case, no full stop
 * @run: parses argv and does the work; @argv[0] is "vfiomigctl NAME"
 */
struct command {
	const char *name;
	const char *args_doc;
	const char *summary;
	int (*run)(struct invocation *inv, int argc, char **argv, struct err *err);
};

extern const struct command cmd_extract;
extern const struct command cmd_info;
extern const struct command cmd_inspect;
extern const struct command cmd_list;
extern const struct command cmd_reset;
extern const struct command cmd_resume;
extern const struct command cmd_save;
extern const struct command cmd_state;
extern const struct command cmd_verify;

/*
 * Arguments that commands share, to hang into struct argp.children; ARGP_KEY_INIT of the command's
 * parser sets child_inputs. Positional arguments go to the first group that still wants one.
 */

extern const struct argp common_argp; /* input: struct invocation * */
extern const struct argp open_argp; /* input: struct device_options * */

/** struct device_args - DEV and how to open it */
struct device_args {
	const char *spec;
	struct device_options options;
};
extern const struct argp device_argp;

extern const struct argp arc_retry_argp; /* input: struct arc_retry * */

/** struct file_args - FILE */
struct file_args {
	const char *text;
};
extern const struct argp file_argp;

/** cmd_parse() - argp_parse(), which exits on misuse; then what common options ask for. */
void cmd_parse(const struct invocation *inv, const struct argp *argp, int argc, char **argv,
	       void *input);

/**
 * cmd_input() - FILE, where data comes from, by uri_parse()
 *
 * To be called before anything is opened, which could get the number of a descriptor that was not.
 *
 * Return: 0; -EINVAL (ERR_USAGE), also when the command writes to the same file; -EBADF (ERR_MISSING).
 */
_must_check_ int cmd_input(struct invocation *inv, const char *text, unsigned int kinds,
			   struct uri *ret, struct err *err);

/**
 * cmd_output() - the same, where data goes
 *
 * By whatever name it leads to standard output, nothing else may go there (@inv->stdout_taken).
 *
 * Return: 0; -EINVAL (ERR_USAGE), also when --json or --status-fd want the same; -EBADF (ERR_OUTPUT).
 */
_must_check_ int cmd_output(struct invocation *inv, const char *text, unsigned int kinds,
			    struct uri *ret, struct err *err);

/** cmd_progress() - how far it is, the way the invocation asks for it. */
struct progress cmd_progress(const struct invocation *inv, const struct transfer *transfer,
			     const char *name);
