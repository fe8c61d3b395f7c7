// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "device/vfu-client.h"

/* A server may have this much to say between a command and its reply. */
#define UNASKED_MAX 256

#define MSG_FDS 8

/* After this nobody knows where a message begins. */
static int vfu_client_break(struct vfu_client *c, int r, struct err *err)
{
	c->broken = r;
	return err_classify(err, ERR_PEER, r);
}

int vfu_client_give_up(struct vfu_client *c, const char *why, struct err *err)
{
	return vfu_client_break(c, err_set(err, -EPROTO, "%s", why), err);
}

static int vfu_client_usable(const struct vfu_client *c, struct err *err)
{
	if (c->broken)
		return err_fail(err, ERR_PEER, c->broken, "the connection is no longer usable");
	return 0;
}

int vfu_client_send(struct vfu_client *c, enum vfu_command command, const struct vfu_parts *parts,
		    uint16_t *ret_id, struct err *err)
{
	struct vfu_header h = vfu_command_header(c->next_id, command);
	int r;

	r = vfu_client_usable(c, err);
	if (r >= 0) {
		r = vfu_send(&c->channel, &h, parts, err);
		if (r < 0)
			vfu_client_break(c, r, err);
	}
	if (r < 0)
		return err_prefix(err, r, "%s", vfu_command_name(command));
	*ret_id = c->next_id++;
	return 0;
}

int vfu_client_wait(struct vfu_client *c, struct cancel *cancel, struct err *err)
{
	struct pollfd p[] = {
		{ .fd = c->channel.fd, .events = POLLIN },
		{ .fd = cancel && !atomic_load(&cancel->closed) ? cancel->fd : -1,
		  .events = POLLIN },
	};
	int r;

	r = vfu_client_usable(c, err);
	/* First, since a server that never stops talking must not keep it from being heard. */
	if (r >= 0 && cancel)
		r = cancel_check(cancel, err);
	if (r < 0)
		return r;
	do
		r = poll(p, ARRAY_SIZE(p), c->channel.timeout_ms);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_set(err, -errno, "poll");
	if (!r)
		return vfu_client_break(c,
					err_set(err, -ETIMEDOUT, "the server was silent for %g s",
						c->channel.timeout_ms / 1e3),
					err);
	return cancel && !p[0].revents ? cancel_check(cancel, err) : 0;
}

/* DMA_READ and the like: there is no memory here that a device could reach. */
static int vfu_client_decline(struct vfu_client *c, const struct vfu_header *h, struct err *err)
{
	struct vfu_header reply = vfu_reply_header(h, -EOPNOTSUPP);

	log_debug("server sent %s unasked", vfu_command_name(h->command));
	if (h->flags & VFU_NO_REPLY)
		return 0;
	return vfu_send(&c->channel, &reply, NULL, err);
}

int vfu_client_next(struct vfu_client *c, struct vfu_header *ret, struct err *err)
{
	int r;

	r = vfu_client_usable(c, err);
	if (r < 0)
		return r;
	for (int i = 0; i < UNASKED_MAX; i++) {
		r = vfu_receive_header(&c->channel, ret, NULL, err);
		if (r >= 0 && vfu_is_reply(ret))
			return 0;
		if (r >= 0)
			r = vfu_client_decline(c, ret, err);
		if (r < 0)
			return vfu_client_break(c, r, err);
	}
	return vfu_client_break(
		c, err_set(err, -EPROTO, "%d commands from the server, and no reply", UNASKED_MAX),
		err);
}

int vfu_client_receive(struct vfu_client *c, void *buf, size_t len, struct err *err)
{
	int r = vfu_receive(&c->channel, buf, len, err);

	return r < 0 ? vfu_client_break(c, r, err) : 0;
}

/* Replies to what was given up on (a stream that was closed) are passed over. */
static int vfu_client_find_reply(struct vfu_client *c, uint16_t id, struct vfu_header *h,
				 struct err *err)
{
	int r;

	for (int i = 0; i < UNASKED_MAX; i++) {
		r = vfu_client_next(c, h, err);
		if (r < 0 || h->id == id)
			return r;
		log_debug("reply %u to %s is nobody's", h->id, vfu_command_name(h->command));
	}
	return vfu_client_break(
		c, err_set(err, -EPROTO, "%d replies that fit no command", UNASKED_MAX), err);
}

int vfu_client_call(struct vfu_client *c, enum vfu_command command, const struct vfu_parts *parts,
		    struct cancel *cancel, void *reply, size_t size, size_t *ret_len,
		    struct err *err)
{
	struct vfu_header h;
	uint16_t id;
	size_t len;
	int r;

	r = vfu_client_send(c, command, parts, &id, err);
	if (r < 0)
		return r;
	r = vfu_client_wait(c, cancel, err);
	if (r >= 0)
		r = vfu_client_find_reply(c, id, &h, err);
	if (r < 0)
		return err_prefix(err, r, "%s", vfu_command_name(command));
	r = vfu_reply_code(&h);
	if (r < 0)
		return err_set(err, r, "%s", vfu_command_name(command));
	len = vfu_payload_size(&h);
	if (h.command != command || len > size)
		return vfu_client_break(c,
					err_set(err, -EPROTO, "%s: a reply to %s of %zu bytes",
						vfu_command_name(command),
						vfu_command_name(h.command), len),
					err);
	r = vfu_client_receive(c, reply, len, err);
	if (r < 0)
		return err_prefix(err, r, "%s", vfu_command_name(command));
	*ret_len = len;
	return 0;
}

static int vfu_client_negotiate(struct vfu_client *c, struct err *err)
{
	const struct vfu_version ours = {
		.major = VFU_MAJOR,
		.minor = VFU_MINOR,
		.max_msg_fds = MSG_FDS,
		.max_data_xfer_size = VFU_XFER_MAX,
		.pgsize = 4096,
	};
	uint8_t sent[VFU_VERSION_MAX], got[VFU_VERSION_MAX];
	struct vfu_parts parts = { .head = sent };
	size_t len;
	int r;

	parts.head_len = vfu_version_encode(&ours, sent);
	r = vfu_client_call(c, VFU_VERSION, &parts, NULL, got, sizeof(got), &len, err);
	if (r >= 0)
		r = vfu_version_decode(got, len, &c->agreed, err);
	if (r >= 0)
		r = vfu_version_confirm(&ours, &c->agreed, err);
	if (r == -ETIMEDOUT)
		err_note(err, r, "it may be busy with another client: most serve one at a time");
	if (r < 0)
		return err_classify(err, ERR_PEER, r);
	c->agreed.max_data_xfer_size = MIN(c->agreed.max_data_xfer_size, ours.max_data_xfer_size);
	return 0;
}

int vfu_client_open(struct vfu_client *c, const char *path, int timeout_ms, struct err *err)
{
	int fd, r;

	*c = (struct vfu_client){
		.channel = { .fd = -1, .timeout_ms = timeout_ms },
		.connection = c->connection + 1,
	};
	r = unix_connect(path, NULL, timeout_ms, &fd, err);
	if (r == -ECONNREFUSED) {
		err_classify(err, ERR_MISSING, r);
		return err_hint(err, r, "its server is gone: start it");
	}
	if (r < 0)
		return r == -ENOENT ? err_classify(err, ERR_MISSING, r) : r;
	c->channel.fd = fd;
	r = vfu_client_negotiate(c, err);
	if (r < 0)
		vfu_client_close(c);
	return r;
}

void vfu_client_close(struct vfu_client *c)
{
	if (c->channel.fd >= 0)
		close(c->channel.fd);
	c->channel.fd = -1;
}
