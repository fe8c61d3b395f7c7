// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/units.h"
#include "engine/save.h"
#include "host/debugfs.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/files.h"
#include "cmd/render.h"

enum {
	OPT_RAW = OPT_COMMAND,
	OPT_COMPRESS,
	OPT_FORCE,
	OPT_LEAVE,
	OPT_PRE_COPY,
	OPT_INSECURE,
	OPT_THREADS,
	OPT_BANDWIDTH,
	OPT_SHA256,
	OPT_DRY_RUN
};

#define PRE_COPY_SECONDS 60
#define PRE_COPY_ROUNDS 1000000
#define PRE_COPY_SMALL ((uint64_t)64 << 10)

/* zstd's own, before ZSTD_maxCLevel() says the same at run time. */
#define ZSTD_LEVEL_DEFAULT 3
#define ZSTD_LEVEL_MAX 19

struct args {
	struct invocation *inv;
	struct device_args dev;
	struct file_args file;
	struct arc_retry retry;
	struct save save;
	uint64_t precopy_seconds;
	bool precopy, leave_stopped, dry_run;
};

static const struct argp_option options[] = {
	{ "raw", OPT_RAW, NULL, 0, "write the bare stream and nothing else", 0 },
	{ "compress", OPT_COMPRESS, "HOW", 0, "none (default) or zstd[:LEVEL]", 0 },
	{ "force", OPT_FORCE, NULL, 0, "replace FILE if it exists", 0 },
	{ "leave", OPT_LEAVE, "STATE", 0, "found (default): as it was; stop: stopped", 0 },
	{ "pre-copy", OPT_PRE_COPY, "SECONDS", OPTION_ARG_OPTIONAL,
	  "read what can be read while the device runs, for at most SECONDS (60)", 0 },
	{ "insecure", OPT_INSECURE, NULL, 0, "use TCP or vsock, or the socket of any user", 0 },
	{ "threads", OPT_THREADS, "N", 0, "compress in N threads (one for each CPU)", 0 },
	{ "bandwidth", OPT_BANDWIDTH, "RATE", 0, "write at most RATE bytes a second: 10M, 1G, ...",
	  0 },
	{ "sha256", OPT_SHA256, NULL, 0, "sum the stream; takes longer than all the rest", 0 },
	{ "dry-run", OPT_DRY_RUN, NULL, 0, "say what would be done, open nothing", 0 },
	{ 0 },
};

static void cmd_save_parse_compress(struct args *a, const char *arg, struct argp_state *state)
{
	uint64_t level = ZSTD_LEVEL_DEFAULT;

	if (!strcmp(arg, "none")) {
		a->save.zstd_level = 0;
		return;
	}
	if (strncmp(arg, "zstd", 4) != 0 || (arg[4] && arg[4] != ':') ||
	    (arg[4] && (parse_uint(arg + 5, 10, ZSTD_LEVEL_MAX, &level) < 0 || !level)))
		argp_error(state, "--compress is none or zstd[:1-%d], not '%s'", ZSTD_LEVEL_MAX,
			   arg);
	a->save.zstd_level = (int)level;
}

static void cmd_save_parse_threads(struct args *a, const char *arg, struct argp_state *state)
{
	uint64_t n;

	if (parse_uint(arg, 10, SAVE_THREADS_MAX, &n) < 0 || !n)
		argp_error(state, "--threads is 1 to %d, not '%s'", SAVE_THREADS_MAX, arg);
	a->save.threads = (unsigned int)n;
}

