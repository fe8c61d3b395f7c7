// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/monitor.h"
#include "transport/output.h"
#include "ui/monitor-log.h"
#include "ui/picture-states.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

/* How often the states are looked at if nothing is said; each look is a read in debugfs. */
#define MONITOR_INTERVAL_NS (100 * NSEC_PER_MSEC)

/**
 * struct cmd_monitor_args
 * @out, @picture: of --svg; @uncancelled: of its writing, which a signal has not to end
 */
struct cmd_monitor_args {
	struct invocation *inv;
	struct opt_list specs;
	struct monitor_options options;
	const char *svg;
	bool force;

	struct monitor monitor;
	struct monitor_log log;
	struct cancel cancel, uncancelled;
	struct output *out;
	struct picture_states picture;
};

static void cmd_monitor_view(FILE *f, struct json_object *report)
{
	static const struct report_row columns[] = {
		{ "device", "DEVICE", REPORT_TEXT },	     { "state", "STATE", REPORT_TEXT },
		{ "times", "TIMES", REPORT_TEXT },	     { "dwell_ns", "IN ALL", REPORT_NS },
		{ "downtime_ns", "DOWN", REPORT_NS_IF_ANY },
	};
	static const struct report_row rows[] = {
		{ "longest_gap_ns", "longest time between two looks", REPORT_NS_IF_ANY },
	};
	struct json_object *states;

	if (!json_object_object_get_ex(report, "dwell", &states))
		return;
	report_table(f, states, columns, ARRAY_SIZE(columns));
	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_monitor_parse(struct cmd_monitor_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "states", .value = "INTERVAL", .value_optional = true,
		  .duration_ns = &a->options.interval_ns, .min = NSEC_PER_MSEC,
		  .max = 3600 * NSEC_PER_SEC, .given = &a->options.states,
		  .doc = "look at the migration states, each INTERVAL (100ms)" },
		{ "svg", .value = "FILE", .text = &a->svg,
		  .doc = "draw the states as a picture at the end, to FILE" },
		{ "force", .flag = &a->force, .doc = "replace FILE if it exists" },
		{ "until", .value = "WHAT", .text = &a->options.until_text,
		  .doc = "end as soon as WHAT is so: bound, gone, or 'DEV STATE'" },
		{ "timeout", .value = "TIME", .duration_ns = &a->options.timeout_ns,
		  .min = NSEC_PER_MSEC, .max = 86400 * NSEC_PER_SEC,
		  .doc = "end after TIME; with --until, that is a failure" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->specs, .optional = true }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	a->options.states |= a->svg != NULL;
	if (!a->options.interval_ns)
		a->options.interval_ns = MONITOR_INTERVAL_NS;
	if (!a->options.until_text)
		return;
	if (!until_parse(a->options.until_text, &a->options.until))
		opts_misuse(a->inv->program, "--until is bound, gone, or 'DEV STATE', not '%s'",
			    a->options.until_text);
	if (a->options.until.kind == UNTIL_STATE)
		a->options.states = true;
	else if (!a->specs.n)
		opts_misuse(a->inv->program, "--until=%s: of which DEV?", a->options.until_text);
}

/*
 * What is told as it happens
 */

static void cmd_monitor_on_device(void *ctx, const char *device, enum presence presence,
				  const char *driver, const char *cdev)
{
	struct cmd_monitor_args *a = ctx;

	monitor_log_device(&a->log, device, presence, driver, cdev);
}

static void cmd_monitor_on_uevent(void *ctx, const char *device, const struct uevent *event)
{
	struct cmd_monitor_args *a = ctx;

	monitor_log_uevent(&a->log, device, event);
}

static void cmd_monitor_on_port(void *ctx, const char *device, const struct devlink_port *port,
				bool gone)
{
	struct cmd_monitor_args *a = ctx;

	monitor_log_port(&a->log, device, port, gone);
}

static void cmd_monitor_on_overrun(void *ctx, const char *source)
{
	struct cmd_monitor_args *a = ctx;

	monitor_log_overrun(&a->log, source);
}

