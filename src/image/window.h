/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The part of the image that is in memory
 *
 * Bytes come in at the end and are taken from the front, whole sections at a time. As long as
 * no more is asked for than the section in hand still lacks, every section comes to lie at the
 * start of the buffer and nothing is ever moved: with frames of 1 MiB, one read each.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct window {
	uint8_t *buf; /* on a page */
	size_t room, start, end;
};

static inline const uint8_t *window_bytes(const struct window *w)
{
	return w->buf + w->start;
}

static inline size_t window_len(const struct window *w)
{
	return w->end - w->start;
}

/**
 * window_space() - where the next bytes go
 * @need: how many the section in hand has in all, as far as is known; a multiple of a page
 * @ret_len: what it still lacks; all there is room for between two sections
 *
 * Return: 0 or -ENOMEM.
 */
_must_check_ int window_space(struct window *w, size_t need, uint8_t **ret, size_t *ret_len,
			      struct err *err);

void window_fill(struct window *w, size_t len);
void window_take(struct window *w, size_t len);
void window_done(struct window *w);
