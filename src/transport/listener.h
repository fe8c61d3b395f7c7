/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where senders connect to
 *
 * A UNIX socket is for its owner and root. Its file goes with the listener, and replaces nothing
 * but one that no process listens on.
 */

#include "base/cancel.h"
#include "base/cleanup.h"
#include "transport/peer.h"
#include "transport/uri.h"

/* What listener_open() takes: fd:N is a listening socket that was left open, as by systemd. */
#define URI_LISTEN (URI_SOCKET | URI_FD)

struct listener;

/**
 * listener_open() - listen at @uri
 *
 * Of a URI_VSOCK the CID is the only machine that may connect. The descriptor of a URI_FD is the
 * listener's from here on.
 *
 * Return: 0; -EADDRINUSE and the like; -EPERM (ERR_CONFIG) as address_allow(); -EINVAL, -ENOTSOCK
 * (ERR_USAGE) for a descriptor that does not listen.
 */
_must_check_ int listener_open(const struct uri *uri, const struct peer_options *opts,
			       struct listener **ret, struct err *err);

/**
 * listener_open_soon() - the same at an address that may be about to be free
 * @err: not NULL
 *
 * A receiver has said its last word before it ends: what hears it may start the next one at once.
 * So an address that is in use is tried again for a second, which no signal cuts short.
 *
 * Return: as listener_open().
 */
_must_check_ int listener_open_soon(const struct uri *uri, const struct peer_options *opts,
				    struct listener **ret, struct err *err);

/**
 * listener_name() - where it listens, in the form that a sender understands: with the real port.
 */
const char *listener_name(const struct listener *l);

/** listener_fd() - readable when a peer has connected */
int listener_fd(const struct listener *l);

/** listener_accept() - the next peer. Return: 0; -EAGAIN, without a story, when there is none. */
_must_check_ int listener_accept(struct listener *l, struct cancel *cancel, struct peer **ret,
				 struct err *err);

/**
 * listener_check_peer() - whether @p, one of its peers, may send
 *
 * On its own, so that a peer that may not can be told why. Return: as trust_check().
 */
_must_check_ int listener_check_peer(const struct listener *l, const struct peer *p,
				     struct err *err);

/** listener_free() - the system refuses the connections that were not accepted. */
struct listener *listener_free(struct listener *l);
DEFINE_CLEANUP(struct listener *, listener_free)
