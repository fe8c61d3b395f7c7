/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A command that is executed with devices: what it inherits, and how it is told
 */

#include "cmd/cmd.h"
#include "cmd/devices.h"

/** cmd_consumer_check() - whether @command can be executed: 0, -ENOENT (ERR_MISSING), -EACCES */
_must_check_ int cmd_consumer_check(const char *command, struct err *err);

/**
 * cmd_consumer_exec() - this process becomes the command
 * @argv: up to a NULL
 * @d: open devices; their descriptors are inherited, what a server has is closed
 * @image_id: hexadecimal, or NULL
 *
 * Signals are as a shell leaves them; NOTIFY_SOCKET stays the command's.
 *
 * Return: why that failed; then all is as it was before, but that the report has been shown.
 */
_must_check_ int cmd_consumer_exec(struct invocation *inv, char **argv, const struct cmd_devices *d,
				   const char *image_id, struct err *err);
