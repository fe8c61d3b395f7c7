// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cancel.h"
#include "base/clock.h"
#include "base/macros.h"

/* Without SA_RESTART: all that it is for is the EINTR. */
static void cancel_kicked(int signal)
{
	(void)signal;
}

int cancel_init(struct cancel *c, struct err *err)
{
	const struct sigaction sa = { .sa_handler = cancel_kicked };

	atomic_init(&c->requested, false);
	atomic_init(&c->hurried, false);
	atomic_init(&c->stalled, false);
	atomic_init(&c->closed, false);
	pthread_mutex_init(&c->lock, NULL);
	c->waiting = (struct cancel_waiting){ .call = CANCEL_CALL_NONE };
	c->call_timeout_ms = 0;
	sigaction(CANCEL_SIGNAL, &sa, NULL);
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		return err_set(err, -errno, "eventfd");
	c->hurry_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->hurry_fd < 0) {
		int r = err_set(err, -errno, "eventfd");

		close(c->fd);
		c->fd = -1;
		return r;
	}
	return 0;
}

void cancel_done(struct cancel *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
	close(c->hurry_fd);
	c->fd = -1;
	pthread_mutex_destroy(&c->lock);
}

bool cancel_request(struct cancel *c)
{
	const uint64_t one = 1;

	atomic_store(&c->requested, true);
	if (atomic_load(&c->closed))
		return false;
	/* Fails only when the counter is full, and then it is readable anyway. */
	return write(c->fd, &one, sizeof(one)) >= 0 || errno == EAGAIN;
}

void cancel_hurry(struct cancel *c)
{
	const uint64_t one = 1;

	atomic_store(&c->hurried, true);
	/* Fails only when the counter is full, and then it is readable anyway. */
	if (write(c->hurry_fd, &one, sizeof(one)) < 0)
		return;
}

void cancel_close(struct cancel *c)
{
	atomic_store(&c->closed, true);
}

int cancel_check(struct cancel *c, struct err *err)
{
	if (!atomic_load(&c->requested) || atomic_load(&c->closed))
		return 0;
	if (atomic_load(&c->stalled))
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "the driver has stalled for %g s",
				c->call_timeout_ms / 1e3);
	return err_fail(err, ERR_ABORTED, -ECANCELED, "interrupted");
}

static void cancel_mask_kicks(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, CANCEL_SIGNAL);
	pthread_sigmask(how, &set, NULL);
}

static void cancel_set_waiting(struct cancel *c, const struct cancel_waiting *waiting)
{
	pthread_mutex_lock(&c->lock);
	c->thread = pthread_self();
	c->waiting = *waiting;
	c->waiting.since_ns = clock_ns();
	pthread_mutex_unlock(&c->lock);
}

void cancel_interruptible_begin(struct cancel *c, const char *what)
{
	struct cancel_waiting waiting = { .call = CANCEL_CALL_KICKABLE };

	snprintf(waiting.what, sizeof(waiting.what), "%s", what);
	cancel_mask_kicks(SIG_UNBLOCK);
	cancel_set_waiting(c, &waiting);
}

/* In this order: no kick is under way any more when they are blocked. */
void cancel_interruptible_end(struct cancel *c)
{
	cancel_set_waiting(c, &(struct cancel_waiting){ .call = CANCEL_CALL_NONE });
	cancel_mask_kicks(SIG_BLOCK);
}

void cancel_call_begin(struct cancel *c, const char *fmt, ...)
{
	struct cancel_waiting waiting = { .call = CANCEL_CALL_FIXED };
	va_list ap;

	if (!c)
		return;
	va_start(ap, fmt);
	vsnprintf(waiting.what, sizeof(waiting.what), fmt, ap);
	va_end(ap);
	cancel_set_waiting(c, &waiting);
}

void cancel_call_end(struct cancel *c)
{
	if (c)
		cancel_set_waiting(c, &(struct cancel_waiting){ .call = CANCEL_CALL_NONE });
}

struct cancel_waiting cancel_waiting(struct cancel *c)
{
	struct cancel_waiting waiting;

	pthread_mutex_lock(&c->lock);
	waiting = c->waiting;
	pthread_mutex_unlock(&c->lock);
	return waiting;
}

/* The caller holds @c->lock, and a call is interruptible. */
static bool cancel_call_timed_out(const struct cancel *c)
{
	return c->call_timeout_ms && !atomic_load(&c->requested) &&
	       clock_ns() - c->waiting.since_ns >= (uint64_t)c->call_timeout_ms * NSEC_PER_MSEC;
}

void cancel_kick(struct cancel *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->waiting.call == CANCEL_CALL_KICKABLE && !atomic_load(&c->closed)) {
		if (cancel_call_timed_out(c)) {
			atomic_store(&c->stalled, true);
			cancel_request(c);
		}
		if (atomic_load(&c->requested))
			pthread_kill(c->thread, CANCEL_SIGNAL);
	}
	pthread_mutex_unlock(&c->lock);
}

int cancel_poll(struct cancel *c, int fd, short events, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = events };
	int r = cancel_wait(c, &p, 1, -1, err);

	return r < 0 ? r : 0;
}

/* A request stops what is before the point of no return, hurry also what waits behind it. */
static int cancel_check_wait(struct cancel *c, struct err *err)
{
	if (atomic_load(&c->closed) && atomic_load(&c->hurried))
		return err_fail(err, ERR_ABORTED, -ECANCELED, "interrupted twice");
	return cancel_check(c, err);
}

static struct pollfd cancel_pollfd(const struct cancel *c)
{
	return (struct pollfd){
		.fd = atomic_load(&c->closed) ? c->hurry_fd : c->fd,
		.events = POLLIN,
	};
}

/* poll() on @fds and on @c. Return: how many of @fds are ready. */
static int cancel_poll_once(struct cancel *c, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct pollfd p[CANCEL_WAIT_MAX + 1];
	int r;

	memcpy(p, fds, n * sizeof(*fds));
	p[n] = cancel_pollfd(c);
	r = poll(p, n + 1, timeout_ms);
	if (r < 0)
		return errno == EINTR ? 0 : -errno;
	memcpy(fds, p, n * sizeof(*fds));
	return r - (p[n].revents != 0);
}

int cancel_wait(struct cancel *c, struct pollfd *fds, size_t n, int timeout_ms, struct err *err)
{
	uint64_t end = clock_ns() + (uint64_t)MAX(timeout_ms, 0) * NSEC_PER_MSEC;
	int r, left;

	assert(n <= CANCEL_WAIT_MAX);
	do {
		r = cancel_check_wait(c, err);
		if (r < 0)
			return r;
		left = timeout_ms < 0 ? -1 : clock_ms_until(end);
		r = cancel_poll_once(c, fds, n, left);
		if (r < 0)
			return err_set(err, r, "poll");
	} while (!r && left);
	return r;
}

int cancel_pause(struct cancel *c, int milliseconds, struct err *err)
{
	struct pollfd p = cancel_pollfd(c);

	if (poll(&p, 1, milliseconds) < 0 && errno != EINTR)
		return err_set(err, -errno, "poll");
	return cancel_check_wait(c, err);
}

bool cancel_rest(struct cancel *c, int milliseconds)
{
	struct pollfd p = { .fd = c->hurry_fd, .events = POLLIN };
	uint64_t end = clock_ns() + (uint64_t)milliseconds * NSEC_PER_MSEC;
	int r;

	do
		r = poll(&p, 1, clock_ms_until(end));
	while (r < 0 && errno == EINTR);
	return !atomic_load(&c->hurried);
}
