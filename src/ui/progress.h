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

enum progress_mode {
	PROGRESS_AUTO,
	PROGRESS_ALWAYS,
	PROGRESS_NEVER,
	PROGRESS_JSON
};

/**
 * struct progress - where it is shown
 * @mode: PROGRESS_AUTO shows when standard error is a terminal
 * @status: JSON lines go there; NULL for none (PROGRESS_JSON then uses standard error)
 * @quiet: not even an answer to a signal goes to standard error
 * @kind: "device" or "file": what @name is
 * @name: in front of each line
 * @timeout_ms: for how long a silent peer is waited for, 0 where there is none
 * @transfer: NULL for work that moves no bytes
 */
struct progress {
	enum progress_mode mode;
	struct lines *status;
	bool quiet;
	const char *command;
	const char *kind;
	const char *name;
	int timeout_ms;
	const struct transfer *transfer;

	uint64_t last_ns, last_bytes;
};

/**
 * struct progress_sample - what is known at one moment
 * @state: enum mig_state, MIG_NR_STATES while no device is open
 * @in_call: an arc or a reset is under way
 * @expected, @exact: of the stream in all, 0 for unknown; a guess, unless exact
 * @rate: bytes a second
 */
struct progress_sample {
	unsigned int state;
	bool in_call;
	uint64_t bytes, expected;
	bool exact;
	uint64_t rate;
};

/**
 * struct progress_figures - what of it means something to a reader
 * @moving: the stream is being moved, so that there is a rate
 * @total: of the stream in all, 0 where it is not known; @exact as above
 * @percent: of @total
 * @remaining_ns: at this rate, 0 where it cannot be told
 */
struct progress_figures {
	bool moving;
	uint64_t total;
	bool exact;
	unsigned int percent;
	uint64_t remaining_ns;
};

/** progress_figures() - pure */
struct progress_figures progress_figures(const struct progress_sample *s);

/** progress_wanted() - there is something to show each second. */
bool progress_wanted(const struct progress *p);

/** progress_tick() - a second has passed. @waiting: the call under way */
void progress_tick(struct progress *p, const struct cancel_waiting *waiting);

/** progress_event() - a JSON line of its own, with @key: @value, if there are any. */
void progress_event(const struct progress *p, const char *event, const char *key,
		    const char *value);

/** progress_line() - one line now, whatever the mode (SIGUSR1). */
void progress_line(struct progress *p, const struct cancel_waiting *waiting);

/** progress_waiting() - name a call that has taken @ns so far, unless no progress is wanted. */
void progress_waiting(const struct progress *p, const struct cancel_waiting *waiting, uint64_t ns);

/** progress_interrupted() - answer a signal at once: @text, on standard error and as an event. */
void progress_interrupted(const struct progress *p, const char *text);

/** progress_state() - the state of the device in words, NULL where none is open */
const char *progress_state(const struct progress *p);

/** progress_end() - leave the terminal's line. */
void progress_end(struct progress *p);
