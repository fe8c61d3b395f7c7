// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/receive-parts.h"
#include "engine/recover-ask.h"

/* Between two looks at a link that may have fallen silent. */
#define RECEIVE_LOOK_MS 250

/* How long a word that was taken may need to be durable before its bearer hears of it. */
#define RECEIVE_ANSWER_S 5

/*
 * Those who connect, in their threads
 */

/* Under the lock: the HELLO of the newest try, as far as it tells transactions and tries apart. */
static enum move_try receive_wait_try(const struct receive *r, const struct wire_hello *hello)
{
	struct wire_hello known = { .generation = r->generation, .retries = r->retries };

	memcpy(known.txid, r->txid, sizeof(known.txid));
	return r->known ? move_try(&known, hello) : MOVE_TRY_OTHER;
}

static int receive_wait_admit_offer(struct receive *r, const struct wire_hello *hello,
				    struct err *why)
{
	enum move_try offered = receive_wait_try(r, hello);

	switch (move_admits(r->awaited ? MOVE_D_ABORTED : r->state, offered)) {
	case MOVE_ADMITTED:
		if (offered == MOVE_TRY_NEWER) {
			r->returned = true;
			r->retries = hello->retries;
		}
		return 0;
	case MOVE_STALE:
		return err_fail(why, ERR_ABORTED, -ESTALE,
				"transaction %s: it is not offered by its newest link", r->name);
	default:
		return err_fail(why, ERR_ABORTED, -EBUSY, "transaction %s is under way here",
				r->name);
	}
}

static int receive_wait_admit_decision(struct receive *r, bool same, const struct wire_message *m,
				       struct err *why)
{
	if (same && (r->state >= MOVE_D_PREPARED || r->awaited || r->done))
		return 0;
	return err_fail(why, ERR_ABORTED, -ESTALE, "%s decides nothing that is under way here",
			wire_name(m->type));
}

int receive_admit(void *ctx, const struct wire_hello *hello, const struct wire_message *first,
		  struct err *why)
{
	struct receive *r = ctx;
	bool same = receive_is(r, hello->txid, hello->generation), busy;
	int e;

	pthread_mutex_lock(&r->lock);
	busy = r->state != MOVE_D_AGREEING && r->state != MOVE_D_DONE;
	e = first->type == WIRE_OFFER ? receive_wait_admit_offer(r, hello, why)
				      : receive_wait_admit_decision(r, same, first, why);
	pthread_mutex_unlock(&r->lock);
	/* A source that has come again has lost the link that it had. */
	if (e >= 0 && same && busy)
		guests_hang_up(r->guests);
	return e;
}

/* What is known to this process it judges by its own state, whatever generation it is said of. */
int receive_settle(void *ctx, const struct wire_hello *hello, const struct wire_decision *decision,
		   struct cancel *cancel, struct err *why)
{
	struct receive *r = ctx;
	bool own;
	int e;

	pthread_mutex_lock(&r->lock);
	own = r->known && memcmp(r->txid, decision->txid, sizeof(r->txid)) == 0;
	pthread_mutex_unlock(&r->lock);
	if (own)
		return 0;
	e = receive_late_judge(r, hello, decision, cancel, why);
	return e < 0 ? e : GUESTS_SETTLED;
}

/* What a source's journal says of the transaction decides it, once this end is PREPARED. */
static enum move_event receive_wait_word_of(const struct receive *r, const struct wire_state *said)
{
	/* Another journal than the source's knows of nothing that it has decided. */
	if (said->role != WIRE_SOURCE ||
	    memcmp(said->journal, r->peer_journal, sizeof(said->journal)) != 0)
		return MOVE_NR_EVENTS;
	switch (said->phase) {
	case WIRE_PHASE_COMMITTED:
	case WIRE_PHASE_DONE:
		return MOVE_ON_COMMIT;
	case WIRE_PHASE_ABORTED:
	case WIRE_PHASE_NONE: /* presumed abort */
		return MOVE_ON_REFUSE;
	default:
		return MOVE_NR_EVENTS;
	}
}

static bool receive_wait_settles(enum move_state state)
{
	return state == MOVE_D_PREPARED || state == MOVE_D_COMMITTING;
}

/* Under the lock: until the word was taken, and what follows of it is durable, or for a while. */
static void receive_wait_for_answer(struct receive *r)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += RECEIVE_ANSWER_S;
	while (receive_wait_settles(r->state) &&
	       pthread_cond_timedwait(&r->changed, &r->lock, &until) == 0)
		;
}

