// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <sys/utsname.h>

#include "base/macros.h"
#include "device/device.h"
#include "engine/bench.h"
#include "transport/input.h"
#include "transport/output.h"
#include "ui/bench-baseline.h"
#include "ui/bench-picture.h"
#include "ui/bench-report.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/plan.h"
#include "cmd/render.h"

/* Enough for the interval to leave out the three least and the three largest. */
#define ROUNDS_DEFAULT 20u

#define THRESHOLD_DEFAULT 10u
#define THRESHOLD_MAX 10000u

struct cmd_bench_args {
	struct invocation *inv;
	const char *spec, *pair, *svg, *baseline_file;
	struct device_options options;
	struct arc_retry retry;
	uint64_t rounds, threshold;
	bool destructive, run, markdown, force, dry_run, threshold_given;

	struct device *device, *second;
	struct uri out, in;
	struct bench_baseline baseline;
	struct bench_result result;
	struct cancel cancel;
};

static void cmd_bench_check_line(const struct cmd_bench_args *a)
{
	const char *program = a->inv->program;

	if (a->pair && !a->destructive)
		opts_misuse(program, "--pair loses what %s holds: say so by --destructive",
			    a->pair);
	if (a->run && !a->pair)
		opts_misuse(program, "--run is for the device of --pair");
	if (a->threshold_given && !a->baseline_file)
		opts_misuse(program, "--threshold is for --baseline");
	if (a->force && !a->svg)
		opts_misuse(program, "--force is for the file of --svg");
	if (a->markdown && a->inv->json)
		opts_misuse(program, "--markdown and --json exclude each other");
	if (a->baseline_file && a->rounds < BENCH_SAMPLES_MIN)
		opts_misuse(program,
			    "--rounds is at least %u with --baseline: fewer tell nothing apart",
			    BENCH_SAMPLES_MIN);
}

static void cmd_bench_parse(struct cmd_bench_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "rounds", .value = "N", .number = &a->rounds, .min = 1, .max = BENCH_ROUNDS_MAX,
		  .doc = "measure everything so often (20)" },
		{ "destructive", .flag = &a->destructive,
		  .doc = "measure loads, too, by which a device can lose its state" },
		{ "pair", .value = "DEV2", .text = &a->pair,
		  .doc = "load into this device; what it holds is lost" },
		{ "run", .flag = &a->run, .doc = "start DEV2 even if no DMA is mapped for it" },
		{ "svg", .value = "OUT", .text = &a->svg, .doc = "draw it as a picture, to OUT" },
		{ "force", .flag = &a->force, .doc = "replace OUT if it exists" },
		{ "markdown", .flag = &a->markdown, .doc = "print it as Markdown" },
		{ "baseline", .value = "FILE", .text = &a->baseline_file,
		  .doc = "compare with an earlier report; exit with 1 if it got worse" },
		{ "threshold", .value = "PCT", .number = &a->threshold, .max = THRESHOLD_MAX,
		  .given = &a->threshold_given,
		  .doc = "what changes by no more has not got worse (10)" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a->spec }, { 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
	};

	a->rounds = ROUNDS_DEFAULT;
	a->threshold = THRESHOLD_DEFAULT;
	cmd_parse(a->inv, &line, argc, argv);
	cmd_bench_check_line(a);
}

/*
 * Files
 */

/* All of it, or one byte more than may be. */
static int cmd_bench_read(struct cmd_bench_args *a, char *text, size_t size, size_t *ret_len,
			  struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	size_t len = 0;
	ssize_t n;
	int r;

	r = input_open(&a->in, &a->cancel, &in, err);
	if (r < 0)
		return r;
	do {
		n = input_read(in, text + len, size - len, err);
		if (n < 0)
			return (int)n;
		len += (size_t)n;
	} while (n && len < size);
	*ret_len = len;
	return 0;
}

