// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "engine/ack.h"
#include "engine/compat.h"
#include "engine/save.h"

/* Well below what anybody takes for --timeout, and a page at a time. */
#define KEEPALIVE_MS 250

/* Where the bytes go; a receiver that takes no more may have said why. */
static int save_put(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct save *s = ctx;
	/* Its last words, which nothing stops any more, are few. */
	uint64_t rate = atomic_load(&s->cancel.closed) ? 0 : s->limiter.rate;

	for (size_t done = 0, n; done < len; done += n) {
		int r;

		/* In pieces that leave no receiver without a sign of life for long. */
		n = rate ? MIN(len - done, (size_t)MAX(rate / 10, IMAGE_PAGE)) : len;
		r = rate ? limiter_wait(&s->limiter, n, &s->cancel, err) : 0;
		if (r < 0)
			return r;
		r = output_write(s->out, (const char *)buf + done, n, err);
		if (r < 0)
			return s->raw ? r : ack_explain(s->out, r, err);
	}
	return 0;
}

static int save_raw_sink(void *ctx, struct image_frame *frame, size_t len, struct err *err)
{
	struct save *s = ctx;

	s->written += len;
	return save_put(s, frame->payload, len, err);
}

static int save_seal(void *ctx, unsigned int worker, const struct pipeline_item *item,
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

/* That the receiver has gone, or said no, may show as a wish to stop when nobody waits for it. */
static int save_check_cancel(struct save *s, struct err *err)
{
	int r = cancel_check(&s->cancel, err);

	if (r == -ECANCELED && s->gone.code) {
		*err = s->gone;
		r = err->code;
	}
	return r;
}

/* A checksum alone is done fastest where the frame was filled; compression wants every CPU. */
static unsigned int save_count_workers(const struct save *s)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	if (!s->zstd_level)
		return 0;
	return s->threads ? s->threads : (unsigned int)MIN(MAX(cpus, 1), SAVE_THREADS_MAX);
}

static int save_make_encoders(struct save *s, unsigned int n, struct err *err)
{
	int r = 0;

	for (unsigned int i = 0; r >= 0 && i < n; i++)
		r = image_frame_encoder_new(image_writer_encoding(s->writer), &s->encoders[i], err);
	return r;
}

static int save_begin_image(struct save *s, struct err *err)
{
	const struct image_writer_options opts = { .zstd_level = s->zstd_level };
	struct image_manifest m;
	int r;

	r = compat_manifest(s->dev, &m, err);
	if (r < 0)
		return r;
	m.devices[0].digests = s->sha256 ? IMAGE_HAS_SHA256 : 0;
	r = image_writer_new(&m, &opts, save_put, s, &s->writer, err);
	image_manifest_done(&m);
	if (r < 0)
		return r;
	s->info = *image_writer_info(s->writer);
	if (output_answers(s->out)) {
		s->source.stages.idle = save_keep_alive;
		s->source.stages.idle_ms = KEEPALIVE_MS;
	}
	s->source.stages.work = save_seal;
	s->source.stages.workers = save_count_workers(s);
	return save_make_encoders(s, MAX(s->source.stages.workers, 1u), err);
}

static int save_end_image(struct save *s, struct err *err)
{
	int r;

	r = s->sha256 ? image_writer_sha256(s->writer, 0, s->sum, err) : 0;
	if (r >= 0)
		r = image_writer_device_end(s->writer, 0, err);
	if (r >= 0)
		r = image_writer_end(s->writer, err);
	if (r >= 0)
		image_writer_receipt(s->writer, &s->receipt);
	s->written = image_writer_size(s->writer);
	return r;
}

static int save_await_receipt(struct save *s, struct err *err)
{
	return ack_await(s->out, &s->receipt, err);
}

/* A receipt that refuses, a connection closed without one, a command that failed. */
static bool save_declined(int r)
{
	return r == -EREMOTEIO || r == -ENODATA || r == -EIO;
}

/*
 * The point of no return is the file's name; but somebody else, a receiver or a command, may act on
 * the image as soon as it has its end. Until then a wish to stop is heard. After it, what fails
 * leaves open who goes on with the state, unless it is the other's refusal.
 */
