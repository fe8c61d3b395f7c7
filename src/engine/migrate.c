// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/courier.h"
#include "engine/journal.h"
#include "engine/leftover.h"
#include "engine/migrate.h"
#include "engine/migrate-record.h"
#include "engine/recover-hint.h"

/* Between two dials that fail, doubled each time. */
#define MIGRATE_PAUSE_MS 100
#define MIGRATE_PAUSE_MAX_MS 2000

/* How many timeouts of the link the other end's last word is waited for when the link is lost. */
#define MIGRATE_PATIENCE 4

/**
 * struct migrate - a move under way
 * @err: of the caller; what the move fails with, or is to be undone for
 * @left: how often the channel may still be dialled again
 * @pause_ms: before the next dial
 * @patience_ns: when the wait for the other end's last word ends, CLOCK_MONOTONIC; 0: not yet known
 * @left_over: by an earlier transaction, for which this one is refused
 * @begun: the image was begun, and its streams have to be given up before another one
 * @settled: the devices were touched
 */
struct migrate {
	const struct migrate_options *options;
	struct migrate_result *result;
	struct cancel *cancel;
	struct err *err;
	struct source source;
	struct courier courier;
	struct journal *journal;
	struct journal_entry *entry;
	enum move_state state;
	unsigned int left;
	int pause_ms;
	uint64_t patience_ns;
	enum leftover left_over;
	bool begun, settled;
};

#define MIGRATE_TXID_MAX (2 * WIRE_ID_SIZE + 1)

static char *migrate_txid(const struct migrate *m, char buf[MIGRATE_TXID_MAX])
{
	return hex_encode(m->result->txid, WIRE_ID_SIZE, buf);
}

/*
 * Before anything is said
 */

static int migrate_identify(struct migrate *m, struct err *err)
{
	struct migrate_result *result = m->result;
	struct wire_hello *hello = &m->courier.hello;
	char txid[MIGRATE_TXID_MAX];
	int r;

	if (getrandom(result->txid, sizeof(result->txid), 0) != sizeof(result->txid))
		return err_set(err, -errno, "getrandom");
	r = journal_generation(m->journal, 0, &result->generation, err);
	if (r < 0)
		return r;
	*hello = (struct wire_hello){
		.version = WIRE_VERSION,
		.oldest = WIRE_OLDEST,
		.role = WIRE_SOURCE,
		.features = WIRE_FEATURE_TAKING,
		.generation = result->generation,
		.timeout_ms = (uint32_t)m->options->peer.timeout_ms,
		.retries = m->options->retries,
	};
	memcpy(hello->txid, result->txid, sizeof(hello->txid));
	memcpy(hello->journal, journal_id(m->journal), sizeof(hello->journal));
	result->started = true;
	log_info("transaction %s", migrate_txid(m, txid));
	return 0;
}

static int migrate_open_journal(struct migrate *m, struct err *err)
{
	_cleanup_free_ char *dir = NULL;
	int r;

	if (m->options->state_dir)
		return journal_open(m->options->state_dir, &m->journal, err);
	r = journal_default_dir(&dir, err);
	return r < 0 ? r : journal_open(dir, &m->journal, err);
}

/* Return: @code. */
static int migrate_hint_recover(const struct migrate *m, enum wire_role role, enum wire_phase phase,
				const char *peer, const char *txid, int code, struct err *err)
{
	const bool asks = recover_hint_asks(role, phase, peer);
	char command[RECOVER_HINT_MAX];

	return err_hint(err, code, "%s%s", recover_hint_command(command, m->journal, asks, txid),
			asks ? ", with recover --serve=URI at the other end" : "");
}

static int migrate_refuse(struct migrate *m, const char *name, const struct journal_record *record,
			  enum leftover what, struct err *err)
{
	char txid[MIGRATE_TXID_MAX];

	m->left_over = what;
	hex_encode(record->txid, WIRE_ID_SIZE, txid);
	if (what == LEFTOVER_BUSY) {
		err_fail(err, ERR_SYSTEM, -EBUSY,
			 "%s: transaction %s %s, and another process works on it", name, txid,
			 leftover_story(record->role, record->phase));
		return err_hint(err, -EBUSY, "wait for it to end");
	}
	err_fail(err, what == LEFTOVER_OWED ? ERR_IN_DOUBT : ERR_USAGE, -EALREADY,
		 "%s: transaction %s %s", name, txid, leftover_story(record->role, record->phase));
	if (what == LEFTOVER_OWED)
		return migrate_hint_recover(m, record->role, record->phase, record->peer, txid,
					    -EALREADY, err);
	return err_hint(err, -EALREADY,
			"the other end may run it: reset this device, or start it first if it has "
			"another state since");
}

