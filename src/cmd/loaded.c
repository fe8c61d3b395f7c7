// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/sd-notify.h"
#include "ui/session.h"
#include "cmd/loaded.h"
#include "cmd/plan.h"
#include "cmd/render.h"

void cmd_loaded_view_restored(FILE *f, struct json_object *report)
{
	static const struct report_row restored[] = {
		{ "register", "RESTORED", REPORT_TEXT },
		{ "before", "WAS", REPORT_TEXT },
		{ "after", "IS", REPORT_TEXT },
	};
	struct json_object *list;

	if (json_object_object_get_ex(report, "restored", &list))
		report_table(f, list, restored, ARRAY_SIZE(restored));
}

static void cmd_loaded_render_restored(struct json_object *report, const struct config_restore *e)
{
	struct json_object *list, *o;

	if (!e->has)
		return;
	list = report_array(report, "restored");
	for (unsigned int i = 0; i < e->n; i++) {
		o = report_append(list);
		report_string(o, "register", e->changes[i].name);
		report_hex(o, "before", 2, e->changes[i].before);
		report_hex(o, "after", 2, e->changes[i].after);
	}
}

void cmd_loaded_render_device(struct json_object *o, const struct load_result *result,
			      unsigned int i)
{
	const struct member_result *m = &result->devices[i];
	const struct load_device *d = &result->loads[i];

	report_uint(o, "bytes", m->bytes);
	report_uint(o, "stream_ns", m->stream_ns);
	render_rate(o, m->bytes, m->stream_ns);
	report_bool(o, "accepted", d->accepted);
	cmd_loaded_render_restored(o, &d->config);
	render_state_found(o, m->found, true);
	render_state_now(o, m->left, m->left_known);
	report_uint(o, "drain_retries", m->retries);
	render_arcs(o, &m->timeline, m->left);
	if (m->recovered)
		render_recovery(o, &m->recovery);
}

/* Why the device does not run, to follow "stopped". */
static const char *cmd_loaded_why_stopped(const struct cmd_loaded *a)
{
	if (a->result.copy)
		return ", as this is a copy: the sender's device runs on, or may (--clone starts "
		       "it all the same)";
	if (a->stop || a->result.verdict.status != HANDOVER_DONE || cmd_after_passes(&a->after))
		return "";
	return ", as no DMA is known to be mapped (--run starts it all the same)";
}

/* The service has started. A manager that does not hear it is no failure. */
static void cmd_loaded_tell_manager(const struct cmd_loaded *a, bool stopped)
{
	char reason[ERR_REASON_MAX], status[160];
	struct err err = { 0 };

	snprintf(status, sizeof(status), "%s: %s, held open", cmd_devices_title(&a->devices),
		 stopped ? "stopped" : "running");
	if (sd_notify_ready(status, &err) < 0)
		log_warn("%s%s", err.text, err_reason(&err, reason));
}

/* A signal has ended it. Others may hold the devices by now, which closing them says. */
static void cmd_loaded_say_let_go(const struct cmd_loaded *a)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(&a->devices, &dev);

	if (effect == CLOSE_KEEPS)
		return;
	log_warn("%s: let go with the state in it, and %s: --handover or -- COMMAND passes it on "
		 "to what keeps it",
		 cmd_devices_title(&a->devices), device_close_text(effect));
}

static int cmd_loaded_hold(struct cmd_loaded *a, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(&a->devices, &dev);
	const char *why = device_close_text(effect);
	bool stopped = dev->mig->state == MIG_STOP;
	int r;

	/* From here on a signal ends the hold, and is not lost before that has begun. */
	session_block_signals();
	/* After a failure it is held for what may still be needed of it. */
	if (effect == CLOSE_KEEPS)
		why = a->result.verdict.status == HANDOVER_DONE && a->after.kind == CMD_AFTER_HOLD
			      ? "It keeps its state without that: --no-hold exits at once"
			      : NULL;
	if (a->inv->verbosity >= 0)
		console_print("%s: %s%s; held open until %s%s%s", cmd_devices_title(&a->devices),
			      stopped ? "stopped" : "running",
			      stopped ? cmd_loaded_why_stopped(a) : "", session_ended_by(),
			      !why		      ? ""
			      : effect == CLOSE_KEEPS ? ". "
						      : ", because ",
			      why ? why : "");
	cmd_loaded_tell_manager(a, stopped);
	r = cmd_devices_hold(a->inv, &a->devices, err);
	if (r >= 0)
		cmd_loaded_say_let_go(a);
	return r;
}

