// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/format.h"
#include "image/window.h"

static int grow(struct window *w, size_t room, struct err *err)
{
	uint8_t *buf;

	buf = aligned_alloc(IMAGE_PAGE, room);
	if (!buf)
		return err_set(err, -ENOMEM, "image section of %zu bytes", room);
	if (w->len)
		memcpy(buf, w->buf, w->len);
	free(w->buf);
	w->buf = buf;
	w->room = room;
	return 0;
}

int window_space(struct window *w, size_t want, uint8_t **ret, size_t *ret_len, struct err *err)
{
	int r = want > w->room ? grow(w, want, err) : 0;

	assert(w->len < want);
	if (r < 0)
		return r;
	*ret = w->buf + w->len;
	*ret_len = want - w->len;
	return 0;
}

void window_fill(struct window *w, size_t len)
{
	assert(len <= w->room - w->len);
	w->len += len;
}

void window_take(struct window *w, size_t len)
{
	assert(len <= w->len);
	w->len -= len;
	memmove(w->buf, w->buf + len, w->len);
}

void window_done(struct window *w)
{
	free(w->buf);
	*w = (struct window){ 0 };
}
