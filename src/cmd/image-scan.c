// SPDX-License-Identifier: GPL-2.0-or-later
#include "ui/session.h"
#include "cmd/image-scan.h"
#include "cmd/render.h"

static int image_scan_read(struct image_scan *scan, struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	int r;

	r = input_open(&scan->uri, &scan->cancel, &in, err);
	if (r < 0)
		return r;
	r = scan_image(in, scan->sink, scan->ctx, &scan->cancel, &scan->transfer, err);
	if (r < 0)
		return r;
	return scan->finish ? scan->finish(scan->ctx, err) : 0;
}

static int image_scan_work(void *ctx, struct err *err)
{
	struct image_scan *scan = ctx;
	int r;

	r = image_scan_read(scan, err);
	if (scan->done)
		scan->done(scan->ctx);
	return r;
}

int image_scan_run(struct image_scan *scan, struct err *err)
{
	struct progress progress = cmd_progress(scan->inv, &scan->transfer, scan->file);
	int r;

	progress.kind = "file";
	transfer_start(&scan->transfer);
	report_name(scan->inv->report, "file", scan->file);
	r = cmd_input(scan->inv, scan->file, URI_PLAIN, &scan->uri, err);
	if (r < 0)
		return r;
	r = cancel_init(&scan->cancel, err);
	if (r < 0)
		return r;
	r = session_run(image_scan_work, scan, &scan->cancel, &progress, err);
	cancel_done(&scan->cancel);
	return r;
}

static void image_scan_render_owner(struct json_object *o, const struct image_device *d)
{
	struct json_object *owner;

	if (d->via)
		report_string(o, "via", d->via);
	if (!d->owner || !d->owner_pid)
		return;
	owner = report_object(o, "owner");
	report_uint(owner, "pid", d->owner_pid);
	report_string(owner, "comm", d->owner);
}

static void image_scan_render_image_device(struct json_object *o, const struct image_device *d)
{
	const struct pci_ids ids = {
		.vendor = d->vendor,
		.device = d->device,
		.subsystem_vendor = d->subsystem_vendor,
		.subsystem_device = d->subsystem_device,
		.class_code = d->class_code,
		.revision = d->revision,
	};

	report_name(o, "address", d->address);
	report_string(o, "bus", d->bus);
	report_string(o, "driver", d->driver);
	report_string(o, "driver_version", d->driver_version);
	image_scan_render_owner(o, d);
	report_string(o, "protocol", d->protocol);
	render_caps(o, d->caps);
	report_uint(o, "config_bytes", d->config_size);
	if (d->config_size)
		render_interrupts(o, d->interrupts);
	if (d->has_ids)
		render_ids(report_object(o, "ids"), &ids);
}

void render_image(struct json_object *report, const struct image_info *info,
		  const struct image_manifest *m)
{
	struct json_object *o = render_image_info(report, info, NULL), *list;

	report_string(o, "kernel", m->kernel);
	report_string(o, "tool", m->tool);
	if (m->source != IMAGE_SOURCE_NOT_SAID)
		report_string(o, "source", image_source_name(m->source));
	render_labels(o, &m->labels);
	list = report_array(report, "devices");
	for (uint32_t i = 0; i < m->n_devices; i++)
		image_scan_render_image_device(report_append(list), &m->devices[i]);
}

void render_totals(struct json_object *report, uint32_t device, const struct image_totals *totals)
{
	struct json_object *list, *o;

	json_object_object_get_ex(report, "devices", &list);
	o = json_object_array_get_idx(list, device);
	report_uint(o, "bytes", totals->bytes);
	report_uint(o, "stored_bytes", totals->stored);
	report_uint(o, "frames", totals->frames);
	report_octets(o, "digest", totals->digest, sizeof(totals->digest));
	if (totals->sha256)
		report_octets(o, "sha256", totals->sha256, IMAGE_SHA256_SIZE);
}

void render_image_end(struct json_object *report, const struct image_receipt *receipt)
{
	struct json_object *o;

	if (json_object_object_get_ex(report, "image", &o))
		report_octets(o, "digest", receipt->digest, sizeof(receipt->digest));
}
