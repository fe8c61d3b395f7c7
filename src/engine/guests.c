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

#define GUESTS_LISTENERS 2u

/* A source opens its devices between HELLO and OFFER. */
#define GUESTS_OFFER_TIMEOUTS 4u

/* So often a thread is woken before that is given up. */
#define GUESTS_SIGNALS 3u

/* A recovery asks, is told, and goes. */
#define GUESTS_QUESTIONS_MAX 16u

/* Where a visitor is. Changed under the lock. */
enum visitor_state {
	VISITOR_NONE, /* the place is free */
	VISITOR_COMES, /* its thread is at work; it has not said HELLO */
	VISITOR_SPEAKS, /* its thread is at work; it has */
	VISITOR_ASKS, /* its thread is at work; it was answered */
	VISITOR_JUDGED, /* its thread is at work, and asks the owner whether it is to be received */
	VISITOR_GONE, /* its thread ends, and is to be joined */
	VISITOR_ARRIVED, /* likewise; it is to be received */
	VISITOR_WAITS, /* to be received */
	VISITOR_RECEIVED,
};

/* Why a visitor has to go while its thread waits for it. */
enum visitor_farewell {
	VISITOR_MAY_STAY,
	VISITOR_IS_SILENT, /* its time is over, without a HELLO */
	VISITOR_IS_IDLE, /* likewise, with nothing behind it */
	VISITOR_GIVES_WAY, /* another one needs its place */
	VISITOR_IS_CLOSED_ON, /* none is listened to any more */
};

/**
 * struct visitor
 * @thread: of VISITOR_COMES to VISITOR_ARRIVED; the door joins it
 * @since_ns: when it came to its state
 * @farewell: why its cancel was requested, if that was for this visitor alone
 * @told: its cancel was requested for the work's sake
 * @forced: what FORCED has said of the TELL that is to follow, or empty
 * @cancel: its own; requested when it has to go, when the work ends, and when its link is lost
 */
struct visitor {
	struct guests *guests;
	enum visitor_state state;
	uint64_t since_ns;
	enum visitor_farewell farewell;
	bool told;
	pthread_t thread;
	struct cancel cancel;
	struct peer *peer;
	struct link *link;
	struct wire_message said;
	struct wire_forced forced;
	char *offer;
	size_t offer_len;
};

/**
 * struct guests
 * @lock: of the states, of @listeners
 * @closes: the second listener is to be closed
 * @changed: a visitor's state, or @closes
 * @wake_fd: the door is to look again; @wait_fd: one waits to be received
 */
struct guests {
	struct guests_options options;
	pthread_mutex_t lock;
	struct visitor all[GUESTS_MAX];
	struct listener *listeners[GUESTS_LISTENERS];
	unsigned int n_listeners;
	struct cancel cancel;
	int wake_fd, wait_fd;
	bool opened, ends, closes;
	pthread_cond_t changed;
	pthread_t door;
};

