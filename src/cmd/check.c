// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "check/run.h"
#include "check/verdict.h"
#include "device/device.h"
#include "device/same.h"
#include "engine/adopt.h"
#include "ui/check-report.h"
#include "ui/check-stream.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/plan.h"
#include "cmd/render.h"

#define CMD_CHECK_ROUNDS_MAX 1000000u
#define CMD_CHECK_TIMEOUT_MAX_NS (3600 * NSEC_PER_SEC)

/**
 * struct cmd_check_args
 * @spec, @pair_spec: as the user calls the devices; NULL for none
 * @timeout_ns, @rounds, @seed: as they were given, or by default
 * @ran: the results are there
 * @stream: shows them as they come
 */
struct cmd_check_args {
	struct invocation *inv;
	const char *spec, *pair_spec, *watch_text;
	struct device_options options;
	bool list, tap, junit, destructive, hostile, dry_run;
	uint64_t timeout_ns, rounds, seed;
	struct subject_watch watch;
	struct check_options check;
	struct utsname kernel;

	struct device *device, *pair;
	struct check_results results;
	struct check_stream stream;
	bool ran;
	struct cancel cancel;
};

/* REGION:OFFSET:LEN */
static bool cmd_check_parse_watch(const char *text, struct subject_watch *ret)
{
	uint64_t region, offset, len;
	const char *at = scan_uint(text, 0, UINT32_MAX, &region);

	if (!at || *at != ':')
		return false;
	at = scan_uint(at + 1, 0, INT64_MAX, &offset);
	if (!at || *at != ':')
		return false;
	at = scan_uint(at + 1, 0, SUBJECT_WATCH_MAX, &len);
	if (!at || *at || !len)
		return false;
	*ret = (struct subject_watch){ .region = (uint32_t)region, .offset = offset, .len = len };
	return true;
}

static void cmd_check_judge_line(struct cmd_check_args *a)
{
	const char *program = a->inv->program;

	if (!a->spec && !a->list)
		opts_misuse(program, "no DEV");
	if (a->tap + a->junit + a->inv->json > 1)
		opts_misuse(program, "--json, --tap and --junit: one of them");
	if (a->list && (a->tap || a->junit))
		opts_misuse(program, "--list is text, or JSON with --json");
	if (a->watch_text && !cmd_check_parse_watch(a->watch_text, &a->watch))
		opts_misuse(program,
			    "--watch: '%s' is not REGION:OFFSET:LEN, with LEN from 1 to %u",
			    a->watch_text, SUBJECT_WATCH_MAX);
}

static void cmd_check_parse(struct cmd_check_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "rules", .text = &a->check.selection.rules, .value = "LIST",
		  .doc = "try these alone: ids, groups or patterns, with commas between" },
		{ "skip", .text = &a->check.selection.skip, .value = "LIST",
		  .doc = "leave these out" },
		{ "list", .flag = &a->list, .doc = "print the rules, and try none" },
		{ "tap", .flag = &a->tap, .doc = "print TAP 14" },
		{ "junit", .flag = &a->junit, .doc = "print JUnit XML" },
		{ "destructive", .flag = &a->destructive,
		  .doc = "also what loads and resets it: its state is lost" },
		{ "pair", .text = &a->pair_spec, .value = "DEV2",
		  .doc = "also what loads DEV's state into DEV2: the state of both is lost" },
		{ "hostile", .flag = &a->hostile,
		  .doc = "also what may hang or crash a driver that is wrong" },
		{ "rounds", .number = &a->rounds, .value = "N", .min = 1,
		  .max = CMD_CHECK_ROUNDS_MAX, .doc = "how often what takes many times is done" },
		{ "seed", .number = &a->seed, .value = "S", .max = UINT64_MAX,
		  .doc = "of what is random" },
		{ "watch", .text = &a->watch_text, .value = "REGION:OFFSET:LEN",
		  .doc = "bytes of a region that stand still while it is stopped" },
		{ "strict", .flag = &a->check.strict,
		  .doc = "what a driver is known for is a failure, too" },
		{ "rule-timeout", .duration_ns = &a->timeout_ns, .value = "TIME",
		  .min = 100 * NSEC_PER_MSEC, .max = CMD_CHECK_TIMEOUT_MAX_NS,
		  .doc = "how long a rule may be without an answer" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a->spec, .optional = true }, { 0 } };

	cmd_parse(a->inv, &(struct cmd_line){ .opts = opts, .args = args, .open = &a->options },
		  argc, argv);
	cmd_check_judge_line(a);
}

