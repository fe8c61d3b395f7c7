// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/console.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/journal-text.h"
#include "fsm/fsm.h"
#include "transport/listener.h"
#include "ui/session.h"
#include "cmd/connection.h"
#include "cmd/devices.h"
#include "cmd/recover-parts.h"
#include "cmd/render.h"

/* Digits of a TXID that name it, if no other begins with them. */
#define CMD_RECOVER_DIGITS_MIN 4
#define CMD_RECOVER_DIGITS (2 * (size_t)WIRE_ID_SIZE)

static const char *const cmd_recover_force_words[RECOVER_NR_FORCES] = {
	[RECOVER_FORCE_RUN] = "run",
	[RECOVER_FORCE_DROP] = "drop",
};

struct cmd_recover_args {
	struct invocation *inv;
	const char *txid, *peer, *serve, *state_dir;
	unsigned int force;
	bool list, keep, dry_run;
	struct cmd_connection connection;
	struct device_options options;
	struct arc_retry retry;
	struct cmd_recover_wish wish;

	struct journal *journal;
	struct journal_item *items;
	size_t n_items;
	struct recover_options recover;
	struct recover_result result;
	struct cancel cancel;
};

static void cmd_recover_check_args(const struct cmd_recover_args *a)
{
	const char *program = a->inv->program;
	const size_t digits = a->txid ? strspn(a->txid, "0123456789abcdef") : 0;

	if (a->serve && (a->txid || a->list || a->peer || a->force || a->dry_run))
		opts_misuse(program, "--serve only answers: it takes no TXID, and none of --list, "
				     "--peer, --force and --dry-run");
	if (cmd_after_acts(&a->wish.after) &&
	    (!a->txid || a->dry_run || a->force == RECOVER_FORCE_DROP))
		opts_misuse(program,
			    "--background, --handover and -- COMMAND are for a TXID that is "
			    "brought to its end, without --dry-run and --force=drop");
	if (a->wish.run && a->wish.stop)
		opts_misuse(program, "--run and --stop exclude each other");
	if (cmd_recover_wish_option(&a->wish) && (!a->txid || a->force == RECOVER_FORCE_DROP))
		opts_misuse(program,
			    "%s is for a TXID that is brought to its end, without "
			    "--force=drop",
			    cmd_recover_wish_option(&a->wish));
	if (a->keep && !a->serve)
		opts_misuse(program, "--keep is for --serve");
	if (a->list && a->txid)
		opts_misuse(program, "--list takes no TXID");
	if (!a->txid && (a->peer || a->force || a->dry_run))
		opts_misuse(program, "no TXID: recover --list shows them");
	if (!a->txid)
		return;
	if (a->txid[digits] || digits < CMD_RECOVER_DIGITS_MIN || digits > CMD_RECOVER_DIGITS)
		opts_misuse(program, "TXID is at least %d of its 32 hexadecimal digits, not '%s'",
			    CMD_RECOVER_DIGITS_MIN, a->txid);
	if (a->force && digits < CMD_RECOVER_DIGITS)
		opts_misuse(program, "--force wants all 32 digits of TXID");
}

static void cmd_recover_parse(struct cmd_recover_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "list", .flag = &a->list, .doc = "show all transactions that the journal has" },
		{ "peer", .value = "URI", .text = &a->peer,
		  .doc = "ask the other end there, wherever the transaction was" },
		{ "force", .value = "WHAT", .choice = &a->force, OPT_WORDS(cmd_recover_force_words),
		  .doc = "the other end is gone for ever: run the devices here, or drop what is "
			 "here; wants the whole TXID" },
		{ "serve", .value = "URI", .text = &a->serve,
		  .doc = "answer what another end asks there, from the journal" },
		{ "keep", .flag = &a->keep, .doc = "of --serve: answer until a signal ends it" },
		{ "state-dir", .value = "DIR", .text = &a->state_dir,
		  .doc = "the journal is in DIR" },
		{ "run", .flag = &a->wish.run,
		  .doc = "start the devices, even if receive was not to" },
		{ "stop", .flag = &a->wish.stop, .doc = "leave the devices stopped" },
		{ "no-hold", .flag = &a->wish.after.no_hold,
		  .doc = "exit at once; for devices that keep their state" },
		{ "handover", .value = "PATH", .text = &a->wish.after.handover,
		  .doc = "hand what is loaded over to the holder that listens at PATH, and exit" },
		{ "background", .flag = &a->wish.after.background,
		  .doc = "hold what is loaded in the background: exit once it is held" },
		{ "pid-file", .value = "FILE", .text = &a->wish.after.pid_path,
		  .doc = "of --background: the number of the process that holds" },
		{ "dry-run", .flag = &a->dry_run,
		  .doc = "ask, and say what would be done; change nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "TXID", .text = &a->txid, .optional = true }, { 0 } };

	cmd_after_split(a->inv, &a->wish.after, &argc, argv);
	cmd_parse(a->inv,
		  &(struct cmd_line){
			  .opts = opts,
			  .args = args,
			  .open = &a->options,
			  .retry = &a->retry,
			  .connection = &a->connection,
		  },
		  argc, argv);
	cmd_after_settle(a->inv, &a->wish.after);
	cmd_recover_check_args(a);
}

