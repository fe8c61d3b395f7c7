// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "cmd/cmd.h"
#include "cmd/image-scan.h"
#include "cmd/render.h"
#include "transport/output.h"

struct cmd_extract_args {
	struct invocation *inv;
	const char *out_text;
	const char *device; /* what the user called it, NULL for the only one */
	bool force;
	struct image_scan scan;

	struct uri out_uri;
	struct output *out;
	uint32_t index;
	uint64_t bytes;
};

static void cmd_extract_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "device.address", "device", REPORT_TEXT },
		{ "out", "written to", REPORT_TEXT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static bool cmd_extract_find_device(struct cmd_extract_args *a, const struct image_manifest *m)
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
	struct cmd_extract_args *a = ctx;

	render_labels(render_image_info(a->inv->report, info, NULL), &m->labels);
	if (!cmd_extract_find_device(a, m)) {
		if (a->device)
			err_fail(err, ERR_MISSING, -ENOENT, "no device '%s' in the image",
				 a->device);
		else
			err_fail(err, ERR_USAGE, -EINVAL, "%u devices in the image: name one",
				 m->n_devices);
		return err_hint(err, err->code, "--device; vfiomigctl inspect lists them");
	}
	report_name(report_object(a->inv->report, "device"), "address",
		    m->devices[a->index].address);
	return output_open(&a->out_uri, a->force, &a->scan.cancel, &a->out, err);
}

static int cmd_extract_on_data(void *ctx, uint32_t device, const void *buf, size_t len,
			       struct err *err)
{
	struct cmd_extract_args *a = ctx;

	if (device != a->index)
		return 0;
	a->bytes += len;
	return output_write(a->out, buf, len, err);
}

/* Until the file has its name, a signal leaves nothing behind. */
static int cmd_extract_on_finish(void *ctx, struct err *err)
{
	struct cmd_extract_args *a = ctx;
	int r;

	r = output_finish(a->out, err);
	if (r < 0)
		return r;
	r = cancel_check(&a->scan.cancel, err);
	return r < 0 ? r : output_publish(a->out, err);
}

/* To end a command takes time, in which a second signal is heard. */
static void cmd_extract_on_done(void *ctx)
{
	struct cmd_extract_args *a = ctx;

	a->out = output_free(a->out);
}

static int cmd_extract_on_end(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	const struct cmd_extract_args *a = ctx;

	(void)err;
	render_image_end(a->inv->report, receipt);
	return 0;
}

static const struct image_sink sink = {
	.begin = cmd_extract_on_begin,
	.data = cmd_extract_on_data,
	.end = cmd_extract_on_end,
};

static int cmd_extract_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_extract_args a = { .inv = inv, .out_text = "-" };
	const struct opt opts[] = {
		{ "device", .value = "DEV", .text = &a.device,
		  .doc = "address or number of the device in the image" },
		{ "force", .flag = &a.force, .doc = "replace OUT if it exists" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "FILE", .text = &a.scan.file },
		{ "OUT", .text = &a.out_text, .optional = true },
		{ 0 },
	};
	int r;

	cmd_parse(inv, &(struct cmd_line){ .opts = opts, .args = args }, argc, argv);
	inv->view = cmd_extract_view;
	r = cmd_output(inv, a.out_text, URI_PLAIN, &a.out_uri, err);
	if (r < 0)
		return r;
	a.scan.inv = inv;
	a.scan.sink = &sink;
	a.scan.ctx = &a;
	a.scan.finish = cmd_extract_on_finish;
	a.scan.done = cmd_extract_on_done;
	report_name(inv->report, "out", a.out_text);
	r = image_scan_run(&a.scan, err);
	report_uint(inv->report, "bytes", a.bytes);
	return r;
}

const struct command cmd_extract = {
	.name = "extract",
	.args_doc = "FILE [OUT]",
	.summary = "take the raw stream out of an image",
	.doc = "Take a device's raw stream out of an image.\v"
	       "FILE and OUT are a path, file:PATH, -, fd:N or exec:CMD; OUT is - if nothing is "
	       "said. A path gets its file only when all of the image was good.",
	.run = cmd_extract_run,
};
