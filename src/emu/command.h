/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a vfio-user server answers
 *
 * A command in, a reply out. Pure: no socket.
 */

#include <string.h>

#include "emu/device.h"
#include "vfu/version.h"

/**
 * struct emu_session - what was agreed with the client of a device
 * @negotiated: its first message came, and was a VERSION
 * @xfer_max: data in a message: the lesser of the two sides' limits
 */
struct emu_session {
	bool negotiated;
	uint32_t xfer_max;
};

/**
 * struct emu_command - a command, as it came
 * @h: decoded, and a command
 */
struct emu_command {
	struct vfu_header h;
	const uint8_t *payload;
	size_t len;
};

/**
 * struct emu_reply - how it is answered
 * @payload: room for VFU_PAYLOAD_MAX bytes, the caller's
 * @code: 0, or the negative errno to answer with, without payload
 * @delay_ns: not to be sent before
 * @close: to be sent, and the client dropped
 */
struct emu_reply {
	uint8_t *payload;
	size_t len;
	int code;
	uint64_t delay_ns;
	bool close;
};

static inline void emu_reply_add(struct emu_reply *reply, const void *from, size_t size)
{
	memcpy(reply->payload + reply->len, from, size);
	reply->len += size;
}

/**
 * emu_answer() - do what a client asks
 * @err: why @ret->code is what it is
 *
 * Return: enum emu_outcome; -EPROTO for a client to be dropped without an answer.
 */
_must_check_ int emu_answer(struct emu_device *d, struct emu_session *s,
			    const struct emu_command *c, struct emu_reply *ret, struct err *err);
