// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/vfio-user.h"
#include "device/vfu-client.h"

/* Measured: four requests of 256 KiB under way are 1.8 times one of 1 MiB at a time. */
#define READ_CHUNK (256u << 10)
#define READ_DEPTH 4

#define INDEX_MAX 32u
#define REGION_READ_MAX 4096
#define CONFIG_SIZE 256u /* of a config space whose region info is refused */

/**
 * struct vfio_user - a device in another process
 * @reconnected: the first conversation broke down, this is the second and last
 */
struct vfio_user {
	struct mig_dev dev;
	struct vfu_client client;
	char *path;
	bool reconnected;
	struct dev_info info;
	struct dev_region regions[INDEX_MAX];
	struct dev_irq irqs[INDEX_MAX];
};

static struct vfio_user *vfio_user(struct mig_dev *dev)
{
	return container_of(dev, struct vfio_user, dev);
}

/*
 * The stream
 */

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
 * @reconnected: as of the device when this began; what was asked before is answered by nobody
 */
struct vfu_stream {
	struct mig_stream stream;
	struct vfio_user *u;
	struct request ring[READ_DEPTH];
	unsigned int first, n, depth;
	uint32_t chunk;
	bool ended, again, reconnected;
	struct err err; /* the story behind the last errno */
};

static struct vfu_stream *vfu_stream(struct mig_stream *s)
{
	return container_of(s, struct vfu_stream, stream);
}

static struct request *nth(struct vfu_stream *s, unsigned int i)
{
	return &s->ring[(s->first + i) % READ_DEPTH];
}

static int stale(struct vfu_stream *s)
{
	if (s->reconnected == s->u->reconnected)
		return 0;
	return err_fail(&s->err, ERR_PEER, -ECONNRESET, "its connection is gone");
}

static int ask(struct vfu_stream *s)
{
	const struct vfu_mig_data head = {
		.argsz = (uint32_t)sizeof(head) + s->chunk,
		.size = s->chunk,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };

	while (!s->ended && s->n < s->depth) {
		struct request *q = nth(s, s->n);
		int r;

		if (!q->buf)
			q->buf = malloc(s->chunk);
		if (!q->buf)
			return err_set(&s->err, -ENOMEM, "a buffer of %u bytes", s->chunk);
		q->done = false;
		q->code = 0;
		q->len = q->taken = 0;
		r = vfu_client_send(&s->u->client, VFU_MIG_DATA_READ, &parts, &q->id, &s->err);
		if (r < 0)
			return r;
		s->n++;
	}
	return 0;
}

static struct request *find(struct vfu_stream *s, uint16_t id)
{
	for (unsigned int i = 0; i < s->n; i++)
		if (nth(s, i)->id == id && !nth(s, i)->done)
			return nth(s, i);
	return NULL;
}

static int take_payload(struct vfu_stream *s, struct request *q, size_t len)
{
	struct vfu_client *c = &s->u->client;
	struct vfu_mig_data head;
	int r;

	if (len < sizeof(head))
		return err_fail(&s->err, ERR_PEER, -EPROTO, "MIG_DATA_READ: reply of %zu bytes",
				len);
	r = vfu_client_receive(c, &head, sizeof(head), &s->err);
	if (r >= 0)
		r = vfu_mig_data_check(&head, len, s->chunk, &s->err);
	if (r >= 0)
		r = vfu_client_receive(c, q->buf, head.size, &s->err);
	if (r < 0)
		return err_classify(&s->err, ERR_PEER, r);
	q->len = head.size;
	s->ended |= head.size == 0;
	return 0;
}

/* The next reply, to whichever request. */
static int collect(struct vfu_stream *s)
{
	struct vfu_header h;
	struct request *q;
	int r;

	r = vfu_client_wait(&s->u->client, s->u->dev.cancel, &s->err);
	if (r >= 0)
		r = vfu_client_next(&s->u->client, &h, &s->err);
	if (r < 0)
		return r;
	q = find(s, h.id);
	if (!q) {
		log_debug("reply %u is nobody's", h.id);
		return 0;
	}
	q->done = true;
	q->code = vfu_reply_code(&h);
	if (q->code < 0) {
		s->ended = true; /* find out what the others brought first */
		return 0;
	}
	return take_payload(s, q, vfu_payload_size(&h));
}

