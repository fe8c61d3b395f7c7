/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * tcp:HOST:PORT and vsock:CID:PORT as the system knows them
 */

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "transport/uri.h"

/* Of one host; whoever has more is tried at the first ones. */
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
 *             machine; else these are refused
 * @ret: room for ADDRESSES_MAX; the system's order of preference
 *
 * May ask name servers, and cannot be cancelled meanwhile.
 *
 * Return: how many, at least 1; -ENXIO (ERR_MISSING, ERR_OUTPUT) for a host that is none, -EAGAIN if
 * no name server says so; -EINVAL (ERR_USAGE).
 */
_must_check_ int address_resolve(const struct uri *uri, bool listening, struct address *ret,
				 struct err *err);

/**
 * address_allow() - is it for everybody to see what goes there?
 * @insecure: the user does not mind
 *
 * What stays on this machine, from process to process or from host to guest, is seen by nobody else.
 * All other TCP is neither encrypted nor authenticated.
 *
 * Return: 0, or -EPERM (ERR_CONFIG).
 */
_must_check_ int address_allow(const struct address *a, bool insecure, const char *name,
			       struct err *err);

/** address_text() - in the form that is understood on the command line. Return: @buf. */
char *address_text(const struct address *a, char buf[ADDRESS_TEXT_MAX]);