static int save_finish(struct save *s, struct err *err)
{
	bool answers = !s->raw && output_answers(s->out);
	bool acts = s->uri.kind & (URI_SOCKET | URI_EXEC);
	int r;

	r = save_check_cancel(s, err);
	if (r < 0)
		return r;
	s->unsettled = acts;
	/* The answer is waited for no longer than --timeout. */
	if (answers)
		cancel_close(&s->cancel);
	if (!s->raw)
		r = save_end_image(s, err);
	if (r >= 0 && acts)
		log_info("%s: all is sent, waiting for its end", output_name(s->out));
	if (r >= 0)
		r = answers ? save_await_receipt(s, err) : output_finish(s->out, err);
	if (r >= 0 && !acts)
		r = cancel_check(&s->cancel, err);
	s->unsettled = acts && r < 0 && !save_declined(r);
	if (r < 0)
		return r;
	cancel_close(&s->cancel);
	r = output_publish(s->out, err);
	s->published = r >= 0;
	return r;
}

static int save_open_device(struct save *s, struct err *err)
{
	int r;

	r = s->dev->mig ? 0 : device_open(s->dev, s->options, err);
	if (r >= 0)
		r = mig_query(s->dev->mig, err);
	if (r < 0)
		return r;
	if (device_reset_by_open(s->dev))
		log_warn("%s: opening it has reset it: this saves a blank device (a live one is "
			 "saved by the fd that its user holds: fd:N)",
			 device_name(s->dev));
	return 0;
}

/* To have it run again could make two of it. */
static void save_leave_in_doubt(const struct save *s, struct err *err)
{
	const char *name = device_name(s->dev);

	err->kind = ERR_IN_DOUBT;
	err_hint(err, err->code,
		 "%s stays stopped, since the other end may run its state; if it does not: "
		 "vfiomigctl state %s running",
		 name, name);
}

/* What is wrong with the device has been said; this is what makes it bearable. */
static void save_tell_of_copy(const struct save *s, struct err *err)
{
	char hint[sizeof(err->hint)];

	memcpy(hint, err->hint, sizeof(hint));
	err_hint(err, err->code, "%s%s%s is complete and has the state", hint, *hint ? "; " : "",
		 output_name(s->out));
}

static int save_drain_and_finish(struct save *s, struct err *err)
{
	struct err late = { 0 };
	int r, finished;

	s->started = true;
	s->source.dev = s->dev;
	s->source.stages.sink = s->raw ? save_raw_sink : save_image_sink;
	s->source.stages.observer = s->sha256 ? save_observer : NULL;
	s->source.stages.ctx = s;
	s->source.cancel = &s->cancel;
	r = source_run(&s->source, err);
	if (!s->source.complete)
		return r;
	if (s->sha256)
		image_sha256_end(s->hash, s->sum);
	/* Then the image may be the only copy of the state, whatever was wished before. */
	if (r < 0 && !(s->uri.kind & URI_EXEC))
		cancel_close(&s->cancel);
	finished = save_finish(s, &late);
	if (r < 0 && finished < 0)
		log_warn("%s (%s): no image either", late.text, err_name(finished));
	else if (r < 0)
		save_tell_of_copy(s, err);
	if (r < 0 || finished >= 0)
		return r;
	*err = late;
	if (s->source.left == s->source.found)
		s->unsettled = false; /* it runs on, as it was asked to */
	else if (s->unsettled)
		save_leave_in_doubt(s, err);
	else
		source_abort(&s->source, err);
	return finished;
}

int save_run(void *save, struct err *err)
{
	struct save *s = save;
	int r;

	if (s->uri.kind & URI_SOCKET)
		r = output_connect(&s->uri, &s->peer, &s->cancel, &s->out, err);
	else
		r = output_open(&s->uri, s->force, &s->cancel, &s->out, err);
	if (r >= 0 && s->sha256)
		r = image_sha256_new(&s->hash, err);
	if (r >= 0)
		r = save_open_device(s, err);
	if (r >= 0 && !s->raw)
		r = save_begin_image(s, err);
	if (r >= 0)
		r = save_drain_and_finish(s, err);
	for (unsigned int i = 0; i < SAVE_THREADS_MAX; i++)
		s->encoders[i] = image_frame_encoder_free(s->encoders[i]);
	s->hash = image_sha256_free(s->hash);
	s->writer = image_writer_free(s->writer);
	s->out = output_free(s->out);
	return r;
}