static int cmd_bench_read_baseline(struct cmd_bench_args *a, struct err *err)
{
	const size_t size = BENCH_BASELINE_MAX + 1;
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r;

	r = cmd_input(a->inv, a->baseline_file, URI_FILE | URI_STDIO | URI_FD, &a->in, err);
	if (r < 0)
		return r;
	text = malloc(size);
	if (!text)
		return err_set(err, -ENOMEM, "%s", a->baseline_file);
	r = cmd_bench_read(a, text, size, &len, err);
	if (r < 0)
		return r;
	r = bench_baseline_parse(text, len, &a->baseline, err);
	if (r >= 0)
		return r;
	err_prefix(err, r, "%s: no report of bench", a->baseline_file);
	return err_hint(err, r, "vfiomigctl --json bench --rounds 20 DEV makes one");
}

static int cmd_bench_write(struct output *out, const char *text, size_t len, struct err *err)
{
	int r;

	r = output_write(out, text, len, err);
	if (r < 0)
		return r;
	r = output_finish(out, err);
	return r < 0 ? r : output_publish(out, err);
}

static int cmd_bench_draw(struct cmd_bench_args *a, struct output *out, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f;
	int r;

	f = open_memstream(&text, &len);
	if (!f)
		return err_set(err, -ENOMEM, "%s", a->svg);
	bench_picture_draw(f, &a->result, device_name(a->device));
	if (fclose(f) != 0)
		return err_set(err, -ENOMEM, "%s", a->svg);
	r = cmd_bench_write(out, text, len, err);
	if (r >= 0)
		report_name(a->inv->report, "svg", a->svg);
	return r;
}

/*
 * The report
 */

static void cmd_bench_render_head(struct cmd_bench_args *a)
{
	struct json_object *o = a->inv->report;
	struct utsname u;

	render_device(o, a->device);
	if (a->second)
		render_node_facts(report_object(o, "pair"), a->second);
	if (uname(&u) == 0)
		report_string(o, "kernel", u.release);
	report_bool(o, "destructive", a->destructive);
}

/* Of the state that DEV was found with. */
static enum owner cmd_bench_owner(const struct member_result *dev)
{
	static const enum owner owners[] = {
		[MIG_FATE_BACK] = OWNER_SOURCE,	    [MIG_FATE_HOLDS] = OWNER_SOURCE,
		[MIG_FATE_BLANK] = OWNER_NONE,	    [MIG_FATE_LOST] = OWNER_NONE,
		[MIG_FATE_UNKNOWN] = OWNER_UNKNOWN,
	};

	_Static_assert(ARRAY_SIZE(owners) == MIG_NR_FATES, "an owner for each");
	return owners[dev->fate];
}

static void cmd_bench_render(struct cmd_bench_args *a, int r)
{
	const struct member_result *found = &a->result.dev;
	struct json_object *o = a->inv->report;

	cmd_bench_render_head(a);
	report_uint(o, "rounds", a->result.rounds);
	if (found->opened) {
		a->inv->owner = cmd_bench_owner(found);
		render_state_found(o, found->found, true);
		render_state_now(o, found->left, found->left_known);
	}
	if (r >= 0)
		bench_report_render(o, &a->result, device_name(a->device),
				    a->second ? device_name(a->second) : NULL);
}

/* Return: -EINVAL (ERR_NONCONFORMING) where anything got worse. */
static int cmd_bench_judge(struct cmd_bench_args *a, struct err *err)
{
	unsigned int compared, worse;

	if (!a->baseline_file)
		return 0;
	bench_report_compare(a->inv->report, &a->result, &a->baseline, a->baseline_file,
			     (unsigned int)a->threshold, &compared, &worse);
	if (!compared)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%s: has nothing of what was measured here", a->baseline_file);
	if (!worse)
		return 0;
	return err_fail(err, ERR_NONCONFORMING, -EINVAL,
			"%s: %u of %u figures got worse by more than %u %%", device_name(a->device),
			worse, compared, (unsigned int)a->threshold);
}

