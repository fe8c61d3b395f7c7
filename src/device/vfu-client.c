// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "device/vfu-client.h"

/* A server may send this many commands of its own, or replies to none of ours, before a reply. */
#define UNASKED_MAX 256

/* Reads of vfu_client_attend() in one call: a server that never stops must not keep the caller. */
#define ATTEND_MAX 64

#define MSG_FDS 8

/* From here on it is unknown where a message begins. */
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
		    struct cancel *cancel, uint16_t *ret_id, struct err *err)
{
	struct vfu_header h = vfu_command_header(c->next_id, command);
	int r;

	r = vfu_client_usable(c, err);
	if (r < 0)
		return err_prefix(err, r, "%s", vfu_command_name(command));
	c->channel.cancel = cancel;
	r = vfu_trace_send(&c->trace, &c->channel, &h, parts, err);
	if (r < 0) {
		vfu_client_break(c, r, err);
		return err_prefix(err, r, "%s", vfu_command_name(command));
	}
	*ret_id = c->next_id++;
	return 0;
}

static uint64_t vfu_client_deadline(const struct vfu_client *c)
{
	return clock_ns() + (uint64_t)c->channel.timeout_ms * NSEC_PER_MSEC;
}

static int vfu_client_poll(struct pollfd *p, size_t n, uint64_t deadline)
{
	for (;;) {
		int r = poll(p, n, clock_ms_until(deadline));

		if (r >= 0)
			return r;
		if (errno != EINTR)
			return -errno;
	}
}

/* Until the server has something to say. */
static int vfu_client_wait(struct vfu_client *c, struct cancel *cancel, uint64_t deadline,
			   struct err *err)
{
	struct pollfd p[] = {
		{ .fd = c->channel.fd, .events = POLLIN },
		{ .fd = cancel && !atomic_load(&cancel->closed) ? cancel->fd : -1,
		  .events = POLLIN },
	};
	int r;

	/* First, so that a server that never stops talking cannot keep it from being heard. */
	if (cancel) {
		r = cancel_check(cancel, err);
		if (r < 0)
			return r;
	}
	r = vfu_client_poll(p, ARRAY_SIZE(p), deadline);
	if (r < 0)
		return err_set(err, r, "poll");
	if (!r)
		return vfu_client_break(c,
					err_set(err, -ETIMEDOUT, "the server was silent for %g s",
						c->channel.timeout_ms / 1e3),
					err);
	return cancel && !p[0].revents ? cancel_check(cancel, err) : 0;
}

/* DMA_READ and the like: there is no memory here that a device could reach. */
static struct vfu_header vfu_client_declined(const struct vfu_header *h)
{
	log_debug("the server sent %s, which is declined", vfu_command_name(h->command));
	return vfu_reply_header(h, -EOPNOTSUPP);
}

static int vfu_client_decline(struct vfu_client *c, const struct vfu_header *h, struct err *err)
{
	struct vfu_header reply = vfu_client_declined(h);

	if (h->flags & VFU_NO_REPLY)
		return 0;
	return vfu_trace_send(&c->trace, &c->channel, &reply, NULL, err);
}

int vfu_client_next(struct vfu_client *c, struct cancel *cancel, struct vfu_header *ret,
		    struct err *err)
{
	uint64_t deadline = vfu_client_deadline(c);
	int r;

	r = vfu_client_usable(c, err);
	if (r < 0)
		return r;
	c->channel.cancel = cancel;
	for (int i = 0; i < UNASKED_MAX; i++) {
		r = vfu_drop_rest(&c->channel, err);
		if (r < 0)
			return vfu_client_break(c, r, err);
		r = vfu_client_wait(c, cancel, deadline, err);
		if (r < 0)
			return r;
		r = vfu_trace_receive_header(&c->trace, &c->channel, ret, err);
		if (r < 0)
			return vfu_client_break(c, r, err);
		if (vfu_is_reply(ret))
			return 0;
		r = vfu_client_decline(c, ret, err);
		if (r < 0)
			return vfu_client_break(c, r, err);
	}
	return vfu_client_give_up(c, "too many commands from the server, and no reply", err);
}

