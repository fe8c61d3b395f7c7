/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * By what the two ends of a TLS connection know each other
 *
 * A folder as QEMU, libvirt and Cloud Hypervisor lay it out: ca-cert.pem, ca-crl.pem (optional),
 * and of the end that connects client-cert.pem and client-key.pem, of the end that listens
 * server-cert.pem and server-key.pem; or keys.psk, a line "USER:HEXADECIMAL" a user.
 *
 * Each end demands and verifies the other's certificate: its signature, dates, revocation and
 * purpose; the end that connects also the host name in it; and either end, if asked to, that its
 * subject fits a pattern. With keys.psk, to know the key of a user is to be that user.
 */

#include "base/cleanup.h"
#include "base/err.h"

enum tls_end {
	TLS_CLIENT, /* connects */
	TLS_SERVER, /* listens */
};

/**
 * struct tls_options - as the user gave them; NULL for what was not given
 * @creds: the folder
 * @hostname: in the server's certificate, if not the host that is connected to
 * @authz: pattern of fnmatch(3) for the subject of the other end's certificate, or with keys.psk
 *         its user
 * @psk_user: the user in keys.psk that a client is; the only one that a server takes
 */
struct tls_options {
	const char *creds, *hostname, *authz, *psk_user;
};

struct tls_creds;

/**
 * tls_creds_open() - read the files
 * @opts: must outlive @ret
 *
 * keys.psk is used where there is no ca-cert.pem, or with @opts->psk_user.
 *
 * Return: 0; ERR_CONFIG: -ENOENT and the like for a file, -EPERM for a secret that other users may
 * read, -EBADMSG for contents that are none; -ENOSYS (ERR_SYSTEM) without GnuTLS.
 */
_must_check_ int tls_creds_open(const struct tls_options *opts, enum tls_end end,
				struct tls_creds **ret, struct err *err);

/**
 * tls_creds_check_host() - a client's: is there a name for the server's certificate to have?
 * @host: that is connected to; NULL for what has none, a UNIX socket
 *
 * Return: 0; -EINVAL (ERR_USAGE).
 */
_must_check_ int tls_creds_check_host(const struct tls_creds *c, const char *host, const char *name,
				      struct err *err);

struct tls_creds *tls_creds_free(struct tls_creds *c);
DEFINE_CLEANUP(struct tls_creds *, tls_creds_free)
