// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/units.h"
#include "engine/ack.h"
#include "engine/save.h"
#include "fsm/fsm.h"
#include "transport/output.h"

/**
 * struct save - a save under way
 * @sent: how far the state has gone
 * @refused: the receiver has said so
 */
struct save {
	const struct save_options *options;
	struct save_result *result;
	struct cancel *cancel;
	struct source source;
	struct output *out;
	enum handover_link link;
	enum handover_sent sent;
	bool refused;
};

static void save_event(struct save *s, enum handover_event event)
{
	s->sent = handover_sent_next(s->link, s->sent, event);
}

static void save_failed(struct save *s)
{
	save_event(s, s->refused ? HANDOVER_ON_REFUSE : HANDOVER_ON_FAILURE);
}

/*
 * Where the bytes go
 */

/* A receiver that takes no more may have said why. */
static int save_write_failed(struct save *s, int r, struct err *err)
{
	int said = s->link == HANDOVER_ANSWERED ? ack_explain(s->out, r, err) : r;

	s->refused |= said == ACK_REFUSED;
	return said == ACK_REFUSED ? err->code : r;
}

static int save_put(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct save *s = ctx;
	int r = output_write(s->out, buf, len, err);

	return r < 0 ? save_write_failed(s, r, err) : 0;
}

static int save_open_output(struct save *s, struct err *err)
{
	const struct save_options *o = s->options;
	int r;

	if (o->uri.kind & URI_SOCKET)
		r = output_connect(&o->uri, &o->peer, s->cancel, &s->out, err);
	else
		r = output_open(&o->uri, o->force, s->cancel, &s->out, err);
	if (r < 0)
		return r;
	if (!output_has_reader(s->out))
		s->link = HANDOVER_STORED;
	else
		s->link = !o->source.raw && output_answers(s->out) ? HANDOVER_ANSWERED
								   : HANDOVER_ONE_WAY;
	s->source.carrier.keepalive = s->link == HANDOVER_ANSWERED;
	return 0;
}

/*
 * The devices
 */

int save_check_room(const struct save_options *options, struct save_room *ret, struct err *err)
{
	const struct source_options *o = &options->source;
	char expected[UNITS_MAX], free[UNITS_MAX];

	*ret = (struct save_room){ 0 };
	ret->expected_known = source_room(o, &ret->expected);
	ret->free_known = output_room(&options->uri, &ret->free);
	if (!ret->expected_known || !ret->free_known || o->zstd_level || ret->expected <= ret->free)
		return 0;
	err_fail(err, ERR_OUTPUT, -ENOSPC, "%s: %s free, and the driver%s of %s%s expect%s %s",
		 options->uri.text, format_bytes(free, ret->free), o->n > 1 ? "s" : "",
		 device_name(o->devs[0]), o->n > 1 ? " and the others" : "", o->n > 1 ? "" : "s",
		 format_bytes(expected, ret->expected));
	return err_hint(err, -ENOSPC, "make room, or try --compress=zstd");
}

static int save_open_devices(struct save *s, struct err *err)
{
	struct save_room room;
	int r;

	r = source_open(&s->source, err);
	if (r < 0)
		return r;
	r = save_check_room(s->options, &room, err);
	if (r < 0)
		return r;
	r = source_check(&s->source, err);
	return r < 0 ? r : source_settle(&s->source, err);
}

/*
 * The streams
 */

/* From here on the reader may have all. */
static int save_begin_end(struct save *s, struct err *err)
{
	int r;

	r = s->link == HANDOVER_STORED ? 0 : source_stay(&s->source, err);
	if (r < 0)
		return r;
	save_event(s, HANDOVER_ON_END);
	return 0;
}

/* A bare stream ends where it is closed, whatever closes it: then its reader may have all. */
static int save_note_bare(struct save *s, struct err *err)
{
	bool bare = s->options->source.raw && s->link != HANDOVER_STORED;

	return bare ? source_stay(&s->source, err) : 0;
}

static int save_take(struct save *s, struct err *err)
{
	int r;

	r = source_stop(&s->source, err);
	if (r < 0)
		return r;
	r = save_note_bare(s, err);
	return r < 0 ? r : source_drain(&s->source, err);
}

static int save_drain_all(struct save *s, struct err *err)
{
	const struct source_options *o = &s->options->source;
	int r = source_explain(&s->source, save_take(s, err), err);

	if (r < 0)
		return r;
	r = source_finish(&s->source, err);
	if (r < 0)
		return r;
	if (!o->leave_stopped || o->raw)
		cancel_set_deadline(s->cancel, 0);
	if (o->raw) {
		r = save_begin_end(s, err);
		if (r < 0)
			return r;
	}
	return source_sum(&s->source, err);
}

/*
 * The end
 */

static int save_end_image(struct save *s, struct err *err)
{
	int r;

	r = source_end_devices(&s->source, err);
	if (r < 0)
		return r;
	r = save_begin_end(s, err);
	return r < 0 ? r : source_end_image(&s->source, err);
}

static int save_await_ack(struct save *s, struct err *err)
{
	int r = ack_await(s->out, &s->result->source.receipt, err);

	s->refused |= r == ACK_REFUSED;
	return r == ACK_REFUSED ? err->code : r;
}

