// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "engine/courier.h"

/* Between two looks for what another thread may have heard. */
#define COURIER_LOOK_MS 100

void courier_init(struct courier *c)
{
	c->link = NULL;
	c->acquainted = false;
	c->taking = false;
	c->refuses = "gives up";
	pthread_mutex_init(&c->lock, NULL);
	c->met = COURIER_NONE;
	c->why = (struct err){ 0 };
	c->sent = (struct wire_end){ 0 };
	c->verdict = (struct verdict){ 0 };
}

void courier_done(struct courier *c)
{
	c->link = link_free(c->link);
	verdict_done(&c->verdict);
	pthread_mutex_destroy(&c->lock);
}

bool courier_can_redial(const struct courier *c)
{
	return c->uri->kind & (URI_SOCKET | URI_EXEC);
}

/*
 * What goes wrong
 */

static enum move_event courier_refused(const struct courier *c, const struct wire_abort *abort,
				       struct err *err)
{
	err_fail(err, ERR_ABORTED, -EREMOTEIO, "%s: the other end %s: %s", link_name(c->link),
		 c->refuses, *abort->reason ? abort->reason : "no reason given");
	return MOVE_ON_REFUSE;
}

/* Of a link that is of no use: what breaks the protocol is not to be tried again. */
static enum move_event courier_lost(const struct err *why)
{
	return why->kind == ERR_PEER ? MOVE_ON_BREACH : MOVE_ON_LOST;
}

/*
 * A call of the link has failed, with @err. Where it was not the link that failed, it was a wish to
 * stop. An end that gives up closes the link behind its ABORT, which is still there to be heard.
 */
static enum move_event courier_failed(struct courier *c, struct err *err)
{
	struct wire_message m;

	if (link_check(c->link, err) >= 0)
		return MOVE_ON_CANCEL;
	if (link_last_words(c->link, &m) >= 0 && m.type == WIRE_ABORT)
		return courier_refused(c, &m.abort, err);
	return courier_lost(err);
}

static enum move_event courier_broke(const struct courier *c, struct err *err, const char *what)
{
	err_fail(err, ERR_PEER, -EPROTO, "%s: %s", link_name(c->link), what);
	return MOVE_ON_BREACH;
}

static enum move_event courier_not_due(const struct courier *c, enum wire_type type,
				       struct err *err)
{
	err_fail(err, ERR_PEER, -EPROTO, "%s: %s is not due now", link_name(c->link),
		 wire_name(type));
	return MOVE_ON_BREACH;
}

/*
 * What is said
 */

/* Behind one address there may be several; the transaction is with one of them. */
static bool courier_knows(struct courier *c)
{
	const uint8_t *journal = link_peer(c->link)->journal;

	if (!c->acquainted)
		memcpy(c->journal, journal, sizeof(c->journal));
	c->acquainted = true;
	return !memcmp(c->journal, journal, sizeof(c->journal));
}

static enum move_event courier_met_other(struct courier *c, struct err *err)
{
	err_fail(err, ERR_ABORTED, -EREMOTE,
		 "%s: another receiver answers now, with another journal than the first one's",
		 link_name(c->link));
	c->link = link_free(c->link);
	return MOVE_ON_LOST;
}

enum move_event courier_dial(struct courier *c, struct err *err)
{
	const struct link_options opts = { .hello = c->hello, .cancel = c->cancel };
	struct channel *channel;
	int r;

	c->link = link_free(c->link);
	c->met = COURIER_NONE;
	c->taking = false;
	r = channel_open(c->uri, c->peer, c->cancel, &channel, err);
	r = r < 0 ? r : link_new(channel, &opts, &c->link, err);
	if (r < 0)
		return r == -ECANCELED || r == -ETIME ? MOVE_ON_CANCEL : courier_lost(err);
	if (link_peer(c->link)->role != WIRE_DESTINATION)
		return courier_broke(c, err, "the other end is no `vfiomigctl receive`");
	return courier_knows(c) ? MOVE_ON_LINKED : courier_met_other(c, err);
}

