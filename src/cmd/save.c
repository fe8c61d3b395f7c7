// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/save.h"
#include "host/debugfs.h"
#include "transport/output.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/render.h"

#define PRE_COPY_NS (60 * NSEC_PER_SEC)
#define PRE_COPY_MAX_NS (1000000 * NSEC_PER_SEC)
#define PRE_COPY_ROUNDS 1000000
#define PRE_COPY_SMALL ((uint64_t)64 << 10)

/* zstd's own, before ZSTD_maxCLevel() says the same at run time. */
#define ZSTD_LEVEL_DEFAULT 3
#define ZSTD_LEVEL_MAX 19

enum {
	LEAVE_FOUND,
	LEAVE_STOP
};
static const char *const cmd_save_leave_words[] = { "found", "stop" };

struct cmd_save_args {
	struct invocation *inv;
	const char *spec, *file;
	struct device_options options;
	struct arc_retry retry;
	struct save_options save;
	const char *compress;
	struct opt_list labels;
	unsigned int leave;
	uint64_t threads, precopy_ns;
	bool precopy, dry_run;
};

static void cmd_save_parse_compress(struct cmd_save_args *a)
{
	const char *arg = a->compress;
	uint64_t level = ZSTD_LEVEL_DEFAULT;

	if (!arg || !strcmp(arg, "none"))
		return;
	if (strncmp(arg, "zstd", 4) != 0 || (arg[4] && arg[4] != ':') ||
	    (arg[4] && (parse_uint(arg + 5, 10, ZSTD_LEVEL_MAX, &level) < 0 || !level)))
		opts_misuse(a->inv->program, "--compress is none or zstd[:1-%d], not '%s'",
			    ZSTD_LEVEL_MAX, arg);
	if (a->save.raw)
		opts_misuse(a->inv->program, "--raw and --compress exclude each other");
	a->save.zstd_level = (int)level;
}

static void cmd_save_parse_labels(struct cmd_save_args *a)
{
	struct err err = { 0 };

	for (size_t i = 0; i < a->labels.n; i++)
		if (image_labels_parse(&a->save.labels, a->labels.v[i], &err) < 0)
			opts_misuse(a->inv->program, "--label=%s: %s", a->labels.v[i], err.text);
	if (a->save.raw && a->labels.n)
		opts_misuse(a->inv->program, "--raw and --label exclude each other");
}

static void cmd_save_parse(struct cmd_save_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "raw", .flag = &a->save.raw, .doc = "write the bare stream and nothing else" },
		{ "compress", .value = "HOW", .text = &a->compress,
		  .doc = "none (default) or zstd[:LEVEL]" },
		{ "force", .flag = &a->save.force, .doc = "replace FILE if it exists" },
		{ "leave", .value = "STATE", .choice = &a->leave, OPT_WORDS(cmd_save_leave_words),
		  .doc = "found (default): as it was; stop: stopped" },
		{ "pre-copy", .value = "TIME", .duration_ns = &a->precopy_ns,
		  .max = PRE_COPY_MAX_NS, .value_optional = true, .given = &a->precopy,
		  .doc = "read what can be read while the device runs, for at most TIME (60s)" },
		{ "insecure", .flag = &a->save.peer.insecure,
		  .doc = "use TCP or vsock, or the socket of any user" },
		{ "threads", .value = "N", .number = &a->threads, .min = 1, .max = SAVE_THREADS_MAX,
		  .doc = "compress in N threads (one for each CPU)" },
		{ "bandwidth", .value = "RATE", .bytes = &a->save.bandwidth, .min = 1,
		  .max = INT64_MAX, .doc = "write at most RATE bytes a second: 10M, 1GB, ..." },
		{ "label", .value = "KEY=VALUE", .list = &a->labels,
		  .doc = "put this into the image, where inspect shows it; several times" },
		{ "sha256", .flag = &a->save.sha256,
		  .doc = "sum the stream; takes longer than all the rest" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .text = &a->spec },
					{ "FILE", .text = &a->file },
					{ 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
	};

	cmd_parse(a->inv, &line, argc, argv);
	cmd_save_parse_compress(a);
	cmd_save_parse_labels(a);
	a->save.threads = (unsigned int)a->threads;
	a->save.peer.timeout_ms = a->options.acquire.timeout_ms;
}

