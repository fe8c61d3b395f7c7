// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/recover-hint.h"
#include "engine/recover.h"

/* One to do what the record allows, one for what the other end says when it was told. */
#define RECOVER_ROUNDS_MAX 3

struct recover_work {
	const struct recover_options *options;
	struct recover_result *result;
	struct cancel *cancel;
	struct link *link;
	struct arc_retry retry;
	char txid[2 * WIRE_ID_SIZE + 1];
};

const char *recover_other_name(enum recover_other other)
{
	static const char *const names[RECOVER_NR_OTHERS] = {
		[RECOVER_OTHER_NONE] = "none",	       [RECOVER_OTHER_BEGUN] = "begun",
		[RECOVER_OTHER_PREPARED] = "prepared", [RECOVER_OTHER_COMMITTED] = "committed",
		[RECOVER_OTHER_DONE] = "done",	       [RECOVER_OTHER_ABORTED] = "aborted",
		[RECOVER_OTHER_BUSY] = "busy",	       [RECOVER_OTHER_UNREACHABLE] = "unreachable",
	};

	return names[other];
}

void recover_result_done(struct recover_result *result)
{
	if (result->looked)
		recover_devices_done(&result->set);
	result->entry = journal_entry_free(result->entry);
	*result = (struct recover_result){ 0 };
}

static struct journal_record *recover_record(const struct recover_work *w)
{
	return journal_record(w->result->entry);
}

/* The record that this process has locked, or as another one has it. */
static const struct journal_record *recover_seen(const struct recover_work *w)
{
	return w->result->entry ? recover_record(w) : w->options->seen;
}

/* The other end */

static void recover_unheard(struct recover_work *w, const struct err *why)
{
	char reason[ERR_REASON_MAX];

	w->result->other = RECOVER_OTHER_UNREACHABLE;
	snprintf(w->result->unheard, sizeof(w->result->unheard), "%.400s%s", why->text,
		 err_reason(why, reason));
	log_info("%s: the other end says nothing: %s", w->txid, w->result->unheard);
}

static struct recover_asking recover_question(const struct recover_work *w)
{
	const struct journal_record *record = recover_seen(w);

	return (struct recover_asking){
		.journal = w->options->journal,
		.record = record,
		.role = record->role,
		.phase = record->phase,
		.from = journal_id(w->options->journal),
	};
}

static int recover_connect(struct recover_work *w, struct err *err)
{
	const struct recover_asking q = recover_question(w);

	if (!w->options->peer)
		return err_fail(err, ERR_IN_DOUBT, -EDESTADDRREQ,
				"its record names no address of the other end");
	return recover_ask_open(&q, w->options->peer, &w->options->link, w->cancel, &w->link, err);
}

/*
 * A link that is lost stops who waits for it as a signal does. Here that is an answer: the rest is
 * stopped by a signal alone.
 */
static int recover_check(struct recover_work *w, struct err *err)
{
	int r = cancel_check(w->cancel, err);

	if (r >= 0)
		return r;
	w->link = link_free(w->link);
	if (!cancel_resume(w->cancel))
		return r;
	*err = (struct err){ 0 };
	return 0;
}

static int recover_exchange(struct recover_work *w, enum wire_type type, struct wire_state *ret,
			    struct err *err)
{
	const struct recover_asking q = recover_question(w);
	int r;

	if (!w->link) {
		r = recover_check(w, err);
		r = r < 0 ? r : recover_connect(w, err);
		if (r < 0)
			return r;
	}
	r = recover_ask(w->link, &q, type, ret, err);
	if (r < 0)
		w->link = link_free(w->link);
	return r;
}

static void recover_remember(struct recover_work *w)
{
	struct recover_result *result = w->result;
	const enum recover_other heard = result->other;

	result->other = recover_recall(heard, recover_seen(w)->told);
	if (result->other != heard)
		log_info("%s: the other end says %s now, and has said: %s", w->txid,
			 recover_other_name(heard), recover_other_name(result->other));
}

/*
 * Whatever is in its way, that there is no answer is an answer. To what is told none is needed: a
 * receiver that learnt by the question that it may go on has done so, and may be gone.
 */
