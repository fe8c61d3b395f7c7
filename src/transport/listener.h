/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Where others connect to
 *
 * A UNIX socket is for its owner only. Its file goes with the listener, and replaces nothing but one
 * that nobody listens on.
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
 * Return: 0; -EADDRINUSE and the like; -EPERM (ERR_CONFIG); -EINVAL, -ENOTSOCK (ERR_USAGE) for a
 * descriptor that does not listen.
 */
_must_check_ int listener_open(const struct uri *uri, const struct peer_options *opts,
			       struct listener **ret, struct err *err);

/** listener_name() - where it listens, in the form that a sender understands: with the real port. */
const char *listener_name(const struct listener *l);

/** listener_fd() - readable when somebody has come */
int listener_fd(const struct listener *l);

/** listener_accept() - who has come. Return: 0; -EAGAIN, without a story, when it is nobody. */
_must_check_ int listener_accept(struct listener *l, struct cancel *cancel, struct peer **ret,
				 struct err *err);

/** listener_free() - whoever is at the door and was not accepted is turned away by the system. */
struct listener *listener_free(struct listener *l);
DEFINE_CLEANUP(struct listener *, listener_free)