/* What the picture is made of. */
static int cmd_monitor_keep(struct cmd_monitor_args *a, size_t index, const struct dwell *d,
			    const struct dwell_change *change, struct err *err)
{
	const struct picture_state state = {
		.device = (unsigned int)index,
		.ns = d->known ? d->last_look_ns : clock_ns(),
		.known = d->known,
		.state = d->state,
	};

	if (change->up)
		picture_states_down(&a->picture, state.ns - change->down_ns, state.ns);
	return picture_states_add(&a->picture, &state, err);
}

static int cmd_monitor_on_state(void *ctx, size_t index, const struct monitor_device *d,
				const struct dwell_change *change, struct err *err)
{
	struct cmd_monitor_args *a = ctx;

	monitor_log_state(&a->log, d->name, &d->dwell, change);
	return a->svg ? cmd_monitor_keep(a, index, &d->dwell, change, err) : 0;
}

static int cmd_monitor_pending_fd(void *ctx)
{
	struct cmd_monitor_args *a = ctx;

	return lines_pending_fd(&a->log.out);
}

static int cmd_monitor_flush(void *ctx, struct err *err)
{
	struct cmd_monitor_args *a = ctx;

	lines_flush(&a->log.out);
	return monitor_log_check(&a->log, err);
}

static const struct monitor_listener cmd_monitor_listener = {
	.device = cmd_monitor_on_device,
	.uevent = cmd_monitor_on_uevent,
	.port = cmd_monitor_on_port,
	.overrun = cmd_monitor_on_overrun,
	.state = cmd_monitor_on_state,
	.pending_fd = cmd_monitor_pending_fd,
	.flush = cmd_monitor_flush,
};

static int cmd_monitor_work(void *ctx, struct err *err)
{
	struct cmd_monitor_args *a = ctx;

	a->options.specs = a->specs.v;
	a->options.n_specs = a->specs.n;
	return monitor_run(&a->monitor, err);
}

/*
 * The result
 */

static void cmd_monitor_render_dwell(struct json_object *list, const struct monitor_device *d)
{
	bool first = true;

	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		struct json_object *o;

		if (!d->dwell.visits[s])
			continue;
		o = report_append(list);
		report_string(o, "device", d->name);
		report_string(o, "state", fsm_name((enum mig_state)s));
		report_uint(o, "times", d->dwell.visits[s]);
		report_uint(o, "dwell_ns", d->dwell.total_ns[s]);
		if (first)
			report_uint(o, "downtime_ns", d->dwell.downtime_ns);
		first = false;
	}
}

static void cmd_monitor_render(struct cmd_monitor_args *a)
{
	struct json_object *o = a->inv->report, *list;

	report_uint(o, "overruns", a->monitor.overruns);
	if (a->options.until_text)
		report_name(o, "until", a->options.until_text);
	if (!a->options.states)
		return;
	list = report_array(o, "dwell");
	monitor_end(&a->monitor);
	for (size_t i = 0; i < a->monitor.n; i++)
		cmd_monitor_render_dwell(list, &a->monitor.v[i]);
	report_uint(o, "interval_ns", a->options.interval_ns);
	report_uint(o, "longest_gap_ns", monitor_longest_gap(&a->monitor));
}

/* First, so that a place where nothing can be written ends it before anything was seen. */
static int cmd_monitor_open_picture(struct cmd_monitor_args *a, struct err *err)
{
	struct uri uri;
	int r;

	if (!a->svg)
		return 0;
	r = cmd_output(a->inv, a->svg, URI_FILE, &uri, err);
	return r < 0 ? r : output_open(&uri, a->force, &a->uncancelled, &a->out, err);
}

static char *cmd_monitor_draw(struct cmd_monitor_args *a, size_t *ret_len, struct err *err)
{
	_cleanup_free_ struct picture_states_device *devices =
		calloc(a->monitor.n + 1, sizeof(*devices));
	char *text = NULL;
	FILE *f = devices ? open_memstream(&text, ret_len) : NULL;

	if (!f) {
		err_set(err, -ENOMEM, "%s", a->svg);
		return NULL;
	}
	a->picture.start_ns = a->log.start_ns;
	a->picture.end_ns = clock_ns();
	a->picture.gap_ns = monitor_longest_gap(&a->monitor);
	for (size_t i = 0; i < a->monitor.n; i++)
		devices[i] = (struct picture_states_device){ a->monitor.v[i].name,
							     a->monitor.v[i].dwell.downtime_ns };
	picture_states_draw(f, &a->picture, devices, (unsigned int)a->monitor.n);
	if (fclose(f) == 0)
		return text;
	err_set(err, -ENOMEM, "%s", a->svg);
	return mfree(text);
}

