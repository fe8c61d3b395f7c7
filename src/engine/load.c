// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/ack.h"
#include "engine/load.h"
#include "engine/compat.h"
#include "engine/sender-select.h"
#include "engine/scan.h"
#include "fsm/fsm.h"

/* One being filled, one being written to the device, and what evens out the pace of both. */
#define LOAD_FRAMES 4

static void load_on_arc(void *ctx, const struct mig_arc *arc)
{
	struct destination *d = ctx;

	timeline_add(&d->timeline, arc);
	if (arc->result >= 0)
		atomic_store(&d->transfer->state, arc->to);
}

/* In the pipeline's thread. */
static int load_frame(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct destination *d = ctx;
	int r;

	r = mig_write(d->dev->mig, frame->payload, len, err);
	if (r < 0)
		return r;
	d->bytes += len;
	atomic_fetch_add(&d->transfer->bytes, len);
	return 0;
}

/* A frame to fill for the device. */
static int load_get_frame(struct destination *d, struct err *err)
{
	int r;

	r = cancel_check(d->cancel, err);
	if (r >= 0 && !d->frame)
		r = pipeline_frame(d->pipe, &d->frame, err);
	return r;
}

static int load_push_frame(struct destination *d, struct err *err)
{
	size_t len = d->frame_len;

	d->frame = NULL;
	d->frame_len = 0;
	return pipeline_push(d->pipe, len, err);
}

static int load_put(struct destination *d, const uint8_t *buf, size_t len, struct err *err)
{
	while (len) {
		size_t n = MIN(len, IMAGE_FRAME_PAYLOAD - d->frame_len);
		int r;

		r = load_get_frame(d, err);
		if (r < 0)
			return r;
		memcpy(d->frame->payload + d->frame_len, buf, n);
		d->frame_len += n;
		r = d->frame_len == IMAGE_FRAME_PAYLOAD ? load_push_frame(d, err) : 0;
		if (r < 0)
			return r;
		buf += n;
		len -= n;
	}
	return 0;
}

static int load_finish_load(struct destination *d, struct err *err)
{
	int r = d->frame_len ? load_push_frame(d, err) : 0;

	return r < 0 ? r : pipeline_drain(d->pipe, err);
}

/*
 * Opens the device and brings it to RESUMING. Whatever it holds is going to be replaced, so what
 * somebody else left half-done (mig_settle()) is no obstacle; only ERROR is: it may be broken.
 */
static int load_begin_load(struct destination *d, const struct image_device *saved, struct err *err)
{
	struct mig_dev *mig;
	int r;

	r = d->dev->mig ? 0 : device_open(d->dev, d->options, err);
	if (r < 0)
		return r;
	mig = d->dev->mig;
	r = mig_query(mig, err);
	if (r < 0)
		return r;
	atomic_store(&d->transfer->bytes, 0); /* what was verified is now to be loaded */
	d->opened = true;
	d->found = mig->state;
	atomic_store(&d->transfer->state, mig->state);
	mig->on_arc = load_on_arc;
	mig->on_arc_ctx = d;
	mig->cancel = d->cancel;
	if (saved) {
		r = compat_check(saved, d->dev, d->force_mismatch, err);
		if (r < 0)
			return r;
	}
	d->touched = true;
	r = mig_settle(mig, err);
	if (r < 0)
		return r;
	d->found = mig->state;
	r = mig_goto(mig, MIG_RESUMING, err);
	d->loading = mig->state == MIG_RESUMING;
	d->start_ns = clock_ns();
	if (r >= 0)
		r = pipeline_new(
			&(struct pipeline_options){
				.frames = LOAD_FRAMES,
				.sink = load_frame,
				.ctx = d,
				.cancel = d->cancel,
			},
			&d->pipe, err);
	return r;
}

/*
 * Sinks
 */