/*
 * The image of each sender is compared with the device. Ask the device for what sysfs does not know
 * of it now, before a source is stopped. Close it again: its server may serve another client
 * meanwhile.
 */
static int cmd_loaded_look_at(struct device *dev, const struct device_options *opts,
			      struct err *err)
{
	int r;

	if (device_opening(dev) == OPENING_MAY_RESET)
		return 0;
	r = device_open(dev, opts, err);
	r = r < 0 ? r : mig_query(dev->mig, err);
	device_close(dev);
	return r;
}

static bool cmd_loaded_all_kept(const struct cmd_devices *d)
{
	for (unsigned int i = 0; i < d->n; i++)
		if (!device_is_kept(d->v[i]))
			return false;
	return true;
}

/*
 * A signal that came too late to abort means: do not stay. But not if that loses the only copy. To
 * pass it on is not to stay.
 */
void cmd_loaded_heed(struct cmd_loaded *a)
{
	if (cmd_after_passes(&a->after) && a->result.accepted)
		return;
	if (!a->result.hold)
		a->after.kind = CMD_AFTER_EXIT;
	else if (a->after.kind != CMD_AFTER_EXIT)
		log_warn("%s: it was too late to stop: the state is here alone, and ending this "
			 "may lose it",
			 cmd_devices_title(&a->devices));
}

/* Keep a state that did not start, since there may be no other copy. Return: @r, why it did not. */
static int cmd_loaded_hold_failed(struct cmd_loaded *a, int r, struct err *err)
{
	const struct progress progress = cmd_progress(a->inv, NULL, cmd_devices_title(&a->devices));
	struct err gone = { 0 };

	/* What is to be executed has the report before: then the failure is an event after it. */
	if (a->inv->show)
		a->inv->show(a->inv, r, err);
	else
		progress_event(&progress, "not-executed", "message", err->text);
	a->inv->say_error(a->inv, err);
	if (cmd_loaded_hold(a, &gone) < 0) {
		*err = gone;
		a->inv->error_said = false;
	}
	return r;
}

/* A device that another process keeps is left stopped like one that is held here: say what next. */
static void cmd_loaded_say_stopped(const struct cmd_loaded *a)
{
	const struct cmd_devices *d = &a->devices;
	const char *title = cmd_devices_title(d), *why = cmd_loaded_why_stopped(a);

	if (a->load.verify_only || a->inv->verbosity < 0 || (a->result.starts && !a->result.copy))
		return;
	if (a->after.kind == CMD_AFTER_GIVE)
		console_print("%s: stopped%s; to start it: vfiomigctl state hold:%s/%s running",
			      title, why, a->after.handover,
			      d->n > 1 ? "NAME" : device_name(d->v[0]));
	else if (*why && (a->result.copy || device_lacks_dma(d->v[0])))
		console_print("%s: stopped%s", title, why);
}

/*
 * An owner or lender that was to keep a device may have let it go since it was asked last. Return:
 * @r, or -ESRCH if all went well but for that; @ret_left: one has.
 */
static int cmd_loaded_check_left(const struct cmd_loaded *a, int r, bool *ret_left, struct err *err)
{
	struct err why = { 0 };

	*ret_left = false;
	for (unsigned int i = 0; a->result.opened && i < a->devices.n; i++) {
		int left = device_check_kept(a->devices.v[i], &why);

		if (left >= 0)
			continue;
		*ret_left = true;
		if (r < 0)
			return r;
		err_classify(&why, ERR_DEVICE, left);
		err_note(&why, left, "the state that was loaded is in this process alone%s",
			 a->result.hold ? "" : ", and ends with it");
		*err = why;
		return left;
	}
	return r;
}

