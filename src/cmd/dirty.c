// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/lines.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/dirty.h"
#include "transport/output.h"
#include "ui/session.h"
#include "cmd/cmd.h"
#include "cmd/render.h"

#define PAGE_SIZE_MAX (UINT64_C(1) << 40)
#define INTERVAL_NS NSEC_PER_SEC
#define INTERVAL_MAX_NS (3600 * NSEC_PER_SEC)

/* What is logged where nothing is said: where the memory of most guests begins. */
#define DEFAULT_LENGTH (UINT64_C(4) << 30)

/* As long as a reader of standard output is waited for at the end. */
#define LINES_WAIT_MS 5000

/**
 * struct cmd_dirty_args
 * @action: of cmd_dirty_actions[]
 * @ranges: @n of them, checked
 * @page_size: what the device logs by, once it is logged here
 * @tally: of a report; of a watch, what all rounds came to is in @dirty_pages
 * @out, @bitmap_uri: of --bitmap
 */
struct cmd_dirty_args {
	struct invocation *inv;
	const char *word, *spec, *bitmap;
	const struct cmd_dirty_action *action;
	struct device_options options;
	struct opt_list range_list;
	struct dma_log_range ranges[DMA_LOG_RANGES_MAX];
	size_t n;
	uint64_t page_size;
	uint64_t interval_ns, rounds_max;
	bool has_page_size, has_interval, has_rounds, force;

	struct uri bitmap_uri;
	struct output *out;
	struct device *device;
	struct cancel cancel;
	struct dirty_tally tally;
	struct dirty_limits limits;
	struct lines lines;
	bool done;
	uint64_t rounds, start_ns, elapsed_ns, dirty_pages;
};

/**
 * struct cmd_dirty_action
 * @acts: what becomes of a log is what it is for, and not what it shows
 * @across: its log is to outlive this process, or comes from another one
 * @takes: the log's content, which its owner may want itself
 * @logs, @reports, @watches: has the options of that
 */
struct cmd_dirty_action {
	const char *name;
	int (*work)(struct cmd_dirty_args *a, struct err *err);
	void (*render)(struct cmd_dirty_args *a, struct json_object *o);
	bool acts, across, takes, logs, reports, watches;
};

/*
 * Reports
 */

static void cmd_dirty_render_ranges(struct json_object *o, const char *key,
				    const struct dma_log_range *ranges, size_t n)
{
	struct json_object *array = report_array(o, key);

	for (size_t i = 0; i < n; i++) {
		struct json_object *range = report_append(array);

		report_hex(range, "iova", 1, ranges[i].iova);
		report_uint(range, "bytes", ranges[i].length);
	}
}

static void cmd_dirty_render_log(struct cmd_dirty_args *a, struct json_object *o)
{
	report_uint(o, "page_bytes", a->page_size);
	cmd_dirty_render_ranges(o, "ranges", a->ranges, a->n);
	report_uint(o, "logged_bytes", dirty_pages(a->ranges, a->n, a->page_size) * a->page_size);
}

static void cmd_dirty_render_report(struct cmd_dirty_args *a, struct json_object *o)
{
	char heat[DIRTY_HEAT + 1];

	cmd_dirty_render_log(a, o);
	report_uint(o, "dirty_pages", a->tally.pages);
	report_uint(o, "dirty_bytes", a->tally.pages * a->page_size);
	dirty_heat_line(&a->tally, heat);
	report_string(o, "heat", heat);
	cmd_dirty_render_ranges(o, "dirty", a->tally.runs, a->tally.n_runs);
	report_uint(o, "dirty_left_out", a->tally.runs_left_out);
	if (a->bitmap)
		report_name(o, "bitmap", a->bitmap);
}

static void cmd_dirty_render_watch(struct cmd_dirty_args *a, struct json_object *o)
{
	cmd_dirty_render_log(a, o);
	report_uint(o, "rounds", a->rounds);
	report_uint(o, "elapsed_ns", a->elapsed_ns);
	report_uint(o, "dirty_pages", a->dirty_pages);
	report_uint(o, "dirty_bytes", a->dirty_pages * a->page_size);
	if (a->elapsed_ns)
		report_uint(o, "dirty_bytes_per_second",
			    (uint64_t)((double)(a->dirty_pages * a->page_size) * 1e9 /
				       (double)a->elapsed_ns));
}

