/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What commands have in common that read devices into an image: options and report
 */

#include "engine/source.h"
#include "cmd/devices.h"

/**
 * struct cmd_source - their options, before they are checked
 * @options: filled in by cmd_source_settle(), but for leave_stopped, raw, and events
 * @needs_precopy: an option was given that means nothing without --pre-copy
 * @limit_given: so was --downtime-limit
 */
struct cmd_source {
	struct source_options *options;
	const char *compress;
	struct opt_list labels;
	unsigned int on_divergence;
	uint64_t threads, max_rounds;
	bool no_p2p;
	bool needs_precopy, limit_given;
};

#define CMD_SOURCE_OPTS 14

/** cmd_source_opts() - the first CMD_SOURCE_OPTS of a table, with defaults into @s */
void cmd_source_opts(struct opt opts[static CMD_SOURCE_OPTS], struct cmd_source *s);

/**
 * cmd_source_settle() - the options are read: check them. Exits on misuse.
 * @d: split
 */
void cmd_source_settle(const struct invocation *inv, struct cmd_source *s,
		       const struct cmd_devices *d, const struct device_options *device,
		       const struct arc_retry *retry, struct actions_options *actions);

/** cmd_source_render() - image, devices, pre-copy, skew, of work that was started */
void cmd_source_render(struct json_object *report, const struct source_options *o,
		       const struct source_result *result);

/**
 * cmd_source_plan() - report devices, and what stands in the way of reading them
 *
 * Nothing is opened: as far as names and debugfs tell it. Return: as cmd_plan_check(); -ENOTTY
 * (ERR_UNSUPPORTED) for a driver without migration.
 */
_must_check_ int cmd_source_plan(struct json_object *report, const struct source_options *o,
				 struct err *err);

/** cmd_source_plan_adopt() - cmd_plan_adopt() of all */
_must_check_ int cmd_source_plan_adopt(const struct source_options *o, struct err *err);

/** cmd_source_hold() - in doubt: a device that closing may reset may have the only copy */
void cmd_source_hold(struct invocation *inv, struct cmd_devices *d, int r, struct err *err);
