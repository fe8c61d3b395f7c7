// SPDX-License-Identifier: GPL-2.0-or-later
#include <linux/vfio.h>

#include "base/macros.h"
#include "device/device.h"
#include "device/quirks.h"
#include "engine/sample.h"
#include "fsm/fsm.h"
#include "host/pci-config.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/decoded.h"
#include "cmd/image-diff.h"
#include "cmd/image-scan.h"
#include "cmd/objections.h"
#include "cmd/render.h"

/* A vfio-user server may claim any number of regions and interrupts: so many are listed. */
#define INDEX_MAX 64u

struct cmd_info_args {
	struct invocation *inv;
	const char *spec;
	struct device_options options;
	const char *diff;
	bool decode;
	struct arc_retry retry;
	struct cmd_decoded decoded;
	struct image_scan scan; /* of @diff */
	struct device *device;
};

static void cmd_info_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "device.ids.name", "name", REPORT_TEXT },
		{ "device.bus", "bus", REPORT_TEXT },
		{ "device.driver", "driver", REPORT_TEXT },
		{ "device.driver_version", "driver version", REPORT_TEXT },
		{ "device.iommu_group", "IOMMU group", REPORT_TEXT },
		{ "device.cdev", "cdev", REPORT_TEXT },
		{ "device.via", "opened by", REPORT_TEXT },
		{ "device.owner.comm", "its owner", REPORT_TEXT },
		{ "device.owner.pid", "owner's pid", REPORT_TEXT },
		{ "device.ids.vendor", "vendor", REPORT_TEXT },
		{ "device.ids.device", "device id", REPORT_TEXT },
		{ "device.ids.subsystem_vendor", "subsystem vendor", REPORT_TEXT },
		{ "device.ids.subsystem_device", "subsystem device", REPORT_TEXT },
		{ "device.ids.class", "class", REPORT_TEXT },
		{ "device.ids.revision", "revision", REPORT_TEXT },
		{ "resettable", "can be reset", REPORT_TEXT },
		{ "migratable", "migratable", REPORT_TEXT },
		{ "reason", "because", REPORT_TEXT },
		{ "hint", "hint", REPORT_TEXT },
		{ "protocol", "protocol", REPORT_TEXT },
		{ "migration_flags", "migration flags", REPORT_TEXT },
		{ "state", "state", REPORT_TEXT },
		{ "v1_bits", "device_state", REPORT_TEXT },
		{ "stop_copy_bytes", "STOP_COPY size, by the driver", REPORT_BYTES_EXACT },
		{ "precopy_info_v2", "PRECOPY_INFOv2", REPORT_TEXT },
		{ "dma_logging", "DMA logging", REPORT_TEXT },
		{ "interrupts", "interrupts enabled", REPORT_TEXT },
		{ "intx", "INTx", REPORT_TEXT },
	};
	static const struct report_row regions[] = {
		{ "index", "REGION", REPORT_TEXT },
		{ "size", "SIZE", REPORT_BYTES },
		{ "access", "ACCESS", REPORT_TEXT },
	};
	static const struct report_row irqs[] = {
		{ "index", "IRQ", REPORT_TEXT },
		{ "count", "VECTORS", REPORT_TEXT },
		{ "flags", "FLAGS", REPORT_TEXT },
	};
	struct json_object *list;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (json_object_object_get_ex(report, "regions", &list))
		report_table(f, list, regions, ARRAY_SIZE(regions));
	if (json_object_object_get_ex(report, "irqs", &list))
		report_table(f, list, irqs, ARRAY_SIZE(irqs));
	if (json_object_object_get_ex(report, "quirks", &list))
		for (size_t i = 0; i < json_object_array_length(list); i++)
			fprintf(f, "known: %s\n",
				json_object_get_string(json_object_array_get_idx(list, i)));
	cmd_decoded_view(f, report);
	image_diff_view(f, report);
	cmd_objections_view(f, report);
}

