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

/** session_block_signals() - in the calling thread, as session_run() and session_hold() do */
void session_block_signals(void);

/** session_ended_by() - the signals that end a session, in words: "SIGINT or SIGTERM" */
const char *session_ended_by(void);

#define SESSION_POLL_MAX 1536u

/**
 * struct session_loop - what goes on until a signal ends it
 * @fill: what to poll() for. Return: how many, at most SESSION_POLL_MAX
 * @ready: deal with what poll() has found; never waits for a reader. Return: 0; anything else
 *         ends the session
 * @say: what is going on, for SIGUSR1
 */
struct session_loop {
	unsigned int (*fill)(void *ctx, struct pollfd *p);
	int (*ready)(void *ctx, const struct pollfd *p, unsigned int n, struct err *err);
	void (*say)(void *ctx);
	void *ctx;
};

/**
 * session_hold() - go on until SIGINT, SIGTERM or SIGHUP
 * @status: may still have lines to write; may be NULL
 *
 * Return: 0 after a signal; what @loop->ready returned.
 */
_must_check_ int session_hold(const struct session_loop *loop, struct lines *status,
			      struct err *err);