static void cmd_dirty_render_probe(struct cmd_dirty_args *a, struct json_object *o)
{
	const struct dirty_limits *l = &a->limits;
	struct json_object *sizes = report_array(o, "page_sizes");

	for (unsigned int i = 0; i < DIRTY_PROBE_SIZES; i++) {
		struct json_object *size;

		if (!(l->sizes & 1u << i))
			continue;
		size = report_append(sizes);
		report_uint(size, "bytes", DIRTY_PAGE_MIN << i);
		report_uint(size, "logged_by_bytes", l->becomes[i]);
	}
	report_uint(o, "ranges_max", l->ranges);
	report_bool(o, "ranges_max_is_a_limit", l->ranges_limit);
	report_uint(o, "range_bytes_max", l->bytes);
	report_bool(o, "range_bytes_max_is_a_limit", l->bytes_limit);
}

static void cmd_dirty_view(FILE *f, struct json_object *report)
{
	static const struct report_row rows[] = {
		{ "device.address", "device", REPORT_TEXT },
		{ "device.owner.comm", "its owner", REPORT_TEXT },
		{ "device.owner.pid", "owner's pid", REPORT_TEXT },
		{ "logged_bytes", "logged", REPORT_BYTES_EXACT },
		{ "page_bytes", "by pages of", REPORT_BYTES },
		{ "rounds", "rounds", REPORT_TEXT },
		{ "elapsed_ns", "in", REPORT_NS },
		{ "dirty_bytes", "dirty", REPORT_BYTES_EXACT },
		{ "dirty_pages", "dirty pages", REPORT_TEXT },
		{ "dirty_bytes_per_second", "dirty rate", REPORT_RATE },
		{ "heat", "where", REPORT_TEXT },
		{ "bitmap", "bitmap", REPORT_TEXT },
		{ "ranges_max", "ranges at once", REPORT_TEXT },
		{ "ranges_max_is_a_limit", "and no more", REPORT_TEXT },
		{ "range_bytes_max", "largest range", REPORT_BYTES },
		{ "range_bytes_max_is_a_limit", "and no larger", REPORT_TEXT },
	};
	static const struct report_row dirty[] = {
		{ "iova", "DIRTY AT", REPORT_TEXT },
		{ "bytes", "SIZE", REPORT_BYTES },
	};
	static const struct report_row sizes[] = {
		{ "bytes", "PAGES OF", REPORT_BYTES },
		{ "logged_by_bytes", "LOGGED BY", REPORT_BYTES },
	};
	struct json_object *array;

	report_lines(f, report, rows, ARRAY_SIZE(rows));
	if (json_object_object_get_ex(report, "dirty", &array))
		report_table(f, array, dirty, ARRAY_SIZE(dirty));
	if (json_object_object_get_ex(report, "dirty_left_out", &array) &&
	    json_object_get_uint64(array))
		fprintf(f, "and %llu more: --bitmap has all\n",
			(unsigned long long)json_object_get_uint64(array));
	if (json_object_object_get_ex(report, "page_sizes", &array))
		report_table(f, array, sizes, ARRAY_SIZE(sizes));
}

/*
 * Work
 */

static int cmd_dirty_log(struct cmd_dirty_args *a, struct err *err)
{
	uint64_t asked = a->page_size;
	int r;

	r = dma_log_start(a->device->mig, a->ranges, a->n, &a->page_size, err);
	if (r < 0 || a->page_size == asked)
		return r;
	/* A report may be by others: of a larger page that is dirty all bits are set. */
	log_note("%s: logs by pages of %llu bytes", device_name(a->device),
		 (unsigned long long)a->page_size);
	a->page_size = asked;
	return 0;
}

static int cmd_dirty_start(struct cmd_dirty_args *a, struct err *err)
{
	return cmd_dirty_log(a, err);
}

static int cmd_dirty_stop(struct cmd_dirty_args *a, struct err *err)
{
	return dma_log_stop(a->device->mig, err);
}

static int cmd_dirty_put(void *ctx, const void *bitmap, size_t size, struct err *err)
{
	struct cmd_dirty_args *a = ctx;

	return a->out ? output_write(a->out, bitmap, size, err) : 0;
}

