// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/guests.h"
#include "engine/move.h"
#include "engine/visitor.h"

#define GUESTS_LISTENERS 2u

/**
 * struct guests
 * @house: its lock is that of @listeners, too; its wake_fd has the door look again
 * @closes: the second listener is to be closed; the house has changed then, too
 * @wait_fd: one waits to be received
 */
struct guests {
	struct guests_options options;
	struct visitor_house house;
	struct visitor all[GUESTS_MAX];
	struct listener *listeners[GUESTS_LISTENERS];
	unsigned int n_listeners;
	struct cancel cancel;
	int wait_fd;
	bool opened, ends, closes;
	pthread_t door;
};

static void guests_heed(int fd)
{
	uint64_t count;

	/* Fails only when there was nothing. */
	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

/*
 * The door
 */

/* Its thread waits for nothing any more. */
static void guests_join(struct guests *g, struct visitor *visitor)
{
	pthread_join(visitor->thread, NULL);
	if (visitor_is(visitor) == VISITOR_ARRIVED) {
		visitor_enter(visitor, VISITOR_WAITS);
		visitor_signal(g->wait_fd);
		return;
	}
	visitor_done(visitor);
	visitor_enter(visitor, VISITOR_NONE);
}

/*
 * What the work wants, and what the link of the visitor that was received has come to, are told to
 * each other. Under the lock.
 */
static void guests_pass_on(struct guests *g, struct visitor *visitor)
{
	struct cancel *work = g->options.cancel;

	if (visitor->state != VISITOR_RECEIVED || visitor->told || atomic_load(&work->closed))
		return;
	visitor->told = atomic_load(&work->requested) || atomic_load(&visitor->cancel.requested);
	if (!visitor->told)
		return;
	if (!atomic_load(&work->requested))
		cancel_stop(work);
	cancel_request(&visitor->cancel);
}

/* Those whose threads have ended are joined, those whose time is over have to go. */
static void guests_look_round(struct guests *g)
{
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];
		enum visitor_farewell late;
		bool over;

		pthread_mutex_lock(&g->house.lock);
		late = visitor_is_late(visitor);
		if (late)
			visitor_dismiss(visitor, late);
		guests_pass_on(g, visitor);
		over = visitor->state == VISITOR_GONE || visitor->state == VISITOR_ARRIVED;
		pthread_mutex_unlock(&g->house.lock);
		if (over)
			guests_join(g, visitor);
	}
}

/* A free place, or that of the visitor that has said the least for the longest time. */
static struct visitor *guests_make_room(struct guests *g)
{
	struct visitor *worst = NULL;

	pthread_mutex_lock(&g->house.lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state > VISITOR_ASKS)
			continue;
		if (!worst || visitor->state < worst->state ||
		    (visitor->state == worst->state && visitor->since_ns < worst->since_ns))
			worst = visitor;
	}
	if (worst && worst->state != VISITOR_NONE)
		visitor_dismiss(worst, VISITOR_GIVES_WAY);
	pthread_mutex_unlock(&g->house.lock);
	if (worst && visitor_is(worst) != VISITOR_NONE)
		guests_join(g, worst);
	return worst && visitor_is(worst) == VISITOR_NONE ? worst : NULL;
}

static void guests_seat(struct listener *l, struct visitor *visitor)
{
	struct err err = { 0 };
	int r;

	visitor->farewell = VISITOR_MAY_STAY;
	visitor->told = false;
	r = cancel_init(&visitor->cancel, &err);
	r = r < 0 ? r : listener_accept(l, &visitor->cancel, &visitor->peer, &err);
	r = r < 0 ? r : listener_check_peer(l, visitor->peer, &err);
	if (r == -EAGAIN) {
		visitor_done(visitor);
		return;
	}
	if (r >= 0) {
		log_info("%s: has connected", peer_name(visitor->peer));
		r = visitor_start(visitor, &err);
		if (r >= 0)
			return;
	}
	visitor_turn_away(visitor, visitor->peer ? peer_name(visitor->peer) : listener_name(l),
			  &err);
	visitor_done(visitor);
	visitor_enter(visitor, VISITOR_NONE);
}

static void guests_open_door(struct guests *g, struct listener *l)
{
	struct visitor *visitor = guests_make_room(g);

	if (visitor)
		guests_seat(l, visitor);
}

