// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "image/format.h"
#include "image/window.h"

/* Small, so that a small image costs little; the first full frame makes it fit frames. */
#define WINDOW_ROOM_MIN (16 * IMAGE_PAGE)

static int grow(struct window *w, size_t room, struct err *err)
{
	size_t len = window_len(w);
	uint8_t *buf;

	buf = aligned_alloc(IMAGE_PAGE, room);
	if (!buf)
		return err_set(err, -ENOMEM, "image section of %zu bytes", room);
	if (len)
		memcpy(buf, window_bytes(w), len);
	free(w->buf);
	*w = (struct window){ .buf = buf, .room = room, .end = len };
	return 0;
}

int window_space(struct window *w, size_t need, uint8_t **ret, size_t *ret_len, struct err *err)
{
	size_t len = window_len(w);
	int r;

	assert(len < need);
	if (need > w->room) {
		r = grow(w, MAX(need, WINDOW_ROOM_MIN), err);
		if (r < 0)
			return r;
	} else if (w->start + need > w->room) {
		memmove(w->buf, window_bytes(w), len);
		w->start = 0;
		w->end = len;
	}
	*ret = w->buf + w->end;
	*ret_len = len ? need - len : w->room - w->end;
	return 0;
}

void window_fill(struct window *w, size_t len)
{
	assert(len <= w->room - w->end);
	w->end += len;
}

void window_take(struct window *w, size_t len)
{
	assert(len <= window_len(w));
	w->start += len;
	if (w->start == w->end)
		w->start = w->end = 0;
}

void window_done(struct window *w)
{
	free(w->buf);
	*w = (struct window){ 0 };
}
