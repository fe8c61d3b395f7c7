/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where an image comes from
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "transport/peer.h"
#include "transport/uri.h"

struct input;

/**
 * input_open() - Return: 0; -ENOENT (ERR_MISSING) and the like; -EINVAL (ERR_USAGE) for a
 * terminal.
 * @cancel: ends a wait for a slow writer
 */
_must_check_ int input_open(const struct uri *uri, struct cancel *cancel, struct input **ret,
			    struct err *err);

/**
 * input_from_peer() - from a peer that has connected
 * @peer, @start: taken in any case
 * @start: @len bytes that were read of it already
 */
_must_check_ int input_from_peer(struct peer *peer, uint8_t *start, size_t len, struct input **ret,
				 struct err *err);

/** input_read_fn - the next bytes: as input_read() */
typedef ssize_t input_read_fn(void *ctx, void *buf, size_t len, struct err *err);

/**
 * input_from_reader() - what a function reads, up to an end that comes where the image's does
 * @name: what messages call it
 */
_must_check_ int input_from_reader(input_read_fn *read, void *ctx, const char *name,
				   struct input **ret, struct err *err);

/** input_read() - Return: bytes, 0 at the end, negative errno (ERR_IO); -ECANCELED. */
_must_check_ ssize_t input_read(struct input *in, void *buf, size_t len, struct err *err);

/** input_rewindable() - it can be read twice: verify first, then use. */
bool input_rewindable(const struct input *in);

/**
 * input_ends() - it ends where the image does, or something is wrong
 *
 * True of files, and of commands, whose exit status comes with the end. A pipe or a socket may stay
 * open.
 */
bool input_ends(const struct input *in);

/**
 * input_is_carried() - by TCP as it is, without TLS
 *
 * What carries it takes time of a CPU beside that of the reader: the sender, if that is on this
 * host, and the kernel in any case.
 */
bool input_is_carried(const struct input *in);

/** input_rewind() - back to where it was when it was opened. */
_must_check_ int input_rewind(struct input *in, struct err *err);

/** input_seek() - of one that is rewindable: @at bytes behind where it was when it was opened */
_must_check_ int input_seek(struct input *in, uint64_t at, struct err *err);

/**
 * input_read_at() - of one that is rewindable: from that place, and leave it where it is
 *
 * Several threads may do this at once.
 *
 * Return: @len, or what there is before the end; negative errno (ERR_IO).
 */
_must_check_ ssize_t input_read_at(struct input *in, void *buf, size_t len, uint64_t at,
				   struct err *err);

/** input_answers() - the sender at the other end can be told what became of the image. */
bool input_answers(const struct input *in);

/** input_answer() - tell them, in at most some hundred bytes; as peer_write_now(). */
_must_check_ int input_answer(struct input *in, const void *buf, size_t len, struct err *err);

const char *input_name(const struct input *in);

struct input *input_free(struct input *in);
DEFINE_CLEANUP(struct input *, input_free)