static void guests_signal(int fd)
{
	const uint64_t one = 1;

	/* With EAGAIN the counter is full, and readable anyway; else a thread would not wake. */
	for (unsigned int i = 0; i < GUESTS_SIGNALS; i++)
		if (write(fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
			return;
	log_warn("eventfd: %s", err_name(-errno));
}

static void guests_heed(int fd)
{
	uint64_t count;

	/* Fails only when there was nothing. */
	if (read(fd, &count, sizeof(count)) < 0)
		return;
}

/*
 * A visitor, in its own thread
 */

static void guests_one_enter(struct visitor *visitor, enum visitor_state state)
{
	pthread_mutex_lock(&visitor->guests->lock);
	visitor->state = state;
	visitor->since_ns = clock_ns();
	pthread_cond_broadcast(&visitor->guests->changed);
	pthread_mutex_unlock(&visitor->guests->lock);
}

/* How long it may be in its state; UINT64_MAX for as long as it likes. */
static uint64_t guests_one_patience_ns(const struct visitor *visitor)
{
	const uint64_t ns = (uint64_t)visitor->guests->options.timeout_ms * NSEC_PER_MSEC;

	switch (visitor->state) {
	case VISITOR_COMES:
		return ns;
	case VISITOR_SPEAKS:
		return ns * GUESTS_OFFER_TIMEOUTS;
	default:
		return UINT64_MAX;
	}
}

/* Under the lock. Return: VISITOR_MAY_STAY while its time is not over. */
static enum visitor_farewell guests_one_is_late(const struct visitor *visitor, uint64_t now)
{
	if (now - visitor->since_ns < guests_one_patience_ns(visitor))
		return VISITOR_MAY_STAY;
	return visitor->state == VISITOR_COMES ? VISITOR_IS_SILENT : VISITOR_IS_IDLE;
}

/* Under the lock. The first reason is the one that it is told. */
static void guests_one_dismiss(struct visitor *visitor, enum visitor_farewell why)
{
	if (!visitor->farewell)
		visitor->farewell = why;
	cancel_request(&visitor->cancel);
}

static enum visitor_farewell guests_one_farewell(struct visitor *visitor)
{
	enum visitor_farewell why;

	pthread_mutex_lock(&visitor->guests->lock);
	why = visitor->farewell;
	/* Its channel has a clock, too, which may be the first to ring. */
	if (!why)
		why = guests_one_is_late(visitor, clock_ns());
	pthread_mutex_unlock(&visitor->guests->lock);
	return why;
}

/* A wait that was ended says no more than that. Return: as @r, with why it was ended. */
static int guests_one_explain(struct visitor *visitor, int r, struct err *err)
{
	const double timeout = visitor->guests->options.timeout_ms / 1e3;

	if (r != -ECANCELED && r != -ETIMEDOUT)
		return r;
	switch (guests_one_farewell(visitor)) {
	case VISITOR_IS_SILENT:
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "no HELLO within %g s", timeout);
	case VISITOR_IS_IDLE:
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
				"nothing behind its HELLO within %g s",
				GUESTS_OFFER_TIMEOUTS * timeout);
	case VISITOR_GIVES_WAY:
		return err_fail(err, ERR_ABORTED, -ECANCELED, "silent while others waited");
	case VISITOR_IS_CLOSED_ON:
		return err_fail(err, ERR_ABORTED, -ECANCELED, "nothing more is heard here");
	default:
		return r;
	}
}

/* For the user as much as for the visitor, which may have gone. */
static void guests_one_turn_away(struct visitor *visitor, const char *name, const struct err *why)
{
	char story[ERR_STORY_MAX];

	log_warn("%s: turned away: %s", name, peer_nameless(err_story(why, story), name));
	if (visitor->link)
		link_abort(visitor->link, why);
}

static int guests_one_answer(struct visitor *visitor, const struct wire_message *said,
			     struct err *err)
{
	const struct guests_options *o = &visitor->guests->options;
	const struct guests_question q = {
		.said = &said->state,
		.forced = said->type == WIRE_TELL ? visitor->forced.by : "",
		.cancel = &visitor->cancel,
	};
	struct wire_message m = { .type = WIRE_TELL };
	int r;

	r = o->ops->answer(o->ctx, &q, &m.state, err);
	visitor->forced = (struct wire_forced){ 0 };
	if (r < 0)
		return r;
	guests_one_enter(visitor, VISITOR_ASKS);
	return link_send(visitor->link, &m, err);
}

static int guests_one_say_done(struct visitor *visitor, struct err *err)
{
	int r = link_say_done(visitor->link, &visitor->said.decision, err);

	if (r < 0)
		return r;
	log_info("%s: is told that its transaction is done", link_name(visitor->link));
	return 0;
}

/* It brings a state, or a decision. Return: as guests_one_hear(). */
static int guests_one_judge(struct visitor *visitor, struct err *err)
{
	const struct guests_options *o = &visitor->guests->options;
	const struct wire_hello *hello = link_peer(visitor->link);
	const struct wire_message *m = &visitor->said;
	int r = 0;

	if (m->type == WIRE_COMMIT && o->ops->settle)
		r = o->ops->settle(o->ctx, hello, &m->decision, &visitor->cancel, err);
	if (r == GUESTS_SETTLED)
		return guests_one_say_done(visitor, err);
	if (r < 0)
		return r;
	guests_one_enter(visitor, VISITOR_JUDGED);
	r = o->ops->admit(o->ctx, hello, m, err);
	return r < 0 ? r : 1;
}

