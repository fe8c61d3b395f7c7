// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/macros.h"
#include "device/device.h"
#include "engine/adopt.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/plan.h"
#include "cmd/render.h"

struct cmd_reset_args {
	struct invocation *inv;
	const char *spec;
	struct device_options options;
	bool dry_run, force;

	struct device *device;
	enum mig_state found;
	bool found_known, was_reset;
	uint64_t ns;
	struct cancel cancel;
};

static void cmd_reset_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "device.owner.comm", "its owner", REPORT_TEXT },
		{ "device.owner.pid", "owner's pid", REPORT_TEXT },
		{ "state_found", "state before", REPORT_TEXT },
		{ "reset_ns", "reset took", REPORT_NS },
		{ "state", "state now", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static int cmd_reset_work(void *ctx, struct err *err)
{
	struct cmd_reset_args *a = ctx;
	uint64_t start;
	int r;

	r = device_open(a->device, &a->options, err);
	if (r < 0)
		return r;
	/* A device that cannot migrate can be reset all the same. */
	r = mig_query(a->device->mig, err);
	if (r < 0 && err_status(err) != ERR_UNSUPPORTED)
		return r;
	a->found = a->device->mig->state;
	a->found_known = a->device->mig->state_known;
	r = adopt_check_explicit(a->device, ADOPT_RESET, a->force, err);
	if (r < 0)
		return r;
	/* A signal does not interrupt a reset: half of one leaves the device anywhere. */
	r = cancel_check(&a->cancel, err);
	if (r < 0)
		return r;
	cancel_close(&a->cancel);
	start = clock_ns();
	a->device->mig->cancel = &a->cancel;
	r = mig_reset(a->device->mig, err);
	a->device->mig->cancel = NULL;
	a->ns = clock_ns() - start;
	if (r < 0)
		return err_classify(err, ERR_DEVICE, r);
	a->was_reset = true;
	return mig_reset_check(a->device->mig, err);
}

static int cmd_reset_reset(struct cmd_reset_args *a, struct err *err)
{
	struct json_object *o = a->inv->report;
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &a->cancel;
	r = session_run(cmd_reset_work, a, &a->cancel, &progress, err);
	cancel_done(&a->cancel);
	render_device(o, a->device);
	if (a->was_reset) {
		struct mig_dev *mig = a->device->mig;

		a->inv->owner = OWNER_NONE;
		render_state_found(o, a->found, a->found_known);
		report_uint(o, "reset_ns", a->ns);
		render_device_state(o, mig);
	}
	return r;
}

/* A device that is open already can be asked. */
static int cmd_reset_plan(struct cmd_reset_args *a, struct err *err)
{
	struct json_object *o = a->inv->report;
	struct mig_dev *mig;
	int r;

	report_bool(o, "dry_run", true);
	report_bool(o, "opening_resets", device_reset_by_open(a->device));
	render_device(o, a->device);
	r = cmd_plan_check(a->device, &a->options, err);
	if (r < 0 || device_opening(a->device) != OPENING_FREE)
		return r;
	r = device_open(a->device, &a->options, err);
	if (r < 0)
		return r;
	mig = a->device->mig;
	r = mig_query(mig, err);
	if (r < 0 && err_status(err) != ERR_UNSUPPORTED)
		return r;
	render_state_now(o, mig->state, mig->state_known);
	return adopt_check_explicit(a->device, ADOPT_RESET, a->force, err);
}

static int cmd_reset_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_reset_args a = { .inv = inv };
	const struct opt opts[] = {
		{ "force", .flag = &a.force, .doc = "reset it although a process uses it" },
		{ "dry-run", .flag = &a.dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a.spec }, { 0 } };
	int r;

	cmd_parse(inv, &(struct cmd_line){ .opts = opts, .args = args, .open = &a.options }, argc,
		  argv);
	inv->view = cmd_reset_view;
	inv->acts = !a.dry_run;
	r = device_find(&host_live, a.spec, &a.device, err);
	if (r < 0)
		return r;
	r = a.dry_run ? cmd_reset_plan(&a, err) : cmd_reset_reset(&a, err);
	device_free(a.device);
	return r;
}

const struct command cmd_reset = {
	.name = "reset",
	.args_doc = "DEV",
	.summary = "reset a device, losing what it holds",
	.doc = "Reset a device; what it holds is lost.\v"
	       "The only way out of the state ERROR and out of a load that was cut off. "
	       "Afterwards the device is in RUNNING. A reset that finds the device busy (EAGAIN) "
	       "is tried again for 2 seconds.",
	.run = cmd_reset_run,
};
