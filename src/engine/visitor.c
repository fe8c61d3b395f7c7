// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "engine/visitor.h"

/* A source opens its devices between HELLO and OFFER. */
#define VISITOR_OFFER_TIMEOUTS 4u

/* So often a thread is woken before that is given up. */
#define VISITOR_SIGNALS 3u

/* A recovery asks, is told, and goes. */
#define VISITOR_QUESTIONS_MAX 16u

void visitor_signal(int fd)
{
	const uint64_t one = 1;

	/* With EAGAIN the counter is full, and readable anyway; else a thread would not wake. */
	for (unsigned int i = 0; i < VISITOR_SIGNALS; i++)
		if (write(fd, &one, sizeof(one)) >= 0 || errno == EAGAIN)
			return;
	log_warn("eventfd: %s", err_name(-errno));
}

void visitor_enter(struct visitor *visitor, enum visitor_state state)
{
	pthread_mutex_lock(&visitor->house->lock);
	visitor->state = state;
	visitor->since_ns = clock_ns();
	pthread_cond_broadcast(&visitor->house->changed);
	pthread_mutex_unlock(&visitor->house->lock);
}

uint64_t visitor_patience_ns(const struct visitor *visitor)
{
	const uint64_t ns = (uint64_t)visitor->house->options->timeout_ms * NSEC_PER_MSEC;

	switch (visitor->state) {
	case VISITOR_COMES:
		return ns;
	case VISITOR_SPEAKS:
		return ns * VISITOR_OFFER_TIMEOUTS;
	default:
		return UINT64_MAX;
	}
}

enum visitor_farewell visitor_is_late(const struct visitor *visitor)
{
	if (clock_ns() - visitor->since_ns < visitor_patience_ns(visitor))
		return VISITOR_MAY_STAY;
	return visitor->state == VISITOR_COMES ? VISITOR_IS_SILENT : VISITOR_IS_IDLE;
}

void visitor_dismiss(struct visitor *visitor, enum visitor_farewell why)
{
	if (!visitor->farewell)
		visitor->farewell = why;
	cancel_request(&visitor->cancel);
}

static enum visitor_farewell visitor_reason(struct visitor *visitor)
{
	enum visitor_farewell why;

	pthread_mutex_lock(&visitor->house->lock);
	why = visitor->farewell;
	/* Its channel has a clock, too, which may be the first to ring. */
	if (!why)
		why = visitor_is_late(visitor);
	pthread_mutex_unlock(&visitor->house->lock);
	return why;
}

/* A wait that was ended says no more than that. Return: as @r, with why it was ended. */
static int visitor_explain(struct visitor *visitor, int r, struct err *err)
{
	const double timeout = visitor->house->options->timeout_ms / 1e3;

	if (r != -ECANCELED && r != -ETIMEDOUT)
		return r;
	switch (visitor_reason(visitor)) {
	case VISITOR_IS_SILENT:
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "no HELLO within %g s", timeout);
	case VISITOR_IS_IDLE:
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
				"nothing behind its HELLO within %g s",
				VISITOR_OFFER_TIMEOUTS * timeout);
	case VISITOR_GIVES_WAY:
		return err_fail(err, ERR_ABORTED, -ECANCELED, "silent while others waited");
	case VISITOR_IS_CLOSED_ON:
		return err_fail(err, ERR_ABORTED, -ECANCELED, "nothing more is heard here");
	default:
		return r;
	}
}

void visitor_turn_away(struct visitor *visitor, const char *name, const struct err *why)
{
	char story[ERR_STORY_MAX];

	log_warn("%s: turned away: %s", name, peer_nameless(err_story(why, story), name));
	if (visitor->link)
		link_abort(visitor->link, why);
}

static int visitor_answer(struct visitor *visitor, const struct wire_message *said, struct err *err)
{
	const struct guests_options *o = visitor->house->options;
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
	visitor_enter(visitor, VISITOR_ASKS);
	return link_send(visitor->link, &m, err);
}

static int visitor_say_done(struct visitor *visitor, struct err *err)
{
	int r = link_say_done(visitor->link, &visitor->said.decision, err);

	if (r < 0)
		return r;
	log_info("%s: is told that its transaction is done", link_name(visitor->link));
	return 0;
}

