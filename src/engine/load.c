// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "engine/ack.h"
#include "engine/compat.h"
#include "engine/load-refusal.h"
#include "engine/load.h"
#include "engine/pipeline.h"
#include "engine/scan.h"
#include "engine/sender-select.h"
#include "fsm/fsm.h"
#include "image/parser.h"
#include "transport/input.h"

/* One being filled, one being written to the device, and what evens out the pace of both. */
#define LOAD_FRAMES 4

/**
 * struct load - a load under way
 * @received: how far the state has come
 * @link, @origin: where it comes from
 * @pipe: to the device
 * @frame: being filled with @frame_len bytes, or NULL
 */
struct load {
	const struct load_options *options;
	struct load_result *result;
	struct cancel *cancel;
	struct transfer *transfer;
	struct arc_retry retry;
	enum handover_received received;
	enum handover_link link;
	enum handover_origin origin;
	struct listener *listener;
	struct input *in;
	struct pipeline *pipe;
	struct image_frame *frame;
	size_t frame_len;
	uint64_t start_ns;
};

static void load_on_arc(void *ctx, const struct mig_arc *arc)
{
	struct load *l = ctx;

	timeline_add(&l->result->timeline, arc);
	if (arc->result >= 0)
		atomic_store(&l->transfer->state, arc->to);
}

/* In the pipeline's thread. */
static int load_put_frame(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct load *l = ctx;
	int r;

	r = mig_write(l->options->dev->mig, frame->payload, len, err);
	if (r < 0)
		return r;
	l->result->bytes += len;
	atomic_fetch_add(&l->transfer->bytes, len);
	return 0;
}

/* A frame to fill for the device. */
static int load_get_frame(struct load *l, struct err *err)
{
	int r;

	r = cancel_check(l->cancel, err);
	if (r < 0 || l->frame)
		return r;
	return pipeline_frame(l->pipe, &l->frame, err);
}

static int load_push_frame(struct load *l, struct err *err)
{
	size_t len = l->frame_len;

	l->frame = NULL;
	l->frame_len = 0;
	return pipeline_push(l->pipe, len, err);
}

static int load_put(struct load *l, const uint8_t *buf, size_t len, struct err *err)
{
	while (len) {
		size_t n = MIN(len, IMAGE_FRAME_PAYLOAD - l->frame_len);
		int r;

		r = load_get_frame(l, err);
		if (r < 0)
			return r;
		memcpy(l->frame->payload + l->frame_len, buf, n);
		l->frame_len += n;
		r = l->frame_len == IMAGE_FRAME_PAYLOAD ? load_push_frame(l, err) : 0;
		if (r < 0)
			return r;
		buf += n;
		len -= n;
	}
	return 0;
}

static int load_open_device(struct load *l, const struct image_device *saved, struct err *err)
{
	struct load_result *result = l->result;
	struct device *dev = l->options->dev;
	int r;

	if (!dev->mig) {
		r = device_open(dev, l->options->device, err);
		if (r < 0)
			return r;
	}
	r = mig_query(dev->mig, err);
	if (r < 0)
		return r;
	result->opened = true;
	result->found = dev->mig->state;
	atomic_store(&l->transfer->state, dev->mig->state);
	dev->mig->on_arc = load_on_arc;
	dev->mig->on_arc_ctx = l;
	dev->mig->cancel = l->cancel;
	return saved ? compat_check(saved, dev, l->options->force_mismatch, err) : 0;
}

/*
 * Opens the device and brings it to RESUMING. What it holds is going to be replaced, so a session
 * that another process left behind is no obstacle; only ERROR is: the device may be broken.
 */
