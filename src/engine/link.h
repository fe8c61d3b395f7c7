/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A channel that speaks the messages of a move (wire/message.h)
 *
 * Says that this end is alive while it has nothing to say, from a thread of its own, and knows when
 * the other end was heard last: silence for longer than the timeout is a lost link. Any thread may
 * send; one at a time may hear.
 *
 * A failure of the link, whatever it is, is final: every later call returns it again. Its kind is
 * ERR_ABORTED where the connection broke or fell silent, ERR_PEER where the other end broke the
 * protocol. What that means for the state, engine/move.h says and not this.
 */

#include "base/cancel.h"
#include "base/cleanup.h"
#include "transport/channel.h"
#include "wire/message.h"

struct link;

/**
 * struct link_options
 * @hello: ours; it is sent by link_new()
 * @cancel: requested when the link is found to be lost while no call waits for it; may be NULL
 */
struct link_options {
	struct wire_hello hello;
	struct cancel *cancel;
};

/**
 * link_new() - say HELLO, and hear the other end's
 * @channel: taken in any case
 *
 * Return: 0; -EPROTO, -EPROTONOSUPPORT (ERR_PEER), also for an end that speaks something else (an
 * image, TLS, HTTP: named where it can be told); -ETIMEDOUT; -ECONNRESET; -ECANCELED.
 */
_must_check_ int link_new(struct channel *channel, const struct link_options *opts,
			  struct link **ret, struct err *err);

/**
 * link_begin() - the first half of link_new(): say HELLO
 * @channel: taken in any case
 *
 * For an end that has a last word for one that does not say HELLO: link_abort(). A source must
 * have none once it has decided.
 *
 * Return: 0; as channel_write().
 */
_must_check_ int link_begin(struct channel *channel, const struct link_options *opts,
			    struct link **ret, struct err *err);

/**
 * link_meet() - the second half: hear the other end's HELLO, before anything else is said or heard
 *
 * Return: as link_new(). @l stays the caller's in any case.
 */
_must_check_ int link_meet(struct link *l, struct err *err);

/** link_peer() - what the other end's HELLO says */
const struct wire_hello *link_peer(const struct link *l);

const char *link_name(const struct link *l);

/** link_fd() - readable when link_hear_now() may have something to hear */
int link_fd(const struct link *l);

/**
 * link_check() - what it has failed with, also while no call was waiting for it
 *
 * For work that ends by the cancel, to tell whether the link has requested that. Return: 0, or
 * the failure with its story. @err may be NULL.
 */
_must_check_ int link_check(struct link *l, struct err *err);

/** link_send() - a message without a payload of its own */
_must_check_ int link_send(struct link *l, const struct wire_message *m, struct err *err);

/** link_send_payload() - OFFER, VERDICT or FRAMES */
_must_check_ int link_send_payload(struct link *l, enum wire_type type, const void *payload,
				   size_t len, struct err *err);

/**
 * link_abort() - last words: ABORT with the reason, without waiting for a peer that does not read
 *
 * Cannot fail: the other end learns of it by the end of the channel otherwise.
 */
void link_abort(struct link *l, const struct err *why);

/**
 * link_hear() - the next message but HEARTBEAT; waits
 * @ret: of OFFER, VERDICT and FRAMES only type and size: their payload is read by
 *       link_read_payload(), all of it, before anything else is heard
 *
 * Return: 0; -ECONNRESET at the end of the channel, -ETIMEDOUT, -ECANCELED, -EPROTO.
 */
_must_check_ int link_hear(struct link *l, struct wire_message *ret, struct err *err);

/**
 * link_hear_now() - the same without waiting, but for the rest of a message that has begun
 *
 * Return: as link_hear(); -EAGAIN, without a story, for nothing.
 */
_must_check_ int link_hear_now(struct link *l, struct wire_message *ret, struct err *err);

/**
 * link_last_words() - the link has failed: what had the other end said by then?
 *
 * An end that gives up closes the link behind its ABORT. Return: 0, or negative for nothing more.
 */
_must_check_ int link_last_words(struct link *l, struct wire_message *ret);

/**
 * link_read_payload() - the next bytes of the FRAMES that were heard last
 *
 * Return: bytes, 0 when all of them were read; as link_hear().
 */
_must_check_ ssize_t link_read_payload(struct link *l, void *buf, size_t len, struct err *err);

/**
 * link_take_payload() - all of the OFFER or VERDICT that was heard last
 * @ret: NUL-terminated behind its @ret_len bytes; the caller's
 *
 * Return: 0; -EPROTO for a wrong checksum; as link_hear().
 */
_must_check_ int link_take_payload(struct link *l, char **ret, size_t *ret_len, struct err *err);

/** link_finish() - nothing more is said: as channel_finish(). */
_must_check_ int link_finish(struct link *l, struct err *err);

/** link_say_done() - DONE of @decision, which was another process's to carry out, and no more */
_must_check_ int link_say_done(struct link *l, const struct wire_decision *decision,
			       struct err *err);

struct link *link_free(struct link *l);
DEFINE_CLEANUP(struct link *, link_free)