/* The default folder may come with the first move; one that a user names is there, or mistyped. */
static int cmd_recover_open(struct cmd_recover_args *a, struct err *err)
{
	_cleanup_free_ char *dir = NULL;
	int r;

	if (a->state_dir)
		return journal_find(a->state_dir, &a->journal, err);
	r = journal_default_dir(&dir, err);
	return r < 0 ? r : journal_open(dir, &a->journal, err);
}

/* The one that TXID names. */
static int cmd_recover_find(struct cmd_recover_args *a, struct err *err)
{
	const struct journal_record *found = NULL;
	const size_t len = strlen(a->txid);
	int r;

	r = journal_list(a->journal, &a->items, &a->n_items, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < a->n_items; i++) {
		const struct journal_item *item = &a->items[i];

		if (strncmp(item->file, a->txid, len) != 0)
			continue;
		if (item->damaged)
			return err_fail(err, ERR_IMAGE, -EBADMSG, "%s", item->damaged);
		if (found) {
			err_fail(err, ERR_USAGE, -EINVAL, "'%s' begins more than one transaction",
				 a->txid);
			return err_hint(err, -EINVAL, "give more digits; recover --list has them");
		}
		found = &item->record;
	}
	if (!found) {
		err_fail(err, ERR_MISSING, -ENOENT, "%s: no transaction '%s'",
			 journal_dir(a->journal), a->txid);
		return err_hint(err, -ENOENT, "recover --list has those that there are");
	}
	a->recover.seen = found;
	return 0;
}

/* One */

static const char *const cmd_recover_actions[] = {
	"write", "give-back", "discard", "stop", "load", "start", "finish", "drop-spool", "tell",
};

static void cmd_recover_render_device(struct json_object *o, const struct recover_device *d)
{
	report_name(o, "address", d->was->name);
	report_name(o, "device", d->was->spec);
	report_string(o, "place", recover_devices_name(d->place));
	if (*d->story)
		report_name(o, "why", d->story);
	report_string(o, "state_found", fsm_name(d->was->found));
	render_state_now(o, d->state, d->known);
}

static void cmd_recover_render(struct cmd_recover_args *a)
{
	const struct recover_result *result = &a->result;
	struct json_object *o = a->inv->report, *list;
	const struct journal_record *record = result->entry ? journal_record(result->entry)
							    : a->recover.seen;

	cmd_recover_render_record(o, record);
	if (*result->forced && !record->forced)
		report_name(o, "forced", result->forced);
	report_string(o, "phase_found", wire_phase_name(result->was));
	report_string(o, "phase", wire_phase_name(result->phase));
	if (result->asked)
		report_string(o, "other_end", recover_other_name(result->other));
	if (*result->unheard)
		report_name(o, "unheard", result->unheard);
	if (result->relayed)
		report_bool(o, "relayed", true);
	if (a->dry_run)
		report_bool(o, "dry_run", true);
	if (result->planned && !result->relayed)
		render_words(o, "actions", cmd_recover_actions, ARRAY_SIZE(cmd_recover_actions),
			     result->plan.actions);
	if (!result->looked)
		return;
	list = report_array(o, "devices");
	for (unsigned int i = 0; i < result->set.n; i++)
		cmd_recover_render_device(report_append(list), &result->set.v[i]);
}

static void cmd_recover_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "txid", "transaction", REPORT_TEXT },
		{ "role", "this end", REPORT_TEXT },
		{ "phase_found", "was", REPORT_TEXT },
		{ "phase", "is", REPORT_TEXT },
		{ "other_end", "the other end", REPORT_TEXT },
		{ "peer", "at", REPORT_TEXT },
		{ "unheard", "why", REPORT_TEXT },
		{ "told", "it has said", REPORT_TEXT },
		{ "forced", "forced", REPORT_TEXT },
		{ "outcome", "outcome", REPORT_TEXT },
		{ "owner", "owner", REPORT_TEXT },
		{ "successor.command", "passed on to", REPORT_TEXT },
		{ "successor.socket", "handed over to", REPORT_TEXT },
		{ "successor.pid", "held by process", REPORT_TEXT },
		{ "actions", "steps", REPORT_TEXT },
	};
	static const struct report_row columns[] = {
		{ "address", "DEVICE", REPORT_TEXT },
		{ "place", "WAS", REPORT_TEXT },
		{ "state", "STATE NOW", REPORT_TEXT },
		{ "why", "WHY", REPORT_TEXT },
	};
	struct json_object *list;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (json_object_object_get_ex(report, "devices", &list))
		report_table(f, list, columns, ARRAY_SIZE(columns));
}

