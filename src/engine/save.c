// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/ack.h"
#include "engine/compat.h"
#include "engine/save.h"
#include "fsm/fsm.h"
#include "transport/output.h"

/* Between a stop that was too skewed and the next one. */
#define SAVE_SKEW_PAUSE_MS 10

/**
 * struct save - a save under way
 * @sent: how far the state has gone
 * @refused: the receiver has said so
 * @lane: one a device
 * @skewed: the devices have stopped too far apart
 * @drained: all streams are complete
 */
struct save {
	const struct save_options *options;
	struct save_result *result;
	struct cancel *cancel;
	struct set set;
	struct lanes lanes;
	struct lane *lane;
	struct converge converge;
	struct output *out;
	enum handover_link link;
	enum handover_sent sent;
	bool refused;
	bool skewed, drained;
	struct image_writer *writer;
};

static void save_event(struct save *s, enum handover_event event)
{
	s->sent = handover_sent_next(s->link, s->sent, event);
}

static void save_failed(struct save *s)
{
	save_event(s, s->refused ? HANDOVER_ON_REFUSE : HANDOVER_ON_FAILURE);
}

/* A device of the set will run when all is done. */
static bool save_runs_on(const struct save *s)
{
	for (unsigned int i = 0; i < s->set.n; i++)
		if (!s->options->leave_stopped && fsm_runs(s->set.results[i].found))
			return true;
	return false;
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
	/* The last sections, which nothing stops any more, are few. */
	uint64_t rate = atomic_load(&s->cancel->closed) ? 0 : s->lanes.limiter.rate;

	for (size_t done = 0, n; done < len; done += n) {
		int r;

		/* In pieces that leave no receiver without a sign of life for long. */
		n = rate ? MIN(len - done, (size_t)MAX(rate / 10, IMAGE_PAGE)) : len;
		r = rate ? limiter_wait(&s->lanes.limiter, n, s->cancel, err) : 0;
		if (r < 0)
			return r;
		r = output_write(s->out, (const char *)buf + done, n, err);
		if (r < 0)
			return save_write_failed(s, r, err);
	}
	return 0;
}

static int save_put_raw(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct save *s = ctx;

	s->result->written += len;
	return save_put(s, buf, len, err);
}

/* A receiver that has gone or refuses shows as a cancel: a keepalive has requested it. */
static int save_check_cancel(struct save *s, struct err *err)
{
	int r = cancel_check(s->cancel, err);

	if (r == -ECANCELED && s->lanes.gone.code) {
		*err = s->lanes.gone;
		r = err->code;
	}
	return r;
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
		s->link = !o->raw && output_answers(s->out) ? HANDOVER_ANSWERED : HANDOVER_ONE_WAY;
	return 0;
}

/*
 * The devices
 */

static bool save_expect(const struct save_options *o, uint64_t *ret)
{
	uint64_t size;

	*ret = 0;
	for (unsigned int i = 0; i < o->n; i++) {
		if (!o->devs[i]->mig || mig_data_size(o->devs[i]->mig, &size, NULL) < 0)
			return false;
		*ret += size;
	}
	return true;
}

int save_check_room(const struct save_options *o, struct save_room *ret, struct err *err)
{
	char expected[UNITS_MAX], free[UNITS_MAX];

	*ret = (struct save_room){ 0 };
	ret->expected_known = save_expect(o, &ret->expected);
	ret->free_known = output_room(&o->uri, &ret->free);
	if (!ret->expected_known || !ret->free_known || o->zstd_level || ret->expected <= ret->free)
		return 0;
	err_fail(err, ERR_OUTPUT, -ENOSPC, "%s: %s free, and the driver%s of %s%s expect%s %s",
		 o->uri.text, format_bytes(free, ret->free), o->n > 1 ? "s" : "",
		 device_name(o->devs[0]), o->n > 1 ? " and the others" : "", o->n > 1 ? "" : "s",
		 format_bytes(expected, ret->expected));
	return err_hint(err, -ENOSPC, "make room, or try --compress=zstd");
}

static void save_plan_back(void *ctx, struct member *m)
{
	(void)ctx;
	m->want = m->with_owner ? MIG_STOP : mig_settled(m->result->found);
}

