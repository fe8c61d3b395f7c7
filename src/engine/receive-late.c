// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/receive-parts.h"
#include "engine/recover-ask.h"

/*
 * A source that has lost its link behind the decision comes again, and may meet another process:
 * it starts its command once more, or this end was killed and started again at the same address.
 * The transaction is that of an earlier process, which waits for the source's word or has brought
 * it to its end: the journal says which, and the process that waits is told.
 */

static struct wire_state receive_late_word(const struct wire_hello *hello,
					   const struct wire_decision *decision)
{
	struct wire_state word = {
		.generation = decision->generation,
		.role = WIRE_SOURCE,
		.phase = WIRE_PHASE_COMMITTED,
	};

	memcpy(word.txid, decision->txid, sizeof(word.txid));
	memcpy(word.journal, hello->journal, sizeof(word.journal));
	return word;
}

/* Between two looks at what another process does. */
#define LATE_LOOK_MS 50

/* That process starts the devices, which is all that is left until its record says DONE. */
static int receive_late_await_start(struct receive *r, const uint8_t txid[WIRE_ID_SIZE],
				    struct cancel *cancel, struct wire_state *ret, struct err *err)
{
	uint64_t until_ns = clock_ns() + (uint64_t)r->options->peer.timeout_ms * NSEC_PER_MSEC;
	int e;

	do {
		e = cancel_pause(cancel, LATE_LOOK_MS, err);
		if (e < 0)
			return e;
		e = receive_phase(r, txid, WIRE_DESTINATION, ret, err);
	} while (e >= 0 && ret->phase == WIRE_PHASE_BUSY && clock_ns() < until_ns);
	return e;
}

/* Where this end's journal and the process that works on it, if there is one, say it is. */
static int receive_late_phase(struct receive *r, const struct wire_state *word,
			      struct cancel *cancel, struct wire_state *ret, struct err *err)
{
	const struct receive_options *o = r->options;
	const struct recover_word relayed = { .says = *word };
	struct err unheard = { 0 };
	struct wire_state worker;
	int e;

	e = receive_phase(r, word->txid, WIRE_DESTINATION, ret, err);
	if (e < 0 || ret->phase != WIRE_PHASE_BUSY)
		return e;
	if (recover_ask_worker(o->journal, &relayed, o->peer.timeout_ms, cancel, &worker,
			       &unheard) < 0) {
		log_info("%s", unheard.text);
		return 0;
	}
	if (worker.phase == WIRE_PHASE_COMMITTED)
		return receive_late_await_start(r, word->txid, cancel, ret, err);
	ret->phase = worker.phase;
	ret->generation = worker.generation;
	return 0;
}

int receive_late_judge(struct receive *r, const struct wire_hello *hello,
		       const struct wire_decision *decision, struct cancel *cancel, struct err *err)
{
	const struct wire_state word = receive_late_word(hello, decision);
	char txid[2 * WIRE_ID_SIZE + 1], command[RECOVER_HINT_MAX];
	struct wire_state here;
	bool asks;
	int e;

	hex_encode(decision->txid, WIRE_ID_SIZE, txid);
	e = receive_late_phase(r, &word, cancel, &here, err);
	if (e < 0)
		return e;
	if (here.phase == WIRE_PHASE_DONE && here.generation == decision->generation)
		return 0;
	if (here.phase == WIRE_PHASE_NONE ||
	    (here.phase != WIRE_PHASE_BUSY && here.generation != decision->generation))
		return err_fail(err, ERR_ABORTED, -ESTALE,
				"transaction %s: COMMIT decides nothing here", txid);
	asks = recover_hint_asks(WIRE_DESTINATION, here.phase, NULL);
	/* The source's user is told this, too. */
	return err_fail(err, ERR_IN_DOUBT, -EBUSY,
			"transaction %s is not done here: its record says %s; %s at the "
			"destination resolves it%s",
			txid, wire_phase_name(here.phase),
			recover_hint_command(command, r->options->journal, asks, txid),
			asks ? ", with vfiomigctl recover --serve=URI at the source" : "");
}

static int receive_late_say_done(struct receive *r, const struct wire_decision *decision,
				 struct err *err)
{
	char txid[2 * WIRE_ID_SIZE + 1];
	int e = link_say_done(r->link, decision, err);

	if (e < 0)
		return e;
	r->result->load.verdict.owner = OWNER_DESTINATION;
	return err_fail(err, ERR_ABORTED, -EALREADY,
			"transaction %s: it has been here, and its source was told so",
			hex_encode(decision->txid, WIRE_ID_SIZE, txid));
}

int receive_late_decision(struct receive *r, const struct wire_decision *decision, struct err *err)
{
	int e = receive_late_judge(r, link_peer(r->link), decision, r->cancel, err);

	if (e >= 0)
		return receive_late_say_done(r, decision, err);
	link_abort(r->link, err);
	if (e == -EBUSY) {
		/* This process has no part in it, and ends as one that has moved nothing. */
		r->result->load.verdict.owner = OWNER_UNKNOWN;
		err->kind = ERR_ABORTED;
	}
	return e;
}
