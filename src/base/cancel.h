/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asking a worker to stop
 *
 * One eventfd for every poll() of the worker and one flag to look at between calls. The worker
 * alone decides when the point of no return is behind it; a request after that does not stop it,
 * and is there for whoever goes on afterwards.
 *
 * A call that can neither poll nor look, a read of a device's stream, is made between
 * cancel_interruptible_begin() and cancel_interruptible_end(): there, and only there, cancel_kick() ends it with EINTR. It has
 * to be kicked until it is over, since a kick just before the call is lost. Where such a call may not
 * take for ever, the kick also is what finds out that it has, and requests the cancel itself.
 */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* What kicks: ignored by default, and nobody's unless sockets were told to use it. */
#define CANCEL_SIGNAL SIGURG

/* @call_timeout_ms: how long an interruptible call may take, 0 for ever; set after cancel_init(). */
struct cancel {
	int fd; /* readable once requested */
	atomic_bool requested;
	atomic_bool stalled; /* a call took longer than call_timeout_ms */
	atomic_bool closed; /* past the point of no return */
	int call_timeout_ms;
	pthread_mutex_t lock; /* of what follows */
	bool interruptible;
	pthread_t thread; /* that is, */
	uint64_t since_ns; /* since then */
};

_must_check_ int cancel_init(struct cancel *c, struct err *err);
void cancel_done(struct cancel *c);

/** cancel_request() - from any thread. Return: false when it comes too late to stop the work. */
bool cancel_request(struct cancel *c);

/** cancel_close() - the point of no return: from here on requests stop nothing. */
void cancel_close(struct cancel *c);

/**
 * cancel_check() - Return: 0, or -ECANCELED (ERR_ABORTED) once requested; -ETIMEDOUT if by a kick
 * that found a call over its timeout.
 */
_must_check_ int cancel_check(struct cancel *c, struct err *err);

/** cancel_interruptible_begin() - this thread's next call may be kicked. For one thread at a time. */
void cancel_interruptible_begin(struct cancel *c);
void cancel_interruptible_end(struct cancel *c);

/**
 * cancel_kick() - from any thread: end the interruptible call, if there is one
 *
 * And if that was requested, or is now, since it takes too long. To be called every now and then
 * where calls have a timeout.
 */
void cancel_kick(struct cancel *c);

/**
 * cancel_poll() - wait until @fd is ready or the work is cancelled
 * @events: POLLIN or POLLOUT
 *
 * Return: 0 when ready (an error condition of @fd counts: the next call reports it), or
 * -ECANCELED.
 */
_must_check_ int cancel_poll(struct cancel *c, int fd, short events, struct err *err);

/* Descriptors that cancel_wait() takes. */
#define CANCEL_WAIT_MAX 16u

/**
 * cancel_wait() - the same for several descriptors, and not for ever
 * @fds: as of poll(), @n of them
 * @timeout_ms: -1 for ever
 *
 * Return: how many are ready, 0 when the time has passed, or -ECANCELED.
 */
_must_check_ int cancel_wait(struct cancel *c, struct pollfd *fds, size_t n, int timeout_ms,
			     struct err *err);

/** cancel_pause() - sleep. Return: 0 when the time has passed, or -ECANCELED. */
_must_check_ int cancel_pause(struct cancel *c, int milliseconds, struct err *err);