static void cmd_check_settle(struct cmd_check_args *a)
{
	struct check_options *o = &a->check;

	o->allowed = 1u << CHECK_HARMLESS;
	if (a->destructive)
		o->allowed |= 1u << CHECK_DESTRUCTIVE;
	if (a->pair_spec)
		o->allowed |= 1u << CHECK_PAIR;
	if (a->hostile)
		o->allowed |= 1u << CHECK_HOSTILE;
	o->n_groups = check_groups(&o->groups);
	o->rounds = (unsigned int)a->rounds;
	o->seed = a->seed;
	o->timeout_ms = (int)(a->timeout_ns / NSEC_PER_MSEC);
	if (uname(&a->kernel) == 0)
		o->release = a->kernel.release;
}

/* What cannot be read would break each rule that looks at it. */
static int cmd_check_watch(struct cmd_check_args *a, struct subject *s, struct err *err)
{
	uint8_t bytes[SUBJECT_WATCH_MAX];
	ssize_t n;

	subject_set_watch(s, &a->watch);
	if (!a->watch.len)
		return 0;
	n = subject_watch_read(s, bytes, sizeof(bytes));
	if (n >= 0)
		return 0;
	return err_fail(err, ERR_USAGE, (int)n, "--watch=%s: %s has no such bytes to read",
			a->watch_text, s->name);
}

static int cmd_check_open(struct cmd_check_args *a, struct device *dev, struct subject **ret,
			  struct err *err)
{
	int r;

	if (device_reset_by_open(dev))
		log_note("%s: opening it resets it", device_name(dev));
	r = subject_open(dev, &a->options, ret, err);
	if (r < 0)
		return r;
	r = cmd_check_watch(a, *ret, err);
	if (r < 0) {
		*ret = subject_close(*ret);
		return r;
	}
	if (device_is_served(dev))
		return 0;
	r = adopt_check_explicit(dev, ADOPT_SET, false, err);
	if (r < 0)
		*ret = subject_close(*ret);
	return r;
}

static int cmd_check_try(struct cmd_check_args *a, struct subject *device, struct subject *pair,
			 struct err *err)
{
	a->check.driver = device_driver(a->device);
	a->ran = true;
	return check_run(device, pair, &a->check, &a->cancel, &a->results, err);
}

static int cmd_check_with(struct cmd_check_args *a, struct subject *device, struct err *err)
{
	struct subject *pair = NULL;
	int r;

	if (!a->pair)
		return cmd_check_try(a, device, NULL, err);
	r = cmd_check_open(a, a->pair, &pair, err);
	if (r < 0)
		return r;
	r = cmd_check_try(a, device, pair, err);
	if (!a->results.hangs)
		subject_close(pair);
	return r;
}

static int cmd_check_work(void *ctx, struct err *err)
{
	struct cmd_check_args *a = ctx;
	struct subject *device;
	int r;

	r = cmd_check_open(a, a->device, &device, err);
	if (r < 0)
		return r;
	r = cmd_check_with(a, device, err);
	if (!a->results.hangs)
		subject_close(device);
	return r;
}

static int cmd_check_verdict(const struct cmd_check_args *a, struct err *err)
{
	size_t bad = 0;

	for (size_t i = 0; i < a->results.n; i++)
		bad += check_bad(a->results.v[i].verdict);
	if (!bad)
		return 0;
	return err_fail(err, ERR_NONCONFORMING, -EINVAL, "%s: %zu of %zu rules %s not hold",
			device_name(a->device), bad, a->results.selected, bad == 1 ? "does" : "do");
}

