// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/kept.h"
#include "engine/receive-parts.h"
#include "transport/peer.h"

/* How long a source that has gone is waited for on its own word, at most. */
#define RECEIVE_PATIENCE_MAX_MS (5u * 60 * 1000)

static void receive_result_init(struct receive_result *result, enum move_state state)
{
	*result = (struct receive_result){ .state = state };
	result->load.verdict =
		handover_gave_up(HANDOVER_ANSWERED, HANDOVER_STOPS, HANDOVER_IDLE, MIG_FATE_BACK);
}

void receive_result_done(struct receive_result *result)
{
	load_result_done(&result->load);
}

static void receive_tell(struct receive *r, enum receive_news news)
{
	if (r->options->told)
		r->options->told(r->options->ctx, news, r->result);
}

static struct wire_hello receive_hello(const struct receive_options *o)
{
	struct wire_hello hello = {
		.version = WIRE_VERSION,
		.oldest = WIRE_OLDEST,
		.role = WIRE_DESTINATION,
		.features = WIRE_FEATURE_TAKING,
		.timeout_ms = (uint32_t)o->peer.timeout_ms,
	};

	memcpy(hello.journal, journal_id(o->journal), sizeof(hello.journal));
	return hello;
}

/*
 * One try
 */

static int receive_open_spool(struct receive *r, struct err *err)
{
	int e;

	r->spool = spool_free(r->spool);
	if (!r->options->spool)
		return 0;
	e = spool_open(r->options->spool, r->name, r->cancel, &r->spool, err);
	if (e < 0)
		return e;
	receive_room_look(r);
	if (!r->expected)
		receive_room_say(r);
	return 0;
}

static void receive_drop_spool(struct receive *r)
{
	if (r->spool)
		spool_remove(r->spool);
	r->spool = spool_free(r->spool);
}

/* A cancel that was the link's own is none of the user's; its story is the link's. */
static void receive_explain(struct receive *r, int code, struct err *err)
{
	if (code != -ECANCELED || !r->failed.code || err->kind == ERR_IN_DOUBT)
		return;
	memcpy(err->text, r->failed.text, sizeof(err->text));
	err->code = r->failed.code;
	err->system = r->failed.system;
	if (err->kind == ERR_ABORTED || err->kind == ERR_UNSPEC)
		err->kind = r->failed.kind;
}

static int receive_give_up(struct receive *r, int e, struct err *err)
{
	/* Where the load could not tell it to a sender. */
	if (r->state < MOVE_D_PREPARING || r->state == MOVE_D_STARTING)
		receive_event(r, receive_failure(r, err));
	receive_did(r, MOVE_DISCARD | MOVE_GIVE_BACK | MOVE_RELINK);
	if (r->state != MOVE_D_RENEWING)
		receive_do(r);
	receive_explain(r, e, err);
	if (r->state == MOVE_D_ABORTED)
		receive_drop_spool(r);
	else if (r->spool)
		strncpy(r->result->spool, spool_path(r->spool), sizeof(r->result->spool) - 1);
	return e;
}

static int receive_load(struct receive *r, struct err *err)
{
	struct load_options o = r->options->load;
	int e;

	o.carrier = &r->carrier;
	r->carrier = (struct load_carrier){
		.ops = &receive_carrier_ops,
		.link = HANDOVER_ANSWERED,
		.doubt = r->doubt,
	};
	e = load_run(&o, r->cancel, &r->result->load, err);
	if (e < 0)
		return receive_give_up(r, e, err);
	r->failed = (struct err){ 0 };
	receive_event(r, MOVE_ON_STARTED);
	pthread_mutex_lock(&r->lock);
	r->done = true;
	pthread_mutex_unlock(&r->lock);
	receive_do(r);
	receive_drop_spool(r);
	return 0;
}

/* Those that offer and go, or are refused, leave the result of the one before alone. */
static void receive_begin(struct receive *r)
{
	struct receive_result *result = r->result;

	r->begun = true;
	receive_result_done(result);
	receive_result_init(result, r->state);
	memcpy(result->txid, r->name, sizeof(result->txid));
	memcpy(result->source, r->source, sizeof(result->source));
}

