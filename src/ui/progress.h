/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How far it is, once a second, on standard error or as JSON lines
 */

#include <stdbool.h>
#include <stdint.h>

#include "engine/transfer.h"

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_ALWAYS,
	PROGRESS_NEVER,
	PROGRESS_JSON
};

/**
 * struct progress - where it is shown
 * @mode: PROGRESS_AUTO shows when standard error is a terminal
 * @status_fd: JSON lines go there; -1 for none (PROGRESS_JSON then uses standard error)
 * @kind: "device" or "file": what @name is
 * @name: in front of each line
 */
struct progress {
	enum progress_mode mode;
	int status_fd;
	const char *command;
	const char *kind;
	const char *name;
	const struct transfer *transfer;

	bool line_open; /* a terminal's line is there to be overwritten */
	uint64_t last_bytes, last_ns;
};

/** progress_wanted() - there is something to show each second. */
bool progress_wanted(const struct progress *p);

/** progress_tick() - a second has passed. */
void progress_tick(struct progress *p);

/** progress_event() - a JSON line of its own, with @key: @value, if there are any. */
void progress_event(const struct progress *p, const char *event, const char *key,
		    const char *value);

/** progress_line() - one line now, whatever the mode (SIGUSR1). */
void progress_line(struct progress *p);

/** progress_end() - leave the terminal's line. */
void progress_end(struct progress *p);