static error_t cmd_save_parse(int key, char *arg, struct argp_state *state)
{
	struct args *a = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = &a->dev;
		state->child_inputs[1] = &a->file;
		state->child_inputs[2] = &a->retry;
		state->child_inputs[3] = a->inv;
		return 0;
	case OPT_RAW:
		a->save.raw = true;
		return 0;
	case OPT_COMPRESS:
		cmd_save_parse_compress(a, arg, state);
		return 0;
	case OPT_FORCE:
		a->save.force = true;
		return 0;
	case OPT_LEAVE:
		a->leave_stopped = !strcasecmp(arg, "stop");
		if (!a->leave_stopped && strcasecmp(arg, "found") != 0)
			argp_error(state, "--leave is found or stop, not '%s'", arg);
		return 0;
	case OPT_PRE_COPY:
		a->precopy = true;
		if (arg && parse_uint(arg, 10, 1000000, &a->precopy_seconds) < 0)
			argp_error(state, "--pre-copy: '%s' is not a number of seconds", arg);
		return 0;
	case OPT_THREADS:
		cmd_save_parse_threads(a, arg, state);
		return 0;
	case OPT_BANDWIDTH:
		if (parse_bytes(arg, INT64_MAX, &a->save.limiter.rate) < 0 || !a->save.limiter.rate)
			argp_error(state, "--bandwidth: '%s' is not a rate such as 10M or 1GiB",
				   arg);
		return 0;
	case OPT_SHA256:
		a->save.sha256 = true;
		return 0;
	case OPT_INSECURE:
		a->save.peer.insecure = true;
		return 0;
	case OPT_DRY_RUN:
		a->dry_run = true;
		return 0;
	case ARGP_KEY_END:
		if (a->save.raw && a->save.zstd_level)
			argp_error(state, "--raw and --compress exclude each other");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_child children[] = {
	{ &device_argp, 0, NULL, 1 },
	{ &file_argp, 0, NULL, 1 },
	{ &arc_retry_argp, 0, NULL, 0 },
	{ &common_argp, 0, "Output:", 2 },
	{ 0 },
};

static const struct argp argp = {
	.options = options,
	.parser = cmd_save_parse,
	.args_doc = "DEV FILE",
	.doc = "Save a device's state to FILE.\v"
	       "The device is stopped, its stream written, and the device returned to where it was. "
	       "DEV is a PCI address, an mdev's UUID, vfioN, /dev/vfio/devices/vfioN, a sysfs path, "
	       "fd:N, or vfio-user:PATH. FILE is a path, file:PATH, -, fd:N, exec:CMD, unix:PATH, "
	       "tcp:HOST:PORT or vsock:CID:PORT; the last three are sockets where somebody listens "
	       "(resume --listen). A path gets its file only when all of it is there and synced; whoever "
	       "listens has the last word.",
	.children = children,
};

/*
 * The report
 */

static void cmd_save_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "file", "file", REPORT_TEXT },
		{ "file_bytes", "file size", REPORT_BYTES_EXACT },
		{ "bytes", "stream", REPORT_BYTES_EXACT },
		{ "stream_ns", "stream time", REPORT_NS },
		{ "bytes_per_second", "stream rate", REPORT_RATE },
		{ "sha256", "sha256", REPORT_TEXT },
		{ "downtime_ns", "downtime", REPORT_NS_IF_ANY },
		{ "state.left", "state now", REPORT_TEXT },
		{ "opening_resets", "opening resets it", REPORT_TEXT },
	};

	view_arcs(f, report);
	report_lines(f, report, rows, ARRAY_SIZE(rows));
}

static void cmd_save_render(struct invocation *inv, const struct save *s)
{
	const struct source *source = &s->source;
	struct json_object *o = inv->report, *state;

	render_device(o, s->dev);
	report_string(o, "file", s->uri.text);
	report_string(o, "format", s->raw ? "raw" : "image");
	if (!s->started)
		return;
	report_uint(o, "file_bytes", s->published ? s->written : 0);
	report_uint(o, "bytes", source->bytes);
	report_uint(o, "stream_ns", source->stream_ns);
	render_rate(o, source->bytes, source->stream_ns);
	if (s->sha256 && source->complete)
		report_octets(o, "sha256", s->sum, sizeof(s->sum));
	state = report_object(o, "state");
	render_state(state, "found", source->found, true);
	render_state(state, "left", source->left, source->left_known);
	report_uint(o, "drain_retries", source->retry.retries);
	render_arcs(o, &source->timeline, source->left);
	if (source->recovered)
		render_recovery(o, &source->recovery);
}

