// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/handover.h"

#define STORED HANDOVER_STORED
#define ONE_WAY HANDOVER_ONE_WAY
#define ANSWERED HANDOVER_ANSWERED

static const char *const status_words[] = { "done", "as-failed", "in-doubt", "device" };
static const char *const outcome_words[] = { "completed", "aborted", "in-doubt", "device-error" };
static const char *const owner_words[] = { "source", "destination", "none", "unknown" };

static const char *verdict_text(struct handover_verdict v)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s %s %s", status_words[v.status], outcome_words[v.outcome],
		 owner_words[v.owner]);
	return text;
}

/* Status and outcome are two words for one thing, whatever the row. */
static void assert_consistent(struct handover_verdict v)
{
	static const enum outcome outcomes[] = {
		[HANDOVER_DONE] = OUTCOME_COMPLETED,
		[HANDOVER_AS_FAILED] = OUTCOME_ABORTED,
		[HANDOVER_IN_DOUBT] = OUTCOME_IN_DOUBT,
		[HANDOVER_DEVICE] = OUTCOME_DEVICE_ERROR,
	};

	assert_int_equal(v.outcome, outcomes[v.status]);
	if (v.status == HANDOVER_IN_DOUBT)
		assert_int_equal(v.owner, OWNER_UNKNOWN);
}

/* the sender */

static void every_event_leads_where_it_must(void **state)
{
	/* A letter a state, in the table below; a dot for no change. */
	static const char letters[] = {
		[HANDOVER_SENDING] = 's',  [HANDOVER_ENDING] = 'E', [HANDOVER_FAILED] = 'F',
		[HANDOVER_REFUSED] = 'R',  [HANDOVER_DOUBT] = 'D',  [HANDOVER_TAKEN] = 'T',
		[HANDOVER_ACCEPTED] = 'A',
	};
	/* the events are: end, taken, accept, refuse, failure */
	static const char *const rows[HANDOVER_NR_LINKS][HANDOVER_NR_SENT] = {
		/* clang-format off */
		/*             sending  ending   failed   refused  doubt    taken    accepted */
		[STORED]   = { "EFFRF", "ETFFF", "FFFFF", "RRRRR", "DDDDD", "TTTTT", "AAAAA" },
		[ONE_WAY]  = { "EFFRF", "ETDDD", "FFFFF", "RRRRR", "DDDDD", "TTTTT", "AAAAA" },
		[ANSWERED] = { "EFFRF", "EDARD", "FFFFF", "RRRRR", "DDDDD", "TTTTT", "AAAAA" },
		/* clang-format on */
	};

	(void)state;
	for (unsigned int l = 0; l < HANDOVER_NR_LINKS; l++)
		for (unsigned int s = 0; s < HANDOVER_NR_SENT; s++)
			for (unsigned int e = 0; e < HANDOVER_NR_EVENTS; e++) {
				enum handover_sent next = handover_sent_next(
					(enum handover_link)l, (enum handover_sent)s,
					(enum handover_event)e);

				if (letters[next] != rows[l][s][e])
					fail_msg("link %u, state %u, event %u: %c", l, s, e,
						 letters[next]);
			}
}

static void only_an_explicit_no_gives_the_device_back_after_the_end(void **state)
{
	(void)state;
	for (unsigned int l = ONE_WAY; l < HANDOVER_NR_LINKS; l++)
		for (unsigned int e = 0; e < HANDOVER_NR_EVENTS; e++) {
			enum handover_sent next = handover_sent_next(
				(enum handover_link)l, HANDOVER_ENDING, (enum handover_event)e);

			assert_int_equal(handover_gives_back(next),
					 l == ANSWERED && e == HANDOVER_ON_REFUSE);
		}
	/* A file that fails has no name. */
	assert_true(handover_gives_back(
		handover_sent_next(STORED, HANDOVER_ENDING, HANDOVER_ON_FAILURE)));
}

