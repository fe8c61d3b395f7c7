// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <string.h>

#include "base/macros.h"
#include "engine/move.h"

/* One line of the machines: in @state, @event leads to @next, and has @actions done. */
struct move_row {
	enum move_state state;
	enum move_event event;
	enum move_state next;
	unsigned int actions;
};

#define S(name) MOVE_S_##name
#define D(name) MOVE_D_##name
#define ON(name) MOVE_ON_##name

/*
 * How either end gives up while it may: what it has, its record, and a word to the other end. The
 * source says it on a link that has fallen silent, too: an end that only stood still may read it
 * before it says READY, and then has no doubt.
 */
#define S_ABORT (MOVE_GIVE_BACK | MOVE_WRITE | MOVE_SEND_ABORT)
#define S_ABORT_UNHEARD (MOVE_GIVE_BACK | MOVE_WRITE)
#define D_ABORT (MOVE_DISCARD | MOVE_WRITE | MOVE_SEND_ABORT)
#define D_ABORT_UNHEARD (MOVE_DISCARD | MOVE_WRITE)

/* clang-format off */
static const struct move_row move_rows[] = {
	/*
	 * The source. Nothing is touched before its record is there, so that after a crash there is
	 * something to say where the devices were found.
	 */
	{ S(AGREEING),  ON(ACCEPT),      S(BEGINNING), MOVE_WRITE },
	{ S(AGREEING),  ON(REFUSE),      S(ABORTED),   0 },
	{ S(AGREEING),  ON(LOST),        S(ABORTED),   0 },
	{ S(AGREEING),  ON(BREACH),      S(ABORTED),   MOVE_SEND_ABORT },
	{ S(AGREEING),  ON(FAILED),      S(ABORTED),   MOVE_SEND_ABORT },
	{ S(AGREEING),  ON(CANCEL),      S(ABORTED),   MOVE_SEND_ABORT },

	{ S(BEGINNING), ON(WRITTEN),     S(BEGUN),     MOVE_TAKE },
	{ S(BEGINNING), ON(NOT_WRITTEN), S(ABORTED),   MOVE_SEND_ABORT },
	{ S(BEGINNING), ON(UNSURE),      S(ABORTED),   MOVE_SEND_ABORT },

	{ S(BEGUN),     ON(SENT),        S(ENDED),     MOVE_SEND_END },
	{ S(BEGUN),     ON(REFUSE),      S(ABORTED),   S_ABORT_UNHEARD },
	{ S(BEGUN),     ON(LOST),        S(ABORTED),   S_ABORT },
	{ S(BEGUN),     ON(BREACH),      S(ABORTED),   S_ABORT },
	{ S(BEGUN),     ON(FAILED),      S(ABORTED),   S_ABORT },
	{ S(BEGUN),     ON(CANCEL),      S(ABORTED),   S_ABORT },

	/* The other end has forgotten what it had of the state: it is offered and sent anew. */
	{ S(BROKEN),    ON(LINKED),      S(BROKEN),    MOVE_SEND_OFFER },
	{ S(BROKEN),    ON(ACCEPT),      S(BEGUN),     MOVE_TAKE },
	{ S(BROKEN),    ON(REFUSE),      S(ABORTED),   S_ABORT_UNHEARD },
	{ S(BROKEN),    ON(LOST),        S(ABORTED),   S_ABORT },
	{ S(BROKEN),    ON(BREACH),      S(ABORTED),   S_ABORT },
	{ S(BROKEN),    ON(FAILED),      S(ABORTED),   S_ABORT },
	{ S(BROKEN),    ON(CANCEL),      S(ABORTED),   S_ABORT },

	{ S(ENDED),     ON(READY),       S(DECIDING),  MOVE_WRITE },
	{ S(ENDED),     ON(REFUSE),      S(ABORTED),   S_ABORT_UNHEARD },
	{ S(ENDED),     ON(LOST),        S(ABORTED),   S_ABORT },
	{ S(ENDED),     ON(BREACH),      S(ABORTED),   S_ABORT },
	{ S(ENDED),     ON(FAILED),      S(ABORTED),   S_ABORT },
	{ S(ENDED),     ON(CANCEL),      S(ABORTED),   S_ABORT },

	/*
	 * The record decides. If the old one is there for sure, the source has not; if that is not
	 * sure, a crash may show either, and nothing is done that only one of both allows.
	 */
	{ S(DECIDING),  ON(WRITTEN),     S(COMMITTED), MOVE_SEND_COMMIT },
	{ S(DECIDING),  ON(NOT_WRITTEN), S(ABORTED),   S_ABORT },
	{ S(DECIDING),  ON(UNSURE),      S(UNSURE),    MOVE_RELEASE },

	{ S(COMMITTED), ON(DONE),        S(DONE),      MOVE_WRITE | MOVE_RELEASE },
	{ S(COMMITTED), ON(LOST),        S(COMMITTED), MOVE_RELINK },
	{ S(COMMITTED), ON(BREACH),      S(COMMITTED), MOVE_RELINK },
	{ S(COMMITTED), ON(REFUSE),      S(COMMITTED), MOVE_RELINK },
	{ S(COMMITTED), ON(LINKED),      S(COMMITTED), MOVE_SEND_COMMIT },

	/*
	 * The destination. Its record is there before its devices lose their own state.
	 */
	{ D(AGREEING),  ON(OFFER),       D(ACCEPTED),  MOVE_SEND_VERDICT },
	{ D(AGREEING),  ON(REFUSE),      D(ABORTED),   0 },
	{ D(AGREEING),  ON(LOST),        D(ABORTED),   0 },
	{ D(AGREEING),  ON(BREACH),      D(ABORTED),   MOVE_SEND_ABORT },
	{ D(AGREEING),  ON(FAILED),      D(ABORTED),   MOVE_SEND_VERDICT },
	{ D(AGREEING),  ON(CANCEL),      D(ABORTED),   MOVE_SEND_ABORT },

	{ D(ACCEPTED),  ON(FRAMES),      D(BEGINNING), MOVE_WRITE },
	{ D(ACCEPTED),  ON(REFUSE),      D(ABORTED),   0 },
	{ D(ACCEPTED),  ON(LOST),        D(ABORTED),   0 },
	{ D(ACCEPTED),  ON(BREACH),      D(ABORTED),   MOVE_SEND_ABORT },
	{ D(ACCEPTED),  ON(FAILED),      D(ABORTED),   MOVE_SEND_ABORT },
	{ D(ACCEPTED),  ON(CANCEL),      D(ABORTED),   MOVE_SEND_ABORT },

	{ D(BEGINNING), ON(WRITTEN),     D(LOADING),   MOVE_LOAD },
	{ D(BEGINNING), ON(NOT_WRITTEN), D(ABORTED),   MOVE_SEND_ABORT },
	{ D(BEGINNING), ON(UNSURE),      D(ABORTED),   MOVE_SEND_ABORT },

	{ D(LOADING),   ON(END),         D(JUDGING),   MOVE_JUDGE },
	{ D(LOADING),   ON(REFUSE),      D(ABORTED),   D_ABORT_UNHEARD },
	{ D(LOADING),   ON(LOST),        D(ABORTED),   D_ABORT_UNHEARD },
	{ D(LOADING),   ON(BREACH),      D(ABORTED),   D_ABORT },
	{ D(LOADING),   ON(FAILED),      D(ABORTED),   D_ABORT },
	{ D(LOADING),   ON(CANCEL),      D(ABORTED),   D_ABORT },

	{ D(JUDGING),   ON(TAKEN),       D(PREPARING), MOVE_WRITE },
	{ D(JUDGING),   ON(REFUSE),      D(ABORTED),   D_ABORT_UNHEARD },
	{ D(JUDGING),   ON(LOST),        D(ABORTED),   D_ABORT_UNHEARD },
	{ D(JUDGING),   ON(BREACH),      D(ABORTED),   D_ABORT },
	{ D(JUDGING),   ON(FAILED),      D(ABORTED),   D_ABORT },
	{ D(JUDGING),   ON(CANCEL),      D(ABORTED),   D_ABORT },

	/* READY has not been sent: the source cannot have decided. */
	{ D(PREPARING), ON(WRITTEN),     D(PREPARED),  MOVE_SEND_READY },
	{ D(PREPARING), ON(NOT_WRITTEN), D(ABORTED),   D_ABORT },
	{ D(PREPARING), ON(UNSURE),      D(ABORTED),   D_ABORT },

	/* The source alone decides now: what breaks the protocol decides nothing, either. */
	{ D(PREPARED),  ON(COMMIT),      D(COMMITTING), MOVE_WRITE },
	{ D(PREPARED),  ON(REFUSE),      D(ABORTED),   D_ABORT_UNHEARD },
	{ D(PREPARED),  ON(LOST),        D(PREPARED),  MOVE_RELINK },
	{ D(PREPARED),  ON(BREACH),      D(PREPARED),  MOVE_RELINK },

	/*
	 * The source offers the same transaction once more: it has not heard READY, and never will
	 * on that link. So it has not decided, and what was loaded counts for nothing.
	 */
	{ D(PREPARED),  ON(OFFER),       D(RENEWING),  MOVE_DISCARD | MOVE_WRITE },
	{ D(RENEWING),  ON(WRITTEN),     D(ACCEPTED),  MOVE_SEND_VERDICT },
	{ D(RENEWING),  ON(NOT_WRITTEN), D(ABORTED),   MOVE_SEND_ABORT },
	{ D(RENEWING),  ON(UNSURE),      D(ABORTED),   MOVE_SEND_ABORT },

	/*
	 * A destination that runs without a record of it would after a crash load the old state
	 * once more. It stays in doubt, as if it had not heard COMMIT: the source will not run.
	 */
	{ D(COMMITTING), ON(WRITTEN),     D(STARTING),  MOVE_START },
	{ D(COMMITTING), ON(NOT_WRITTEN), D(PREPARED),  MOVE_RELINK },
	{ D(COMMITTING), ON(UNSURE),      D(PREPARED),  MOVE_RELINK },

	{ D(STARTING),  ON(STARTED),     D(DONE),      MOVE_WRITE | MOVE_SEND_DONE | MOVE_RELEASE },
	{ D(STARTING),  ON(FAILED),      D(FAILED),    0 },
};
/* clang-format on */

