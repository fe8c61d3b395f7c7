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

/* A thread's call, in its cancel's list while it is under way. */
struct cancel_slot {
	TAILQ_ENTRY(cancel_slot) next;
	struct cancel *cancel; /* whose list that is, NULL for none */
	struct cancel_waiting waiting;
	pthread_t thread;
};

static _Thread_local struct cancel_slot cancel_slot;
static _Thread_local char cancel_who[CANCEL_WHO_MAX];
/* Kicks are not blocked in this thread. */
static _Thread_local bool cancel_open;

/* Without SA_RESTART: all that it is for is the EINTR. */
static void cancel_kicked(int signal)
{
	(void)signal;
}

int cancel_init(struct cancel *c, struct err *err)
{
	const struct sigaction sa = { .sa_handler = cancel_kicked };

	atomic_init(&c->requested, false);
	atomic_init(&c->asked, false);
	atomic_init(&c->hurried, false);
	atomic_init(&c->stalled, false);
	atomic_init(&c->closed, false);
	atomic_init(&c->late, false);
	atomic_init(&c->deadline_ns, 0);
	pthread_mutex_init(&c->lock, NULL);
	TAILQ_INIT(&c->calls);
	c->calls_begun = 0;
	c->stalled_who[0] = '\0';
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
	assert(TAILQ_EMPTY(&c->calls));
	close(c->fd);
	close(c->hurry_fd);
	c->fd = -1;
	pthread_mutex_destroy(&c->lock);
}

static bool cancel_wake(struct cancel *c)
{
	const uint64_t one = 1;

	atomic_store(&c->requested, true);
	if (atomic_load(&c->closed))
		return false;
	/* Fails only when the counter is full, and then it is readable anyway. */
	return write(c->fd, &one, sizeof(one)) >= 0 || errno == EAGAIN;
}

bool cancel_request(struct cancel *c)
{
	atomic_store(&c->asked, true);
	return cancel_wake(c);
}

void cancel_stop(struct cancel *c)
{
	cancel_wake(c);
}

/* A request that comes meanwhile is seen by the second look, or comes after it in full. */
bool cancel_resume(struct cancel *c)
{
	uint64_t count;

	if (atomic_load(&c->asked))
		return false;
	atomic_store(&c->requested, false);
	if (read(c->fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		return false;
	if (!atomic_load(&c->asked))
		return true;
	cancel_wake(c);
	return false;
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

/* A thread's own name is in what it puts before this. */
static int cancel_tell_stalled(struct cancel *c, struct err *err)
{
	char who[CANCEL_WHO_MAX];
	bool other;

	pthread_mutex_lock(&c->lock);
	memcpy(who, c->stalled_who, sizeof(who));
	pthread_mutex_unlock(&c->lock);
	other = who[0] && strcmp(who, cancel_who) != 0;
	return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "the driver%s%s has stalled for %g s",
			other ? " of " : "", other ? who : "", c->call_timeout_ms / 1e3);
}

void cancel_reopen(struct cancel *c)
{
	atomic_store(&c->closed, false);
	if (atomic_load(&c->requested))
		cancel_request(c);
}

void cancel_set_deadline(struct cancel *c, uint64_t ns)
{
	atomic_store(&c->deadline_ns, ns);
}

static void cancel_heed_deadline(struct cancel *c)
{
	uint64_t deadline = atomic_load(&c->deadline_ns);

	if (!deadline || clock_ns() < deadline || atomic_load(&c->requested))
		return;
	atomic_store(&c->late, true);
	cancel_request(c);
}

int cancel_check(struct cancel *c, struct err *err)
{
	cancel_heed_deadline(c);
	if (!atomic_load(&c->requested) || atomic_load(&c->closed))
		return 0;
	if (atomic_load(&c->stalled))
		return cancel_tell_stalled(c, err);
	if (atomic_load(&c->late))
		return err_fail(err, ERR_ABORTED, -ETIME, "it took too long");
	return err_fail(err, ERR_ABORTED, -ECANCELED, "interrupted");
}

static void cancel_mask_kicks(int how)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, CANCEL_SIGNAL);
	pthread_sigmask(how, &set, NULL);
}

void cancel_name_thread(const char *who)
{
	snprintf(cancel_who, sizeof(cancel_who), "%s", who ? who : "");
}

/* What the call is, in words, is in the thread's slot by now. */
static void cancel_begin(struct cancel *c, enum cancel_call call)
{
	struct cancel_slot *slot = &cancel_slot;

	assert(!slot->cancel);
	slot->cancel = c;
	slot->thread = pthread_self();
	slot->waiting.call = call;
	memcpy(slot->waiting.who, cancel_who, sizeof(cancel_who));
	pthread_mutex_lock(&c->lock);
	/* Under the lock, so that the list is in the order of both. */
	slot->waiting.since_ns = call == CANCEL_CALL_FIXED ? clock_ns() : 0;
	slot->waiting.number = ++c->calls_begun;
	TAILQ_INSERT_TAIL(&c->calls, slot, next);
	pthread_mutex_unlock(&c->lock);
}

