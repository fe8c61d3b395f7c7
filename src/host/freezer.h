/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Stopping a process for a while
 *
 * By the freezer of its cgroup where it has one for itself: the process sees nothing of that, nor
 * does its parent, and no debugger or SIGCONT continues it meanwhile. Else by SIGSTOP and SIGCONT
 * through its pidfd, which reach no other process that has got its number. A process that was found
 * stopped stays so: it is its stopper's to continue.
 */

#include <stdbool.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "host/host.h"

/* How long a process may take to stop: a thread in a system call that nothing ends does not. */
#define FREEZER_STOP_MS 10000

/**
 * struct freezer - of one process
 * @pidfd: -1 for none
 * @cgroup: its own, or -1: then signals are used
 */
struct freezer {
	const struct host *host;
	pid_t pid;
	int pidfd;
	int cgroup;
};

#define FREEZER_NONE ((struct freezer){ .pidfd = -1, .cgroup = -1 })

/**
 * freezer_open() - find out how @pid can be stopped; nothing happens to it yet
 * @pidfd: the process that is meant, where @pid may be another one's by now: it is duplicated; or
 *         -1 for the one that has the number
 *
 * Return: 0; -ESRCH (ERR_MISSING); -EPERM (ERR_PERMISSION) for a process that the caller may not
 * signal; -EINVAL (ERR_USAGE) for the caller itself, which could never go on.
 */
_must_check_ int freezer_open(struct freezer *f, const struct host *host, pid_t pid, int pidfd,
			      struct err *err);

/** freezer_runs() - it was not stopped by something else already: then it is not ours to thaw */
bool freezer_runs(const struct freezer *f);

/**
 * freezer_freeze() - what runs: stop it, and wait until none of its threads runs
 * @cancel: ends the wait
 *
 * On failure the process runs again.
 *
 * Return: 0; -ESRCH when it has ended; -ETIMEDOUT after FREEZER_STOP_MS; -ECANCELED; all of them
 * ERR_ABORTED.
 */
_must_check_ int freezer_freeze(const struct freezer *f, struct cancel *cancel, struct err *err);

/**
 * freezer_thaw() - let it go on; never waits
 *
 * Also from another process that has the same descriptors.
 */
void freezer_thaw(const struct freezer *f);

/** freezer_close() - thaws nothing */
void freezer_close(struct freezer *f);
