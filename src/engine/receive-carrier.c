// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "engine/receive-parts.h"

static struct receive *receive_carrier_of(struct load_carrier *c)
{
	return container_of(c, struct receive, carrier);
}

/*
 * Nothing more comes. While the devices get the last of it the spool is synced, and the record that
 * READY needs is made ready: one that is never written if END turns out to be of another image.
 */
static void receive_carrier_note_end(struct receive *r)
{
	if (r->spool)
		spool_end(r->spool);
	receive_record_ahead(r);
}

/* Return: 1: there are FRAMES; 0: END; or a failure, which the machine knows. */
static int receive_carrier_next_frames(struct receive *r, struct err *err)
{
	struct wire_message m;
	int e;

	e = link_hear(r->link, &m, err);
	if (e < 0)
		return e;
	receive_heard(r, &m);
	if (m.type == WIRE_FRAMES && r->state == MOVE_D_LOADING)
		return 1;
	if (r->state == MOVE_D_JUDGING) {
		receive_carrier_note_end(r);
		return 0;
	}
	*err = r->failed;
	return err->code;
}

/* The image's bytes, out of the messages around them; and into the spool. */
static ssize_t receive_carrier_read(void *ctx, void *buf, size_t len, struct err *err)
{
	struct receive *r = ctx;
	ssize_t n;
	int e;

	while ((n = link_read_payload(r->link, buf, len, err)) == 0) {
		e = r->state == MOVE_D_LOADING ? receive_carrier_next_frames(r, err) : 0;
		if (e <= 0)
			return e;
	}
	if (n < 0)
		return n;
	r->bytes += (uint64_t)n;
	e = r->spool ? spool_write(r->spool, buf, (size_t)n, err) : 0;
	return e < 0 ? receive_room_judge(r, e, err) : n;
}

static int receive_carrier_open(struct load_carrier *c, const struct load_judge *judge,
				struct err *err)
{
	struct receive *r = receive_carrier_of(c);

	(void)judge; /* of the one sender that was agreed with */
	return input_from_reader(receive_carrier_read, r, link_name(r->link), &c->in, err);
}

/* Until now another process may have had them, and have brought a state, or left one in doubt. */
static int receive_carrier_opened(struct load_carrier *c, struct err *err)
{
	return receive_judge_left(receive_carrier_of(c), err);
}

/* The source's devices run until it hears this. One that has no word for it has stopped them. */
static int receive_carrier_begun(struct load_carrier *c, struct err *err)
{
	const struct wire_message m = { .type = WIRE_TAKING };
	struct receive *r = receive_carrier_of(c);

	if (!(link_peer(r->link)->features & WIRE_FEATURE_TAKING))
		return 0;
	return link_send(r->link, &m, err);
}

/* END says what was sent, the receipt what has come. */
static int receive_carrier_taken(struct load_carrier *c, const struct image_receipt *receipt,
				 struct err *err)
{
	struct receive *r = receive_carrier_of(c);

	if (memcmp(r->end.image, receipt->id, sizeof(r->end.image)) != 0 ||
	    memcmp(r->end.digest, receipt->digest, sizeof(r->end.digest)) != 0)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: END is of another image",
				link_name(r->link));
	if (r->end.bytes != r->bytes)
		return err_fail(err, ERR_PEER, -EPROTO,
				"%s: END is of %llu bytes, and %llu have come", link_name(r->link),
				(unsigned long long)r->end.bytes, (unsigned long long)r->bytes);
	return 0;
}

/*
 * Before this end binds itself by READY: is the source still there, and wants it? While a driver
 * judges, or this process stands still, nothing is read of the link.
 */
static int receive_carrier_check_source(struct receive *r, struct err *err)
{
	struct wire_message m;
	int e = link_hear_now(r->link, &m, err);

	if (e == -EAGAIN)
		return 0;
	if (e < 0 && link_check(r->link, NULL) >= 0)
		return e;
	if (e < 0)
		receive_lost(r, err);
	else
		receive_heard(r, &m);
	*err = r->failed;
	return err->code;
}

static int receive_carrier_accept(struct load_carrier *c, const struct image_receipt *receipt,
				  enum handover_received *received, struct err *err)
{
	struct receive *r = receive_carrier_of(c);
	int e;

	(void)receipt; /* END was compared with it */
	*received = move_received(r->state);
	e = r->spool ? spool_sync(r->spool, err) : 0;
	if (e < 0)
		return receive_room_judge(r, e, err);
	e = receive_carrier_check_source(r, err);
	if (e < 0)
		return e;
	receive_event(r, MOVE_ON_TAKEN);
	receive_do(r);
	e = receive_await(r, err);
	*received = move_received(r->state);
	if (e < 0 || r->state == MOVE_D_STARTING)
		return e;
	if (r->state == MOVE_D_RENEWING) {
		/* What recover has brought meanwhile was said of the offer before. */
		pthread_mutex_lock(&r->lock);
		r->word = MOVE_NR_EVENTS;
		pthread_mutex_unlock(&r->lock);
		return err_fail(err, ERR_ABORTED, -EAGAIN, "the source offers it once more");
	}
	*err = r->failed;
	return err->code;
}

/* The source hears of it before the devices are reset, and need not wait for that. */
static void receive_carrier_refuse(struct load_carrier *c, const struct err *why)
{
	struct receive *r = receive_carrier_of(c);
	struct err spool = { 0 };

	/* What looks like a wish to stop may be the spool's. */
	if (why->code == -ECANCELED && r->spool && spool_failure(r->spool, &spool) < 0) {
		receive_room_judge(r, spool.code, &spool);
		why = &spool;
	}
	if (r->state != MOVE_D_ABORTED && r->state != MOVE_D_RENEWING)
		receive_event(r, receive_failure(r, why));
	if (!(r->due & MOVE_SEND_ABORT))
		return;
	receive_did(r, MOVE_SEND_ABORT);
	link_abort(r->link, why);
}

static void receive_carrier_close(struct load_carrier *c)
{
	c->in = input_free(c->in);
}

const struct load_carrier_ops receive_carrier_ops = {
	.open = receive_carrier_open,
	.opened = receive_carrier_opened,
	.begun = receive_carrier_begun,
	.taken = receive_carrier_taken,
	.accept = receive_carrier_accept,
	.refuse = receive_carrier_refuse,
	.close = receive_carrier_close,
};
