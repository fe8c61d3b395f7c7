/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The other end of a connection
 *
 * It may be slow, silent or gone, or break the protocol; a call ends all the same: with bytes, when
 * the work is cancelled, or when there was silence for too long. Failures of a connection are
 * ERR_ABORTED: nothing is lost by them, and another try is as good.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "transport/uri.h"

struct peer;

struct tls_creds;

/**
 * struct peer_options
 * @timeout_ms: of silence, in which not a byte was moved
 * @insecure: TCP and vsock may be used, and the peer of a UNIX socket may be any user
 * @tls: the connection is by TLS, and by it the peer is known; NULL for none. Outlives the peer.
 */
struct peer_options {
	int timeout_ms;
	bool insecure;
	const struct tls_creds *tls;
};

/** peer_is_protected() - by TLS, or because the user says so */
static inline bool peer_is_protected(const struct peer_options *opts)
{
	return opts->insecure || opts->tls;
}

/** peer_check() - what peer_connect() would refuse by name, without connecting. */
_must_check_ int peer_check(const struct uri *uri, const struct peer_options *opts,
			    struct err *err);

/**
 * peer_connect() - connect to the listener at @uri, one of URI_SOCKET
 *
 * Return: 0; -ECONNREFUSED and the like, -ETIMEDOUT (ERR_OUTPUT); -EPERM (ERR_CONFIG); -ECANCELED;
 * as peer_shake().
 */
_must_check_ int peer_connect(const struct uri *uri, const struct peer_options *opts,
			      struct cancel *cancel, struct peer **ret, struct err *err);

/**
 * peer_new() - @fd, which is taken in any case, is a connection to @name
 *
 * With TLS the handshake is a part of whatever comes first.
 */
_must_check_ int peer_new(int fd, const char *name, const struct peer_options *opts,
			  struct cancel *cancel, struct peer **ret, struct err *err);

/**
 * peer_shake() - wait for the end of the TLS handshake
 *
 * Return: 0, also without TLS; ERR_CONFIG: -EPERM when the peer is not who it must be, -EPROTO when
 * it refuses this end or speaks something else; ERR_ABORTED: -ECONNRESET, -ETIMEDOUT; -ECANCELED.
 */
_must_check_ int peer_shake(struct peer *p, struct err *err);

/** peer_can_inherit() - @fd is a connected stream socket */
bool peer_can_inherit(int fd);

/**
 * peer_inherit() - the socket of @uri, a URI_FD, has a peer already; it is taken on success
 *
 * Return: 0; -EBADF (ERR_MISSING); -EINVAL (ERR_USAGE) for one that is no connected stream socket;
 * -EPERM (ERR_CONFIG) as peer_connect().
 */
_must_check_ int peer_inherit(const struct uri *uri, const struct peer_options *opts,
			      struct cancel *cancel, struct peer **ret, struct err *err);

/**
 * peer_read() - Return: bytes, 0 when the peer has closed its half; -ETIMEDOUT, -ECONNRESET,
 * -ECANCELED. With TLS as peer_shake() as well, and a half that was not closed by TLS is
 * -ECONNRESET.
 */
_must_check_ ssize_t peer_read(struct peer *p, void *buf, size_t len, struct err *err);

/** peer_read_now() - what is there. Return: as above; -EAGAIN, without a story, for nothing. */
_must_check_ ssize_t peer_read_now(struct peer *p, void *buf, size_t len, struct err *err);

/** peer_write() - all of @len bytes. Return: 0; -EPIPE, -ECONNRESET, -ETIMEDOUT, -ECANCELED. */
_must_check_ int peer_write(struct peer *p, const void *buf, size_t len, struct err *err);

/**
 * peer_write_now() - a record that has room in an empty buffer, without waiting
 *
 * For last words: a peer that does not read cannot hold them up. Return: 0, -EAGAIN, or as above.
 */
_must_check_ int peer_write_now(struct peer *p, const void *buf, size_t len, struct err *err);

/** peer_has_more() - peer_read_now() may have something */
bool peer_has_more(const struct peer *p);

/** peer_denies() - it has said by TLS that this end is not let in: it has read none of its data. */
bool peer_denies(const struct peer *p);

/** peer_is_gone() - it has closed the connection, as far as can be known by now. */
bool peer_is_gone(const struct peer *p);

/**
 * peer_finish() - nothing more is written: close our half
 *
 * Waits until the other end's system has all of it, as far as ours can tell. That the peer has read
 * it, only its answer could say. With TLS, one that then closes the connection before it has read
 * the end is none that has broken it. Return: as peer_write().
 */
_must_check_ int peer_finish(struct peer *p, struct err *err);

const char *peer_name(const struct peer *p);

/** peer_nameless() - what an error says, without @name: in front. Return: into @text. */
const char *peer_nameless(const char *text, const char *name);
int peer_fd(const struct peer *p);

/** peer_is_plain_tcp() - neither TLS over it nor a UNIX socket */
bool peer_is_plain_tcp(const struct peer *p);

/** peer_events() - what to poll() peer_fd() for before peer_read_now() */
short peer_events(const struct peer *p);

/** peer_is_late() - what began at @since_ns takes longer than the timeout */
bool peer_is_late(const struct peer *p, uint64_t since_ns);

struct peer *peer_free(struct peer *p);
DEFINE_CLEANUP(struct peer *, peer_free)
