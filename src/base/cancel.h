/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Asking a worker to stop
 *
 * One eventfd for every poll() of the worker and one flag to look at between calls. The worker
 * alone decides when the point of no return is behind it; a request after that does not stop it,
 * and is there for the code that goes on afterwards.
 *
 * A second request means: wait for no peer and no busy device any longer. It undoes no decision: a
 * device is still brought back as far as it goes, and what a receiver did not answer stays in
 * doubt.
 *
 * A call that can neither poll nor look, a read of a device's stream, is made between
 * cancel_interruptible_begin() and cancel_interruptible_end(): there, and only there, cancel_kick()
 * ends it with EINTR. It has to be kicked until it is over, since a kick just before the call is
 * lost. Where such a call may not take for ever, the kick also is what finds out that it has, and
 * requests the cancel itself. There are many of these calls, and most are short: so to begin and to
 * end one takes no system call, not even a clock, which is one on some machines, and its time runs
 * from the first look that another thread has at it. A call that nothing can end, an arc, is made
 * between cancel_call_begin() and cancel_call_end(), so that another thread can say what is waited
 * for.
 *
 * What fails in the work stops the rest of it by cancel_stop(), which is a request as well, but one
 * that the work itself has made: where the work can be begun anew, cancel_resume() takes it back.
 *
 * The threads of a set of devices share the request, and each may have a call under way: one that
 * hangs in its driver hides none of the others, and all of them are kicked.
 */

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"

/* What kicks: ignored by default, and used by nothing else unless sockets were told to. */
#define CANCEL_SIGNAL SIGURG

/* What a worker waits for that neither poll() nor a flag can end. */
enum cancel_call {
	CANCEL_CALL_NONE,
	CANCEL_CALL_KICKABLE,
	CANCEL_CALL_FIXED
};

#define CANCEL_WHO_MAX 64

/**
 * struct cancel_waiting - such a call, as another thread sees it
 * @what: it is, in words
 * @since_ns: it began, CLOCK_MONOTONIC; of one that can be kicked, when it was first looked at
 * @who: the name of its thread, see cancel_name_thread()
 * @number: no other call has it; later calls have larger ones
 */
struct cancel_waiting {
	enum cancel_call call;
	char what[64];
	uint64_t since_ns;
	char who[CANCEL_WHO_MAX];
	uint64_t number;
};

struct cancel_slot;

/*
 * @call_timeout_ms: how long an interruptible call may take, 0 for ever; set after cancel_init().
 */
struct cancel {
	int fd; /* readable once requested */
	int hurry_fd; /* readable once requested twice */
	atomic_bool requested;
	atomic_bool asked; /* by other than the work itself */
	atomic_bool hurried;
	atomic_bool stalled; /* a call took longer than call_timeout_ms */
	atomic_bool closed; /* past the point of no return */
	atomic_bool late; /* the deadline has passed */
	_Atomic uint64_t deadline_ns; /* 0 for none */
	int call_timeout_ms;
	pthread_mutex_t lock; /* of what follows */
	TAILQ_HEAD(, cancel_slot) calls; /* under way, in the order in which they began */
	uint64_t calls_begun;
	char stalled_who[CANCEL_WHO_MAX]; /* whose call @stalled speaks of */
};

_must_check_ int cancel_init(struct cancel *c, struct err *err);

/** cancel_done() - no call may be under way */
void cancel_done(struct cancel *c);

/** cancel_request() - from any thread. Return: false when it comes too late to stop the work. */
bool cancel_request(struct cancel *c);

/** cancel_stop() - the same, of the work itself: something in it has failed. */
void cancel_stop(struct cancel *c);

/**
 * cancel_resume() - the work begins anew after cancel_stop(); none of its threads is at work
 *
 * Return: false, and the request stays, where it was asked for, or a deadline or a stall made it.
 */
_must_check_ bool cancel_resume(struct cancel *c);

/** cancel_hurry() - from any thread, after cancel_request(): wait no longer than must be. */
void cancel_hurry(struct cancel *c);