enum move_event courier_offer(struct courier *c, const struct image_manifest *m, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;

	if (image_manifest_encode(m, &text, &len, err) < 0)
		return MOVE_ON_FAILED;
	if (link_send_payload(c->link, WIRE_OFFER, text, len, err) < 0)
		return courier_failed(c, err);
	return COURIER_NONE;
}

enum move_event courier_end(struct courier *c, const struct image_receipt *receipt, uint64_t bytes,
			    struct err *err)
{
	struct wire_message m = { .type = WIRE_END };

	_Static_assert(sizeof(m.end.image) == sizeof(receipt->id), "an image's id");
	_Static_assert(sizeof(m.end.digest) == sizeof(receipt->digest), "an image's digest");
	memcpy(m.end.image, receipt->id, sizeof(m.end.image));
	memcpy(m.end.digest, receipt->digest, sizeof(m.end.digest));
	m.end.bytes = bytes;
	c->sent = m.end;
	return link_send(c->link, &m, err) < 0 ? courier_failed(c, err) : COURIER_NONE;
}

static struct wire_decision courier_decision(const struct courier *c)
{
	struct wire_decision d = { .generation = c->hello.generation };

	memcpy(d.txid, c->hello.txid, sizeof(d.txid));
	return d;
}

enum move_event courier_commit(struct courier *c, struct err *err)
{
	const struct wire_message m = { .type = WIRE_COMMIT, .decision = courier_decision(c) };

	c->refuses = "does not say DONE";
	return link_send(c->link, &m, err) < 0 ? courier_failed(c, err) : COURIER_NONE;
}

void courier_abort(struct courier *c, const struct err *why)
{
	if (c->link)
		link_abort(c->link, why);
}

/*
 * The stream
 */

/* Nothing but ABORT and TAKING may come now. Return: COURIER_NONE for nothing. */
static enum move_event courier_hear_meanwhile(struct courier *c, struct err *err)
{
	struct wire_message m;
	int r = link_hear_now(c->link, &m, err);

	if (r == -EAGAIN)
		return COURIER_NONE;
	if (r < 0)
		return courier_failed(c, err);
	if (m.type == WIRE_TAKING) {
		c->taking = true;
		return COURIER_NONE;
	}
	if (move_hears(MOVE_S_BEGUN, m.type) == MOVE_ON_REFUSE)
		return courier_refused(c, &m.abort, err);
	return courier_not_due(c, m.type, err);
}

/* The first that ends it counts; a wish to stop, maybe a device's, is nothing of the link's. */
static int courier_meet(struct courier *c, enum move_event e, const struct err *why,
			struct err *err)
{
	if (e == MOVE_ON_CANCEL) {
		*err = *why;
		return err->code;
	}
	if (c->met == COURIER_NONE) {
		c->met = e;
		c->why = *why;
	}
	*err = c->why;
	return err->code;
}

static int courier_check_stream(struct courier *c, struct err *err)
{
	struct err why = { 0 };
	enum move_event e;
	int r = 0;

	pthread_mutex_lock(&c->lock);
	e = c->met == COURIER_NONE ? courier_hear_meanwhile(c, &why) : c->met;
	if (e != COURIER_NONE)
		r = courier_meet(c, e, &why, err);
	pthread_mutex_unlock(&c->lock);
	return r;
}

static int courier_send_failed(struct courier *c, struct err *why, struct err *err)
{
	int r;

	pthread_mutex_lock(&c->lock);
	r = courier_meet(c, courier_failed(c, why), why, err);
	pthread_mutex_unlock(&c->lock);
	return r;
}

int courier_write(void *courier, const void *buf, size_t len, struct err *err)
{
	struct courier *c = courier;

	for (size_t done = 0, n; done < len; done += n) {
		const char *next = (const char *)buf + done;
		struct err why = { 0 };
		int r = courier_check_stream(c, err);

		if (r < 0)
			return r;
		n = MIN(len - done, (size_t)WIRE_FRAMES_MAX);
		if (link_send_payload(c->link, WIRE_FRAMES, next, n, &why) < 0)
			return courier_send_failed(c, &why, err);
	}
	return 0;
}

