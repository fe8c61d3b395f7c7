/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Requests for data in flight, and what their replies mean
 *
 * MIG_DATA_READ and MIG_DATA_WRITE are sent several at a time: to wait for each costs a third of
 * the rate and more. The stream is the replies in the order of their requests, and a reply can only
 * be judged with what is before and behind it. A server may
 *
 *  - say that there is no more (size 0 in STOP_COPY) and fail what was sent behind that: it does
 *    not count, nor would bytes;
 *  - say so by ENOMSG in PRE_COPY, where it means "for now", and be in STOP_COPY when its reply is
 *    looked at: the state in which the request was sent decides;
 *  - refuse (EBUSY) what comes while one request is under way, having taken nothing: it is asked
 *    again, one request at a time;
 *  - fail in the middle and serve what is behind: bytes may be lost, and the stream has a hole.
 *
 * After a reply with less than was asked for the end is near: no more is sent until all are
 * answered, then one request at a time until one is served in full again.
 *
 * Pure: no socket, no clock.
 */

#include <stdbool.h>
#include <stdint.h>

#define VFU_WINDOW_MAX 8u

/**
 * struct vfu_request - a request under way
 * @final: sent in STOP_COPY: when it brings nothing, that is the end
 * @alone: sent when no other was under way, and none follows before its reply
 * @answered: its reply is there, and the members below are set
 * @code: 0, or the negative errno that the reply says
 * @len: bytes of data that were read or taken
 * @taken: of those, how many the caller has had; the caller's
 * @buf: the caller's; stays with its place in the window
 */
struct vfu_request {
	uint16_t id;
	bool final, alone, answered;
	int code;
	uint32_t len, taken;
	uint8_t *buf;
};

/**
 * struct vfu_window - requests in the order of the stream, the first one first
 * @n: how many are under way or not yet used
 * @depth: how many may be; 1 for a server that refuses more
 * @width: how many may be now
 * @draining: none is to be sent until all have been used
 */
struct vfu_window {
	struct vfu_request q[VFU_WINDOW_MAX];
	unsigned int n, depth, width;
	bool draining;
};

/* What is to be done with the first request. */
enum vfu_verdict {
	VFU_WAIT, /* nothing yet: receive replies */
	VFU_TAKE, /* its data is next in the stream */
	VFU_PASS, /* it brought nothing for now */
	VFU_END, /* the stream has ended: no other request counts */
	VFU_SINGLY, /* it was refused for not being the only one, and may be sent again */
	VFU_HOLE, /* it failed, and requests behind it were served: data may be lost */
	VFU_FAIL, /* it failed */
};

/** vfu_window_init() - @depth: at most VFU_WINDOW_MAX */
void vfu_window_init(struct vfu_window *w, unsigned int depth);

/** vfu_window_may_send() - Return: whether another request may be sent now. */
bool vfu_window_may_send(const struct vfu_window *w);

/** vfu_window_push() - another one, when it may be sent; its id is the caller's to set. */
struct vfu_request *vfu_window_push(struct vfu_window *w, bool final);

/** vfu_window_find() - Return: the one that waits for the reply @id, or NULL. */
struct vfu_request *vfu_window_find(struct vfu_window *w, uint16_t id);

/**
 * vfu_window_answer() - the reply to @q is there
 * @len: bytes that were read or taken
 * @full: as many as were asked for
 */
void vfu_window_answer(struct vfu_window *w, struct vfu_request *q, int code, uint32_t len,
		       bool full);

/** vfu_window_pop() - the first one has been used. */
void vfu_window_pop(struct vfu_window *w);

/** vfu_window_go_singly() - from here on one at a time: after VFU_SINGLY. */
void vfu_window_go_singly(struct vfu_window *w);

/** vfu_window_read_verdict() - of a window of reads; VFU_WAIT while it is empty */
enum vfu_verdict vfu_window_read_verdict(const struct vfu_window *w);

/** vfu_window_write_verdict() - of writes; VFU_SINGLY means all that are in the window. */
enum vfu_verdict vfu_window_write_verdict(const struct vfu_window *w);