/* It has asked, and said no more. */
static int guests_one_go(struct visitor *visitor)
{
	const struct guests_options *o = &visitor->guests->options;

	if (o->ops->answered)
		o->ops->answered(o->ctx);
	return 0;
}

/* Return: 1: it is to be received; 0: it has what it came for. */
static int guests_one_hear(struct visitor *visitor, struct err *err)
{
	struct wire_message *m = &visitor->said;
	unsigned int answers = 0;
	int r;

	for (unsigned int i = 0; i < GUESTS_QUESTIONS_MAX; i++) {
		r = link_hear(visitor->link, m, err);
		if (r < 0)
			return answers ? guests_one_go(visitor) : r;
		if (m->type == WIRE_OFFER) {
			r = link_take_payload(visitor->link, &visitor->offer, &visitor->offer_len,
					      err);
			if (r < 0)
				return r;
		}
		if (m->type == WIRE_OFFER || m->type == WIRE_COMMIT || m->type == WIRE_ABORT)
			return guests_one_judge(visitor, err);
		if (m->type == WIRE_FORCED) {
			visitor->forced = m->forced;
			continue;
		}
		if (m->type != WIRE_ASK && m->type != WIRE_TELL)
			return err_fail(err, ERR_PEER, -EPROTO, "%s is not what a move begins with",
					wire_name(m->type));
		r = guests_one_answer(visitor, m, err);
		if (r < 0)
			return r;
		answers++;
	}
	return err_fail(err, ERR_PEER, -EPROTO, "too many questions");
}

static int guests_one_talk(struct visitor *visitor, struct err *err)
{
	const struct guests_options *o = &visitor->guests->options;
	const struct link_options options = { .hello = o->hello, .cancel = &visitor->cancel };
	struct channel *channel;
	int r;

	r = channel_from_peer(TAKE_PTR(visitor->peer), &channel, err);
	if (r < 0)
		return r;
	r = link_begin(channel, &options, &visitor->link, err);
	r = r < 0 ? r : link_meet(visitor->link, err);
	if (r < 0)
		return r;
	guests_one_enter(visitor, VISITOR_SPEAKS);
	if (link_peer(visitor->link)->role == WIRE_DESTINATION)
		return err_fail(err, ERR_PEER, -EPROTO, "both ends want to receive");
	return guests_one_hear(visitor, err);
}

static void *guests_one_thread(void *arg)
{
	struct visitor *visitor = arg;
	_cleanup_free_ char *name = strdup(peer_name(visitor->peer));
	struct err err = { 0 };
	int r;

	r = guests_one_talk(visitor, &err);
	if (r < 0) {
		r = guests_one_explain(visitor, r, &err);
		guests_one_turn_away(visitor, name ? name : "a guest", &err);
	}
	guests_one_enter(visitor, r > 0 ? VISITOR_ARRIVED : VISITOR_GONE);
	guests_signal(visitor->guests->wake_fd);
	return NULL;
}

/*
 * The door
 */

static void guests_one_done(struct visitor *visitor)
{
	visitor->link = link_free(visitor->link);
	visitor->peer = peer_free(visitor->peer);
	free(visitor->offer);
	visitor->offer = NULL;
	visitor->forced = (struct wire_forced){ 0 };
	cancel_done(&visitor->cancel);
}

static enum visitor_state guests_one_is(struct visitor *visitor)
{
	enum visitor_state state;

	pthread_mutex_lock(&visitor->guests->lock);
	state = visitor->state;
	pthread_mutex_unlock(&visitor->guests->lock);
	return state;
}

/* Its thread waits for nothing any more. */
static void guests_one_join(struct visitor *visitor)
{
	pthread_join(visitor->thread, NULL);
	if (guests_one_is(visitor) == VISITOR_ARRIVED) {
		guests_one_enter(visitor, VISITOR_WAITS);
		guests_signal(visitor->guests->wait_fd);
		return;
	}
	guests_one_done(visitor);
	guests_one_enter(visitor, VISITOR_NONE);
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
	uint64_t now = clock_ns();

	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];
		enum visitor_farewell late;
		bool over;

		pthread_mutex_lock(&g->lock);
		late = guests_one_is_late(visitor, now);
		if (late)
			guests_one_dismiss(visitor, late);
		guests_pass_on(g, visitor);
		over = visitor->state == VISITOR_GONE || visitor->state == VISITOR_ARRIVED;
		pthread_mutex_unlock(&g->lock);
		if (over)
			guests_one_join(visitor);
	}
}

