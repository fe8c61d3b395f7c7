/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * vfio-user version negotiation
 *
 * The first message of a connection and its reply: a version, and capabilities as JSON. The peer
 * may say anything, so that size, depth and every number are bounded; what is not known is
 * passed over, and what is left out has the protocol's default. Pure.
 */

#include "vfu/message.h"

#define VFU_MAJOR 0
#define VFU_MINOR 2

/* Real capabilities take some 150 bytes. */
#define VFU_JSON_MAX 4096u
#define VFU_VERSION_MAX (sizeof(struct vfu_version_head) + VFU_JSON_MAX)

#define VFU_MSG_FDS_DEFAULT 1u
#define VFU_MSG_FDS_LIMIT 1024u

/**
 * struct vfu_version - what one side proposes or agrees to
 * @max_msg_fds: how many fds it takes in one message
 * @max_data_xfer_size: how much data it takes in one message, cut to VFU_XFER_MAX
 * @pgsize: of its migration capability; 0 where it did not say that it has one
 * @twin_socket: it has a second socket for the server's commands; never proposed here
 */
struct vfu_version {
	uint16_t major, minor;
	uint32_t max_msg_fds;
	uint32_t max_data_xfer_size;
	uint64_t pgsize;
	bool twin_socket;
};

/**
 * vfu_version_encode() - the payload of a VERSION message
 *
 * @v->twin_socket is left out, and so is migration while @v->pgsize is 0.
 *
 * Return: its size, never more than VFU_VERSION_MAX.
 */
size_t vfu_version_encode(const struct vfu_version *v, uint8_t buf[VFU_VERSION_MAX]);

/**
 * vfu_version_decode() - read the payload of a VERSION message
 *
 * Return: 0, -EPROTO for what is no such payload or has a number out of range, -ENOMEM.
 */
_must_check_ int vfu_version_decode(const void *payload, size_t len, struct vfu_version *ret,
				    struct err *err);

/**
 * vfu_version_accept() - server: the version to reply to what a client proposed
 * @ours: what the server can do
 * @ret: @ours with the lower minor
 *
 * Return: 0, or -EPROTONOSUPPORT for another major: close the connection.
 */
_must_check_ int vfu_version_accept(const struct vfu_version *ours,
				    const struct vfu_version *proposed, struct vfu_version *ret,
				    struct err *err);

/**
 * vfu_version_confirm() - client: whether a server's reply fits what was proposed
 *
 * Return: 0; -EPROTONOSUPPORT for a version that was not proposed; -EPROTO for a second socket.
 */
_must_check_ int vfu_version_confirm(const struct vfu_version *proposed,
				     const struct vfu_version *reply, struct err *err);