static int cmd_dirty_report(struct cmd_dirty_args *a, struct err *err)
{
	const struct dirty_sink sink = { .put = cmd_dirty_put, .ctx = a };
	int r;

	r = dirty_report(a->device->mig, a->ranges, a->n, a->page_size, &sink, &a->tally, err);
	if (r < 0 || !a->out)
		return r;
	r = output_finish(a->out, err);
	return r < 0 ? r : output_publish(a->out, err);
}

static void cmd_dirty_tell_status(struct cmd_dirty_args *a, uint64_t ns)
{
	_cleanup_(report_donep) struct json_object *o = report_new("dirty");
	struct lines *status = cmd_status(a->inv);
	char heat[DIRTY_HEAT + 1];
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *f;

	if (!status)
		return;
	f = open_memstream(&text, &size);
	if (!f)
		return;
	report_string(o, "event", "round");
	report_uint(o, "round", a->rounds);
	report_uint(o, "elapsed_ns", a->elapsed_ns);
	report_uint(o, "round_ns", ns);
	report_uint(o, "dirty_pages", a->tally.pages);
	report_uint(o, "dirty_bytes", a->tally.pages * a->page_size);
	dirty_heat_line(&a->tally, heat);
	report_string(o, "heat", heat);
	report_json(f, o, false);
	if (fclose(f) == 0)
		lines_put(status, text);
}

static void cmd_dirty_tell(struct cmd_dirty_args *a, uint64_t ns)
{
	char time[UNITS_MAX], dirty[UNITS_MAX], rate[UNITS_MAX], heat[DIRTY_HEAT + 1];
	uint64_t bytes = a->tally.pages * a->page_size;
	char line[256]; /* of 79 columns, the line of heat having 48 */

	cmd_dirty_tell_status(a, ns);
	if (a->inv->json || a->inv->verbosity < 0)
		return;
	if (a->rounds == 1) {
		snprintf(line, sizeof(line), "%8s %8s %10s WHERE\n", "TIME", "DIRTY", "RATE");
		lines_put(&a->lines, line);
	}
	dirty_heat_line(&a->tally, heat);
	snprintf(line, sizeof(line), "%8s %8s %10s |%s|\n", format_duration(time, a->elapsed_ns),
		 format_bytes(dirty, bytes), format_rate(rate, bytes, ns), heat);
	lines_put(&a->lines, line);
}

/* Of cmd_dirty_check_reader() and cmd_dirty_rounds(). */
#define CMD_DIRTY_READER_LEFT 1

static int cmd_dirty_check_reader(struct cmd_dirty_args *a, struct err *err)
{
	const int r = lines_finish(&a->lines, 0);

	if (r == -EPIPE)
		return CMD_DIRTY_READER_LEFT;
	if (r == 0 || r == -ETIMEDOUT)
		return 0;
	return err_fail(err, ERR_IO, r, "standard output: the report is lost");
}

static int cmd_dirty_rounds(struct cmd_dirty_args *a, struct err *err)
{
	uint64_t last = a->start_ns, now;
	int r = 0;

	while (!r && (!a->rounds_max || a->rounds < a->rounds_max)) {
		r = cancel_pause(&a->cancel, (int)(a->interval_ns / NSEC_PER_MSEC), err);
		if (r < 0)
			return r;
		r = dirty_report(a->device->mig, a->ranges, a->n, a->page_size, NULL, &a->tally,
				 err);
		if (r < 0)
			return r;
		now = clock_ns();
		a->rounds++;
		a->elapsed_ns = now - a->start_ns;
		a->dirty_pages += a->tally.pages;
		cmd_dirty_tell(a, now - last);
		last = now;
		r = cmd_dirty_check_reader(a, err);
	}
	return r;
}

/*
 * A signal is how a watch ends, or that its reader has seen enough: no failure, and it leaves no
 * log behind.
 */
static int cmd_dirty_watch(struct cmd_dirty_args *a, struct err *err)
{
	struct err why = { 0 };
	int r, stopped;

	r = cmd_dirty_log(a, err);
	if (r < 0)
		return r;
	a->start_ns = clock_ns();
	lines_init(&a->lines, STDOUT_FILENO, "... ", " rounds were lost ...");
	r = cmd_dirty_rounds(a, err);
	stopped = dma_log_stop(a->device->mig, &why);
	lines_finish(&a->lines, LINES_WAIT_MS);
	lines_done(&a->lines);
	if (r < 0 && r != -ECANCELED)
		return r;
	*err = why;
	return stopped;
}