/* The state is not handed over. */
static void save_give_back(struct save *s, struct err *err)
{
	for (unsigned int i = 0; i < s->set.n; i++)
		s->set.members[i].goes_on = fsm_runs(s->set.results[i].found);
	set_give_back(&s->set, save_plan_back, NULL, err);
}

static int save_settle(void *ctx, struct member *m, struct err *err)
{
	int r = member_settle(m, err);

	(void)ctx;
	if (r < 0)
		err_classify(err, ERR_DEVICE, r);
	return r;
}

static int save_open_devices(struct save *s, struct err *err)
{
	const struct save_options *o = s->options;
	struct save_room room;
	int r;

	r = set_open(&s->set, o->device, o->p2p, err);
	if (r < 0)
		return r;
	r = save_check_room(o, &room, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < o->n; i++)
		if (device_reset_by_open(o->devs[i]))
			log_warn("%s: opening it has reset it: this saves a blank device (a live "
				 "one is saved where its user holds it: pid:PID, fd:N)",
				 device_name(o->devs[i]));
	s->result->started = true;
	for (unsigned int i = 0; i < o->n; i++) {
		r = member_check_source(&s->set.members[i], err);
		if (r < 0)
			return r;
	}
	r = set_phase(&s->set, PHASE_SETTLE, save_settle, s, err);
	if (r < 0)
		save_give_back(s, err);
	return r;
}

/* The receiver learns now whether this is a move or a copy: it must not start a copy. */
static int save_make_manifest(const struct save *s, struct image_manifest *ret, struct err *err)
{
	const struct save_options *o = s->options;
	int r;

	r = compat_manifest(o->devs, o->n, ret, err);
	if (r < 0)
		return r;
	ret->source = save_runs_on(s) ? IMAGE_SOURCE_RUNS_ON : IMAGE_SOURCE_STOPS;
	for (unsigned int i = 0; i < o->n; i++)
		ret->devices[i].digests = o->sha256 ? IMAGE_HAS_SHA256 : 0;
	r = image_labels_copy(&ret->labels, &o->labels, err);
	if (r < 0)
		image_manifest_done(ret);
	return r;
}

static int save_begin_image(struct save *s, struct err *err)
{
	const struct image_writer_options opts = { .zstd_level = s->options->zstd_level };
	struct image_manifest m;
	int r;

	if (s->options->raw)
		return 0;
	r = save_make_manifest(s, &m, err);
	if (r < 0)
		return r;
	r = image_writer_new(&m, &opts, save_put, s, &s->writer, err);
	image_manifest_done(&m);
	if (r < 0)
		return r;
	s->result->info = *image_writer_info(s->writer);
	return 0;
}

/* A checksum alone is done fastest where the frame was filled; compression wants every CPU. */
static unsigned int save_count_workers(const struct save_options *o)
{
	unsigned int threads = o->threads;

	if (!o->zstd_level)
		return 0;
	if (!threads)
		threads = MIN(cpus_usable(), SAVE_THREADS_MAX);
	return MAX(threads / o->n, 1u);
}