/*
 * The report
 */

static void cmd_save_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "file", "file", REPORT_TEXT },
		{ "image.id", "image id", REPORT_TEXT },
		{ "file_bytes", "file size", REPORT_BYTES_EXACT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "sha256", "sha256", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS_IF_ANY },
		{ "state", "state now", REPORT_TEXT },
		{ "expected_bytes", "expected", REPORT_BYTES_EXACT },
		{ "free_bytes", "free", REPORT_BYTES_EXACT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_save_render(struct invocation *inv, const struct save_options *s,
			    const struct save_result *result)
{
	const struct source_result *source = &result->source;
	struct json_object *o = inv->report;

	inv->acts = inv->moves_state = true;
	inv->outcome = result->verdict.outcome;
	inv->owner = result->verdict.owner;
	render_device(o, s->dev);
	report_name(o, "file", s->uri.text);
	report_string(o, "format", s->raw ? "raw" : "image");
	if (!result->started)
		return;
	if (result->info.major)
		render_labels(render_image_info(o, &result->info,
						result->receipt.accepted ? &result->receipt : NULL),
			      &s->labels);
	report_uint(o, "file_bytes", result->published ? result->written : 0);
	report_uint(o, "bytes", source->bytes);
	report_uint(o, "stream_ns", source->stream_ns);
	render_rate(o, source->bytes, source->stream_ns);
	if (s->sha256 && source->complete)
		report_octets(o, "sha256", result->sum, sizeof(result->sum));
	render_state_found(o, source->found, true);
	render_state_now(o, source->left, source->left_known);
	report_uint(o, "drain_retries", result->retries);
	render_arcs(o, &source->timeline, source->left);
	if (source->recovered)
		render_recovery(o, &source->recovery);
}

/* A device that the caller holds (fd:N) can be asked; others would have to be opened. */
static int cmd_save_plan_room(struct json_object *o, const struct save_options *s, struct err *err)
{
	struct save_room room;
	int r;

	if (s->dev->inherited >= 0) {
		r = device_open(s->dev, s->device, err);
		if (r < 0)
			return r;
		r = mig_query(s->dev->mig, err);
		if (r < 0)
			return r;
	}
	r = save_check_room(s, &room, err);
	if (room.expected_known)
		report_uint(o, "expected_bytes", room.expected);
	else
		report_null(o, "expected_bytes");
	if (room.free_known)
		report_uint(o, "free_bytes", room.free);
	return r;
}

/* Nothing is opened, so what stands in the way is told as far as names and debugfs tell it. */
static int cmd_save_plan(struct invocation *inv, const struct save_options *s, struct err *err)
{
	char word[32];
	int r;

	render_device(inv->report, s->dev);
	report_name(inv->report, "file", s->uri.text);
	report_string(inv->report, "format", s->raw ? "raw" : "image");
	report_bool(inv->report, "dry_run", true);
	report_bool(inv->report, "opening_resets", device_reset_by_open(s->dev));
	r = device_check(s->dev, s->device, err);
	if (r < 0)
		return r;
	if (s->device->protocol != PROTOCOL_V1 && s->dev->node &&
	    debugfs_migration_state(&host_live, s->dev->node, word, sizeof(word), NULL) ==
		    DEBUGFS_NO_V2) {
		err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: the driver offers no migration",
			 device_name(s->dev));
		return err_hint(err, -ENOTTY, "if it speaks v1: --protocol=v1");
	}
	if (s->uri.kind & URI_SOCKET)
		r = peer_check(&s->uri, &s->peer, err);
	else
		r = output_check(&s->uri, s->force, err);
	if (r < 0)
		return r;
	r = cmd_save_plan_room(inv->report, s, err);
	if (r < 0)
		return r;
	inv->owner = OWNER_SOURCE;
	return 0;
}

struct cmd_save_work {
	const struct save_options *options;
	struct save_result result;
	struct cancel cancel;
	struct transfer transfer;
};

static int cmd_save_work(void *ctx, struct err *err)
{
	struct cmd_save_work *w = ctx;

	return save_run(w->options, &w->cancel, &w->transfer, &w->result, err);
}