struct move_step move_step(enum move_state state, enum move_event event, bool retry)
{
	if (retry && event == MOVE_ON_LOST &&
	    (state == MOVE_S_BEGUN || state == MOVE_S_ENDED || state == MOVE_S_BROKEN))
		return (struct move_step){ MOVE_S_BROKEN, MOVE_RELINK };
	for (size_t i = 0; i < ARRAY_SIZE(move_rows); i++)
		if (move_rows[i].state == state && move_rows[i].event == event)
			return (struct move_step){ move_rows[i].next, move_rows[i].actions };
	return (struct move_step){ state, 0 };
}

/* The messages that may come in each state, beside HEARTBEAT. */
enum move_event move_hears(enum move_state state, enum wire_type type)
{
	static const struct {
		enum move_state state;
		enum wire_type type;
		enum move_event event;
	} heard[] = {
		{ S(AGREEING), WIRE_VERDICT, ON(ACCEPT) }, { S(AGREEING), WIRE_ABORT, ON(REFUSE) },
		{ S(BROKEN), WIRE_VERDICT, ON(ACCEPT) },   { S(BROKEN), WIRE_ABORT, ON(REFUSE) },
		{ S(BEGUN), WIRE_ABORT, ON(REFUSE) },	   { S(ENDED), WIRE_ABORT, ON(REFUSE) },
		{ S(ENDED), WIRE_READY, ON(READY) },	   { S(COMMITTED), WIRE_DONE, ON(DONE) },
		{ D(AGREEING), WIRE_OFFER, ON(OFFER) },	   { D(AGREEING), WIRE_ABORT, ON(REFUSE) },
		{ D(ACCEPTED), WIRE_FRAMES, ON(FRAMES) },  { D(ACCEPTED), WIRE_ABORT, ON(REFUSE) },
		{ D(LOADING), WIRE_FRAMES, ON(FRAMES) },   { D(LOADING), WIRE_END, ON(END) },
		{ D(LOADING), WIRE_ABORT, ON(REFUSE) },	   { D(JUDGING), WIRE_ABORT, ON(REFUSE) },
		{ D(PREPARED), WIRE_COMMIT, ON(COMMIT) },  { D(PREPARED), WIRE_ABORT, ON(REFUSE) },
		{ D(PREPARED), WIRE_OFFER, ON(OFFER) },
	};

