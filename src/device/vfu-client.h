/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A client's conversation with a vfio-user server
 *
 * Commands and replies are matched by id, so that several may be under way. What the server says
 * unasked is answered where an answer is due, or dropped, in bounded numbers; fds that come along
 * are closed. After a broken message the conversation is over: every call fails.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "base/err.h"
#include "vfu/channel.h"
#include "vfu/version.h"

/**
 * struct vfu_client - one connection
 * @channel: with the timeout of silence
 * @agreed: what was negotiated; its transfer size is the smaller of both sides'
 * @connection: counts vfu_client_open(): what was asked on another is answered by nobody
 * @broken: errno after which nothing more can be said, 0 while all is well
 */
struct vfu_client {
	struct vfu_channel channel;
	struct vfu_version agreed;
	uint16_t next_id;
	unsigned int connection;
	int broken;
};

/** vfu_client_open() - connect and negotiate; @c is zero, or was closed. Return: 0; ERR_MISSING, ERR_PEER kinds. */
_must_check_ int vfu_client_open(struct vfu_client *c, const char *path, int timeout_ms,
				 struct err *err);
void vfu_client_close(struct vfu_client *c);

/**
 * vfu_client_send() - send a command without waiting for its reply
 *
 * Return: 0 and the id to match, or negative errno.
 */
_must_check_ int vfu_client_send(struct vfu_client *c, enum vfu_command command,
				 const struct vfu_parts *parts, uint16_t *ret_id, struct err *err);

/**
 * vfu_client_wait() - until the server has something to say
 * @cancel: may be NULL. A signal is heard here, between two messages, where to stop waiting leaves
 *          the conversation whole: the reply is passed over when it comes
 *
 * Return: 0, -ETIMEDOUT, -ECANCELED.
 */
_must_check_ int vfu_client_wait(struct vfu_client *c, struct cancel *cancel, struct err *err);

/**
 * vfu_client_next() - the header of the next reply, whosever it is
 *
 * Its payload is the caller's to receive; what is not is dropped by the next call.
 */
_must_check_ int vfu_client_next(struct vfu_client *c, struct vfu_header *ret, struct err *err);

/** vfu_client_give_up() - the server breaks the protocol: -EPROTO, now and from here on. */
int vfu_client_give_up(struct vfu_client *c, const char *why, struct err *err);

/** vfu_client_receive() - @len bytes of that payload. */
_must_check_ int vfu_client_receive(struct vfu_client *c, void *buf, size_t len, struct err *err);

/**
 * vfu_client_call() - a command and its reply
 * @cancel: as for vfu_client_wait()
 * @reply: room for @size bytes of payload; more is an error of the peer's
 * @ret_len: how many there were
 *
 * Return: 0; the errno that the server answered with; ERR_PEER kinds when it broke the protocol
 * or fell silent.
 */
_must_check_ int vfu_client_call(struct vfu_client *c, enum vfu_command command,
				 const struct vfu_parts *parts, struct cancel *cancel, void *reply,
				 size_t size, size_t *ret_len, struct err *err);