static int load_begin(struct load *l, const struct image_device *saved, struct err *err)
{
	const struct pipeline_options opts = {
		.frames = LOAD_FRAMES,
		.sink = load_put_frame,
		.ctx = l,
		.cancel = l->cancel,
	};
	struct mig_dev *mig;
	int r;

	r = load_open_device(l, saved, err);
	if (r < 0)
		return r;
	mig = l->options->dev->mig;
	if (mig->state == MIG_ERROR)
		return mig_goto(mig, MIG_RESUMING, err); /* says why not, and touches nothing */
	atomic_store(&l->transfer->bytes, 0); /* what was verified is now to be loaded */
	l->received = HANDOVER_TOUCHED;
	r = mig_settle(mig, &l->retry, l->cancel, err);
	if (r < 0)
		return r;
	l->result->found = mig->state;
	r = mig_goto_retrying(&l->retry, mig, MIG_RESUMING, l->cancel, err);
	if (mig->state == MIG_RESUMING)
		l->received = HANDOVER_LOADING;
	if (r < 0)
		return r;
	l->start_ns = clock_ns();
	return pipeline_new(&opts, &l->pipe, err);
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

/* Before the device is opened: sysfs knows enough to spare it a reset. */
static int load_on_beginning(void *ctx, const struct image_info *info,
			     const struct image_manifest *m, struct err *err)
{
	struct load *l = ctx;
	int r;

	if (m->n_devices != 1) {
		err_fail(err, ERR_IMAGE, -EINVAL, "holds %u devices, not one", m->n_devices);
		return err_hint(err, -EINVAL, "vfiomigctl inspect lists them");
	}
	if (l->options->restore_config) {
		r = config_restore_take(&m->devices[0], &l->result->config, err);
		if (r < 0)
			return r;
	}
	l->result->fit = compat_fit(&m->devices[0], l->options->dev);
	r = compat_check(&m->devices[0], l->options->dev, l->options->force_mismatch, err);
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
	struct load *l = ctx;

	(void)device;
	(void)err;
	atomic_store(&l->transfer->exact, true);
	atomic_store(&l->transfer->expected, totals->bytes);
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

	return r < 0 ? r : load_begin(ctx, &m->devices[0], err);
}

static int load_on_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	(void)device;
	return load_put(ctx, buf, len, err);
}

static const struct image_sink load_sink = {
	.begin = load_on_begin,
	.data = load_on_data,
	.end = load_on_end,
};

/*
 * The two kinds of input
 */

static int load_image(struct load *l, struct err *err)
{
	bool verify_only = l->options->verify_only;
	int r;

	if (input_rewindable(l->in) || verify_only) {
		r = scan_image(l->in, &verify_sink, l, l->cancel, l->transfer, err);
		if (r < 0)
			return r;
		log_info("%s: verified", input_name(l->in));
		if (verify_only)
			return 0;
		r = input_rewind(l->in, err);
		if (r < 0)
			return r;
	}
	return scan_image(l->in, &load_sink, l, l->cancel, NULL, err);
}

static int load_raw(struct load *l, struct err *err)
{
	int r;

	if (l->options->verify_only)
		return 0;
	r = load_begin(l, NULL, err);
	if (r < 0)
		return r;
	for (;;) {
		ssize_t n;

		r = load_get_frame(l, err);
		if (r < 0)
			return r;
		/* Whole frames, however little comes at a time: to hand one on costs a wake-up. */
		n = input_read(l->in, l->frame->payload + l->frame_len,
			       IMAGE_FRAME_PAYLOAD - l->frame_len, err);
		if (n <= 0)
			return (int)n;
		l->frame_len += (size_t)n;
		r = l->frame_len == IMAGE_FRAME_PAYLOAD ? load_push_frame(l, err) : 0;
		if (r < 0)
			return r;
	}
}

static int load_drain(struct load *l, struct err *err)
{
	int r;

	if (!l->pipe)
		return 0;
	r = l->frame_len ? load_push_frame(l, err) : 0;
	return r < 0 ? r : pipeline_drain(l->pipe, err);
}

/* All of the input into the device, and nothing on its way any more. */
static int load_take(struct load *l, struct err *err)
{
	int r;

	r = l->options->raw ? load_raw(l, err) : load_image(l, err);
	r = r < 0 ? r : load_drain(l, err);
	r = pipeline_explain(l->pipe, r, err);
	l->pipe = pipeline_free(l->pipe);
	if (l->start_ns)
		l->result->stream_ns = clock_ns() - l->start_ns;
	return r;
}

/*
 * The end of the load
 */

static int load_judge(struct load *l, struct err *err)
{
	struct device *dev = l->options->dev;
	int r;

	r = cancel_check(l->cancel, err);
	if (r < 0)
		return r;
	r = mig_check_session(dev->mig, "the load is complete", err);
	if (r < 0)
		return r;
	r = mig_goto_retrying(&l->retry, dev->mig, MIG_STOP, l->cancel, err);
	if (r < 0 && (err->kind == ERR_PEER || err->kind == ERR_ABORTED))
		return r; /* a lost connection or a cancel is no verdict */
	if (r < 0) {
		err_classify(err, load_refusal_kind(device_driver(dev), r), r);
		return err_prefix(err, r, "the driver did not accept the state");
	}
	l->result->accepted = true;
	return config_restore_apply(&l->result->config, dev->mig, err);
}

