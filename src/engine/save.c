// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/units.h"
#include "engine/ack.h"
#include "engine/compat.h"
#include "engine/limiter.h"
#include "engine/save.h"
#include "image/sha256.h"
#include "image/writer.h"
#include "transport/output.h"

/* A receiver's --timeout is in seconds: well below it. */
#define KEEPALIVE_MS 250

/**
 * struct save - a save under way
 * @sent: how far the state has gone
 * @refused: the receiver has said so
 * @gone: what a keepalive found out
 * @encoders: one a worker
 */
struct save {
	const struct save_options *options;
	struct save_result *result;
	struct cancel *cancel;
	struct source source;
	struct limiter limiter;
	struct output *out;
	enum handover_link link;
	enum handover_sent sent;
	bool refused;
	struct image_writer *writer;
	struct image_sha256 *hash;
	struct err gone;
	struct image_frame_encoder *encoders[SAVE_THREADS_MAX];
};

static void save_event(struct save *s, enum handover_event event)
{
	s->sent = handover_sent_next(s->link, s->sent, event);
}

/* A bare stream ends where it is closed, whatever closes it: from here on a reader may have all. */
static void save_on_drained(void *ctx)
{
	struct save *s = ctx;

	if (s->options->raw)
		save_event(s, HANDOVER_ON_END);
}

static void save_failed(struct save *s)
{
	save_event(s, s->refused ? HANDOVER_ON_REFUSE : HANDOVER_ON_FAILURE);
}

/* A receiver that takes no more may have said why. */
static int save_write_failed(struct save *s, int r, struct err *err)
{
	int said = s->link == HANDOVER_ANSWERED ? ack_explain(s->out, r, err) : r;

	s->refused |= said == ACK_REFUSED;
	return said == ACK_REFUSED ? err->code : r;
}

/* Where the bytes go. */
static int save_put(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct save *s = ctx;
	/* The last sections, which nothing stops any more, are few. */
	uint64_t rate = atomic_load(&s->cancel->closed) ? 0 : s->limiter.rate;

	for (size_t done = 0, n; done < len; done += n) {
		int r;

		/* In pieces that leave no receiver without a sign of life for long. */
		n = rate ? MIN(len - done, (size_t)MAX(rate / 10, IMAGE_PAGE)) : len;
		r = rate ? limiter_wait(&s->limiter, n, s->cancel, err) : 0;
		if (r < 0)
			return r;
		r = output_write(s->out, (const char *)buf + done, n, err);
		if (r < 0)
			return save_write_failed(s, r, err);
	}
	return 0;
}

static int save_raw_sink(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct save *s = ctx;

	s->result->written += len;
	return save_put(s, frame->payload, len, err);
}

static int save_encode(void *ctx, unsigned int worker, const struct pipeline_item *item,
		       struct err *err)
{
	const struct save *s = ctx;
	const struct image_place place = { 0, item->number, item->offset };

	return image_frame_encode(s->encoders[worker], item->frame, item->len, &place, err);
}

static int save_image_sink(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	const struct save *s = ctx;

	(void)len;
	return image_writer_put(s->writer, frame, err);
}

static int save_observer(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	const struct save *s = ctx;

	(void)err;
	image_sha256_add(s->hash, frame->payload, len);
	return 0;
}

/* A receiver gives up a sender that is silent, and a device may have little to say for long. */
static int save_keep_alive(void *ctx, struct err *err)
{
	struct save *s = ctx;
	int r = image_writer_keepalive(s->writer, err);

	if (r < 0)
		s->gone = *err;
	return r;
}

/* A receiver that has gone or refuses shows as a cancel: a keepalive has requested it. */
static int save_check_cancel(struct save *s, struct err *err)
{
	int r = cancel_check(s->cancel, err);

	if (r == -ECANCELED && s->gone.code) {
		*err = s->gone;
		r = err->code;
	}
	return r;
}

/* A checksum alone is done fastest where the frame was filled; compression wants every CPU. */
static unsigned int save_count_workers(const struct save_options *o)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!o->zstd_level)
		return 0;
	return o->threads ? o->threads : (unsigned int)MIN(MAX(cpus, 1), SAVE_THREADS_MAX);
}