/* A device in doubt that closing may reset would lose what may be the only copy: hold it. */
static void cmd_save_hold(const struct cmd_save_args *a, int r, struct err *err)
{
	const struct device *dev = a->save.dev;
	const struct session_held held = { .fd = mig_watch_fd(dev->mig) };
	enum close_effect effect = device_close_effect(dev);
	char reason[ERR_REASON_MAX];
	struct err gone = { 0 };

	if (effect == CLOSE_KEEPS)
		return;
	a->inv->show(a->inv, r, err);
	log_warn("%s%s; %s", err->text, err_reason(err, reason), err->note);
	console_print("%s: stopped, in doubt; held open until %s, because %s", device_name(dev),
		      session_ended_by(), device_close_text(effect));
	if (session_hold(&held, cmd_status(a->inv), &gone) < 0)
		log_warn("%s%s", gone.text, err_reason(&gone, reason));
}

static int cmd_save_save(struct cmd_save_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	struct save_options *s = &a->save;
	struct cmd_save_work w = { .options = s };
	struct precopy policy = {
		.max_rounds = PRE_COPY_ROUNDS,
		.max_ns = a->precopy_ns,
		.small = PRE_COPY_SMALL,
	};
	struct progress progress = cmd_progress(inv, &w.transfer, device_name(s->dev));
	int r;

	if ((s->uri.kind & URI_SOCKET) || s->dev->socket)
		progress.timeout_ms = s->peer.timeout_ms;
	w.result.verdict =
		handover_sender_verdict(HANDOVER_STORED, HANDOVER_FAILED, false, MIG_FATE_BACK);
	s->retry_ns = a->retry.budget_ns;
	s->leave_stopped = a->leave == LEAVE_STOP;
	r = cancel_init(&w.cancel, err);
	if (r < 0)
		return r;
	s->precopy = a->precopy ? &policy : NULL;
	a->options.cancel = &w.cancel;
	w.cancel.call_timeout_ms = device_call_timeout(s->dev, s->device);
	transfer_start(&w.transfer);
	r = session_run(cmd_save_work, &w, &w.cancel, &progress, err);
	cmd_save_render(inv, s, &w.result);
	s->precopy = NULL;
	a->options.cancel = NULL;
	cancel_done(&w.cancel);
	if (w.result.verdict.status == HANDOVER_IN_DOUBT)
		cmd_save_hold(a, r, err);
	return r;
}

static int cmd_save_plan_or_save(struct cmd_save_args *a, struct err *err)
{
	int r = cmd_files_device(a->save.dev, &a->save.uri, err);

	if (r < 0)
		return r;
	return a->dry_run ? cmd_save_plan(a->inv, &a->save, err) : cmd_save_save(a, err);
}

static int cmd_save_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_save_args a = { .inv = inv, .precopy_ns = PRE_COPY_NS };
	struct save_options *s = &a.save;
	int r;

	cmd_save_parse(&a, argc, argv);
	r = cmd_output(inv, a.file, URI_PLAIN | URI_SOCKET, &s->uri, err);
	if (r < 0)
		return cmd_hint_swapped(inv, a.spec, a.file, r, err);
	r = cmd_find_device(inv, a.spec, a.file, &s->dev, err);
	if (r < 0)
		return r;
	inv->view = cmd_save_view;
	s->device = &a.options;
	r = cmd_save_plan_or_save(&a, err);
	device_free(s->dev);
	image_labels_done(&s->labels);
	return r;
}

const struct command cmd_save = {
	.name = "save",
	.args_doc = "DEV FILE",
	.summary = "stream a device's state to a file",
	.doc = "Save a device's state to FILE.\v"
	       "The device is stopped, its stream written, and the device returned to where it "
	       "was. DEV is a PCI address, an mdev's UUID, vfioN, /dev/vfio/devices/vfioN, a "
	       "sysfs path, fd:N, or vfio-user:PATH. FILE is a path, file:PATH, -, fd:N, "
	       "exec:CMD, unix:PATH, tcp:HOST:PORT or vsock:CID:PORT; the last three are sockets "
	       "of a resume --listen, which has the last word. A path gets its file only when all "
	       "of it is there and synced.",
	.run = cmd_save_run,
};
