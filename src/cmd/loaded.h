/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices that a state is loaded into, and what follows
 *
 * Of `resume` and `receive`, which differ in where the state comes from: which devices, whether
 * they start, and who holds them afterwards.
 */

#include "engine/load.h"
#include "cmd/after.h"
#include "cmd/cmd.h"
#include "cmd/devices.h"

/**
 * struct cmd_loaded
 * @devices, @map, @only, @options, @retry, @actions, @after, @run, @stop, @no_p2p: as on the
 *           command line
 * @load: how to load; cmd_loaded_settle() and cmd_loaded_prepare() fill what follows from these
 * @result: of it; cmd_loaded_done() frees it
 */
struct cmd_loaded {
	struct invocation *inv;
	struct cmd_devices devices;
	struct opt_list map, only;
	struct device_options options;
	struct arc_retry retry;
	struct actions_options actions;
	struct load_options load;
	struct load_result result;
	struct cmd_after after;
	bool run, stop, no_p2p;
};

/** cmd_loaded_settle() - the command line is read */
void cmd_loaded_settle(struct cmd_loaded *a);

/** cmd_loaded_check() - the devices are found: what the state is to be kept by can be had */
_must_check_ int cmd_loaded_check(struct cmd_loaded *a, struct err *err);

/**
 * cmd_loaded_look() - ask devices that are not reset by it for what sysfs does not know of them
 *
 * Before a source is stopped for them. They are closed again: a server may serve another meanwhile.
 */
_must_check_ int cmd_loaded_look(struct cmd_loaded *a, struct err *err);

/**
 * cmd_loaded_prepare() - just before the load: @a->load is complete
 *
 * Return: 0; what opening the devices is going to refuse; of a dry run, all that can be told.
 */
_must_check_ int cmd_loaded_prepare(struct cmd_loaded *a, struct err *err);

/** cmd_loaded_heed() - a signal has come that was too late to stop the load */
void cmd_loaded_heed(struct cmd_loaded *a);

/** cmd_loaded_render_device() - what became of a device; @result: the devices were opened */
void cmd_loaded_render_device(struct json_object *o, const struct load_result *result,
			      unsigned int i);

/** cmd_loaded_view_restored() - what was restored of the configuration space, as text */
void cmd_loaded_view_restored(FILE *f, struct json_object *report);

/**
 * cmd_loaded_finish() - the load has come to @r: hold the devices, pass them on, or let them go
 *
 * The report is complete. Return: @r; what became of it; after a failure that left the only copy of
 * a state here, that failure once the devices are held no longer.
 */
_must_check_ int cmd_loaded_finish(struct cmd_loaded *a, int r, struct err *err);

void cmd_loaded_done(struct cmd_loaded *a);
