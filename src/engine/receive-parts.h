/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a destination is made of, for the receive*.c
 */

#include <pthread.h>

#include "engine/guests.h"
#include "engine/leftover.h"
#include "engine/load-carrier.h"
#include "engine/receive.h"
#include "engine/recover-hint.h"
#include "engine/spool.h"
#include "wire/verdict.h"

/**
 * struct receive - a destination at work
 * @carrier: of the load that is under way
 * @guests: NULL where there is one link alone
 * @lock: of what follows, up to @changed, which other threads than the worker read
 * @state: the worker alone changes it
 * @txid, @generation, @peer_journal: of the transaction; kept until another one is agreed on
 * @name: @txid in hexadecimal
 * @retries: of the HELLO of its newest try
 * @known: they are of one
 * @awaited: it was broken off, and its source may come again: no other one is taken
 * @returned: it has come
 * @done: it is over, and its state is here: a COMMIT that comes again is answered
 * @word: what `recover` has brought for a destination that is PREPARED; MOVE_NR_EVENTS for nothing
 * @word_by: who has forced that; empty for a word of the source's, and for nothing
 * @word_fd: readable then
 * @journal_lock: one thread at a time uses the journal
 * @due: enum move_action, what is still to be carried out
 * @begun: the first of its state has come: @result is of it, and not of the one before
 * @source: who has offered it
 * @visitor, @link: whom the worker listens to, NULL for none; without a visitor it is the one link
 * @tries: how often its source may still come again
 * @room: bytes for @spool when it was opened; 0 where that is not known
 * @expected: what its source says that the state comes to; 0 where it does not
 * @end: of END; @bytes: of FRAMES so far
 * @forced: as @word_by, of the word that was followed; for the record
 * @failed: the story of what has failed at this end, or was heard of the other; code 0 for none
 * @lost: the link was, as the machine has heard
 * @said_doubt: the user knows that it is in doubt
 * @found: of each device the transaction whose state it had at the start; zeroes for none
 * @held: the transaction whose state this process has put into the devices; empty for none
 */
struct receive {
	const struct receive_options *options;
	struct receive_result *result;
	struct cancel *cancel;
	struct load_carrier carrier;
	struct guests *guests;

	pthread_mutex_t lock;
	enum move_state state;
	uint8_t txid[WIRE_ID_SIZE], peer_journal[WIRE_ID_SIZE];
	char name[RECEIVE_TXID_TEXT];
	uint64_t generation;
	uint32_t retries;
	bool known, awaited, returned, done;
	enum move_event word;
	struct wire_forced word_by;
	pthread_cond_t changed;
	int word_fd;

	pthread_mutex_t journal_lock;
	unsigned int due;
	bool begun;
	char source[128];
	struct visitor *visitor;
	struct link *link;
	uint32_t tries;
	struct journal_entry *entry;
	struct spool *spool;
	uint64_t room, expected;
	struct wire_end end;
	uint64_t bytes;
	struct wire_forced forced;
	struct err failed;
	bool lost, said_doubt;
	char doubt[RECOVER_HINT_MAX + 64];
	uint8_t (*found)[WIRE_ID_SIZE];
	char held[RECEIVE_TXID_TEXT];
};

/*
 * receive-step.c: the machine
 */

/** receive_is() - from any thread: @txid and @generation are those of the transaction */
bool receive_is(struct receive *r, const uint8_t txid[WIRE_ID_SIZE], uint64_t generation);

/** receive_start_over() - a new transaction, or another try: the state is AGREEING */
void receive_start_over(struct receive *r, const struct wire_hello *hello);

/** receive_event() - let the machine go on; what is to be done is added to @r->due */
void receive_event(struct receive *r, enum move_event event);

/**
 * receive_do() - carry out what is due and not the load's, with all that comes of it
 *
 * What fails is an event again, its story in @r->failed. DISCARD, GIVE_BACK, LOAD, JUDGE, START and
 * RELINK stay due: what follows DISCARD waits for it.
 */
void receive_do(struct receive *r);

/** receive_did() - these were carried out */
void receive_did(struct receive *r, unsigned int actions);

/** receive_leave() - the link is of no use any more */
void receive_leave(struct receive *r);

/** receive_heard() - a message that has no payload of its own, or whose payload was judged */
void receive_heard(struct receive *r, const struct wire_message *m);