static int cmd_dirty_probe(struct cmd_dirty_args *a, struct err *err)
{
	return dirty_probe(a->device->mig, &a->limits, err);
}

static const struct cmd_dirty_action cmd_dirty_actions[] = {
	/* clang-format off */
	{ .name = "start", .work = cmd_dirty_start, .render = cmd_dirty_render_log,
	  .acts = true, .across = true, .logs = true },
	{ .name = "report", .work = cmd_dirty_report, .render = cmd_dirty_render_report,
	  .across = true, .takes = true, .logs = true, .reports = true },
	{ .name = "stop", .work = cmd_dirty_stop, .acts = true, .across = true, .takes = true },
	{ .name = "watch", .work = cmd_dirty_watch, .render = cmd_dirty_render_watch,
	  .logs = true, .watches = true },
	{ .name = "probe", .work = cmd_dirty_probe, .render = cmd_dirty_render_probe },
	/* clang-format on */
};

/*
 * The device
 */

/* A migration whose dirty pages were taken by others loses them, and nothing tells. */
static int cmd_dirty_check_owner(const struct cmd_dirty_args *a, struct err *err)
{
	const struct device_owner *owner = device_owner(a->device);

	if (owner && a->action->takes && !a->force) {
		err_fail(err, ERR_SYSTEM, -EBUSY,
			 "%s: its owner (%s, pid %d) may be logging, too, and would miss what is "
			 "taken from it",
			 device_name(a->device), owner->comm, (int)owner->pid);
		return err_hint(err, -EBUSY, "--force where the log is yours");
	}
	if (owner)
		log_note("%s: its owner (%s, pid %d) may want to log, too: a device has one log",
			 device_name(a->device), owner->comm, (int)owner->pid);
	else if (device_is_kept(a->device) && a->action->takes)
		log_note("%s: its user may be logging, too: a device has one log",
			 device_name(a->device));
	return 0;
}

static int cmd_dirty_on_device(void *ctx, struct err *err)
{
	struct cmd_dirty_args *a = ctx;
	int r;

	r = device_open(a->device, &a->options, err);
	if (r < 0)
		return r;
	r = cmd_dirty_check_owner(a, err);
	if (r < 0)
		return r;
	a->device->mig->cancel = &a->cancel;
	r = a->action->work(a, err);
	a->device->mig->cancel = NULL;
	a->done = r >= 0;
	return r;
}

static int cmd_dirty_in_session(struct cmd_dirty_args *a, struct err *err)
{
	struct progress progress = cmd_progress(a->inv, NULL, device_name(a->device));
	int r;

	a->options.cancel = &a->cancel;
	a->options.returns = true;
	/* First: a report takes from the log what it then has nowhere to put. */
	r = a->bitmap ? output_open(&a->bitmap_uri, a->force, &a->cancel, &a->out, err) : 0;
	if (r < 0)
		return r;
	r = session_run(cmd_dirty_on_device, a, &a->cancel, &progress, err);
	a->out = output_free(a->out);
	return r;
}

static int cmd_dirty_run_on(struct cmd_dirty_args *a, struct err *err)
{
	int r;

	r = device_check(a->device, &a->options, err);
	if (r < 0)
		return r;
	r = a->action->across ? dirty_may(a->device, err) : 0;
	if (r < 0)
		return r;
	r = cancel_init(&a->cancel, err);
	if (r < 0)
		return r;
	r = cmd_dirty_in_session(a, err);
	cancel_done(&a->cancel);
	return r;
}

/*
 * The command line
 */

static void cmd_dirty_find_action(struct cmd_dirty_args *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(cmd_dirty_actions); i++)
		if (!strcmp(a->word, cmd_dirty_actions[i].name))
			a->action = &cmd_dirty_actions[i];
	if (!a->action)
		opts_misuse(a->inv->program,
			    "ACTION is start, report, stop, watch or probe, not '%s'", a->word);
}