/* The state is here now, and nothing takes it back: a cancel only if there is more to do. */
static int load_own(struct load *l, struct err *err)
{
	bool more = l->options->run || l->link == HANDOVER_ANSWERED;
	int r;

	r = more ? cancel_check(l->cancel, err) : 0;
	if (r < 0)
		return r;
	cancel_close(l->cancel);
	if (l->link == HANDOVER_ANSWERED) {
		l->received = HANDOVER_ANSWERING;
		r = ack_accept(l->in, &l->result->receipt, err);
		if (r < 0)
			return r;
	}
	l->received = HANDOVER_OWNED;
	return 0;
}

static int load_start(struct load *l, struct err *err)
{
	const struct load_options *o = l->options;
	int r;

	l->result->copy = o->run && !handover_may_start(l->link, l->origin, o->clone);
	if (!o->run || l->result->copy)
		return 0;
	r = mig_goto_retrying(&l->retry, o->dev->mig, MIG_RUNNING, NULL, err);
	l->result->started = r >= 0;
	return r;
}

static int load_work(struct load *l, struct err *err)
{
	int r;

	r = load_take(l, err);
	if (r < 0 || l->options->verify_only)
		return r;
	r = load_judge(l, err);
	if (r < 0)
		return r;
	r = load_own(l, err);
	if (r < 0)
		return r;
	return load_start(l, err);
}

/*
 * Giving up
 */

static void load_tell_back(const struct load *l, enum mig_state want, struct err *err)
{
	const char *name = l->options->dev->mig->name;
	int code = err->code;

	if (l->received == HANDOVER_ANSWERING) {
		err_note(err, code,
			 "%s has the state and stays stopped, since the sender's device may run it",
			 name);
		err_hint(err, code,
			 "if it does not, once this has ended: vfiomigctl state %s running", name);
		return;
	}
	if (l->received == HANDOVER_OWNED) {
		err_note(err, code, "the device has the state, and is stopped");
		return;
	}
	err_classify(err, ERR_ABORTED, code);
	if (l->result->recovery.reset)
		err_note(err, code, "the device was reset and is in %s", fsm_name(want));
	else
		err_note(err, code, "the device is in %s again", fsm_name(want));
}

static void load_tell_elsewhere(const struct load *l, enum mig_state want, const struct err *why,
				struct err *err)
{
	const struct mig_recovery *recovery = &l->result->recovery;
	const struct mig_dev *mig = l->options->dev->mig;
	const char *name = mig->name;
	enum handover_give_up what = handover_gives_up(l->received);
	struct err reset = { 0 };
	char buf[MIG_WHY_MAX];
	int code = err->code;

	mig_recovery_why(err, why, buf);
	if (recovery->fate == MIG_FATE_HOLDS && what != HANDOVER_DISCARD) {
		err_note(err, code, "it is left in %s with %s state%s", fsm_name(recovery->end),
			 what == HANDOVER_KEEP ? "the" : "its own", buf);
		err_hint(err, code, "vfiomigctl state %s %s", name, fsm_name(want));
	} else if (what == HANDOVER_KEEP && recovery->fate != MIG_FATE_UNKNOWN) {
		err_note(err, code, "the state is lost: the device is in %s",
			 fsm_name(recovery->end));
		err_hint(err, code, "vfiomigctl reset %s", name);
	} else {
		err_note(err, code, "it could not be brought to %s%s", fsm_name(want), buf);
		if (recovery->reset && recovery->end_known && mig_reset_check(mig, &reset) < 0)
			err_hint(err, code, "%s", reset.hint);
	}
}

/* Return: what became of the state that the device held. */
static enum mig_fate load_recover(struct load *l, struct err *err)
{
	static const enum mig_holds holds[] = {
		[HANDOVER_RETURN] = MIG_HOLDS_OWN,
		[HANDOVER_DISCARD] = MIG_HOLDS_GIVEN_UP,
		[HANDOVER_KEEP] = MIG_HOLDS_ACCEPTED,
	};
	enum handover_give_up what = handover_gives_up(l->received);
	enum mig_state want = what == HANDOVER_RETURN ? mig_settled(l->result->found) : MIG_STOP;
	struct mig_recovery *recovery = &l->result->recovery;
	struct err why = { 0 };

