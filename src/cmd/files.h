/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a command reads and what it writes must not be the same file
 *
 * Whatever their names: a second path, a symbolic or hard link, /dev/stdin and an inherited
 * descriptor may all lead to one file. Everything is compared before anything is opened for
 * writing.
 */

#include "cmd/cmd.h"

/**
 * cmd_files_input() - @uri is what the command reads
 *
 * Return: 0; -EINVAL (ERR_USAGE) when the command's output, its report or --status-fd go there.
 */
_must_check_ int cmd_files_input(struct invocation *inv, const struct uri *uri, struct err *err);

/** cmd_files_output() - @uri is what the command writes. Return: as cmd_files_input(). */
_must_check_ int cmd_files_output(struct invocation *inv, const struct uri *uri, struct err *err);

/**
 * cmd_files_device() - @uri holds data, and is no device
 *
 * A write to a VFIO device's descriptor goes to the registers of the device, and what is written to
 * the socket of a vfio-user server is taken for its protocol.
 *
 * Return: 0; -EINVAL (ERR_USAGE) when @uri leads to a VFIO device, or to @dev's socket.
 */
_must_check_ int cmd_files_device(const struct device *dev, const struct uri *uri, struct err *err);
