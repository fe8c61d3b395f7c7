/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The part of the image that is in memory
 *
 * Bytes are read in at the end and taken from the front, a whole section at a time. The rest, a
 * page at most, then moves to the start: every section starts there, on a page, and frames of one
 * size take one read each. A section may also lie in memory that is lent for it alone.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/**
 * struct input_buffer
 * @buf: on a page, @room bytes
 * @lent: what is used instead, or NULL
 * @len: bytes that are there
 */
struct input_buffer {
	uint8_t *buf;
	size_t room;
	uint8_t *lent;
	size_t len;
};

/** input_buffer_start() - what is in memory, from the front */
static inline const uint8_t *input_buffer_start(const struct input_buffer *w)
{
	return w->lent ? w->lent : w->buf;
}

/**
 * input_buffer_space() - where the next bytes go
 * @want: bytes wanted in total, those already there included; whole pages
 * @ret_len: bytes still to be read
 *
 * Return: 0 or -ENOMEM.
 */
_must_check_ int input_buffer_space(struct input_buffer *w, size_t want, uint8_t **ret,
				    size_t *ret_len, struct err *err);

/**
 * input_buffer_lend() - go on in @lent, until all that is there is taken
 * @lent: on a page, with room for all that is wanted until then; the lender's again afterwards
 */
void input_buffer_lend(struct input_buffer *w, uint8_t *lent);

void input_buffer_fill(struct input_buffer *w, size_t len);
void input_buffer_take(struct input_buffer *w, size_t len);

/** input_buffer_drop() - forget all that is there */
void input_buffer_drop(struct input_buffer *w);
void input_buffer_done(struct input_buffer *w);