int vfu_client_receive(struct vfu_client *c, void *buf, size_t len, struct err *err)
{
	int r = vfu_trace_receive(&c->trace, &c->channel, buf, len, err);

	return r < 0 ? vfu_client_break(c, r, err) : 0;
}

/* Replies to commands that were given up (of a stream that was closed) are passed over. */
static int vfu_client_find_reply(struct vfu_client *c, uint16_t id, struct cancel *cancel,
				 struct vfu_header *h, struct err *err)
{
	uint64_t deadline = vfu_client_deadline(c);

	for (int i = 0; i < UNASKED_MAX; i++) {
		int r = vfu_client_next(c, cancel, h, err);

		if (r < 0 || h->id == id)
			return r;
		if (!clock_ms_until(deadline))
			return vfu_client_give_up(c, "replies to nothing, and none to it in time",
						  err);
		log_debug("reply %u to %s is one to nothing", h->id, vfu_command_name(h->command));
	}
	return vfu_client_give_up(c, "replies that fit no command", err);
}

static int vfu_client_take_reply(struct vfu_client *c, enum vfu_command command,
				 const struct vfu_header *h, void *reply, size_t size,
				 size_t *ret_len, struct err *err)
{
	size_t len = vfu_payload_size(h);
	int r;

	if (h->command != command || len > size) {
		r = err_set(err, -EPROTO, "a reply to %s of %zu bytes",
			    vfu_command_name(h->command), len);
		return vfu_client_break(c, r, err);
	}
	r = vfu_client_receive(c, reply, len, err);
	if (r < 0)
		return r;
	*ret_len = len;
	return 0;
}

int vfu_client_exchange(struct vfu_client *c, enum vfu_command command,
			const struct vfu_parts *parts, struct cancel *cancel,
			struct vfu_header *ret, void *reply, size_t size, size_t *ret_len,
			struct err *err)
{
	uint16_t id;
	int r;

	*ret_len = 0;
	r = vfu_client_send(c, command, parts, cancel, &id, err);
	if (r < 0)
		return r;
	r = vfu_client_find_reply(c, id, cancel, ret, err);
	if (r < 0)
		return err_prefix(err, r, "%s", vfu_command_name(command));
	if (vfu_reply_code(ret) < 0)
		return 0;
	r = vfu_client_take_reply(c, command, ret, reply, size, ret_len, err);
	return r < 0 ? err_prefix(err, r, "%s", vfu_command_name(command)) : 0;
}

int vfu_client_call(struct vfu_client *c, enum vfu_command command, const struct vfu_parts *parts,
		    struct cancel *cancel, void *reply, size_t size, size_t *ret_len,
		    struct err *err)
{
	struct vfu_header h;
	int r;

	r = vfu_client_exchange(c, command, parts, cancel, &h, reply, size, ret_len, err);
	if (r < 0)
		return r;
	r = vfu_reply_code(&h);
	return r < 0 ? err_set(err, r, "%s", vfu_command_name(command)) : 0;
}

static int vfu_client_negotiate(struct vfu_client *c, struct cancel *cancel, struct err *err)
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
	r = vfu_client_call(c, VFU_VERSION, &parts, cancel, got, sizeof(got), &len, err);
	if (r < 0)
		return r;
	r = vfu_version_decode(got, len, &c->agreed, err);
	if (r < 0)
		return r;
	r = vfu_version_confirm(&ours, &c->agreed, err);
	if (r < 0)
		return r;
	c->agreed.max_data_xfer_size = MIN(c->agreed.max_data_xfer_size, ours.max_data_xfer_size);
	return 0;
}

static void vfu_client_name(int fd, const char *path)
{
	char name[TRACE_DEVICE_MAX];

	if (!trace_wanted())
		return;
	snprintf(name, sizeof(name), "vfio-user:%s", path);
	trace_name(fd, name);
}

