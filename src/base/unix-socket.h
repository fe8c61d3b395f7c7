/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * UNIX sockets by path, both ends
 */

#include <sys/types.h>

#include "base/cancel.h"

/* Measured: with a buffer for several replies a reader of large data is 1.6 times as fast. */
#define UNIX_SEND_BUFFER (4 << 20)

/**
 * unix_connect() - connect to the listener at @path
 * @cancel: watched while waiting, if not NULL
 * @timeout_ms: how long to wait for room in a full backlog; -1 for ever
 * @ret_fd: non-blocking
 *
 * Return: 0; -ENAMETOOLONG; -ETIMEDOUT; -ECANCELED; what connect() said: -ENOENT without such a
 * file, -ECONNREFUSED for a socket without a listener, or for a file that is no socket.
 */
_must_check_ int unix_connect(const char *path, struct cancel *cancel, int timeout_ms, int *ret_fd,
			      struct err *err);

/** unix_connect_packets() - the same for a socket of packets (SOCK_SEQPACKET) */
_must_check_ int unix_connect_packets(const char *path, struct cancel *cancel, int timeout_ms,
				      int *ret_fd, struct err *err);

/**
 * unix_check() - whether there is a socket at @path, without connecting to it
 * @name: what messages call it
 *
 * Return: 0; -ENAMETOOLONG; -ENOTSOCK; what stat() said.
 */
_must_check_ int unix_check(const char *path, const char *name, struct err *err);

/**
 * unix_listen() - a listening, non-blocking socket at @path
 * @mode: of the file, before the umask
 *
 * Replaces a socket that has no listener; leaves every other file as it is.
 *
 * Return: 0; -EADDRINUSE when it is in use; -EEXIST when it is no socket; -ENAMETOOLONG.
 */
_must_check_ int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err);

/** unix_listen_packets() - the same for a socket of packets (SOCK_SEQPACKET) */
_must_check_ int unix_listen_packets(const char *path, mode_t mode, int *ret_fd, struct err *err);

/** unix_send_buffer() - enlarge the send buffer of @fd, as far as the system lets. */
void unix_send_buffer(int fd);
