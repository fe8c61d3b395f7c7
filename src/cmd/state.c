// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/device.h"
#include "device/peek.h"
#include "engine/adopt.h"
#include "engine/timeline.h"
#include "fsm/fsm.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/plan.h"
#include "cmd/render.h"

struct cmd_state_args {
	struct invocation *inv;
	const char *spec;
	struct device_options options;
	struct arc_retry retry;
	const char *word;
	enum mig_state want;
	bool dry_run, force;

	struct device *device;
	struct timeline timeline;
	enum mig_state found;
	bool found_known;
	struct cancel cancel;
};

/* The states that a device can be told to go to. */
static char *cmd_state_words(char *buf, size_t size)
{
	const char *words[MIG_NR_STATES];

	for (unsigned int state = 0; state < MIG_NR_STATES; state++)
		words[state] = state == MIG_ERROR ? NULL : fsm_name((enum mig_state)state);
	return opts_join(buf, size, words, ARRAY_SIZE(words), "or");
}

static void cmd_state_parse(struct cmd_state_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "force", .flag = &a->force,
		  .doc = "set it although a save or load of it seems to be under way" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "DEV", .text = &a->spec },
		{ "STATE", .text = &a->word, .optional = true },
		{ 0 },
	};
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
	};
	char words[128];

	cmd_parse(a->inv, &line, argc, argv);
	if (a->word && (!fsm_parse(a->word, &a->want) || a->want == MIG_ERROR))
		opts_misuse(a->inv->program, "STATE is %s, not '%s'%s",
			    cmd_state_words(words, sizeof(words)), a->word,
			    fsm_parse(a->spec, &a->want) ? ": swapped? DEV comes first" : "");
}

