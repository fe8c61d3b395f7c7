// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/receive-parts.h"

/* What a load does while it goes on, or when it gives up; and the waiting. */
#define RECEIVE_NOT_HERE \
	(MOVE_GIVE_BACK | MOVE_DISCARD | MOVE_LOAD | MOVE_JUDGE | MOVE_START | MOVE_RELINK)

static void receive_step_enter(struct receive *r, enum move_state state)
{
	struct event e = { .kind = EVENT_MOVE, .device = EVENT_SET, .move = state };

	if (r->state == state)
		return;
	pthread_mutex_lock(&r->lock);
	r->state = state;
	pthread_cond_broadcast(&r->changed);
	pthread_mutex_unlock(&r->lock);
	if (r->begun)
		r->result->state = state;
	log_debug("transaction %s: %s", r->name, move_state_name(state));
	event_emit(r->options->load.events, &e);
}

bool receive_is(struct receive *r, const uint8_t txid[WIRE_ID_SIZE], uint64_t generation)
{
	bool same;

	pthread_mutex_lock(&r->lock);
	same = r->known && r->generation == generation && !memcmp(r->txid, txid, WIRE_ID_SIZE);
	pthread_mutex_unlock(&r->lock);
	return same;
}

void receive_start_over(struct receive *r, const struct wire_hello *hello)
{
	char command[RECOVER_HINT_MAX];

	pthread_mutex_lock(&r->lock);
	memcpy(r->txid, hello->txid, sizeof(r->txid));
	memcpy(r->peer_journal, hello->journal, sizeof(r->peer_journal));
	r->generation = hello->generation;
	r->retries = hello->retries;
	r->known = true;
	r->returned = r->done = false;
	r->word = MOVE_NR_EVENTS;
	r->forced = r->word_by = (struct wire_forced){ 0 };
	r->state = MOVE_D_AGREEING;
	hex_encode(hello->txid, WIRE_ID_SIZE, r->name);
	pthread_mutex_unlock(&r->lock);
	snprintf(r->doubt, sizeof(r->doubt),
		 "%s, with vfiomigctl recover --serve=URI at the source",
		 recover_hint_command(command, r->options->journal, true, r->name));
	if (r->begun)
		r->result->state = MOVE_D_AGREEING;
	r->due = 0;
	r->failed = (struct err){ 0 };
	r->lost = r->said_doubt = false;
}

void receive_event(struct receive *r, enum move_event event)
{
	struct move_step step = move_step(r->state, event, false);

	r->lost |= event == MOVE_ON_LOST;
	r->due |= step.actions;
	receive_step_enter(r, step.next);
}

void receive_leave(struct receive *r)
{
	if (r->visitor)
		r->visitor = visitor_leave(r->visitor);
	else
		link_free(r->link);
	r->link = NULL;
}

void receive_lost(struct receive *r, const struct err *why)
{
	char reason[ERR_REASON_MAX];

	log_info("transaction %s: the link is lost: %s%s", r->name, why->text,
		 err_reason(why, reason));
	if (!r->failed.code)
		r->failed = *why;
	receive_event(r, why->kind == ERR_PEER ? MOVE_ON_BREACH : MOVE_ON_LOST);
}

bool receive_has_returned(struct receive *r)
{
	bool returned;

	pthread_mutex_lock(&r->lock);
	returned = r->returned;
	pthread_mutex_unlock(&r->lock);
	return returned;
}

enum move_event receive_failure(struct receive *r, const struct err *why)
{
	struct err lost = { 0 };

	if (r->state >= MOVE_D_STARTING)
		return MOVE_ON_FAILED;
	if (r->link && link_check(r->link, &lost) < 0) {
		r->failed = lost;
		return lost.kind == ERR_PEER ? MOVE_ON_BREACH : MOVE_ON_LOST;
	}
	if (!r->failed.code)
		r->failed = *why;
	if (receive_has_returned(r))
		return MOVE_ON_LOST;
	return atomic_load(&r->cancel->asked) ? MOVE_ON_CANCEL : MOVE_ON_FAILED;
}

