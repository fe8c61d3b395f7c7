// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/adopt.h"
#include "engine/save.h"
#include "host/debugfs.h"
#include "transport/output.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/devices.h"
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/watch.h"

#define PRE_COPY_NS (60 * NSEC_PER_SEC)
#define PRE_COPY_MAX_NS (1000000 * NSEC_PER_SEC)
#define PRE_COPY_ROUNDS 1000000
#define DOWNTIME_LIMIT_NS (300 * NSEC_PER_MSEC)
#define SKEW_MAX_NS (1000 * NSEC_PER_SEC)

/* zstd's own, before ZSTD_maxCLevel() says the same at run time. */
#define ZSTD_LEVEL_DEFAULT 3
#define ZSTD_LEVEL_MAX 19

enum {
	LEAVE_FOUND,
	LEAVE_STOP
};
static const char *const cmd_save_leave_words[] = { "found", "stop" };

static const char *const cmd_save_divergence_words[] = {
	[ON_DIVERGENCE_STOP] = "stop",
	[ON_DIVERGENCE_ABORT] = "abort",
};

struct cmd_save_args {
	struct invocation *inv;
	struct cmd_devices devices;
	struct device_options options;
	struct arc_retry retry;
	struct actions_options actions;
	struct save_options save;
	const char *compress, *report;
	struct opt_list labels;
	unsigned int leave, on_divergence;
	uint64_t threads, max_rounds;
	bool no_p2p, dry_run;
	bool needs_precopy; /* an option that means nothing without --pre-copy */
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
	if (a->save.source.raw)
		opts_misuse(a->inv->program, "--raw and --compress exclude each other");
	a->save.source.zstd_level = (int)level;
}

static void cmd_save_parse_labels(struct cmd_save_args *a)
{
	struct err err = { 0 };

	for (size_t i = 0; i < a->labels.n; i++)
		if (image_labels_parse(&a->save.source.labels, a->labels.v[i], &err) < 0)
			opts_misuse(a->inv->program, "--label=%s: %s", a->labels.v[i], err.text);
	if (a->save.source.raw && a->labels.n)
		opts_misuse(a->inv->program, "--raw and --label exclude each other");
}

static void cmd_save_settle(struct cmd_save_args *a)
{
	struct save_options *s = &a->save;

	if (a->needs_precopy && !s->source.precopy)
		opts_misuse(a->inv->program,
			    "--downtime-limit, --max-rounds, --max-time, --on-divergence and "
			    "--bandwidth-stop-copy are for --pre-copy");
	if (a->actions.freeze_owner && a->leave == LEAVE_STOP)
		opts_misuse(a->inv->program,
			    "--freeze-owner and --leave=stop exclude each other: it would "
			    "run with its device stopped");
	cmd_devices_split(a->inv, &a->devices);
	cmd_save_parse_compress(a);
	cmd_save_parse_labels(a);
	if (s->source.raw && a->devices.n > 1)
		opts_misuse(a->inv->program, "--raw is of one device");
	s->source.threads = (unsigned int)a->threads;
	s->peer.timeout_ms = a->options.acquire.timeout_ms;
	s->source.devs = a->devices.v;
	s->source.n = a->devices.n;
	s->source.device = &a->options;
	s->source.p2p = !a->no_p2p;
	s->source.retry_ns = a->retry.budget_ns;
	a->actions.file = a->devices.file;
	s->source.actions = &a->actions;
	s->source.leave_stopped = a->leave == LEAVE_STOP;
	s->source.converge.policy.max_rounds = (unsigned int)a->max_rounds;
	s->source.converge.on_divergence = (enum on_divergence)a->on_divergence;
	s->source.converge.returns = !s->source.leave_stopped;
	s->source.converge.policy.stop_copy_rate = s->source.bandwidth_stop_copy;
}