static void cmd_state_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "state", "state", REPORT_TEXT },
		{ "v1_bits", "device_state", REPORT_TEXT },
		{ "want", "would set", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "source", "read by", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

/* Return: true when debugfs knew; @ret is then set. */
static bool cmd_state_read_debugfs(const struct device *dev, enum mig_state *ret)
{
	return device_peek(dev, device_held(dev), ret) == PEEK_STATE;
}

static int cmd_state_open_device(struct cmd_state_args *a, struct err *err)
{
	int r;

	r = device_open(a->device, &a->options, err);
	return r < 0 ? r : mig_query(a->device->mig, err);
}

/* Interrupted between two tries: half of a walk is of no use. */
static void cmd_state_go_back(struct cmd_state_args *a, struct err *err)
{
	struct mig_dev *mig = a->device->mig;
	struct err why = { 0 };

	if (mig_goto(mig, a->found, &why) >= 0)
		return;
	err->kind = ERR_DEVICE;
	err_hint(err, err->code, "it could not be brought back to %s: %s (%s)", fsm_name(a->found),
		 why.text, err_name(why.code));
}

static int cmd_state_work(void *ctx, struct err *err)
{
	struct cmd_state_args *a = ctx;
	int r;

	r = cmd_state_open_device(a, err);
	if (r < 0)
		return r;
	a->found = a->device->mig->state;
	a->found_known = true;
	if (!a->word)
		return 0;
	r = adopt_check_explicit(a->device, ADOPT_SET, a->force, err);
	if (r < 0)
		return r;
	r = cancel_check(&a->cancel, err);
	if (r < 0)
		return r;
	a->device->mig->on_arc = timeline_add;
	a->device->mig->on_arc_ctx = &a->timeline;
	a->device->mig->cancel = &a->cancel;
	r = mig_goto_retrying(&a->retry, a->device->mig, a->want, &a->cancel, err);
	if (r == -ECANCELED)
		cmd_state_go_back(a, err);
	a->device->mig->on_arc = NULL;
	a->device->mig->cancel = NULL;
	/* Told to go somewhere, and it is elsewhere: worth more than the errno. */
	if (r < 0 && a->timeline.n)
		err_classify(err, ERR_DEVICE, r);
	return r;
}

static void cmd_state_render(struct cmd_state_args *a)
{
	struct json_object *o = a->inv->report;
	struct mig_dev *mig = a->device->mig;

	render_device(o, a->device);
	if (!mig)
		return;
	report_string(o, "source", "device");
	render_state_found(o, a->found, a->found_known);
	render_device_state(o, mig);
	if (a->word)
		render_arcs(o, &a->timeline, mig->state);
}

static void cmd_state_warn_close(const struct device *dev)
{
	enum close_effect effect = device_close_effect(dev);

	if (effect != CLOSE_KEEPS)
		log_warn("%s: %s: to keep it there, hold it open elsewhere and use fd:N",
			 device_name(dev), device_close_text(effect));
}

/* debugfs knows the device, and not whether what lends it still lives, or has lost a client. */
static int cmd_state_ask_lender(const struct cmd_state_args *a, struct err *err)
{
	if (a->word || device_ownership(a->device) != DEVICE_LENT)
		return 0;
	return device_check(a->device, &a->options, err);
}

static int cmd_state_read_or_set(struct cmd_state_args *a, struct err *err)
{
	enum mig_state state;
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	int r;

	a->options.only_asks = !a->word;
	r = cmd_state_ask_lender(a, err);
	if (r < 0) {
		cmd_state_render(a);
		return r;
	}
	if (!a->word && device_opening(a->device) != OPENING_FREE &&
	    cmd_state_read_debugfs(a->device, &state)) {
		render_device(a->inv->report, a->device);
		report_string(a->inv->report, "source", "debugfs");
		render_state_now(a->inv->report, state, true);
		return 0;
	}
	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &a->cancel;
	/* A signal ends the wait for a busy device; a walk under way is finished. */
	r = session_run(cmd_state_work, a, &a->cancel, &progress, err);
	cancel_done(&a->cancel);
	cmd_state_render(a);
	if (r >= 0 && a->word)
		cmd_state_warn_close(a->device);
	return r;
}

/* Name no arcs: they depend on the migration flags, which only an open device tells. */
static int cmd_state_plan(struct cmd_state_args *a, struct err *err)
{
	struct json_object *o = a->inv->report;
	enum mig_state state;
	int r;

	render_device(o, a->device);
	report_bool(o, "dry_run", true);
	a->options.only_asks = !a->word;
	report_string(o, "want", a->word ? fsm_name(a->want) : NULL);
	report_bool(o, "opening_resets", device_reset_by_open(a->device));
	if (cmd_state_read_debugfs(a->device, &state))
		render_state_now(o, state, true);
	else
		report_null(o, "state");
	/* One that is held is read by debugfs. */
	if (a->word)
		r = cmd_plan_check(a->device, &a->options, err);
	else
		r = device_check(a->device, &a->options, err);
	if (r < 0 || device_opening(a->device) != OPENING_FREE)
		return r;
	r = cmd_state_open_device(a, err);
	if (r < 0)
		return r;
	render_state_now(o, a->device->mig->state, a->device->mig->state_known);
	return a->word ? adopt_check_explicit(a->device, ADOPT_SET, a->force, err) : 0;
}

static int cmd_state_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_state_args a = { .inv = inv };
	int r;

	cmd_state_parse(&a, argc, argv);
	inv->view = cmd_state_view;
	inv->acts = a.word && !a.dry_run;
	r = device_find(&host_live, a.spec, &a.device, err);
	if (r < 0)
		return r;
	r = a.dry_run ? cmd_state_plan(&a, err) : cmd_state_read_or_set(&a, err);
	device_free(a.device);
	return r;
}

const struct command cmd_state = {
	.name = "state",
	.args_doc = "DEV [STATE]",
	.summary = "read or set a device's migration state",
	.doc = "Read or set a device's migration state.\v"
	       "Reads by debugfs where that is possible, so that nothing has to be opened. Sets "
	       "arc by arc and says what each took. STATE is stop, running, stop-copy, resuming, "
	       "running-p2p, pre-copy or pre-copy-p2p.",
	.run = cmd_state_run,
};
