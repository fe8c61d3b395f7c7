/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A piece of work beside the signals
 *
 * The work runs in a thread of its own with every signal blocked, as a device's stream demands;
 * the calling thread hears SIGINT, SIGTERM and SIGHUP (stop), SIGUSR1 (say how far it is) and a
 * clock (progress), and never touches the device meanwhile. It waits for no reader either: what it
 * says goes by base/lines.h.
 */

#include "base/cancel.h"
#include "ui/progress.h"

typedef int session_fn(void *ctx, struct err *err);

/**
 * session_run() - run @fn to its end
 * @cancel: requested at the first signal; @fn unwinds by itself; hurried at the second
 * @progress: has the answer to each signal, and names the driver's calls that take long; may be
 * NULL
 *
 * Blocks those signals in the calling thread and leaves them blocked.
 *
 * Return: what @fn returned.
 */
_must_check_ int session_run(session_fn *fn, void *ctx, struct cancel *cancel,
			     struct progress *progress, struct err *err);

/** session_ended_by() - the signals that end a session, in words: "SIGINT or SIGTERM" */
const char *session_ended_by(void);

/**
 * struct session_held - what session_hold() holds
 * @fd: hangs up when there is nothing to hold any more; -1 for none
 * @attend: reads what comes there, without waiting. Return: 0; -ECONNRESET at its end; other
 *          negative errno when nothing that comes can be understood any more: then only the end
 *          counts
 * @ctx: for @attend
 */
struct session_held {
	int fd;
	int (*attend)(void *ctx, struct err *err);
	void *ctx;
};

/**
 * session_hold() - wait for one of them
 * @held: @n of them, at most SESSION_HELD_MAX
 * @status: may still have lines to write; may be NULL
 * @ret_gone: which is gone
 *
 * Return: 0; -ECONNRESET when what is held is gone.
 */
#define SESSION_HELD_MAX 256u
_must_check_ int session_hold(const struct session_held *held, unsigned int n, struct lines *status,
			      unsigned int *ret_gone, struct err *err);
