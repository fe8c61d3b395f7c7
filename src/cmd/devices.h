/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The devices that a command line names, DEV... FILE
 */

#include "device/acquire-shared.h"
#include "cmd/cmd.h"
#include "image/format.h"

#define CMD_DEVICES_MAX IMAGE_DEVICES_MAX

/**
 * struct cmd_devices
 * @args: the words of the command line, FILE included
 * @file: the last of them
 * @n: of the others; @specs, @names: what the user calls them, and what the kernel does
 * @v: found by cmd_devices_find()
 * @forsaken: by cmd_devices_hold(): its driver has not come back, and a thread has it for good
 * @title: what they are called together: the name of the only one, or "3 devices"
 * @shared: what they are opened through together
 */
struct cmd_devices {
	struct opt_list args;
	const char *file;
	unsigned int n;
	const char *specs[CMD_DEVICES_MAX];
	const char *names[CMD_DEVICES_MAX];
	struct device *v[CMD_DEVICES_MAX];
	bool forsaken[CMD_DEVICES_MAX];
	char title[32];
	struct acquire_shared shared;
};

/** cmd_devices_split() - @d->args into devices and FILE. Exits on misuse. */
void cmd_devices_split(struct invocation *inv, struct cmd_devices *d);

/**
 * cmd_devices_find() - none may be what @uri leads to
 * @options: how they are going to be opened: together
 *
 * cmd_devices_done() in any case.
 */
_must_check_ int cmd_devices_find(const struct invocation *inv, struct cmd_devices *d,
				  struct device_options *options, const struct uri *uri,
				  struct err *err);
void cmd_devices_done(struct cmd_devices *d);

/** cmd_devices_title() - for messages about all */
const char *cmd_devices_title(const struct cmd_devices *d);

/** cmd_devices_any_served() - one of them is a server's: a silent one may be waited for */
bool cmd_devices_any_served(const struct cmd_devices *d);

/** cmd_devices_call_timeout() - the longest that device_call_timeout() says of any */
int cmd_devices_call_timeout(const struct cmd_devices *d, const struct device_options *options);

/**
 * cmd_devices_effect() - the worst that closing them does
 * @ret: the device; the first, where it does nothing
 */
enum close_effect cmd_devices_effect(const struct cmd_devices *d, const struct device **ret);

/**
 * cmd_devices_hold() - keep all open, until a signal ends it
 *
 * A device that the host asks for is closed, and the others are held on. One whose driver has not
 * come back at the end is forsaken: cmd_devices_done() leaves it to the end of this process.
 *
 * Return: as cmd_holding_run(); -EBUSY (ERR_DEVICE) after a signal for a driver that hangs.
 */
_must_check_ int cmd_devices_hold(struct invocation *inv, struct cmd_devices *d, struct err *err);
