// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "base/macros.h"
#include "engine/rehearse.h"
#include "ui/session.h"
#include "cmd/rehearsal.h"
#include "cmd/render.h"
#include "cmd/watch.h"

static void cmd_rehearsal_view_device(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "accepted", "accepted", REPORT_TEXT },
		{ "same", "gives back the same", REPORT_TEXT },
		{ "state", "state now", REPORT_TEXT },
	};

	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_rehearsal_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "file", "file", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "bytes", "streams", REPORT_BYTES_EXACT },
		{ "good", "good", REPORT_TEXT },
	};
	static const struct report_row columns[] = {
		{ "device.address", "DEVICE", REPORT_TEXT },
		{ "accepted", "ACCEPTED", REPORT_TEXT },
		{ "same", "GIVES BACK THE SAME", REPORT_TEXT },
		{ "state", "STATE NOW", REPORT_TEXT },
	};
	struct json_object *devices;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	cmd_rehearsal_view_device(f, report);
	if (!json_object_object_get_ex(report, "devices", &devices))
		return;
	fputc('\n', f);
	report_table(f, devices, columns, ARRAY_SIZE(columns));
}

static void cmd_rehearsal_render_device(struct json_object *o, const struct rehearse_device *d)
{
	static const char *const words[] = {
		[REHEARSE_NOT_COMPARED] = NULL, [REHEARSE_SAME] = "yes",
		[REHEARSE_DIFFERS] = "no",	[REHEARSE_OTHER_LENGTH] = "other-length",
		[REHEARSE_VARIES] = "varies",
	};

	report_bool(o, "accepted", d->accepted);
	report_string(o, "same", words[d->same]);
	report_bool(o, "was_reset", d->reset);
	render_state_now(o, d->left, d->left_known);
}

static void cmd_rehearsal_render(const struct cmd_rehearsal *t,
				 const struct rehearse_result *result, int r)
{
	const struct load_result *load = &result->load;
	struct json_object *o = t->inv->report;
	uint64_t bytes = 0;

	render_devices(o, t->devices.v, t->devices.n);
	report_name(o, "file", t->devices.file);
	if (load->info.major)
		render_image_info(o, &load->info, load->receipt.accepted ? &load->receipt : NULL);
	for (unsigned int i = 0; i < t->devices.n; i++) {
		cmd_rehearsal_render_device(render_object(o, t->devices.n, i), &result->devices[i]);
		bytes += load->devices ? load->devices[i].bytes : 0;
	}
	report_uint(o, "bytes", bytes);
	if (r >= 0 || load->receipt.accepted)
		report_bool(o, "good", r >= 0);
	else
		report_null(o, "good");
}

struct cmd_rehearsal_work {
	struct load_options options;
	struct rehearse_result result;
	struct cancel *cancel;
};

static int cmd_rehearsal_work(void *ctx, struct err *err)
{
	struct cmd_rehearsal_work *w = ctx;

	return rehearse_run(&w->options, w->cancel, &w->result, err);
}

static int cmd_rehearsal_rehearse(struct cmd_rehearsal *t, const struct uri *uri, struct err *err)
{
	struct cmd_watch watch;
	struct cmd_rehearsal_work w = {
		.options = {
			.devs = t->devices.v,
			.n = t->devices.n,
			.map = { .specs = t->devices.specs, .n = t->devices.n },
			.device = &t->options,
			.uri = *uri,
			.p2p = !t->no_p2p,
			.retry_ns = t->retry.budget_ns,
			.events = &watch.events,
			.transfer = &watch.transfer,
		},
		.cancel = &watch.cancel,
	};
	int r;

	r = cmd_watch_begin(t->inv, &watch, &t->devices, &t->options, NULL, err);
	if (r < 0)
		return r;
	r = session_run(cmd_rehearsal_work, &w, &watch.cancel, &watch.progress, err);
	t->mismatch = w.result.mismatch;
	if (w.result.devices)
		cmd_rehearsal_render(t, &w.result, r);
	r = cmd_watch_end(&watch, &t->options, r, err);
	rehearse_result_done(&w.result);
	return r;
}

static int cmd_rehearsal_find(struct cmd_rehearsal *t, const struct uri *uri, struct err *err)
{
	int r = cmd_devices_find(t->inv, &t->devices, &t->options, uri, err);

	return r < 0 ? r : cmd_rehearsal_rehearse(t, uri, err);
}

int cmd_rehearsal_run(struct cmd_rehearsal *t, struct err *err)
{
	struct invocation *inv = t->inv;
	struct uri uri;
	int r;

	cmd_devices_split(inv, &t->devices);
	inv->view = cmd_rehearsal_view;
	inv->acts = true;
	r = cmd_input(inv, t->devices.file, URI_PLAIN, &uri, err);
	if (r < 0)
		return r;
	r = cmd_rehearsal_find(t, &uri, err);
	cmd_devices_done(&t->devices);
	/*
	 * What a driver refuses, or is damaged, is a finding here, with a status of its own (1);
	 * that other devices were named than it has is not.
	 */
	if (r < 0 && err->kind == ERR_IMAGE && !t->mismatch)
		err->kind = ERR_NONCONFORMING;
	return r;
}