/* The last bytes, and what the other end says or does about them. */
static int save_send_end(struct save *s, struct err *err)
{
	int r;

	r = source_check_cancel(&s->source, err);
	if (r < 0)
		return r;
	/* The answer is waited for no longer than --timeout. */
	if (s->link == HANDOVER_ANSWERED)
		cancel_close(s->cancel);
	/* What a reader may act on is not undone, however long it takes. */
	if (s->link != HANDOVER_STORED)
		cancel_set_deadline(s->cancel, 0);
	r = s->options->source.raw ? save_begin_end(s, err) : save_end_image(s, err);
	if (r < 0)
		return r;
	if (s->link != HANDOVER_STORED)
		log_info("%s: all is sent, waiting for its end", output_name(s->out));
	if (s->link == HANDOVER_ANSWERED)
		return save_await_ack(s, err);
	r = output_finish(s->out, err);
	if (r < 0)
		return r;
	return s->link == HANDOVER_STORED ? cancel_check(s->cancel, err) : 0;
}

static int save_send_and_publish(struct save *s, struct err *err)
{
	int r;

	r = save_send_end(s, err);
	if (r < 0)
		return r;
	cancel_close(s->cancel);
	r = source_stay(&s->source, err);
	if (r < 0)
		return r;
	return output_publish(s->out, err);
}

static int save_finish(struct save *s, struct err *err)
{
	int r;

	source_tell(&s->source, EVENT_FINISH);
	r = save_send_and_publish(s, err);
	source_tell(&s->source, EVENT_FINISHED);
	s->result->published = r >= 0;
	if (r < 0)
		save_failed(s);
	else
		save_event(s,
			   s->link == HANDOVER_ANSWERED ? HANDOVER_ON_ACCEPT : HANDOVER_ON_TAKEN);
	return r;
}

/* What is wrong with the device has been said; this is what is known of the state elsewhere. */
static void save_tell_of_copy(const struct save *s, const struct err *late, struct err *err)
{
	const char *name = output_name(s->out);
	char reason[ERR_REASON_MAX], note[sizeof(err->note)];

	memcpy(note, err->note, sizeof(note));
	if (s->sent == HANDOVER_DOUBT)
		err_note(err, err->code, "%s; %s may have the state: %s", note, name, late->text);
	else if (handover_gives_back(s->sent))
		log_warn("%s%s: no image either", late->text, err_reason(late, reason));
	else
		err_note(err, err->code, "%s; %s is complete and has the state", note, name);
}

static void save_tell_doubt(const struct save *s, struct err *err)
{
	const struct source_options *o = &s->options->source;
	const char *name = device_name(o->devs[0]);

	if (s->result->verdict.status != HANDOVER_IN_DOUBT)
		return;
	if (o->n > 1) {
		err_note(err, err->code,
			 "the %u devices stay stopped, since the other end may run their state",
			 o->n);
		err_hint(err, err->code, "if it does not: vfiomigctl state DEV running, for each");
		return;
	}
	err_note(err, err->code, "%s stays stopped, since the other end may run its state", name);
	err_hint(err, err->code, "if it does not: vfiomigctl state %s running", name);
}

/* They have their state, and are stopped because they were to be, or the way back was refused. */
static bool save_can_go_back(const struct save *s)
{
	enum mig_fate fate = set_fate(&s->source.set);

	return fate == MIG_FATE_HOLDS || (fate == MIG_FATE_BACK && !source_runs_on(&s->source));
}

static int save_take_and_hand_over(struct save *s, struct err *err)
{
	struct err late = { 0 };
	int r, finished;

	r = save_drain_all(s, err);
	if (!s->source.drained) {
		source_give_back(&s->source, err);
		source_note_streams(&s->source);
		save_failed(s);
		return r;
	}
	r = r < 0 ? r : source_return(&s->source, err);
	/*
	 * Then the file may be the only copy of the state, whatever was wished before. A reader
	 * could hold the end up for ever.
	 */
	if (r < 0 && s->link == HANDOVER_STORED)
		cancel_close(s->cancel);
	finished = save_finish(s, &late);
	if (r < 0)
		save_tell_of_copy(s, &late, err);
	else if (finished < 0)
		*err = late;
	if (handover_gives_back(s->sent) && save_can_go_back(s))
		source_give_back(&s->source, err);
	return r < 0 ? r : finished;
}

static int save_work(struct save *s, struct err *err)
{
	const struct source_carrier carrier = { .write = save_put, .ctx = s };
	int r;

	r = source_init(&s->source, &s->options->source, &carrier, s->cancel, &s->result->source,
			err);
	if (r < 0)
		return r;
	r = save_open_output(s, err);
	if (r < 0)
		return r;
	r = save_open_devices(s, err);
	if (r < 0)
		return r;
	r = source_begin(&s->source, err);
	return r < 0 ? r : save_take_and_hand_over(s, err);
}

/* The error's kind becomes the verdict's. */
static void save_judge(struct save *s, int r, struct err *err)
{
	struct handover_verdict *verdict = &s->result->verdict;

	if (r < 0)
		save_failed(s);
	*verdict = handover_sender_verdict(s->link, s->sent, source_runs_on(&s->source),
					   set_fate(&s->source.set));
	if (verdict->status == HANDOVER_IN_DOUBT)
		err->kind = ERR_IN_DOUBT;
	else if (verdict->status == HANDOVER_DEVICE)
		err->kind = ERR_DEVICE;
	save_tell_doubt(s, err);
}

static void save_done(struct save *s)
{
	source_done(&s->source);
	output_free(s->out);
}

void save_result_done(struct save_result *result)
{
	source_result_done(&result->source);
}

int save_run(const struct save_options *options, struct cancel *cancel, struct save_result *ret,
	     struct err *err)
{
	struct save s = {
		.options = options,
		.result = ret,
		.cancel = cancel,
	};
	int r;

	*ret = (struct save_result){ 0 };
	r = save_work(&s, err);
	actions_end(s.source.set.actions, r < 0 ? err : NULL);
	save_judge(&s, r, err);
	save_done(&s);
	return r;
}
