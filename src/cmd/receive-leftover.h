/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * `receive` says what transactions before this start have left of its devices
 */

#include "engine/journal.h"
#include "device/device.h"

/**
 * struct cmd_receive_leftover
 * @keep: it is a service that was started again: a state that had come is told of, too
 */
struct cmd_receive_leftover {
	struct journal *journal;
	bool keep;
};

/**
 * cmd_receive_leftover_say() - a warning for each device, with the command that helps
 *
 * The devices need not be open. Return: 0; as journal_list().
 */
_must_check_ int cmd_receive_leftover_say(const struct cmd_receive_leftover *l,
					  struct device *const *devs, unsigned int n_devs,
					  struct err *err);
