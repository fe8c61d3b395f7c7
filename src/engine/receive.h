/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The destination of a move between hosts
 *
 * Carries out what engine/move.h says of its end: with load_run() for the devices, guests.h for
 * those who connect, journal.h for what has to outlive this process, spool.h for a state that would
 * not.
 */

#include "base/cancel.h"
#include "engine/journal.h"
#include "engine/load.h"
#include "engine/move.h"
#include "transport/listener.h"

/** enum receive_news - what the user may want to hear while it goes on */
enum receive_news {
	RECEIVE_BEGINS, /* a state comes */
	RECEIVE_AWAITS_SOURCE, /* the link is lost before READY: the source may come again */
	RECEIVE_IN_DOUBT, /* the link is lost after READY: the source's word is waited for */
	RECEIVE_OVER, /* of --keep: the transaction is */
};

/**
 * struct receive_options - what to receive, and where
 * @load: devices, and what is to become of them; not where the state comes from
 * @journal: the caller's
 * @listener: where sources connect to; taken in any case; NULL for @uri
 * @uri: URI_CHANNEL: the one link there is
 * @peer: how to speak at @uri
 * @spool: the folder for a copy of the image, or NULL
 * @keep: serve one transaction after the other, until it is cancelled
 * @fit: of @uri, before what is offered by it is judged: whether the devices can take anything.
 *	May be NULL. Return: 0, or why not, which the source is told.
 * @told: may be NULL; called in the worker's thread
 */
struct receive_result;
struct receive_options {
	struct load_options load;
	struct journal *journal;
	struct listener *listener;
	struct uri uri;
	struct peer_options peer;
	const char *spool;
	bool keep;
	int (*fit)(void *ctx, struct err *err);
	void (*told)(void *ctx, enum receive_news news, const struct receive_result *result);
	void *ctx;
};

#define RECEIVE_TXID_TEXT (2 * WIRE_ID_SIZE + 1)

/**
 * struct receive_result - what came of the transaction; of several, of the last that has begun
 * @load: as of load_run(); load_result_done() frees it
 * @txid: in hexadecimal; empty until the first of a state has come
 * @state: where the machine has come to
 * @source: the name of the link
 * @spool: path of the copy that is kept, or empty
 */
struct receive_result {
	struct load_result load;
	char txid[RECEIVE_TXID_TEXT];
	enum move_state state;
	char source[128];
	char spool[PATH_MAX];
};

void receive_result_done(struct receive_result *result);

/**
 * receive_run() - wait for a source, take its state, start it when the source has decided so
 *
 * A source whose devices do not fit is told so, and others are waited for. Once a transaction has
 * begun it is the only one: it ends done, or aborted with the devices reset and stopped, unless the
 * source comes again. After READY nothing but the source's word ends it, or that of `recover` that
 * comes for it, here or at STATE_DIR/TXID.sock; a cancel leaves it in doubt.
 *
 * Called in a thread with every signal blocked. Return: 0; negative errno with the kind that
 * @ret->load.verdict has: -ECANCELED (ERR_IN_DOUBT), -ECANCELED (ERR_ABORTED) while nothing was
 * there. @ret is set in any case.
 */
_must_check_ int receive_run(const struct receive_options *options, struct cancel *cancel,
			     struct receive_result *ret, struct err *err);