/* What is told of the transaction that is under way in this process. */
static enum wire_phase receive_wait_phase_now(enum move_state state)
{
	if (state == MOVE_D_PREPARED || state >= MOVE_D_STARTING)
		return move_phase(state);
	return WIRE_PHASE_BUSY;
}

/* Return: whether it is under way still. */
static bool receive_wait_answer_own(struct receive *r, const struct guests_question *q,
				    struct wire_state *ret)
{
	const uint64_t one = 1;
	enum move_event word;
	bool under_way;

	pthread_mutex_lock(&r->lock);
	word = r->state == MOVE_D_PREPARED ? receive_wait_word_of(r, q->said) : MOVE_NR_EVENTS;
	/* What decides nothing leaves a word alone that was not taken yet. */
	if (word != MOVE_NR_EVENTS) {
		r->word = word;
		snprintf(r->word_by.by, sizeof(r->word_by.by), "%s", q->forced);
		if (write(r->word_fd, &one, sizeof(one)) >= 0)
			receive_wait_for_answer(r);
	}
	ret->phase = receive_wait_phase_now(r->state);
	under_way = r->state != MOVE_D_AGREEING;
	pthread_mutex_unlock(&r->lock);
	return under_way;
}

/* Another transaction's: for the recover of this end that it is left to. */
static int receive_wait_answer_other(struct receive *r, const struct guests_question *q,
				     struct wire_state *ret, struct err *why)
{
	int e;

	pthread_mutex_lock(&r->journal_lock);
	if (!*q->forced)
		recover_ask_note(r->options->journal, q->said);
	e = recover_ask_journal(r->options->journal, q->said, ret, why);
	pthread_mutex_unlock(&r->journal_lock);
	return e;
}

int receive_answer(void *ctx, const struct guests_question *q, struct wire_state *ret,
		   struct err *why)
{
	struct receive *r = ctx;
	const struct wire_state *said = q->said;
	enum wire_role role = said->role == WIRE_DESTINATION ? WIRE_SOURCE : WIRE_DESTINATION;
	bool own;

	own = role == WIRE_DESTINATION && receive_is(r, said->txid, said->generation);
	pthread_mutex_lock(&r->lock);
	own &= r->state != MOVE_D_AGREEING && r->state != MOVE_D_ACCEPTED;
	pthread_mutex_unlock(&r->lock);
	if (!own)
		return receive_wait_answer_other(r, q, ret, why);
	*ret = (struct wire_state){ .generation = said->generation, .role = WIRE_DESTINATION };
	memcpy(ret->txid, said->txid, sizeof(ret->txid));
	memcpy(ret->journal, journal_id(r->options->journal), sizeof(ret->journal));
	if (receive_wait_answer_own(r, q, ret))
		return 0;
	/* The worker may come to the end of it before this thread is awake: the record has that. */
	return receive_phase(r, said->txid, role, ret, why);
}

/*
 * The worker
 */

/* The eventfd is read first: a word that comes behind that is found, or wakes the next poll(). */
static enum move_event receive_wait_take_word(struct receive *r)
{
	enum move_event word;
	uint64_t count;

	if (read(r->word_fd, &count, sizeof(count)) < 0 && errno != EAGAIN)
		log_debug("eventfd: %s", err_name(-errno));
	pthread_mutex_lock(&r->lock);
	word = r->word;
	r->forced = r->word_by;
	r->word = MOVE_NR_EVENTS;
	r->word_by = (struct wire_forced){ 0 };
	pthread_mutex_unlock(&r->lock);
	return word;
}

static void receive_wait_follow_word(struct receive *r, enum move_event word)
{
	if (*r->forced.by)
		log_warn("transaction %s: recover brings a word that was forced: %s", r->name,
			 r->forced.by);
	else
		log_info("transaction %s: recover brings the source's word: %s", r->name,
			 word == MOVE_ON_COMMIT ? "committed" : "aborted");
	if (word == MOVE_ON_REFUSE)
		err_fail(&r->failed, ERR_ABORTED, -ECANCELED, "%s",
			 *r->forced.by ? "it was given up by recover --force=drop"
				       : "the source has given it up, as recover says");
	receive_event(r, word);
}

