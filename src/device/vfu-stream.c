// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/vfu-stream.h"
#include "device/vfu-window.h"

/* Measured: four reads of 256 KiB under way are 1.8 times one of 1 MiB at a time. */
#define READ_CHUNK (256u << 10)
#define READ_DEPTH 4

/*
 * A write has to be seen whole by a server that takes it by one recv(): see vfu/channel.h. Four of
 * them fit into a UNIX socket's usual buffer (208 KiB, each counts for some 34), so that to send
 * them waits for nothing.
 */
#define WRITE_CHUNK (32u << 10)
#define WRITE_DEPTH 4
#define WRITE_HEAD (VFU_HEADER_SIZE + sizeof(struct vfu_mig_data))

/* Replies to no request, in a row, after which the server counts as mad. */
#define STRAYS_MAX 256

/**
 * struct vfu_stream - one data transfer session
 * @window: of reads in a saving session, of writes in RESUMING
 * @nothing: a request brought nothing for now since MIG_READ_NOTHING was said last
 * @connection: the client's when this began; there is no reply on another
 * @strays: replies to nothing, in a row
 * @err: the story behind the last errno
 */
struct vfu_stream {
	struct mig_stream stream;
	struct mig_dev *dev;
	struct vfu_client *client;
	struct vfu_window window;
	uint32_t read_chunk, write_chunk;
	bool nothing;
	unsigned int strays;
	unsigned int connection;
	struct err err;
};

static struct vfu_stream *vfu_stream(struct mig_stream *s)
{
	return container_of(s, struct vfu_stream, stream);
}

static int vfu_stream_stale(struct vfu_stream *s)
{
	if (s->connection == s->client->connection)
		return 0;
	return err_fail(&s->err, ERR_PEER, -ECONNRESET, "its connection is gone");
}

/*
 * The next reply, which must be one to @command.
 * Return: 0 with the request that it answers, NULL for one that was given up; negative errno.
 */
static int vfu_stream_next(struct vfu_stream *s, enum vfu_command command, struct vfu_header *h,
			   struct vfu_request **ret)
{
	int r;

	r = vfu_client_next(s->client, s->dev->cancel, h, &s->err);
	if (r < 0)
		return err_prefix(&s->err, r, "%s", vfu_command_name(command));
	*ret = vfu_window_find(&s->window, h->id);
	if (*ret && h->command != command)
		return vfu_client_give_up(s->client, "a reply to another command", &s->err);
	if (*ret) {
		s->strays = 0;
		return 0;
	}
	log_debug("reply %u is one to nothing", h->id);
	if (++s->strays > STRAYS_MAX)
		return vfu_client_give_up(s->client, "replies that fit no command", &s->err);
	return 0;
}

/* The request can be sent again, by itself. */
static void vfu_stream_go_singly(struct vfu_stream *s, enum vfu_command command)
{
	log_debug("%s: %s with several under way, now one at a time", vfu_command_name(command),
		  err_name(s->window.q[0].code));
	vfu_window_go_singly(&s->window);
}

static int vfu_stream_failed(struct vfu_stream *s, enum vfu_command command,
			     enum vfu_verdict verdict)
{
	return err_fail(&s->err, ERR_UNSPEC, s->window.q[0].code, "%s%s", vfu_command_name(command),
			verdict == VFU_HOLE ? ", and what was asked after it was served" : "");
}

/*
 * Reading
 */