/* How long until the first has to go; the links of others tell of themselves. */
static int guests_patience(struct guests *g)
{
	uint64_t deadline = UINT64_MAX;

	pthread_mutex_lock(&g->house.lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		const struct visitor *visitor = &g->all[i];
		const uint64_t ns = visitor_patience_ns(visitor);

		if (ns != UINT64_MAX)
			deadline = MIN(deadline, visitor->since_ns + ns);
	}
	pthread_mutex_unlock(&g->house.lock);
	return deadline == UINT64_MAX ? -1 : clock_ms_until(deadline);
}

/* In its own thread: nothing accepts there meanwhile. */
static void guests_close_listener(struct guests *g)
{
	struct listener *l = NULL;

	pthread_mutex_lock(&g->house.lock);
	if (g->closes && g->n_listeners == GUESTS_LISTENERS) {
		g->n_listeners--;
		l = TAKE_PTR(g->listeners[g->n_listeners]);
	}
	g->closes = false;
	pthread_cond_broadcast(&g->house.changed);
	pthread_mutex_unlock(&g->house.lock);
	listener_free(l);
}

/* What is there to be told to whom is looked for by guests_pass_on(), once for each visitor. */
static size_t guests_fill(struct guests *g, struct pollfd *p)
{
	size_t n = 0;

	p[n++] = (struct pollfd){ .fd = g->house.wake_fd, .events = POLLIN };
	pthread_mutex_lock(&g->house.lock);
	for (size_t i = 0; i < GUESTS_LISTENERS; i++)
		p[n++] = (struct pollfd){
			.fd = i < g->n_listeners ? listener_fd(g->listeners[i]) : -1,
			.events = POLLIN,
		};
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		bool untold = g->all[i].state == VISITOR_RECEIVED && !g->all[i].told &&
			      !atomic_load(&g->options.cancel->closed);

		p[n++] = (struct pollfd){
			.fd = untold ? g->all[i].cancel.fd : -1,
			.events = POLLIN,
		};
		p[n++] = (struct pollfd){
			.fd = untold ? g->options.cancel->fd : -1,
			.events = POLLIN,
		};
	}
	pthread_mutex_unlock(&g->house.lock);
	return n;
}

static void *guests_door(void *arg)
{
	struct guests *g = arg;
	struct pollfd p[1 + GUESTS_LISTENERS + 2 * GUESTS_MAX];
	bool ends = false;

	while (!ends) {
		size_t n = guests_fill(g, p);

		if (poll(p, n, guests_patience(g)) < 0 && errno != EINTR)
			log_warn("poll: %s", err_name(-errno));
		guests_heed(g->house.wake_fd);
		guests_look_round(g);
		guests_close_listener(g);
		pthread_mutex_lock(&g->house.lock);
		ends = g->ends;
		pthread_mutex_unlock(&g->house.lock);
		for (size_t i = 0; !ends && i < GUESTS_LISTENERS; i++)
			if (p[1 + i].fd >= 0 && p[1 + i].revents && g->listeners[i])
				guests_open_door(g, g->listeners[i]);
	}
	return NULL;
}

/*
 * Their owner
 */

int guests_new(const struct guests_options *opts, struct guests **ret, struct err *err)
{
	_cleanup_(guests_freep) struct guests *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return err_set(err, -ENOMEM, "calloc");
	g->options = *opts;
	g->house.options = &g->options;
	pthread_mutex_init(&g->house.lock, NULL);
	pthread_cond_init(&g->house.changed, NULL);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		g->all[i].house = &g->house;
		g->all[i].cancel.fd = -1;
	}
	g->wait_fd = -1;
	g->house.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->house.wake_fd >= 0)
		g->wait_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->wait_fd < 0)
		return err_set(err, -errno, "eventfd");
	r = -pthread_create(&g->door, NULL, guests_door, g);
	if (r < 0)
		return err_set(err, r, "pthread_create");
	g->opened = true;
	*ret = TAKE_PTR(g);
	return 0;
}