static bool courier_is_taking(struct courier *c)
{
	bool taking;

	pthread_mutex_lock(&c->lock);
	taking = c->taking;
	pthread_mutex_unlock(&c->lock);
	return taking;
}

/* A thread that writes may hear it first: so look again now and then, whatever the link says. */
int courier_await_taking(struct courier *c, struct err *err)
{
	struct pollfd p = { .fd = link_fd(c->link), .events = POLLIN };

	if (!(link_peer(c->link)->features & WIRE_FEATURE_TAKING))
		return 0;
	for (;;) {
		int r = courier_check_stream(c, err);

		if (r < 0)
			return r;
		if (courier_is_taking(c))
			return 0;
		r = cancel_wait(c->cancel, &p, 1, COURIER_LOOK_MS, err);
		if (r < 0)
			return r;
	}
}

enum move_event courier_met(struct courier *c, struct err *err)
{
	struct err why = { 0 };
	enum move_event e;

	pthread_mutex_lock(&c->lock);
	if (c->met == COURIER_NONE && c->link && link_check(c->link, &why) < 0)
		courier_meet(c, courier_failed(c, &why), &why, err);
	e = c->met;
	if (e != COURIER_NONE)
		*err = c->why;
	pthread_mutex_unlock(&c->lock);
	return e;
}

/*
 * What is heard
 */

static enum move_event courier_refuse(const struct courier *c, const char *reason, struct err *err)
{
	err_fail(err, ERR_ABORTED, -EXDEV, "%s: the other end cannot take it: %s",
		 link_name(c->link), reason ? reason : "no reason given");
	return MOVE_ON_REFUSE;
}

static enum move_event courier_hear_verdict(struct courier *c, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	struct verdict v;
	size_t len;
	int r;

	if (link_take_payload(c->link, &text, &len, err) < 0)
		return courier_failed(c, err);
	r = verdict_decode(text, len, &v, err);
	if (r < 0) {
		err_prefix(err, r, "%s", link_name(c->link));
		return courier_lost(err);
	}
	verdict_done(&c->verdict);
	c->verdict = v;
	return v.accepted ? MOVE_ON_ACCEPT : courier_refuse(c, v.reason, err);
}

static enum move_event courier_hear_ready(const struct courier *c, const struct wire_end *end,
					  struct err *err)
{
	if (!memcmp(end->image, c->sent.image, sizeof(end->image)) &&
	    !memcmp(end->digest, c->sent.digest, sizeof(end->digest)) &&
	    end->bytes == c->sent.bytes)
		return MOVE_ON_READY;
	return courier_broke(c, err, "READY is for another image than was sent");
}

static enum move_event courier_hear_done(const struct courier *c, const struct wire_decision *d,
					 struct err *err)
{
	if (!memcmp(d->txid, c->hello.txid, sizeof(d->txid)) &&
	    d->generation == c->hello.generation)
		return MOVE_ON_DONE;
	return courier_broke(c, err, "DONE is for another transaction");
}

enum move_event courier_hear(struct courier *c, enum move_state state, struct err *err)
{
	struct wire_message m;
	enum move_event e;

	if (link_hear(c->link, &m, err) < 0)
		return courier_failed(c, err);
	e = move_hears(state, m.type);
	switch (e) {
	case MOVE_ON_ACCEPT:
		return courier_hear_verdict(c, err);
	case MOVE_ON_READY:
		return courier_hear_ready(c, &m.end, err);
	case MOVE_ON_DONE:
		return courier_hear_done(c, &m.decision, err);
	case MOVE_ON_REFUSE:
		return courier_refused(c, &m.abort, err);
	default:
		return courier_not_due(c, m.type, err);
	}
}
