/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Those who connect to a destination, before and while it takes a state, or to `recover --serve`
 *
 * Each is listened to in a thread of its own, so that one that is slow, silent or speaks junk keeps
 * no source out, and what it may cost is bounded: a place of GUESTS_MAX, and the time in which it
 * has to say what it brings. When all places are taken, the visitor that has said the least for the
 * longest time has to go. One that brings a state, or a decision, waits to be received; one that
 * asks what is known of a transaction is answered at once, and may ask on for as long as its link
 * holds and its place is not needed.
 */

#include "base/cancel.h"
#include "engine/link.h"
#include "transport/listener.h"

#define GUESTS_MAX 8u

/* Of struct guests_ops. */
#define GUESTS_SETTLED 1

struct guests;
struct visitor;

/**
 * struct guests_question - ASK or TELL has come
 * @said: what it says
 * @forced: a user has decided so, as FORCED before it has told; or empty
 * @cancel: the answer is not waited for any longer
 */
struct guests_question {
	const struct wire_state *said;
	const char *forced;
	struct cancel *cancel;
};

/**
 * struct guests_ops - what its owner says to them; called in the guests' threads, several at once
 */
struct guests_ops {
	/**
	 * @admit: One with this HELLO brings @first: OFFER, COMMIT or ABORT.
	 * It waits for nothing that the owner does.
	 * Return: 0: it is to be received; or why not, which it is told.
	 */
	int (*admit)(void *ctx, const struct wire_hello *hello, const struct wire_message *first,
		     struct err *why);

	/**
	 * @settle: COMMIT has come: of a transaction that is not the owner's to decide about now?
	 * May be NULL.
	 * It may take its time, in which others are served, until @cancel.
	 * Return: 0: it is the owner's, and admit() judges it; GUESTS_SETTLED: it is done here, and
	 * the source is told so; or why that cannot be said, which it is told.
	 */
	int (*settle)(void *ctx, const struct wire_hello *hello,
		      const struct wire_decision *decision, struct cancel *cancel, struct err *why);

	/** @answer: Return: 0, or why there is no answer. */
	int (*answer)(void *ctx, const struct guests_question *q, struct wire_state *ret,
		      struct err *why);

	/** @answered: One that was answered has gone. May be NULL. */
	void (*answered)(void *ctx);
};

/**
 * struct guests_options
 * @hello: ours
 * @cancel: of the work: ends what is said with the visitor that was received, until the point of no
 *          return; stopped when that one's link is lost
 * @timeout_ms: for a visitor to say HELLO, and four times that to say what it brings
 */
struct guests_options {
	const struct guests_ops *ops;
	void *ctx;
	struct wire_hello hello;
	struct cancel *cancel;
	int timeout_ms;
};

_must_check_ int guests_new(const struct guests_options *opts, struct guests **ret,
			    struct err *err);

/** guests_listen() - at @l, too, of two at most; it is taken in any case */
_must_check_ int guests_listen(struct guests *g, struct listener *l, struct err *err);

/** guests_close_socket() - the second one is listened at no more, if there is one */
void guests_close_socket(struct guests *g);

/** guests_fd() - readable while one waits to be received */
int guests_fd(const struct guests *g);

/**
 * guests_receive() - the one that has waited the longest
 *
 * Return: it, until visitor_leave(); NULL for none.
 */
struct visitor *guests_receive(struct guests *g);

/**
 * guests_turn_away() - those that wait to be received are told @why
 * @link: the one that is listened to
 *
 * But for a source that has come by a newer link than @link, of the same transaction: it waits on.
 * Those whom admit() has let in count, or is just asked about: it answers without waiting.
 *
 * Return: whether there is one. @link is of no use then.
 */
_must_check_ bool guests_turn_away(struct guests *g, const struct link *link,
				   const struct err *why);

struct link *visitor_link(struct visitor *visitor);

/** visitor_said() - what it brings: OFFER, COMMIT or ABORT */
const struct wire_message *visitor_said(const struct visitor *visitor);

/** visitor_offer() - the text of its OFFER, its own, and NUL-terminated behind @ret_len bytes */
const char *visitor_offer(const struct visitor *visitor, size_t *ret_len);

/** visitor_is_lost() - by guests_hang_up(), or by its link while no call waited for that */
bool visitor_is_lost(const struct visitor *visitor);

/** visitor_leave() - the connection is closed. @visitor may be NULL. Return: NULL. */
struct visitor *visitor_leave(struct visitor *visitor);

/** guests_hang_up() - from any thread: the link of the visitor that was received is lost */
void guests_hang_up(struct guests *g);

/** guests_free() - none that was received may be there still */
struct guests *guests_free(struct guests *g);
DEFINE_CLEANUP(struct guests *, guests_free)
