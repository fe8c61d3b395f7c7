/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * TLS over a socket, without waiting
 *
 * Every call moves what can be moved at once, both ways, under a lock: one thread may read while
 * another writes. The handshake is a part of whatever is called first.
 */

#include "transport/tls.h"

struct tls_socket;

/** tls_socket_new() - as tls_new(). @fd: stays the caller's; is never waited for */
_must_check_ int tls_socket_new(int fd, const struct tls_creds *creds, const char *host,
				const char *name, struct tls_socket **ret, struct err *err);

/** tls_socket_shake() - Return: as tls_shake(); what a system call said (ERR_ABORTED). */
_must_check_ int tls_socket_shake(struct tls_socket *s, struct err *err);

/**
 * tls_socket_read() - all that is there
 *
 * Return: bytes; 0 at the end that the other end has set; -EAGAIN, without a story; as tls_shake()
 * and tls_read().
 */
_must_check_ ssize_t tls_socket_read(struct tls_socket *s, void *buf, size_t len, struct err *err);

/**
 * tls_socket_write() - take as much of @len bytes as there is room for
 *
 * Return: bytes, which may be sent or not, see tls_socket_flush(); -EAGAIN, without a story; as
 * tls_shake(); what a system call said (ERR_ABORTED): what the other end has said before may still
 * be there to be read.
 */
_must_check_ ssize_t tls_socket_write(struct tls_socket *s, const void *buf, size_t len,
				      struct err *err);

/** tls_socket_flush() - Return: 0 when all is sent; -EAGAIN, without a story; as above. */
_must_check_ int tls_socket_flush(struct tls_socket *s, struct err *err);

/**
 * tls_socket_why_lost() - the connection is, by @lost: the other end may have said why
 *
 * Return: as tls_read() for an alert, else @lost (ERR_ABORTED).
 */
_must_check_ int tls_socket_why_lost(struct tls_socket *s, int lost, struct err *err);

/** tls_socket_finish() - as tls_finish(); tls_socket_flush() sends it */
_must_check_ int tls_socket_finish(struct tls_socket *s, struct err *err);

bool tls_socket_shaken(struct tls_socket *s);

/** tls_socket_denied() - as tls_denied() */
bool tls_socket_denied(struct tls_socket *s);

/** tls_socket_has_more() - something was received that was not read */
bool tls_socket_has_more(struct tls_socket *s);

/** tls_socket_is_gone() - the other end has closed the connection, as far as can be known */
bool tls_socket_is_gone(struct tls_socket *s);

/** tls_socket_events() - for poll(): POLLIN, and POLLOUT while there is something to send */
short tls_socket_events(struct tls_socket *s);

struct tls_socket *tls_socket_free(struct tls_socket *s);
DEFINE_CLEANUP(struct tls_socket *, tls_socket_free)
