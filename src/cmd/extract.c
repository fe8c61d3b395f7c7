// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/image-scan.h"
#include "transport/output.h"

enum {
	OPT_DEVICE_OF = OPT_COMMAND,
	OPT_FORCE
};

struct args {
	struct invocation *inv;
	struct file_args file;
	const char *out_text;
	const char *device; /* what the user called it, NULL for the only one */
	bool force;
	struct image_scan scan;

	struct uri out_uri;
	struct output *out;
	uint32_t index;
	uint64_t bytes;
};

static const struct argp_option options[] = {
	{ "device", OPT_DEVICE_OF, "DEV", 0, "address or number of the device in the image", 0 },
	{ "force", OPT_FORCE, NULL, 0, "replace OUT if it exists", 0 },
	{ 0 },
};

static error_t cmd_extract_parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->file;
		state->child_inputs[1] = a->inv;
		return 0;
	case OPT_DEVICE_OF:
		a->device = arg;
		return 0;
	case OPT_FORCE:
		a->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (!a->file.text || a->out_text)
			return ARGP_ERR_UNKNOWN; /* FILE is the group's */
		a->out_text = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &file_argp, 0, NULL, 1 },
	{ &common_argp, 0, "Output:", 2 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = cmd_extract_parse,
	.args_doc = "FILE [OUT]",
	.doc = "Take a device's raw stream out of an image.\v"
	       "FILE and OUT are a path, file:PATH, -, fd:N or exec:CMD; OUT is - if nothing is said. A "
	       "path gets its file only when all of the image was good.",
	.children = children,
};

static void cmd_extract_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "device", "device", REPORT_TEXT },
		{ "out", "written to", REPORT_TEXT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static bool cmd_extract_find_device(struct args *a, const struct image_manifest *m)
{
	uint64_t index;

	if (!a->device) {
		a->index = 0;
		return m->n_devices == 1;
	}
	for (a->index = 0; a->index < m->n_devices; a->index++)
		if (!strcmp(m->devices[a->index].address, a->device))
			return true;
	if (parse_uint(a->device, 10, UINT32_MAX, &index) < 0 || index >= m->n_devices)
		return false;
	a->index = (uint32_t)index;
	return true;
}

static int cmd_extract_on_begin(void *ctx, const struct image_info *info,
				const struct image_manifest *m, struct err *err)
{
	struct args *a = ctx;

	(void)info;
	if (!cmd_extract_find_device(a, m)) {
		if (a->device)
			err_fail(err, ERR_MISSING, -ENOENT, "no device '%s' in the image",
				 a->device);
		else
			err_fail(err, ERR_USAGE, -EINVAL, "%u devices in the image: name one",
				 m->n_devices);
		return err_hint(err, err->code, "--device; vfiomigctl inspect lists them");
	}
	report_string(a->inv->report, "device", m->devices[a->index].address);
	return output_open(&a->out_uri, a->force, &a->scan.cancel, &a->out, err);
}

static int cmd_extract_on_data(void *ctx, uint32_t device, const void *buf, size_t len,
			       struct err *err)
{
	struct args *a = ctx;

	if (device != a->index)
		return 0;
	a->bytes += len;
	return output_write(a->out, buf, len, err);
}

static const struct image_sink sink = { .begin = cmd_extract_on_begin, .data = cmd_extract_on_data };

static int cmd_extract_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct args a = { .inv = inv };
	int r;

	cmd_parse(inv, &argp, argc, argv, &a);
	inv->view = cmd_extract_view;
	if (!a.out_text)
		a.out_text = "-";
	r = cmd_output(inv, a.out_text, URI_PLAIN, &a.out_uri, err);
	if (r < 0)
		return r;
	a.scan.inv = inv;
	a.scan.file = a.file.text;
	a.scan.sink = &sink;
	a.scan.ctx = &a;
	report_string(inv->report, "out", a.out_text);
	r = image_scan_run(&a.scan, err);
	if (r >= 0)
		r = output_finish(a.out, err);
	if (r >= 0)
		r = output_publish(a.out, err);
	report_uint(inv->report, "bytes", a.bytes);
	output_free(a.out);
	return r;
}

const struct command cmd_extract = {
	.name = "extract",
	.args_doc = "FILE [OUT]",
	.summary = "take the raw stream out of an image",
	.run = cmd_extract_run,
};