/*
 * A server may not like several at a time; what it refused is asked for again, alone. Not after any
 * other error: bytes may have been lost with it.
 */
static int refused(struct vfu_stream *s, int code)
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
		struct request *q = nth(s, 0);

		if (!s->n && s->again)
			s->again = s->ended = false;
		r = stale(s);
		if (r >= 0)
			r = ask(s);
		if (r < 0)
			return r;
		if (!s->n && s->ended)
			return MIG_READ_NOTHING;
		if (!q->done) {
			r = collect(s);
			if (r < 0)
				return r;
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
		r = q->code < 0 ? refused(s, q->code) : 0;
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

	len = MIN(len, s->u->client.agreed.max_data_xfer_size);
	head.size = (uint32_t)len;
	head.argsz = (uint32_t)(sizeof(head) + len);
	parts.data_len = len;
	r = stale(s);
	if (r >= 0)
		r = vfu_client_call(&s->u->client, VFU_MIG_DATA_WRITE, &parts, s->u->dev.cancel,
				    reply, sizeof(reply), &n, &s->err);
	return r < 0 ? r : (ssize_t)len;
}

static int vfu_stream_fd(struct mig_stream *stream)
{
	return vfu_stream(stream)->u->client.channel.fd;
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
	.fd = vfu_stream_fd,
	.why = vfu_stream_why,
	.close = vfu_stream_close,
};

static int vfu_stream_new(struct vfio_user *u, struct mig_stream **ret, struct err *err)
{
	struct vfu_stream *s = calloc(1, sizeof(*s));

	if (!s)
		return err_set(err, -ENOMEM, "stream");
	s->stream.ops = &vfu_stream_ops;
	s->u = u;
	s->reconnected = u->reconnected;
	s->depth = READ_DEPTH;
	s->chunk = MIN(u->client.agreed.max_data_xfer_size, READ_CHUNK);
	*ret = &s->stream;
	return 0;
}

/*
 * Migration
 */

/* @data: sent with SET, filled by GET; NULL with PROBE. */
static int feature(struct vfio_user *u, uint32_t flags, void *data, size_t size, struct err *err)
{
	const struct vfu_feature head = {
		.argsz = (uint32_t)(sizeof(head) + size),
		.flags = flags,
	};
	struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	uint8_t reply[sizeof(head) + 64];
	size_t len;
	int r;

	if (flags & UAPI_FEATURE_SET) {
		parts.data = data;
		parts.data_len = size;
	}
	r = vfu_client_call(&u->client, VFU_FEATURE, &parts, NULL, reply, sizeof(reply), &len, err);
	if (r < 0 || !(flags & UAPI_FEATURE_GET))
		return r;
	r = vfu_feature_data(reply, len, flags, data, size, err);
	return r < 0 ? err_classify(err, ERR_PEER, r) : 0;
}

static bool vfio_user_probe(struct mig_dev *dev, unsigned int index)
{
	return feature(vfio_user(dev), UAPI_FEATURE_PROBE | index, NULL, 0, NULL) == 0;
}

static int vfio_user_query(struct mig_dev *dev, struct err *err)
{
	struct vfio_user *u = vfio_user(dev);
	struct vfu_migration m;
	int r;

	dev->can_reset = u->info.flags & VFIO_DEVICE_FLAGS_RESET;
	r = feature(u, UAPI_FEATURE_GET | UAPI_FEATURE_MIGRATION, &m, sizeof(m), err);
	/* A server without migration answers EINVAL to every feature. */
	if (r == -EINVAL || r == -ENOTTY || r == -EOPNOTSUPP)
		return err_fail(err, ERR_UNSUPPORTED, r, "%s: the server offers no migration",
				dev->name);
	if (r < 0)
		return err_prefix(err, r, "%s", dev->name);
	dev->caps = (unsigned int)m.flags;
	return 0;
}

/*
 * Silence or noise ends a conversation, but not the device: it keeps its state, and on a new
 * connection it can be brought back. Once; and not when the server went away by itself: what then
 * answers at its place may be another one.
 */
static int reconnect(struct vfio_user *u, struct err *err)
{
	int broken = u->client.broken, timeout_ms = u->client.channel.timeout_ms;
	int r;

	if (u->reconnected || (broken != -ETIMEDOUT && broken != -EPROTO))
		return 0;
	log_debug("%s: connecting again", u->dev.name);
	u->reconnected = true;
	vfu_client_close(&u->client);
	r = vfu_client_open(&u->client, u->path, timeout_ms, err);
	if (r < 0)
		u->client.broken = r;
	return r;
}