static void cancel_end(struct cancel *c)
{
	struct cancel_slot *slot = &cancel_slot;

	assert(slot->cancel == c);
	pthread_mutex_lock(&c->lock);
	TAILQ_REMOVE(&c->calls, slot, next);
	pthread_mutex_unlock(&c->lock);
	slot->cancel = NULL;
}

void cancel_interruptible_begin(struct cancel *c, const char *what)
{
	snprintf(cancel_slot.waiting.what, sizeof(cancel_slot.waiting.what), "%s", what);
	if (!cancel_open)
		cancel_mask_kicks(SIG_UNBLOCK);
	cancel_open = true;
	cancel_begin(c, CANCEL_CALL_KICKABLE);
}

/*
 * In this order: no kick is under way any more when they are blocked. There are none before a
 * request: whatever thread has sent one had made it, or seen it, while this call was in the list.
 */
void cancel_interruptible_end(struct cancel *c)
{
	cancel_end(c);
	if (!atomic_load(&c->requested))
		return;
	cancel_mask_kicks(SIG_BLOCK);
	cancel_open = false;
}

void cancel_call_begin(struct cancel *c, const char *fmt, ...)
{
	va_list ap;

	if (!c)
		return;
	va_start(ap, fmt);
	vsnprintf(cancel_slot.waiting.what, sizeof(cancel_slot.waiting.what), fmt, ap);
	va_end(ap);
	cancel_begin(c, CANCEL_CALL_FIXED);
}

void cancel_call_end(struct cancel *c)
{
	if (c)
		cancel_end(c);
}

/* The caller holds the lock. */
static void cancel_look_at(struct cancel_slot *slot, uint64_t now)
{
	if (!slot->waiting.since_ns)
		slot->waiting.since_ns = now;
}

bool cancel_next_waiting(struct cancel *c, struct cancel_waiting *waiting)
{
	struct cancel_slot *slot;

	pthread_mutex_lock(&c->lock);
	for (slot = TAILQ_FIRST(&c->calls); slot; slot = TAILQ_NEXT(slot, next))
		if (slot->waiting.number > waiting->number)
			break;
	if (slot) {
		cancel_look_at(slot, clock_ns());
		*waiting = slot->waiting;
	}
	pthread_mutex_unlock(&c->lock);
	return slot;
}

struct cancel_waiting cancel_waiting(struct cancel *c)
{
	struct cancel_waiting waiting = { .call = CANCEL_CALL_NONE };

	cancel_next_waiting(c, &waiting);
	return waiting;
}

char *cancel_waiting_text(const struct cancel_waiting *waiting, char buf[CANCEL_TEXT_MAX])
{
	snprintf(buf, CANCEL_TEXT_MAX, "%s%s%s", waiting->who, waiting->who[0] ? ": " : "",
		 waiting->what);
	return buf;
}

unsigned int cancel_count_waiting(struct cancel *c)
{
	struct cancel_slot *slot;
	unsigned int n = 0;

	pthread_mutex_lock(&c->lock);
	for (slot = TAILQ_FIRST(&c->calls); slot; slot = TAILQ_NEXT(slot, next))
		n++;
	pthread_mutex_unlock(&c->lock);
	return n;
}

/* The caller holds @c->lock. What began first is found first. */
static const struct cancel_slot *cancel_find_stalled(struct cancel *c)
{
	const uint64_t timeout_ns = (uint64_t)c->call_timeout_ms * NSEC_PER_MSEC, now = clock_ns();
	struct cancel_slot *slot;

	for (slot = TAILQ_FIRST(&c->calls); slot; slot = TAILQ_NEXT(slot, next)) {
		if (slot->waiting.call != CANCEL_CALL_KICKABLE)
			continue;
		cancel_look_at(slot, now);
		if (now - slot->waiting.since_ns >= timeout_ns)
			break;
	}
	return slot;
}

void cancel_kick(struct cancel *c)
{
	const struct cancel_slot *slot;

	cancel_heed_deadline(c);
	if (atomic_load(&c->closed))
		return;
	pthread_mutex_lock(&c->lock);
	slot = c->call_timeout_ms && !atomic_load(&c->requested) ? cancel_find_stalled(c) : NULL;
	if (slot) {
		memcpy(c->stalled_who, slot->waiting.who, sizeof(c->stalled_who));
		atomic_store(&c->stalled, true);
		cancel_request(c);
	}
	if (atomic_load(&c->requested))
		for (slot = TAILQ_FIRST(&c->calls); slot; slot = TAILQ_NEXT(slot, next))
			if (slot->waiting.call == CANCEL_CALL_KICKABLE)
				pthread_kill(slot->thread, CANCEL_SIGNAL);
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
