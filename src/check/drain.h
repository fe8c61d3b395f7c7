/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A stream read to its end, or written, in pieces of chosen sizes
 *
 * How a stream is cut into calls must mean nothing to the device, so rules do the same work in
 * many sizes. Small pieces are for the beginning of a stream alone, which is where drivers have
 * their headers: a large state in pieces of one byte would take hours.
 */

#include "base/cleanup.h"
#include "check/check.h"

/* What a read is worth that is not cut small, and the most that a rule asks for at once. */
#define DRAIN_BLOCK (1u << 20)
#define DRAIN_BLOCK_MAX (4u << 20)

/* A device that never ceases to make new data in PRE_COPY is left after so much of it. */
#define DRAIN_PRECOPY_MAX (64u << 20)

/* Outcomes of drain_read(); not errors. */
enum drain_end {
	DRAIN_END, /* read() said 0 */
	DRAIN_NOTHING_NOW, /* it said ENOMSG */
	DRAIN_ENOUGH, /* as many bytes as may be, and no end */
	DRAIN_STOPPED, /* the rule is to return */
};

/**
 * struct drain_pieces - the sizes of calls
 * @sizes: one after the other, then from the first again; 0 after the last
 * @fine: so many bytes go by @sizes, all that follows by DRAIN_BLOCK
 */
struct drain_pieces {
	const size_t *sizes;
	size_t fine;
};

extern const struct drain_pieces drain_by_byte; /* 4096 single bytes */
extern const struct drain_pieces drain_by_odd_sizes; /* of 1 to 4099 bytes, for 1 MiB */
extern const struct drain_pieces drain_by_block; /* DRAIN_BLOCK */
extern const struct drain_pieces drain_by_large_block; /* DRAIN_BLOCK_MAX */

/**
 * drain_read() - read until there is no more
 * @max: bytes that @to may have in the end; at most SUBJECT_STATE_MAX
 * @to: what comes is added to it; the caller's, drain_done()
 *
 * Return: enum drain_end; the negative errno of the read that failed.
 */
_must_check_ int drain_read(struct check *c, struct subject_session *x,
			    const struct drain_pieces *pieces, size_t max,
			    struct subject_state *to);

/**
 * drain_write() - write all of a state
 *
 * Return: 0; the negative errno of the write that failed; -EIO, told as a violation, where a write
 * took nothing; -ECANCELED where the rule is to return.
 */
_must_check_ int drain_write(struct check *c, struct subject_session *x,
			     const struct drain_pieces *pieces, const struct subject_state *from);

/**
 * drain_begin() - go to a state that has a session
 *
 * Return: whether @ret is the session; else a verdict was told.
 */
_must_check_ bool drain_begin(struct check *c, struct subject *s, enum mig_state state,
			      struct subject_session **ret);

/**
 * drain_session() - STOP_COPY from where it is, the whole stream, and STOP again
 *
 * Return: whether @ret is the whole stream; else a verdict was told, and @ret has what came.
 */
_must_check_ bool drain_session(struct check *c, struct subject *s,
				const struct drain_pieces *pieces, struct subject_state *ret);

static inline void drain_done(struct subject_state *state)
{
	free(state->data);
	*state = (struct subject_state){ 0 };
}

#define _cleanup_state_ _cleanup_(drain_done)

static inline void drain_session_closep(struct subject_session **x)
{
	if (*x)
		subject_session_close(*x);
}

#define _cleanup_session_ _cleanup_(drain_session_closep)