static void recover_hear(struct recover_work *w, enum wire_type type)
{
	const struct recover_asking q = recover_question(w);
	struct wire_state answer;
	struct err err = { 0 };

	w->result->asked = true;
	if (recover_exchange(w, type, &answer, &err) < 0) {
		if (type == WIRE_TELL && w->result->other != RECOVER_OTHER_UNREACHABLE)
			log_info("%s: the other end was not told: %s", w->txid, err.text);
		else
			recover_unheard(w, &err);
		recover_remember(w);
		return;
	}
	w->result->other = recover_ask_judge(q.record, &answer, &err);
	if (w->result->other == RECOVER_OTHER_UNREACHABLE)
		recover_unheard(w, &err);
	recover_remember(w);
	log_info("%s: the other end says: %s", w->txid, recover_other_name(w->result->other));
}

/* The record */

/* Who forces what, and when, for the record; empty where nothing is forced. */
static void recover_signature(const struct recover_work *w, char buf[WIRE_FORCED_SIZE])
{
	static const char *const words[RECOVER_NR_FORCES] = {
		[RECOVER_FORCE_RUN] = "run",
		[RECOVER_FORCE_DROP] = "drop",
	};
	const time_t now = time(NULL);
	struct tm tm;
	char when[32];

	*buf = '\0';
	if (!w->options->force)
		return;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &tm));
	snprintf(buf, WIRE_FORCED_SIZE, "%s by %.64s at %s", words[w->options->force],
		 w->options->by, when);
}

static void recover_sign(const struct recover_work *w, struct journal_record *record)
{
	char by[WIRE_FORCED_SIZE];

	recover_signature(w, by);
	if (*by && !record->forced)
		record->forced = strdup(by);
}

/* Of what is done: what is refused, or only planned, makes no two of what was one. */
static void recover_warn_forced(const struct recover_work *w)
{
	if (w->options->force == RECOVER_FORCE_RUN)
		log_warn("%s: if the other end runs it, too, there are two of it from now on",
			 w->txid);
	if (w->options->force == RECOVER_FORCE_DROP)
		log_warn("%s: if the other end does not have it, it is lost from now on", w->txid);
}

static int recover_write(struct recover_work *w, enum wire_phase phase, struct err *err)
{
	struct journal_record *record = recover_record(w);
	int r;

	record->phase = phase;
	recover_sign(w, record);
	r = journal_write(w->result->entry, err);
	if (r == JOURNAL_UNSURE) {
		err->kind = ERR_IN_DOUBT;
		return err_hint(err, -EIO, "what the record says is not sure: run this again");
	}
	if (r >= 0)
		w->result->phase = phase;
	return r;
}

static void recover_drop_spool(const struct journal_record *record)
{
	if (record->spool && unlink(record->spool) < 0 && errno != ENOENT)
		log_warn("%s: cannot be removed: %s", record->spool, strerror(errno));
}

static int recover_act(struct recover_work *w, enum recover_action action, struct err *err)
{
	const struct recover_plan *plan = &w->result->plan;
	struct recover_set *set = &w->result->set;

	switch (action) {
	case RECOVER_WRITE:
		return recover_write(w, plan->phase, err);
	case RECOVER_FINISH:
		return recover_write(w, plan->last, err);
	case RECOVER_DROP_SPOOL:
		recover_drop_spool(recover_record(w));
		return 0;
	case RECOVER_TELL:
		recover_hear(w, WIRE_TELL);
		return 0;
	default:
		return recover_devices_do(set, action, w->options->device, &w->retry, w->cancel,
					  err);
	}
}

static int recover_carry_out(struct recover_work *w, struct err *err)
{
	unsigned int left = w->result->plan.actions;
	int r;

	/* From here on a signal is too late: what has begun is brought to its end. */
	if (left & ~(unsigned int)RECOVER_TELL) {
		r = recover_check(w, err);
		if (r < 0)
			return r;
		cancel_close(w->cancel);
	}
	for (unsigned int action; (action = left & -left); left &= ~action) {
		r = recover_act(w, action, err);
		if (r < 0)
			return err_prefix(err, r, "transaction %s", w->txid);
	}
	return 0;
}