static int save_make_encoders(struct save *s, unsigned int n, struct err *err)
{
	for (unsigned int i = 0; i < n; i++) {
		int r = image_frame_encoder_new(image_writer_encoding(s->writer), &s->encoders[i],
						err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* The receiver learns now whether this is a move or a copy: it must not start a copy. */
static int save_make_manifest(const struct save *s, struct image_manifest *ret, struct err *err)
{
	int r;

	r = compat_manifest(s->options->dev, ret, err);
	if (r < 0)
		return r;
	ret->source = source_runs_on(&s->source) ? IMAGE_SOURCE_RUNS_ON : IMAGE_SOURCE_STOPS;
	ret->devices[0].digests = s->options->sha256 ? IMAGE_HAS_SHA256 : 0;
	r = image_labels_copy(&ret->labels, &s->options->labels, err);
	if (r < 0)
		image_manifest_done(ret);
	return r;
}

static int save_begin_image(struct save *s, struct err *err)
{
	const struct image_writer_options opts = { .zstd_level = s->options->zstd_level };
	struct pump_stages *stages = &s->source.stages;
	struct image_manifest m;
	int r;

	r = save_make_manifest(s, &m, err);
	if (r < 0)
		return r;
	r = image_writer_new(&m, &opts, save_put, s, &s->writer, err);
	image_manifest_done(&m);
	if (r < 0)
		return r;
	s->result->info = *image_writer_info(s->writer);
	if (s->link == HANDOVER_ANSWERED) {
		stages->idle = save_keep_alive;
		stages->idle_ms = KEEPALIVE_MS;
	}
	stages->work = save_encode;
	stages->workers = save_count_workers(s->options);
	return save_make_encoders(s, MAX(stages->workers, 1u), err);
}

static int save_end_image(struct save *s, struct err *err)
{
	int r;

	if (s->options->sha256) {
		r = image_writer_sha256(s->writer, 0, s->result->sum, err);
		if (r < 0)
			return r;
	}
	r = image_writer_device_end(s->writer, 0, err);
	if (r < 0)
		return r;
	save_event(s, HANDOVER_ON_END);
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
	if (s->options->raw) {
		save_event(s, HANDOVER_ON_END);
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
	return output_publish(s->out, err);
}

static int save_finish(struct save *s, struct err *err)
{
	int r = save_send_and_publish(s, err);

	s->result->published = r >= 0;
	if (r < 0)
		save_failed(s);
	else
		save_event(s,
			   s->link == HANDOVER_ANSWERED ? HANDOVER_ON_ACCEPT : HANDOVER_ON_TAKEN);
	return r;
}

int save_check_room(const struct save_options *o, struct save_room *ret, struct err *err)
{
	char expected[UNITS_MAX], free[UNITS_MAX];

	*ret = (struct save_room){ 0 };
	ret->expected_known = o->dev->mig && mig_data_size(o->dev->mig, &ret->expected, NULL) >= 0;
	ret->free_known = output_room(&o->uri, &ret->free);
	if (!ret->expected_known || !ret->free_known || o->zstd_level || ret->expected <= ret->free)
		return 0;
	err_fail(err, ERR_OUTPUT, -ENOSPC, "%s: %s free, and the driver of %s expects %s",
		 o->uri.text, format_bytes(free, ret->free), device_name(o->dev),
		 format_bytes(expected, ret->expected));
	return err_hint(err, -ENOSPC, "make room, or try --compress=zstd");
}

static int save_open_device(struct save *s, struct err *err)
{
	struct device *dev = s->options->dev;
	struct save_room room;
	int r;

	if (!dev->mig) {
		r = device_open(dev, s->options->device, err);
		if (r < 0)
			return r;
	}
	r = mig_query(dev->mig, err);
	if (r < 0)
		return r;
	r = save_check_room(s->options, &room, err);
	if (r < 0)
		return r;
	if (device_reset_by_open(dev))
		log_warn("%s: opening it has reset it: this saves a blank device (a live one is "
			 "saved by the fd that its user holds: fd:N)",
			 device_name(dev));
	s->result->started = true;
	return source_settle(&s->source, err);
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
	const char *name = device_name(s->options->dev);

	if (s->result->verdict.status != HANDOVER_IN_DOUBT)
		return;
	err_note(err, err->code, "%s stays stopped, since the other end may run its state", name);
	err_hint(err, err->code, "if it does not: vfiomigctl state %s running", name);
}

/* It has its state, and is stopped because it was to be, or because the way back was refused. */
static bool save_can_go_back(const struct save *s)
{
	enum mig_fate fate = s->source.result.fate;

	return fate == MIG_FATE_HOLDS || (fate == MIG_FATE_BACK && !source_runs_on(&s->source));
}

static int save_take_and_hand_over(struct save *s, struct err *err)
{
	struct source_result *source = &s->source.result;
	struct err late = { 0 };
	int r, finished;

	r = source_run(&s->source, err);
	if (!source->complete) {
		save_failed(s);
		return r;
	}
	if (s->options->sha256)
		image_sha256_end(s->hash, s->result->sum);
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
	int r;

	r = save_open_output(s, err);
	if (r < 0)
		return r;
	if (s->options->sha256) {
		r = image_sha256_new(&s->hash, err);
		if (r < 0)
			return r;
	}
	r = save_open_device(s, err);
	if (r < 0)
		return r;
	if (!s->options->raw) {
		r = save_begin_image(s, err);
		if (r < 0)
			return r;
	}
	return save_take_and_hand_over(s, err);
}

/* The error's kind becomes the verdict's. */
static void save_judge(struct save *s, int r, struct err *err)
{
	struct handover_verdict *verdict = &s->result->verdict;

	if (r < 0)
		save_failed(s);
	*verdict = handover_sender_verdict(s->link, s->sent, source_runs_on(&s->source),
					   s->source.result.fate);
	if (verdict->status == HANDOVER_IN_DOUBT)
		err->kind = ERR_IN_DOUBT;
	else if (verdict->status == HANDOVER_DEVICE)
		err->kind = ERR_DEVICE;
	save_tell_doubt(s, err);
}

int save_run(const struct save_options *options, struct cancel *cancel, struct transfer *transfer,
	     struct save_result *ret, struct err *err)
{
	struct save s = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.limiter = { .rate = options->bandwidth },
		.source = {
			.dev = options->dev,
			.precopy = options->precopy,
			.retry = { .budget_ns = options->retry_ns },
			.leave_stopped = options->leave_stopped,
			.stages = {
				.sink = options->raw ? save_raw_sink : save_image_sink,
				.observer = options->sha256 ? save_observer : NULL,
				.ctx = &s,
			},
			.on_drained = save_on_drained,
			.cancel = cancel,
			.transfer = transfer,
		},
	};
	int r;

	*ret = (struct save_result){ 0 };
	r = save_work(&s, err);
	save_judge(&s, r, err);
	ret->source = s.source.result;
	ret->retries = s.source.retry.retries;
	for (unsigned int i = 0; i < SAVE_THREADS_MAX; i++)
		image_frame_encoder_free(s.encoders[i]);
	image_sha256_free(s.hash);
	image_writer_free(s.writer);
	output_free(s.out);
	return r;
}
