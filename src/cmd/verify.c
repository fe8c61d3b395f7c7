// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/image-scan.h"
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
static const struct image_sink sink = {
	.sum = true,
	.begin = cmd_verify_on_begin,
	.end = cmd_verify_on_end,
};

static int cmd_verify_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct image_scan scan = { .inv = inv, .sink = &sink, .ctx = inv->report };
	const struct opt_arg args[] = { { "FILE", .text = &scan.file }, { 0 } };
	int r;

	cmd_parse(inv, &(struct cmd_line){ .args = args }, argc, argv);
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

const struct command cmd_verify = {
	.name = "verify",
	.args_doc = "FILE",
	.summary = "check an image",
	.doc = "Check an image: every checksum, every length, that nothing is missing.\v"
	       "Exits with 0 when the image is good and 1 when it is not. Needs no device. FILE "
	       "is a path, file:PATH, -, fd:N or exec:CMD.",
	.run = cmd_verify_run,
};
