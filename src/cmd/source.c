// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/console.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/adopt.h"
#include "host/debugfs.h"
#include "ui/session.h"
#include "cmd/plan.h"
#include "cmd/render.h"
#include "cmd/source.h"

#define PRE_COPY_NS (60 * NSEC_PER_SEC)
#define PRE_COPY_MAX_NS (1000000 * NSEC_PER_SEC)
#define PRE_COPY_ROUNDS 1000000
#define DOWNTIME_LIMIT_NS (300 * NSEC_PER_MSEC)
#define SKEW_MAX_NS (1000 * NSEC_PER_SEC)

/* zstd's own, before ZSTD_maxCLevel() says the same at run time. */
#define ZSTD_LEVEL_DEFAULT 3
#define ZSTD_LEVEL_MAX 19

static const char *const cmd_source_divergence_words[] = {
	[ON_DIVERGENCE_STOP] = "stop",
	[ON_DIVERGENCE_ABORT] = "abort",
};

static void cmd_source_parse_compress(const struct invocation *inv, struct cmd_source *s)
{
	const char *arg = s->compress;
	uint64_t level = ZSTD_LEVEL_DEFAULT;

	if (!arg || !strcmp(arg, "none"))
		return;
	if (strncmp(arg, "zstd", 4) != 0 || (arg[4] && arg[4] != ':') ||
	    (arg[4] && (parse_uint(arg + 5, 10, ZSTD_LEVEL_MAX, &level) < 0 || !level)))
		opts_misuse(inv->program, "--compress is none or zstd[:1-%d], not '%s'",
			    ZSTD_LEVEL_MAX, arg);
	if (s->options->raw)
		opts_misuse(inv->program, "--raw and --compress exclude each other");
	s->options->zstd_level = (int)level;
}

static void cmd_source_parse_labels(const struct invocation *inv, struct cmd_source *s)
{
	struct err err = { 0 };

	for (size_t i = 0; i < s->labels.n; i++)
		if (image_labels_parse(&s->options->labels, s->labels.v[i], &err) < 0)
			opts_misuse(inv->program, "--label=%s: %s", s->labels.v[i], err.text);
	if (s->options->raw && s->labels.n)
		opts_misuse(inv->program, "--raw and --label exclude each other");
}

void cmd_source_opts(struct opt opts[static CMD_SOURCE_OPTS], struct cmd_source *s)
{
	struct source_options *o = s->options;
	struct switchover_options *policy = &o->converge.policy;
	const struct opt table[CMD_SOURCE_OPTS] = {
		{ "compress", .value = "HOW", .text = &s->compress,
		  .doc = "none (default) or zstd[:LEVEL]" },
		{ "pre-copy", .flag = &o->precopy,
		  .doc = "read what can be read while the devices run" },
		{ "downtime-limit", .value = "TIME", .duration_ns = &policy->downtime_limit_ns,
		  .max = PRE_COPY_MAX_NS, .given = &s->limit_given,
		  .doc = "stop them once that is expected to take no longer (300ms)" },
		{ "max-rounds", .value = "N", .number = &s->max_rounds, .min = 1,
		  .max = PRE_COPY_ROUNDS, .given = &s->needs_precopy,
		  .doc = "of pre-copy, at most (1000000)" },
		{ "max-time", .value = "TIME", .duration_ns = &policy->max_ns,
		  .max = PRE_COPY_MAX_NS, .given = &s->needs_precopy,
		  .doc = "in pre-copy, at most (60s)" },
		{ "on-divergence", .value = "WHAT", .choice = &s->on_divergence,
		  OPT_WORDS(cmd_source_divergence_words), .given = &s->needs_precopy,
		  .doc = "when pre-copy does not converge: stop (default) the devices, or abort" },
		{ "no-p2p", .flag = &s->no_p2p,
		  .doc = "several devices need no P2P: they do no DMA to each other" },
		{ "downtime-max", .value = "TIME", .duration_ns = &o->converge.downtime_max_ns,
		  .max = PRE_COPY_MAX_NS, .doc = "undo it where they were stopped for longer" },
		{ "max-skew", .value = "TIME", .duration_ns = &o->max_skew_ns, .max = SKEW_MAX_NS,
		  .doc = "between the first device's stop and the last's, at most" },
		{ "threads", .value = "N", .number = &s->threads, .min = 1,
		  .max = SOURCE_THREADS_MAX, .doc = "compress in N threads (one for each CPU)" },
		{ "bandwidth", .value = "RATE", .bytes = &o->bandwidth, .min = 1, .max = INT64_MAX,
		  .doc = "write at most RATE bytes a second: 10M, 1GB, ...; with --pre-copy only "
			 "while the devices run" },
		{ "bandwidth-stop-copy", .value = "RATE", .bytes = &o->bandwidth_stop_copy,
		  .min = 1, .max = INT64_MAX, .given = &s->needs_precopy,
		  .doc = "the same once they are stopped" },
		{ "label", .value = "KEY=VALUE", .list = &s->labels,
		  .doc = "put this into the image, where inspect shows it; several times" },
		{ "sha256", .flag = &o->sha256,
		  .doc = "sum the stream; takes longer than all the rest" },
	};

	memcpy(opts, table, sizeof(table));
	s->max_rounds = PRE_COPY_ROUNDS;
	policy->downtime_limit_ns = DOWNTIME_LIMIT_NS;
	policy->max_ns = PRE_COPY_NS;
}