static int save_make_lanes(struct save *s, struct err *err)
{
	const struct save_options *o = s->options;

	s->lanes.writer = s->writer;
	s->lanes.put = save_put_raw;
	s->lanes.ctx = s;
	s->lanes.cancel = s->cancel;
	s->lanes.sha256 = o->sha256;
	s->lanes.workers = save_count_workers(o);
	s->lanes.keepalive = s->link == HANDOVER_ANSWERED;
	s->lane = calloc(o->n, sizeof(*s->lane));
	if (!s->lane)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < o->n; i++) {
		int r = lane_init(&s->lane[i], &s->lanes, o->devs[i]->mig, i, o->events, err);

		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * The streams
 */

static int save_drain_one(struct save *s, struct member *m, struct err *err)
{
	struct pump *pump = &s->lane[m->index].pump;
	int r;

	r = member_enter(m, PHASE_STOP_COPY, s->cancel, err);
	if (r < 0)
		return r;
	r = pump_run(pump, err);
	return r < 0 ? r : pump_flush(pump, err);
}

static void save_tell_stream(const struct save *s, const struct member *m)
{
	const struct pump *pump = &s->lane[m->index].pump;
	struct event e = {
		.kind = EVENT_STREAM,
		.device = (int)m->index,
		.stream = { .bytes = pump->bytes, .ns = pump->ns },
	};

	event_emit(s->options->events, &e);
}

static int save_drain(void *ctx, struct member *m, struct err *err)
{
	struct save *s = ctx;
	int r = save_drain_one(s, m, err);

	m->result->complete = r >= 0;
	if (r >= 0)
		save_tell_stream(s, m);
	return pipeline_explain(s->lane[m->index].pump.pipe, r, err);
}

/* What the driver says is an estimate, and only good for a progress line. */
static int save_expect_sizes(void *ctx, struct member *m, struct err *err)
{
	struct pump *pump = &((struct save *)ctx)->lane[m->index].pump;

	(void)err;
	if (mig_data_size(m->dev->mig, &pump->expected, NULL) < 0)
		pump->expected = 0;
	return 0;
}

/* Outlives a failure: a device that hangs in its round must not hold up the others' recovery. */
static int save_converge(struct save *s, struct err *err)
{
	struct converge *c = &s->converge;
	int r;

	*c = (struct converge){
		.options = &s->options->converge,
		.set = &s->set,
		.lanes = s->lane,
		.rounds = calloc(s->set.n, sizeof(*c->rounds)),
	};
	if (!c->rounds)
		return err_set(err, -ENOMEM, "calloc");
	r = converge_run(c, err);
	s->result->decided = c->decided;
	s->result->decision = c->decision;
	return r;
}

/* The time between the first stop and the last. */
static int save_check_skew(struct save *s, struct err *err)
{
	uint64_t first = UINT64_MAX, last = 0;
	char skew[UNITS_MAX];

	for (unsigned int i = 0; i < s->set.n; i++) {
		uint64_t ns = s->set.results[i].timeline.stopped_ns;

		if (!ns)
			continue;
		first = MIN(first, ns);
		last = MAX(last, ns);
	}
	s->result->skew_ns = last > first ? last - first : 0;
	if (!s->options->max_skew_ns || s->result->skew_ns <= s->options->max_skew_ns)
		return 0;
	s->skewed = true;
	return err_fail(err, ERR_ABORTED, -ETIME,
			"the devices stopped %s apart, more than --max-skew allows",
			format_duration(skew, s->result->skew_ns));
}

static int save_quiesce(struct save *s, bool precopy, struct err *err)
{
	uint64_t max = s->options->converge.downtime_max_ns;
	int r;

	if (precopy)
		return save_converge(s, err);
	r = set_prepare(&s->set, PHASE_QUIESCE, err);
	if (r < 0)
		return r;
	/* From here on no device runs in full. */
	cancel_set_deadline(s->cancel, max ? clock_ns() + max : 0);
	return set_phase(&s->set, PHASE_QUIESCE, set_enter, &s->set, err);
}

static int save_stop_once(struct save *s, bool precopy, struct err *err)
{
	int r;

	r = save_quiesce(s, precopy, err);
	if (r < 0)
		return r;
	if (s->options->precopy)
		s->lanes.limiter.rate = s->options->bandwidth_stop_copy;
	r = set_phase(&s->set, PHASE_STOP, set_enter, &s->set, err);
	return r < 0 ? r : save_check_skew(s, err);
}

/*
 * Devices that have stopped too far apart run again, and are stopped anew: but not if their streams
 * have begun, which end with the saving group.
 */
static int save_stop(struct save *s, struct err *err)
{
	bool precopy = s->options->precopy && converge_wanted(&s->set);
	uint64_t end = clock_ns() + s->options->retry_ns;
	int r;

	for (;;) {
		char reason[ERR_REASON_MAX];

		r = save_stop_once(s, precopy, err);
		if (r >= 0 || !s->skewed || precopy || clock_ns() >= end)
			return r;
		log_info("%s%s, again", err->text, err_reason(err, reason));
		s->skewed = false;
		*err = (struct err){ 0 };
		cancel_set_deadline(s->cancel, 0);
		r = set_return(&s->set, err);
		if (r < 0)
			return r;
		r = cancel_pause(s->cancel, SAVE_SKEW_PAUSE_MS, err);
		if (r < 0)
			return r;
	}
}

static void save_note_streams(struct save *s)
{
	for (unsigned int i = 0; i < s->set.n; i++) {
		s->set.results[i].bytes = s->lane[i].pump.bytes;
		s->set.results[i].stream_ns = s->lane[i].pump.ns;
	}
}

/* What looks like a wish to stop, or like a broken image, has its reason elsewhere. */
static int save_explain(struct save *s, int r, struct err *err)
{
	char max[UNITS_MAX];

	if (r < 0 && s->lanes.failed.code) {
		*err = s->lanes.failed;
		return err->code;
	}
	if (r == -ETIME && atomic_load(&s->cancel->late))
		err_fail(err, ERR_ABORTED, -ETIME,
			 "stopped for longer than --downtime-max=%s allows",
			 format_duration(max, s->options->converge.downtime_max_ns));
	return r;
}

/* In the coordinator, while no device's thread is at work: a driver may hang in it. */
static void save_want(struct save *s)
{
	bool stopped = s->options->leave_stopped;

	for (unsigned int i = 0; i < s->set.n; i++) {
		struct member *m = &s->set.members[i];

		m->goes_on = !stopped && fsm_runs(m->result->found);
		m->want = stopped || m->with_owner ? MIG_STOP : m->result->found;
	}
}

/* From here on the reader may have all: what is to stay stopped must not run again by accident. */
static int save_stay(struct save *s, struct err *err)
{
	return s->options->leave_stopped ? actions_note(s->set.actions, GUARD_STAYS, err) : 0;
}

static int save_begin_end(struct save *s, struct err *err)
{
	int r;

	r = s->link == HANDOVER_STORED ? 0 : save_stay(s, err);
	if (r < 0)
		return r;
	save_event(s, HANDOVER_ON_END);
	return 0;
}

/* A bare stream ends where it is closed, whatever closes it: then its reader may have all. */
static int save_note_bare(struct save *s, struct err *err)
{
	return s->options->raw && s->link != HANDOVER_STORED ? save_stay(s, err) : 0;
}

static int save_take(struct save *s, struct err *err)
{
	int r;

	r = set_each(&s->set, save_expect_sizes, s, err);
	if (r < 0)
		return r;
	r = save_stop(s, err);
	if (r < 0)
		return r;
	r = save_note_bare(s, err);
	return r < 0 ? r : set_phase(&s->set, PHASE_STOP_COPY, save_drain, s, err);
}

static int save_drain_all(struct save *s, struct err *err)
{
	int r = save_explain(s, save_take(s, err), err);

	if (r < 0)
		return r;
	/* What does not want the devices to start leaves no image: the save can be tried again. */
	save_want(s);
	r = set_prepare(&s->set, PHASE_START_P2P, err);
	if (r < 0)
		return r;
	save_note_streams(s);
	s->drained = true;
	if (!s->options->leave_stopped || s->options->raw)
		cancel_set_deadline(s->cancel, 0);
	if (s->options->raw) {
		r = save_begin_end(s, err);
		if (r < 0)
			return r;
	}
	if (!s->options->sha256)
		return 0;
	s->result->sums = calloc(s->set.n, sizeof(*s->result->sums));
	if (!s->result->sums)
		return err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; i < s->set.n; i++)
		lane_sum(&s->lane[i], s->result->sums[i]);
	return 0;
}