/* FRAMES were heard. What was of an earlier try is not of this one. */
static int receive_try(struct receive *r, struct err *err)
{
	int e;

	receive_begin(r);
	r->bytes = 0;
	r->end = (struct wire_end){ 0 };
	r->failed = (struct err){ 0 };
	r->lost = false;
	/* Another process may have brought a state since this one was agreed on. */
	e = receive_judge_left(r, err);
	e = e < 0 ? e : receive_open_spool(r, err);
	if (e < 0) {
		r->failed = *err;
		receive_event(r, MOVE_ON_FAILED);
		receive_do(r);
		return e;
	}
	receive_event(r, MOVE_ON_FRAMES);
	receive_do(r);
	if (r->state != MOVE_D_LOADING) {
		*err = r->failed;
		receive_drop_spool(r);
		return err->code;
	}
	receive_did(r, MOVE_LOAD);
	receive_tell(r, RECEIVE_BEGINS);
	return receive_load(r, err);
}

/*
 * Agreeing
 */

static int receive_say_verdict(struct receive *r, const struct verdict *v, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int e = verdict_encode(v, &text, &len, err);

	return e < 0 ? e : link_send_payload(r->link, WIRE_VERDICT, text, len, err);
}

/*
 * A source that offers: is it the one? Return: 0: it is, and knows; or why not, which it was told.
 * Of one that was loaded before, the record comes first: it is not PREPARED any more.
 */
static int receive_judge_with(struct receive *r, const char *offer, size_t len, struct verdict *v,
			      struct err *err)
{
	bool renewed = r->state == MOVE_D_RENEWING;
	struct err why = { 0 };
	int e, judged;

	judged = receive_judge(r, offer, len, v, &why);
	if (!renewed)
		receive_event(r, judged < 0 ? MOVE_ON_FAILED : MOVE_ON_OFFER);
	receive_do(r);
	if (renewed && r->state != MOVE_D_ACCEPTED) {
		*err = r->failed;
		return err->code;
	}
	e = receive_say_verdict(r, v, err);
	if (judged < 0) {
		receive_event(r, MOVE_ON_REFUSE);
		*err = why;
		return judged;
	}
	if (e < 0)
		receive_lost(r, err);
	return e;
}

static int receive_judge_offer(struct receive *r, const char *offer, size_t len, struct err *err)
{
	struct verdict v = { 0 };
	int e = receive_judge_with(r, offer, len, &v, err);

	verdict_done(&v);
	return e;
}

/* Between the verdict and the first of the state. Return: 0: FRAMES have come; or why not. */
static int receive_await_frames(struct receive *r, struct err *err)
{
	struct wire_message m;
	int e = link_hear(r->link, &m, err);

	if (e < 0) {
		receive_event(r, receive_failure(r, err));
		receive_do(r);
		receive_explain(r, e, err);
		return e;
	}
	if (m.type == WIRE_FRAMES)
		return 0;
	receive_heard(r, &m);
	receive_do(r);
	*err = r->failed;
	return err->code;
}

static void receive_set_returned(struct receive *r, bool returned)
{
	pthread_mutex_lock(&r->lock);
	r->returned = returned;
	pthread_mutex_unlock(&r->lock);
}

/* The source was agreed with by a link that it has left for one that waits. */
static int receive_left(struct receive *r, struct err *err)
{
	err_fail(err, ERR_ABORTED, -ECONNRESET, "%s: the source has come again",
		 link_name(r->link));
	receive_set_returned(r, true);
	receive_lost(r, err);
	receive_do(r);
	return err->code;
}

/* Return: 0: its first FRAMES have come; or why not. */
static int receive_agree_on(struct receive *r, const char *offer, size_t len, struct err *err)
{
	struct err others = { 0 };
	int e;

	strncpy(r->source, link_name(r->link), sizeof(r->source) - 1);
	e = receive_judge_offer(r, offer, len, err);
	if (e < 0)
		return e;
	err_fail(&others, ERR_ABORTED, -EBUSY, "transaction %s is under way here", r->name);
	if (guests_turn_away(r->guests, r->link, &others))
		return receive_left(r, err);
	return receive_await_frames(r, err);
}

