// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "image-fixture.h"

static const uint8_t fixture_id[16] = "an id, 16 bytes";

int written_write(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct written *w = ctx;

	if (++w->calls == w->fail_at)
		return err_set(err, -ENOSPC, "the disk");
	assert_int_equal(len % IMAGE_PAGE, 0);
	assert_int_equal((uintptr_t)buf % IMAGE_PAGE, 0);
	bytes_add(&w->image, buf, len);
	return 0;
}

void fixture_manifest(struct image_manifest *m, struct image_device *devices, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		devices[i] = (struct image_device){
			.address = (char *)"0000:3b:00.1",
			.protocol = (char *)"v2",
		};
	*m = (struct image_manifest){ .devices = devices, .n_devices = n };
}

int frame_put(struct image_writer *w, struct image_place *at, struct image_frame *frame, size_t len,
	      struct err *err)
{
	_cleanup_(image_frame_encoder_freep) struct image_frame_encoder *encoder = NULL;
	int r;

	assert_int_equal(image_frame_encoder_new(image_writer_encoding(w), &encoder, NULL), 0);
	assert_int_equal(image_frame_encode(encoder, frame, len, at, NULL), 0);
	r = image_writer_put(w, frame, err);
	if (r < 0)
		return r;
	at->sequence++;
	at->offset += len;
	return 0;
}

uint8_t stream_byte(const struct image_spec *spec, uint32_t device, size_t at)
{
	uint64_t x = at + 1;

	if (!spec->random)
		return (uint8_t)("abcd"[device] + at / 1000 % 7);
	x *= UINT64_C(0x9e3779b97f4a7c15) + device;
	x ^= x >> 29;
	x *= UINT64_C(0xbf58476d1ce4e5b9);
	return (uint8_t)(x >> 56);
}

static void write_frames(struct image_writer *w, const struct image_spec *spec)
{
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
	size_t max = spec->frame ? spec->frame : IMAGE_FRAME_PAYLOAD;
	struct image_place at[FIXTURE_DEVICES] = { 0 };
	bool more = true;

	assert_non_null(frame);
	while (more) {
		more = false;
		for (uint32_t d = 0; d < spec->n_devices; d++) {
			size_t done = at[d].offset, len = MIN(max, spec->sizes[d] - done);

			at[d].device = d;
			for (size_t i = 0; i < len; i++)
				frame->payload[i] = stream_byte(spec, d, done + i);
			if (len)
				assert_int_equal(frame_put(w, &at[d], frame, len, NULL), 0);
			more |= done + len < spec->sizes[d];
		}
	}
}

/* As a client of the writer sums: the whole stream at once. */
static void write_sum(struct image_writer *w, const struct image_spec *spec, uint32_t device)
{
	_cleanup_(image_sha256_freep) struct image_sha256 *sum = NULL;
	_cleanup_free_ uint8_t *stream = malloc(spec->sizes[device] + 1);
	uint8_t value[IMAGE_SHA256_SIZE];

	for (size_t i = 0; i < spec->sizes[device]; i++)
		stream[i] = stream_byte(spec, device, i);
	assert_int_equal(image_sha256_new(&sum, NULL), 0);
	image_sha256_add(sum, stream, spec->sizes[device]);
	image_sha256_end(sum, value);
	assert_int_equal(image_writer_sha256(w, device, value, NULL), 0);
}

struct bytes image_make(const struct image_spec *spec)
{
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	struct image_writer_options opts = {
		.zstd_level = spec->zstd_level,
		.created_ns = 1,
		.id = spec->id ? spec->id : fixture_id,
	};
	struct image_device devices[FIXTURE_DEVICES];
	struct image_manifest m;
	struct written out = { 0 };

