/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * One end of a TLS connection: bytes in, bytes out
 *
 * TLS 1.3 alone. It knows no socket: what has come is put in, what is to go is taken out, and
 * nothing waits. So one lock around it is enough for a thread that reads and one that writes, with
 * keys that change under way; and it can be tested a byte at a time.
 *
 * The end of what the other end sends is authenticated: without it the connection was cut, and what
 * came before is no whole.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "transport/tls-creds.h"

struct tls;

/**
 * tls_new() - before a byte has gone either way
 * @creds: must outlive @ret
 * @host: that a client connects to, until the handshake is over; NULL for none, see
 *        tls_creds_check_host()
 * @name: of the other end, for messages; must outlive @ret
 */
_must_check_ int tls_new(const struct tls_creds *creds, const char *host, const char *name,
			 struct tls **ret, struct err *err);

/**
 * tls_space() - where bytes from the other end are to be put
 * @room: how many; 0 only while tls_read() has some
 */
void *tls_space(struct tls *t, size_t *room);

/** tls_received() - @n bytes were put there; 0: no more will come */
void tls_received(struct tls *t, size_t n);

/** tls_ended() - that no more will come was said */
bool tls_ended(const struct tls *t);

/** tls_pending() - what is to be sent. Return: NULL for nothing, else @len bytes. */
const void *tls_pending(const struct tls *t, size_t *len);

/** tls_sent() - the first @n bytes of it are on their way */
void tls_sent(struct tls *t, size_t n);

/**
 * tls_shake() - go on with the handshake
 *
 * Return: 0 once the other end is known to be who it must be; -EAGAIN, without a story, while more
 * must come from it. ERR_CONFIG: -EPERM when it is not, -EPROTO when it refuses this end or speaks
 * something else. ERR_ABORTED: -ECONNRESET when the connection was cut.
 */
_must_check_ int tls_shake(struct tls *t, struct err *err);

bool tls_shaken(const struct tls *t);

/**
 * tls_denied() - the other end has said that this one is not let in, for who it is
 *
 * With TLS 1.3 a client may have sent data by then. A server judges before it reads any: by RFC
 * 8446, 6.2, these alerts are of certificates and keys, which are a part of the handshake.
 */
bool tls_denied(const struct tls *t);

/**
 * tls_read() - after the handshake
 *
 * Return: bytes; 0 at the end that the other end has set; -EAGAIN, without a story, while more must
 * come; -ECONNRESET (ERR_ABORTED) when the connection was cut; -EPROTO (ERR_CONFIG) when the other
 * end refuses this one after all; (ERR_PEER) for damage.
 */
_must_check_ ssize_t tls_read(struct tls *t, void *buf, size_t len, struct err *err);

/** tls_has_more() - tls_read() may have something without more bytes from the other end */
bool tls_has_more(const struct tls *t);

/**
 * tls_write() - after the handshake. Return: how many of @len bytes were taken, 0 while too much
 * waits to be sent.
 */
_must_check_ ssize_t tls_write(struct tls *t, const void *buf, size_t len, struct err *err);

/** tls_finish() - nothing more is written: the other end is told so */
_must_check_ int tls_finish(struct tls *t, struct err *err);

struct tls *tls_free(struct tls *t);
DEFINE_CLEANUP(struct tls *, tls_free)