	for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
		if (heard[i].state == state && heard[i].type == type)
			return heard[i].event;
	return MOVE_ON_BREACH;
}

/*
 * Several links of one transaction
 *
 * A source that has lost its link connects again, while the destination may still speak to the old
 * one, or have it before it: links arrive in any order. Each HELLO has fewer retries left than the
 * one before, and the newest is the one that the source listens to.
 */

enum move_try move_try(const struct wire_hello *known, const struct wire_hello *hello)
{
	if (known->generation != hello->generation ||
	    memcmp(known->txid, hello->txid, sizeof(known->txid)) != 0)
		return MOVE_TRY_OTHER;
	return hello->retries < known->retries ? MOVE_TRY_NEWER : MOVE_TRY_OLDER;
}

enum move_admission move_admits(enum move_state state, enum move_try offered)
{
	if (state == MOVE_D_AGREEING)
		return MOVE_ADMITTED;
	switch (offered) {
	case MOVE_TRY_OLDER:
		return MOVE_STALE;
	case MOVE_TRY_NEWER:
		/* COMMIT was heard: a source that has decided does not offer it any more. */
		return state <= MOVE_D_RENEWING || state == MOVE_D_ABORTED ? MOVE_ADMITTED
									   : MOVE_BUSY;
	default:
		return MOVE_BUSY;
	}
}