static int load_on_begin(struct destination *d, const struct image_info *info,
			 const struct image_manifest *m, struct err *err)
{
	int r;

	if (m->n_devices != 1) {
		err_fail(err, ERR_IMAGE, -EINVAL, "holds %u devices, not one", m->n_devices);
		return err_hint(err, -EINVAL, "vfiomigctl inspect lists them");
	}
	if (d->restore_config) {
		r = config_restore_take(&m->devices[0], &d->config, err);
		if (r < 0)
			return r;
	}
	/* Before the device is opened: sysfs knows enough to spare it a reset. */
	r = compat_check(&m->devices[0], d->dev, d->force_mismatch, err);
	if (r < 0)
		return r;
	d->info = *info; /* not of a sender that was turned away */
	return 0;
}

static int load_verify_begin(void *ctx, const struct image_info *info,
			     const struct image_manifest *m, struct err *err)
{
	return load_on_begin(ctx, info, m, err);
}

static int load_verify_end(void *ctx, uint32_t device, const struct image_totals *totals,
			   struct err *err)
{
	struct destination *d = ctx;

	(void)device;
	(void)err;
	atomic_store(&d->transfer->expected, totals->bytes);
	return 0;
}

static int load_end(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	struct destination *d = ctx;

	(void)err;
	d->receipt = *receipt;
	return 0;
}

static const struct image_sink verify_sink = {
	.begin = load_verify_begin,
	.device_end = load_verify_end,
	.end = load_end,
};

static int load_begin(void *ctx, const struct image_info *info, const struct image_manifest *m,
		      struct err *err)
{
	int r = load_on_begin(ctx, info, m, err);

	return r < 0 ? r : load_begin_load(ctx, &m->devices[0], err);
}

static int load_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	(void)device;
	return load_put(ctx, buf, len, err);
}

static const struct image_sink load_sink = {
	.begin = load_begin,
	.data = load_data,
	.end = load_end,
};

/*
 * The two kinds of input
 */

static int load_image(struct destination *d, struct err *err)
{
	int r;

	if (input_rewindable(d->in) || d->verify_only) {
		r = scan_image(d->in, &verify_sink, d, d->cancel, d->transfer, err);
		if (r >= 0 && !d->verify_only)
			r = input_rewind(d->in, err);
		if (r < 0)
			return r;
		log_info("%s: verified", input_name(d->in));
	}
	if (d->verify_only)
		return 0;
	return scan_image(d->in, &load_sink, d, d->cancel, NULL, err);
}

static int load_raw(struct destination *d, struct err *err)
{
	ssize_t n = 1;
	int r;

	if (d->verify_only)
		return 0;
	r = load_begin_load(d, NULL, err);
	while (r >= 0 && n) {
		r = load_get_frame(d, err);
		if (r < 0)
			return r;
		/* Whole frames, however little comes at a time: to hand one on costs a wake-up. */
		n = input_read(d->in, d->frame->payload + d->frame_len,
			       IMAGE_FRAME_PAYLOAD - d->frame_len, err);
		if (n < 0)
			return (int)n;
		d->frame_len += (size_t)n;
		r = d->frame_len == IMAGE_FRAME_PAYLOAD ? load_push_frame(d, err) : 0;
	}
	return r;
}

static bool load_wants_answer(const struct destination *d)
{
	return !d->raw && input_answers(d->in);
}

static int load_judge_and_start(struct destination *d, struct err *err)
{
	struct mig_dev *mig = d->dev->mig;
	int r;

	r = cancel_check(d->cancel, err);
	if (r < 0)
		return r;
	r = mig_goto(mig, MIG_STOP, err);
	if (r < 0) {
		/* A device that is busy may take it later; anything else is about the state. */
		if (err->kind == ERR_PEER)
			return r; /* that is no verdict */
		err_classify(err, r == -EBUSY || r == -EAGAIN ? ERR_ABORTED : ERR_IMAGE, r);
		return err_prefix(err, r, "the driver did not accept the state");
	}
	d->accepted = true;
	r = config_restore_apply(&d->config, mig, err);
	if (r < 0 || (!d->run && !load_wants_answer(d)))
		return r;
	r = cancel_check(d->cancel, err);
	if (r < 0)
		return r;
	/* Once the sender has heard it, this end cannot have failed. */
	cancel_close(d->cancel);
	d->answered = true;
	r = load_wants_answer(d) ? ack_accept(d->in, &d->receipt, err) : 0;
	if (r < 0)
		return r;
	d->owner = load_wants_answer(d);
	return d->run ? mig_goto(mig, MIG_RUNNING, err) : 0;
}