/* A free place, or that of the visitor that has said the least for the longest time. */
static struct visitor *guests_make_room(struct guests *g)
{
	struct visitor *worst = NULL;

	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state > VISITOR_ASKS)
			continue;
		if (!worst || visitor->state < worst->state ||
		    (visitor->state == worst->state && visitor->since_ns < worst->since_ns))
			worst = visitor;
	}
	if (worst && worst->state != VISITOR_NONE)
		guests_one_dismiss(worst, VISITOR_GIVES_WAY);
	pthread_mutex_unlock(&g->lock);
	if (worst && guests_one_is(worst) != VISITOR_NONE)
		guests_one_join(worst);
	return worst && guests_one_is(worst) == VISITOR_NONE ? worst : NULL;
}

static void guests_seat(struct guests *g, struct listener *l, struct visitor *visitor)
{
	struct err err = { 0 };
	int r;

	visitor->guests = g;
	visitor->farewell = VISITOR_MAY_STAY;
	visitor->told = false;
	r = cancel_init(&visitor->cancel, &err);
	r = r < 0 ? r : listener_accept(l, &visitor->cancel, &visitor->peer, &err);
	r = r < 0 ? r : listener_check_peer(l, visitor->peer, &err);
	if (r == -EAGAIN) {
		guests_one_done(visitor);
		return;
	}
	if (r >= 0) {
		log_info("%s: has connected", peer_name(visitor->peer));
		guests_one_enter(visitor, VISITOR_COMES);
		r = -pthread_create(&visitor->thread, NULL, guests_one_thread, visitor);
		if (r >= 0)
			return;
		err_set(&err, r, "pthread_create");
	}
	guests_one_turn_away(visitor, visitor->peer ? peer_name(visitor->peer) : listener_name(l),
			     &err);
	guests_one_done(visitor);
	guests_one_enter(visitor, VISITOR_NONE);
}

static void guests_open_door(struct guests *g, struct listener *l)
{
	struct visitor *visitor = guests_make_room(g);

	if (visitor)
		guests_seat(g, l, visitor);
}

/* How long until the first has to go; the links of others tell of themselves. */
static int guests_patience(struct guests *g)
{
	uint64_t deadline = UINT64_MAX;

	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		const struct visitor *visitor = &g->all[i];
		const uint64_t ns = guests_one_patience_ns(visitor);

		if (ns != UINT64_MAX)
			deadline = MIN(deadline, visitor->since_ns + ns);
	}
	pthread_mutex_unlock(&g->lock);
	return deadline == UINT64_MAX ? -1 : clock_ms_until(deadline);
}

/* In its own thread: nothing accepts there meanwhile. */
static void guests_close_listener(struct guests *g)
{
	struct listener *l = NULL;

	pthread_mutex_lock(&g->lock);
	if (g->closes && g->n_listeners == GUESTS_LISTENERS) {
		g->n_listeners--;
		l = TAKE_PTR(g->listeners[g->n_listeners]);
	}
	g->closes = false;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
	listener_free(l);
}

/* What is there to be told to whom is looked for by guests_pass_on(), once for each visitor. */
static size_t guests_fill(struct guests *g, struct pollfd *p)
{
	size_t n = 0;

	p[n++] = (struct pollfd){ .fd = g->wake_fd, .events = POLLIN };
	pthread_mutex_lock(&g->lock);
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
	pthread_mutex_unlock(&g->lock);
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
		guests_heed(g->wake_fd);
		guests_look_round(g);
		guests_close_listener(g);
		pthread_mutex_lock(&g->lock);
		ends = g->ends;
		pthread_mutex_unlock(&g->lock);
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
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		g->all[i].guests = g;
		g->all[i].cancel.fd = -1;
	}
	g->wait_fd = -1;
	g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (g->wake_fd >= 0)
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

	pthread_mutex_lock(&g->lock);
	if (g->n_listeners < GUESTS_LISTENERS)
		g->listeners[g->n_listeners++] = l;
	else
		r = err_fail(err, ERR_BUG, -ENOSPC, "%s: one listener too many", listener_name(l));
	pthread_mutex_unlock(&g->lock);
	if (r < 0)
		listener_free(l);
	guests_signal(g->wake_fd);
	return r;
}