/*
 * The end
 */

static int save_end_device(struct save *s, uint32_t device, struct err *err)
{
	int r;

	if (s->options->sha256) {
		r = image_writer_sha256(s->writer, device, s->result->sums[device], err);
		if (r < 0)
			return r;
	}
	return image_writer_device_end(s->writer, device, err);
}

static int save_end_image(struct save *s, struct err *err)
{
	int r;

	for (uint32_t i = 0; i < s->set.n; i++) {
		r = save_end_device(s, i, err);
		if (r < 0)
			return r;
	}
	r = save_begin_end(s, err);
	if (r < 0)
		return r;
	r = image_writer_end(s->writer, err);
	if (r < 0)
		return r;
	image_writer_receipt(s->writer, &s->result->receipt);
	return 0;
}

static int save_await_ack(struct save *s, struct err *err)
{
	int r = ack_await(s->out, &s->result->receipt, err);

	s->refused |= r == ACK_REFUSED;
	return r == ACK_REFUSED ? err->code : r;
}

/* The last bytes, and what the other end says or does about them. */
static int save_send_end(struct save *s, struct err *err)
{
	int r;

	r = save_check_cancel(s, err);
	if (r < 0)
		return r;
	/* The answer is waited for no longer than --timeout. */
	if (s->link == HANDOVER_ANSWERED)
		cancel_close(s->cancel);
	/* What a reader may act on is not undone, however long it takes. */
	if (s->link != HANDOVER_STORED)
		cancel_set_deadline(s->cancel, 0);
	if (s->options->raw) {
		r = save_begin_end(s, err);
		if (r < 0)
			return r;
	} else {
		r = save_end_image(s, err);
		s->result->written = image_writer_size(s->writer);
		if (r < 0)
			return r;
	}
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
	r = save_stay(s, err);
	if (r < 0)
		return r;
	return output_publish(s->out, err);
}