/* The sender has given it up: what is here may be all there is of it. */
static void load_keep_state(struct destination *d, struct err *err)
{
	err->kind = ERR_DEVICE;
	d->owner = !d->recovery.reset;
	err_hint(err, err->code,
		 d->owner ? "the device has the state, and is stopped"
			  : "it had to be reset, and the state is lost");
}

/* Once a load has begun there is no way back to what the device was: blank and stopped it is. */
static void load_abort_load(struct destination *d, struct err *err)
{
	bool session = fsm_saving(d->found) || d->found == MIG_RESUMING;
	enum mig_state want = d->loading || session ? MIG_STOP : d->found;
	struct err why = { 0 };

	d->recovered = true;
	if (mig_recover(d->dev->mig, want, d->loading && !d->owner, &d->recovery, &why)) {
		if (d->owner) {
			load_keep_state(d, err);
			return;
		}
		err_classify(err, ERR_ABORTED, err->code);
		if (d->recovery.reset)
			err_hint(err, err->code, "the device was reset and is in %s",
				 fsm_name(want));
		else if (!*err->hint)
			err_hint(err, err->code, "the device is in %s again", fsm_name(want));
		return;
	}
	d->owner = false; /* nobody knows */
	err->kind = ERR_DEVICE;
	err_hint(err, err->code, "it could not be brought to %s: %s (%s)", fsm_name(want), why.text,
		 err_name(why.code));
}

/* All of the input into the device, and nothing on its way any more. */
static int load(struct destination *d, struct err *err)
{
	int r;

	r = d->raw ? load_raw(d, err) : load_image(d, err);
	if (r >= 0 && d->pipe)
		r = load_finish_load(d, err);
	r = pipeline_explain(d->pipe, r, err);
	d->pipe = pipeline_free(d->pipe);
	return r;
}

static int load_run(struct destination *d, struct err *err)
{
	int r;

	r = load(d, err);
	if (d->loading)
		d->stream_ns = clock_ns() - d->start_ns;
	if (r >= 0 && !d->verify_only)
		r = load_judge_and_start(d, err);
	if (r < 0 && d->touched)
		load_abort_load(d, err);
	if (d->opened) {
		d->left = d->dev->mig->state;
		d->left_known = d->dev->mig->state_known;
		d->dev->mig->on_arc = NULL;
		d->dev->mig->cancel = NULL;
	}
	return r;
}

/* From here on nobody else is listened to: to connect is to be refused. */
static int load_receive(struct destination *d, struct err *err)
{
	const struct sender_select select = {
		.listener = d->listener,
		.judge = d->raw ? NULL : load_verify_begin,
		.ctx = d,
		.timeout_ms = d->options->acquire.timeout_ms,
		.cancel = d->cancel,
	};
	int r = sender_select_run(&select, &d->in, err);

	d->listener = listener_free(d->listener);
	return r;
}

static void load_refuse(struct destination *d, const struct err *err)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];

	ack_refuse(err, wire);
	if (input_answer(d->in, wire, sizeof(wire), NULL) < 0)
		log_info("%s: could not be told why", input_name(d->in));
}

int destination_run(void *destination, struct err *err)
{
	struct destination *d = destination;
	int r;

	r = d->listener ? load_receive(d, err) : input_open(&d->uri, d->cancel, &d->in, err);
	if (r >= 0) {
		r = load_run(d, err);
		if (r < 0 && load_wants_answer(d) && !d->answered)
			load_refuse(d, err);
	}
	d->in = input_free(d->in);
	return r;
}
