// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/console.h"
#include "base/inherited-fds.h"
#include "base/io.h"
#include "base/listen-fds.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/printable.h"
#include "base/printed.h"
#include "base/suggest.h"
#include "base/trace.h"
#include "ui/syslog-record.h"
#include "cmd/cmd.h"

/* The one list of commands: dispatch, --help and the completions' test read it. */
static const struct command *const commands[] = {
	&cmd_save,    &cmd_resume, &cmd_migrate,    &cmd_receive, &cmd_recover, &cmd_hold,
	&cmd_list,    &cmd_info,   &cmd_state,	    &cmd_reset,	  &cmd_inspect, &cmd_verify,
	&cmd_extract, &cmd_report, &cmd_migratable, &cmd_bind,	  &cmd_unbind,	&cmd_vfs,
	&cmd_monitor, &cmd_doctor, &cmd_check,	    &cmd_bench,	  &cmd_dirty,
};

/* What stands in front of the list of commands. */
#define MAIN_DOC "Save, resume and inspect the migration state of VFIO devices.\v"

static char *main_doc(void)
{
	char *buf = NULL;
	size_t size;
	FILE *f;

	f = open_memstream(&buf, &size);
	if (!f)
		return NULL;
	fputs(MAIN_DOC "Commands:\n", f);
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(f, "  %-10s %-11s %s\n", commands[i]->name, commands[i]->args_doc,
			commands[i]->summary);
	fputs("\n'vfiomigctl help COMMAND' says more about each.\n", f);
	fclose(f);
	return buf;
}

#define MAIN_NAME_MAX 64

/* What messages of a command begin with: "vfiomigctl save". Return: @buf. */
static char *main_name(char buf[MAIN_NAME_MAX], const char *command)
{
	snprintf(buf, MAIN_NAME_MAX, "%s %s", program_invocation_short_name, command);
	return buf;
}

/* Exits where there is no such command. */
static const struct command *main_find_command(const struct invocation *inv, const char *name)
{
	const char *names[ARRAY_SIZE(commands) + 1], *meant;
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(commands[i]->name, name))
			return commands[i];
		names[n++] = commands[i]->name;
	}
	names[n++] = "help";
	meant = suggest_word(name, names, n);
	if (meant)
		opts_misuse(inv->program, "unknown command '%s': did you mean '%s'?", name, meant);
	opts_misuse(inv->program, "unknown command '%s'", name);
}

/*
 * "help" is "--help", and "help COMMAND" is "COMMAND --help": returns with that command line, or
 * exits.
 */
static void main_help(struct invocation *inv, const struct opt_line *program, int *argc,
		      char ***argv)
{
	static char *words[] = { NULL, (char *)"--help", NULL };
	const char *name = NULL;
	const struct opt_arg args[] = { { "COMMAND", .text = &name, .optional = true }, { 0 } };
	char self[MAIN_NAME_MAX];
	const struct opt_line line = {
		.program = main_name(self, "help"),
		.version = CMD_VERSION,
		.args_doc = "[COMMAND]",
		.doc = "Say more about a command.",
		.args = args,
	};

	cmd_parse_common(inv, &line, *argc, *argv);
	*argc = ARRAY_SIZE(words) - 1;
	*argv = words;
	if (!name || !strcmp(name, "help"))
		cmd_parse_common(inv, program, *argc, *argv);
	else
		inv->command = main_find_command(inv, name);
}

/* Leaves the command and its own command line. Exits on misuse. */
static void main_parse(struct invocation *inv, int *argc, char ***argv)
{
	const char *name = NULL;
	const struct opt_arg args[] = { { "command", .text = &name }, { 0 } };
	_cleanup_free_ char *doc = main_doc();
	const struct opt_line line = {
		.program = inv->program,
		.version = CMD_VERSION,
		.args_doc = "COMMAND [ARG...]",
		.doc = doc,
		.args = args,
		.first_only = true,
	};
	int at = cmd_parse_common(inv, &line, *argc, *argv);

	*argc -= at;
	*argv += at;
	if (!strcmp(name, "help"))
		main_help(inv, &line, argc, argv);
	else
		inv->command = main_find_command(inv, name);
}

