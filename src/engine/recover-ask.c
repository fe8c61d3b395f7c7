// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "engine/recover-ask.h"

static enum wire_role recover_ask_opposite(enum wire_role role)
{
	return role == WIRE_SOURCE ? WIRE_DESTINATION : WIRE_SOURCE;
}

struct wire_hello recover_ask_hello(const struct journal *j, int timeout_ms)
{
	struct wire_hello hello = {
		.version = WIRE_VERSION,
		.oldest = WIRE_OLDEST,
		.role = WIRE_RECOVERY,
		.timeout_ms = (uint32_t)timeout_ms,
	};

	memcpy(hello.journal, journal_id(j), WIRE_ID_SIZE);
	return hello;
}

static int recover_ask_link(struct journal *j, struct channel *channel,
			    const struct wire_state *about, int timeout_ms, struct cancel *cancel,
			    struct link **ret, struct err *err)
{
	struct link_options opts = {
		.hello = recover_ask_hello(j, timeout_ms),
		.cancel = cancel,
	};

	opts.hello.generation = about->generation;
	memcpy(opts.hello.txid, about->txid, WIRE_ID_SIZE);
	return link_new(channel, &opts, ret, err);
}

static struct wire_state recover_ask_word(const struct recover_asking *q)
{
	struct wire_state word = {
		.generation = q->record->generation,
		.role = q->role,
		.phase = q->phase,
	};

	memcpy(word.txid, q->record->txid, WIRE_ID_SIZE);
	memcpy(word.journal, q->from, WIRE_ID_SIZE);
	return word;
}

int recover_ask_open(const struct recover_asking *q, const struct uri *uri,
		     const struct peer_options *peer, struct cancel *cancel, struct link **ret,
		     struct err *err)
{
	const struct wire_state about = recover_ask_word(q);
	struct channel *channel;
	int r;

	r = channel_open(uri, peer, cancel, &channel, err);
	if (r < 0)
		return r;
	return recover_ask_link(q->journal, channel, &about, peer->timeout_ms, cancel, ret, err);
}

static int recover_ask_unexpected(struct link *l, const struct wire_message *m, struct err *err)
{
	if (m->type == WIRE_ABORT)
		return err_fail(err, ERR_ABORTED, -ECONNABORTED, "%s: %s", link_name(l),
				m->abort.reason);
	return err_fail(err, ERR_PEER, -EPROTO, "%s: %s where an answer is due", link_name(l),
			wire_name(m->type));
}

static int recover_ask_exchange(struct link *l, enum wire_type type, const struct wire_state *word,
				struct wire_state *ret, struct err *err)
{
	struct wire_message m = { .type = type, .state = *word };
	int r;

	r = link_send(l, &m, err);
	if (r < 0)
		return r;
	r = link_hear(l, &m, err);
	if (r < 0)
		return r;
	if (m.type != WIRE_TELL) {
		r = recover_ask_unexpected(l, &m, err);
		link_abort(l, err);
		return r;
	}
	if (memcmp(m.state.txid, word->txid, WIRE_ID_SIZE) != 0 ||
	    m.state.role != recover_ask_opposite(word->role))
		return err_fail(err, ERR_PEER, -EPROTO, "%s: answers something else than was asked",
				link_name(l));
	*ret = m.state;
	return 0;
}

int recover_ask(struct link *l, const struct recover_asking *q, enum wire_type type,
		struct wire_state *ret, struct err *err)
{
	const struct wire_state word = recover_ask_word(q);
	int r;

	r = recover_ask_exchange(l, type, &word, ret, err);
	if (r < 0)
		return r;
	/* An answer is its journal's, and no other's. */
	if (memcmp(ret->journal, link_peer(l)->journal, WIRE_ID_SIZE) != 0)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: names two journals", link_name(l));
	return 0;
}

enum recover_other recover_ask_judge(const struct journal_record *ours,
				     const struct wire_state *answer, struct err *err)
{
	static const enum recover_other others[WIRE_NR_PHASES] = {
		[WIRE_PHASE_NONE] = RECOVER_OTHER_NONE,
		[WIRE_PHASE_BEGUN] = RECOVER_OTHER_BEGUN,
		[WIRE_PHASE_PREPARED] = RECOVER_OTHER_PREPARED,
		[WIRE_PHASE_COMMITTED] = RECOVER_OTHER_COMMITTED,
		[WIRE_PHASE_DONE] = RECOVER_OTHER_DONE,
		[WIRE_PHASE_ABORTED] = RECOVER_OTHER_ABORTED,
		[WIRE_PHASE_BUSY] = RECOVER_OTHER_BUSY,
	};
	char theirs[2 * WIRE_ID_SIZE + 1], then[2 * WIRE_ID_SIZE + 1];
	bool has_record = answer->phase != WIRE_PHASE_NONE && answer->phase != WIRE_PHASE_BUSY;

	if (memcmp(answer->journal, ours->peer_journal, WIRE_ID_SIZE) != 0) {
		err_fail(err, ERR_PEER, -EREMOTE,
			 "the journal there is %s, and the other end's was %s",
			 hex_encode(answer->journal, WIRE_ID_SIZE, theirs),
			 hex_encode(ours->peer_journal, WIRE_ID_SIZE, then));
		return RECOVER_OTHER_UNREACHABLE;
	}
	if (has_record && answer->generation != ours->generation) {
		err_fail(err, ERR_PEER, -EREMOTE,
			 "the record there is of generation %" PRIu64 ", this one of %" PRIu64,
			 answer->generation, ours->generation);
		return RECOVER_OTHER_UNREACHABLE;
	}
	return others[answer->phase];
}