/* Regions and interrupts of no size are how a PCI device says that it has none there. */
static void cmd_info_add_regions(struct json_object *report, struct mig_dev *mig, uint32_t n)
{
	/* VFIO_REGION_INFO_FLAG_*, from bit 0 on */
	static const char *const access[] = { "read", "write", "mmap" };
	struct json_object *list = report_array(report, "regions"), *o;
	struct dev_region region;

	for (uint32_t i = 0; i < MIN(n, INDEX_MAX); i++) {
		if (dev_region(mig, i, &region, NULL) < 0 || !region.size)
			continue;
		o = report_append(list);
		report_uint(o, "index", i);
		report_uint(o, "size", region.size);
		report_hex(o, "offset", 1, region.offset);
		render_words(o, "access", access, ARRAY_SIZE(access), region.flags);
	}
}

static void cmd_info_add_irqs(struct json_object *report, struct mig_dev *mig, uint32_t n)
{
	/* VFIO_IRQ_INFO_*, from bit 0 on */
	static const char *const names[] = { "eventfd", "maskable", "automasked", "noresize" };
	struct json_object *list = report_array(report, "irqs"), *o;
	struct dev_irq irq;

	for (uint32_t i = 0; i < MIN(n, INDEX_MAX); i++) {
		if (dev_irq(mig, i, &irq, NULL) < 0 || !irq.count)
			continue;
		o = report_append(list);
		report_uint(o, "index", i);
		report_uint(o, "count", irq.count);
		render_words(o, "flags", names, ARRAY_SIZE(names), irq.flags);
	}
}

static void cmd_info_add_migration(struct json_object *o, struct mig_dev *mig)
{
	uint64_t size;

	report_string(o, "protocol", mig->ops->name);
	render_caps(o, mig->caps);
	render_device_state(o, mig);
	/* An estimate only, and some drivers have none. */
	if (mig_data_size(mig, &size, NULL) >= 0)
		report_uint(o, "stop_copy_bytes", size);
	else
		report_null(o, "stop_copy_bytes");
	report_bool(o, "precopy_info_v2",
		    (mig->caps & MIG_CAP_PRE_COPY) &&
			    mig_probe(mig, UAPI_FEATURE_MIG_PRECOPY_INFO_V2));
}

static void cmd_info_add_quirks(struct json_object *report, const char *driver)
{
	struct json_object *list = report_array(report, "quirks");
	const struct quirks *q = quirks_of(driver);

	for (size_t i = 0; q && i < ARRAY_SIZE(q->notes) && q->notes[i]; i++)
		report_append_string(list, q->notes[i]);
}

/*
 * A device that cannot migrate is an answer here, not a failure; @ret_why is then why not, and its
 * code is 0 else.
 */
static int cmd_info_describe(struct json_object *report, struct device *dev, struct err *ret_why,
			     struct err *err)
{
	struct dev_info info;
	bool migratable;
	int r;

	r = dev_info(dev->mig, &info, err);
	if (r < 0)
		return r;
	report_bool(report, "resettable", info.flags & VFIO_DEVICE_FLAGS_RESET);
	r = mig_query(dev->mig, ret_why);
	migratable = r >= 0;
	if (!migratable && err_status(ret_why) != ERR_UNSUPPORTED) {
		*err = *ret_why;
		return r;
	}
	report_bool(report, "migratable", migratable);
	if (migratable)
		cmd_info_add_migration(report, dev->mig);
	else
		render_reason(report, dev, ret_why);
	if (dev->config_size) {
		render_interrupts(report, pci_config_interrupts(dev->config, dev->config_size));
		render_intx(report, dev->config, dev->config_size);
	}
	report_bool(report, "dma_logging", mig_probe(dev->mig, UAPI_FEATURE_DMA_LOGGING_START));
	cmd_info_add_regions(report, dev->mig, info.n_regions);
	cmd_info_add_irqs(report, dev->mig, info.n_irqs);
	cmd_info_add_quirks(report, device_driver(dev));
	return 0;
}

static int cmd_info_on_begin(void *ctx, const struct image_info *info,
			     const struct image_manifest *m, struct err *err)
{
	struct cmd_info_args *a = ctx;

	(void)info;
	return image_diff(a->inv->report, m, a->device, err);
}

