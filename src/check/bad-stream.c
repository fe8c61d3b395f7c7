// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "check/bad-stream.h"
#include "check/subject.h"

#define BAD_STREAM_MORE 4096u

static const unsigned int variants[] = {
	/* clang-format off */
	[BAD_STREAM_EMPTY] = 1,
	[BAD_STREAM_SHORT] = 3,
	[BAD_STREAM_LONG] = 3,
	[BAD_STREAM_FLIPPED] = 5,
	[BAD_STREAM_FOREIGN] = 3,
	/* clang-format on */
};

unsigned int bad_stream_variants(enum bad_stream kind)
{
	return variants[kind];
}

/* An xorshift, never 0. */
static uint64_t bad_stream_random(uint64_t *seed)
{
	*seed |= !*seed;
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

static size_t bad_stream_len(size_t good, enum bad_stream kind, unsigned int variant)
{
	switch (kind) {
	case BAD_STREAM_EMPTY:
		return 0;
	case BAD_STREAM_SHORT:
		return (const size_t[]){ good / 2, good - 1, 1 }[variant];
	case BAD_STREAM_LONG:
		return good + (const size_t[]){ 1, BAD_STREAM_MORE, good }[variant];
	default:
		return good;
	}
}

static void bad_stream_fill(uint8_t *data, size_t len, unsigned int variant, uint64_t seed)
{
	if (variant < 2) {
		memset(data, variant ? 0xff : 0, len);
		return;
	}
	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)bad_stream_random(&seed);
}

/* What follows a stream that is too long: zeroes, or its own bytes again. */
static void bad_stream_extend(uint8_t *data, size_t good, size_t len, unsigned int variant)
{
	for (size_t i = good; i < len; i++)
		data[i] = variant == 2 ? data[i - good] : 0;
}

static void bad_stream_spoil(const struct subject_state *good, enum bad_stream kind,
			     unsigned int variant, uint64_t seed, struct subject_state *bad,
			     char text[BAD_STREAM_TEXT_MAX])
{
	static const char *const foreign[] = { "zeroes", "bytes ff", "random bytes" };
	size_t at = MIN(good->len / 4 * variant, good->len - 1);
	unsigned int bit = (unsigned int)(bad_stream_random(&seed) >> 32) % 8;
	size_t max = BAD_STREAM_TEXT_MAX;

	if (variant == 4)
		at = good->len - 1;
	switch (kind) {
	case BAD_STREAM_EMPTY:
		snprintf(text, max, "no byte of %zu", good->len);
		break;
	case BAD_STREAM_SHORT:
		snprintf(text, max, "the first %zu of %zu bytes", bad->len, good->len);
		break;
	case BAD_STREAM_LONG:
		bad_stream_extend(bad->data, good->len, bad->len, variant);
		snprintf(text, max, "%zu bytes and %zu more", good->len, bad->len - good->len);
		break;
	case BAD_STREAM_FLIPPED:
		bad->data[at] ^= (uint8_t)(1u << bit);
		snprintf(text, max, "bit %u of byte %zu of %zu", bit, at, good->len);
		break;
	case BAD_STREAM_FOREIGN:
		bad_stream_fill(bad->data, bad->len, variant, seed);
		snprintf(text, max, "%zu %s", bad->len,
			 foreign[MIN(variant, ARRAY_SIZE(foreign) - 1)]);
		break;
	}
}

int bad_stream_make(const struct subject_state *good, enum bad_stream kind, unsigned int variant,
		    uint64_t seed, struct subject_state *ret, char text[BAD_STREAM_TEXT_MAX])
{
	size_t len = bad_stream_len(good->len, kind, variant);
	uint8_t *data = calloc(1, MAX(len, (size_t)1));

	if (!data)
		return -ENOMEM;
	if (len)
		memcpy(data, good->data, MIN(len, good->len));
	*ret = (struct subject_state){ .data = data, .len = len };
	bad_stream_spoil(good, kind, variant, seed, ret, text);
	/* A device whose state is all zeroes: its neighbour then. */
	if (kind == BAD_STREAM_FOREIGN && !memcmp(ret->data, good->data, len))
		ret->data[0] ^= 1;
	return 0;
}
