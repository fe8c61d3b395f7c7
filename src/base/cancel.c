// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
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
	atomic_init(&c->stalled, false);
	atomic_init(&c->closed, false);
	pthread_mutex_init(&c->lock, NULL);
	c->interruptible = false;
	c->call_timeout_ms = 0;
	sigaction(CANCEL_SIGNAL, &sa, NULL);
	c->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->fd < 0)
		return err_set(err, -errno, "eventfd");
	return 0;
}

void cancel_done(struct cancel *c)
{
	if (c->fd < 0)
		return;
	close(c->fd);
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

static void cancel_set_interruptible(struct cancel *c, bool interruptible)
{
	pthread_mutex_lock(&c->lock);
	c->thread = pthread_self();
	c->interruptible = interruptible;
	c->since_ns = clock_ns();
	pthread_mutex_unlock(&c->lock);
}

void cancel_interruptible_begin(struct cancel *c)
{
	cancel_mask_kicks(SIG_UNBLOCK);
	cancel_set_interruptible(c, true);
}

/* In this order: no kick is under way any more when they are blocked. */
void cancel_interruptible_end(struct cancel *c)
{
	cancel_set_interruptible(c, false);
	cancel_mask_kicks(SIG_BLOCK);
}

/* The caller holds @c->lock, and a call is interruptible. */
static bool cancel_call_timed_out(const struct cancel *c)
{
	return c->call_timeout_ms && !atomic_load(&c->requested) &&
	       clock_ns() - c->since_ns >= (uint64_t)c->call_timeout_ms * NSEC_PER_MSEC;
}

void cancel_kick(struct cancel *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->interruptible && !atomic_load(&c->closed)) {
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

/* poll() on @fds and on @c. Return: how many of @fds are ready. */
static int cancel_poll_once(struct cancel *c, struct pollfd *fds, size_t n, int timeout_ms)
{
	struct pollfd p[CANCEL_WAIT_MAX + 1];
	int r;

	memcpy(p, fds, n * sizeof(*fds));
	p[n] = (struct pollfd){
		.fd = atomic_load(&c->closed) ? -1 : c->fd,
		.events = POLLIN,
	};
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
		r = cancel_check(c, err);
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
	struct pollfd p = { .fd = atomic_load(&c->closed) ? -1 : c->fd, .events = POLLIN };

	if (poll(&p, 1, milliseconds) < 0 && errno != EINTR)
		return err_set(err, -errno, "poll");
	return cancel_check(c, err);
}