/* However it has ended: what was seen is worth as much after a failure. */
static int cmd_monitor_write_picture(struct cmd_monitor_args *a, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	if (!a->out)
		return 0;
	text = cmd_monitor_draw(a, &len, err);
	if (!text)
		return -ENOMEM;
	r = output_write(a->out, text, len, err);
	if (r < 0)
		return r;
	r = output_finish(a->out, err);
	if (r < 0)
		return r;
	r = output_publish(a->out, err);
	if (r < 0)
		return r;
	report_name(a->inv->report, "svg", a->svg);
	return 0;
}

/* With --json the result is the last line of many, and not a document of its own. */
static void cmd_monitor_show_json(struct cmd_monitor_args *a, int r, const struct err *err)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	a->inv->stdout_taken = true;
	a->inv->view = NULL;
	a->inv->add_result(a->inv, r, err);
	report_string(a->inv->report, "event", "result");
	f = open_memstream(&text, &size);
	if (!f)
		return;
	report_json(f, a->inv->report, false);
	if (fclose(f) == 0)
		lines_put(&a->log.out, text);
	free(text);
}

/*
 * What people read has no end but by them: a reader that goes, such as head(1), has seen enough.
 * With --until it would have to be told that it has come to that.
 */
static bool cmd_monitor_is_enough(struct cmd_monitor_args *a)
{
	return !a->inv->json && !a->options.until_text && lines_finish(&a->log.out, 0) == -EPIPE;
}

/* How long the result waits for a reader that is slow. */
#define MONITOR_WAIT_MS 5000

static int cmd_monitor_watch_all(struct cmd_monitor_args *a, struct err *err)
{
	struct err why = { 0 };
	int r, s;

	r = cmd_monitor_open_picture(a, err);
	if (r < 0)
		return r;
	monitor_log_init(&a->log, a->inv->json, a->inv->verbosity < 0);
	r = session_run(cmd_monitor_work, a, &a->cancel, NULL, err);
	if (r < 0 && cmd_monitor_is_enough(a)) {
		*err = (struct err){ 0 };
		r = 0;
	}
	s = cmd_monitor_write_picture(a, r < 0 ? &why : err);
	if (r < 0 && s < 0)
		log_warn("%s: not drawn: %s", a->svg, why.text);
	r = r < 0 ? r : s;
	cmd_monitor_render(a);
	if (a->inv->json)
		cmd_monitor_show_json(a, r, err);
	lines_finish(&a->log.out, MONITOR_WAIT_MS);
	monitor_log_done(&a->log);
	return r;
}

static int cmd_monitor_watch(struct cmd_monitor_args *a, struct err *err)
{
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = cancel_init(&a->uncancelled, err);
	if (r < 0) {
		cancel_done(&a->cancel);
		return r;
	}
	r = cmd_monitor_watch_all(a, err);
	a->out = output_free(a->out);
	cancel_done(&a->uncancelled);
	cancel_done(&a->cancel);
	return r;
}

static int cmd_monitor_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_monitor_args a = { .inv = inv };
	int r;

	cmd_monitor_parse(&a, argc, argv);
	inv->view = cmd_monitor_view;
	a.monitor = (struct monitor){
		.options = &a.options,
		.listener = &cmd_monitor_listener,
		.listener_ctx = &a,
		.cancel = &a.cancel,
	};
	r = cmd_monitor_watch(&a, err);
	monitor_done(&a.monitor);
	picture_states_done(&a.picture);
	return r;
}

const struct command cmd_monitor = {
	.name = "monitor",
	.args_doc = "[DEV...]",
	.summary = "show what happens to devices, as it happens",
	.doc = "Show what happens to devices: they come and go, get and lose drivers, migrate.\v"
	       "Without DEV, all devices that VFIO has or gets. Opens nothing: what other "
	       "processes do to a device is seen by --states.",
	.run = cmd_monitor_run,
};