/* The one that comes next. Return: 0; -ECANCELED; -ETIMEDOUT at @until_ns; what watches. */
static int receive_next_guest(struct receive *r, uint64_t until_ns, struct err *err)
{
	const struct load_options *o = &r->options->load;
	_cleanup_fd_ int owners = -1;
	int e;

	e = kept_watch(o->devs, o->n, &owners, err);
	if (e < 0)
		return e;
	while (!(r->visitor = guests_receive(r->guests))) {
		struct pollfd p[] = {
			{ .fd = guests_fd(r->guests), .events = POLLIN },
			{ .fd = owners, .events = POLLIN },
		};

		e = cancel_wait(r->cancel, p, ARRAY_SIZE(p),
				until_ns ? clock_ms_until(until_ns) : -1, err);
		if (e < 0)
			return e;
		e = p[1].revents ? kept_check(o->devs, o->n, err) : 0;
		if (e < 0)
			return e;
		if (until_ns && clock_ns() >= until_ns)
			return err_fail(err, ERR_ABORTED, -ETIMEDOUT,
					"transaction %s: the source has not come again", r->name);
	}
	r->link = visitor_link(r->visitor);
	return 0;
}

/* A source that has not heard DONE says COMMIT again; others decide nothing here. */
static int receive_old_decision(struct receive *r, struct err *err)
{
	const struct wire_message *m = visitor_said(r->visitor);
	struct wire_message done = { .type = WIRE_DONE, .decision = m->decision };

	if (m->type == WIRE_ABORT && r->awaited)
		return err_fail(err, ERR_ABORTED, -ECANCELED, "%s: the source has given it up: %s",
				link_name(r->link), m->abort.reason);
	if (m->type != WIRE_COMMIT || !r->done ||
	    !receive_is(r, m->decision.txid, m->decision.generation))
		return 0;
	if (link_send(r->link, &done, err) < 0 || link_finish(r->link, err) < 0)
		log_info("%s: did not hear that it is done: %s", link_name(r->link), err->text);
	*err = (struct err){ 0 };
	return 0;
}

/*
 * How long a source may need to find the link lost as well, and to come again. Its own patience
 * counts, but no number that it may say.
 */
static uint64_t receive_patience(const struct receive *r)
{
	uint64_t ms = 2 * (uint64_t)r->options->peer.timeout_ms;

	if (r->link)
		ms += MIN(link_peer(r->link)->timeout_ms, RECEIVE_PATIENCE_MAX_MS);
	return clock_ns() + ms * NSEC_PER_MSEC;
}

/* Once more with the visitor that has come; of a new transaction, or of the one that is awaited. */
static int receive_agree_with_guest(struct receive *r, struct err *err)
{
	const char *offer;
	size_t len;

	if (r->state != MOVE_D_RENEWING) {
		receive_start_over(r, link_peer(r->link));
		if (!r->awaited)
			r->tries = link_peer(r->link)->retries;
	} else {
		receive_set_returned(r, false);
	}
	offer = visitor_offer(r->visitor, &len);
	return receive_agree_on(r, offer, len, err);
}

/* Others may be offered now, unless one is awaited. */
static void receive_forget(struct receive *r, bool awaited)
{
	receive_leave(r);
	pthread_mutex_lock(&r->lock);
	r->awaited = awaited;
	r->state = MOVE_D_AGREEING;
	pthread_mutex_unlock(&r->lock);
}

/* What the link has stopped goes on with another. Return: 0; -ECANCELED: the user ends it. */
static int receive_go_on(struct receive *r, struct err *err)
{
	if (!cancel_resume(r->cancel))
		return cancel_check(r->cancel, err);
	return 0;
}

/* Until a source's first FRAMES; what becomes of those that do not fit is said to them. */
static int receive_agree(struct receive *r, uint64_t until_ns, struct err *err)
{
	char story[ERR_STORY_MAX];
	bool renewed = r->state == MOVE_D_RENEWING;
	int e = 0;

	for (;; receive_forget(r, r->awaited)) {
		e = renewed ? 0 : receive_next_guest(r, until_ns, err);
		if (e < 0)
			return e;
		if (!renewed && visitor_said(r->visitor)->type != WIRE_OFFER) {
			e = receive_old_decision(r, err);
			if (e < 0)
				return e;
			continue;
		}
		e = receive_agree_with_guest(r, err);
		if (e >= 0 || renewed)
			return e;
		log_warn("%s: %s", r->source, peer_nameless(err_story(err, story), r->source));
		receive_leave(r);
		*err = (struct err){ 0 };
		e = receive_go_on(r, err);
		if (e < 0)
			return e;
	}
}

