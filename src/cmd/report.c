// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/macros.h"
#include "cmd/cmd.h"
#include "transport/input.h"
#include "transport/output.h"
#include "ui/event-file.h"
#include "ui/picture.h"
#include "ui/summary-report.h"

struct cmd_report_args {
	struct invocation *inv;
	const char *file, *svg;
	bool force;
	struct uri in, out;
	struct cancel cancel; /* never requested: a signal ends the program */
	struct event_file events;
	struct summary summary;
};

static void cmd_report_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "recorded.command", "of", REPORT_TEXT },
		{ "recorded.outcome", "outcome", REPORT_TEXT },
		{ "recorded.message", "failure", REPORT_TEXT },
		{ "svg", "picture", REPORT_TEXT },
	};

	summary_view(f, report, rows, ARRAY_SIZE(rows));
}

/* All of it, or one byte more than may be. */
static int cmd_report_read(struct cmd_report_args *a, char **ret, size_t *ret_len, struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len = 0, room = 0;
	ssize_t n;
	int r;

	r = input_open(&a->in, &a->cancel, &in, err);
	if (r < 0)
		return r;
	do {
		if (len == room) {
			char *more = realloc(text, 2 * room + BUFSIZ);

			if (!more)
				return err_set(err, -ENOMEM, "%s", a->file);
			text = more;
			room = 2 * room + BUFSIZ;
		}
		n = input_read(in, text + len, room - len, err);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
	} while (n && len <= EVENT_FILE_MAX);
	*ret = TAKE_PTR(text);
	*ret_len = len;
	return 0;
}

/* What the command said at its end, as far as it is what it must be. */
static void cmd_report_render_result(struct json_object *o, const struct event_file *events)
{
	struct json_object *value, *error;

	report_string(o, "command", events->command);
	report_string(o, "version", events->version);
	if (json_object_object_get_ex(events->result, "outcome", &value) &&
	    json_object_is_type(value, json_type_string))
		report_string(o, "outcome", json_object_get_string(value));
	if (json_object_object_get_ex(events->result, "error", &error) &&
	    json_object_is_type(error, json_type_object) &&
	    json_object_object_get_ex(error, "message", &value) &&
	    json_object_is_type(value, json_type_string))
		report_string(o, "message", json_object_get_string(value));
}

static int cmd_report_summarize(struct cmd_report_args *a, struct err *err)
{
	struct json_object *o = a->inv->report;
	int r;

	r = summary_init(&a->summary, a->events.list.devices, err);
	if (r < 0)
		return r;
	event_list_replay(&a->events.list, summary_on_event, &a->summary);
	summary_end(&a->summary);
	cmd_report_render_result(report_object(o, "recorded"), &a->events);
	summary_render(o, &a->summary, a->events.names);
	if (a->events.list.lost)
		report_uint(o, "lost_events", a->events.list.lost);
	return 0;
}

static int cmd_report_write(struct output *out, const char *text, size_t len, struct err *err)
{
	int r;

	r = output_write(out, text, len, err);
	if (r < 0)
		return r;
	r = output_finish(out, err);
	return r < 0 ? r : output_publish(out, err);
}

static int cmd_report_draw(struct cmd_report_args *a, struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;
	int r;

	r = output_open(&a->out, a->force, &a->cancel, &out, err);
	if (r < 0)
		return r;
	f = open_memstream(&text, &len);
	if (!f)
		return err_set(err, -ENOMEM, "%s", a->svg);
	r = picture_draw(f, &a->events, &a->summary, err);
	if (fclose(f) != 0)
		return err_set(err, -ENOMEM, "%s", a->svg);
	if (r < 0)
		return r;
	report_name(a->inv->report, "svg", a->svg);
	return cmd_report_write(out, text, len, err);
}

static int cmd_report_report(struct cmd_report_args *a, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	r = cmd_report_read(a, &text, &len, err);
	if (r < 0)
		return r;
	r = event_file_parse(text, len, &a->events, err);
	if (r < 0)
		return err_prefix(err, r, "%s: no report", a->file);
	r = cmd_report_summarize(a, err);
	if (r < 0)
		return r;
	return a->svg ? cmd_report_draw(a, err) : 0;
}

static void cmd_report_parse(struct cmd_report_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "svg", .value = "OUT", .text = &a->svg, .doc = "draw it as a picture, to OUT" },
		{ "force", .flag = &a->force, .doc = "replace OUT if it exists" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "FILE", .text = &a->file }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	a->inv->view = cmd_report_view;
}

static int cmd_report_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_report_args a = { .inv = inv };
	int r;

	cmd_report_parse(&a, argc, argv);
	report_name(inv->report, "file", a.file);
	r = cmd_input(inv, a.file, URI_FILE | URI_STDIO | URI_FD, &a.in, err);
	if (r < 0)
		return r;
	if (a.svg)
		r = cmd_output(inv, a.svg, URI_FILE | URI_STDIO | URI_FD, &a.out, err);
	if (r < 0)
		return r;
	r = cancel_init(&a.cancel, err);
	if (r < 0)
		return r;
	r = cmd_report_report(&a, err);
	summary_done(&a.summary);
	event_file_done(&a.events);
	cancel_done(&a.cancel);
	return r;
}

const struct command cmd_report = {
	.name = "report",
	.args_doc = "FILE",
	.summary = "show where a run's time went",
	.doc = "Show where a run's time went, from a FILE of save --report or resume --report.\v"
	       "Says for each device how long it was down and what for, and why pre-copy was left "
	       "when it was. Needs no device. FILE and OUT are a path, file:PATH, - or fd:N.",
	.run = cmd_report_run,
};