/* Who forces decides it. */
static bool recover_hears_contrary(const struct recover_work *w)
{
	return !w->options->force && recover_is_contrary(w->result->other, recover_seen(w)->told);
}

static void recover_plan_now(struct recover_work *w)
{
	struct recover_result *result = w->result;
	const struct journal_record *record = recover_record(w);

	if (recover_hears_contrary(w)) {
		result->planned = false;
		result->plan = (struct recover_plan){ .outcome = OUTCOME_IN_DOUBT,
						      .owner = OWNER_UNKNOWN };
		return;
	}
	result->planned = recover_plan(record->role, record->phase, result->set.place,
				       result->set.spooled, result->other, w->options->force,
				       &result->plan);
	if (!recover_starts(w->options->start, record->run))
		result->plan.actions &= ~(unsigned int)RECOVER_START;
}

static bool recover_is_over(enum wire_phase phase)
{
	return phase == WIRE_PHASE_DONE || phase == WIRE_PHASE_ABORTED;
}

/* Again where the other end has come further by what it was told. */
static int recover_rounds(struct recover_work *w, struct err *err)
{
	for (int round = 0; round < RECOVER_ROUNDS_MAX; round++) {
		enum recover_other before = w->result->other;
		int r;

		recover_plan_now(w);
		if (!w->result->planned || w->options->plan_only)
			return 0;
		if (!round)
			recover_warn_forced(w);
		r = recover_carry_out(w, err);
		if (r < 0)
			return r;
		if (recover_is_over(w->result->phase) || w->result->other == before)
			return 0;
	}
	return 0;
}

/* What is to be said of it */

/* The source was given up before this end was ready, and has no word for it any more. */
static int recover_say_given_up(const struct recover_work *w, struct err *err)
{
	const struct recover_set *set = &w->result->set;

	err_fail(err, ERR_IN_DOUBT, -EAGAIN,
		 "transaction %s: in doubt: begun here, %s at the source", w->txid,
		 recover_other_name(w->result->other));
	if (set->spooled)
		return err_hint(err, -EAGAIN,
				"its spool may have the last copy: --force=run loads and starts "
				"it, --force=drop gives it up");
	return err_hint(err, -EAGAIN,
			"the devices may hold the last copy: look at them; --force=drop gives it "
			"up");
}

static int recover_say_contrary(const struct recover_work *w, struct err *err)
{
	err_fail(err, ERR_IN_DOUBT, -EAGAIN,
		 "transaction %s: in doubt: the other end says %s now, and has said %s", w->txid,
		 recover_other_name(w->result->other), wire_phase_name(recover_seen(w)->told));
	return err_hint(err, -EAGAIN,
			"no end takes back what it has said: look at the devices there, then "
			"--force=run or --force=drop here");
}

static int recover_say_doubt(const struct recover_work *w, struct err *err)
{
	const struct recover_result *result = w->result;
	const bool source = recover_seen(w)->role == WIRE_SOURCE;
	const char *there = source ? "destination" : "source";
	const struct journal *j = w->options->journal;
	char command[RECOVER_HINT_MAX], serve[RECOVER_HINT_MAX];

	if (recover_hears_contrary(w))
		return recover_say_contrary(w, err);
	if (!source && result->looked && result->phase == WIRE_PHASE_BEGUN &&
	    (result->other == RECOVER_OTHER_COMMITTED || result->other == RECOVER_OTHER_DONE))
		return recover_say_given_up(w, err);
	if (result->other == RECOVER_OTHER_UNREACHABLE) {
		err_fail(err, ERR_IN_DOUBT, -EHOSTUNREACH, "transaction %s: in doubt: %s", w->txid,
			 result->unheard);
		return err_hint(err, -EHOSTUNREACH,
				"run %s at the %s, and %s here; if it is gone for ever, "
				"--force=run or --force=drop",
				recover_hint_serve(serve, NULL), there,
				recover_hint_command(command, j, true, w->txid));
	}
	err_fail(err, ERR_IN_DOUBT, -EAGAIN, "transaction %s: in doubt: %s here, %s at the %s",
		 w->txid, wire_phase_name(result->phase), recover_other_name(result->other), there);
	if (result->other == RECOVER_OTHER_NONE)
		return err_hint(err, -EAGAIN,
				"it was done there long ago, or that journal was lost: look at the "
				"devices there, then --force=run or --force=drop here");
	recover_hint_command(command, NULL, source, w->txid);
	if (source)
		return err_hint(err, -EAGAIN, "run %s here, and %s at the destination",
				recover_hint_serve(serve, j), command);
	return err_hint(err, -EAGAIN, "run %s at the source", command);
}

