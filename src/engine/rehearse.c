// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "engine/rehearse.h"
#include "engine/save.h"
#include "engine/scan.h"
#include "image/sha256.h"
#include "transport/input.h"

/** struct rehearse_stream - what a stream comes to */
struct rehearse_stream {
	uint64_t bytes;
	uint8_t sum[IMAGE_SHA256_SIZE];
};

/**
 * struct rehearse - a rehearsal under way
 * @saved, @again: of each device here: the image's stream, and what the device gives back
 * @hashes: of the image's streams, while it is read
 * @map: as load_map() says
 */
struct rehearse {
	const struct load_options *options;
	struct rehearse_result *result;
	struct cancel *cancel;
	struct rehearse_stream *saved, *again;
	struct image_sha256 **hashes;
	uint32_t map[IMAGE_DEVICES_MAX];
};

/*
 * The image's streams
 */

static int rehearse_on_begin(void *ctx, const struct image_info *info,
			     const struct image_manifest *m, struct err *err)
{
	struct rehearse *r = ctx;

	int e = load_map(&r->options->map, m, r->map, err);

	(void)info;
	r->result->mismatch = e < 0;
	return e;
}

static int rehearse_on_data(void *ctx, uint32_t device, const void *buf, size_t len,
			    struct err *err)
{
	struct rehearse *r = ctx;
	uint32_t here = r->map[device];

	(void)err;
	if (here == LOAD_MAP_NONE)
		return 0;
	r->saved[here].bytes += len;
	image_sha256_add(r->hashes[here], buf, len);
	return 0;
}

static const struct image_sink rehearse_sink = {
	.begin = rehearse_on_begin,
	.data = rehearse_on_data,
};

static int rehearse_sum_image(struct rehearse *r, struct err *err)
{
	_cleanup_(input_freep) struct input *in = NULL;
	int e;

	for (unsigned int i = 0; i < r->options->n; i++) {
		e = image_sha256_new(&r->hashes[i], err);
		if (e < 0)
			return e;
	}
	e = input_open(&r->options->uri, r->cancel, &in, err);
	if (e < 0)
		return e;
	if (!input_rewindable(in))
		return err_fail(
			err, ERR_USAGE, -ESPIPE,
			"%s: a rehearsal reads its image several times: it has to be a file",
			input_name(in));
	e = scan_image(in, &rehearse_sink, r, r->cancel, r->options->transfer, err);
	if (e < 0)
		return e;
	for (unsigned int i = 0; i < r->options->n; i++)
		image_sha256_end(r->hashes[i], r->saved[i].sum);
	return 0;
}

/*
 * The devices' streams
 */

/* To nowhere: only the sums are wanted. */
static int rehearse_save(struct rehearse *r, struct rehearse_stream *ret, struct err *err)
{
	const struct load_options *o = r->options;
	const struct save_options save = {
		.source.devs = o->devs,
		.source.n = o->n,
		.source.device = o->device,
		.uri = { .kind = URI_FILE, .text = "/dev/null", .path = "/dev/null" },
		.source.leave_stopped = true,
		.source.sha256 = true,
		.source.retry_ns = o->retry_ns,
		.source.events = o->events,
	};
	struct save_result result;
	int e;

	cancel_reopen(r->cancel);
	e = save_run(&save, r->cancel, &result, err);
	for (unsigned int i = 0; i < o->n && e >= 0; i++) {
		ret[i].bytes = result.source.devices[i].bytes;
		memcpy(ret[i].sum, result.source.sums[i], IMAGE_SHA256_SIZE);
	}
	save_result_done(&result);
	return e;
}

static bool rehearse_equal(const struct rehearse_stream *a, const struct rehearse_stream *b)
{
	return a->bytes == b->bytes && !memcmp(a->sum, b->sum, sizeof(a->sum));
}

