/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What goes both ways: a connection, or a command with two pipes
 *
 * One thread may read while another writes. A call ends with bytes, when the work is cancelled, or
 * when there was silence for longer than the timeout; failures of the connection are ERR_ABORTED.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"
#include "transport/peer.h"
#include "transport/uri.h"

struct channel;

/* What channel_open() takes: fd:N is a connected socket, - standard input and output. */
#define URI_CHANNEL (URI_SOCKET | URI_EXEC | URI_STDIO | URI_FD)

/**
 * channel_open() - connect, or start the command of a URI_EXEC
 *
 * The command's standard input and output are ours; its password prompt has the terminal. What is
 * standard input and output, or descriptor N, is the channel's from here on: their place is taken
 * by /dev/null. TLS is for sockets.
 *
 * Return: as peer_connect() and peer_inherit(); -EINVAL (ERR_USAGE) for standard input and output
 * that are neither pipes nor sockets.
 */
_must_check_ int channel_open(const struct uri *uri, const struct peer_options *opts,
			      struct cancel *cancel, struct channel **ret, struct err *err);

/** channel_from_peer() - @peer, which is taken in any case, has connected to us */
_must_check_ int channel_from_peer(struct peer *peer, struct channel **ret, struct err *err);

/**
 * channel_read() - Return: bytes, 0 at the end; -ETIMEDOUT, -ECONNRESET, -ECANCELED; -EIO, with how
 * it ended, for a command that failed.
 */
_must_check_ ssize_t channel_read(struct channel *c, void *buf, size_t len, struct err *err);

/** channel_read_now() - what is there. Return: as above; -EAGAIN, without a story, for nothing. */
_must_check_ ssize_t channel_read_now(struct channel *c, void *buf, size_t len, struct err *err);

/** channel_write() - all of @len bytes. Return: 0; -EPIPE, -ECONNRESET, -ETIMEDOUT, -ECANCELED. */
_must_check_ int channel_write(struct channel *c, const void *buf, size_t len, struct err *err);

/**
 * channel_write_now() - a small record, without waiting and whatever the cancel says
 *
 * Return: 0, -EAGAIN where there is no room for all of it, or as above.
 */
_must_check_ int channel_write_now(struct channel *c, const void *buf, size_t len, struct err *err);

/**
 * channel_finish() - nothing more is written
 *
 * Waits until the other end's system has all of it, as far as ours can tell; of a command until it
 * has ended, which must be a success and within the timeout. What it says until then can be read
 * before, and no more afterwards.
 */
_must_check_ int channel_finish(struct channel *c, struct err *err);

/** channel_has_more() - channel_read_now() may have something */
bool channel_has_more(const struct channel *c);

/** channel_is_gone() - the other end has closed it, as far as can be known by now. */
bool channel_is_gone(const struct channel *c);

/** channel_fd() - for poll(): channel_has_more() knows what is here already */
int channel_fd(const struct channel *c);

/** channel_name() - for messages. */
const char *channel_name(const struct channel *c);

/** channel_free() - a command that still runs is ended. */
struct channel *channel_free(struct channel *c);
DEFINE_CLEANUP(struct channel *, channel_free)