static int recover_say_device(const struct recover_work *w, struct err *err)
{
	const struct recover_result *result = w->result;
	const struct recover_device *worst = NULL;

	for (unsigned int i = 0; i < result->set.n; i++)
		if (result->set.v[i].place == result->set.place)
			worst = &result->set.v[i];
	if (result->set.place >= RECOVER_BLANK && worst) {
		err_fail(err, ERR_DEVICE, -ENODEV, "transaction %s: %s: %s%s%s", w->txid,
			 worst->was->name, recover_devices_name(worst->place),
			 *worst->story ? ": " : "", worst->story);
		return err_hint(
			err, -ENODEV,
			"once it can be asked, run this again; to give it up: --force=drop");
	}
	err_fail(err, ERR_DEVICE, -EBUSY, "transaction %s: %s here, %s at the other end: %s",
		 w->txid, wire_phase_name(result->phase), recover_other_name(result->other),
		 result->plan.owner == OWNER_NONE ? "the state runs nowhere"
						  : "one end was forced, both may run");
	return err_hint(err, -EBUSY, "look at the devices at both ends");
}

/* It was told, and has noted that at most: what is left there is its own user's to start. */
static void recover_say_left_open(const struct recover_work *w)
{
	const struct recover_result *result = w->result;
	const bool source = recover_seen(w)->role == WIRE_SOURCE;

	/* One that says COMMITTED may be a receive that starts its devices just now. */
	if (w->options->plan_only || !recover_is_over(result->phase) ||
	    !(result->plan.actions & RECOVER_TELL) ||
	    (source && result->other == RECOVER_OTHER_COMMITTED))
		return;
	log_note("%s: over here; at the %s it is %s until vfiomigctl recover %s is run there",
		 w->txid, source ? "destination" : "source", recover_other_name(result->other),
		 w->txid);
}

static int recover_say(const struct recover_work *w, struct err *err)
{
	const struct recover_plan *plan = &w->result->plan;

	if (!w->result->planned && w->options->force)
		return err_fail(err, ERR_DEVICE, -ENODATA,
				"transaction %s: there is no state here that could run", w->txid);
	switch (plan->outcome) {
	case OUTCOME_IN_DOUBT:
		return recover_say_doubt(w, err);
	case OUTCOME_DEVICE_ERROR:
		return recover_say_device(w, err);
	default:
		recover_say_left_open(w);
		return 0;
	}
}

/* A process of this end works on it: it knows what to do, and may have missed the word. */

static enum wire_phase recover_word_phase(const struct recover_work *w)
{
	switch (w->options->force) {
	case RECOVER_FORCE_RUN:
		return WIRE_PHASE_COMMITTED;
	case RECOVER_FORCE_DROP:
		return WIRE_PHASE_ABORTED;
	default:
		break;
	}
	switch (w->result->other) {
	case RECOVER_OTHER_COMMITTED:
		return WIRE_PHASE_COMMITTED;
	case RECOVER_OTHER_DONE:
		return WIRE_PHASE_DONE;
	case RECOVER_OTHER_ABORTED:
	case RECOVER_OTHER_NONE:
		return WIRE_PHASE_ABORTED;
	default:
		return WIRE_PHASE_NONE;
	}
}

static void recover_judge_worker(struct recover_result *result, enum wire_phase phase,
				 bool answered)
{
	result->relayed = answered;
	result->planned = true;
	result->phase = phase;
	recover_plan_busy(phase, answered, &result->plan);
}