/* Loaded, and for another process. Return: as cmd_after_pass(), or what holding it here came to. */
static int cmd_loaded_pass_on(struct cmd_loaded *a, struct err *err)
{
	int r;

	r = cmd_after_pass(&a->after, a->inv, &a->devices, &a->options, &a->result, err);
	if (r < 0)
		return cmd_loaded_hold_failed(a, r, err);
	if (r == CMD_AFTER_CHILD)
		return cmd_loaded_hold(a, err);
	cmd_loaded_say_stopped(a);
	return 0;
}

void cmd_loaded_settle(struct cmd_loaded *a)
{
	struct load_options *load = &a->load;

	load->devs = a->devices.v;
	load->n = a->devices.n;
	load->device = &a->options;
	load->run_paused = a->run;
	a->options.owner_frozen = a->actions.freeze_owner || a->actions.script;
	load->actions = &a->actions;
	a->actions.file = a->devices.file;
	load->retry_ns = a->retry.budget_ns;
	load->p2p = !a->no_p2p;
	load->map = (struct load_map_options){
		.only = a->only.v,
		.n_only = (unsigned int)a->only.n,
		.pairs = a->map.v,
		.n_pairs = (unsigned int)a->map.n,
		.specs = a->devices.specs,
		.n = a->devices.n,
	};
}

/* What is passed on its new holder starts, once it has mapped the memory for it. */
static enum load_start cmd_loaded_start(const struct cmd_loaded *a)
{
	if (a->stop)
		return LOAD_STARTS_NONE;
	if (a->run)
		return LOAD_STARTS_ALL;
	return cmd_after_passes(&a->after) ? LOAD_STARTS_NONE : LOAD_STARTS_READY;
}

int cmd_loaded_check(struct cmd_loaded *a, struct err *err)
{
	return cmd_after_check(&a->after, &a->devices, err);
}

int cmd_loaded_look(struct cmd_loaded *a, struct err *err)
{
	for (unsigned int i = 0; i < a->devices.n; i++) {
		int r = cmd_loaded_look_at(a->devices.v[i], &a->options, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* What stands in the way of the devices, as far as it can be told; the image is another matter. */
static int cmd_loaded_plan(struct cmd_loaded *a, struct err *err)
{
	const struct load_options *load = &a->load;
	int r;

	for (unsigned int i = 0; i < load->n; i++) {
		r = cmd_plan_check(load->devs[i], load->device, err);
		if (r < 0)
			return r;
		r = cmd_plan_adopt(load->devs[i], load->device, ADOPT_LOAD, err);
		if (r < 0)
			return r;
	}
	return cmd_plan_actions(a->inv->report, load->actions, load->devs, load->n, err);
}

int cmd_loaded_prepare(struct cmd_loaded *a, struct err *err)
{
	struct load_options *load = &a->load;

	load->start = cmd_loaded_start(a);
	if (a->actions.freeze_owner &&
	    !load_start_any(load->start, load->devs, load->n, a->options.owner_frozen))
		return load_start_refuse(err);
	if (a->after.kind == CMD_AFTER_HOLD && cmd_loaded_all_kept(&a->devices))
		a->after.kind = CMD_AFTER_EXIT;
	load->kept = a->after.kind == CMD_AFTER_EXIT;
	if (load->verify_only)
		return cmd_loaded_plan(a, err);
	for (unsigned int i = 0; i < load->n; i++) {
		int r = device_check(load->devs[i], load->device, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int cmd_loaded_finish(struct cmd_loaded *a, int r, struct err *err)
{
	struct invocation *inv = a->inv;
	bool exits = a->after.kind == CMD_AFTER_EXIT, left = false;

	if (exits)
		r = cmd_loaded_check_left(a, r, &left, err);
	if (r < 0)
		return a->result.hold && (!exits || left) ? cmd_loaded_hold_failed(a, r, err) : r;
	if (exits)
		cmd_loaded_say_stopped(a);
	if (exits || a->load.verify_only)
		return r;
	if (a->after.kind != CMD_AFTER_HOLD)
		return cmd_loaded_pass_on(a, err);
	/* A caller that waits for the result must have it before the wait begins. */
	inv->show(inv, r, err);
	return cmd_loaded_hold(a, err);
}

void cmd_loaded_done(struct cmd_loaded *a)
{
	cmd_after_done(&a->after);
	load_result_done(&a->result);
	cmd_devices_done(&a->devices);
}
