/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Processes, and the processes that they have started
 */

#include <stddef.h>
#include <sys/types.h>

#include "host/host.h"

/* A set of processes; further ones are left out. */
#define PROCESSES_MAX 256u

struct processes {
	pid_t pids[PROCESSES_MAX];
	size_t n;
};

/**
 * processes_below() - what @root has started, what these have started, and so on
 * @except: are left out, with all below them; NULL for none
 * @ret: parents first; those that have ended and were not waited for among them
 *
 * By /proc/PID/stat of the whole system, which unlike /proc/PID/task/TID/children every kernel has.
 * A process that starts or ends meanwhile may be missed.
 */
void processes_below(const struct host *host, pid_t root, const struct processes *except,
		     struct processes *ret);
