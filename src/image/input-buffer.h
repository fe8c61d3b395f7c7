/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The part of the image that is in memory
 *
 * Bytes come in at the end and are taken from the front, whole sections at a time. What is left
 * then, a page at most, moves to the start: so every section lies there, on a page, and frames of
 * one size take one read each.
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
 * @want: how many there are to be, with those that are there; more than these, whole pages
 * @ret_len: how many are to come
 *
 * Return: 0 or -ENOMEM.
 */
_must_check_ int input_buffer_space(struct input_buffer *w, size_t want, uint8_t **ret,
				    size_t *ret_len, struct err *err);

void input_buffer_fill(struct input_buffer *w, size_t len);
void input_buffer_take(struct input_buffer *w, size_t len);
void input_buffer_done(struct input_buffer *w);
