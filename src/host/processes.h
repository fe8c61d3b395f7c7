/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Processes, and the processes that they have started
 */

#include <stddef.h>
#include <sys/types.h>

#include "host/host.h"

/* Of what a process calls itself, NUL included. */
#define PROCESS_COMM 16

/**
 * process_comm() - what a process calls itself
 * @ret: "" when it has ended; what is not printable ASCII is replaced, so that nothing in it can
 *       move the cursor of a terminal
 */
void process_comm(const struct host *host, pid_t pid, char ret[PROCESS_COMM]);

/**
 * process_state() - the letter of proc_pid_stat(5) for its state
 * @dir, @path: of its stat, or a thread's
 *
 * Return: 0 when it is gone.
 */
char process_state(int dir, const char *path);

/** process_leader() - the process that @tid is a thread of, @tid itself for one; 0 for none */
pid_t process_leader(const struct host *host, pid_t tid);

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