	if (what == HANDOVER_NOTHING_TO_DO)
		return l->result->opened && l->result->found == MIG_ERROR ? MIG_FATE_LOST
									  : MIG_FATE_BACK;
	l->result->recovered = true;
	if (mig_recover(l->options->dev->mig, want, holds[what], &l->retry, recovery, &why))
		load_tell_back(l, want, err);
	else
		load_tell_elsewhere(l, want, &why, err);
	/* One that does not answer may have it. */
	l->result->hold = what == HANDOVER_KEEP && recovery->fate != MIG_FATE_BLANK &&
			  recovery->fate != MIG_FATE_LOST;
	return recovery->fate;
}

static void load_give_up(struct load *l, struct err *err)
{
	struct handover_verdict *verdict = &l->result->verdict;

	*verdict = handover_gave_up(l->link, l->origin, l->received, load_recover(l, err));
	if (verdict->status == HANDOVER_IN_DOUBT)
		err->kind = ERR_IN_DOUBT;
	else if (verdict->status == HANDOVER_DEVICE)
		err->kind = ERR_DEVICE;
}

/* A file has the state still; a sender has given it up, unless this is its copy. */
static void load_complete(struct load *l)
{
	struct load_result *result = l->result;

	result->verdict = handover_completed(l->link, l->origin, result->started);
	result->hold = result->accepted && l->link != HANDOVER_STORED && !result->copy;
}

/* A sender that may have heard "accepted" must not hear anything else. */
static void load_refuse(struct load *l, const struct err *err)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];

	if (l->link != HANDOVER_ANSWERED || handover_gives_up(l->received) == HANDOVER_KEEP)
		return;
	ack_refuse(err, wire);
	if (input_answer(l->in, wire, sizeof(wire), NULL) < 0)
		log_info("%s: could not be told why", input_name(l->in));
}

/* From here on no other sender is listened to: a connection is refused. */
static int load_receive(struct load *l, struct err *err)
{
	const struct sender_select select = {
		.listener = l->listener,
		.judge = l->options->raw ? NULL : load_on_beginning,
		.ctx = l,
		.timeout_ms = l->options->device->acquire.timeout_ms,
		.cancel = l->cancel,
	};
	int r = sender_select_run(&select, &l->in, err);

	l->listener = listener_free(l->listener);
	return r;
}

static int load_open_input(struct load *l, struct err *err)
{
	int r;

	r = l->listener ? load_receive(l, err)
			: input_open(&l->options->uri, l->cancel, &l->in, err);
	if (r < 0)
		return r;
	if (input_rewindable(l->in))
		l->link = HANDOVER_STORED;
	else if (!l->options->raw && input_answers(l->in))
		l->link = HANDOVER_ANSWERED;
	else
		l->link = HANDOVER_ONE_WAY;
	return 0;
}

static void load_detach(struct load *l)
{
	struct mig_dev *mig = l->options->dev->mig;

	if (!l->result->opened)
		return;
	l->result->left = mig->state;
	l->result->left_known = mig->state_known;
	mig->on_arc = NULL;
	mig->cancel = NULL;
}

int load_run(const struct load_options *options, struct cancel *cancel, struct transfer *transfer,
	     struct load_result *ret, struct err *err)
{
	struct load l = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.transfer = transfer,
		.retry = { .budget_ns = options->retry_ns },
		.link = HANDOVER_STORED, /* until there is a sender */
		.origin = HANDOVER_NOT_SAID,
		.listener = options->listener,
	};
	int r;

	*ret = (struct load_result){ 0 };
	r = load_open_input(&l, err);
	r = r < 0 ? r : load_work(&l, err);
	/* The sender first: what is given up here never starts, and it need not wait longer. */
	if (r < 0 && l.in)
		load_refuse(&l, err);
	if (r < 0)
		load_give_up(&l, err);
	else
		load_complete(&l);
	load_detach(&l);
	ret->retries = l.retry.retries;
	input_free(l.in);
	listener_free(l.listener);
	return r;
}
