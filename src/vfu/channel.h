/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whole messages over a socket
 *
 * For a thread that may wait: each call returns when it is done, when the message was not whole
 * within its time, or when the work was cancelled. Several commands may be on their way before the
 * first reply is read; matching them is the caller's. A server of many clients cannot wait for one
 * of them and uses the two functions at the end instead.
 *
 * The time is a message's, not a byte's: a peer that sends one byte a second is as good as silent.
 *
 * After any error the two sides may disagree about where a message begins: close the socket.
 *
 * Some servers (libvfio-user) take the body of a message by one recv(), and what is not there by
 * then is lost to them. On Linux a sendmsg() to a UNIX stream socket is cut into buffers, each of
 * which becomes visible by itself: at most a page's head and 32 KiB of pages, and at most half of
 * SO_SNDBUF. A message that fits into one of them is there as a whole or not at all, a full socket
 * included, and it is sent by one sendmsg(). vfu_message_fit() says how large that is.
 */

#include <sys/types.h>
#include <sys/uio.h>

#include "base/cancel.h"
#include "vfu/message.h"

/* No message of a device needs more; what comes beyond is closed. */
#define VFU_FDS_MAX 16u

struct vfu_fds {
	int fd[VFU_FDS_MAX];
	size_t n;
};

void vfu_fds_done(struct vfu_fds *fds);

/**
 * struct vfu_channel - one end of a connection
 * @fd: the caller's; blocking or not makes no difference
 * @cancel: watched while waiting, if set
 * @timeout_ms: for each message, from its first byte to its last; -1 for ever
 * @left: bytes of the present message's payload that were not received yet
 * @deadline_ns: of the message that is being received
 *
 * No init or done: fill in the first three.
 */
struct vfu_channel {
	int fd;
	struct cancel *cancel;
	int timeout_ms;
	size_t left;
	uint64_t deadline_ns;
};

/**
 * struct vfu_parts - the payload of a message to send: a struct, then data
 * @fds: to pass along; remain the caller's
 */
struct vfu_parts {
	const void *head;
	size_t head_len;
	const void *data;
	size_t data_len;
	const int *fds;
	size_t n_fds;
};

/**
 * vfu_send() - send a message
 * @h: its size is set from @parts
 * @parts: NULL for a message that is all header
 *
 * Return: 0; -EPIPE, -ECONNRESET when the peer is gone; -ETIMEDOUT; -ECANCELED; -EMSGSIZE for
 * more than VFU_PAYLOAD_MAX.
 */
_must_check_ int vfu_send(struct vfu_channel *ch, const struct vfu_header *h,
			  const struct vfu_parts *parts, struct err *err);

/** vfu_message_fit() - size of the largest message, header included, that reaches @fd whole. */
size_t vfu_message_fit(int fd);

/**
 * vfu_receive_header() - the next message
 * @fds: what came along, the caller's even on failure; NULL to have it closed
 *
 * What was left of the message before is dropped first. vfu_payload_size() bytes follow, to be
 * had by vfu_receive() in as many pieces as the caller likes.
 *
 * Return: 0; -ECONNRESET when the peer is gone; -EPROTO; -ETIMEDOUT; -ECANCELED.
 */
_must_check_ int vfu_receive_header(struct vfu_channel *ch, struct vfu_header *ret,
				    struct vfu_fds *fds, struct err *err);

/** vfu_receive() - the next @len bytes of the payload. Return: as above; -EPROTO if shorter. */
_must_check_ int vfu_receive(struct vfu_channel *ch, void *buf, size_t len, struct err *err);

/** vfu_drop_rest() - receive what is left of the payload, and forget it. Return: as above. */
_must_check_ int vfu_drop_rest(struct vfu_channel *ch, struct err *err);

/*
 * Without waiting
 */

/**
 * vfu_recv_some() - what is there
 * @fds: collects what came along, beyond what it holds already; NULL to have it closed
 *
 * Return: bytes, 0 when the peer has closed, negative errno, -EAGAIN among them.
 */
_must_check_ ssize_t vfu_recv_some(int fd, void *buf, size_t len, struct vfu_fds *fds);

/** vfu_send_some() - what fits. Return: bytes, negative errno, -EAGAIN among them. */
_must_check_ ssize_t vfu_send_some(int fd, const struct iovec *iov, size_t n_iov, const int *fds,
				   size_t n_fds);
