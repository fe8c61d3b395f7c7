/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device's own stream, spoiled
 *
 * What a driver has to notice when it loads: a stream that was cut off, that goes on, that has a
 * wrong bit, or that is of something else. Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct subject_state;

enum bad_stream {
	BAD_STREAM_EMPTY,
	BAD_STREAM_SHORT, /* variants: half of it, all but the last byte, the first byte alone */
	BAD_STREAM_LONG, /* one byte more, 4096 more, all of it twice */
	BAD_STREAM_FLIPPED, /* a bit of the first byte, at 1/4, at 1/2, at 3/4, of the last byte */
	BAD_STREAM_FOREIGN, /* as long as it: zeroes, ones, random bytes */
};

/**
 * bad_stream_variants() - how many there are
 *
 * Where two variants of a short stream are the same stream (of 2 bytes), both are counted.
 */
unsigned int bad_stream_variants(enum bad_stream kind);

#define BAD_STREAM_TEXT_MAX 80

/**
 * bad_stream_make() - one variant
 * @good: at least 2 bytes long
 * @seed: of the random bytes
 * @ret: the caller frees @ret->data, also when it has no bytes. It differs from @good
 * @text: what was done: "bit 3 of byte 30 of 60"
 *
 * Return: 0, -ENOMEM.
 */
_must_check_ int bad_stream_make(const struct subject_state *good, enum bad_stream kind,
				 unsigned int variant, uint64_t seed, struct subject_state *ret,
				 char text[BAD_STREAM_TEXT_MAX]);
