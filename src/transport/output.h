/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where an image goes
 *
 * A path, a descriptor, standard output, a command's input, a socket. A path gets its file only
 * when all of it is there and synced: until then the bytes have no name (O_TMPFILE), or where
 * the file system cannot do that (NFS, overlays, hostfs) a name of their own beside it.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "transport/peer.h"
#include "transport/uri.h"

struct output;

/**
 * output_open() - prepare to write
 * @uri: kind and place
 * @force: an existing file may be replaced
 * @cancel: ends a wait for a slow reader
 *
 * Refuses (ERR_OUTPUT) what exists, a terminal, a folder. What is there stays untouched.
 */
_must_check_ int output_open(const struct uri *uri, bool force, struct cancel *cancel,
			     struct output **ret, struct err *err);

/**
 * output_connect() - to the listener at @uri, one of URI_SOCKET
 *
 * Fails as peer_connect(), and later as peer_write().
 */
_must_check_ int output_connect(const struct uri *uri, const struct peer_options *opts,
				struct cancel *cancel, struct output **ret, struct err *err);

/** output_check() - what output_open() would refuse by name, without opening anything. */
_must_check_ int output_check(const struct uri *uri, bool force, struct err *err);

/**
 * output_room() - how many bytes the file system takes of a file that output_open() makes at @uri
 *
 * Return: whether that can be told: not of what is no file, or is written to as it is.
 */
bool output_room(const struct uri *uri, uint64_t *ret);

/** output_write() - all of @len bytes. -ENOSPC, -EPIPE and the rest are ERR_IO. */
_must_check_ int output_write(void *output, const void *buf, size_t len, struct err *err);

/**
 * output_finish() - everything was written: wait until the reader has read it all
 *
 * Of a command: its end, which must be a success. Of a socket: our half is closed, see
 * peer_finish(). Nothing of files and descriptors, whose system takes the bytes. The last that
 * can be cancelled.
 */
_must_check_ int output_finish(struct output *out, struct err *err);

/**
 * output_has_reader() - what is written is read by a process as it comes, which may act on it
 *
 * True of a pipe, a command and a socket; a file is of no use before it is complete.
 */
bool output_has_reader(const struct output *out);

/** output_answers() - the receiver at the other end can say what became of the bytes. */
bool output_answers(const struct output *out);

/**
 * output_denies() - the other end has said that this one is not let in
 *
 * In answer to who it is, before it has read a byte.
 */
bool output_denies(const struct output *out);

/**
 * output_answer() - what they say: exactly @len bytes; can be cancelled
 *
 * Return: 0; -ECONNRESET when they close the connection before that; as peer_read().
 */
_must_check_ int output_answer(struct output *out, void *buf, size_t len, struct err *err);

/**
 * output_publish() - it is finished: make it durable and give it its name
 *
 * Syncs the file, links it in place, syncs the folder. For a descriptor: syncs a regular file, and
 * tells a failed close.
 */
_must_check_ int output_publish(struct output *out, struct err *err);

/** output_name() - for messages. */
const char *output_name(const struct output *out);

/** output_free() - without output_publish() nothing is left behind. */
struct output *output_free(struct output *out);
DEFINE_CLEANUP(struct output *, output_free)
