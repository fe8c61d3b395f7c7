// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/compat.h"
#include "engine/source.h"
#include "fsm/fsm.h"

/* Between a stop that was too skewed and the next one. */
#define SOURCE_SKEW_PAUSE_MS 10

/* A device of the set will run when all is done. */
bool source_runs_on(const struct source *s)
{
	for (unsigned int i = 0; i < s->set.n; i++)
		if (!s->options->leave_stopped && fsm_runs(s->set.results[i].found))
			return true;
	return false;
}

/*
 * Where the bytes go
 */

static int source_put(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct source *s = ctx;
	/* The last sections, which nothing stops any more, are few. */
	uint64_t rate = atomic_load(&s->cancel->closed) ? 0 : s->lanes.limiter.rate;

	for (size_t done = 0, n; done < len; done += n) {
		int r;

		/* In pieces that leave no receiver without a sign of life for long. */
		n = rate ? MIN(len - done, (size_t)MAX(rate / 10, IMAGE_PAGE)) : len;
		r = rate ? limiter_wait(&s->lanes.limiter, n, s->cancel, err) : 0;
		if (r < 0)
			return r;
		r = s->carrier.write(s->carrier.ctx, (const char *)buf + done, n, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int source_put_raw(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct source *s = ctx;

	s->result->written += len;
	return source_put(s, buf, len, err);
}

/* A receiver that has gone or refuses shows as a cancel: a keepalive has requested it. */
int source_check_cancel(struct source *s, struct err *err)
{
	int r = cancel_check(s->cancel, err);

	if (r == -ECANCELED && s->lanes.gone.code) {
		*err = s->lanes.gone;
		r = err->code;
	}
	return r;
}

/*
 * The devices
 */

bool source_room(const struct source_options *o, uint64_t *ret)
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

/* A session that another process has left behind has no way back. */
static void source_plan_back(void *ctx, struct member *m)
{
	(void)ctx;
	m->want = m->with_owner ? MIG_STOP : mig_settled(m->result->found);
}

/* The state is not handed over. */
void source_give_back(struct source *s, struct err *err)
{
	for (unsigned int i = 0; i < s->set.n; i++)
		s->set.members[i].goes_on = fsm_runs(s->set.results[i].found);
	set_give_back(&s->set, source_plan_back, NULL, err);
}

static int source_settle_one(void *ctx, struct member *m, struct err *err)
{
	int r = member_settle(m, err);

	(void)ctx;
	if (r < 0)
		err_classify(err, ERR_DEVICE, r);
	return r;
}

int source_init(struct source *s, const struct source_options *options,
		const struct source_carrier *carrier, struct cancel *cancel,
		struct source_result *result, struct err *err)
{
	const struct source_options *o = options;
	int r;

	*result = (struct source_result){ 0 };
	*s = (struct source){
		.options = o,
		.result = result,
		.carrier = *carrier,
		.cancel = cancel,
	};
	lanes_init(&s->lanes);
	s->lanes.limiter.rate = o->bandwidth;
	r = actions_check(o->actions, o->devs, o->n, err);
	if (r < 0)
		return r;
	return set_init(&s->set, o->devs, o->n, MIG_STOP_COPY, o->retry_ns, cancel, o->events, err);
}

int source_open(struct source *s, struct err *err)
{
	return set_open(&s->set, s->options->device, s->options->p2p, err);
}

int source_check(struct source *s, struct err *err)
{
	const struct source_options *o = s->options;

	for (unsigned int i = 0; i < o->n; i++)
		if (device_reset_by_open(o->devs[i]))
			log_warn("%s: opening it has reset it: this saves a blank device (a live "
				 "one is saved where its user holds it: pid:PID, fd:N)",
				 device_name(o->devs[i]));
	s->result->started = true;
	for (unsigned int i = 0; i < o->n; i++) {
		int r = member_check_source(&s->set.members[i], err);

		if (r < 0)
			return r;
	}
	return 0;
}

int source_settle(struct source *s, struct err *err)
{
	int r = set_phase(&s->set, PHASE_SETTLE, source_settle_one, s, err);

	if (r < 0)
		source_give_back(s, err);
	return r;
}

/* The receiver learns now whether this is a move or a copy: it must not start a copy. */
int source_manifest(const struct source *s, struct image_manifest *ret, struct err *err)
{
	const struct source_options *o = s->options;
	int r;

	r = compat_manifest(o->devs, o->n, ret, err);
	if (r < 0)
		return r;
	ret->source = source_runs_on(s) ? IMAGE_SOURCE_RUNS_ON : IMAGE_SOURCE_STOPS;
	for (unsigned int i = 0; i < o->n; i++)
		ret->devices[i].digests = o->sha256 ? IMAGE_HAS_SHA256 : 0;
	r = image_labels_copy(&ret->labels, &o->labels, err);
	if (r < 0)
		image_manifest_done(ret);
	return r;
}

static int source_begin_image(struct source *s, struct err *err)
{
	const struct image_writer_options opts = { .zstd_level = s->options->zstd_level };
	struct image_manifest m;
	int r;

	if (s->options->raw)
		return 0;
	r = source_manifest(s, &m, err);
	if (r < 0)
		return r;
	r = image_writer_new(&m, &opts, source_put, s, &s->writer, err);
	image_manifest_done(&m);
	if (r < 0)
		return r;
	s->result->info = *image_writer_info(s->writer);
	return 0;
}

/* A checksum alone is done fastest where the frame was filled; compression wants every CPU. */
static unsigned int source_count_workers(const struct source_options *o)
{
	unsigned int threads = o->threads;

	if (!o->zstd_level)
		return 0;
	if (!threads)
		threads = MIN(cpus_usable(), SOURCE_THREADS_MAX);
	return MAX(threads / o->n, 1u);
}

static int source_make_lanes(struct source *s, struct err *err)
{
	const struct source_options *o = s->options;

	s->lanes.writer = s->writer;
	s->lanes.put = source_put_raw;
	s->lanes.ctx = s;
	s->lanes.cancel = s->cancel;
	s->lanes.sha256 = o->sha256;
	s->lanes.workers = source_count_workers(o);
	s->lanes.keepalive = s->carrier.keepalive;
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

int source_begin(struct source *s, struct err *err)
{
	int r;

	r = source_begin_image(s, err);
	if (r < 0)
		return r;
	if (!s->acting) {
		r = set_act(&s->set, s->options->actions, s->writer ? s->result->info.id : NULL,
			    err);
		if (r < 0)
			return r;
		s->acting = true;
	}
	return source_make_lanes(s, err);
}

/*
 * The streams
 */

static int source_drain_stream(struct source *s, struct member *m, struct err *err)
{
	struct pump *pump = &s->lane[m->index].pump;
	int r;

	r = member_enter(m, PHASE_STOP_COPY, s->cancel, err);
	if (r < 0)
		return r;
	r = pump_run(pump, err);
	return r < 0 ? r : pump_flush(pump, err);
}

static void source_tell_stream(const struct source *s, const struct member *m)
{
	const struct pump *pump = &s->lane[m->index].pump;
	struct event e = {
		.kind = EVENT_STREAM,
		.device = (int)m->index,
		.stream = { .bytes = pump->bytes, .ns = pump->ns },
	};

	event_emit(s->options->events, &e);
}

static int source_drain_device(void *ctx, struct member *m, struct err *err)
{
	struct source *s = ctx;
	int r = source_drain_stream(s, m, err);

	m->result->complete = r >= 0;
	if (r >= 0)
		source_tell_stream(s, m);
	return pipeline_explain(s->lane[m->index].pump.pipe, r, err);
}

/* What the driver says is an estimate, and only good for a progress line. */
static int source_expect_sizes(void *ctx, struct member *m, struct err *err)
{
	struct pump *pump = &((struct source *)ctx)->lane[m->index].pump;

	(void)err;
	if (mig_data_size(m->dev->mig, &pump->expected, NULL) < 0)
		pump->expected = 0;
	return 0;
}

/* Outlives a failure: a device that hangs in its round must not hold up the others' recovery. */
static int source_converge(struct source *s, struct err *err)
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
static int source_check_skew(struct source *s, struct err *err)
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

static int source_quiesce(struct source *s, bool precopy, struct err *err)
{
	uint64_t max = s->options->converge.downtime_max_ns;
	int r;

	if (precopy)
		return source_converge(s, err);
	r = set_prepare(&s->set, PHASE_QUIESCE, err);
	if (r < 0)
		return r;
	/* From here on no device runs in full. What was stopped before has its deadline already. */
	if (!source_stopped_ns(s))
		cancel_set_deadline(s->cancel, max ? clock_ns() + max : 0);
	return set_phase(&s->set, PHASE_QUIESCE, set_enter, &s->set, err);
}

static int source_stop_once(struct source *s, bool precopy, struct err *err)
{
	int r;

	r = source_quiesce(s, precopy, err);
	if (r < 0)
		return r;
	if (s->options->precopy)
		s->lanes.limiter.rate = s->options->bandwidth_stop_copy;
	r = set_phase(&s->set, PHASE_STOP, set_enter, &s->set, err);
	return r < 0 ? r : source_check_skew(s, err);
}

/*
 * Devices that have stopped too far apart run again, and are stopped anew: but not if their streams
 * have begun, which end with the saving group.
 */
static int source_stop_together(struct source *s, struct err *err)
{
	bool precopy = s->options->precopy && converge_wanted(&s->set);
	uint64_t end = clock_ns() + s->options->retry_ns;
	int r;

	for (;;) {
		char reason[ERR_REASON_MAX];

		r = source_stop_once(s, precopy, err);
		if (r >= 0 || !s->skewed || precopy || clock_ns() >= end)
			return r;
		log_info("%s%s, again", err->text, err_reason(err, reason));
		s->skewed = false;
		*err = (struct err){ 0 };
		cancel_set_deadline(s->cancel, 0);
		r = set_return(&s->set, err);
		if (r < 0)
			return r;
		r = cancel_pause(s->cancel, SOURCE_SKEW_PAUSE_MS, err);
		if (r < 0)
			return r;
	}
}

int source_stop(struct source *s, struct err *err)
{
	int r = set_each(&s->set, source_expect_sizes, s, err);

	return r < 0 ? r : source_stop_together(s, err);
}

int source_drain(struct source *s, struct err *err)
{
	return set_phase(&s->set, PHASE_STOP_COPY, source_drain_device, s, err);
}

void source_note_streams(struct source *s)
{
	for (unsigned int i = 0; s->lane && i < s->set.n; i++) {
		s->set.results[i].bytes = s->lane[i].pump.bytes;
		s->set.results[i].stream_ns = s->lane[i].pump.ns;
	}
}

/* What looks like a wish to stop, or like a broken image, has its reason elsewhere. */
int source_explain(struct source *s, int r, struct err *err)
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
static void source_want(struct source *s)
{
	bool stopped = s->options->leave_stopped;

	for (unsigned int i = 0; i < s->set.n; i++) {
		struct member *m = &s->set.members[i];

		m->goes_on = !stopped && fsm_runs(m->result->found);
		m->want = stopped || m->with_owner ? MIG_STOP : m->result->found;
	}
}

int source_finish(struct source *s, struct err *err)
{
	int r;

	/* What does not want the devices to start leaves no image: it can be tried again. */
	source_want(s);
	r = set_prepare(&s->set, PHASE_START_P2P, err);
	if (r < 0)
		return r;
	source_note_streams(s);
	s->drained = true;
	return 0;
}

int source_sum(struct source *s, struct err *err)
{
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
 * Once more
 */

static void source_free_streams(struct source *s)
{
	for (unsigned int i = 0; s->lane && i < s->set.n; i++)
		lane_done(&s->lane[i]);
	free(s->lane);
	s->lane = NULL;
	lanes_done(&s->lanes);
	s->writer = image_writer_free(s->writer);
}

static void source_free_rounds(struct source *s)
{
	free(s->converge.rounds);
	s->converge.rounds = NULL;
}

static bool source_is_stopped(const struct source *s)
{
	if (!s->result->started)
		return false;
	for (unsigned int i = 0; i < s->set.n; i++)
		if (fsm_runs(s->set.members[i].dev->mig->state))
			return false;
	return true;
}

uint64_t source_stopped_ns(const struct source *s)
{
	uint64_t first = 0;

	for (unsigned int i = 0; source_is_stopped(s) && i < s->set.n; i++) {
		uint64_t ns = s->set.results[i].timeline.stopped_ns;

		first = ns && (!first || ns < first) ? ns : first;
	}
	return first;
}

static void source_plan_stop(void *ctx, struct member *m)
{
	(void)ctx;
	m->want = MIG_STOP;
}

/* A device that is where it has to be has no story any more. */
static int source_forget_streams(struct source *s, struct err *err)
{
	for (unsigned int i = 0; i < s->set.n; i++) {
		struct member_result *m = &s->set.results[i];

		if (m->fate != MIG_FATE_BACK) {
			*err = s->set.members[i].why;
			return err_classify(err, ERR_DEVICE, err->code ? err->code : -EIO);
		}
		m->recovered = m->complete = false;
		m->bytes = m->stream_ns = 0;
	}
	return 0;
}

int source_rewind(struct source *s, struct err *err)
{
	bool stopped = source_is_stopped(s);

	/* It waits for devices that hang: then no thread uses a stream any more. */
	set_recover(&s->set, stopped ? source_plan_stop : source_plan_back, NULL);
	source_free_streams(s);
	source_free_rounds(s);
	s->drained = s->skewed = false;
	free(s->result->sums);
	s->result->sums = NULL;
	s->result->receipt = (struct image_receipt){ 0 };
	s->lanes = (struct lanes){ .limiter.rate = s->options->bandwidth };
	lanes_init(&s->lanes);
	if (!stopped)
		cancel_set_deadline(s->cancel, 0);
	return source_forget_streams(s, err);
}

/*
 * The end
 */

int source_return(struct source *s, struct err *err)
{
	return set_return(&s->set, err);
}

int source_stay(struct source *s, struct err *err)
{
	return s->options->leave_stopped ? actions_note(s->set.actions, GUARD_STAYS, err) : 0;
}

static int source_end_device(struct source *s, uint32_t device, struct err *err)
{
	int r;

	if (s->options->sha256) {
		r = image_writer_sha256(s->writer, device, s->result->sums[device], err);
		if (r < 0)
			return r;
	}
	return image_writer_device_end(s->writer, device, err);
}

void source_end_streams(struct source *s)
{
	for (unsigned int i = 0; s->lane && i < s->set.n; i++)
		pump_done(&s->lane[i].pump);
}

int source_end_devices(struct source *s, struct err *err)
{
	/* No keepalive comes after the image's end. Frames take their time to free. */
	source_end_streams(s);
	for (uint32_t i = 0; i < s->set.n; i++) {
		int r = source_end_device(s, i, err);

		if (r < 0)
			return r;
	}
	return 0;
}

int source_end_image(struct source *s, struct err *err)
{
	int r = image_writer_end(s->writer, err);

	s->result->written = image_writer_size(s->writer);
	if (r < 0)
		return r;
	image_writer_receipt(s->writer, &s->result->receipt);
	return 0;
}

void source_tell(const struct source *s, enum event_kind kind)
{
	struct event e = { .kind = kind, .device = EVENT_SET };

	event_emit(s->options->events, &e);
}

void source_done(struct source *s)
{
	source_free_streams(s);
	s->result->devices = s->set.results;
	/* Waits for devices that hang, maybe in a round. */
	set_done(&s->set);
	source_free_rounds(s);
}

void source_result_done(struct source_result *result)
{
	free(result->devices);
	free(result->sums);
}
