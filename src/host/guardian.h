/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A process that outlives this one
 *
 * A process that was stopped for us, and a device of its that is half-way, must not stay so when
 * we are killed by a signal that no handler sees. The guardian is forked before anything is
 * stopped, and told of each step before it is taken. It hears of our end by the end of its pipe,
 * whatever the reason, or by that of our first thread, where another one hangs: then it has the
 * devices brought back, lets go on what is stopped, and ends.
 *
 * It has a session of its own and all signals blocked, nothing but the descriptors that it needs,
 * and says nothing. It has one thread. What a driver may hold up is done by a child of its own, for
 * which it waits so long and no longer.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"
#include "host/freezer.h"

#define GUARDIAN_FREEZERS_MAX 256u
#define GUARDIAN_FDS_MAX 2048u
#define GUARDIAN_MARKS_MAX 256u

/**
 * struct guardian_options - what it guards
 * @freezers: @n_freezers of them, open
 * @fds: @n_fds more descriptors that @recover and @after need
 * @patience_ms: how long @recover may take; then the guardian goes on without it
 * @recover: brings the devices back, before anything is let go on; returns an exit status
 * @after: the rest, when all goes on; gets that status. May be NULL
 *
 * Both are called in the guardian, or a child of it, with what was told last by guardian_note(), 0
 * for nothing, and by guardian_mark(), GUARDIAN_MARKS_MAX of them.
 */
struct guardian_options {
	const struct freezer *freezers;
	size_t n_freezers;
	const int *fds;
	size_t n_fds;
	int patience_ms;
	int (*recover)(void *ctx, uint8_t note, const uint8_t *marks);
	void (*after)(void *ctx, uint8_t note, int recovered);
	void *ctx;
};

/* The status of a recovery that did not come back, or crashed. */
#define GUARDIAN_NOT_RECOVERED (-1)

/**
 * guardian_await() - of a child of the guardian or of its recovery, killed if it takes longer
 *
 * Return: its status; GUARDIAN_NOT_RECOVERED after too long, or a crash.
 */
int guardian_await(pid_t pid, int patience_ms);

struct guardian;

/**
 * guardian_start() - fork it
 *
 * May be called by a thread of several: the child has no other.
 */
_must_check_ int guardian_start(const struct guardian_options *o, struct guardian **ret,
				struct err *err);

/**
 * guardian_note() - from now on, this is how things stand
 *
 * Told before the step that makes it true. Return: 0; -EPIPE when the guardian is gone
 * (ERR_ABORTED): then the step must not be taken.
 */
_must_check_ int guardian_note(struct guardian *g, uint8_t note, struct err *err);

/** guardian_mark() - the same of one thing of several. Return: as guardian_note(). */
_must_check_ int guardian_mark(struct guardian *g, size_t index, uint8_t mark, struct err *err);

/** guardian_freezing() - freezer @index is about to stop its process. Return: as of a note. */
_must_check_ int guardian_freezing(struct guardian *g, size_t index, struct err *err);

/** guardian_thawed() - it goes on again; what stops it from here on is not ours. */
void guardian_thawed(struct guardian *g, size_t index);

/** guardian_check() - it is there. Return: as guardian_note(). */
_must_check_ int guardian_check(const struct guardian *g, struct err *err);

/**
 * guardian_script() - process group @group, of which @group is the leader, is about to do something
 *
 * Told before that one does anything. If this process ends meanwhile, the leader and its group are
 * ended and waited for, for some seconds, before anything else is done. Return: as of a note.
 */
_must_check_ int guardian_script(struct guardian *g, pid_t group, struct err *err);

/** guardian_script_ended() - told before the leader is waited for, when its number is still its */
void guardian_script_ended(struct guardian *g);

/** guardian_free() - all is well: it ends, and is waited for. Return: NULL. @g may be NULL. */
struct guardian *guardian_free(struct guardian *g);
