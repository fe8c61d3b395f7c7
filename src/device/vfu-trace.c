// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "device/call-fields.h"
#include "device/vfu-trace.h"

/* The fixed parts of all messages are shorter. */
#define HEAD_MAX 64u

static void vfu_trace_add_header(struct trace_record *r, const struct vfu_header *h)
{
	const char *type = vfu_is_reply(h) ? "reply" : "command";
	const struct trace_field fields[] = {
		{ .name = "type", .how = TRACE_WORD, .word = type },
		{ .name = "id", .n = h->id },
		{ .name = "size", .n = h->size },
	};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		trace_add(r, &fields[i]);
}

/* The structure that a payload begins with, in one piece. */
static void vfu_trace_add_parts(struct trace_record *r, const struct vfu_header *h,
				const struct vfu_parts *parts)
{
	uint8_t head[HEAD_MAX];
	size_t len = MIN(parts->head_len, sizeof(head));
	size_t more = MIN(parts->data_len, sizeof(head) - len);

	if (len)
		memcpy(head, parts->head, len);
	if (more)
		memcpy(head + len, parts->data, more);
	call_fields_message(r, h, head, len + more, CALL_ASKED);
}

int vfu_trace_send(struct vfu_trace *t, struct vfu_channel *ch, const struct vfu_header *h,
		   const struct vfu_parts *parts, struct err *err)
{
	struct vfu_header sized = *h;
	struct trace_record r;
	int ret;

	if (!trace_wanted())
		return vfu_send(ch, h, parts, err);
	trace_begin(&r, "send", vfu_command_name(h->command), ch->fd);
	sized.size = (uint32_t)(VFU_HEADER_SIZE + (parts ? parts->head_len + parts->data_len : 0));
	vfu_trace_add_header(&r, &sized);
	if (parts)
		vfu_trace_add_parts(&r, h, parts);
	if (!vfu_is_reply(h))
		t->sent_ns[h->id % VFU_TRACE_SENT] = r.at_ns;
	ret = vfu_send(ch, h, parts, err);
	trace_end(&r, ret < 0 ? -1 : 0, ret < 0 ? -ret : 0);
	return ret;
}

/* A reply is told from its command on: that is what it took. */
static void vfu_trace_begin_heard(struct vfu_trace *t, int fd, const struct vfu_header *h)
{
	struct trace_record *r = &t->record;
	uint64_t *sent = &t->sent_ns[h->id % VFU_TRACE_SENT];

	trace_begin(r, "receive", vfu_command_name(h->command), fd);
	vfu_trace_add_header(r, h);
	t->reply = *h;
	if (!vfu_is_reply(h) || !*sent)
		return;
	r->wall_ns -= r->at_ns - *sent;
	r->at_ns = *sent;
	*sent = 0;
}

static void vfu_trace_tell(struct vfu_trace *t)
{
	int code = vfu_is_reply(&t->reply) ? vfu_reply_code(&t->reply) : 0;

	t->waits = false;
	trace_end(&t->record, code < 0 ? -1 : 0, -code);
}

void vfu_trace_close(struct vfu_trace *t)
{
	if (t->waits)
		vfu_trace_tell(t);
}

void vfu_trace_heard(struct vfu_trace *t, int fd, const struct vfu_header *h)
{
	if (!trace_wanted())
		return;
	vfu_trace_close(t);
	vfu_trace_begin_heard(t, fd, h);
	vfu_trace_tell(t);
}

int vfu_trace_receive_header(struct vfu_trace *t, struct vfu_channel *ch, struct vfu_header *ret,
			     struct err *err)
{
	int r = vfu_receive_header(ch, ret, NULL, err);

	vfu_trace_close(t);
	if (r < 0 || !trace_wanted())
		return r;
	vfu_trace_begin_heard(t, ch->fd, ret);
	if (vfu_payload_size(ret) && !(ret->flags & VFU_ERROR))
		t->waits = true;
	else
		vfu_trace_tell(t);
	return 0;
}

int vfu_trace_receive(struct vfu_trace *t, struct vfu_channel *ch, void *buf, size_t len,
		      struct err *err)
{
	int r = vfu_receive(ch, buf, len, err);

	if (!t->waits)
		return r;
	if (r >= 0)
		call_fields_message(&t->record, &t->reply, buf, len,
				    vfu_is_reply(&t->reply) ? CALL_ANSWERED : CALL_ASKED);
	vfu_trace_tell(t);
	return r;
}
