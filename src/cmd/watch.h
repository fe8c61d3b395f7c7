/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Work on devices, as its user sees it: the cancel that stops it, and who listens to its events
 */

#include "engine/event.h"
#include "engine/transfer.h"
#include "cmd/devices.h"

/**
 * struct cmd_watch
 * @cancel: stops the work
 * @events: what the engine tells, for @transfer, which @progress shows
 */
struct cmd_watch {
	struct cancel cancel;
	struct events events;
	struct transfer transfer;
	struct progress progress;
};

/**
 * cmd_watch_begin() - of work on @d
 * @options: get the cancel until cmd_watch_end()
 */
_must_check_ int cmd_watch_begin(struct invocation *inv, struct cmd_watch *w,
				 const struct cmd_devices *d, struct device_options *options,
				 struct err *err);
void cmd_watch_end(struct cmd_watch *w, struct device_options *options);