/* It brings a state, or a decision. Return: as visitor_hear(). */
static int visitor_judge(struct visitor *visitor, struct err *err)
{
	const struct guests_options *o = visitor->house->options;
	const struct wire_hello *hello = link_peer(visitor->link);
	const struct wire_message *m = &visitor->said;
	int r = 0;

	if (m->type == WIRE_COMMIT && o->ops->settle) {
		visitor_enter(visitor, VISITOR_ASKS);
		r = o->ops->settle(o->ctx, hello, &m->decision, &visitor->cancel, err);
	}
	if (r == GUESTS_SETTLED)
		return visitor_say_done(visitor, err);
	if (r < 0)
		return r;
	visitor_enter(visitor, VISITOR_JUDGED);
	r = o->ops->admit(o->ctx, hello, m, err);
	return r < 0 ? r : 1;
}

/* It was answered, and says no more. Return: 0; @r when it has to go, and does not know why. */
static int visitor_go(struct visitor *visitor, int r)
{
	const struct guests_options *o = visitor->house->options;

	if (visitor_reason(visitor) == VISITOR_GIVES_WAY)
		return r;
	if (o->ops->answered)
		o->ops->answered(o->ctx);
	return 0;
}

/* Return: 1: it is to be received; 0: it has what it came for. */
static int visitor_hear(struct visitor *visitor, struct err *err)
{
	struct wire_message *m = &visitor->said;
	unsigned int answers = 0;
	int r;

	for (unsigned int i = 0; i < VISITOR_QUESTIONS_MAX; i++) {
		r = link_hear(visitor->link, m, err);
		if (r < 0)
			return answers ? visitor_go(visitor, r) : r;
		if (m->type == WIRE_OFFER) {
			r = link_take_payload(visitor->link, &visitor->offer, &visitor->offer_len,
					      err);
			if (r < 0)
				return r;
		}
		if (m->type == WIRE_OFFER || m->type == WIRE_COMMIT || m->type == WIRE_ABORT)
			return visitor_judge(visitor, err);
		if (m->type == WIRE_FORCED) {
			visitor->forced = m->forced;
			continue;
		}
		if (m->type != WIRE_ASK && m->type != WIRE_TELL)
			return err_fail(err, ERR_PEER, -EPROTO, "%s is not what a move begins with",
					wire_name(m->type));
		r = visitor_answer(visitor, m, err);
		if (r < 0)
			return r;
		answers++;
	}
	return err_fail(err, ERR_PEER, -EPROTO, "too many questions");
}

static int visitor_talk(struct visitor *visitor, struct err *err)
{
	const struct guests_options *o = visitor->house->options;
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
	visitor_enter(visitor, VISITOR_SPEAKS);
	if (link_peer(visitor->link)->role == WIRE_DESTINATION)
		return err_fail(err, ERR_PEER, -EPROTO, "both ends want to receive");
	return visitor_hear(visitor, err);
}

static void *visitor_thread(void *arg)
{
	struct visitor *visitor = arg;
	_cleanup_free_ char *name = strdup(peer_name(visitor->peer));
	struct err err = { 0 };
	int r;

	r = visitor_talk(visitor, &err);
	if (r < 0) {
		r = visitor_explain(visitor, r, &err);
		visitor_turn_away(visitor, name ? name : "a guest", &err);
	}
	visitor_enter(visitor, r > 0 ? VISITOR_ARRIVED : VISITOR_GONE);
	visitor_signal(visitor->house->wake_fd);
	return NULL;
}

int visitor_start(struct visitor *visitor, struct err *err)
{
	int r;

	visitor_enter(visitor, VISITOR_COMES);
	r = -pthread_create(&visitor->thread, NULL, visitor_thread, visitor);
	return r < 0 ? err_set(err, r, "pthread_create") : 0;
}

void visitor_done(struct visitor *visitor)
{
	visitor->link = link_free(visitor->link);
	visitor->peer = peer_free(visitor->peer);
	free(visitor->offer);
	visitor->offer = NULL;
	visitor->forced = (struct wire_forced){ 0 };
	cancel_done(&visitor->cancel);
}

enum visitor_state visitor_is(struct visitor *visitor)
{
	enum visitor_state state;

	pthread_mutex_lock(&visitor->house->lock);
	state = visitor->state;
	pthread_mutex_unlock(&visitor->house->lock);
	return state;
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
	struct visitor_house *house;

	if (!visitor)
		return NULL;
	house = visitor->house;
	visitor->link = link_free(visitor->link);
	pthread_mutex_lock(&house->lock);
	visitor_done(visitor);
	visitor->state = VISITOR_NONE;
	pthread_mutex_unlock(&house->lock);
	visitor_signal(house->wake_fd);
	return NULL;
}