int guests_listen(struct guests *g, struct listener *l, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&g->house.lock);
	if (g->n_listeners < GUESTS_LISTENERS)
		g->listeners[g->n_listeners++] = l;
	else
		r = err_fail(err, ERR_BUG, -ENOSPC, "%s: one listener too many", listener_name(l));
	pthread_mutex_unlock(&g->house.lock);
	if (r < 0)
		listener_free(l);
	visitor_signal(g->house.wake_fd);
	return r;
}

void guests_close_socket(struct guests *g)
{
	pthread_mutex_lock(&g->house.lock);
	g->closes = true;
	visitor_signal(g->house.wake_fd);
	while (g->closes)
		pthread_cond_wait(&g->house.changed, &g->house.lock);
	pthread_mutex_unlock(&g->house.lock);
}

int guests_fd(const struct guests *g)
{
	return g->wait_fd;
}

struct visitor *guests_receive(struct guests *g)
{
	struct visitor *first = NULL;

	guests_heed(g->wait_fd);
	pthread_mutex_lock(&g->house.lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state == VISITOR_WAITS &&
		    (!first || visitor->since_ns < first->since_ns))
			first = visitor;
	}
	if (first)
		first->state = VISITOR_RECEIVED;
	pthread_mutex_unlock(&g->house.lock);
	visitor_signal(g->house.wake_fd);
	return first;
}

/* Under the lock: until all that were admitted wait, whom the owner's state of before let in. */
static void guests_settle(struct guests *g)
{
	for (size_t i = 0; i < GUESTS_MAX; i++)
		while (g->all[i].state == VISITOR_JUDGED || g->all[i].state == VISITOR_ARRIVED)
			pthread_cond_wait(&g->house.changed, &g->house.lock);
}

/* Return: one that waits and is not of a newer try than @hello; NULL for none. */
static struct visitor *guests_receive_stale(struct guests *g, const struct wire_hello *hello,
					    bool *newer)
{
	struct visitor *stale = NULL;

	*newer = false;
	pthread_mutex_lock(&g->house.lock);
	guests_settle(g);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state != VISITOR_WAITS)
			continue;
		if (visitor->said.type == WIRE_OFFER &&
		    move_try(hello, link_peer(visitor->link)) == MOVE_TRY_NEWER)
			*newer = true;
		else
			stale = visitor;
	}
	if (stale)
		stale->state = VISITOR_RECEIVED;
	pthread_mutex_unlock(&g->house.lock);
	return stale;
}

bool guests_turn_away(struct guests *g, const struct link *link, const struct err *why)
{
	struct visitor *visitor;
	bool newer;

	while ((visitor = guests_receive_stale(g, link_peer(link), &newer))) {
		visitor_turn_away(visitor, link_name(visitor->link), why);
		visitor_leave(visitor);
	}
	return newer;
}

void guests_hang_up(struct guests *g)
{
	pthread_mutex_lock(&g->house.lock);
	for (size_t i = 0; i < GUESTS_MAX; i++)
		if (g->all[i].state == VISITOR_RECEIVED)
			cancel_request(&g->all[i].cancel);
	pthread_mutex_unlock(&g->house.lock);
}

static void guests_close(struct guests *g)
{
	pthread_mutex_lock(&g->house.lock);
	g->ends = true;
	for (size_t i = 0; i < GUESTS_MAX; i++)
		if (g->all[i].state >= VISITOR_COMES && g->all[i].state <= VISITOR_ASKS)
			visitor_dismiss(&g->all[i], VISITOR_IS_CLOSED_ON);
	pthread_mutex_unlock(&g->house.lock);
	visitor_signal(g->house.wake_fd);
	pthread_join(g->door, NULL);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state > VISITOR_NONE && visitor->state < VISITOR_WAITS)
			pthread_join(visitor->thread, NULL);
		if (visitor->state != VISITOR_NONE)
			visitor_done(visitor);
	}
}

struct guests *guests_free(struct guests *g)
{
	if (!g)
		return NULL;
	if (g->opened)
		guests_close(g);
	for (size_t i = 0; i < GUESTS_LISTENERS; i++)
		listener_free(g->listeners[i]);
	if (g->house.wake_fd >= 0)
		close(g->house.wake_fd);
	if (g->wait_fd >= 0)
		close(g->wait_fd);
	pthread_cond_destroy(&g->house.changed);
	pthread_mutex_destroy(&g->house.lock);
	free(g);
	return NULL;
}