/* The one link there is: what does not come of it comes no more. */
static int receive_agree_alone(struct receive *r, struct err *err)
{
	const struct link_options lo = {
		.hello = receive_hello(r->options),
		.cancel = r->cancel,
	};
	_cleanup_free_ char *offer = NULL;
	struct wire_message m;
	struct channel *channel;
	size_t len;
	int e;

	e = channel_open(&r->options->uri, &r->options->peer, r->cancel, &channel, err);
	if (e < 0)
		return e;
	e = link_new(channel, &lo, &r->link, err);
	if (e < 0)
		return e;
	e = link_hear(r->link, &m, err);
	if (e < 0)
		return e;
	if (link_peer(r->link)->role == WIRE_SOURCE && m.type == WIRE_COMMIT)
		return receive_late_decision(r, &m.decision, err);
	if (link_peer(r->link)->role != WIRE_SOURCE || m.type != WIRE_OFFER) {
		err_fail(err, ERR_PEER, -EPROTO, "%s: %s is not what a move begins with",
			 link_name(r->link), wire_name(m.type));
		link_abort(r->link, err);
		return err->code;
	}
	e = link_take_payload(r->link, &offer, &len, err);
	if (e < 0)
		return e;
	receive_start_over(r, link_peer(r->link));
	return receive_agree_on(r, offer, len, err);
}

/*
 * Transactions
 */

/* It was cut off, and its source has said that it comes again, or has come. */
static bool receive_comes_again(struct receive *r)
{
	if (r->state != MOVE_D_ABORTED || !r->lost || !r->options->listener ||
	    atomic_load(&r->cancel->asked))
		return false;
	return r->failed.kind == ERR_ABORTED && (r->tries || receive_has_returned(r));
}

/* With what was loaded reset away; the devices stay stopped, and open. */
static uint64_t receive_await_again(struct receive *r)
{
	uint64_t until_ns = receive_patience(r);

	r->tries -= r->tries > 0;
	receive_forget(r, true);
	receive_tell(r, RECEIVE_AWAITS_SOURCE);
	return until_ns;
}

static int receive_transaction(struct receive *r, struct err *err)
{
	struct err first = { 0 };
	uint64_t until_ns = 0;
	int e;

	for (;;) {
		e = r->options->listener ? receive_agree(r, until_ns, err)
					 : receive_agree_alone(r, err);
		if (e < 0 && first.code)
			*err = first; /* why it was broken off is what counts */
		e = e < 0 ? e : receive_try(r, err);
		if (r->state == MOVE_D_RENEWING)
			continue;
		if (!receive_comes_again(r))
			return e < 0 ? err->code : 0;
		first = *err;
		until_ns = receive_await_again(r);
		*err = (struct err){ 0 };
		if (receive_go_on(r, err) < 0)
			return err->code;
	}
}

/* A source that has not heard that it is done comes again, and is told once more. */
static void receive_linger(struct receive *r)
{
	struct err err = { 0 };
	uint64_t until_ns;

	if (!r->link || (link_check(r->link, NULL) >= 0 && link_finish(r->link, &err) >= 0))
		return;
	log_info("transaction %s: the source may not have heard that it is done", r->name);
	if (!r->options->listener || r->options->keep)
		return;
	until_ns = receive_patience(r);
	receive_leave(r);
	cancel_reopen(r->cancel);
	err = (struct err){ 0 };
	if (receive_next_guest(r, until_ns, &err) >= 0 && receive_old_decision(r, &err) < 0)
		log_info("%s", err.text);
	cancel_close(r->cancel);
}

static void receive_end(struct receive *r, int e)
{
	r->entry = journal_entry_free(r->entry);
	if (e >= 0) {
		receive_linger(r);
		memcpy(r->held, r->name, sizeof(r->held));
	}
	r->begun = false;
	guests_close_socket(r->guests);
	receive_forget(r, false);
}

