// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/cpus.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/kept.h"
#include "engine/load-input.h"
#include "engine/load-parts.h"
#include "engine/load-refusal.h"
#include "engine/load-threads.h"
#include "engine/scan.h"
#include "fsm/fsm.h"

/* One being filled, one being written to the device, and what evens out the pace of both. */
#define LOAD_FRAMES 4

/*
 * Bytes on their way
 */

static void load_tell_progress(const struct load_lane *lane, uint64_t bytes)
{
	struct event e = {
		.kind = EVENT_PROGRESS,
		.device = (int)lane->member->index,
		.progress = {
			.bytes = bytes,
			.expected = lane->expected,
			.exact = lane->expected,
		},
	};

	event_emit(lane->load->options->events, &e);
}

static int load_put(struct load_lane *lane, const void *buf, size_t len, struct err *err)
{
	struct member_result *result = lane->member->result;
	int r;

	/* For as long as this may take: with one CPU it is not the pipeline's thread. */
	if (lane->load->set.n > 1)
		cancel_name_thread(device_name(lane->member->dev));
	r = mig_write(lane->member->dev->mig, buf, len, err);
	cancel_name_thread(NULL);
	if (r < 0)
		return r;
	result->bytes += len;
	load_tell_progress(lane, result->bytes);
	return 0;
}

/* In the pipeline's thread. */
static int load_put_frame(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	return load_put(ctx, frame->payload, len, err);
}

/*
 * The devices, on the way to RESUMING
 */

/*
 * What they hold is going to be replaced, so a session that another process left behind is no
 * obstacle; only ERROR is: the device may be broken.
 */
static int load_settle(void *ctx, struct member *m, struct err *err)
{
	struct load *l = ctx;

	if (m->dev->mig->state == MIG_ERROR) /* says why not, and touches nothing */
		return mig_goto(m->dev->mig, MIG_RESUMING, err);
	l->lanes[m->index].received = HANDOVER_TOUCHED;
	return member_settle(m, err);
}

/* A device that speaks v1 has no STOP on its way. */
static int load_enter(void *ctx, struct member *m, struct err *err)
{
	struct load *l = ctx;
	struct load_lane *lane = &l->lanes[m->index];
	int r;

	lane->entering = l->set.phase == PHASE_LOAD;
	r = set_enter(&l->set, m, err);
	if (m->dev->mig->state == MIG_RESUMING)
		lane->received = HANDOVER_LOADING;
	lane->entering = false;
	lane->start_ns = clock_ns();
	return r;
}