	fixture_manifest(&m, devices, spec->n_devices);
	for (uint32_t d = 0; d < spec->n_devices; d++)
		devices[d].digests = spec->sha256 ? IMAGE_HAS_SHA256 : 0;
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	write_frames(w, spec);
	for (uint32_t d = 0; d < spec->n_devices; d++) {
		if (spec->sha256)
			write_sum(w, spec, d);
		assert_int_equal(image_writer_device_end(w, d, NULL), 0);
	}
	assert_int_equal(image_writer_end(w, NULL), 0);
	assert_int_equal(image_writer_size(w), out.image.len);
	return out.image;
}

static int count(struct heard *h, struct err *err)
{
	return ++h->calls == h->fail_at ? err_set(err, -EIO, "the device") : 0;
}

static int heard_begin(void *ctx, const struct image_info *info, const struct image_manifest *m,
		       struct err *err)
{
	struct heard *h = ctx;

	h->begins++;
	h->info = *info;
	h->n_devices = m->n_devices;
	return count(h, err);
}

static int heard_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	struct heard *h = ctx;

	assert_int_equal(h->begins, 1);
	if (h->keep)
		bytes_add(&h->streams[device], buf, len);
	return count(h, err);
}

static int heard_device_end(void *ctx, uint32_t device, const struct image_totals *totals,
			    struct err *err)
{
	struct heard *h = ctx;

	h->ends++;
	h->totals[device] = *totals;
	if (totals->sha256)
		h->totals[device].sha256 =
			memcpy(h->sha256[device], totals->sha256, IMAGE_SHA256_SIZE);
	return count(h, err);
}

static int heard_section(void *ctx, const struct image_section_info *section, struct err *err)
{
	struct heard *h = ctx;

	h->sections++;
	h->told_to = section->at + ALIGN_UP(FORGE_HEAD + section->size, FORGE_PAGE);
	return count(h, err);
}

const struct image_sink heard_sink = {
	.begin = heard_begin,
	.data = heard_data,
	.device_end = heard_device_end,
	.section = heard_section,
};

void heard_done(struct heard *h)
{
	for (size_t i = 0; i < FIXTURE_DEVICES; i++)
		bytes_done(&h->streams[i]);
}

int image_parse(const uint8_t *image, size_t len, size_t chunk, struct heard *h, struct err *err)
{
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct image_sink sink = heard_sink;
	bool beyond = false;
	size_t room, n;
	void *buf;
	int r;

	sink.sum = h->sum;
	assert_int_equal(image_parser_new(&sink, h, &p, err), 0);
	for (size_t at = 0; at < len; at += n) {
		assert_int_equal(image_parser_buffer(p, &buf, &room, err), 0);
		beyond |= room > len - at;
		n = MIN(room, len - at);
		if (chunk)
			n = MIN(n, chunk);
		memcpy(buf, image + at, n);
		r = image_parser_filled(p, n, err);
		if (r < 0)
			return r;
		assert_int_equal(r == IMAGE_COMPLETE, image_parser_eof(p, NULL) == 0);
	}
	r = image_parser_eof(p, err);
	if (r >= 0)
		assert_false(beyond);
	return r;
}

void assert_refused_at(const struct bytes *image, const char *text, const char *file, int line)
{
	struct heard h = { 0 };
	struct err err = { 0 };
	int r;

	r = image_parse(image->p, image->len, 0, &h, &err);
	if (r != -EBADMSG || err.kind != ERR_IMAGE || !strstr(err.text, text)) {
		print_error("got %d \"%s\", wanted \"%s\"\n", r, err.text, text);
		_fail(file, line);
	}
}

void assert_streams(const struct heard *h, const struct image_spec *spec)
{
	assert_int_equal(h->begins, 1);
	assert_int_equal(h->n_devices, spec->n_devices);
	assert_int_equal(h->ends, spec->n_devices);
	for (uint32_t d = 0; d < spec->n_devices; d++) {
		assert_int_equal(h->streams[d].len, spec->sizes[d]);
		assert_int_equal(h->totals[d].bytes, spec->sizes[d]);
		for (size_t i = 0; i < spec->sizes[d]; i++)
			if (h->streams[d].p[i] != stream_byte(spec, d, i))
				fail_msg("device %u differs at %zu", d, i);
	}
}
