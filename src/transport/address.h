/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tcp:HOST:PORT and vsock:CID:PORT as the system knows them
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/cancel.h"
#include "base/err.h"
#include "transport/uri.h"

/* Of one host; one that has more is tried at the first ones. */
#define ADDRESSES_MAX 8u

/* "tcp:[...]:65535" */
#define ADDRESS_TEXT_MAX 96u

struct address {
	struct sockaddr_storage sa;
	socklen_t len;
};

/**
 * address_resolve() - where @uri, a URI_TCP or URI_VSOCK, may be
 * @listening: for bind(), where port 0 is any that is free, and the host * every address of this
 *             machine; else these are refused. A CID names the peer, and is no address to bind to
 * @cancel: may be NULL
 * @ret: room for ADDRESSES_MAX; the system's order of preference
 *
 * May ask name servers.
 *
 * Return: how many, at least 1; -ENXIO (ERR_MISSING, ERR_OUTPUT) for a host that is none,
 * -EAGAIN if no name server says so; -EINVAL (ERR_USAGE); -ECANCELED.
 */
_must_check_ int address_resolve(const struct uri *uri, bool listening, struct cancel *cancel,
				 struct address *ret, struct err *err);

/**
 * address_allow() - refuse what is not protected, unless the user accepts that
 * @insecure: the user does
 *
 * Neither TCP nor vsock tells which user is at the other end. On loopback, too, that can be any of
 * this machine: to load a state of their own into a device, or, as the receiver, to take one and
 * confirm it. Only UNIX sockets tell the user; trust_check() is for them.
 *
 * Return: 0, or -EPERM (ERR_CONFIG).
 */
_must_check_ int address_allow(const struct address *a, bool insecure, const char *name,
			       struct err *err);

/**
 * address_of_vsock_listener() - the address by which @peer_cid reaches a vsock socket that was
 * bound to every CID and @port
 */
struct address address_of_vsock_listener(uint32_t peer_cid, uint32_t port);

/** address_text() - in the form that is understood on the command line. Return: @buf. */
char *address_text(const struct address *a, char buf[ADDRESS_TEXT_MAX]);
