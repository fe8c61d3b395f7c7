/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How far it is, once a second, on standard error or as JSON lines
 *
 * Nothing here waits for a reader, see base/lines.h.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/lines.h"
#include "engine/transfer.h"
#include "ui/progress-view.h"

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_ALWAYS,
	PROGRESS_NEVER,
	PROGRESS_JSON
};

/** struct progress_last - a device when its rate was measured last, and that @rate */
struct progress_last {
	uint64_t bytes, rate;
};

/**
 * struct progress - where it is shown
 * @mode: PROGRESS_AUTO shows when standard error is a terminal
 * @status: JSON lines go there; NULL for none (PROGRESS_JSON then uses standard error)
 * @quiet: not even an answer to a signal goes to standard error
 * @kind: "device" or "file": what @name is
 * @name: in front of each line; of several devices, what they are called together: "3 devices"
 * @names: of the devices of @transfer; may be NULL where there is one, which then is @name
 * @timeout_ms: for how long a silent peer is waited for, 0 where there is none
 * @idle: all that it does is to answer others: nothing of its own is ever under way
 * @transfer: NULL for work that moves no bytes
 */
struct progress {
	enum progress_mode mode;
	struct lines *status;
	bool quiet, idle;
	const char *command;
	const char *kind;
	const char *name;
	const char *const *names;
	int timeout_ms;
	const struct transfer *transfer;

	uint64_t last_ns;
	struct progress_last *last; /* of each device; progress_end() frees them */
};

/** progress_wanted() - there is something to show each second. */
bool progress_wanted(const struct progress *p);

/** progress_tick() - a second has passed. @waiting: the call under way */
void progress_tick(struct progress *p, const struct cancel_waiting *waiting);

/** progress_event() - a JSON line of its own, with @key: @value, if there are any. */
void progress_event(const struct progress *p, const char *event, const char *key,
		    const char *value);

/** progress_line() - say it now, whatever the mode (SIGUSR1). */
void progress_line(struct progress *p, const struct cancel_waiting *waiting);

/** progress_waiting() - name a call that has taken @ns so far, unless no progress is wanted. */
void progress_waiting(const struct progress *p, const struct cancel_waiting *waiting, uint64_t ns);

/** progress_interrupted() - answer a signal at once: @text, on standard error and as an event. */
void progress_interrupted(const struct progress *p, const char *text);

/** progress_state() - the state of all devices in words, NULL where none is open or they differ */
const char *progress_state(const struct progress *p);

/** progress_is_idle() - nothing is under way that would have to be unwound */
bool progress_is_idle(const struct progress *p);

/** progress_several() - the work is on more than one device */
bool progress_several(const struct progress *p);

/** progress_end() - leave the terminal's lines. */
void progress_end(struct progress *p);