static int cmd_check_check(struct cmd_check_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	struct json_object *o = a->inv->report;
	int r;

	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &a->cancel;
	r = session_run(cmd_check_work, a, &a->cancel, &progress, err);
	cancel_done(&a->cancel);
	render_device(o, a->device);
	if (a->pair)
		render_node_facts(report_object(o, "pair"), a->pair);
	report_uint(o, "seed", a->seed);
	report_uint(o, "rounds", a->rounds);
	if (!a->ran)
		return r;
	check_report_results(o, &a->results);
	return r < 0 ? r : cmd_check_verdict(a, err);
}

static int cmd_check_plan(struct cmd_check_args *a, struct err *err)
{
	struct json_object *o = a->inv->report;

	report_bool(o, "dry_run", true);
	report_bool(o, "opening_resets", device_reset_by_open(a->device));
	render_device(o, a->device);
	return cmd_plan_check(a->device, &a->options, err);
}

static int cmd_check_devices(struct cmd_check_args *a, struct err *err)
{
	int r = device_find(&host_live, a->spec, &a->device, err);

	if (r < 0)
		return r;
	if (a->pair_spec)
		r = device_find(&host_live, a->pair_spec, &a->pair, err);
	if (r < 0)
		return r;
	if (a->pair && device_same(a->device, a->pair))
		return err_fail(err, ERR_USAGE, -EINVAL, "--pair: %s and %s are one device",
				device_name(a->device), device_name(a->pair));
	return a->dry_run ? cmd_check_plan(a, err) : cmd_check_check(a, err);
}

static void cmd_check_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
	};

	if (json_object_object_get_ex(report, "dry_run", NULL))
		report_lines(f, report, rows, ARRAY_SIZE(rows));
	else
		check_report_text(f, report);
}

/* JSON and JUnit are one document each, which is shown at the end. */
static void cmd_check_stream(struct cmd_check_args *a)
{
	const struct invocation *inv = a->inv;

	if (inv->json || a->junit || inv->verbosity < 0)
		return;
	a->stream.format = a->tap ? CHECK_STREAM_TAP : CHECK_STREAM_TEXT;
	a->check.listener = check_stream_listener(&a->stream);
}

static int cmd_check_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_check_args a = {
		.inv = inv,
		.timeout_ns = 10 * NSEC_PER_SEC,
		.rounds = 10,
		.seed = 1,
	};
	int r;

	cmd_check_parse(&a, argc, argv);
	cmd_check_settle(&a);
	inv->view = a.tap ? check_report_tap : a.junit ? check_report_junit : cmd_check_view;
	inv->for_program = a.tap || a.junit;
	inv->judges = inv->shows_partial = true;
	cmd_check_stream(&a);
	r = check_selection_check(&a.check.selection, err);
	if (r < 0)
		return r;
	if (a.list) {
		inv->view = check_report_list;
		check_report_rules(inv->report, &a.check.selection);
		return 0;
	}
	r = cmd_check_devices(&a, err);
	if (a.stream.error)
		log_warn("results are missing here: %s", err_name(a.stream.error));
	inv->unshown = check_stream_rest(&a.stream);
	inv->show(inv, r, err);
	check_stream_done(&a.stream);
	check_results_done(&a.results);
	/* A thread that hangs in the driver has the devices still. */
	if (!a.results.hangs) {
		device_free(a.pair);
		device_free(a.device);
	}
	return r;
}

const struct command cmd_check = {
	.name = "check",
	.args_doc = "[DEV]",
	.summary = "check a driver or server against the protocol",
	.doc = "Try each rule of the migration protocol on a device.\v"
	       "Without --destructive, --pair and --hostile the device is stopped for moments, and "
	       "keeps its state; but opening resets a PCI function. Exits with 1 when a rule does "
	       "not hold.",
	.run = cmd_check_run,
};