static void cmd_dirty_check_options(const struct cmd_dirty_args *a)
{
	const struct cmd_dirty_action *action = a->action;

	if ((a->range_list.n || a->has_page_size) && !action->logs)
		opts_misuse(a->inv->program,
			    "%s: --range and --page-size are for start, report "
			    "and watch",
			    action->name);
	if (a->bitmap && !action->reports)
		opts_misuse(a->inv->program, "%s: --bitmap is for report", action->name);
	if ((a->has_interval || a->has_rounds) && !action->watches)
		opts_misuse(a->inv->program, "%s: --interval and --rounds are for watch",
			    action->name);
}

static int cmd_dirty_settle(struct cmd_dirty_args *a, struct err *err)
{
	int r;

	if (!a->range_list.n)
		a->ranges[a->n++] = (struct dma_log_range){ 0, DEFAULT_LENGTH };
	for (size_t i = 0; i < a->range_list.n; i++) {
		if (i == DMA_LOG_RANGES_MAX)
			return err_fail(err, ERR_USAGE, -E2BIG, "--range: more than %u",
					DMA_LOG_RANGES_MAX);
		r = dirty_parse_range(a->range_list.v[i], &a->ranges[a->n++], err);
		if (r < 0)
			return err_prefix(err, r, "--range");
	}
	r = dirty_check(a->ranges, a->n, a->page_size, err);
	if (r < 0 || !a->bitmap)
		return r;
	return cmd_output(a->inv, a->bitmap, URI_FILE | URI_STDIO | URI_FD, &a->bitmap_uri, err);
}

static void cmd_dirty_parse(struct cmd_dirty_args *a, int argc, char **argv)
{
	const struct opt opts[] = {
		{ "range", .value = "IOVA+LEN", .list = &a->range_list,
		  .doc = "log this memory of the device's (repeatable; 0+4G)" },
		{ "page-size", .value = "SIZE", .bytes = &a->page_size, .min = DIRTY_PAGE_MIN,
		  .max = PAGE_SIZE_MAX, .given = &a->has_page_size,
		  .doc = "by pages of SIZE (4K)" },
		{ "bitmap", .value = "FILE", .text = &a->bitmap,
		  .doc = "write the bitmaps of all ranges to FILE" },
		{ "interval", .value = "TIME", .duration_ns = &a->interval_ns, .min = NSEC_PER_MSEC,
		  .max = INTERVAL_MAX_NS, .given = &a->has_interval,
		  .doc = "ask after each TIME (1s)" },
		{ "rounds", .value = "N", .number = &a->rounds_max, .min = 1, .max = UINT32_MAX,
		  .given = &a->has_rounds, .doc = "end after N of them (never)" },
		{ "force", .flag = &a->force,
		  .doc = "take from a log that may be another process's; replace FILE" },
		{ 0 },
	};
	const struct opt_arg args[] = {
		{ "ACTION", .text = &a->word },
		{ "DEV", .text = &a->spec },
		{ 0 },
	};
	const struct cmd_line line = { .opts = opts, .args = args, .open = &a->options };

	a->page_size = DIRTY_PAGE_MIN;
	a->interval_ns = INTERVAL_NS;
	cmd_parse(a->inv, &line, argc, argv);
	cmd_dirty_find_action(a);
	cmd_dirty_check_options(a);
}

static int cmd_dirty_run(struct invocation *inv, int argc, char **argv, struct err *err)
{
	struct cmd_dirty_args a = { .inv = inv };
	int r;

	cmd_dirty_parse(&a, argc, argv);
	inv->view = cmd_dirty_view;
	inv->acts = a.action->acts;
	report_string(inv->report, "action", a.action->name);
	r = cmd_dirty_settle(&a, err);
	if (r < 0)
		return r;
	r = device_find(&host_live, a.spec, &a.device, err);
	if (r < 0)
		return r;
	r = cmd_dirty_run_on(&a, err);
	render_device(inv->report, a.device);
	if (a.done && a.action->render)
		a.action->render(&a, inv->report);
	device_free(a.device);
	return r;
}

const struct command cmd_dirty = {
	.name = "dirty",
	.args_doc = "ACTION DEV",
	.summary = "log which memory a device writes to",
	.doc = "Log which memory a device writes to by DMA.\v"
	       "ACTION is start, report, stop, watch (all in one, round after round), or probe "
	       "(what the device's log takes, by trying). A report forgets what it tells. A log "
	       "ends when the last process closes the device: start, report and stop are for "
	       "devices that others keep open.",
	.run = cmd_dirty_run,
};