/* Of devices that others keep, so that a source can have them. */
static void receive_close_devices(const struct receive *r)
{
	const struct load_options *o = &r->options->load;

	for (unsigned int i = 0; o->kept && i < o->n; i++)
		device_close(o->devs[i]);
}

/* Whether another transaction can be served after this one, or after what keeps one from coming. */
static bool receive_serves_on(struct receive *r, int e)
{
	enum move_state state = r->result->state;

	if (!r->options->keep || atomic_load(&r->cancel->asked))
		return false;
	return e >= 0 || (r->begun && state == MOVE_D_ABORTED &&
			  r->result->load.verdict.status == HANDOVER_AS_FAILED);
}

/* To be stopped while nothing is under way is how a service ends. */
static bool receive_is_idle(const struct receive *r, int e)
{
	return r->options->keep && e == -ECANCELED && r->state == MOVE_D_AGREEING && !r->awaited;
}

static int receive_serve(struct receive *r, struct err *err)
{
	char story[ERR_STORY_MAX];
	bool serves_on;
	int e;

	for (;;) {
		e = receive_transaction(r, err);
		if (receive_is_idle(r, e)) {
			*err = (struct err){ 0 };
			return 0;
		}
		serves_on = receive_serves_on(r, e);
		receive_end(r, e);
		if (!serves_on)
			return e;
		if (e < 0)
			log_warn("transaction %s: %s", r->name, err_story(err, story));
		receive_tell(r, RECEIVE_OVER);
		receive_close_devices(r);
		*err = (struct err){ 0 };
		if (receive_go_on(r, err) < 0)
			return err->code;
		cancel_reopen(r->cancel);
	}
}

/*
 * The whole
 */

static int receive_note_found(void *ctx, unsigned int i, enum leftover left,
			      const struct journal_record *record, struct err *err)
{
	struct receive *r = ctx;

	(void)err;
	if (left == LEFTOVER_HELD)
		memcpy(r->found[i], record->txid, sizeof(r->found[i]));
	return 0;
}

static int receive_find_held(struct receive *r, struct err *err)
{
	r->found = calloc(r->options->load.n, sizeof(*r->found));
	if (!r->found)
		return err_set(err, -ENOMEM, "receive");
	return receive_each_left(r, receive_note_found, err);
}

static int receive_open_guests(struct receive *r, struct err *err)
{
	static const struct guests_ops ops = {
		.admit = receive_admit,
		.settle = receive_settle,
		.answer = receive_answer,
	};
	const struct guests_options guests = {
		.ops = &ops,
		.ctx = r,
		.hello = receive_hello(r->options),
		.cancel = r->cancel,
		.timeout_ms = r->options->peer.timeout_ms,
	};
	int e;

	e = guests_new(&guests, &r->guests, err);
	if (e < 0 || !r->options->listener)
		return e;
	return guests_listen(r->guests, r->options->listener, err);
}

static int receive_init(struct receive *r, struct err *err)
{
	int e;

	r->word_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->word_fd < 0)
		return err_set(err, -errno, "eventfd");
	e = receive_find_held(r, err);
	return e < 0 ? e : receive_open_guests(r, err);
}

static void receive_done(struct receive *r)
{
	receive_leave(r);
	guests_free(r->guests);
	journal_entry_free(r->entry);
	spool_free(r->spool);
	if (r->word_fd >= 0)
		close(r->word_fd);
	free(r->found);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->journal_lock);
	pthread_mutex_destroy(&r->lock);
}

int receive_run(const struct receive_options *options, struct cancel *cancel,
		struct receive_result *ret, struct err *err)
{
	struct receive r = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.state = MOVE_D_AGREEING,
		.word = MOVE_NR_EVENTS,
		.word_fd = -1,
	};
	int e;

	receive_result_init(ret, r.state);
	pthread_mutex_init(&r.lock, NULL);
	pthread_mutex_init(&r.journal_lock, NULL);
	pthread_cond_init(&r.changed, NULL);
	e = receive_init(&r, err);
	if (e < 0 && !r.guests)
		listener_free(options->listener);
	e = e < 0 ? e : receive_serve(&r, err);
	receive_done(&r);
	return e;
}
