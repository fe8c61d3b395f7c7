/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A conversation with a vfio-user server, for a trace
 *
 * All messages of the client go through these three, which do what the functions of vfu/channel.h
 * do, and tell. A reply is told once the first part of its payload is here, since that is what
 * it says.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/trace.h"
#include "vfu/channel.h"

/* More commands are never under way at once. */
#define VFU_TRACE_SENT 64

/**
 * struct vfu_trace - what is known of a conversation; zero to begin with
 * @sent_ns: when the command of an id, modulo VFU_TRACE_SENT, was sent
 * @waits: @reply is to be told, as @record, when its payload comes
 */
struct vfu_trace {
	uint64_t sent_ns[VFU_TRACE_SENT];
	bool waits;
	struct vfu_header reply;
	struct trace_record record;
};

/** vfu_trace_send() - vfu_send() */
_must_check_ int vfu_trace_send(struct vfu_trace *t, struct vfu_channel *ch,
				const struct vfu_header *h, const struct vfu_parts *parts,
				struct err *err);

/** vfu_trace_receive_header() - vfu_receive_header(); descriptors that come along are closed. */
_must_check_ int vfu_trace_receive_header(struct vfu_trace *t, struct vfu_channel *ch,
					  struct vfu_header *ret, struct err *err);

/** vfu_trace_receive() - vfu_receive() */
_must_check_ int vfu_trace_receive(struct vfu_trace *t, struct vfu_channel *ch, void *buf,
				   size_t len, struct err *err);

/** vfu_trace_heard() - tell of a header that came in another way, by @fd */
void vfu_trace_heard(struct vfu_trace *t, int fd, const struct vfu_header *h);

/** vfu_trace_close() - tell what is still to be told. */
void vfu_trace_close(struct vfu_trace *t);