/* None loses its own state before all have stopped. */
static int load_enter_resuming(struct load *l, struct err *err)
{
	static const enum phase phases[] = { PHASE_QUIESCE, PHASE_STOP, PHASE_LOAD };

	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		int r = 0;

		if (phases[i] == PHASE_LOAD)
			r = actions_note(l->set.actions, GUARD_LOADING, err);
		if (r < 0)
			return r;
		r = set_phase(&l->set, phases[i], load_enter, l, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int load_make_pipelines(struct load *l, struct err *err)
{
	const struct load_threads_facts facts = {
		.devices = l->set.n,
		.served = device_is_served(l->set.members[0].dev),
		.carried = input_is_carried(l->carrier->in),
		.cpus = cpus_usable(),
	};
	struct pipeline_options opts = {
		.threads = load_threads(&facts),
		.frames = LOAD_FRAMES,
		.sink = load_put_frame,
		.cancel = l->cancel,
	};

	for (unsigned int i = 0; i < l->set.n; i++) {
		int r;

		opts.ctx = &l->lanes[i];
		r = pipeline_new(&opts, &l->lanes[i].pipe, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static struct load_lane *load_lane_of(struct load *l, uint32_t saved)
{
	return l->map[saved] == LOAD_MAP_NONE ? NULL : &l->lanes[l->map[saved]];
}

static bool load_is_copy(const struct load *l)
{
	return !handover_may_start(l->link, l->origin, l->options->clone);
}

static int load_check_fit(const struct load *l, const struct image_manifest *m, struct err *err)
{
	for (uint32_t i = 0; i < m->n_devices; i++) {
		int r;

		if (l->map[i] == LOAD_MAP_NONE)
			continue;
		r = compat_check(&m->devices[i], l->options->devs[l->map[i]],
				 l->options->force_mismatch, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A frozen owner goes on with whatever its device is left with. */
static int load_check_frozen(const struct load *l, struct err *err)
{
	const struct load_options *o = l->options;

	if (!o->actions || !o->actions->freeze_owner || !load_is_copy(l))
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
		 "--freeze-owner: this is a copy, as the sender's device runs on, or may: it would "
		 "stay stopped, and its owner go on");
	return err_hint(err, -EOPNOTSUPP, "--clone starts it all the same");
}

/* Once they are open: a holder's only device is not known before. */
static int load_decide_start(struct load *l, struct err *err)
{
	const struct load_options *o = l->options;
	bool freezes = o->actions && o->actions->freeze_owner;

	l->result->starts =
		load_start_any(o->start, o->devs, o->n, o->device && o->device->owner_frozen);
	return freezes && !l->result->starts ? load_start_refuse(err) : 0;
}

/* Opens the devices and brings them to RESUMING; @m is NULL for a bare stream. */
static int load_begin(struct load *l, const struct image_manifest *m, struct err *err)
{
	int r;

	r = load_check_frozen(l, err);
	if (r < 0)
		return r;
	r = set_open(&l->set, l->options->device, l->options->p2p, err);
	if (r < 0)
		return r;
	l->result->opened = true;
	r = l->carrier->ops->opened ? l->carrier->ops->opened(l->carrier, err) : 0;
	if (r < 0)
		return r;
	r = load_decide_start(l, err);
	if (r < 0)
		return r;
	r = m ? load_check_fit(l, m, err) : 0;
	if (r < 0)
		return r;
	r = set_phase(&l->set, PHASE_SETTLE, load_settle, l, err);
	if (r < 0)
		return r;
	r = set_act(&l->set, l->options->actions, m ? l->result->info.id : NULL, err);
	if (r < 0)
		return r;
	r = load_enter_resuming(l, err);
	if (r < 0)
		return r;
	r = load_make_pipelines(l, err);
	if (r < 0 || !l->carrier->ops->begun)
		return r;
	return l->carrier->ops->begun(l->carrier, err);
}

/*
 * What the parser tells
 */

static enum handover_origin load_origin(enum image_source source)
{
	static const enum handover_origin origins[IMAGE_NR_SOURCES] = {
		[IMAGE_SOURCE_NOT_SAID] = HANDOVER_NOT_SAID,
		[IMAGE_SOURCE_STOPS] = HANDOVER_STOPS,
		[IMAGE_SOURCE_RUNS_ON] = HANDOVER_RUNS_ON,
	};

	return origins[source];
}

static int load_take_config(struct load *l, const struct image_manifest *m, struct err *err)
{
	for (uint32_t i = 0; i < m->n_devices; i++) {
		int r;

		if (l->map[i] == LOAD_MAP_NONE)
			continue;
		l->result->loads[l->map[i]].saved = i;
		l->result->loads[l->map[i]].fit =
			compat_fit(&m->devices[i], l->options->devs[l->map[i]]);
		if (!l->options->restore_config)
			continue;
		r = config_restore_take(&m->devices[i], &l->result->loads[l->map[i]].config, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Before the devices are opened: sysfs knows enough to spare them a reset. */
static int load_on_beginning(void *ctx, const struct image_info *info,
			     const struct image_manifest *m, struct err *err)
{
	struct load *l = ctx;
	int r;

	r = load_map(&l->options->map, m, l->map, err);
	if (r < 0)
		return r;
	r = load_take_config(l, m, err);
	if (r < 0)
		return r;
	r = load_check_fit(l, m, err);
	if (r < 0)
		return r;
	/* Not of a sender that was turned away. */
	l->result->info = *info;
	l->origin = load_origin(m->source);
	return 0;
}

static int load_on_verified(void *ctx, uint32_t device, const struct image_totals *totals,
			    struct err *err)
{
	struct load_lane *lane = load_lane_of(ctx, device);

	(void)err;
	if (lane)
		lane->expected = totals->bytes;
	return 0;
}

static int load_on_end(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	struct load *l = ctx;

	(void)err;
	l->result->receipt = *receipt;
	return 0;
}

static const struct image_sink verify_sink = {
	.begin = load_on_beginning,
	.device_end = load_on_verified,
	.end = load_on_end,
};

static int load_on_begin(void *ctx, const struct image_info *info, const struct image_manifest *m,
			 struct err *err)
{
	int r = load_on_beginning(ctx, info, m, err);

	return r < 0 ? r : load_begin(ctx, m, err);
}

static int load_on_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	struct load_lane *lane = load_lane_of(ctx, device);

	return lane ? pipeline_put(lane->pipe, buf, len, err) : 0;
}

/* In whichever thread has it, past the pipeline, which then has nothing. */
static int load_on_data_now(void *ctx, uint32_t device, const void *buf, size_t len,
			    struct err *err)
{
	struct load_lane *lane = load_lane_of(ctx, device);

	return lane ? load_put(lane, buf, len, err) : 0;
}

static int load_on_room(void *ctx, uint32_t device, size_t len, uint8_t **ret, struct err *err)
{
	struct load_lane *lane = load_lane_of(ctx, device);

	return lane ? pipeline_lend(lane->pipe, len, ret, err) : 0;
}

/* A stream is complete: its device may have the last of it while those of the others go on. */
static int load_on_device_end(void *ctx, uint32_t device, const struct image_totals *totals,
			      struct err *err)
{
	struct load_lane *lane = load_lane_of(ctx, device);

	(void)totals;
	return lane ? pipeline_flush(lane->pipe, err) : 0;
}

static const struct image_sink load_sink = {
	.begin = load_on_begin,
	.room = load_on_room,
	.data = load_on_data,
	.device_end = load_on_device_end,
	.end = load_on_end,
};

/* One device's stream from a file: who has read and checked a frame writes it, too. */
static const struct image_sink load_one_sink = {
	.turns = true,
	.begin = load_on_begin,
	.room = load_on_room,
	.data = load_on_data_now,
	.end = load_on_end,
};

/*
 * The two kinds of input
 */

static int load_image(struct load *l, struct err *err)
{
	bool verify_only = l->options->verify_only, file = input_rewindable(l->carrier->in);
	int r;

	if (file || verify_only) {
		r = scan_image(l->carrier->in, &verify_sink, l, l->cancel, l->options->transfer,
			       err);
		if (r < 0)
			return r;
		log_info("%s: verified", input_name(l->carrier->in));
		if (verify_only)
			return 0;
		r = input_rewind(l->carrier->in, err);
		if (r < 0)
			return r;
	}
	return scan_image(l->carrier->in, file && l->set.n == 1 ? &load_one_sink : &load_sink, l,
			  l->cancel, NULL, err);
}

static int load_raw(struct load *l, struct err *err)
{
	struct load_lane *lane = &l->lanes[0];
	int r;

	if (l->options->verify_only)
		return 0;
	r = load_begin(l, NULL, err);
	if (r < 0)
		return r;
	for (;;) {
		uint8_t *room;
		size_t len;
		ssize_t n;

		r = cancel_check(l->cancel, err);
		if (r < 0)
			return r;
		/* Whole frames, however little comes at a time: to hand one on costs a wake-up. */
		r = pipeline_room(lane->pipe, &room, &len, err);
		if (r < 0)
			return r;
		n = input_read(l->carrier->in, room, len, err);
		if (n <= 0)
			return (int)n;
		r = pipeline_filled(lane->pipe, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

static int load_drain(struct load *l, struct err *err)
{
	for (unsigned int i = 0; i < l->set.n; i++) {
		struct load_lane *lane = &l->lanes[i];
		int r;

		if (!lane->pipe)
			continue;
		r = pipeline_drain(lane->pipe, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void load_note_stream(const struct load_lane *lane, bool complete)
{
	struct member_result *result = lane->member->result;
	struct event e = {
		.kind = EVENT_STREAM,
		.device = (int)lane->member->index,
		.stream = { .bytes = result->bytes },
	};

	result->complete = complete;
	if (lane->start_ns)
		result->stream_ns = e.stream.ns = clock_ns() - lane->start_ns;
	if (complete && lane->start_ns)
		event_emit(lane->load->options->events, &e);
}

/* In the device's thread: its driver may not come back from the last write for long. */
static int load_end_lane(void *ctx, struct member *m, struct err *err)
{
	struct load *l = ctx;
	struct load_lane *lane = &l->lanes[m->index];

	(void)err;
	lane->pipe = pipeline_free(lane->pipe);
	load_note_stream(lane, l->taken);
	return 0;
}

/* All of the input into the devices, and nothing on its way any more. */
static int load_take(struct load *l, struct err *err)
{
	struct err none = { 0 };
	int r;

	r = l->options->raw ? load_raw(l, err) : load_image(l, err);
	r = r < 0 ? r : load_drain(l, err);
	for (unsigned int i = 0; i < l->set.n; i++)
		r = pipeline_explain(l->lanes[i].pipe, r, err);
	l->taken = r >= 0;
	if (set_each(&l->set, load_end_lane, l, &none) < 0)
		log_debug("%s", none.text);
	return r;
}

/*
 * The end of the load
 */

static int load_tell_taken(struct load *l, struct err *err)
{
	struct load_carrier *c = l->carrier;

	return c->ops->taken ? c->ops->taken(c, &l->result->receipt, err) : 0;
}

static int load_judge_one(void *ctx, struct member *m, struct err *err)
{
	struct load *l = ctx;
	struct device *dev = m->dev;
	int r;

	r = mig_check_session(dev->mig, "the load is complete", err);
	if (r < 0)
		return r;
	r = member_enter(m, PHASE_JUDGE, l->cancel, err);
	if (r < 0 && (err->kind == ERR_PEER || err->kind == ERR_ABORTED))
		return r; /* a lost connection or a cancel is no verdict */
	if (r < 0) {
		err_classify(err, load_refusal_kind(device_driver(dev), r), r);
		return err_prefix(err, r, "the driver did not accept the state");
	}
	l->result->loads[m->index].accepted = true;
	return 0;
}

static int load_judge(struct load *l, struct err *err)
{
	int r;

	r = actions_note(l->set.actions, GUARD_JUDGING, err);
	if (r < 0)
		return r;
	r = set_phase(&l->set, PHASE_JUDGE, load_judge_one, l, err);
	if (r < 0)
		return r;
	l->result->accepted = true;
	for (unsigned int i = 0; i < l->set.n; i++) {
		r = config_restore_apply(&l->result->loads[i].config, l->options->devs[i]->mig,
					 err);
		if (r < 0)
			return r;
	}
	return 0;
}

static void load_receive_all(struct load *l, enum handover_received received)
{
	for (unsigned int i = 0; i < l->set.n; i++)
		l->lanes[i].received = received;
}

static bool load_starts(struct load *l)
{
	l->result->copy = l->result->starts && load_is_copy(l);
	return l->result->starts && !l->result->copy;
}

/* Its owner believes it to be stopped, and starts it when that one goes on. */
static bool load_is_paused(const struct load *l, const struct member *m)
{
	return !l->options->run_paused && device_owner(m->dev) && !fsm_runs(m->result->found);
}

/* What does not want the devices to start has a sender keep the state. */
static int load_prepare_start(struct load *l, struct err *err)
{
	if (!load_starts(l))
		return 0;
	for (unsigned int i = 0; i < l->set.n; i++) {
		struct member *m = &l->set.members[i];

		m->goes_on = m->with_owner || !load_is_paused(l, m);
		m->want = m->with_owner || load_is_paused(l, m) ? MIG_STOP : MIG_RUNNING;
	}
	return set_prepare(&l->set, PHASE_START_P2P, err);
}

static int load_tell_accepted(struct load *l, struct err *err)
{
	enum handover_received received = HANDOVER_ANSWERING;
	struct load_carrier *c = l->carrier;
	int r;

	if (l->link != HANDOVER_ANSWERED)
		return 0;
	load_receive_all(l, received);
	r = c->ops->accept(c, &l->result->receipt, &received, err);
	if (r < 0)
		load_receive_all(l, received);
	return r;
}

/* The state is here now, and nothing takes it back: a cancel only if there is more to do. */
static int load_own(struct load *l, struct err *err)
{
	bool more = l->result->starts || l->link == HANDOVER_ANSWERED;
	int r;

	r = more ? cancel_check(l->cancel, err) : 0;
	if (r < 0)
		return r;
	r = load_prepare_start(l, err);
	if (r < 0)
		return r;
	r = l->options->kept ? kept_check(l->options->devs, l->options->n, err) : 0;
	if (r < 0)
		return r;
	r = actions_note(l->set.actions, GUARD_LOADED, err);
	if (r < 0)
		return r;
	cancel_close(l->cancel);
	r = load_tell_accepted(l, err);
	if (r < 0)
		return r;
	load_receive_all(l, HANDOVER_OWNED);
	return 0;
}

static int load_start_p2p(void *ctx, struct member *m, struct err *err)
{
	(void)ctx;
	return member_enter(m, PHASE_START_P2P, NULL, err);
}

static int load_start_one(void *ctx, struct member *m, struct err *err)
{
	struct load *l = ctx;
	int r = member_enter(m, PHASE_START, NULL, err);

	l->result->loads[m->index].started = r >= 0 && m->goes_on;
	return r;
}

static int load_start(struct load *l, struct err *err)
{
	int r;

	if (!load_starts(l))
		return 0;
	r = set_phase(&l->set, PHASE_START_P2P, load_start_p2p, l, err);
	return r < 0 ? r : set_phase(&l->set, PHASE_START, load_start_one, l, err);
}

static int load_work(struct load *l, struct err *err)
{
	int r;

	r = load_take(l, err);
	if (r < 0 || l->options->verify_only)
		return r;
	r = load_tell_taken(l, err);
	if (r < 0)
		return r;
	r = load_judge(l, err);
	if (r < 0)
		return r;
	r = load_own(l, err);
	if (r < 0)
		return r;
	return load_start(l, err);
}

/* A file has the state still; a sender has given it up, unless this is its copy. */
static void load_complete(struct load *l)
{
	struct load_result *result = l->result;

	result->verdict = handover_completed(l->link, l->origin, result->loads[0].started);
	result->hold = result->accepted && l->link != HANDOVER_STORED && !result->copy;
}

/* A sender that may have heard "accepted" must not hear anything else. */
static void load_refuse(struct load *l, const struct err *err)
{
	struct load_carrier *c = l->carrier;

	if (c->in && handover_gives_up(l->lanes[0].received) != HANDOVER_KEEP)
		c->ops->refuse(c, err);
}

/*
 * The beginning and the end
 */

static int load_open(struct load *l, struct err *err)
{
	const struct load_judge judge = { .begin = load_on_beginning, .ctx = l };
	int r = l->carrier->ops->open(l->carrier, &judge, err);

	l->link = l->carrier->link;
	return r;
}

static int load_init(struct load *l, struct err *err)
{
	const struct load_options *o = l->options;
	int r;

	l->lanes = calloc(o->n, sizeof(*l->lanes));
	l->result->loads = calloc(o->n, sizeof(*l->result->loads));
	if (!l->lanes || !l->result->loads)
		return err_set(err, -ENOMEM, "calloc");
	r = set_init(&l->set, o->devs, o->n, MIG_RESUMING, o->retry_ns, l->cancel, o->events, err);
	if (r < 0)
		return r;
	for (unsigned int i = 0; i < o->n; i++) {
		l->lanes[i].load = l;
		l->lanes[i].member = &l->set.members[i];
	}
	return 0;
}

static void load_done(struct load *l)
{
	l->result->devices = l->set.results;
	set_done(&l->set);
	free(l->lanes);
	if (l->carrier->ops->close)
		l->carrier->ops->close(l->carrier);
}

void load_result_done(struct load_result *result)
{
	free(result->devices);
	free(result->loads);
}

static int load_run_all(struct load *l, struct err *err)
{
	int r;

	r = actions_check(l->options->actions, l->options->devs, l->options->n, err);
	if (r < 0)
		return r;
	r = load_init(l, err);
	if (r < 0)
		return r;
	r = load_open(l, err);
	r = r < 0 ? r : load_work(l, err);
	/* The sender first: what is given up here never starts, and it need not wait longer. */
	if (r < 0)
		load_refuse(l, err);
	if (r < 0)
		load_give_up(l, err);
	else
		load_complete(l);
	actions_end(l->set.actions, r < 0 ? err : NULL);
	return r;
}

int load_run(const struct load_options *options, struct cancel *cancel, struct load_result *ret,
	     struct err *err)
{
	struct load_input input;
	struct load l = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.carrier = options->carrier ? options->carrier : &input.carrier,
		.origin = HANDOVER_NOT_SAID,
	};
	int r;

	load_input_init(&input, options, cancel);
	l.link = l.carrier->link;

	*ret = (struct load_result){
		/* Until a device is touched. */
		.verdict = handover_gave_up(l.link, l.origin, HANDOVER_IDLE, MIG_FATE_BACK),
	};
	r = load_run_all(&l, err);
	load_done(&l);
	return r;
}