/** receive_lost() - the link is, for the reason @why; ERR_PEER: its end breaks the protocol */
void receive_lost(struct receive *r, const struct err *why);

/**
 * receive_link_failed() - the same, of a call of the link that has failed with @why
 *
 * What the source had said by then counts first, where only its word is waited for: it may have
 * decided, or given up, and closed the link behind that.
 */
void receive_link_failed(struct receive *r, const struct err *why);

/** receive_has_returned() - its source has come again: the link that it had is of no use */
bool receive_has_returned(struct receive *r);

/** receive_failure() - what a failure of the load is to the machine, which may know it already */
enum move_event receive_failure(struct receive *r, const struct err *why);

/*
 * receive-carrier.c: how a state comes to the load
 */

extern const struct load_carrier_ops receive_carrier_ops;

/*
 * receive-record.c: the journal
 */

/** receive_record() - make @phase durable. Return: what that came to, its story in @r->failed */
enum move_event receive_record(struct receive *r, enum wire_phase phase);

/**
 * receive_record_ahead() - have what the record will say ready, if it is known
 *
 * As journal_prepare(): for when this end waits anyway.
 */
void receive_record_ahead(struct receive *r);

/** receive_each_left() - as leftover_each(), of @r's devices; @fn has @r, and the journal locked */
_must_check_ int receive_each_left(struct receive *r, leftover_fn *fn, struct err *err);

/** receive_phase() - from any thread: what the journal says of another transaction */
_must_check_ int receive_phase(struct receive *r, const uint8_t txid[WIRE_ID_SIZE],
			       enum wire_role role, struct wire_state *ret, struct err *err);

/*
 * receive-offer.c
 */

/** receive_judge_left() - may what is here be lost? Return: 0; -EBUSY (ERR_ABORTED): it may not */
_must_check_ int receive_judge_left(struct receive *r, struct err *why);

/** receive_judge() - whether the devices fit what is offered. @why: as @v->reason, with its kind */
_must_check_ int receive_judge(struct receive *r, const char *offer, size_t len, struct verdict *v,
			       struct err *why);

/*
 * receive-wait.c: after READY
 */

/** receive_admit(), receive_answer(), receive_settle() - of struct guests_ops */
int receive_admit(void *ctx, const struct wire_hello *hello, const struct wire_message *first,
		  struct err *why);
int receive_answer(void *ctx, const struct guests_question *q, struct wire_state *ret,
		   struct err *why);
int receive_settle(void *ctx, const struct wire_hello *hello, const struct wire_decision *decision,
		   struct cancel *cancel, struct err *why);

/**
 * receive_await() - READY was said, or could not be: wait for the decision
 *
 * Return: 0: the machine has left PREPARED; -ECANCELED (ERR_IN_DOUBT).
 */
_must_check_ int receive_await(struct receive *r, struct err *err);

/*
 * receive-room.c
 */

/** receive_room_look() - how much the spool's folder has for what is to come */
void receive_room_look(struct receive *r);

/** receive_room_say() - to a user who wants to know more: of a source that says no size */
void receive_room_say(const struct receive *r);

/** receive_room_judge() - writing the spool has come to @code. Return: it, with the room before */
int receive_room_judge(const struct receive *r, int code, struct err *err);

/*
 * receive-late.c: another process's transaction
 */

/**
 * receive_late_judge() - from any thread: COMMIT has come for a transaction that is not @r's own
 * @hello: of its bearer
 *
 * A process of this host that waits for the word gets it. @cancel ends the wait for what it does.
 *
 * Return: 0: it is done, and DONE may be said; -EBUSY (ERR_IN_DOUBT), with the phase that the
 * journal says and what resolves it: it is not; -ESTALE (ERR_ABORTED): it is none of the journal's;
 * as journal_phase().
 */
_must_check_ int receive_late_judge(struct receive *r, const struct wire_hello *hello,
				    const struct wire_decision *decision, struct cancel *cancel,
				    struct err *err);

/**
 * receive_late_decision() - COMMIT has come by the one link: it is judged, and answered
 *
 * What is done is said to be (DONE). Else the source is told where it stands by an ABORT that
 * decides nothing (ERR_IN_DOUBT), and goes on asking.
 *
 * Return: -EALREADY (ERR_ABORTED): DONE was said; as receive_late_judge() and link_send().
 */
_must_check_ int receive_late_decision(struct receive *r, const struct wire_decision *decision,
				       struct err *err);
