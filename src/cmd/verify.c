// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/image-scan.h"
#include "cmd/rehearsal.h"
#include "cmd/render.h"

static void cmd_verify_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "bytes", "streams", REPORT_BYTES_EXACT },
		{ "good", "good", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static int cmd_verify_on_begin(void *ctx, const struct image_info *info,
			       const struct image_manifest *m, struct err *err)
{
	(void)err;
	render_labels(render_image_info(ctx, info, NULL), &m->labels);
	return 0;
}

static int cmd_verify_on_end(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	(void)err;
	render_image_end(ctx, receipt);
	return 0;
}

/* The SHA-256 is checked too, where the image has one: it was written to be compared. */
static const struct image_sink verify_sink = {
	.sum = true,
	.begin = cmd_verify_on_begin,
	.end = cmd_verify_on_end,
};

static int cmd_verify_scan(struct invocation *inv, const char *file, struct err *err)
{
	struct image_scan scan = {
		.inv = inv,
		.file = file,
		.sink = &verify_sink,
		.ctx = inv->report,
	};
	int r;

	inv->view = cmd_verify_view;
	r = image_scan_run(&scan, err);
	report_uint(inv->report, "bytes", atomic_load(&scan.transfer.bytes));
	/* Say neither of an image that could not be read to its end. */
	if (r >= 0 || err->kind == ERR_IMAGE)
		report_bool(inv->report, "good", r >= 0);
	else
		report_null(inv->report, "good");
	/* A damaged image is a finding here, with a status of its own (1). */
	if (r < 0 && err->kind == ERR_IMAGE)
		err->kind = ERR_NONCONFORMING;
	return r;
}

static int cmd_verify_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_rehearsal rehearsal = { .inv = inv };
	struct opt_list words = { 0 }, spares = { 0 };
	const struct opt opts[] = {
		{ "on", .value = "SPARE", .list = &spares,
		  .doc = "load it into this device, have the driver judge it, save it again, "
			 "compare, and reset the device; several times for a set" },
		{ "no-p2p", .flag = &rehearsal.no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "FILE", .list = &words, .optional = true }, { 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &rehearsal.options,
		.retry = &rehearsal.retry,
	};

	cmd_parse(inv, &line, argc, argv);
	if (!words.n)
		opts_misuse(inv->program, "no FILE");
	if (words.n > 1 && !spares.n)
		opts_misuse(inv->program, "too many arguments: '%s'", words.v[1]);
	if (!spares.n)
		return cmd_verify_scan(inv, words.v[0], err);
	/* "--on A B FILE" is what a shell makes of a list of spare devices. */
	rehearsal.devices.args = spares;
	if (spares.n + words.n > OPT_LIST_MAX)
		opts_misuse(inv->program, "more than %u devices", CMD_DEVICES_MAX);
	for (size_t i = 0; i < words.n; i++)
		rehearsal.devices.args.v[rehearsal.devices.args.n++] = words.v[i];
	return cmd_rehearsal_run(&rehearsal, err);
}

const struct command cmd_verify = {
	.name = "verify",
	.args_doc = "[--on SPARE...] FILE",
	.summary = "check an image, or rehearse its load",
	.doc = "Check an image: every checksum, every length, that nothing is missing; with --on "
	       "also what drivers make of it.\v"
	       "Exits with 0 when the image is good and 1 when it is not. Needs no device, unless "
	       "--on names some: what they held is lost, they never run what is loaded, and are "
	       "reset at the end. FILE is a path, file:PATH, -, fd:N or exec:CMD.",
	.run = cmd_verify_run,
};
