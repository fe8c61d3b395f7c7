// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "device/vfu-window.h"

void vfu_window_init(struct vfu_window *w, unsigned int depth)
{
	assert(depth && depth <= VFU_WINDOW_MAX);
	*w = (struct vfu_window){ .depth = depth, .width = depth };
}

bool vfu_window_may_send(const struct vfu_window *w)
{
	return !w->draining && w->n < w->width;
}

struct vfu_request *vfu_window_push(struct vfu_window *w, bool final)
{
	struct vfu_request *q = &w->q[w->n++];

	*q = (struct vfu_request){ .final = final, .alone = w->width == 1, .buf = q->buf };
	return q;
}

struct vfu_request *vfu_window_find(struct vfu_window *w, uint16_t id)
{
	for (unsigned int i = 0; i < w->n; i++)
		if (w->q[i].id == id && !w->q[i].answered)
			return &w->q[i];
	return NULL;
}

void vfu_window_answer(struct vfu_window *w, struct vfu_request *q, int code, uint32_t len,
		       bool full)
{
	q->answered = true;
	q->code = code;
	q->len = len;
	if (code || !full)
		w->draining = true;
	else if (q->alone)
		w->width = w->depth;
}

void vfu_window_pop(struct vfu_window *w)
{
	struct vfu_request first = w->q[0];

	memmove(w->q, w->q + 1, (VFU_WINDOW_MAX - 1) * sizeof(*w->q));
	w->q[VFU_WINDOW_MAX - 1] = first;
	w->n--;
	if (!w->n && w->draining) {
		w->draining = false;
		w->width = 1;
	}
}

void vfu_window_go_singly(struct vfu_window *w)
{
	w->depth = 1;
}

/* What servers say to a request that they would have served by itself. */
static bool vfu_window_refused(const struct vfu_request *q)
{
	return q->code == -EBUSY || q->code == -EAGAIN || q->code == -EINVAL || q->code == -ENOMEM;
}

/*
 * The first one was refused, as it seems for not being the only one. If so, all behind it were
 * refused as well; one that was served was so after data that may be lost.
 */
static enum vfu_verdict vfu_window_refusal(const struct vfu_window *w)
{
	for (unsigned int i = 1; i < w->n; i++) {
		if (!w->q[i].answered)
			return VFU_WAIT;
		if (!w->q[i].code)
			return VFU_HOLE;
		if (!vfu_window_refused(&w->q[i]))
			return VFU_FAIL;
	}
	return VFU_SINGLY;
}

enum vfu_verdict vfu_window_read_verdict(const struct vfu_window *w)
{
	const struct vfu_request *q = &w->q[0];

	if (!w->n || !q->answered)
		return VFU_WAIT;
	if (!q->code && q->len)
		return VFU_TAKE;
	if (!q->final && (!q->code || q->code == -ENOMSG))
		return VFU_PASS;
	if (!q->code)
		return VFU_END;
	if (q->alone || !vfu_window_refused(q))
		return VFU_FAIL;
	/* By definition nothing was taken for it: what is behind it is the stream's next part. */
	return q->code == -EBUSY ? VFU_SINGLY : vfu_window_refusal(w);
}

enum vfu_verdict vfu_window_write_verdict(const struct vfu_window *w)
{
	const struct vfu_request *q = &w->q[0];

	if (!w->n || !q->answered)
		return VFU_WAIT;
	if (!q->code)
		return VFU_TAKE;
	/* Even EBUSY leaves a hole here: what was taken behind it is in the wrong place. */
	return q->alone || !vfu_window_refused(q) ? VFU_FAIL : vfu_window_refusal(w);
}