static int migrate_check_device(void *ctx, unsigned int i, enum leftover left,
				const struct journal_record *record, struct err *err)
{
	struct migrate *m = ctx;
	const struct device *dev = m->options->source.devs[i];
	/* One that is not open yet has no state to judge by. */
	bool stays = left == LEFTOVER_GONE && dev->mig && dev->mig->state == MIG_STOP;

	if (left != LEFTOVER_OWED && left != LEFTOVER_BUSY && !stays)
		return 0;
	return migrate_refuse(m, device_name(dev), record, left, err);
}

/*
 * What has left must not leave once more: two ends would run it. A device that runs has another
 * state since; in STOP it is the one that has left.
 */
static int migrate_check_left(struct migrate *m, struct err *err)
{
	const struct source_options *o = &m->options->source;

	return leftover_each(m->journal, NULL, o->devs, o->n, migrate_check_device, m, err);
}

static int migrate_open_all(struct migrate *m, struct err *err)
{
	const struct migrate_options *o = m->options;
	const struct source_carrier carrier = {
		.write = courier_write,
		.ctx = &m->courier,
		/* By writing it hears the other end, too. */
		.keepalive = true,
	};
	int r;

	r = source_init(&m->source, &o->source, &carrier, m->cancel, &m->result->source, err);
	if (r < 0)
		return r;
	r = migrate_open_journal(m, err);
	if (r < 0)
		return r;
	r = migrate_check_left(m, err);
	r = r < 0 ? r : migrate_identify(m, err);
	if (r < 0)
		return r;
	if (courier_dial(&m->courier, err) != MOVE_ON_LINKED)
		return err->code;
	r = source_open(&m->source, err);
	r = r < 0 ? r : source_check(&m->source, err);
	/* To open a device may have taken as long as another process had it, and changed that. */
	return r < 0 ? r : migrate_check_left(m, err);
}

/*
 * What the machine wants done. Return: what came of it, COURIER_NONE where that is yet to be heard.
 */

static enum move_event migrate_send_offer(struct migrate *m)
{
	struct image_manifest manifest;
	enum move_event e;

	if (source_manifest(&m->source, &manifest, m->err) < 0)
		return MOVE_ON_FAILED;
	/* What is compressed comes to less, and it is not known to how much. */
	if (!m->source.options->zstd_level && !source_room(m->source.options, &manifest.expected))
		manifest.expected = 0;
	e = courier_offer(&m->courier, &manifest, m->err);
	image_manifest_done(&manifest);
	return e;
}

/* What has failed: the link, which ends the devices' streams, too; a wish to stop; a device. */
static enum move_event migrate_stream_failed(struct migrate *m, int r)
{
	enum move_event met = courier_met(&m->courier, m->err);

	if (met != COURIER_NONE)
		return met;
	return r == -ECANCELED || r == -ETIME ? MOVE_ON_CANCEL : MOVE_ON_FAILED;
}

/* Where it fails the devices are given back already. */
static int migrate_settle(struct migrate *m)
{
	int r = m->settled ? 0 : source_settle(&m->source, m->err);

	m->settled = r >= 0;
	return r;
}

static int migrate_send_state(struct migrate *m)
{
	struct source *s = &m->source;
	int r;

	r = migrate_settle(m);
	if (r < 0)
		return r;
	m->begun = true;
	r = source_begin(s, m->err);
	if (r < 0)
		return r;
	r = courier_await_taking(&m->courier, m->err);
	if (r < 0)
		return r;
	r = source_stop(s, m->err);
	r = r < 0 ? r : source_drain(s, m->err);
	r = source_explain(s, r, m->err);
	if (r < 0)
		return r;
	r = source_finish(s, m->err);
	if (r < 0)
		return r;
	r = source_sum(s, m->err);
	if (r < 0)
		return r;
	r = source_return(s, m->err);
	if (r < 0)
		return r;
	r = source_end_devices(s, m->err);
	if (r < 0)
		return r;
	r = source_end_image(s, m->err);
	return r < 0 ? r : cancel_check(m->cancel, m->err);
}

static enum move_event migrate_take(struct migrate *m)
{
	int r = migrate_send_state(m);

	return r < 0 ? migrate_stream_failed(m, r) : MOVE_ON_SENT;
}