static int vfu_stream_ask(struct vfu_stream *s)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)sizeof(head) + s->read_chunk,
		.size = s->read_chunk,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };

	while (vfu_window_may_send(&s->window)) {
		struct vfu_request *q = vfu_window_push(&s->window, s->dev->state == MIG_STOP_COPY);
		int r;

		if (!q->buf)
			q->buf = malloc(s->read_chunk);
		if (!q->buf)
			return err_set(&s->err, -ENOMEM, "a buffer of %u bytes", s->read_chunk);
		r = vfu_client_send(s->client, VFU_MIG_DATA_READ, &parts, s->dev->cancel, &q->id,
				    &s->err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Return: 0 and how many bytes of data are at @to now. */
static int vfu_stream_take_payload(struct vfu_stream *s, size_t len, uint8_t *to, uint32_t *ret)
{
	struct vfu_client *c = s->client;
	struct vfu_mig_data head;
	int r;

	if (len < sizeof(head))
		return err_fail(&s->err, ERR_PEER, -EPROTO, "MIG_DATA_READ: reply of %zu bytes",
				len);
	r = vfu_client_receive(c, &head, sizeof(head), &s->err);
	if (r < 0)
		return r;
	r = vfu_mig_data_check(&head, len, s->read_chunk, &s->err);
	if (r < 0)
		return err_classify(&s->err, ERR_PEER, r);
	*ret = head.size;
	return vfu_client_receive(c, to, head.size, &s->err);
}

/*
 * Receive the next reply, to whichever request. The data of the first one goes straight to @buf, of
 * @room bytes, if all that may come has room there; it is taken then.
 */
static int vfu_stream_collect(struct vfu_stream *s, uint8_t *buf, size_t room)
{
	struct vfu_request *q;
	struct vfu_header h;
	uint32_t len = 0;
	bool direct;
	int code, r;

	r = vfu_stream_next(s, VFU_MIG_DATA_READ, &h, &q);
	if (r < 0 || !q)
		return r;
	code = vfu_reply_code(&h);
	direct = q == &s->window.q[0] && room >= s->read_chunk;
	if (!code) {
		r = vfu_stream_take_payload(s, vfu_payload_size(&h), direct ? buf : q->buf, &len);
		if (r < 0)
			return r;
	}
	vfu_window_answer(&s->window, q, code, len, len == s->read_chunk);
	q->taken = direct ? len : 0;
	return 0;
}

static ssize_t vfu_stream_take(struct vfu_stream *s, uint8_t *buf, size_t room)
{
	struct vfu_request *q = &s->window.q[0];
	size_t len = MIN(room, q->len - q->taken);

	if (q->taken == q->len) {
		len = q->len; /* it went straight to @buf */
	} else {
		memcpy(buf, q->buf + q->taken, len);
		q->taken += (uint32_t)len;
	}
	if (q->taken == q->len)
		vfu_window_pop(&s->window);
	return (ssize_t)len;
}

/* All that was under way is used, and there was nothing. Before STOP_COPY that is for now. */
static bool vfu_stream_nothing(struct vfu_stream *s)
{
	bool nothing = s->nothing && !s->window.n;

	if (nothing)
		s->nothing = false;
	return nothing && s->dev->state != MIG_STOP_COPY;
}

static ssize_t vfu_stream_read(struct mig_stream *stream, void *buf, size_t len)
{
	struct vfu_stream *s = vfu_stream(stream);
	int r;

	r = vfu_stream_stale(s);
	if (r < 0)
		return r;
	for (;;) {
		enum vfu_verdict verdict = vfu_window_read_verdict(&s->window);

		switch (verdict) {
		case VFU_WAIT:
			if (vfu_stream_nothing(s))
				return MIG_READ_NOTHING;
			r = vfu_stream_ask(s);
			if (r < 0)
				return r;
			r = vfu_stream_collect(s, buf, len);
			if (r < 0)
				return r;
			continue;
		case VFU_TAKE:
			return vfu_stream_take(s, buf, len);
		case VFU_PASS:
			s->nothing = true;
			break;
		case VFU_SINGLY:
			vfu_stream_go_singly(s, VFU_MIG_DATA_READ);
			break;
		case VFU_END: /* stays in the window, and remains the verdict */
			return MIG_READ_NOTHING;
		case VFU_HOLE:
		case VFU_FAIL:
			return vfu_stream_failed(s, VFU_MIG_DATA_READ, verdict);
		}
		vfu_window_pop(&s->window);
	}
}

/*
 * Writing
 */

/* As many of the @len bytes at @buf, from *@sent on, as may be under way. */
static int vfu_stream_send(struct vfu_stream *s, const uint8_t *buf, size_t len, size_t *sent)
{
	while (*sent < len && vfu_window_may_send(&s->window)) {
		struct vfu_request *q = vfu_window_push(&s->window, false);
		uint32_t n = (uint32_t)MIN(len - *sent, s->write_chunk);
		const struct vfu_mig_data head = {
			.argsz = (uint32_t)sizeof(head) + n,
			.size = n,
		};
		const struct vfu_parts parts = {
			.head = &head,
			.head_len = sizeof(head),
			.data = buf + *sent,
			.data_len = n,
		};
		int r;

		q->len = n;
		r = vfu_client_send(s->client, VFU_MIG_DATA_WRITE, &parts, s->dev->cancel, &q->id,
				    &s->err);
		if (r < 0)
			return r;
		*sent += n;
	}
	return 0;
}

static int vfu_stream_collect_write(struct vfu_stream *s)
{
	struct vfu_request *q;
	struct vfu_header h;
	int r;

	r = vfu_stream_next(s, VFU_MIG_DATA_WRITE, &h, &q);
	if (r < 0 || !q)
		return r;
	vfu_window_answer(&s->window, q, vfu_reply_code(&h), q->len, true);
	return 0;
}

/* Every write is answered when this returns: what was refused can be sent again from @buf. */
static ssize_t vfu_stream_write(struct mig_stream *stream, const void *buf, size_t len)
{
	struct vfu_stream *s = vfu_stream(stream);
	size_t sent = 0, taken = 0;
	int r;

	r = vfu_stream_stale(s);
	if (r < 0)
		return r;
	while (taken < len) {
		enum vfu_verdict verdict = vfu_window_write_verdict(&s->window);

		switch (verdict) {
		case VFU_WAIT:
			r = vfu_stream_send(s, buf, len, &sent);
			if (r < 0)
				return r;
			r = vfu_stream_collect_write(s);
			if (r < 0)
				return r;
			break;
		case VFU_TAKE:
			taken += s->window.q[0].len;
			vfu_window_pop(&s->window);
			break;
		case VFU_SINGLY:
			vfu_stream_go_singly(s, VFU_MIG_DATA_WRITE);
			while (s->window.n)
				vfu_window_pop(&s->window);
			sent = taken;
			break;
		default:
			return vfu_stream_failed(s, VFU_MIG_DATA_WRITE, verdict);
		}
	}
	return (ssize_t)taken;
}

static const struct err *vfu_stream_why(struct mig_stream *stream)
{
	return &vfu_stream(stream)->err;
}

static void vfu_stream_close(struct mig_stream *stream)
{
	struct vfu_stream *s = vfu_stream(stream);

	for (unsigned int i = 0; i < VFU_WINDOW_MAX; i++)
		free(s->window.q[i].buf);
	free(s);
}

static const struct mig_stream_ops vfu_stream_ops = {
	.read = vfu_stream_read,
	.write = vfu_stream_write,
	.why = vfu_stream_why,
	.close = vfu_stream_close,
};

int vfu_stream_quiesce(struct mig_stream *stream, struct err *err)
{
	struct vfu_stream *s = vfu_stream(stream);
	int r = vfu_stream_stale(s);

	for (unsigned int i = 0; i < s->window.n && r >= 0;) {
		if (s->window.q[i].answered)
			i++;
		else
			r = vfu_stream_collect(s, NULL, 0);
	}
	if (r < 0)
		*err = s->err;
	return r;
}

int vfu_stream_new(struct mig_dev *dev, struct vfu_client *client, struct mig_stream **ret,
		   struct err *err)
{
	struct vfu_stream *s = calloc(1, sizeof(*s));
	size_t fit = client->message_fit - WRITE_HEAD;

	if (!s)
		return err_set(err, -ENOMEM, "stream");
	s->stream.ops = &vfu_stream_ops;
	s->dev = dev;
	s->client = client;
	s->connection = client->connection;
	vfu_window_init(&s->window, dev->state == MIG_RESUMING ? WRITE_DEPTH : READ_DEPTH);
	s->read_chunk = MIN(client->agreed.max_data_xfer_size, READ_CHUNK);
	s->write_chunk = (uint32_t)MIN(MIN(client->agreed.max_data_xfer_size, WRITE_CHUNK), fit);
	*ret = &s->stream;
	return 0;
}