static int cmd_recover_work(void *ctx, struct err *err)
{
	struct cmd_recover_args *a = ctx;

	return recover_run(&a->recover, &a->cancel, &a->result, err);
}

static const char *cmd_recover_user(void)
{
	const struct passwd *pw = getpwuid(getuid());

	return pw ? pw->pw_name : "an unknown user";
}

/* Where the other end is asked, if that is said anywhere, and by which credentials. */
static int cmd_recover_connection(struct cmd_recover_args *a, struct uri *ret, bool *ret_named,
				  struct err *err)
{
	const char *text = a->peer ? a->peer : a->recover.seen->peer;
	int r;

	*ret_named = text != NULL;
	if (!text)
		return 0;
	r = uri_parse(text, URI_CHANNEL, ret, err);
	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_CLIENT, ret, URI_SOCKET, err);
	a->recover.link.tls = a->connection.peer.tls;
	return r;
}

static int cmd_recover_one(struct cmd_recover_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, a->txid);
	const struct cmd_recover_after after = {
		a->inv, a->txid, &a->wish, &a->recover, &a->result,
	};
	struct uri peer;
	bool named;
	int r;

	a->inv->view = cmd_recover_view;
	a->inv->acts = a->inv->moves_state = true;
	a->inv->outcome = OUTCOME_IN_DOUBT;
	r = cmd_recover_find(a, err);
	if (r < 0)
		return r;
	r = cmd_recover_after_check(&a->wish, a->recover.seen, err);
	if (r < 0)
		return r;
	r = cmd_recover_connection(a, &peer, &named, err);
	if (r < 0)
		return r;
	a->recover.peer = named ? &peer : NULL;
	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &a->cancel;
	r = session_run(cmd_recover_work, a, &a->cancel, &progress, err);
	a->options.cancel = NULL;
	cancel_done(&a->cancel);
	/* The transaction's: that it is undone is no failure of this command, and status 0. */
	a->inv->outcome = a->result.plan.outcome;
	if (r < 0 && err->kind != ERR_IN_DOUBT && a->inv->outcome <= OUTCOME_ABORTED)
		a->inv->outcome = err->kind == ERR_DEVICE ? OUTCOME_DEVICE_ERROR : OUTCOME_IN_DOUBT;
	a->inv->owner = a->result.plan.owner;
	cmd_recover_render(a);
	return r < 0 ? r : cmd_recover_after_run(&after, err);
}

static int cmd_recover_serve(struct cmd_recover_args *a, struct err *err)
{
	struct cmd_recover_serve s = {
		.inv = a->inv,
		.journal = a->journal,
		.keep = a->keep,
	};
	int r;

	r = uri_parse(a->serve, URI_LISTEN | URI_STDIO, &s.uri, err);
	if (r < 0)
		return r;
	r = cmd_connection_open(&a->connection, TLS_SERVER, &s.uri, URI_LISTEN, err);
	if (r < 0)
		return r;
	s.peer = a->connection.peer;
	a->inv->stdout_taken = s.uri.kind == URI_STDIO;
	return cmd_recover_serve_run(&s, err);
}

static int cmd_recover_dispatch(struct cmd_recover_args *a, struct err *err)
{
	int r;

	r = cmd_recover_open(a, err);
	if (r < 0)
		return r;
	a->recover.journal = a->journal;
	a->connection.peer.timeout_ms = a->options.acquire.timeout_ms;
	a->recover.link = a->connection.peer;
	a->recover.device = &a->options;
	a->recover.retry_ns = a->retry.budget_ns;
	a->recover.force = a->force;
	a->recover.by = cmd_recover_user();
	a->recover.plan_only = a->dry_run;
	a->recover.start = cmd_recover_wish_start(&a->wish);
	if (a->serve)
		return cmd_recover_serve(a, err);
	if (a->txid)
		return cmd_recover_one(a, err);
	a->inv->view = cmd_recover_view_list;
	return cmd_recover_list(a->inv, a->journal, err);
}

static int cmd_recover_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_recover_args a = { .inv = inv };
	int r;

	cmd_recover_parse(&a, argc, argv);
	r = cmd_recover_dispatch(&a, err);
	cmd_after_done(&a.wish.after);
	recover_result_done(&a.result);
	journal_list_done(a.items, a.n_items);
	journal_free(a.journal);
	cmd_connection_done(&a.connection);
	return r;
}

const struct command cmd_recover = {
	.name = "recover",
	.args_doc = "[TXID]",
	.more_doc = "[-- COMMAND [ARG...]]",
	.summary = "bring a move between hosts to its end after a crash",
	.doc = "Bring a move between hosts to its end after a crash of either end: finish it, or "
	       "undo it.\v"
	       "Without TXID it shows the transactions that the journal has. With it, it looks at "
	       "the devices, asks the other end, and does what both records and the devices allow. "
	       "What cannot be known is left stopped, with exit status 80. TXID is 32 hexadecimal "
	       "digits, or the first ones, at least four.",
	.run = cmd_recover_run,
};