/* The cancel that a lost link has requested ends no work that its last words have begun. */
static bool receive_step_hear_last_words(struct receive *r)
{
	struct wire_message m;

	if (!r->link || r->state != MOVE_D_PREPARED || link_last_words(r->link, &m) < 0)
		return false;
	if (m.type != WIRE_COMMIT && m.type != WIRE_ABORT)
		return false;
	if (!cancel_resume(r->cancel))
		log_debug("the user wants it to end");
	receive_heard(r, &m);
	return true;
}

void receive_link_failed(struct receive *r, const struct err *why)
{
	if (!receive_step_hear_last_words(r))
		receive_lost(r, why);
}

/* For the other end's own words. */
static void receive_step_refused(struct receive *r, const struct wire_abort *abort)
{
	err_fail(&r->failed, ERR_ABORTED, -ECANCELED, "%s: the source has given it up: %s",
		 r->link ? link_name(r->link) : "recover",
		 *abort->reason ? abort->reason : "no reason given");
}

/* A COMMIT of another transaction decides nothing about this one. */
static bool receive_step_decides(struct receive *r, const struct wire_message *m)
{
	return m->type != WIRE_COMMIT || receive_is(r, m->decision.txid, m->decision.generation);
}

void receive_heard(struct receive *r, const struct wire_message *m)
{
	enum move_event event = move_hears(r->state, m->type);
	struct err why = { 0 };

	if (!receive_step_decides(r, m)) {
		err_fail(&why, ERR_PEER, -EPROTO, "%s: COMMIT of another transaction",
			 link_name(r->link));
		receive_lost(r, &why);
		return;
	}
	if (event == MOVE_ON_BREACH) {
		err_fail(&why, ERR_PEER, -EPROTO, "%s: %s where it means nothing (%s)",
			 link_name(r->link), wire_name(m->type), move_state_name(r->state));
		receive_lost(r, &why);
		return;
	}
	if (event == MOVE_ON_REFUSE)
		receive_step_refused(r, &m->abort);
	if (event == MOVE_ON_END)
		r->end = m->end;
	receive_event(r, event);
}

/*
 * What is to be done
 */

static void receive_step_write(struct receive *r)
{
	receive_event(r, receive_record(r, move_phase(r->state)));
}

static void receive_step_send(struct receive *r, enum wire_type type)
{
	struct wire_message m = { .type = type };
	struct err err = { 0 };

	if (!r->link)
		return;
	if (type == WIRE_READY) {
		m.end = r->end;
	} else {
		memcpy(m.decision.txid, r->txid, sizeof(m.decision.txid));
		m.decision.generation = r->generation;
	}
	if (link_send(r->link, &m, &err) < 0)
		receive_link_failed(r, &err);
}

static void receive_step_send_abort(struct receive *r)
{
	if (r->link && r->failed.code)
		link_abort(r->link, &r->failed);
}

static void receive_step_send_ready(struct receive *r)
{
	receive_step_send(r, WIRE_READY);
	/* The source writes its decision meanwhile. */
	receive_record_ahead(r);
}

static void receive_step_send_done(struct receive *r)
{
	receive_step_send(r, WIRE_DONE);
}

static void receive_step_nothing(struct receive *r)
{
	(void)r;
}

/* VERDICT is said by receive_agree(), which has it; the devices stay open until all is over. */
static const struct receive_action {
	enum move_action action;
	void (*fn)(struct receive *r);
} receive_actions[] = {
	{ MOVE_WRITE, receive_step_write },	      { MOVE_SEND_VERDICT, receive_step_nothing },
	{ MOVE_SEND_READY, receive_step_send_ready }, { MOVE_SEND_DONE, receive_step_send_done },
	{ MOVE_SEND_ABORT, receive_step_send_abort }, { MOVE_RELEASE, receive_step_nothing },
};

void receive_did(struct receive *r, unsigned int actions)
{
	r->due &= ~actions;
}

void receive_do(struct receive *r)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(receive_actions) && !(r->due & (MOVE_GIVE_BACK | MOVE_DISCARD))) {
		const struct receive_action *a = &receive_actions[i++];

		if (!(r->due & (unsigned int)a->action))
			continue;
		receive_did(r, a->action);
		a->fn(r);
		i = 0; /* what came of it may be due before the rest */
	}
	assert(!(r->due & ~(unsigned int)RECEIVE_NOT_HERE) ||
	       r->due & (MOVE_GIVE_BACK | MOVE_DISCARD));
}