static const char *main_outcome_name(enum outcome outcome)
{
	static const char *const names[] = {
		[OUTCOME_COMPLETED] = "completed",
		[OUTCOME_ABORTED] = "aborted",
		[OUTCOME_IN_DOUBT] = "in-doubt",
		[OUTCOME_DEVICE_ERROR] = "device-error",
	};

	return names[outcome];
}

static const char *main_owner_name(enum owner owner)
{
	static const char *const names[] = {
		[OWNER_SOURCE] = "source",
		[OWNER_DESTINATION] = "destination",
		[OWNER_NONE] = "none",
		[OWNER_UNKNOWN] = "unknown",
	};

	return names[owner];
}

static void main_add_result(struct invocation *inv, int r, const struct err *err)
{
	struct json_object *o = inv->report, *e;

	if (!inv->moves_state && r >= 0)
		inv->outcome = OUTCOME_COMPLETED;
	else if (!inv->moves_state && err->kind == ERR_DEVICE)
		inv->outcome = OUTCOME_DEVICE_ERROR;
	report_int(o, "status", r < 0 ? err_status(err) : 0);
	report_string(o, "outcome", main_outcome_name(inv->outcome));
	report_string(o, "owner", main_owner_name(inv->owner));
	if (r >= 0)
		return;
	e = report_object(o, "error");
	report_string(e, "message", err->text);
	report_string(e, "errno", err->system ? err_name(err->code) : NULL);
	report_string(e, "note", *err->note ? err->note : NULL);
	report_string(e, "hint", *err->hint ? err->hint : NULL);
}

/* How long a result waits for a reader that has stopped reading: for one that is only slow. */
#define RESULT_WAIT_MS 5000

/* The exit status so far, for a signal that ends the wait for a reader. */
static volatile sig_atomic_t main_status;

static void main_stop_waiting(int signal)
{
	(void)signal;
	_exit(main_status);
}

/*
 * A report may wait for its reader, a pager maybe, as long as that takes: the work is done. A
 * signal then has nothing to stop but the wait, and does not change the status. What nohup ignores
 * stays ignored.
 */
static void main_let_signals_end_it(void)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
	const struct sigaction stop = { .sa_handler = main_stop_waiting };
	struct sigaction before;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		if (signals[i] == SIGHUP && sigaction(SIGHUP, NULL, &before) == 0 &&
		    before.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &stop, NULL);
		sigaddset(&set, signals[i]);
	}
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static void main_show_status(struct invocation *inv)
{
	struct lines *status = cmd_status(inv);
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!status)
		return;
	f = open_memstream(&text, &size);
	if (!f)
		return;
	report_string(inv->report, "event", "result");
	report_json(f, inv->report, false);
	json_object_object_del(inv->report, "event");
	if (fclose(f) == 0)
		lines_put(status, text);
	free(text);
}

/* Data on standard output sends every human word to standard error. */
static void main_show_text(struct invocation *inv)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (!inv->stdout_taken) {
		fputs(inv->unshown ? inv->unshown : "", stdout);
		inv->view(stdout, inv->report);
		return;
	}
	f = open_memstream(&text, &size);
	if (!f)
		return;
	inv->view(f, inv->report);
	if (fclose(f) == 0)
		console_put(text);
	free(text);
}

static bool main_has_result(const struct invocation *inv, int r, const struct err *err)
{
	return r >= 0 || inv->shows_partial || (inv->judges && err->kind == ERR_NONCONFORMING);
}

/* What runs in a unit is started by the service manager, which says so in the environment. */
static bool main_is_recorded(const struct invocation *inv)
{
	static const char *const only[] = { "dry_run", "check_only" };

	for (size_t i = 0; i < ARRAY_SIZE(only); i++)
		if (json_object_object_get_ex(inv->report, only[i], NULL))
			return false;
	if (!inv->moves_state || inv->syslog == CMD_SYSLOG_NO)
		return false;
	return inv->syslog == CMD_SYSLOG_YES || (!isatty(STDERR_FILENO) && getenv("INVOCATION_ID"));
}