static int vfio_user_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	struct vfu_mig_state m = { .data_fd = -1 };
	int r;

	r = reconnect(vfio_user(dev), err);
	if (r < 0)
		return r;
	r = feature(vfio_user(dev), UAPI_FEATURE_GET | UAPI_FEATURE_MIG_DEVICE_STATE, &m, sizeof(m),
		    err);
	if (r >= 0)
		*ret = (enum mig_state)m.state;
	return r;
}

static int vfio_user_set_state(struct mig_dev *dev, enum mig_state to,
			       struct mig_stream **ret_stream, struct err *err)
{
	struct vfu_mig_state m = { .state = to, .data_fd = -1 };
	int r;

	r = feature(vfio_user(dev), UAPI_FEATURE_SET | UAPI_FEATURE_MIG_DEVICE_STATE, &m, sizeof(m),
		    err);
	if (r < 0 || dev->stream || !mig_opens_session(dev->state, to))
		return r;
	return vfu_stream_new(vfio_user(dev), ret_stream, err);
}

static int vfio_user_reset(struct mig_dev *dev, struct err *err)
{
	size_t len;
	int r;

	r = vfu_client_call(&vfio_user(dev)->client, VFU_RESET, NULL, NULL, NULL, 0, &len, err);
	/* libvfio-user's way; not to be made to run for it by itself. */
	if (r == -EINVAL && dev->state_known &&
	    (dev->state == MIG_STOP || dev->state == MIG_STOP_COPY))
		err_hint(err, r, "it may refuse that while stopped: vfiomigctl state %s running",
			 dev->name);
	return r;
}

static void vfio_user_close(struct mig_dev *dev)
{
	struct vfio_user *u = vfio_user(dev);

	vfu_client_close(&u->client);
	free(u->path);
	free(u);
}

static const struct mig_ops vfio_user_ops = {
	.name = "vfio-user",
	.query = vfio_user_query,
	.get_state = vfio_user_get_state,
	.set_state = vfio_user_set_state,
	.reset = vfio_user_reset,
	.probe = vfio_user_probe,
	.close = vfio_user_close,
};

/*
 * The device beside its migration: from what was asked when it was opened
 */

static int vfio_user_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)err;
	*ret = vfio_user(dev)->info;
	return 0;
}

static int vfio_user_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret,
			    struct err *err)
{
	if (index >= INDEX_MAX)
		return err_set(err, -EINVAL, "%s: region %u", dev->name, index);
	*ret = vfio_user(dev)->regions[index];
	return 0;
}

static int vfio_user_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	if (index >= INDEX_MAX)
		return err_set(err, -EINVAL, "%s: IRQ %u", dev->name, index);
	*ret = vfio_user(dev)->irqs[index];
	return 0;
}

static ssize_t vfio_user_read(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			      void *buf, size_t len, struct err *err)
{
	struct vfio_user *u = vfio_user(dev);
	struct vfu_region_access access = {
		.offset = at,
		.region = region->index,
	};
	const struct vfu_parts parts = { .head = &access, .head_len = sizeof(access) };
	uint8_t reply[sizeof(access) + REGION_READ_MAX];
	size_t n;
	int r;

	len = MIN(len, (size_t)REGION_READ_MAX);
	len = MIN(len, u->client.agreed.max_data_xfer_size);
	access.count = (uint32_t)len;
	r = vfu_client_call(&u->client, VFU_REGION_READ, &parts, NULL, reply, sizeof(reply), &n,
			    err);
	if (r < 0)
		return err_prefix(err, r, "%s: region %u", dev->name, access.region);
	if (n < sizeof(access) + len)
		return err_fail(err, ERR_PEER, -EPROTO, "%s: region %u: REGION_READ: %zu bytes",
				dev->name, access.region, n);
	memcpy(buf, reply + sizeof(access), len);
	return (ssize_t)len;
}

static const struct dev_ops vfio_user_dev_ops = {
	.info = vfio_user_info,
	.region = vfio_user_region,
	.irq = vfio_user_irq,
	.read = vfio_user_read,
};