static void save_tell(const struct save *s, enum event_kind kind)
{
	struct event e = { .kind = kind, .device = EVENT_SET };

	event_emit(s->options->events, &e);
}

static int save_finish(struct save *s, struct err *err)
{
	int r;

	save_tell(s, EVENT_FINISH);
	r = save_send_and_publish(s, err);
	save_tell(s, EVENT_FINISHED);
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
	const struct save_options *o = s->options;
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
	enum mig_fate fate = set_fate(&s->set);

	return fate == MIG_FATE_HOLDS || (fate == MIG_FATE_BACK && !save_runs_on(s));
}

static int save_take_and_hand_over(struct save *s, struct err *err)
{
	struct err late = { 0 };
	int r, finished;

	r = save_drain_all(s, err);
	if (!s->drained) {
		save_give_back(s, err);
		save_note_streams(s);
		save_failed(s);
		return r;
	}
	r = r < 0 ? r : set_return(&s->set, err);
	/* No keepalive comes after the image's end. Frames take their time to free. */
	for (unsigned int i = 0; i < s->set.n; i++)
		pump_done(&s->lane[i].pump);
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
		save_give_back(s, err);
	return r < 0 ? r : finished;
}

static int save_prepare(struct save *s, struct err *err)
{
	int r;

	r = save_open_devices(s, err);
	if (r < 0)
		return r;
	r = save_begin_image(s, err);
	if (r < 0)
		return r;
	r = set_act(&s->set, s->options->actions, s->writer ? s->result->info.id : NULL, err);
	if (r < 0)
		return r;
	return save_make_lanes(s, err);
}

static int save_work(struct save *s, struct err *err)
{
	const struct save_options *o = s->options;
	int r;

	r = actions_check(o->actions, o->devs, o->n, err);
	if (r < 0)
		return r;
	r = set_init(&s->set, o->devs, o->n, MIG_STOP_COPY, o->retry_ns, s->cancel, o->events, err);
	if (r < 0)
		return r;
	r = save_open_output(s, err);
	if (r < 0)
		return r;
	r = save_prepare(s, err);
	return r < 0 ? r : save_take_and_hand_over(s, err);
}

/* The error's kind becomes the verdict's. */
static void save_judge(struct save *s, int r, struct err *err)
{
	struct handover_verdict *verdict = &s->result->verdict;

	if (r < 0)
		save_failed(s);
	*verdict = handover_sender_verdict(s->link, s->sent, save_runs_on(s), set_fate(&s->set));
	if (verdict->status == HANDOVER_IN_DOUBT)
		err->kind = ERR_IN_DOUBT;
	else if (verdict->status == HANDOVER_DEVICE)
		err->kind = ERR_DEVICE;
	save_tell_doubt(s, err);
}

static void save_done(struct save *s)
{
	for (unsigned int i = 0; s->lane && i < s->set.n; i++)
		lane_done(&s->lane[i]);
	free(s->lane);
	lanes_done(&s->lanes);
	s->result->devices = s->set.results;
	set_done(&s->set);
	free(s->converge.rounds);
	image_writer_free(s->writer);
	output_free(s->out);
}

void save_result_done(struct save_result *result)
{
	free(result->devices);
	free(result->sums);
}

int save_run(const struct save_options *options, struct cancel *cancel, struct save_result *ret,
	     struct err *err)
{
	struct save s = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.lanes = { .limiter = { .rate = options->bandwidth } },
	};
	int r;

	*ret = (struct save_result){ 0 };
	lanes_init(&s.lanes);
	r = save_work(&s, err);
	actions_end(s.set.actions, r < 0 ? err : NULL);
	save_judge(&s, r, err);
	save_done(&s);
	return r;
}