static int recover_relay(struct recover_work *w, struct err *err)
{
	const struct journal_record *seen = w->options->seen;
	struct recover_word word = {
		.says = { .generation = seen->generation, .role = WIRE_SOURCE },
		.forced = w->options->force ? w->result->forced : NULL,
	};
	struct wire_state answer;
	int r;

	recover_judge_worker(w->result, seen->phase, false);
	if (!w->options->force)
		recover_hear(w, WIRE_ASK);
	word.says.phase = recover_word_phase(w);
	if (word.says.phase == WIRE_PHASE_NONE || w->options->plan_only)
		/* One that has decided waits for no word: it is on its way. */
		return seen->phase == WIRE_PHASE_COMMITTED ? -EBUSY : recover_say(w, err);
	recover_signature(w, w->result->forced);
	memcpy(word.says.txid, seen->txid, WIRE_ID_SIZE);
	memcpy(word.says.journal, seen->peer_journal, WIRE_ID_SIZE);
	r = recover_ask_worker(w->options->journal, &word, w->options->link.timeout_ms, w->cancel,
			       &answer, err);
	if (r < 0)
		return err_prefix(err, r, "transaction %s", w->txid);
	recover_warn_forced(w);
	recover_judge_worker(w->result, answer.phase, true);
	return recover_say(w, err);
}

/* Nothing is asked or touched any more, so that an old record is no danger to a new user. */
static int recover_over(struct recover_work *w, struct err *err)
{
	w->result->set.place = RECOVER_SILENT;
	w->result->other = RECOVER_OTHER_UNREACHABLE;
	recover_plan_now(w);
	if (w->options->force)
		return err_fail(err, ERR_USAGE, -EALREADY,
				"transaction %s: it is %s: there is nothing to force", w->txid,
				wire_phase_name(w->result->phase));
	return 0;
}

static int recover_open(struct recover_work *w, struct err *err)
{
	const struct recover_options *o = w->options;

	return recover_devices_look(o->journal, recover_record(w), o->device, &w->result->set, err);
}

static int recover_work(struct recover_work *w, struct err *err)
{
	struct recover_result *result = w->result;
	int r;

	if (recover_is_over(result->phase))
		return recover_over(w, err);
	r = recover_open(w, err);
	if (r < 0)
		return r;
	result->looked = true;
	recover_hear(w, WIRE_ASK);
	r = recover_check(w, err);
	if (r < 0)
		return r;
	r = recover_rounds(w, err);
	return r < 0 ? r : recover_say(w, err);
}

/*
 * The process that works on it could not be asked, or need not be. It may have ended meanwhile,
 * told by the source: then what it has left is this one's. A socket that is not there, or no
 * longer, is a process that is busy, and for now is not waiting for a word.
 */
static int recover_unasked(struct recover_work *w, int failed, struct err *err)
{
	const struct recover_options *o = w->options;
	struct recover_result *result = w->result;
	struct err busy = { 0 };
	int r;

	r = journal_lock(o->journal, o->seen->txid, o->seen->role, &result->entry, &busy);
	if (r >= 0) {
		*err = (struct err){ 0 };
		result->relayed = result->planned = false;
		result->was = result->phase = recover_record(w)->phase;
		return recover_work(w, err);
	}
	if (failed != -ENOENT && failed != -ECONNREFUSED && failed != -EBUSY)
		return failed;
	*err = busy;
	return r;
}

int recover_run(const struct recover_options *options, struct cancel *cancel,
		struct recover_result *ret, struct err *err)
{
	const struct journal_record *seen = options->seen;
	struct recover_work w = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.retry = { .budget_ns = options->retry_ns },
	};
	int r;

	*ret = (struct recover_result){ .was = seen->phase, .phase = seen->phase };
	ret->other = RECOVER_OTHER_UNREACHABLE;
	ret->plan = (struct recover_plan){ .outcome = OUTCOME_IN_DOUBT, .owner = OWNER_UNKNOWN };
	hex_encode(seen->txid, WIRE_ID_SIZE, w.txid);
	r = journal_lock(options->journal, seen->txid, seen->role, &ret->entry, err);
	if (r == -EBUSY && seen->role == WIRE_DESTINATION) {
		r = recover_relay(&w, err);
		if (r < 0 && ret->phase == seen->phase)
			r = recover_unasked(&w, r, err);
	} else if (r >= 0) {
		ret->was = ret->phase = recover_record(&w)->phase;
		r = recover_work(&w, err);
	}
	link_free(w.link);
	return r;
}
