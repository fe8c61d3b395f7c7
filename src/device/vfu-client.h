/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A client's conversation with a vfio-user server
 *
 * Commands and replies are matched by id, so that several may be under way. Commands of the
 * server's own are declined, in bounded numbers; fds that come along are closed.
 *
 * A signal (@cancel) that arrives between two messages leaves the conversation whole: a reply that
 * is still to come is passed over later. Within a message only giving up the connection ends the
 * wait. After that, and after a broken message, the conversation is over: every call fails.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "device/vfu-trace.h"
#include "vfu/channel.h"
#include "vfu/version.h"

/**
 * struct vfu_unasked - what the server says while nothing is asked, as far as it is here
 * @wire, @len: of the header
 * @left: bytes of the payload that are still to be dropped
 */
struct vfu_unasked {
	uint8_t wire[VFU_HEADER_SIZE];
	size_t len, left;
};

/**
 * struct vfu_client - one connection
 * @channel: with the time that a reply may take
 * @agreed: what was negotiated; its transfer size is the smaller of both sides'
 * @message_fit: the largest message that the server sees whole (vfu_message_fit())
 * @connection: counts vfu_client_open(): a reply can only come on the connection of its command
 * @broken: errno after which nothing more can be said, 0 while all is well
 * @unasked: of vfu_client_attend()
 * @trace: what a trace is told of it
 */
struct vfu_client {
	struct vfu_channel channel;
	struct vfu_version agreed;
	size_t message_fit;
	uint16_t next_id;
	unsigned int connection;
	int broken;
	struct vfu_unasked unasked;
	struct vfu_trace trace;
};

/**
 * vfu_client_open() - connect and negotiate
 * @c: zero, or closed
 * @cancel: may be NULL, as for all calls here
 *
 * Return: 0; ERR_MISSING, ERR_PEER kinds; -ECANCELED.
 */
_must_check_ int vfu_client_open(struct vfu_client *c, const char *path, int timeout_ms,
				 struct cancel *cancel, struct err *err);
void vfu_client_close(struct vfu_client *c);

/**
 * vfu_client_send() - send a command without waiting for its reply
 *
 * Return: 0 and the id to match, or negative errno.
 */
_must_check_ int vfu_client_send(struct vfu_client *c, enum vfu_command command,
				 const struct vfu_parts *parts, struct cancel *cancel,
				 uint16_t *ret_id, struct err *err);

/**
 * vfu_client_next() - wait for the header of the next reply, to whichever command
 *
 * The time that a reply may take is not prolonged by what the server says before it. The payload is
 * the caller's to receive; what is not received is dropped by the next call.
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED, -ECONNRESET, -EPROTO.
 */
_must_check_ int vfu_client_next(struct vfu_client *c, struct cancel *cancel,
				 struct vfu_header *ret, struct err *err);

/** vfu_client_receive() - @len bytes of that payload; cancelled as the vfu_client_next() before. */
_must_check_ int vfu_client_receive(struct vfu_client *c, void *buf, size_t len, struct err *err);

/** vfu_client_give_up() - the server breaks the protocol: -EPROTO, now and from here on. */
int vfu_client_give_up(struct vfu_client *c, const char *why, struct err *err);

/**
 * vfu_client_exchange() - a command and its reply, which may say that it failed
 * @ret: the reply's header; vfu_reply_code() tells what it says
 * @reply: room for @size bytes of payload; more is an error of the peer's
 * @ret_len: how many there were, 0 after a failure
 *
 * Return: 0; ERR_PEER kinds when the server broke the protocol or fell silent; -ECANCELED.
 */
_must_check_ int vfu_client_exchange(struct vfu_client *c, enum vfu_command command,
				     const struct vfu_parts *parts, struct cancel *cancel,
				     struct vfu_header *ret, void *reply, size_t size,
				     size_t *ret_len, struct err *err);

/** vfu_client_call() - the same, where a failure is one of the call, with the server's errno. */
_must_check_ int vfu_client_call(struct vfu_client *c, enum vfu_command command,
				 const struct vfu_parts *parts, struct cancel *cancel, void *reply,
				 size_t size, size_t *ret_len, struct err *err);

/**
 * vfu_client_attend() - read what the server says while nothing is asked of it
 *
 * Never waits. Its commands are declined, late replies are dropped. A reply that does not fit into
 * a full socket is dropped, too: a server that does not read cannot be answered. After the first
 * call no command may be sent any more.
 *
 * Return: 0; -ECONNRESET when the server is gone; -EPROTO when it breaks the protocol.
 */
_must_check_ int vfu_client_attend(struct vfu_client *c, struct err *err);