/* While the other end has its devices judge the state: the decision has only to be named then. */
static void migrate_record_ahead(struct migrate *m)
{
	journal_record(m->entry)->end = m->courier.sent;
	journal_prepare(m->entry, move_phase_ahead(m->state));
}

static enum move_event migrate_send_end(struct migrate *m)
{
	const struct source_result *s = &m->result->source;
	enum move_event e;

	log_info("%s: all is sent", m->options->uri.text);
	e = courier_end(&m->courier, &s->receipt, s->written, m->err);
	if (e == COURIER_NONE)
		migrate_record_ahead(m);
	return e;
}

static enum move_event migrate_send_commit(struct migrate *m)
{
	return courier_commit(&m->courier, m->err);
}

static enum move_event migrate_send_abort(struct migrate *m)
{
	courier_abort(&m->courier, m->err);
	return COURIER_NONE;
}

static enum move_event migrate_give_back(struct migrate *m)
{
	if (!m->settled)
		return COURIER_NONE;
	source_give_back(&m->source, m->err);
	source_note_streams(&m->source);
	source_end_streams(&m->source);
	return COURIER_NONE;
}

static enum move_event migrate_release(struct migrate *m)
{
	log_info("%s",
		 m->state == MOVE_S_DONE ? "the other end runs it" : "the devices stay stopped");
	return COURIER_NONE;
}

/*
 * The record
 */

static int migrate_add_record(struct migrate *m, struct err *err)
{
	const struct migrate_record record = {
		.txid = m->result->txid,
		.generation = m->result->generation,
		.peer = courier_can_redial(&m->courier) ? m->options->uri.text : NULL,
		.peer_journal = link_peer(m->courier.link)->journal,
		.members = m->source.set.members,
		.n = m->source.set.n,
	};

	return migrate_record_add(m->journal, &record, &m->entry, err);
}

/* From here on the guardian leaves the devices stopped, whatever the record will say. */
static int migrate_write_record(struct migrate *m, struct err *err)
{
	int r;

	if (!m->entry)
		return migrate_add_record(m, err);
	if (m->state == MOVE_S_DECIDING) {
		r = source_stay(&m->source, err);
		if (r < 0)
			return r;
	}
	journal_record(m->entry)->phase = move_phase(m->state);
	journal_record(m->entry)->end = m->courier.sent;
	return journal_write(m->entry, err);
}

static enum move_event migrate_write(struct migrate *m)
{
	bool decisive = m->state == MOVE_S_BEGINNING || m->state == MOVE_S_DECIDING;
	char reason[ERR_REASON_MAX], txid[MIGRATE_TXID_MAX];
	struct err why = { 0 };
	int r = migrate_write_record(m, &why);

	if (r == JOURNAL_WRITTEN)
		return MOVE_ON_WRITTEN;
	if (decisive)
		*m->err = why;
	else
		log_warn("%s%s: the record of %s is not up to date", why.text,
			 err_reason(&why, reason), migrate_txid(m, txid));
	return r < 0 ? MOVE_ON_NOT_WRITTEN : MOVE_ON_UNSURE;
}

/*
 * Another link
 */

static bool migrate_is_late(const struct migrate *m)
{
	uint64_t since = source_stopped_ns(&m->source);

	return since && clock_ns() - since >= m->options->break_max_ns;
}

/*
 * The stream ends with the link. What has failed with it requested the cancel, and so may the user
 * have.
 */
static enum move_event migrate_end_stream(struct migrate *m)
{
	char reason[ERR_REASON_MAX];

	log_warn("%s%s; connecting again, %u of %u", m->err->text, err_reason(m->err, reason),
		 m->result->tries, m->options->retries);
	if (m->begun && source_rewind(&m->source, m->err) < 0)
		return MOVE_ON_FAILED;
	m->begun = false;
	if (!cancel_resume(m->cancel) && cancel_check(m->cancel, m->err) < 0)
		return MOVE_ON_CANCEL;
	return COURIER_NONE;
}

static enum move_event migrate_dial(struct migrate *m)
{
	struct err why = { 0 };
	int ms = m->pause_ms;
	enum move_event e;

	m->pause_ms = MIN(MAX(2 * ms, MIGRATE_PAUSE_MS), MIGRATE_PAUSE_MAX_MS);
	if (ms && cancel_pause(m->cancel, ms, &why) < 0)
		e = MOVE_ON_CANCEL;
	else
		e = courier_dial(&m->courier, &why);
	if (e != MOVE_ON_LINKED)
		*m->err = why;
	return e;
}

/* Before READY. */
static enum move_event migrate_retry(struct migrate *m)
{
	enum move_event e;

