/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Work on devices, as its user sees it: the cancel that stops it, and who listens to its events
 */

#include "engine/event.h"
#include "engine/transfer.h"
#include "ui/event-log.h"
#include "cmd/devices.h"

/**
 * struct cmd_watch
 * @cancel: stops the work
 * @events: what the engine tells, for @transfer, which @progress shows, and for @log if a file of
 *          them is wanted
 */
struct cmd_watch {
	struct invocation *inv;
	struct cancel cancel;
	struct events events;
	struct transfer transfer;
	struct progress progress;
	struct event_log *log;
};

/**
 * cmd_watch_begin() - of work on @d
 * @options: get the cancel until cmd_watch_end()
 * @report: the file of all events, or NULL
 */
_must_check_ int cmd_watch_begin(struct invocation *inv, struct cmd_watch *w,
				 const struct cmd_devices *d, struct device_options *options,
				 const char *report, struct err *err);

/**
 * cmd_watch_end() - the work is done and the report complete: write the file
 * @r, @err: what the work came to
 *
 * Return: @r; where that is no failure, what the file came to.
 */
_must_check_ int cmd_watch_end(struct cmd_watch *w, struct device_options *options, int r,
			       struct err *err);