void guests_close_socket(struct guests *g)
{
	pthread_mutex_lock(&g->lock);
	g->closes = true;
	guests_signal(g->wake_fd);
	while (g->closes)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

int guests_fd(const struct guests *g)
{
	return g->wait_fd;
}

struct visitor *guests_receive(struct guests *g)
{
	struct visitor *first = NULL;

	guests_heed(g->wait_fd);
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state == VISITOR_WAITS &&
		    (!first || visitor->since_ns < first->since_ns))
			first = visitor;
	}
	if (first)
		first->state = VISITOR_RECEIVED;
	pthread_mutex_unlock(&g->lock);
	guests_signal(g->wake_fd);
	return first;
}

/* Under the lock: until all that were admitted wait, whom the owner's state of before let in. */
static void guests_settle(struct guests *g)
{
	for (size_t i = 0; i < GUESTS_MAX; i++)
		while (g->all[i].state == VISITOR_JUDGED || g->all[i].state == VISITOR_ARRIVED)
			pthread_cond_wait(&g->changed, &g->lock);
}

/* Return: one that waits and is not of a newer try than @hello; NULL for none. */
static struct visitor *guests_receive_stale(struct guests *g, const struct wire_hello *hello,
					    bool *newer)
{
	struct visitor *stale = NULL;

	*newer = false;
	pthread_mutex_lock(&g->lock);
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
	pthread_mutex_unlock(&g->lock);
	return stale;
}

bool guests_turn_away(struct guests *g, const struct link *link, const struct err *why)
{
	struct visitor *visitor;
	bool newer;

	while ((visitor = guests_receive_stale(g, link_peer(link), &newer))) {
		guests_one_turn_away(visitor, link_name(visitor->link), why);
		visitor_leave(visitor);
	}
	return newer;
}

struct link *visitor_link(struct visitor *visitor)
{
	return visitor->link;
}

const struct wire_message *visitor_said(const struct visitor *visitor)
{
	return &visitor->said;
}

const char *visitor_offer(const struct visitor *visitor, size_t *ret_len)
{
	*ret_len = visitor->offer_len;
	return visitor->offer;
}

bool visitor_is_lost(const struct visitor *visitor)
{
	return atomic_load(&visitor->cancel.requested);
}

/* The door polls its cancel: under the lock it no longer does. */
struct visitor *visitor_leave(struct visitor *visitor)
{
	struct guests *g;

	if (!visitor)
		return NULL;
	g = visitor->guests;
	visitor->link = link_free(visitor->link);
	pthread_mutex_lock(&g->lock);
	guests_one_done(visitor);
	visitor->state = VISITOR_NONE;
	pthread_mutex_unlock(&g->lock);
	guests_signal(g->wake_fd);
	return NULL;
}

void guests_hang_up(struct guests *g)
{
	pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < GUESTS_MAX; i++)
		if (g->all[i].state == VISITOR_RECEIVED)
			cancel_request(&g->all[i].cancel);
	pthread_mutex_unlock(&g->lock);
}

static void guests_close(struct guests *g)
{
	pthread_mutex_lock(&g->lock);
	g->ends = true;
	for (size_t i = 0; i < GUESTS_MAX; i++)
		if (g->all[i].state >= VISITOR_COMES && g->all[i].state <= VISITOR_ASKS)
			guests_one_dismiss(&g->all[i], VISITOR_IS_CLOSED_ON);
	pthread_mutex_unlock(&g->lock);
	guests_signal(g->wake_fd);
	pthread_join(g->door, NULL);
	for (size_t i = 0; i < GUESTS_MAX; i++) {
		struct visitor *visitor = &g->all[i];

		if (visitor->state > VISITOR_NONE && visitor->state < VISITOR_WAITS)
			pthread_join(visitor->thread, NULL);
		if (visitor->state != VISITOR_NONE)
			guests_one_done(visitor);
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
	if (g->wake_fd >= 0)
		close(g->wake_fd);
	if (g->wait_fd >= 0)
		close(g->wait_fd);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return NULL;
}