	if (migrate_is_late(m)) {
		m->left = 0;
		return MOVE_ON_LOST;
	}
	m->left--;
	m->result->tries++;
	e = migrate_end_stream(m);
	if (e != COURIER_NONE)
		return e;
	/* By it the other end knows the newer one of two tries. */
	m->courier.hello.retries = m->left;
	e = migrate_dial(m);
	if (e == MOVE_ON_LINKED)
		*m->err = (struct err){ 0 };
	return e;
}

/* Behind the decision: what is left is to tell it. */
static enum move_event migrate_redial(struct migrate *m)
{
	uint64_t timeout_ns = (uint64_t)m->options->peer.timeout_ms * NSEC_PER_MSEC;

	if (!m->patience_ns)
		m->patience_ns = clock_ns() + MIGRATE_PATIENCE * timeout_ns;
	if (!courier_can_redial(&m->courier) || clock_ns() >= m->patience_ns)
		return MOVE_ON_CANCEL;
	log_info("%s; connecting again", m->err->text);
	return migrate_dial(m);
}

static enum move_event migrate_relink(struct migrate *m)
{
	return m->state == MOVE_S_BROKEN ? migrate_retry(m) : migrate_redial(m);
}

/*
 * The machine
 */

static enum move_event migrate_carry_out(struct migrate *m, unsigned int actions)
{
	static const struct {
		enum move_action action;
		enum move_event (*fn)(struct migrate *m);
	} rows[] = {
		{ MOVE_GIVE_BACK, migrate_give_back },
		{ MOVE_WRITE, migrate_write },
		{ MOVE_SEND_OFFER, migrate_send_offer },
		{ MOVE_SEND_END, migrate_send_end },
		{ MOVE_SEND_COMMIT, migrate_send_commit },
		{ MOVE_SEND_ABORT, migrate_send_abort },
		{ MOVE_TAKE, migrate_take },
		{ MOVE_RELINK, migrate_relink },
		{ MOVE_RELEASE, migrate_release },
	};
	enum move_event ret = COURIER_NONE;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum move_event e = actions & rows[i].action ? rows[i].fn(m) : COURIER_NONE;

		ret = e == COURIER_NONE ? ret : e;
	}
	return ret;
}

/* All is sent, and the other end's word waited for. */
static bool migrate_waits(enum move_state state)
{
	return state == MOVE_S_ENDED || state == MOVE_S_DECIDING || state == MOVE_S_COMMITTED;
}

static void migrate_enter(struct migrate *m, enum move_state next)
{
	struct event e = { .kind = EVENT_MOVE, .device = EVENT_SET, .move = next };
	bool waited = migrate_waits(m->state);

	if (next == m->state)
		return;
	m->state = m->result->state = next;
	event_emit(m->options->source.events, &e);
	if (waited != migrate_waits(next))
		source_tell(&m->source, waited ? EVENT_FINISHED : EVENT_FINISH);
	/* A decision that may be heard is not undone, however long it takes. */
	if (next == MOVE_S_DECIDING) {
		cancel_close(m->cancel);
		cancel_set_deadline(m->cancel, 0);
	}
	if (next == MOVE_S_BEGUN || next == MOVE_S_COMMITTED)
		m->pause_ms = 0;
}

/* What another try would not change. */
static void migrate_judge_loss(struct migrate *m)
{
	if (!courier_can_redial(&m->courier))
		m->left = 0;
}

static enum move_event migrate_next(struct migrate *m, enum move_event event)
{
	if (event == COURIER_NONE)
		event = courier_hear(&m->courier, m->state, m->err);
	if (event == MOVE_ON_LOST)
		migrate_judge_loss(m);
	/* The last moment at which a wish to stop is heard. */
	if (event == MOVE_ON_READY && cancel_check(m->cancel, m->err) < 0)
		event = MOVE_ON_CANCEL;
	if (event == MOVE_ON_ACCEPT && m->options->check_only) {
		err_fail(m->err, ERR_ABORTED, -ECANCELED, "it was asked only whether it would");
		event = MOVE_ON_CANCEL;
	}
	return event;
}

static bool migrate_is_final(enum move_state state)
{
	return state == MOVE_S_DONE || state == MOVE_S_ABORTED || state == MOVE_S_UNSURE;
}

static void migrate_go(struct migrate *m, enum move_event event)
{
	while (!migrate_is_final(m->state)) {
		struct move_step step;

		event = migrate_next(m, event);
		/* Not even a second signal undoes the decision: it ends the wait. */
		if (event == MOVE_ON_CANCEL && move_decided(m->state))
			break;
		step = move_step(m->state, event, m->left > 0);
		migrate_enter(m, step.next);
		event = migrate_carry_out(m, step.actions);
	}
	if (migrate_waits(m->state))
		source_tell(&m->source, EVENT_FINISHED);
}