static int main_record(struct json_object *report, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	int r;

	r = syslog_record_text(report, &text, err);
	if (r < 0)
		return r;
	return syslog_record_send(SYSLOG_RECORD_SOCKET, syslog_record_priority(report), text, err);
}

/* A record that is lost changes nothing of what it is about. */
static void main_record_if_wanted(const struct invocation *inv)
{
	char reason[ERR_REASON_MAX];
	struct err err = { 0 };

	if (main_is_recorded(inv) && main_record(inv->report, &err) < 0)
		log_warn("syslog: %s%s", err.text, err_reason(&err, reason));
}

static void main_show(struct invocation *inv, int r, const struct err *err)
{
	inv->show = NULL;
	main_add_result(inv, r, err);
	main_record_if_wanted(inv);
	main_status = r < 0 ? err_status(err) : 0;
	main_show_status(inv);
	main_let_signals_end_it();
	if (inv->json && !inv->stdout_taken)
		report_json(stdout, inv->report, true);
	else if (main_has_result(inv, r, err) && inv->view && inv->verbosity >= 0)
		main_show_text(inv);
	printed_flush();
}

static void main_print_error(struct err *err)
{
	char story[ERR_STORY_MAX];

	make_printable(err->text);
	make_printable(err->note);
	make_printable(err->hint);
	console_print("%s: %s", program_invocation_short_name, err_story(err, story));
}

static void main_say_error(struct invocation *inv, struct err *err)
{
	main_print_error(err);
	inv->error_said = true;
}

/*
 * What was printed and never arrived is a failure too: a report cut short by a full disk. But where
 * something was done to a device, the status says what became of that, and nothing else. So does
 * one that says what went wrong: only a report that speaks of findings is missed. Return: the exit
 * status; @status is that of the work.
 */
static int main_close_stdout(const struct invocation *inv, int status)
{
	const bool program = inv->json || inv->for_program;
	struct err err = { 0 };

	if (printed_finish(program ? PRINTED_FOR_PROGRAM : PRINTED_FOR_PEOPLE, &err) >= 0)
		return status;
	main_print_error(&err);
	return inv->acts || status > ERR_NONCONFORMING ? status : ERR_IO;
}

/* A reader that has stopped reading loses the end, and keeps nothing from ending. */
static void main_finish_lines(struct invocation *inv)
{
	if (lines_finish(&inv->status, RESULT_WAIT_MS) < 0)
		log_info("--status-fd: the result is lost");
	lines_done(&inv->status);
	lines_finish(console_lines(), RESULT_WAIT_MS);
	lines_done(console_lines());
}

int main(int argc, char **argv)
{
	struct invocation whole = {
		.program = program_invocation_short_name,
		.status_fd = -1,
		.add_result = main_add_result,
		.show = main_show,
		.say_error = main_say_error,
	};
	struct invocation *inv = &whole;
	struct err err = { 0 };
	char name[MAIN_NAME_MAX];
	int r, status;

	inherited_fds_note();
	if (fd_take_standard(&err) < 0) {
		main_print_error(&err);
		return err_status(&err);
	}
	listen_fds_take();
	lines_init(&inv->status, -1, "", "}");
	signal(SIGPIPE, SIG_IGN); /* a reader that is gone is an EPIPE, and handled */
	signal(SIGCHLD, SIG_DFL); /* ignored, it would take the statuses of our commands away */
	main_parse(inv, &argc, &argv);

	inv->outcome = OUTCOME_ABORTED;
	inv->owner = OWNER_UNKNOWN;
	inv->report = report_new(inv->command->name);
	inv->program = main_name(name, inv->command->name);
	r = inv->command->run(inv, argc, argv, &err);
	if (inv->show)
		inv->show(inv, r, &err);
	if (r < 0 && !inv->error_said)
		main_print_error(&err);
	report_done(inv->report);
	trace_finish(RESULT_WAIT_MS);
	status = main_close_stdout(inv, r < 0 ? err_status(&err) : 0);
	main_finish_lines(inv);
	return status;
}