void cmd_source_settle(const struct invocation *inv, struct cmd_source *s,
		       const struct cmd_devices *d, const struct device_options *device,
		       const struct arc_retry *retry, struct actions_options *actions)
{
	struct source_options *o = s->options;

	if ((s->needs_precopy || s->limit_given) && !o->precopy)
		opts_misuse(inv->program,
			    "--downtime-limit, --max-rounds, --max-time, --on-divergence and "
			    "--bandwidth-stop-copy are for --pre-copy");
	cmd_source_parse_compress(inv, s);
	cmd_source_parse_labels(inv, s);
	actions->file = d->file;
	o->devs = d->v;
	o->n = d->n;
	o->device = device;
	o->actions = actions;
	o->threads = (unsigned int)s->threads;
	o->p2p = !s->no_p2p;
	o->retry_ns = retry->budget_ns;
	o->converge.policy.max_rounds = (unsigned int)s->max_rounds;
	o->converge.policy.stop_copy_rate = o->bandwidth_stop_copy;
	o->converge.on_divergence = (enum on_divergence)s->on_divergence;
	o->converge.returns = !o->leave_stopped;
}

/*
 * The report
 */

/* Into the report itself for a single device, else into its object in "devices". */
static void cmd_source_render_device(struct json_object *o, const struct source_result *result,
				     unsigned int i)
{
	const struct member_result *m = &result->devices[i];

	report_uint(o, "bytes", m->bytes);
	report_uint(o, "stream_ns", m->stream_ns);
	render_rate(o, m->bytes, m->stream_ns);
	if (result->sums)
		report_octets(o, "sha256", result->sums[i], sizeof(result->sums[i]));
	render_state_found(o, m->found, true);
	render_state_now(o, m->left, m->left_known);
	report_uint(o, "drain_retries", m->retries);
	render_arcs(o, &m->timeline, m->left);
	if (m->recovered)
		render_recovery(o, &m->recovery);
}

void cmd_source_render(struct json_object *report, const struct source_options *o,
		       const struct source_result *result)
{
	const struct image_receipt *receipt = result->receipt.accepted ? &result->receipt : NULL;

	if (result->info.major)
		render_labels(render_image_info(report, &result->info, receipt), &o->labels);
	if (result->decided)
		render_decision(report, &result->decision);
	if (o->n > 1)
		report_uint(report, "skew_ns", result->skew_ns);
	for (unsigned int i = 0; i < o->n; i++)
		cmd_source_render_device(render_object(report, o->n, i), result, i);
}

static int cmd_source_plan_device(const struct source_options *o, struct device *dev,
				  struct err *err)
{
	char word[32];
	int r;

	r = cmd_plan_check(dev, o->device, err);
	if (r < 0)
		return r;
	if (o->device->protocol == PROTOCOL_V1 || !dev->node ||
	    debugfs_migration_state(&host_live, dev->node, word, sizeof(word), NULL) !=
		    DEBUGFS_NO_V2)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -ENOTTY, "%s: the driver offers no migration",
		 device_name(dev));
	return err_hint(err, -ENOTTY, "if it speaks v1: --protocol=v1");
}

int cmd_source_plan(struct json_object *report, const struct source_options *o, struct err *err)
{
	int r;

	render_devices(report, o->devs, o->n);
	report_bool(report, "dry_run", true);
	for (unsigned int i = 0; i < o->n; i++)
		report_bool(render_object(report, o->n, i), "opening_resets",
			    device_reset_by_open(o->devs[i]));
	for (unsigned int i = 0; i < o->n; i++) {
		r = cmd_source_plan_device(o, o->devs[i], err);
		if (r < 0)
			return r;
	}
	return 0;
}

int cmd_source_plan_adopt(const struct source_options *o, struct err *err)
{
	for (unsigned int i = 0; i < o->n; i++) {
		int r = cmd_plan_adopt(o->devs[i], o->device, ADOPT_SAVE, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* A device in doubt that closing may reset would lose what may be the only copy: hold it. */
void cmd_source_hold(struct invocation *inv, struct cmd_devices *d, int r, struct err *err)
{
	const struct device *dev;
	enum close_effect effect = cmd_devices_effect(d, &dev);
	char reason[ERR_REASON_MAX];
	struct err gone = { 0 };

	if (effect == CLOSE_KEEPS)
		return;
	inv->show(inv, r, err);
	log_warn("%s%s; %s", err->text, err_reason(err, reason), err->note);
	console_print("%s: stopped, in doubt; held open until %s, because %s", cmd_devices_title(d),
		      session_ended_by(), device_close_text(effect));
	if (cmd_devices_hold(inv, d, &gone) < 0)
		log_warn("%s%s", gone.text, err_reason(&gone, reason));
}
