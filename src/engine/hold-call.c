// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/hold-call.h"

/* Most arcs take milliseconds. A driver that takes longer may hang. */
#define HOLD_CALL_LATE_S 2
/*
 * What the loop waits itself, once for a call: long for a question, on a busy machine too; short
 * for those who wait for an answer.
 */
#define HOLD_CALL_MOMENT_MS 500

/**
 * struct hold_call
 * @done, @late: an eventfd, and a timerfd
 * @let_go: by the thread at its end, or by hold_call_forsake(); the second of them frees
 */
struct hold_call {
	struct hold_call_work work;
	struct cancel cancel;
	pthread_t thread;
	int done, late;
	bool is_late;
	atomic_bool let_go;
};

static void hold_call_free(struct hold_call *c)
{
	if (c->done >= 0)
		close(c->done);
	if (c->late >= 0)
		close(c->late);
	cancel_done(&c->cancel);
	free(c);
}

/* Of the two sides, the one that leaves last. */
static void hold_call_drop(struct hold_call *c)
{
	if (c->work.drop)
		c->work.drop(c->work.ctx);
	hold_call_free(c);
}

static void *hold_call_thread(void *arg)
{
	struct hold_call *c = arg;

	c->work.run(c->work.ctx, &c->cancel);
	/* The counter of an eventfd that is read once takes any number. */
	eventfd_write(c->done, 1);
	if (atomic_exchange(&c->let_go, true))
		hold_call_drop(c);
	return NULL;
}

static int hold_call_open(struct hold_call *c, struct err *err)
{
	const struct itimerspec at = {
		.it_value = { .tv_sec = HOLD_CALL_LATE_S },
		.it_interval = { .tv_sec = HOLD_CALL_LATE_S },
	};

	c->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->done < 0)
		return err_set(err, -errno, "eventfd");
	c->late = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (c->late < 0 || timerfd_settime(c->late, 0, &at, NULL) < 0)
		return err_set(err, -errno, "timerfd");
	return 0;
}

/* The loop alone hears signals. */
static int hold_call_start_thread(struct hold_call *c, struct err *err)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&c->thread, NULL, hold_call_thread, c);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e ? err_set(err, -e, "pthread_create") : 0;
}

static int hold_call_begin(struct hold_call *c, struct err *err)
{
	int r = hold_call_open(c, err);

	return r < 0 ? r : hold_call_start_thread(c, err);
}

int hold_call_start(const struct hold_call_work *work, struct hold_call **ret, struct err *err)
{
	struct hold_call *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(err, -ENOMEM, "a call to a device");
	c->work = *work;
	c->done = c->late = -1;
	r = cancel_init(&c->cancel, err);
	if (r < 0) {
		free(c);
		return r;
	}
	r = hold_call_begin(c, err);
	if (r < 0) {
		hold_call_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

static bool hold_call_ends_within(const struct hold_call *c, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;
	struct pollfd p = { .fd = c->done, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, clock_ms_until(end));
	while (n < 0 && errno == EINTR);
	return n > 0;
}

bool hold_call_wait(struct hold_call *c)
{
	if (hold_call_ends_within(c, HOLD_CALL_MOMENT_MS))
		return true;
	/* The time of a call that can be interrupted runs from the first look at it. */
	(void)cancel_waiting(&c->cancel);
	return false;
}

int hold_call_done_fd(const struct hold_call *c)
{
	return c->done;
}

int hold_call_late_fd(const struct hold_call *c)
{
	return c->late;
}

static void hold_call_kick(struct hold_call *c)
{
	if (!c->work.kickable)
		return;
	cancel_request(&c->cancel);
	cancel_kick(&c->cancel);
}

bool hold_call_note_late(struct hold_call *c)
{
	bool first = !c->is_late;
	uint64_t times;

	if (read(c->late, &times, sizeof(times)) != sizeof(times))
		return false;
	c->is_late = true;
	hold_call_kick(c);
	return first;
}

bool hold_call_is_late(const struct hold_call *c)
{
	return c->is_late;
}

char *hold_call_waits_for(struct hold_call *c, char *buf, size_t size)
{
	struct cancel_waiting w = cancel_waiting(&c->cancel);
	uint64_t now = clock_ns();

	if (w.call == CANCEL_CALL_NONE)
		snprintf(buf, size, "its next arc");
	else
		snprintf(buf, size, "%s, for %llu s", w.what,
			 (unsigned long long)((now - MIN(w.since_ns, now)) / NSEC_PER_SEC));
	return buf;
}

bool hold_call_await(struct hold_call *c)
{
	cancel_request(&c->cancel);
	cancel_hurry(&c->cancel);
	hold_call_kick(c);
	return hold_call_ends_within(c, HOLD_CALL_LATE_S * 1000);
}

void hold_call_end(struct hold_call *c)
{
	pthread_join(c->thread, NULL);
	hold_call_free(c);
}

void hold_call_forsake(struct hold_call *c)
{
	pthread_detach(c->thread);
	if (atomic_exchange(&c->let_go, true))
		hold_call_drop(c);
}