/*
 * The work
 */

static int cmd_bench_work(void *ctx, struct err *err)
{
	struct cmd_bench_args *a = ctx;
	const struct bench_options options = {
		.dev = a->device,
		.second = a->second,
		.device = &a->options,
		.rounds = (unsigned int)a->rounds,
		.destructive = a->destructive,
		.run = a->run,
		.retry_ns = a->retry.budget_ns,
	};

	return bench_run(&options, &a->cancel, &a->result, err);
}

static int cmd_bench_measure(struct cmd_bench_args *a, struct err *err)
{
	_cleanup_(output_freep) struct output *out = NULL;
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	int r;

	/* Before the device is opened: a path that cannot be written must not reset it. */
	if (a->svg) {
		r = output_open(&a->out, a->force, &a->cancel, &out, err);
		if (r < 0)
			return r;
	}
	a->options.cancel = &a->cancel;
	a->options.returns = !a->destructive;
	r = session_run(cmd_bench_work, a, &a->cancel, &progress, err);
	cmd_bench_render(a, r);
	if (r < 0)
		return r;
	if (a->svg) {
		r = cmd_bench_draw(a, out, err);
		if (r < 0)
			return r;
	}
	return cmd_bench_judge(a, err);
}

static int cmd_bench_plan(struct cmd_bench_args *a, struct err *err)
{
	const enum adopt_purpose purpose = a->destructive && !a->second ? ADOPT_LOAD : ADOPT_SAVE;
	int r;

	report_bool(a->inv->report, "dry_run", true);
	cmd_bench_render_head(a);
	r = cmd_plan_check(a->device, &a->options, err);
	if (r < 0)
		return r;
	r = cmd_plan_adopt(a->device, &a->options, purpose, err);
	if (r < 0 || !a->second)
		return r;
	r = cmd_plan_check(a->second, &a->options, err);
	return r < 0 ? r : cmd_plan_adopt(a->second, &a->options, ADOPT_LOAD, err);
}

static int cmd_bench_find(struct cmd_bench_args *a, struct err *err)
{
	int r;

	if (a->svg) {
		r = cmd_output(a->inv, a->svg, URI_FILE | URI_STDIO | URI_FD, &a->out, err);
		if (r < 0)
			return r;
	}
	if (a->baseline_file) {
		r = cmd_bench_read_baseline(a, err);
		if (r < 0)
			return r;
	}
	r = device_find(&host_live, a->spec, &a->device, err);
	if (r < 0 || !a->pair)
		return r;
	return device_find(&host_live, a->pair, &a->second, err);
}

static int cmd_bench_do(struct cmd_bench_args *a, struct err *err)
{
	int r = cmd_bench_find(a, err);

	if (r < 0)
		return r;
	return a->dry_run ? cmd_bench_plan(a, err) : cmd_bench_measure(a, err);
}

static int cmd_bench_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_bench_args a = { .inv = inv };
	int r;

	cmd_bench_parse(&a, argc, argv);
	inv->view = a.markdown ? bench_report_markdown : bench_report_view;
	inv->judges = true;
	r = cancel_init(&a.cancel, err);
	if (r < 0)
		return r;
	r = cmd_bench_do(&a, err);
	bench_result_done(&a.result);
	device_free(a.device);
	device_free(a.second);
	cancel_done(&a.cancel);
	return r;
}

const struct command cmd_bench = {
	.name = "bench",
	.args_doc = "DEV",
	.summary = "measure a device's arcs, streams and downtimes",
	.doc = "Measure how long a device's driver takes for each arc and each byte.\v"
	       "Saves to nowhere, round after round, and leaves the device where it was found. "
	       "With --destructive it also loads: what the device gave into itself, or with --pair "
	       "into a second device.",
	.run = cmd_bench_run,
};