static void cmd_save_parse(struct cmd_save_args *a, int argc, char **argv)
{
	struct switchover_options *policy = &a->save.source.converge.policy;
	const struct opt opts[] = {
		{ "raw", .flag = &a->save.source.raw,
		  .doc = "write the bare stream and nothing else" },
		{ "compress", .value = "HOW", .text = &a->compress,
		  .doc = "none (default) or zstd[:LEVEL]" },
		{ "force", .flag = &a->save.force, .doc = "replace FILE if it exists" },
		{ "leave", .value = "STATE", .choice = &a->leave, OPT_WORDS(cmd_save_leave_words),
		  .doc = "found (default): as it was; stop: stopped" },
		{ "pre-copy", .flag = &a->save.source.precopy,
		  .doc = "read what can be read while the devices run" },
		{ "downtime-limit", .value = "TIME", .duration_ns = &policy->downtime_limit_ns,
		  .max = PRE_COPY_MAX_NS, .given = &a->needs_precopy,
		  .doc = "stop them once that is expected to take no longer (300ms)" },
		{ "max-rounds", .value = "N", .number = &a->max_rounds, .min = 1,
		  .max = PRE_COPY_ROUNDS, .given = &a->needs_precopy,
		  .doc = "of pre-copy, at most (1000000)" },
		{ "max-time", .value = "TIME", .duration_ns = &policy->max_ns,
		  .max = PRE_COPY_MAX_NS, .given = &a->needs_precopy,
		  .doc = "in pre-copy, at most (60s)" },
		{ "on-divergence", .value = "WHAT", .choice = &a->on_divergence,
		  OPT_WORDS(cmd_save_divergence_words), .given = &a->needs_precopy,
		  .doc = "when pre-copy does not converge: stop (default) the devices, or abort" },
		{ "no-p2p", .flag = &a->no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ "downtime-max", .value = "TIME",
		  .duration_ns = &a->save.source.converge.downtime_max_ns, .max = PRE_COPY_MAX_NS,
		  .doc = "undo a save whose devices were stopped for longer" },
		{ "max-skew", .value = "TIME", .duration_ns = &a->save.source.max_skew_ns,
		  .max = SKEW_MAX_NS,
		  .doc = "between the first device's stop and the last's, at most" },
		{ "insecure", .flag = &a->save.peer.insecure,
		  .doc = "use TCP or vsock, or the socket of any user" },
		{ "threads", .value = "N", .number = &a->threads, .min = 1,
		  .max = SOURCE_THREADS_MAX, .doc = "compress in N threads (one for each CPU)" },
		{ "bandwidth", .value = "RATE", .bytes = &a->save.source.bandwidth, .min = 1,
		  .max = INT64_MAX,
		  .doc = "write at most RATE bytes a second: 10M, 1GB, ...; with --pre-copy only "
			 "while the devices run" },
		{ "bandwidth-stop-copy", .value = "RATE",
		  .bytes = &a->save.source.bandwidth_stop_copy, .min = 1, .max = INT64_MAX,
		  .given = &a->needs_precopy, .doc = "the same once they are stopped" },
		{ "report", .value = "FILE", .text = &a->report,
		  .doc = "write all that happens to FILE, for vfiomigctl report" },
		{ "label", .value = "KEY=VALUE", .list = &a->labels,
		  .doc = "put this into the image, where inspect shows it; several times" },
		{ "sha256", .flag = &a->save.source.sha256,
		  .doc = "sum the stream; takes longer than all the rest" },
		{ "dry-run", .flag = &a->dry_run, .doc = "say what would be done, open nothing" },
		{ 0 },
	};
	const struct opt_arg args[] = { { "DEV", .list = &a->devices.args, .optional = true },
					{ 0 } };
	const struct cmd_line line = {
		.opts = opts,
		.args = args,
		.open = &a->options,
		.retry = &a->retry,
		.actions = &a->actions,
	};

	cmd_parse(a->inv, &line, argc, argv);
	cmd_save_settle(a);
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
		{ "skew_ns", "stopped within", REPORT_NS },
		{ "downtime_estimate_ns", "expected downtime", REPORT_NS },
		{ "state", "state now", REPORT_TEXT },
		{ "expected_bytes", "expected", REPORT_BYTES_EXACT },
		{ "free_bytes", "free", REPORT_BYTES_EXACT },
		{ "opening_resets", "opening may reset it", REPORT_TEXT },
		{ "action_script", "would run", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
	view_devices(f, report);
	cmd_plan_view(f, report);
}

/* Into the report itself for a single device, else into its object in "devices". */
static void cmd_save_render_device(struct json_object *o, const struct save_result *result,
				   unsigned int i)
{
	const struct member_result *m = &result->source.devices[i];

	report_uint(o, "bytes", m->bytes);
	report_uint(o, "stream_ns", m->stream_ns);
	render_rate(o, m->bytes, m->stream_ns);
	if (result->source.sums)
		report_octets(o, "sha256", result->source.sums[i], sizeof(result->source.sums[i]));
	render_state_found(o, m->found, true);
	render_state_now(o, m->left, m->left_known);
	report_uint(o, "drain_retries", m->retries);
	render_arcs(o, &m->timeline, m->left);
	if (m->recovered)
		render_recovery(o, &m->recovery);
}

static void cmd_save_render(struct invocation *inv, const struct save_options *s,
			    const struct save_result *result)
{
	struct json_object *o = inv->report;

	inv->acts = inv->moves_state = true;
	inv->outcome = result->verdict.outcome;
	inv->owner = result->verdict.owner;
	render_devices(o, s->source.devs, s->source.n);
	report_name(o, "file", s->uri.text);
	report_string(o, "format", s->source.raw ? "raw" : "image");
	if (!result->source.started)
		return;
	if (result->source.info.major)
		render_labels(render_image_info(o, &result->source.info,
						result->source.receipt.accepted
							? &result->source.receipt
							: NULL),
			      &s->source.labels);
	report_uint(o, "file_bytes", result->published ? result->source.written : 0);
	if (result->source.decided)
		render_decision(o, &result->source.decision);
	if (s->source.n > 1)
		report_uint(o, "skew_ns", result->source.skew_ns);
	for (unsigned int i = 0; i < s->source.n; i++)
		cmd_save_render_device(render_object(o, s->source.n, i), result, i);
}

/* A device that is open already (fd:N) can be asked; others would have to be opened. */
static int cmd_save_plan_room(struct json_object *o, const struct save_options *s, struct err *err)
{
	struct save_room room;
	int r;

	for (unsigned int i = 0; i < s->source.n; i++) {
		r = cmd_plan_adopt(s->source.devs[i], s->source.device, ADOPT_SAVE, err);
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

static int cmd_save_plan_device(const struct save_options *s, struct device *dev, struct err *err)
{
	char word[32];
	int r;

	r = cmd_plan_check(dev, s->source.device, err);
	if (r < 0)
		return r;
	if (s->source.device->protocol == PROTOCOL_V1 || !dev->node ||
	    debugfs_migration_state(&host_live, dev->node, word, sizeof(word), NULL) !=
		    DEBUGFS_NO_V2)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: the driver offers no migration",
		 device_name(dev));
	return err_hint(err, -ENOTTY, "if it speaks v1: --protocol=v1");
}

/* Nothing is opened, so what stands in the way is told as far as names and debugfs tell it. */
static int cmd_save_plan(struct invocation *inv, const struct save_options *s, struct err *err)
{
	int r;

	render_devices(inv->report, s->source.devs, s->source.n);
	report_name(inv->report, "file", s->uri.text);
	report_string(inv->report, "format", s->source.raw ? "raw" : "image");
	report_bool(inv->report, "dry_run", true);
	for (unsigned int i = 0; i < s->source.n; i++)
		report_bool(render_object(inv->report, s->source.n, i), "opening_resets",
			    device_reset_by_open(s->source.devs[i]));
	for (unsigned int i = 0; i < s->source.n; i++) {
		r = cmd_save_plan_device(s, s->source.devs[i], err);
		if (r < 0)
			return r;
	}
	if (s->uri.kind & URI_SOCKET)
		r = peer_check(&s->uri, &s->peer, err);
	else
		r = output_check(&s->uri, s->force, err);
	if (r < 0)
		return r;
	r = cmd_plan_actions(inv->report, s->source.actions, s->source.devs, s->source.n, err);
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
	struct cancel *cancel;
};

static int cmd_save_work(void *ctx, struct err *err)
{
	struct cmd_save_work *w = ctx;

	return save_run(w->options, w->cancel, &w->result, err);
}

/* A device in doubt that closing may reset would lose what may be the only copy: hold it. */
static void cmd_save_hold(const struct cmd_save_args *a, int r, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(&a->devices, &dev);
	char reason[ERR_REASON_MAX];
	struct err gone = { 0 };

	if (effect == CLOSE_KEEPS)
		return;
	a->inv->show(a->inv, r, err);
	log_warn("%s%s; %s", err->text, err_reason(err, reason), err->note);
	console_print("%s: stopped, in doubt; held open until %s, because %s",
		      cmd_devices_title(&a->devices), session_ended_by(),
		      device_close_text(effect));
	if (cmd_devices_hold(a->inv, &a->devices, &gone) < 0)
		log_warn("%s%s", gone.text, err_reason(&gone, reason));
}

static int cmd_save_save(struct cmd_save_args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	struct save_options *s = &a->save;
	struct cmd_watch watch;
	struct cmd_save_work w = { .options = s, .cancel = &watch.cancel };
	int r;

	w.result.verdict =
		handover_sender_verdict(HANDOVER_STORED, HANDOVER_FAILED, false, MIG_FATE_BACK);
	r = cmd_watch_begin(inv, &watch, &a->devices, &a->options, a->report, err);
	if (r < 0)
		return r;
	if (s->uri.kind & URI_SOCKET)
		watch.progress.timeout_ms = s->peer.timeout_ms;
	s->source.events = &watch.events;
	r = session_run(cmd_save_work, &w, &watch.cancel, &watch.progress, err);
	cmd_save_render(inv, s, &w.result);
	s->source.events = NULL;
	r = cmd_watch_end(&watch, &a->options, r, err);
	if (w.result.verdict.status == HANDOVER_IN_DOUBT)
		cmd_save_hold(a, r, err);
	save_result_done(&w.result);
	return r;
}

static int cmd_save_plan_or_save(struct cmd_save_args *a, struct err *err)
{
	int r = cmd_devices_find(a->inv, &a->devices, &a->options, &a->save.uri, err);

	if (r < 0)
		return r;
	return a->dry_run ? cmd_save_plan(a->inv, &a->save, err) : cmd_save_save(a, err);
}

static int cmd_save_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_save_args a = {
		.inv = inv,
		.max_rounds = PRE_COPY_ROUNDS,
		.save.source.converge.policy = {
			.downtime_limit_ns = DOWNTIME_LIMIT_NS,
			.max_ns = PRE_COPY_NS,
		},
	};
	struct save_options *s = &a.save;
	int r;

	cmd_save_parse(&a, argc, argv);
	r = cmd_output(inv, a.devices.file, URI_PLAIN | URI_SOCKET, &s->uri, err);
	if (r < 0)
		return cmd_hint_swapped(inv, a.devices.specs[0], a.devices.file, r, err);
	inv->view = cmd_save_view;
	/* What goes into a file alone runs nowhere else until this has ended well. */
	a.options.returns = s->uri.kind == URI_FILE && !s->source.leave_stopped;
	r = cmd_save_plan_or_save(&a, err);
	cmd_devices_done(&a.devices);
	image_labels_done(&s->source.labels);
	return r;
}

const struct command cmd_save = {
	.name = "save",
	.args_doc = "DEV... FILE",
	.summary = "stream the state of devices to a file",
	.doc = "Save a device's state to FILE, or that of several devices as one consistent set.\v"
	       "The devices are stopped, their streams written, and the devices returned to where "
	       "they were: none is stopped before all are P2P-quiescent, and none runs in full "
	       "before all can answer. DEV is a PCI address, an mdev's UUID, vfioN, "
	       "/dev/vfio/devices/vfioN, a sysfs path, fd:N, or vfio-user:PATH. FILE is a path, "
	       "file:PATH, -, fd:N, exec:CMD, unix:PATH, tcp:HOST:PORT or vsock:CID:PORT; the last "
	       "three are sockets of a resume --listen, which has the last word. A path gets its "
	       "file only when all of it is there and synced.",
	.run = cmd_save_run,
};
