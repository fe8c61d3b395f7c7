// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/macros.h"
#include "cmd/cmd.h"
#include "cmd/decoded.h"
#include "cmd/image-diff.h"
#include "cmd/image-scan.h"
#include "cmd/objections.h"
#include "cmd/render.h"

struct cmd_inspect_args {
	struct invocation *inv;
	struct device_options options;
	const char *diff;
	struct device *dev; /* to compare with; found, opened once the image's start is good */
	bool sections, decode;
	struct cmd_decoded *decoded; /* @n_decoded, one a device of the image, if @decode */
	uint32_t n_decoded;
	struct image_scan scan;
};

static void cmd_inspect_view(FILE *f, struct json_object *report)
{
	static const struct report_row image[] = {
		{ "file", "file", REPORT_TEXT },
		{ "image.version", "format", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "image.digest", "image digest", REPORT_TEXT },
		{ "image.created", "created", REPORT_TEXT },
		{ "image.tool", "by", REPORT_TEXT },
		{ "image.kernel", "on kernel", REPORT_TEXT },
		{ "image.source", "its source", REPORT_TEXT },
		{ "complete", "complete", REPORT_TEXT },
	};
	static const struct report_row device[] = {
		{ "address", "device", REPORT_TEXT },
		{ "ids.name", "name", REPORT_TEXT },
		{ "driver", "driver", REPORT_TEXT },
		{ "driver_version", "driver version", REPORT_TEXT },
		{ "via", "opened by", REPORT_TEXT },
		{ "owner.comm", "its owner", REPORT_TEXT },
		{ "owner.pid", "owner's pid", REPORT_TEXT },
		{ "ids.vendor", "vendor", REPORT_TEXT },
		{ "ids.device", "device id", REPORT_TEXT },
		{ "ids.subsystem_vendor", "subsystem vendor", REPORT_TEXT },
		{ "ids.subsystem_device", "subsystem device", REPORT_TEXT },
		{ "ids.class", "class", REPORT_TEXT },
		{ "ids.revision", "revision", REPORT_TEXT },
		{ "protocol", "protocol", REPORT_TEXT },
		{ "migration_flags", "migration flags", REPORT_TEXT },
		{ "config_bytes", "config space", REPORT_BYTES },
		{ "interrupts", "interrupts enabled", REPORT_TEXT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stored_bytes", "stored in", REPORT_BYTES_EXACT },
		{ "frames", "frames", REPORT_TEXT },
		{ "digest", "digest", REPORT_TEXT },
		{ "sha256", "sha256", REPORT_TEXT },
	};
	static const struct report_row sections[] = {
		{ "at", "AT", REPORT_TEXT },
		{ "type", "SECTION", REPORT_TEXT },
		{ "device_index", "DEVICE", REPORT_TEXT },
		{ "sequence", "SEQUENCE", REPORT_TEXT },
		{ "size", "SIZE", REPORT_TEXT },
		{ "raw_size", "UNPACKED", REPORT_TEXT },
	};
	struct json_object *list;

	report_lines(f, report, image, ARRAY_SIZE(image));
	view_labels(f, report);
	if (json_object_object_get_ex(report, "devices", &list))
		for (size_t i = 0; i < json_object_array_length(list); i++) {
			fputc('\n', f);
			report_lines(f, json_object_array_get_idx(list, i), device,
				     ARRAY_SIZE(device));
			cmd_decoded_view(f, json_object_array_get_idx(list, i));
		}
	if (json_object_object_get_ex(report, "sections", &list)) {
		fputc('\n', f);
		report_table(f, list, sections, ARRAY_SIZE(sections));
	}
	image_diff_view(f, report);
	cmd_objections_view(f, report);
}

/* A device that cannot migrate, or not that way, differs in just that. */
static int cmd_inspect_compare(struct cmd_inspect_args *a, const struct image_manifest *m,
			       struct err *err)
{
	struct err why = { 0 };
	int r;

	a->options.cancel = &a->scan.cancel;
	a->options.only_asks = true;
	r = device_open(a->dev, &a->options, err);
	if (r < 0)
		return r;
	if (mig_query(a->dev->mig, &why) < 0 && err_status(&why) != ERR_UNSUPPORTED) {
		*err = why;
		return why.code;
	}
	return image_diff(a->inv->report, m, a->dev, err);
}

static int cmd_inspect_begin_decoding(struct cmd_inspect_args *a, const struct image_manifest *m,
				      struct err *err)
{
	struct json_object *list;
	int r;

	a->decoded = calloc(m->n_devices, sizeof(*a->decoded));
	if (!a->decoded)
		return err_set(err, -ENOMEM, "decoders");
	a->n_decoded = m->n_devices;
	json_object_object_get_ex(a->inv->report, "devices", &list);
	for (uint32_t i = 0; i < m->n_devices; i++) {
		r = cmd_decoded_begin(&a->decoded[i], json_object_array_get_idx(list, i),
				      m->devices[i].driver, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What an image that is damaged has left unread says nothing of the streams. */
static void cmd_inspect_end_decoding(struct cmd_inspect_args *a)
{
	for (uint32_t i = 0; i < a->n_decoded; i++)
		cmd_decoded_end(&a->decoded[i], false);
	free(a->decoded);
}

static int cmd_inspect_on_begin(void *ctx, const struct image_info *info,
				const struct image_manifest *m, struct err *err)
{
	struct cmd_inspect_args *a = ctx;
	int r;

	render_image(a->inv->report, info, m);
	if (a->decode) {
		r = cmd_inspect_begin_decoding(a, m, err);
		if (r < 0)
			return r;
	}
	return a->dev ? cmd_inspect_compare(a, m, err) : 0;
}

static int cmd_inspect_on_data(void *ctx, uint32_t device, const void *buf, size_t len,
			       struct err *err)
{
	struct cmd_inspect_args *a = ctx;

	(void)err;
	decode_push(a->decoded[device].decode, buf, len);
	return 0;
}

static int cmd_inspect_on_device_end(void *ctx, uint32_t device, const struct image_totals *totals,
				     struct err *err)
{
	struct cmd_inspect_args *a = ctx;

	(void)err;
	render_totals(a->inv->report, device, totals);
	if (a->decode)
		cmd_decoded_end(&a->decoded[device], true);
	return 0;
}

static int cmd_inspect_on_finish(void *ctx, struct err *err)
{
	struct cmd_inspect_args *a = ctx;
	const struct cmd_objections q = { .uri = &a->scan.uri, .dev = a->dev };

	return a->dev ? cmd_objections_add(a->inv->report, &q, &a->scan.cancel, err) : 0;
}

static const char *cmd_inspect_section_name(uint32_t type)
{
	static const char *const names[] = {
		[IMAGE_MANIFEST] = "manifest",	   [IMAGE_DATA] = "data",
		[IMAGE_DEVICE_END] = "device end", [IMAGE_END] = "image end",
		[IMAGE_SHA256] = "sha-256",	   [IMAGE_KEEPALIVE] = "keepalive",
	};

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "unknown";
}

/* Cap of the list: an image may have any number of sections. */
#define SECTIONS_MAX 65536

static int cmd_inspect_on_section(void *ctx, const struct image_section_info *s, struct err *err)
{
	struct cmd_inspect_args *a = ctx;
	struct json_object *list, *o;

	(void)err;
	if (!a->sections)
		return 0;
	if (!json_object_object_get_ex(a->inv->report, "sections", &list))
		list = report_array(a->inv->report, "sections");
	if (json_object_array_length(list) == SECTIONS_MAX) {
		report_bool(a->inv->report, "sections_partial", true);
		return 0;
	}
	o = report_append(list);
	report_uint(o, "at", s->at);
	report_string(o, "type", cmd_inspect_section_name(s->type));
	report_uint(o, "type_number", s->type);
	report_uint(o, "size", s->size);
	if (s->device != IMAGE_NO_DEVICE)
		report_uint(o, "device_index", s->device);
	if (s->type == IMAGE_DATA) {
		report_uint(o, "sequence", s->sequence);
		report_uint(o, "raw_size", s->raw_size);
	}
	return 0;
}

static int cmd_inspect_on_end(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	const struct cmd_inspect_args *a = ctx;

	(void)err;
	render_image_end(a->inv->report, receipt);
	return 0;
}

static const struct image_sink inspect_sink = {
	.begin = cmd_inspect_on_begin,
	.end = cmd_inspect_on_end,
	.device_end = cmd_inspect_on_device_end,
	.section = cmd_inspect_on_section,
};

/* With the contents, an image is read by one thread: only where they are wanted. */
static const struct image_sink decoding_sink = {
	.begin = cmd_inspect_on_begin,
	.data = cmd_inspect_on_data,
	.end = cmd_inspect_on_end,
	.device_end = cmd_inspect_on_device_end,
	.section = cmd_inspect_on_section,
};

static int cmd_inspect_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_inspect_args a = { .inv = inv };
	const struct opt opts[] = {
		{ "diff", .value = "DEV", .text = &a.diff,
		  .doc = "open DEV and show how it differs from the image's device" },
		{ "decode", .flag = &a.decode,
		  .doc = "show the records that drivers put into their streams" },
		{ "sections", .flag = &a.sections, .doc = "list each section of the image" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "FILE", .text = &a.scan.file }, { 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a.options,
		.open_title = "Opening the device (--diff):",
	};
	int r = 0;

	cmd_parse(inv, &line, argc, argv);
	inv->view = cmd_inspect_view;
	if (a.diff)
		r = device_find(&host_live, a.diff, &a.dev, err);
	if (r < 0)
		return r;
	a.scan.inv = inv;
	a.scan.sink = a.decode ? &decoding_sink : &inspect_sink;
	a.scan.ctx = &a;
	a.scan.finish = cmd_inspect_on_finish;
	r = image_scan_run(&a.scan, err);
	cmd_inspect_end_decoding(&a);
	if (a.dev)
		render_device(inv->report, a.dev);
	device_free(a.dev);
	if (r >= 0 || err->kind == ERR_IMAGE)
		report_bool(inv->report, "complete", r >= 0);
	else
		report_null(inv->report, "complete");
	return r;
}

const struct command cmd_inspect = {
	.name = "inspect",
	.args_doc = "FILE",
	.summary = "show what an image holds",
	.doc = "Show what an image holds.\v"
	       "Reads and checks all of it, and needs no device but for --diff. FILE is a path, "
	       "file:PATH, -, fd:N or exec:CMD.",
	.run = cmd_inspect_run,
};
