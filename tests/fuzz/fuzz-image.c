// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * The image parser against whatever libFuzzer thinks of
 *
 * Checksums keep a fuzzer out as they keep damage out, so that a mutated image is signed again,
 * most times, before it is tried: what is behind the checksums is what is worth the search.
 * The first byte of an input is how the image arrives, the image is the rest.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "image/parser.h"
#include "image-fixture.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the parser promises to a sink, checked from the sink's side. */
struct promises {
	uint32_t n_devices;
	uint64_t bytes[IMAGE_DEVICES_MAX];
	bool ended[IMAGE_DEVICES_MAX];
	uint32_t n_ended;
	uint64_t at;
};

static int on_begin(void *ctx, const struct image_info *info, const struct image_manifest *m,
		    struct err *err)
{
	struct promises *p = ctx;

	(void)err;
	assert(info->major == IMAGE_MAJOR && !p->n_devices);
	assert(m->n_devices && m->n_devices <= IMAGE_DEVICES_MAX);
	p->n_devices = m->n_devices;
	return 0;
}

static int on_data(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	static uint8_t seen[IMAGE_DATA_MAX];
	struct promises *p = ctx;

	(void)err;
	assert(device < p->n_devices && !p->ended[device]);
	assert(len && len <= IMAGE_DATA_MAX);
	memcpy(seen, buf, len); /* each byte is read, with the sanitizers watching */
	p->bytes[device] += len;
	return 0;
}

static int on_device_end(void *ctx, uint32_t device, const struct image_totals *totals,
			 struct err *err)
{
	struct promises *p = ctx;

	(void)err;
	assert(device < p->n_devices && !p->ended[device]);
	assert(totals->bytes == p->bytes[device]);
	p->ended[device] = true;
	p->n_ended++;
	return 0;
}

static int on_section(void *ctx, const struct image_section_info *section, struct err *err)
{
	struct promises *p = ctx;

	(void)err;
	assert(section->at > p->at && section->at % IMAGE_PAGE == 0);
	p->at = section->at;
	return 0;
}

static const struct image_sink sink = {
	.sum = true,
	.begin = on_begin,
	.data = on_data,
	.device_end = on_device_end,
	.section = on_section,
};

/* @beyond: more was asked for than there was, before it was known to be all */
static int parse(struct image_parser *p, const uint8_t *image, size_t len, size_t chunk,
		 bool *beyond, struct err *err)
{
	size_t room, n;
	void *buf;
	int r = IMAGE_MORE;

	for (size_t at = 0; r >= 0 && at < len; at += n) {
		r = image_parser_buffer(p, &buf, &room, err);
		if (r < 0)
			return r;
		assert(room && room <= IMAGE_DATA_MAX + 2 * IMAGE_PAGE);
		*beyond |= room > len - at;
		n = MIN(MIN(room, chunk), len - at);
		memcpy(buf, image + at, n);
		r = image_parser_filled(p, n, err);
	}
	return r < 0 ? r : image_parser_eof(p, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t chunks[] = { SIZE_MAX, 4096, 4097, 1000 };
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct promises promises = { 0 };
	struct err err = { 0 };
	bool beyond = false;
	int r;

	if (!size)
		return 0;
	if (image_parser_new(&sink, &promises, &p, NULL) < 0)
		abort();
	r = parse(p, data + 1, size - 1, chunks[data[0] % ARRAY_SIZE(chunks)], &beyond, &err);
	assert(!r || (r == -EBADMSG && err.code == r && err.kind == ERR_IMAGE && *err.text));
	assert(r || (promises.n_devices && promises.n_ended == promises.n_devices));
	assert(r || !beyond);
	return 0;
}

/* A bit of one section, where the fields and payloads are; the padding has no secrets. */
static void mutate_section(uint8_t *image, size_t len, unsigned int seed)
{
	size_t at[64], n = forge_sections(image, len, at, ARRAY_SIZE(at));
	size_t where;

	if (!n)
		return;
	where = at[seed % n] + (seed >> 8) % 128;
	if (where < len)
		image[where] ^= (uint8_t)(1 << (seed >> 16) % 8);
}

/* The payload of one section, the manifest's JSON for one, as libFuzzer likes. */
static void mutate_payload(uint8_t *image, size_t len, unsigned int seed)
{
	size_t at[64], n = forge_sections(image, len, at, ARRAY_SIZE(at));
	uint8_t *s;
	size_t size;

	if (!n)
		return;
	s = image + at[seed % 2 ? 0 : (seed >> 1) % n];
	size = get32(s + AT_SIZE);
	if (size)
		put32(s + AT_SIZE, (uint32_t)LLVMFuzzerMutate(s + AT_PAYLOAD, size, size));
	if (get32(s + AT_FLAGS) == IMAGE_MANDATORY)
		put32(s + AT_RAW_SIZE, get32(s + AT_SIZE));
	memset(s + AT_PAYLOAD + get32(s + AT_SIZE), 0, size - get32(s + AT_SIZE));
}

/* Double or drop a whole section. Return: the new length. */
static size_t mutate_order(uint8_t *image, size_t len, size_t max, unsigned int seed)
{
	size_t at[64], n = forge_sections(image, len, at, ARRAY_SIZE(at));
	size_t from, size;

	if (!n)
		return len;
	from = at[seed % n];
	size = forge_length(image, from);
	if ((seed >> 8) % 2 && len + size <= max) {
		memmove(image + from + size, image + from, len - from);
		return len + size;
	}
	memmove(image + from, image + from + size, len - from - size);
	return len - size;
}

/* A good image, so that no corpus is needed to begin with. Return: its length. */
static size_t make_image(uint8_t *image, size_t max, unsigned int seed)
{
	struct image_spec spec = {
		.n_devices = 1 + seed % FIXTURE_DEVICES,
		.frame = 2000 + seed % 9000,
		.zstd_level = (int)(seed % 3) * 2,
		.random = seed % 5 == 0,
		.sha256 = seed % 7 == 0,
	};
	struct bytes made;
	size_t len;

	for (uint32_t d = 0; d < spec.n_devices; d++)
		spec.sizes[d] = (seed >> 4 * d) % 20000;
	made = image_make(&spec);
	len = MIN(made.len, max);
	memcpy(image, made.p, len);
	bytes_done(&made);
	return len;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	if (size < IMAGE_PAGE) {
		data[0] = (uint8_t)seed;
		return 1 + make_image(data + 1, max - 1, seed);
	}
	switch (seed % 8) {
	case 0:
		size = LLVMFuzzerMutate(data, size, max);
		break;
	case 1:
		size = 1 + mutate_order(data + 1, size - 1, max - 1, seed >> 3);
		break;
	case 2:
	case 3:
		mutate_section(data + 1, size - 1, seed >> 3);
		break;
	default:
		mutate_payload(data + 1, size - 1, seed >> 3);
	}
	if (size > 1 && seed >> 28)
		forge_sign(data + 1, size - 1);
	return size;
}