int vfu_client_open(struct vfu_client *c, const char *path, int timeout_ms, struct cancel *cancel,
		    struct err *err)
{
	int fd, r;

	*c = (struct vfu_client){
		.channel = { .fd = -1, .timeout_ms = timeout_ms },
		.connection = c->connection + 1,
	};
	r = unix_connect(path, cancel, timeout_ms, &fd, err);
	if (r == -ECONNREFUSED) {
		err_classify(err, ERR_MISSING, r);
		return err_hint(err, r, "its server is gone: start it");
	}
	if (r < 0)
		return r == -ENOENT ? err_classify(err, ERR_MISSING, r) : r;
	c->channel.fd = fd;
	vfu_client_name(fd, path);
	c->message_fit = vfu_message_fit(fd);
	r = vfu_client_negotiate(c, cancel, err);
	if (r < 0) {
		if (r == -ETIMEDOUT) {
			err_note(err, r,
				 "it may be busy with another client: most serve one at a time");
			err_hint(err, r, "end that client first, or wait longer (--timeout)");
		}
		vfu_client_close(c);
		return err_classify(err, ERR_PEER, r);
	}
	return 0;
}

void vfu_client_close(struct vfu_client *c)
{
	vfu_trace_close(&c->trace);
	if (c->channel.fd >= 0) {
		trace_name(c->channel.fd, NULL);
		close(c->channel.fd);
	}
	c->channel.fd = -1;
}

/* The header is whole. */
static int vfu_client_heard(struct vfu_client *c, struct err *err)
{
	struct vfu_unasked *u = &c->unasked;
	uint8_t wire[VFU_HEADER_SIZE];
	struct iovec iov = { .iov_base = wire, .iov_len = sizeof(wire) };
	struct vfu_header h, reply;
	int r;

	r = vfu_header_decode(u->wire, &h, err);
	if (r < 0)
		return r;
	u->len = 0;
	u->left = vfu_payload_size(&h);
	vfu_trace_heard(&c->trace, c->channel.fd, &h);
	if (vfu_is_reply(&h))
		return 0;
	reply = vfu_client_declined(&h);
	if (h.flags & VFU_NO_REPLY)
		return 0;
	vfu_header_encode(&reply, wire);
	/* So few bytes are sent as a whole or not at all. */
	if (vfu_send_some(c->channel.fd, &iov, 1, NULL, 0) < 0)
		log_debug("the server does not read the answer");
	return 0;
}

static int vfu_client_attend_once(struct vfu_client *c, struct err *err)
{
	struct vfu_unasked *u = &c->unasked;
	uint8_t sink[4096];
	ssize_t n;

	if (u->left)
		n = vfu_recv_some(c->channel.fd, sink, MIN(u->left, sizeof(sink)), NULL);
	else
		n = vfu_recv_some(c->channel.fd, u->wire + u->len, sizeof(u->wire) - u->len, NULL);
	if (n == -EAGAIN)
		return -EAGAIN;
	if (n < 0)
		return err_set(err, (int)n, "receive");
	if (!n)
		return err_set(err, -ECONNRESET, "the peer closed the connection");
	if (u->left) {
		u->left -= (size_t)n;
		return 0;
	}
	u->len += (size_t)n;
	return u->len == sizeof(u->wire) ? vfu_client_heard(c, err) : 0;
}

int vfu_client_attend(struct vfu_client *c, struct err *err)
{
	int r;

	r = vfu_client_usable(c, err);
	if (r < 0)
		return r;
	/* What the last reply had beyond what was wanted of it. */
	c->unasked.left += c->channel.left;
	c->channel.left = 0;
	for (int i = 0; i < ATTEND_MAX; i++) {
		r = vfu_client_attend_once(c, err);
		if (r == -EAGAIN)
			return 0;
		if (r < 0)
			return vfu_client_break(c, r, err);
	}
	return 0;
}
