/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * FILE on the command line
 *
 * QEMU's forms: a path, file:PATH, - for standard input or output, fd:N, exec:CMD, unix:PATH,
 * tcp:HOST:PORT, vsock:CID:PORT.
 */

#include <stdint.h>

#include "base/err.h"

#define URI_HOST_MAX 255

/* Bits: where a FILE is wanted, a set of them is possible. */
enum uri_kind {
	URI_FILE = 1 << 0,
	URI_STDIO = 1 << 1,
	URI_FD = 1 << 2,
	URI_EXEC = 1 << 3,
	URI_UNIX = 1 << 4,
	URI_TCP = 1 << 5,
	URI_VSOCK = 1 << 6,
};

/* What gives and takes bytes, and what has an other end that answers. */
#define URI_PLAIN (URI_FILE | URI_STDIO | URI_FD | URI_EXEC)
#define URI_SOCKET (URI_UNIX | URI_TCP | URI_VSOCK)

/**
 * struct uri - a FILE, parsed
 * @text: what the user wrote
 * @path: of a URI_FILE or URI_UNIX
 * @command: of a URI_EXEC
 * @fd: of a URI_FD
 * @host: of a URI_TCP, an IPv6 address without its brackets
 * @cid: of a URI_VSOCK
 * @port: of a URI_TCP or URI_VSOCK
 *
 * Points into the text that was parsed.
 */
struct uri {
	enum uri_kind kind;
	const char *text;
	const char *path;
	const char *command;
	int fd;
	char host[URI_HOST_MAX + 1];
	uint32_t cid, port;
};

/**
 * uri_parse() - Return: 0, or -EINVAL (ERR_USAGE) for a form that is none.
 * @kinds: set of enum uri_kind that is possible here; what else there is is refused by name
 *
 * A scheme that later versions may know ("tls:...") is refused, not taken for a path: a path
 * with a colon in its first part is written file:PATH or ./PATH.
 */
_must_check_ int uri_parse(const char *text, unsigned int kinds, struct uri *ret, struct err *err);
