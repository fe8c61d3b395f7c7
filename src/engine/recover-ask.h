/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What one end of a transaction says to the other after a crash: ASK and TELL
 *
 * Either message has what its sender's journal says of the transaction, and is answered by TELL.
 * Who asks is not believed but for what the record names: the answer counts only if it comes from
 * the journal that the other end's HELLO named when the transaction began.
 */

#include "engine/journal.h"
#include "engine/link.h"
#include "engine/recover-plan.h"

/**
 * struct recover_asking - a question and its answer
 * @journal, @record: this end's
 * @role: of the sender: @record's; or the other one, to pass its word on to a process of this end
 * @phase: what is said of that end
 * @from: the journal that says it
 */
struct recover_asking {
	struct journal *journal;
	const struct journal_record *record;
	enum wire_role role;
	enum wire_phase phase;
	const uint8_t *from;
};

/**
 * recover_ask_open() - a link to the other end, or to what answers for it
 * @uri: one of URI_CHANNEL
 *
 * Return: as channel_open() and link_new().
 */
_must_check_ int recover_ask_open(const struct recover_asking *q, const struct uri *uri,
				  const struct peer_options *peer, struct cancel *cancel,
				  struct link **ret, struct err *err);

/**
 * recover_ask() - say @q->phase, and hear what the other end's record says
 * @type: WIRE_ASK; WIRE_TELL, where what is said is news
 *
 * Return: 0; as link_send() and link_hear(); -EPROTO (ERR_PEER) for an answer to something else.
 */
_must_check_ int recover_ask(struct link *l, const struct recover_asking *q, enum wire_type type,
			     struct wire_state *ret, struct err *err);

/**
 * recover_ask_judge() - what an answer means; pure
 * @ours: this end's record
 *
 * Return: RECOVER_OTHER_UNREACHABLE, with the story in @err, for one of another journal or another
 * transaction of the same id.
 */
enum recover_other recover_ask_judge(const struct journal_record *ours,
				     const struct wire_state *answer, struct err *err);

/** recover_ask_hello() - of an end that answers */
struct wire_hello recover_ask_hello(const struct journal *j, int timeout_ms);

/**
 * recover_ask_note() - @word has come: that it is over at the other end goes into our record
 *
 * For the next recover here, which may not be able to ask, see recover_recall(). Of a record that
 * is over, or that a process of this end works on, nothing is noted, nor is the word of another
 * journal; of two words the first is kept, and the other warned of, see recover_note(). That it
 * cannot be written is warned of, too, and keeps no answer back.
 */
void recover_ask_note(struct journal *j, const struct wire_state *word);

/**
 * recover_ask_journal() - what this end's journal says of a transaction, in answer to @word
 *
 * Return: 0; as journal_phase().
 */
_must_check_ int recover_ask_journal(struct journal *j, const struct wire_state *word,
				     struct wire_state *ret, struct err *err);

/**
 * recover_ask_busy() - where @state says that a process of this end works on it, ask that
 *
 * @state stays where it cannot be asked. Does not change what other threads see of @j.
 */
void recover_ask_busy(struct journal *j, const struct wire_state *word, int timeout_ms,
		      struct cancel *cancel, struct wire_state *state);

/**
 * recover_answer() - answer ASK and TELL from the journal, until the other end has enough
 * @channel: taken in any case
 *
 * Of a transaction that another process works on, that one is asked, where it can be.
 *
 * Return: 0; -EPROTO (ERR_PEER); as link_new() and journal_phase().
 */
_must_check_ int recover_answer(struct journal *j, struct channel *channel, int timeout_ms,
				struct cancel *cancel, struct err *err);

/**
 * struct recover_word - what is passed on to a process of this end
 * @forced: what a user has forced, and who and when, if it is no other end's word; or NULL
 */
struct recover_word {
	struct wire_state says;
	const char *forced;
};

/**
 * recover_ask_worker() - pass a word on to the process of this end that works on a transaction
 *
 * It listens at TXID.sock in the journal's folder while it is in doubt.
 *
 * Return: 0, with its answer; as recover_ask_open() and recover_ask().
 */
_must_check_ int recover_ask_worker(struct journal *j, const struct recover_word *word,
				    int timeout_ms, struct cancel *cancel, struct wire_state *ret,
				    struct err *err);
