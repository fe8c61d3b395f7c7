// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/vfu-stream.h"

/* Measured: four requests of 256 KiB under way are 1.8 times one of 1 MiB at a time. */
#define READ_CHUNK (256u << 10)
#define READ_DEPTH 4

#define STRAYS_MAX 256

/**
 * struct request - a MIG_DATA_READ under way
 * @len: bytes that its reply brought, @done once it is there
 * @code: 0 or the errno of its reply
 */
struct request {
	uint16_t id;
	bool done;
	int code;
	uint32_t len, taken;
	uint8_t *buf;
};

/**
 * struct vfu_stream - requests in the order of the stream
 * @first, @n: of the ring; replies may come in any order, bytes leave in this one
 * @depth: 1 for a server that answers badly to more
 * @ended: a reply was empty, or an error: no more requests until all are answered
 * @again: it was an error: that is not the end
 * @connection: the client's when this began; on another nobody answers what was asked
 */
struct vfu_stream {
	struct mig_stream stream;
	struct mig_dev *dev;
	struct vfu_client *client;
	struct request ring[READ_DEPTH];
	unsigned int first, n, depth;
	uint32_t chunk;
	bool ended, again;
	unsigned int strays; /* replies to nothing, in a row */
	unsigned int connection;
	struct err err; /* the story behind the last errno */
};

static struct vfu_stream *vfu_stream(struct mig_stream *s)
{
	return container_of(s, struct vfu_stream, stream);
}

static struct request *vfu_stream_nth(struct vfu_stream *s, unsigned int i)
{
	return &s->ring[(s->first + i) % READ_DEPTH];
}

static int vfu_stream_stale(struct vfu_stream *s)
{
	if (s->connection == s->client->connection)
		return 0;
	return err_fail(&s->err, ERR_PEER, -ECONNRESET, "its connection is gone");
}

static int vfu_stream_ask(struct vfu_stream *s)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)sizeof(head) + s->chunk,
		.size = s->chunk,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };

	while (!s->ended && s->n < s->depth) {
		struct request *q = vfu_stream_nth(s, s->n);
		int r;

		if (!q->buf)
			q->buf = malloc(s->chunk);
		if (!q->buf)
			return err_set(&s->err, -ENOMEM, "a buffer of %u bytes", s->chunk);
		q->done = false;
		q->code = 0;
		q->len = q->taken = 0;
		r = vfu_client_send(s->client, VFU_MIG_DATA_READ, &parts, s->dev->cancel, &q->id,
				    &s->err);
		if (r < 0)
			return r;
		s->n++;
	}
	return 0;
}

static struct request *vfu_stream_find(struct vfu_stream *s, uint16_t id)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (vfu_stream_nth(s, i)->id == id && !vfu_stream_nth(s, i)->done)
			return vfu_stream_nth(s, i);
	return NULL;
}

static int vfu_stream_take_payload(struct vfu_stream *s, struct request *q, size_t len, uint8_t *to)
{
	struct vfu_client *c = s->client;
	struct vfu_mig_data head;
	int r;

	if (len < sizeof(head))
		return err_fail(&s->err, ERR_PEER, -EPROTO, "MIG_DATA_READ: reply of %zu bytes",
				len);
	r = vfu_client_receive(c, &head, sizeof(head), &s->err);
	if (r >= 0)
		r = vfu_mig_data_check(&head, len, s->chunk, &s->err);
	if (r >= 0)
		r = vfu_client_receive(c, to, head.size, &s->err);
	if (r < 0)
		return err_classify(&s->err, ERR_PEER, r);
	q->len = head.size;
	s->ended |= head.size == 0;
	return 0;
}

/*
 * The next reply, to whichever request. What @buf, @room bytes, is waiting for goes straight there if
 * it has room for all that may come; it is taken then.
 */
static int vfu_stream_collect(struct vfu_stream *s, uint8_t *buf, size_t room)
{
	struct vfu_header h;
	struct request *q;
	bool direct;
	int r;

	r = vfu_client_next(s->client, s->dev->cancel, &h, &s->err);
	if (r < 0)
		return err_prefix(&s->err, r, "MIG_DATA_READ");
	q = vfu_stream_find(s, h.id);
	if (!q) {
		log_debug("reply %u is nobody's", h.id);
		return ++s->strays <= STRAYS_MAX
			       ? 0
			       : vfu_client_give_up(s->client, "replies that fit no command",
						    &s->err);
	}
	s->strays = 0;
	q->done = true;
	q->code = vfu_reply_code(&h);
	if (q->code < 0) {
		s->ended = true; /* find out what the others brought first */
		return 0;
	}
	direct = q == vfu_stream_nth(s, 0) && room >= s->chunk;
	r = vfu_stream_take_payload(s, q, vfu_payload_size(&h), direct ? buf : q->buf);
	if (r >= 0 && direct)
		q->taken = q->len;
	return r;
}

