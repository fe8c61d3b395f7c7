// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/format.h"
#include "image/input-buffer.h"

static int input_buffer_grow(struct input_buffer *w, size_t room, struct err *err)
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

int input_buffer_space(struct input_buffer *w, size_t want, uint8_t **ret, size_t *ret_len,
		       struct err *err)
{
	int r = !w->lent && want > w->room ? input_buffer_grow(w, want, err) : 0;

	assert(w->len < want);
	if (r < 0)
		return r;
	*ret = (w->lent ? w->lent : w->buf) + w->len;
	*ret_len = want - w->len;
	return 0;
}

void input_buffer_lend(struct input_buffer *w, uint8_t *lent)
{
	assert(!w->lent);
	memcpy(lent, w->buf, w->len);
	w->lent = lent;
}

void input_buffer_fill(struct input_buffer *w, size_t len)
{
	assert(w->lent || len <= w->room - w->len);
	w->len += len;
}

void input_buffer_take(struct input_buffer *w, size_t len)
{
	assert(len <= w->len);
	w->len -= len;
	if (!w->lent)
		memmove(w->buf, w->buf + len, w->len);
	assert(!w->lent || !w->len);
	w->lent = NULL;
}

void input_buffer_drop(struct input_buffer *w)
{
	w->len = 0;
	w->lent = NULL;
}

void input_buffer_done(struct input_buffer *w)
{
	free(w->buf);
	*w = (struct input_buffer){ 0 };
}