static int fetch_info(struct vfio_user *u, struct err *err)
{
	struct vfu_device_info info = { .argsz = sizeof(info) };
	const struct vfu_parts parts = { .head = &info, .head_len = sizeof(info) };
	size_t len;
	int r;

	r = vfu_client_call(&u->client, VFU_GET_INFO, &parts, NULL, &info, sizeof(info), &len, err);
	if (r < 0)
		return r;
	if (len < sizeof(info))
		return err_fail(err, ERR_PEER, -EPROTO, "DEVICE_GET_INFO: %zu bytes", len);
	u->info = (struct dev_info){
		.flags = info.flags,
		.n_regions = MIN(info.n_regions, INDEX_MAX),
		.n_irqs = MIN(info.n_irqs, INDEX_MAX),
	};
	return 0;
}

/* Room for capabilities, which say nothing that is used here. */
union region_reply {
	struct vfu_region_info info;
	uint8_t room[4096];
};

static int fetch_region(struct vfio_user *u, uint32_t index, struct err *err)
{
	struct vfu_region_info ask = { .argsz = sizeof(union region_reply), .index = index };
	const struct vfu_parts parts = { .head = &ask, .head_len = sizeof(ask) };
	union region_reply reply = { .info = { 0 } };
	size_t len;
	int r;

	r = vfu_client_call(&u->client, VFU_GET_REGION_INFO, &parts, NULL, &reply, sizeof(reply),
			    &len, err);
	if (r < 0)
		return r;
	u->regions[index] = (struct dev_region){
		.index = index,
		.flags = reply.info.flags,
		.size = reply.info.size,
		.offset = reply.info.offset,
	};
	return 0;
}

static int fetch_irq(struct vfio_user *u, uint32_t index, struct err *err)
{
	struct vfu_irq_info info = { .argsz = sizeof(info), .index = index };
	const struct vfu_parts parts = { .head = &info, .head_len = sizeof(info) };
	size_t len;
	int r;

	r = vfu_client_call(&u->client, VFU_GET_IRQ_INFO, &parts, NULL, &info, sizeof(info), &len,
			    err);
	if (r >= 0)
		u->irqs[index] = (struct dev_irq){ .flags = info.flags, .count = info.count };
	return r;
}

/*
 * What a PCI function surely has, for a server that says nothing about a stopped device: its
 * configuration space can be read all the same.
 */
static void assume_pci(struct vfio_user *u)
{
	log_debug("%s: tells nothing of itself while it is stopped", u->dev.name);
	u->info = (struct dev_info){
		.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
		.n_regions = VFIO_PCI_CONFIG_REGION_INDEX + 1,
	};
	u->regions[VFIO_PCI_CONFIG_REGION_INDEX] = (struct dev_region){
		.index = VFIO_PCI_CONFIG_REGION_INDEX,
		.flags = VFIO_REGION_INFO_FLAG_READ,
		.size = CONFIG_SIZE,
	};
}

/* Now, since in STOP and STOP_COPY libvfio-user answers none of this. */
static int fetch_all(struct vfio_user *u, struct err *err)
{
	int r;

	r = fetch_info(u, err);
	if (r == -EINVAL && !u->client.broken) {
		assume_pci(u);
		return 0;
	}
	for (uint32_t i = 0; r >= 0 && i < u->info.n_regions; i++)
		r = fetch_region(u, i, err);
	for (uint32_t i = 0; r >= 0 && i < u->info.n_irqs; i++)
		r = fetch_irq(u, i, err);
	return r;
}

int vfio_user_open(const char *path, const char *name, int timeout_ms, struct mig_dev **ret,
		   struct err *err)
{
	struct vfio_user *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return err_set(err, -ENOMEM, "%s", name);
	u->dev.ops = &vfio_user_ops;
	u->dev.dev_ops = &vfio_user_dev_ops;
	u->client.channel.fd = -1;
	u->dev.name = strdup(name);
	u->path = strdup(path);
	r = u->dev.name && u->path ? vfu_client_open(&u->client, path, timeout_ms, err)
				   : err_set(err, -ENOMEM, "%s", name);
	if (r >= 0)
		r = fetch_all(u, err);
	if (r < 0) {
		err_prefix(err, r, "%s", name);
		mig_close(&u->dev);
		return r;
	}
	*ret = &u->dev;
	return 0;
}
