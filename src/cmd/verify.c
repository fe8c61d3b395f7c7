// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/image-scan.h"

struct args {
	struct invocation *inv;
	struct file_args file;
	struct image_scan scan;
};

static error_t cmd_verify_parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = &a->file;
	state->child_inputs[1] = a->inv;
	return 0;
}

static const struct argp_child children[] = {
	{ &file_argp, 0, NULL, 1 },
	{ &common_argp, 0, "Output:", 2 },
	{ 0 },
};

static const struct argp argp = {
	.parser = cmd_verify_parse,
	.args_doc = "FILE",
	.doc = "Check an image: every checksum, every length, that nothing is missing.\v"
	       "Exits with 0 when the image is good and 1 when it is not. Needs no device. FILE is a "
	       "path, file:PATH, -, fd:N or exec:CMD.",
	.children = children,
};

static void cmd_verify_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "bytes", "streams", REPORT_BYTES_EXACT },
		{ "good", "good", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

/* Whoever paid for a SHA-256 wants it checked here. */
static const struct image_sink sink = { .sum = true };

static int cmd_verify_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct args a = { .inv = inv };
	int r;

	cmd_parse(inv, &argp, argc, argv, &a);
	inv->view = cmd_verify_view;
	a.scan.inv = inv;
	a.scan.file = a.file.text;
	a.scan.sink = &sink;
	a.scan.ctx = &a;
	r = image_scan_run(&a.scan, err);
	report_uint(inv->report, "bytes", atomic_load(&a.scan.transfer.bytes));
	/* An image that could not be read to its end is neither. */
	if (r >= 0 || err->kind == ERR_IMAGE)
		report_bool(inv->report, "good", r >= 0);
	else
		report_null(inv->report, "good");
	/* A damaged image is what this command is there to find. */
	if (r < 0 && err->kind == ERR_IMAGE)
		err->kind = ERR_NONCONFORMING;
	return r;
}

const struct command cmd_verify = {
	.name = "verify",
	.args_doc = "FILE",
	.summary = "check an image",
	.run = cmd_verify_run,
};