/*
 * A server may not like several at a time; what it refused is asked for again, alone. Not after any
 * other error: bytes may have been lost with it.
 */
static int vfu_stream_refused(struct vfu_stream *s, int code)
{
	bool busy = code == -EINVAL || code == -EBUSY || code == -EAGAIN || code == -ENOMEM;

	if (s->depth == 1 || !busy)
		return err_fail(&s->err, ERR_UNSPEC, code, "MIG_DATA_READ");
	log_debug("MIG_DATA_READ: %s with several under way, now one at a time", err_name(code));
	s->depth = 1;
	s->again = true;
	return 0;
}

static ssize_t vfu_stream_read(struct mig_stream *stream, void *buf, size_t len)
{
	struct vfu_stream *s = vfu_stream(stream);
	int r;

	if (s->ended && !s->n)
		s->ended = false; /* empty for now, last time: ask again */
	for (;;) {
		struct request *q = vfu_stream_nth(s, 0);

		if (!s->n && s->again)
			s->again = s->ended = false;
		r = vfu_stream_stale(s);
		if (r >= 0)
			r = vfu_stream_ask(s);
		if (r < 0)
			return r;
		if (!s->n && s->ended)
			return MIG_READ_NOTHING;
		if (!q->done) {
			r = vfu_stream_collect(s, buf, len);
			if (r < 0)
				return r;
			if (q->taken)
				return q->taken;
			continue;
		}
		if (q->taken < q->len) {
			len = MIN(len, q->len - q->taken);
			memcpy(buf, q->buf + q->taken, len);
			q->taken += (uint32_t)len;
			return (ssize_t)len;
		}
		s->first = (s->first + 1) % READ_DEPTH;
		s->n--;
		r = q->code < 0 ? vfu_stream_refused(s, q->code) : 0;
		if (r < 0)
			return r;
	}
}

static ssize_t vfu_stream_write(struct mig_stream *stream, const void *buf, size_t len)
{
	struct vfu_stream *s = vfu_stream(stream);
	struct vfu_mig_data head;
	struct vfu_parts parts = { .head = &head, .head_len = sizeof(head), .data = buf };
	uint8_t reply[sizeof(head)];
	size_t n;
	int r;

	len = MIN(len, s->client->agreed.max_data_xfer_size);
	head.size = (uint32_t)len;
	head.argsz = (uint32_t)(sizeof(head) + len);
	parts.data_len = len;
	r = vfu_stream_stale(s);
	if (r >= 0)
		r = vfu_client_call(s->client, VFU_MIG_DATA_WRITE, &parts, s->dev->cancel, reply,
				    sizeof(reply), &n, &s->err);
	return r < 0 ? r : (ssize_t)len;
}

static const struct err *vfu_stream_why(struct mig_stream *stream)
{
	return &vfu_stream(stream)->err;
}

static void vfu_stream_close(struct mig_stream *stream)
{
	struct vfu_stream *s = vfu_stream(stream);

	for (unsigned int i = 0; i < READ_DEPTH; i++)
		free(s->ring[i].buf);
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

	s->ended = s->again = true;
	for (unsigned int i = 0; r >= 0 && i < s->n; i++)
		while (r >= 0 && !vfu_stream_nth(s, i)->done)
			r = vfu_stream_collect(s, NULL, 0);
	if (r < 0)
		*err = s->err;
	return r;
}

int vfu_stream_new(struct mig_dev *dev, struct vfu_client *client, struct mig_stream **ret,
		   struct err *err)
{
	struct vfu_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "stream");
	s->stream.ops = &vfu_stream_ops;
	s->dev = dev;
	s->client = client;
	s->connection = client->connection;
	s->depth = READ_DEPTH;
	s->chunk = MIN(client->agreed.max_data_xfer_size, READ_CHUNK);
	*ret = &s->stream;
	return 0;
}