static int cmd_info_on_finish(void *ctx, struct err *err)
{
	struct cmd_info_args *a = ctx;
	const struct cmd_objections q = {
		.uri = &a->scan.uri,
		.dev = a->device,
		.here = a->decode ? &a->decoded.result : NULL,
	};

	return cmd_objections_add(a->inv->report, &q, &a->scan.cancel, err);
}

/* All of the image is checked: a difference from what is damaged says nothing. */
static int cmd_info_compare(struct cmd_info_args *a, struct err *err)
{
	static const struct image_sink sink = { .begin = cmd_info_on_begin };

	a->scan = (struct image_scan){ .inv = a->inv,
				       .file = a->diff,
				       .sink = &sink,
				       .finish = cmd_info_on_finish,
				       .ctx = a };

	return image_scan_run(&a->scan, err);
}

static void cmd_info_on_stream(void *ctx, const void *buf, size_t len)
{
	struct cmd_info_args *a = ctx;

	decode_push(a->decoded.decode, buf, len);
}

static int cmd_info_decode(struct cmd_info_args *a, struct err *err)
{
	struct sample sample = {
		.dev = a->device,
		.retry = &a->retry,
		.cancel = a->options.cancel,
		.on_data = cmd_info_on_stream,
		.ctx = a,
	};
	int r;

	r = cmd_decoded_begin(&a->decoded, a->inv->report, device_driver(a->device), err);
	if (r < 0)
		return r;
	r = sample_run(&sample, err);
	cmd_decoded_end(&a->decoded, r >= 0 && sample.way != SAMPLE_PRE_COPY);
	if (r < 0)
		json_object_object_del(a->inv->report, "decoded");
	return r;
}

static int cmd_info_work(void *ctx, struct err *err)
{
	struct cmd_info_args *a = ctx;
	struct err why = { 0 };
	int r;

	r = device_open(a->device, &a->options, err);
	if (r < 0)
		return r;
	render_device(a->inv->report, a->device);
	r = cmd_info_describe(a->inv->report, a->device, &why, err);
	if (r < 0)
		return r;
	if (a->decode && why.code) {
		*err = why;
		return why.code;
	}
	if (a->decode)
		return cmd_info_decode(a, err);
	return cancel_check(a->options.cancel, err);
}

static int cmd_info_ask(struct cmd_info_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	int r;

	r = session_run(cmd_info_work, a, a->options.cancel, &progress, err);
	if (r < 0 || !a->diff)
		return r;
	/* A signal that came when the device had just been asked is heard by no other session. */
	r = cancel_check(a->options.cancel, err);
	return r < 0 ? r : cmd_info_compare(a, err);
}

static int cmd_info_show(struct cmd_info_args *a, struct err *err)
{
	struct cancel cancel;
	int r;

	r = cancel_init(&cancel, err);
	if (r < 0)
		return r;
	a->options.cancel = &cancel;
	a->options.only_asks = !a->decode;
	a->options.returns = a->decode;
	r = cmd_info_ask(a, err);
	/* The device is asked under this cancel: it goes first. */
	device_close(a->device);
	cancel_done(&cancel);
	return r;
}

static int cmd_info_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_info_args a = { .inv = inv };
	const struct opt opts[] = {
		{ "decode", .flag = &a.decode,
		  .doc = "read its stream, by pre-copy, or stopping it for a moment, and show its "
			 "records" },
		{ "diff", .value = "FILE", .text = &a.diff,
		  .doc = "show how the device differs from the one in an image" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a.spec }, { 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a.options,
		.retry = &a.retry,
	};
	int r;

	cmd_parse(inv, &line, argc, argv);
	inv->view = cmd_info_view;
	r = device_find(&host_live, a.spec, &a.device, err);
	if (r < 0)
		return r;
	r = cmd_info_show(&a, err);
	device_free(a.device);
	return r;
}

const struct command cmd_info = {
	.name = "info",
	.args_doc = "DEV",
	.summary = "show what a device is and what its migration can do",
	.doc = "Show what a device is and what its migration can do.\v"
	       "Opens the device, which resets a PCI function that no process holds.",
	.run = cmd_info_run,
};