/*
 * What follows from a state
 */

/**
 * struct move_meaning - of a state
 * @phase: what its record says; of a state in which one is written, what is written
 * @ahead: what comes next, where the way there is a wait in which that can be made ready
 * @sent, @received: the source's, the destination's
 */
struct move_meaning {
	const char *name;
	enum wire_phase phase, ahead;
	enum handover_sent sent;
	enum handover_received received;
};

static const struct move_meaning move_meanings[MOVE_NR_STATES] = {
	/* clang-format off */
	[S(AGREEING)]  = { "agreeing",  WIRE_PHASE_NONE,      .sent = HANDOVER_SENDING },
	[S(BEGINNING)] = { "beginning", WIRE_PHASE_BEGUN,     .sent = HANDOVER_SENDING },
	[S(BEGUN)]     = { "begun",     WIRE_PHASE_BEGUN,     .sent = HANDOVER_SENDING },
	[S(BROKEN)]    = { "broken",    WIRE_PHASE_BEGUN,     .sent = HANDOVER_SENDING },
	[S(ENDED)]     = { "ended",     WIRE_PHASE_BEGUN,     WIRE_PHASE_COMMITTED,
			   .sent = HANDOVER_SENDING },
	[S(DECIDING)]  = { "deciding",  WIRE_PHASE_COMMITTED, .sent = HANDOVER_ENDING },
	[S(COMMITTED)] = { "committed", WIRE_PHASE_COMMITTED, .sent = HANDOVER_DOUBT },
	[S(UNSURE)]    = { "unsure",    WIRE_PHASE_COMMITTED, .sent = HANDOVER_DOUBT },
	[S(DONE)]      = { "done",      WIRE_PHASE_DONE,      .sent = HANDOVER_ACCEPTED },
	[S(ABORTED)]   = { "aborted",   WIRE_PHASE_ABORTED,   .sent = HANDOVER_FAILED },

	[D(AGREEING)]   = { "agreeing",   WIRE_PHASE_NONE,      .received = HANDOVER_IDLE },
	[D(ACCEPTED)]   = { "accepted",   WIRE_PHASE_NONE,      .received = HANDOVER_IDLE },
	[D(BEGINNING)]  = { "beginning",  WIRE_PHASE_BEGUN,     .received = HANDOVER_IDLE },
	[D(LOADING)]    = { "loading",    WIRE_PHASE_BEGUN,     .received = HANDOVER_LOADING },
	[D(JUDGING)]    = { "judging",    WIRE_PHASE_BEGUN,     WIRE_PHASE_PREPARED,
			    .received = HANDOVER_LOADING },
	[D(PREPARING)]  = { "preparing",  WIRE_PHASE_PREPARED,  .received = HANDOVER_LOADING },
	[D(PREPARED)]   = { "prepared",   WIRE_PHASE_PREPARED,  WIRE_PHASE_COMMITTED,
			    .received = HANDOVER_ANSWERING },
	[D(RENEWING)]   = { "renewing",   WIRE_PHASE_BEGUN,     .received = HANDOVER_LOADING },
	[D(COMMITTING)] = { "committing", WIRE_PHASE_COMMITTED, .received = HANDOVER_ANSWERING },
	[D(STARTING)]   = { "starting",   WIRE_PHASE_COMMITTED, .received = HANDOVER_OWNED },
	[D(DONE)]       = { "done",       WIRE_PHASE_DONE,      .received = HANDOVER_OWNED },
	[D(FAILED)]     = { "failed",     WIRE_PHASE_COMMITTED, .received = HANDOVER_OWNED },
	[D(ABORTED)]    = { "aborted",    WIRE_PHASE_ABORTED,   .received = HANDOVER_LOADING },
	/* clang-format on */
};

enum wire_phase move_phase(enum move_state state)
{
	return move_meanings[state].phase;
}

enum wire_phase move_phase_ahead(enum move_state state)
{
	return move_meanings[state].ahead;
}

enum handover_sent move_sent(enum move_state state)
{
	return move_meanings[state].sent;
}

enum handover_received move_received(enum move_state state)
{
	return move_meanings[state].received;
}

bool move_decided(enum move_state state)
{
	return move_meanings[state].sent == HANDOVER_ENDING ||
	       move_meanings[state].sent == HANDOVER_DOUBT || state == MOVE_S_DONE ||
	       move_meanings[state].received >= HANDOVER_ANSWERING;
}

const char *move_state_name(enum move_state state)
{
	return move_meanings[state].name;
}

enum wire_role move_role(enum move_state state)
{
	return state < MOVE_D_AGREEING ? WIRE_SOURCE : WIRE_DESTINATION;
}