/* For a `recover` on this host, which finds the record locked. */
static int receive_wait_open_socket(struct receive *r, struct err *err)
{
	const struct peer_options peer = { .timeout_ms = r->options->peer.timeout_ms };
	_cleanup_free_ char *text = NULL;
	struct listener *listener;
	struct uri uri;
	int e;

	if (asprintf(&text, "unix:%s/%s.sock", journal_dir(r->options->journal), r->name) < 0) {
		text = NULL;
		return err_set(err, -ENOMEM, "recovery socket");
	}
	e = uri_parse(text, URI_SOCKET, &uri, err);
	if (e < 0)
		return e;
	e = listener_open(&uri, &peer, &listener, err);
	return e < 0 ? e : guests_listen(r->guests, listener, err);
}

/* Without it the source's own end can still resolve it; so it stops nothing. */
static void receive_wait_say_doubt(struct receive *r)
{
	char reason[ERR_REASON_MAX];
	struct err err = { 0 };

	if (r->said_doubt)
		return;
	r->said_doubt = true;
	if (receive_wait_open_socket(r, &err) < 0)
		log_warn("no recover on this host can bring the source's word: %s%s", err.text,
			 err_reason(&err, reason));
	if (r->options->told)
		r->options->told(r->options->ctx, RECEIVE_IN_DOUBT, r->result);
}

/* From here on a signal ends the wait; before it, the link that is there is left in peace. */
static void receive_wait_relink(struct receive *r)
{
	receive_did(r, MOVE_RELINK);
	receive_leave(r);
	if (!cancel_resume(r->cancel))
		log_debug("the user wants it to end");
	cancel_reopen(r->cancel);
}

/* Return: 1 when there was something to hear. */
static int receive_wait_listen(struct receive *r)
{
	struct wire_message m;
	struct err err = { 0 };
	int e;

	if (r->visitor && visitor_is_lost(r->visitor) && link_check(r->link, &err) >= 0) {
		err_fail(&err, ERR_ABORTED, -ECONNRESET, "%s: the source has come again",
			 link_name(r->link));
		receive_lost(r, &err);
		return 1;
	}
	e = link_check(r->link, &err);
	e = e < 0 ? e : link_hear_now(r->link, &m, &err);
	if (e == -EAGAIN)
		return 0;
	if (e < 0) {
		receive_link_failed(r, &err);
		return 1;
	}
	if (m.type == WIRE_OFFER) {
		err_fail(&err, ERR_PEER, -EPROTO, "%s: a second OFFER on one link",
			 link_name(r->link));
		receive_lost(r, &err);
		return 1;
	}
	receive_heard(r, &m);
	return 1;
}

/* One who has come for this transaction, with what it has said first. Return: as above. */
static int receive_wait_meet(struct receive *r)
{
	struct visitor *visitor = guests_receive(r->guests);

	if (!visitor)
		return 0;
	r->visitor = visitor;
	r->link = visitor_link(visitor);
	log_info("%s: has come for transaction %s", link_name(r->link), r->name);
	receive_heard(r, visitor_said(visitor));
	return 1;
}

static int receive_wait_poll(struct receive *r, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = r->word_fd, .events = POLLIN },
		{ .fd = r->link ? link_fd(r->link) : -1, .events = POLLIN },
		{ .fd = r->link ? -1 : guests_fd(r->guests), .events = POLLIN },
	};
	int e;

	if (!r->link)
		receive_wait_say_doubt(r);
	e = cancel_wait(r->cancel, p, ARRAY_SIZE(p), r->link ? RECEIVE_LOOK_MS : -1, err);

	if (e >= 0)
		return 0;
	err_fail(err, ERR_IN_DOUBT, e,
		 "transaction %s: interrupted while only the source knows what was decided",
		 r->name);
	return err_hint(err, e, "%s", r->doubt);
}

/* Once the decision is heard, it is carried out. */
static void receive_wait_carry_out(struct receive *r)
{
	if (r->state == MOVE_D_COMMITTING)
		cancel_close(r->cancel);
	receive_do(r);
	if (r->due & MOVE_RELINK)
		receive_wait_relink(r);
}

int receive_await(struct receive *r, struct err *err)
{
	receive_wait_carry_out(r);
	while (r->state == MOVE_D_PREPARED) {
		enum move_event word = receive_wait_take_word(r);
		int e = 1;

		if (word != MOVE_NR_EVENTS)
			receive_wait_follow_word(r, word);
		else
			e = r->link ? receive_wait_listen(r) : receive_wait_meet(r);
		receive_wait_carry_out(r);
		if (e || r->state != MOVE_D_PREPARED)
			continue;
		e = receive_wait_poll(r, err);
		if (e < 0)
			return e;
	}
	return 0;
}
