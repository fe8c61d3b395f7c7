/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asking a worker to stop
 *
 * One eventfd for every poll() of the worker and one flag to look at between calls. The worker
 * alone decides when the point of no return is behind it; a request after that does not stop it,
 * and is there for whoever goes on afterwards.
 */

#include <stdatomic.h>
#include <stdbool.h>

#include "base/err.h"

struct cancel {
	int fd; /* readable once requested */
	atomic_bool requested;
	atomic_bool closed; /* past the point of no return */
};

_must_check_ int cancel_init(struct cancel *c, struct err *err);
void cancel_done(struct cancel *c);

/** cancel_request() - from any thread. Return: false when it comes too late to stop the work. */
bool cancel_request(struct cancel *c);

/** cancel_close() - the point of no return: from here on requests stop nothing. */
void cancel_close(struct cancel *c);

/** cancel_check() - Return: 0, or -ECANCELED (ERR_ABORTED) once requested. */
_must_check_ int cancel_check(struct cancel *c, struct err *err);

/**
 * cancel_poll() - wait until @fd is ready or the work is cancelled
 * @events: POLLIN or POLLOUT
 *
 * Return: 0 when ready (an error condition of @fd counts: the next call reports it), or
 * -ECANCELED.
 */
_must_check_ int cancel_poll(struct cancel *c, int fd, short events, struct err *err);

/** cancel_pause() - sleep. Return: 0 when the time has passed, or -ECANCELED. */
_must_check_ int cancel_pause(struct cancel *c, int milliseconds, struct err *err);
