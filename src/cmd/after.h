/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `resume` does once a state is loaded: hold the devices, let them go, or pass them on
 */

#include "base/pid-file.h"
#include "engine/load.h"
#include "engine/successor.h"
#include "cmd/cmd.h"
#include "cmd/devices.h"

enum cmd_after_kind {
	CMD_AFTER_HOLD,
	CMD_AFTER_EXIT, /* --no-hold */
	CMD_AFTER_EXEC, /* -- COMMAND */
	CMD_AFTER_GIVE, /* --handover */
	CMD_AFTER_DETACH, /* --background */
};

/**
 * struct cmd_after
 * @no_hold, @background, @handover, @pid_path, @command: as on the command line
 * @kind: what they come to
 * @pid_file: of CMD_AFTER_DETACH, where it is wanted
 * @stage: how far the devices have gone to another process
 * @pid: of that process, where it is known
 */
struct cmd_after {
	bool no_hold, background;
	const char *handover, *pid_path;
	char **command;

	enum cmd_after_kind kind;
	struct pid_file pid_file;
	enum successor_stage stage;
	pid_t pid;
};

/** cmd_after_split() - cut "-- COMMAND [ARG...]" off the command line. Exits on misuse. */
void cmd_after_split(const struct invocation *inv, struct cmd_after *after, int *argc, char **argv);

/** cmd_after_settle() - the options are read: set @after->kind. Exits on misuse. */
void cmd_after_settle(const struct invocation *inv, struct cmd_after *after);

/** cmd_after_acts() - another process is wanted: by one of the last three kinds */
bool cmd_after_acts(const struct cmd_after *after);

/** cmd_after_passes() - another process is to have the devices, and to start them itself */
bool cmd_after_passes(const struct cmd_after *after);

/**
 * cmd_after_check() - what can be known before a device is opened
 *
 * Return: 0; what cmd_after_pass() is going to fail with; -EOPNOTSUPP (ERR_UNSUPPORTED) for
 * --no-hold of a device that loses its state by that.
 */
_must_check_ int cmd_after_check(struct cmd_after *after, const struct cmd_devices *d,
				 struct err *err);

/**
 * cmd_after_pass() - of the last three kinds
 * @loaded: what the load came to; the invocation's outcome and owner are set to what comes of it
 *
 * Return: CMD_AFTER_LET_GO, where the other process has the devices (they are closed here);
 * CMD_AFTER_CHILD in the background, where they are to be held; negative errno with @err.kind by
 * engine/successor.h, where they are still to be held here.
 */
enum cmd_after_end {
	CMD_AFTER_LET_GO,
	CMD_AFTER_CHILD
};
_must_check_ int cmd_after_pass(struct cmd_after *after, struct invocation *inv,
				struct cmd_devices *d, const struct device_options *options,
				const struct load_result *loaded, struct err *err);

/** cmd_after_done() - of a child: its pid file goes */
void cmd_after_done(struct cmd_after *after);