/* The source has its state unless it had to be reset or cannot be told. */
static void cmd_save_settle_outcome(struct invocation *inv, const struct save *s, int r,
				    const struct err *err)
{
	const struct source *source = &s->source;
	bool lost = r < 0 && s->started && err->kind == ERR_DEVICE;

	inv->acts = inv->moves_state = true;
	inv->outcome = r >= 0 ? OUTCOME_COMPLETED : lost ? OUTCOME_DEVICE_ERROR : OUTCOME_ABORTED;
	if (s->unsettled) {
		inv->outcome = OUTCOME_IN_DOUBT;
		inv->owner = OWNER_UNKNOWN;
	} else if (!lost)
		inv->owner = OWNER_SOURCE;
	else if (!source->left_known)
		inv->owner = OWNER_UNKNOWN;
	else
		inv->owner = source->recovered && !source->recovery.reset ? OWNER_SOURCE
									  : OWNER_NONE;
}

/* Nothing is opened, so what stands in the way is told as far as names and debugfs tell it. */
static int cmd_save_plan(struct invocation *inv, const struct save *s, struct err *err)
{
	char word[32];
	int r;

	render_device(inv->report, s->dev);
	report_string(inv->report, "file", s->uri.text);
	report_bool(inv->report, "dry_run", true);
	report_bool(inv->report, "opening_resets", device_reset_by_open(s->dev));
	r = device_check(s->dev, s->options, err);
	if (r < 0)
		return r;
	if (s->options->protocol != PROTOCOL_V1 && s->dev->node &&
	    debugfs_migration_state(&host_live, s->dev->node, word, sizeof(word), NULL) ==
		    DEBUGFS_NO_V2) {
		err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: the driver offers no migration",
			 device_name(s->dev));
		return err_hint(err, -ENOTTY, "if it speaks v1: --protocol=v1");
	}
	if (s->uri.kind & URI_SOCKET)
		return peer_check(&s->uri, &s->peer, err);
	return output_check(&s->uri, s->force, err);
}

static int cmd_save_save(struct args *a, struct err *err)
{
	struct invocation *inv = a->inv;
	struct save *s = &a->save;
	struct precopy policy = {
		.max_rounds = PRE_COPY_ROUNDS,
		.max_ns = a->precopy_seconds * NSEC_PER_SEC,
		.small = PRE_COPY_SMALL,
	};
	struct transfer transfer;
	struct progress progress = cmd_progress(inv, &transfer, device_name(s->dev));
	int r;

	r = cancel_init(&s->cancel, err);
	if (r < 0)
		return r;
	s->cancel.call_timeout_ms = device_call_timeout(s->dev, s->options);
	transfer_start(&transfer);
	s->source = (struct source){
		.precopy = a->precopy ? &policy : NULL,
		.retry = a->retry,
		.leave_stopped = a->leave_stopped,
		.transfer = &transfer,
	};
	r = session_run(save_run, s, &s->cancel, &progress, err);
	cmd_save_render(inv, s);
	cmd_save_settle_outcome(inv, s, r, err);
	cancel_done(&s->cancel);
	return r;
}

static int cmd_save_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct args a = { .inv = inv, .precopy_seconds = PRE_COPY_SECONDS };
	struct save *s = &a.save;
	int r;

	cmd_parse(inv, &argp, argc, argv, &a);
	s->peer.timeout_ms = a.dev.options.acquire.timeout_ms;
	r = cmd_output(inv, a.file.text, URI_PLAIN | URI_SOCKET, &s->uri, err);
	if (r >= 0)
		r = device_find(&host_live, a.dev.spec, &s->dev, err);
	if (r < 0)
		return r;
	inv->view = cmd_save_view;
	s->options = &a.dev.options;
	r = cmd_files_device(s->dev, &s->uri, err);
	if (r >= 0)
		r = a.dry_run ? cmd_save_plan(inv, s, err) : cmd_save_save(&a, err);
	device_free(s->dev);
	return r;
}

const struct command cmd_save = {
	.name = "save",
	.args_doc = "DEV FILE",
	.summary = "stream a device's state to a file",
	.run = cmd_save_run,
};