static int recover_ask_say_forced(struct link *l, const char *by, struct err *err)
{
	struct wire_message m = { .type = WIRE_FORCED };

	if (!by)
		return 0;
	snprintf(m.forced.by, sizeof(m.forced.by), "%s", by);
	return link_send(l, &m, err);
}

int recover_ask_worker(struct journal *j, const struct recover_word *word, int timeout_ms,
		       struct cancel *cancel, struct wire_state *ret, struct err *err)
{
	_cleanup_(link_freep) struct link *l = NULL;
	char text[PATH_MAX + 64], hex[2 * WIRE_ID_SIZE + 1];
	const struct peer_options peer = { .timeout_ms = timeout_ms };
	struct channel *channel;
	struct uri uri;
	int r;

	snprintf(text, sizeof(text), "unix:%s/%s.sock", journal_dir(j),
		 hex_encode(word->says.txid, WIRE_ID_SIZE, hex));
	r = uri_parse(text, URI_UNIX, &uri, err);
	if (r < 0)
		return r;
	r = channel_open(&uri, &peer, cancel, &channel, err);
	if (r < 0)
		return r;
	r = recover_ask_link(j, channel, &word->says, timeout_ms, cancel, &l, err);
	if (r < 0)
		return r;
	r = recover_ask_say_forced(l, word->forced, err);
	if (r < 0)
		return r;
	return recover_ask_exchange(l, WIRE_TELL, &word->says, ret, err);
}

int recover_ask_journal(struct journal *j, const struct wire_state *word, struct wire_state *ret,
			struct err *err)
{
	return journal_phase(j, word->txid, recover_ask_opposite(word->role), ret, err);
}

static bool recover_ask_change(struct journal_record *record, const void *ctx)
{
	const struct wire_state *word = ctx;
	const enum recover_note note = recover_note(record->phase, record->told, word->phase);
	char hex[2 * WIRE_ID_SIZE + 1];

	if (note == RECOVER_NOTE_NOTHING ||
	    recover_ask_judge(record, word, NULL) == RECOVER_OTHER_UNREACHABLE)
		return false;
	if (note == RECOVER_NOTE_CONTRARY) {
		log_warn("%s: the other end says %s, and has said %s before, which stays",
			 hex_encode(word->txid, WIRE_ID_SIZE, hex), wire_phase_name(word->phase),
			 wire_phase_name(record->told));
		return false;
	}
	record->told = word->phase;
	return true;
}

void recover_ask_note(struct journal *j, const struct wire_state *word)
{
	char hex[2 * WIRE_ID_SIZE + 1], reason[ERR_REASON_MAX];
	struct err err = { 0 };
	int r;

	/* What can be noted of no record is none's to look for. */
	if (recover_note(WIRE_PHASE_NONE, WIRE_PHASE_NONE, word->phase) == RECOVER_NOTE_NOTHING)
		return;
	r = journal_change(j, word->txid, recover_ask_opposite(word->role), recover_ask_change,
			   word, &err);
	if (r < 0)
		log_warn("transaction %s: that the other end is %s could not be noted: %s%s",
			 hex_encode(word->txid, WIRE_ID_SIZE, hex), wire_phase_name(word->phase),
			 err.text, err_reason(&err, reason));
}

void recover_ask_busy(struct journal *j, const struct wire_state *word, int timeout_ms,
		      struct cancel *cancel, struct wire_state *state)
{
	const struct recover_word relayed = { .says = *word };
	struct wire_state worker;
	struct err unheard = { 0 };

	if (state->phase == WIRE_PHASE_BUSY && word->role == WIRE_SOURCE &&
	    recover_ask_worker(j, &relayed, timeout_ms, cancel, &worker, &unheard) >= 0)
		*state = worker;
}

static int recover_ask_serve(struct journal *j, struct link *l, int timeout_ms,
			     struct cancel *cancel, struct err *err)
{
	for (bool answered = false;; answered = true) {
		struct wire_message m, answer = { .type = WIRE_TELL };
		int r;

		r = link_hear(l, &m, err);
		/* The other end has enough: it says so, goes, or ends us, whose command this is. */
		if (r == -ECONNRESET || (r >= 0 && m.type == WIRE_ABORT) ||
		    (answered && (r == -ECANCELED || r == -ETIMEDOUT)))
			return 0;
		if (r < 0)
			return r;
		if (m.type != WIRE_ASK && m.type != WIRE_TELL)
			return recover_ask_unexpected(l, &m, err);
		recover_ask_note(j, &m.state);
		r = recover_ask_journal(j, &m.state, &answer.state, err);
		if (r < 0)
			return r;
		recover_ask_busy(j, &m.state, timeout_ms, cancel, &answer.state);
		r = link_send(l, &answer, err);
		if (r < 0)
			return r;
	}
}

int recover_answer(struct journal *j, struct channel *channel, int timeout_ms,
		   struct cancel *cancel, struct err *err)
{
	const struct link_options opts = {
		.hello = recover_ask_hello(j, timeout_ms),
		.cancel = cancel,
	};
	_cleanup_(link_freep) struct link *l = NULL;
	int r;

	r = link_begin(channel, &opts, &l, err);
	if (r < 0)
		return r;
	r = link_meet(l, err);
	r = r < 0 ? r : recover_ask_serve(j, l, timeout_ms, cancel, err);
	/* One that is silent, or breaks the protocol, may be there to read why it has no answer. */
	if (r < 0)
		link_abort(l, err);
	return r;
}
