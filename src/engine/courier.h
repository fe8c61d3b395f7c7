/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The source's half of what is said in a move
 *
 * Connects, offers, sends the image in FRAMES, and turns what the other end says, or does not say,
 * into the events of engine/move.h. It decides nothing.
 */

#include <pthread.h>

#include "engine/link.h"
#include "engine/move.h"
#include "image/manifest.h"
#include "image/receipt.h"
#include "transport/peer.h"
#include "transport/uri.h"
#include "wire/verdict.h"

/* No event: the call went well, and what follows is heard. */
#define COURIER_NONE MOVE_NR_EVENTS

/**
 * struct courier
 * @uri, @peer: where the other end is; the caller's
 * @hello: ours, with the transaction
 * @cancel: of the work
 * @link: NULL before courier_dial()
 * @journal: of the end that answered first, if @acquainted; no other one gets the state
 * @sent: what END has said, valid after courier_end()
 * @lock: of @met, @why and @taking, and of hearing while the stream's threads may write
 * @taking: the other end's devices are in RESUMING, of this link
 * @refuses: what the other end does by ABORT, for the story: behind COMMIT it ends nothing
 * @met: what has ended the stream, with its story @why; or COURIER_NONE
 * @verdict: what the other end says of the offer, once it was heard
 */
struct courier {
	const struct uri *uri;
	const struct peer_options *peer;
	struct wire_hello hello;
	struct cancel *cancel;
	struct link *link;
	bool acquainted;
	uint8_t journal[WIRE_ID_SIZE];
	struct wire_end sent;
	pthread_mutex_t lock;
	bool taking;
	const char *refuses;
	enum move_event met;
	struct err why;
	struct verdict verdict;
};

/** courier_init() - with where, hello and cancel set; courier_done() in any case */
void courier_init(struct courier *c);
void courier_done(struct courier *c);

/** courier_can_redial() - where it leads to can be connected to once more */
bool courier_can_redial(const struct courier *c);

/**
 * courier_dial() - connect, in place of the link before, and hear HELLO
 *
 * An end with another journal than the first time is closed again, and MOVE_ON_LOST: the one that
 * was lost may have the state, and would be told of a decision that was made with another one.
 *
 * Return: MOVE_ON_LINKED, MOVE_ON_LOST or MOVE_ON_CANCEL; with a story but for the first.
 */
enum move_event courier_dial(struct courier *c, struct err *err);

/*
 * What is said. Return: COURIER_NONE, MOVE_ON_LOST, MOVE_ON_REFUSE or MOVE_ON_CANCEL; with a story
 * but for the first.
 */
enum move_event courier_offer(struct courier *c, const struct image_manifest *m, struct err *err);
enum move_event courier_end(struct courier *c, const struct image_receipt *receipt, uint64_t bytes,
			    struct err *err);
enum move_event courier_commit(struct courier *c, struct err *err);

/** courier_abort() - as link_abort(), if there is a link */
void courier_abort(struct courier *c, const struct err *why);

/**
 * courier_write() - an image_write_fn: FRAMES, unless the other end has said something meanwhile
 *
 * What it said courier_met() has then.
 */
int courier_write(void *courier, const void *buf, size_t len, struct err *err);

/**
 * courier_await_taking() - wait until the other end's devices are in RESUMING, if it says so
 *
 * For devices that run meanwhile. The image has been begun: without that the other end does not
 * open its devices. An end that has no word for it is not waited for.
 *
 * Return: 0; as courier_write().
 */
_must_check_ int courier_await_taking(struct courier *c, struct err *err);

/** courier_met() - what the stream has met by now, with its story; or COURIER_NONE */
enum move_event courier_met(struct courier *c, struct err *err);

/**
 * courier_hear() - wait for what the other end says to the source in @state
 *
 * Return: as move_hears(), a READY or DONE for something else being MOVE_ON_LOST (ERR_PEER); a
 * VERDICT that refuses MOVE_ON_REFUSE; MOVE_ON_CANCEL. With a story for these three.
 */
enum move_event courier_hear(struct courier *c, enum move_state state, struct err *err);
