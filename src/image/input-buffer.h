/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The part of the image that is in memory
 *
 * Bytes are read in at the end and taken from the front, a whole section at a time. The rest, a
 * page at most, then moves to the start: every section starts there, on a page, and frames of one
 * size take one read each.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct input_buffer {
	uint8_t *buf; /* on a page */
	size_t room, len;
};

/**
 * input_buffer_space() - where the next bytes go
 * @want: bytes wanted in total, those already there included; whole pages
 * @ret_len: bytes still to be read
 *
 * Return: 0 or -ENOMEM.
 */
_must_check_ int input_buffer_space(struct input_buffer *w, size_t want, uint8_t **ret,
				    size_t *ret_len, struct err *err);

void input_buffer_fill(struct input_buffer *w, size_t len);
void input_buffer_take(struct input_buffer *w, size_t len);
void input_buffer_done(struct input_buffer *w);