/* All of it; a verdict a fate: back, holds, blank, lost, unknown. */
static void the_sender_reports(void **state)
{
	static const struct {
		enum handover_link link;
		enum handover_sent sent;
		bool copy;
		const char *verdicts[MIG_NR_FATES];
	} rows[] = {
#define ABORTED                                                                                 \
	{ "as-failed aborted source", "device device-error source", "device device-error none", \
	  "device device-error none", "device device-error unknown" }
		{ STORED, HANDOVER_FAILED, false, ABORTED },
		{ STORED, HANDOVER_FAILED, true, ABORTED },
		{ ONE_WAY, HANDOVER_FAILED, false, ABORTED },
		{ ONE_WAY, HANDOVER_FAILED, true, ABORTED },
		{ ANSWERED, HANDOVER_FAILED, false, ABORTED },
		{ ANSWERED, HANDOVER_FAILED, true, ABORTED },
		{ ANSWERED, HANDOVER_REFUSED, false, ABORTED },
		{ ANSWERED, HANDOVER_REFUSED, true, ABORTED },
		{ STORED,
		  HANDOVER_TAKEN,
		  false,
		  { "done completed source", "device device-error source",
		    "device device-error none", "device device-error none",
		    "device device-error unknown" } },
		{ STORED,
		  HANDOVER_TAKEN,
		  true,
		  { "done completed source", "device device-error source",
		    "device device-error none", "device device-error none",
		    "device device-error unknown" } },
		{ ONE_WAY,
		  HANDOVER_TAKEN,
		  false,
		  { "done completed unknown", "device device-error unknown",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ONE_WAY,
		  HANDOVER_TAKEN,
		  true,
		  { "done completed source", "device device-error source",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ONE_WAY,
		  HANDOVER_DOUBT,
		  false,
		  { "in-doubt in-doubt unknown", "device device-error unknown",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ONE_WAY,
		  HANDOVER_DOUBT,
		  true,
		  { "as-failed aborted source", "device device-error source",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ANSWERED,
		  HANDOVER_DOUBT,
		  false,
		  { "in-doubt in-doubt unknown", "device device-error unknown",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ANSWERED,
		  HANDOVER_DOUBT,
		  true,
		  { "as-failed aborted source", "device device-error source",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ANSWERED,
		  HANDOVER_ACCEPTED,
		  false,
		  { "done completed destination", "device device-error destination",
		    "device device-error destination", "device device-error destination",
		    "device device-error destination" } },
		{ ANSWERED,
		  HANDOVER_ACCEPTED,
		  true,
		  { "done completed source", "device device-error source",
		    "device device-error destination", "device device-error destination",
		    "device device-error unknown" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned int f = 0; f < MIG_NR_FATES; f++) {
			struct handover_verdict v = handover_sender_verdict(
				rows[i].link, rows[i].sent, rows[i].copy, (enum mig_fate)f);

			if (strcmp(verdict_text(v), rows[i].verdicts[f]) != 0)
				fail_msg("row %zu, fate %u: %s", i, f, verdict_text(v));
			assert_consistent(v);
		}
}

/* the receiver */

static void a_receiver_gives_up_as_far_as_it_has_come(void **state)
{
	(void)state;
	assert_int_equal(handover_gives_up(HANDOVER_IDLE), HANDOVER_NOTHING_TO_DO);
	assert_int_equal(handover_gives_up(HANDOVER_TOUCHED), HANDOVER_RETURN);
	assert_int_equal(handover_gives_up(HANDOVER_LOADING), HANDOVER_DISCARD);
	assert_int_equal(handover_gives_up(HANDOVER_ANSWERING), HANDOVER_KEEP);
	assert_int_equal(handover_gives_up(HANDOVER_OWNED), HANDOVER_KEEP);
}

static void a_copy_does_not_start_by_itself(void **state)
{
	(void)state;
	for (unsigned int l = 0; l < HANDOVER_NR_LINKS; l++)
		for (unsigned int o = 0; o < HANDOVER_NR_ORIGINS; o++) {
			assert_true(handover_may_start((enum handover_link)l,
						       (enum handover_origin)o, true));
			assert_int_equal(handover_may_start((enum handover_link)l,
							    (enum handover_origin)o, false),
					 l == STORED || o == HANDOVER_STOPS);
		}
}

static void a_receiver_that_has_completed_reports(void **state)
{
	static const struct {
		enum handover_link link;
		enum handover_origin origin;
		enum owner stopped;
	} rows[] = {
		{ STORED, HANDOVER_STOPS, OWNER_DESTINATION },
		{ STORED, HANDOVER_RUNS_ON, OWNER_DESTINATION },
		{ STORED, HANDOVER_NOT_SAID, OWNER_DESTINATION },
		{ ONE_WAY, HANDOVER_STOPS, OWNER_DESTINATION },
		{ ONE_WAY, HANDOVER_RUNS_ON, OWNER_SOURCE },
		{ ONE_WAY, HANDOVER_NOT_SAID, OWNER_UNKNOWN },
		{ ANSWERED, HANDOVER_STOPS, OWNER_DESTINATION },
		{ ANSWERED, HANDOVER_RUNS_ON, OWNER_SOURCE },
		{ ANSWERED, HANDOVER_NOT_SAID, OWNER_UNKNOWN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct handover_verdict v = handover_completed(rows[i].link, rows[i].origin, false);

		assert_int_equal(v.status, HANDOVER_DONE);
		assert_int_equal(v.owner, rows[i].stopped);
		v = handover_completed(rows[i].link, rows[i].origin, true);
		assert_int_equal(v.owner, OWNER_DESTINATION);
		assert_consistent(v);
	}
}

/* A verdict a fate; a link and an origin that stand for all with the same rows. */
static void a_receiver_that_has_given_up_reports(void **state)
{
#define AWRY(owner) "device device-error " owner
#define ONLY_BACK(owner)                                                                       \
	{                                                                                      \
		"as-failed aborted " owner, AWRY(owner), AWRY(owner), AWRY(owner), AWRY(owner) \
	}
#define ONLY_BLANK(owner)                                                                      \
	{                                                                                      \
		AWRY(owner), AWRY(owner), "as-failed aborted " owner, AWRY(owner), AWRY(owner) \
	}
	static const struct {
		enum handover_link link;
		enum handover_origin origin;
		enum handover_received received;
		const char *verdicts[MIG_NR_FATES];
	} rows[] = {
		{ STORED, HANDOVER_STOPS, HANDOVER_IDLE, ONLY_BACK("none") },
		{ STORED, HANDOVER_STOPS, HANDOVER_TOUCHED, ONLY_BACK("none") },
		{ STORED, HANDOVER_RUNS_ON, HANDOVER_LOADING, ONLY_BLANK("none") },
		{ ONE_WAY, HANDOVER_STOPS, HANDOVER_IDLE, ONLY_BACK("unknown") },
		{ ONE_WAY, HANDOVER_STOPS, HANDOVER_LOADING, ONLY_BLANK("unknown") },
		{ ONE_WAY, HANDOVER_RUNS_ON, HANDOVER_LOADING, ONLY_BLANK("source") },
		{ ONE_WAY, HANDOVER_NOT_SAID, HANDOVER_LOADING, ONLY_BLANK("unknown") },
		{ ANSWERED, HANDOVER_STOPS, HANDOVER_IDLE, ONLY_BACK("source") },
		{ ANSWERED, HANDOVER_STOPS, HANDOVER_TOUCHED, ONLY_BACK("source") },
		{ ANSWERED, HANDOVER_STOPS, HANDOVER_LOADING, ONLY_BLANK("source") },
		{ ANSWERED,
		  HANDOVER_STOPS,
		  HANDOVER_ANSWERING,
		  { "in-doubt in-doubt unknown", "device device-error unknown",
		    "device device-error unknown", "device device-error unknown",
		    "device device-error unknown" } },
		{ ANSWERED, HANDOVER_RUNS_ON, HANDOVER_ANSWERING, ONLY_BACK("source") },
		{ ANSWERED,
		  HANDOVER_STOPS,
		  HANDOVER_OWNED,
		  { "device device-error destination", "device device-error destination",
		    "device device-error none", "device device-error none",
		    "device device-error unknown" } },
		{ STORED,
		  HANDOVER_RUNS_ON,
		  HANDOVER_OWNED,
		  { "device device-error destination", "device device-error destination",
		    "device device-error none", "device device-error none",
		    "device device-error unknown" } },
		{ ANSWERED,
		  HANDOVER_RUNS_ON,
		  HANDOVER_OWNED,
		  { [0 ... MIG_NR_FATES - 1] = "device device-error source" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned int f = 0; f < MIG_NR_FATES; f++) {
			struct handover_verdict v = handover_gave_up(
				rows[i].link, rows[i].origin, rows[i].received, (enum mig_fate)f);

			if (strcmp(verdict_text(v), rows[i].verdicts[f]) != 0)
				fail_msg("row %zu, fate %u: %s", i, f, verdict_text(v));
			assert_consistent(v);
		}
}

/*
 * Both ends together
 *
 * Every way in which a move can go, over every kind of link: the sender dies of an error at any
 * step, the link loses the end of the image or the answer, the receiver fails at any step. In none
 * of them may both run, and what both report must not contradict.
 */

struct both {
	enum handover_link link;
	enum handover_sent sent;
	enum handover_received received;
	bool end_arrived; /* the receiver has the whole image */
	bool done; /* the receiver is through, in one way or the other */
	bool receiver_failed;
	bool receiver_runs;
	enum handover_event answer; /* what is on its way back */
	bool answered;
};

/* Ends that were reached, and of what kind: a walk that misses one proves nothing. */
static unsigned int ways, runs, returns, doubts;

static void assert_never_two(const struct both *b)
{
	bool sender_runs = handover_gives_back(b->sent);
	struct handover_verdict s, r;

	if (sender_runs && b->receiver_runs)
		fail_msg("link %d: both run (sent %d, received %d)", b->link, b->sent, b->received);
	if (b->sent <= HANDOVER_ENDING || !b->done)
		return;
	s = handover_sender_verdict(b->link, b->sent, false, MIG_FATE_BACK);
	r = b->receiver_failed ? handover_gave_up(b->link, HANDOVER_STOPS, b->received,
						  b->received == HANDOVER_LOADING ? MIG_FATE_BLANK
										  : MIG_FATE_BACK)
			       : handover_completed(b->link, HANDOVER_STOPS, b->receiver_runs);
	if (s.owner == OWNER_SOURCE)
		assert_int_not_equal(r.owner, OWNER_DESTINATION);
	if (s.owner == OWNER_DESTINATION)
		assert_int_not_equal(r.owner, OWNER_SOURCE);
	if (b->receiver_runs)
		assert_int_equal(r.owner, OWNER_DESTINATION);
	ways++;
	runs += b->receiver_runs;
	returns += sender_runs;
	doubts += s.status == HANDOVER_IN_DOUBT && b->receiver_runs;
}

static void explore(struct both b, unsigned int depth);

static void sender_hears(struct both b, enum handover_event event, unsigned int depth)
{
	b.sent = handover_sent_next(b.link, b.sent, event);
	explore(b, depth);
}

/* The receiver's next step, and its failure there. */
static void receiver_steps(struct both b, unsigned int depth)
{
	struct both failed = b;

	/* It may break off wherever it is; a refusal is sent as long as nothing else was. */
	failed.done = failed.receiver_failed = true;
	if (b.link == ANSWERED && handover_gives_up(b.received) != HANDOVER_KEEP) {
		failed.answered = true;
		failed.answer = HANDOVER_ON_REFUSE;
	}
	explore(failed, depth);
	if (b.received < HANDOVER_LOADING) {
		b.received++;
	} else if (b.received == HANDOVER_LOADING) {
		/* RESUMING is left only after the end of the image. */
		if (!b.end_arrived)
			return;
		b.received = b.link == ANSWERED ? HANDOVER_ANSWERING : HANDOVER_OWNED;
	} else if (b.received == HANDOVER_ANSWERING) {
		b.answered = true;
		b.answer = HANDOVER_ON_ACCEPT;
		b.received = HANDOVER_OWNED;
	} else {
		b.done = true;
		b.receiver_runs = handover_may_start(b.link, HANDOVER_STOPS, false);
	}
	explore(b, depth);
}

static void explore(struct both b, unsigned int depth)
{
	assert_never_two(&b);
	if (!depth)
		return;
	depth--;
	if (!b.done)
		receiver_steps(b, depth);
	if (b.sent == HANDOVER_SENDING) {
		sender_hears(b, HANDOVER_ON_END, depth);
		sender_hears(b, HANDOVER_ON_FAILURE, depth);
	}
	if (b.sent == HANDOVER_ENDING) {
		/* The sender may think that it failed whatever has become of the end. */
		sender_hears(b, HANDOVER_ON_FAILURE, depth);
		if (!b.end_arrived) {
			struct both arrived = b;

			arrived.end_arrived = true;
			explore(arrived, depth);
		}
		if (b.link == ONE_WAY)
			sender_hears(b, HANDOVER_ON_TAKEN, depth);
	}
	/* The answer arrives, whenever it may. */
	if (b.answered && b.sent <= HANDOVER_ENDING) {
		struct both heard = b;

		heard.answered = false;
		sender_hears(heard, b.answer, depth);
	}
}

static void of_a_state_that_moves_never_two_run(void **state)
{
	(void)state;
	for (unsigned int l = ONE_WAY; l < HANDOVER_NR_LINKS; l++)
		explore((struct both){ .link = (enum handover_link)l }, 12);
	assert_true(ways > 100 && runs && returns && doubts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_event_leads_where_it_must),
		cmocka_unit_test(only_an_explicit_no_gives_the_device_back_after_the_end),
		cmocka_unit_test(the_sender_reports),
		cmocka_unit_test(a_receiver_gives_up_as_far_as_it_has_come),
		cmocka_unit_test(a_copy_does_not_start_by_itself),
		cmocka_unit_test(a_receiver_that_has_completed_reports),
		cmocka_unit_test(a_receiver_that_has_given_up_reports),
		cmocka_unit_test(of_a_state_that_moves_never_two_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
