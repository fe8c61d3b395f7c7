/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What --dry-run tells, of several commands
 */

#include "device/device.h"
#include "engine/actions.h"
#include "engine/adopt-policy.h"
#include "ui/report.h"

/**
 * cmd_plan_check() - what opening @dev is going to refuse
 *
 * Opens nothing. Return: 0; as device_check(); -EBUSY (ERR_SYSTEM) with the process that holds it.
 */
_must_check_ int cmd_plan_check(const struct device *dev, const struct device_options *opts,
				struct err *err);

/**
 * cmd_plan_adopt() - whether it may be taken from under its owner
 *
 * Opens what is open already (OPENING_FREE), and leaves it open; of others nothing is known.
 * Return: 0; as device_open(), mig_query() and adopt_check().
 */
_must_check_ int cmd_plan_adopt(struct device *dev, const struct device_options *opts,
				enum adopt_purpose purpose, struct err *err);

/**
 * cmd_plan_actions() - report which processes would be stopped, and how, and the script
 *
 * Return: 0; as actions_check(); as freezer_open().
 */
_must_check_ int cmd_plan_actions(struct json_object *report, const struct actions_options *o,
				  struct device *const *devs, unsigned int n, struct err *err);

/** cmd_plan_view() - the processes of cmd_plan_actions() */
void cmd_plan_view(FILE *f, struct json_object *report);