/* What differs is held against a device only if it writes the same state twice alike. */
static int rehearse_compare(struct rehearse *r, struct err *err)
{
	_cleanup_free_ struct rehearse_stream *third = NULL;
	struct rehearse_device *devices = r->result->devices;
	bool differs = false;
	int e;

	for (unsigned int i = 0; i < r->options->n; i++) {
		if (r->saved[i].bytes != r->again[i].bytes)
			devices[i].same = REHEARSE_OTHER_LENGTH;
		else
			devices[i].same = rehearse_equal(&r->saved[i], &r->again[i])
						  ? REHEARSE_SAME
						  : REHEARSE_DIFFERS;
		differs |= devices[i].same == REHEARSE_DIFFERS;
	}
	if (!differs)
		return 0;
	third = calloc(r->options->n, sizeof(*third));
	if (!third)
		return err_set(err, -ENOMEM, "calloc");
	e = rehearse_save(r, third, err);
	for (unsigned int i = 0; i < r->options->n && e >= 0; i++)
		if (devices[i].same == REHEARSE_DIFFERS && !rehearse_equal(&r->again[i], &third[i]))
			devices[i].same = REHEARSE_VARIES;
	return e;
}

static int rehearse_judge(const struct rehearse *r, struct err *err)
{
	for (unsigned int i = 0; i < r->options->n; i++)
		if (r->result->devices[i].same == REHEARSE_DIFFERS)
			return err_fail(err, ERR_NONCONFORMING, -EBADMSG,
					"%s: gives back another stream than was loaded",
					device_name(r->options->devs[i]));
	return 0;
}

/*
 * The end
 */

/* The spare devices must not keep a state that another device runs. Return: @e, or what failed. */
static int rehearse_reset(struct rehearse *r, int e, struct err *err)
{
	for (unsigned int i = 0; i < r->options->n; i++) {
		struct rehearse_device *device = &r->result->devices[i];
		struct mig_dev *mig = r->options->devs[i]->mig;
		struct err why = { 0 };
		int reset;

		if (!mig)
			continue;
		reset = device->accepted ? mig_reset(mig, &why) : 0;
		device->reset = device->accepted && reset >= 0;
		device->left = mig->state;
		device->left_known = mig->state_known;
		if (reset >= 0)
			continue;
		log_warn("%s: still has the state, stopped", mig->name);
		if (e >= 0) {
			*err = why;
			e = reset;
		}
	}
	return e;
}

static int rehearse_load(struct rehearse *r, struct err *err)
{
	int e = load_run(r->options, r->cancel, &r->result->load, err);

	for (unsigned int i = 0; i < r->options->n && r->result->load.loads; i++)
		r->result->devices[i].accepted = e >= 0 && r->result->load.loads[i].accepted;
	return e;
}

static int rehearse_give_back(struct rehearse *r, struct err *err)
{
	int e;

	e = rehearse_save(r, r->again, err);
	if (e < 0)
		return e;
	e = rehearse_compare(r, err);
	return e < 0 ? e : rehearse_judge(r, err);
}

static int rehearse_all(struct rehearse *r, struct err *err)
{
	int e;

	e = rehearse_sum_image(r, err);
	if (e < 0)
		return e;
	e = rehearse_load(r, err);
	if (e < 0)
		return e;
	return rehearse_reset(r, rehearse_give_back(r, err), err);
}

void rehearse_result_done(struct rehearse_result *result)
{
	load_result_done(&result->load);
	free(result->devices);
}

int rehearse_run(const struct load_options *options, struct cancel *cancel,
		 struct rehearse_result *ret, struct err *err)
{
	struct rehearse r = {
		.options = options,
		.result = ret,
		.cancel = cancel,
		.saved = calloc(options->n, sizeof(*r.saved)),
		.again = calloc(options->n, sizeof(*r.again)),
		.hashes = calloc(options->n, sizeof(*r.hashes)),
	};
	int e;

	*ret = (struct rehearse_result){ .devices = calloc(options->n, sizeof(*ret->devices)) };
	if (r.saved && r.again && r.hashes && ret->devices)
		e = rehearse_all(&r, err);
	else
		e = err_set(err, -ENOMEM, "calloc");
	for (unsigned int i = 0; r.hashes && i < options->n; i++)
		image_sha256_free(r.hashes[i]);
	free(r.saved);
	free(r.again);
	free(r.hashes);
	return e;
}