/** cancel_close() - the point of no return: from here on requests stop nothing. */
void cancel_close(struct cancel *c);

/** cancel_reopen() - what is done from here on can be stopped again, also by an earlier request */
void cancel_reopen(struct cancel *c);

/**
 * cancel_set_deadline() - from any thread: the work stops at @ns on the monotonic clock; 0: never
 *
 * Unless it is past the point of no return by then.
 */
void cancel_set_deadline(struct cancel *c, uint64_t ns);

/**
 * cancel_check() - Return: 0, or -ECANCELED (ERR_ABORTED) once requested; -ETIME once the deadline
 * has passed; -ETIMEDOUT if by a kick that found a call over its timeout: @err says whose, if it
 * was another thread's.
 */
_must_check_ int cancel_check(struct cancel *c, struct err *err);

/**
 * cancel_name_thread() - whose calls this thread makes from now on: the name of a device
 * @who: copied; NULL for none
 */
void cancel_name_thread(const char *who);

/**
 * cancel_interruptible_begin() - this thread's next call may be kicked. It has one at a time.
 * @what: it waits for, in words
 *
 * The signal that kicks stays unblocked in this thread until a call of @c ends that was requested
 * to stop: before that nothing sends it.
 */
void cancel_interruptible_begin(struct cancel *c, const char *what);
void cancel_interruptible_end(struct cancel *c);

/** cancel_call_begin() - nothing ends this thread's next call but its callee. @c may be NULL. */
void cancel_call_begin(struct cancel *c, const char *fmt, ...) _printf_(2, 3);
void cancel_call_end(struct cancel *c);

/** cancel_waiting() - from any thread: the call under way; of several the one that began first */
struct cancel_waiting cancel_waiting(struct cancel *c);

#define CANCEL_TEXT_MAX (CANCEL_WHO_MAX + 66)

/** cancel_waiting_text() - "vfio3: stop -> stop-copy", or without a name. Return: @buf. */
char *cancel_waiting_text(const struct cancel_waiting *waiting, char buf[CANCEL_TEXT_MAX]);

/** cancel_count_waiting() - from any thread: how many calls are under way */
unsigned int cancel_count_waiting(struct cancel *c);

/**
 * cancel_next_waiting() - from any thread: one call after the other, in the order they began
 * @waiting: the last one that was seen; zeroes to begin with
 *
 * Calls that begin or end meanwhile are seen or not; none is seen twice.
 *
 * Return: false when there is no other; @waiting is then untouched.
 */
bool cancel_next_waiting(struct cancel *c, struct cancel_waiting *waiting);

/**
 * cancel_kick() - from any thread: end the interruptible calls, if there are any
 *
 * And if that was requested, or is now, since one takes too long. To be called every now and then
 * where calls have a timeout.
 */
void cancel_kick(struct cancel *c);

/**
 * cancel_poll() - wait until @fd is ready or the work is cancelled
 * @events: POLLIN or POLLOUT
 *
 * Return: 0 when ready (an error condition of @fd counts: the next call reports it); else as
 * cancel_wait().
 */
_must_check_ int cancel_poll(struct cancel *c, int fd, short events, struct err *err);

/* Descriptors that cancel_wait() takes. */
#define CANCEL_WAIT_MAX 16u

/**
 * cancel_wait() - the same for several descriptors, and not for ever
 * @fds: as of poll(), @n of them
 * @timeout_ms: -1 for ever
 *
 * Return: how many are ready, 0 when the time has passed, or -ECANCELED: also past the point of no
 * return, once the work was hurried.
 */
_must_check_ int cancel_wait(struct cancel *c, struct pollfd *fds, size_t n, int timeout_ms,
			     struct err *err);

/** cancel_pause() - sleep. Return: as cancel_wait(). */
_must_check_ int cancel_pause(struct cancel *c, int milliseconds, struct err *err);

/**
 * cancel_rest() - sleep on the way back, where a first request stops nothing
 *
 * Return: true when the time has passed, false once the work is hurried: then no time is left.
 */
bool cancel_rest(struct cancel *c, int milliseconds);
