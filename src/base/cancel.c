// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cancel.h"

/* Without SA_RESTART: all that it is for is the EINTR. */
static void kicked(int signal)
{
	(void)signal;
}

int cancel_init(struct cancel *c, struct err *err)
{
	const struct sigaction sa = { .sa_handler = kicked };

	atomic_init(&c->requested, false);
	atomic_init(&c->closed, false);
	pthread_mutex_init(&c->lock, NULL);
	c->exposed = false;
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
	return err_fail(err, ERR_ABORTED, -ECANCELED, "interrupted");
}

static void mask_kicks(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, CANCEL_SIGNAL);
	pthread_sigmask(how, &set, NULL);
}

static void set_exposed(struct cancel *c, bool exposed)
{
	pthread_mutex_lock(&c->lock);
	c->thread = pthread_self();
	c->exposed = exposed;
	pthread_mutex_unlock(&c->lock);
}

void cancel_expose(struct cancel *c)
{
	mask_kicks(SIG_UNBLOCK);
	set_exposed(c, true);
}

/* In this order: no kick is under way any more when they are blocked. */
void cancel_cover(struct cancel *c)
{
	set_exposed(c, false);
	mask_kicks(SIG_BLOCK);
}

void cancel_kick(struct cancel *c)
{
	pthread_mutex_lock(&c->lock);
	if (c->exposed && atomic_load(&c->requested) && !atomic_load(&c->closed))
		pthread_kill(c->thread, CANCEL_SIGNAL);
	pthread_mutex_unlock(&c->lock);
}

int cancel_poll(struct cancel *c, int fd, short events, struct err *err)
{
	for (;;) {
		struct pollfd p[] = {
			{ .fd = fd, .events = events },
			{ .fd = atomic_load(&c->closed) ? -1 : c->fd, .events = POLLIN },
		};
		int r;

		r = cancel_check(c, err);
		if (r < 0)
			return r;
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_set(err, -errno, "poll");
		if (p[0].revents)
			return 0;
	}
}

int cancel_pause(struct cancel *c, int milliseconds, struct err *err)
{
	struct pollfd p = { .fd = atomic_load(&c->closed) ? -1 : c->fd, .events = POLLIN };

	if (poll(&p, 1, milliseconds) < 0 && errno != EINTR)
		return err_set(err, -errno, "poll");
	return cancel_check(c, err);
}