/*
 * What it comes to
 */

static void migrate_tell_doubt(const struct migrate *m)
{
	const struct source_options *o = &m->options->source;
	const char *peer = m->entry ? journal_record(m->entry)->peer : NULL;
	char txid[MIGRATE_TXID_MAX];
	int code = m->err->code;

	if (o->n > 1)
		err_note(m->err, code,
			 "the %u devices stay stopped, since the other end may run "
			 "their state",
			 o->n);
	else
		err_note(m->err, code, "%s stays stopped, since the other end may run its state",
			 device_name(o->devs[0]));
	migrate_hint_recover(m, WIRE_SOURCE, WIRE_PHASE_COMMITTED, peer, migrate_txid(m, txid),
			     code, m->err);
}

/* The error's kind becomes the verdict's. Return: 0 for a move that is done, else the error. */
static int migrate_judge(struct migrate *m)
{
	struct handover_verdict *verdict = &m->result->verdict;

	*verdict = handover_sender_verdict(HANDOVER_ANSWERED, move_sent(m->state), false,
					   set_fate(&m->source.set));
	if (verdict->status == HANDOVER_DONE) {
		*m->err = (struct err){ 0 };
		return 0;
	}
	if (verdict->status == HANDOVER_IN_DOUBT) {
		m->err->kind = ERR_IN_DOUBT;
		migrate_tell_doubt(m);
	} else if (verdict->status == HANDOVER_DEVICE) {
		m->err->kind = ERR_DEVICE;
	}
	return m->err->code;
}

/* Nothing was touched: the answer is all there is. */
static int migrate_judge_check(struct migrate *m)
{
	bool accepted = m->courier.verdict.accepted;

	m->result->verdict = (struct handover_verdict){
		accepted ? HANDOVER_DONE : HANDOVER_AS_FAILED,
		accepted ? OUTCOME_COMPLETED : OUTCOME_ABORTED,
		OWNER_SOURCE,
	};
	if (accepted) {
		*m->err = (struct err){ 0 };
		return 0;
	}
	if (m->result->answered)
		m->err->kind = ERR_UNSUPPORTED;
	return m->err->code;
}

/* Nothing was touched, and yet the state may not be this end's. */
static void migrate_judge_left(struct migrate *m)
{
	struct handover_verdict *verdict = &m->result->verdict;

	if (m->left_over == LEFTOVER_NONE)
		return;
	verdict->outcome = m->left_over == LEFTOVER_OWED ? OUTCOME_IN_DOUBT : OUTCOME_ABORTED;
	verdict->owner = m->left_over == LEFTOVER_GONE ? OWNER_DESTINATION : OWNER_UNKNOWN;
}

static void migrate_note(struct migrate *m)
{
	uint64_t since = source_stopped_ns(&m->source);

	m->result->answered = m->courier.verdict.accepted || m->courier.verdict.reason;
	if (m->state == MOVE_S_DONE && since)
		m->result->downtime_ns = clock_ns() - since;
}

static void migrate_done(struct migrate *m)
{
	m->result->answer = m->courier.verdict;
	m->courier.verdict = (struct verdict){ 0 };
	source_done(&m->source);
	courier_done(&m->courier);
	m->entry = journal_entry_free(m->entry);
	m->journal = journal_free(m->journal);
}

void migrate_result_done(struct migrate_result *result)
{
	source_result_done(&result->source);
	verdict_done(&result->answer);
}

int migrate_run(const struct migrate_options *options, struct cancel *cancel,
		struct migrate_result *ret, struct err *err)
{
	struct migrate m = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.err = err,
		.courier = { .uri = &options->uri, .peer = &options->peer, .cancel = cancel },
		.state = MOVE_S_AGREEING,
		.left = options->retries,
	};
	int r;

	*ret = (struct migrate_result){ .state = m.state };
	courier_init(&m.courier);
	migrate_go(&m, migrate_open_all(&m, err) < 0 ? MOVE_ON_FAILED : migrate_send_offer(&m));
	migrate_note(&m);
	actions_end(m.source.set.actions, m.state == MOVE_S_DONE ? NULL : err);
	r = options->check_only ? migrate_judge_check(&m) : migrate_judge(&m);
	migrate_judge_left(&m);
	migrate_done(&m);
	return r;
}
