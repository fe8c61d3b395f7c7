/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What tls-creds.c and tls.c share
 */

#include <stdbool.h>

#include "transport/tls-library.h"
#include "transport/tls-creds.h"

#define TLS_PSK_USER_MAX 128u
#define TLS_PSK_KEY_MAX 128u

/* A line of keys.psk. */
struct tls_key {
	char user[TLS_PSK_USER_MAX];
	unsigned char key[TLS_PSK_KEY_MAX];
	unsigned int len;
};

/**
 * struct tls_creds
 * @x509: or NULL: then @keys, @n_keys
 * @psk_client, @psk_server: the one that @end has
 */
struct tls_creds {
	const struct tls_library *library;
	struct tls_options options;
	enum tls_end end;
	gnutls_certificate_credentials_t x509;
	gnutls_psk_client_credentials_t psk_client;
	gnutls_psk_server_credentials_t psk_server;
	struct tls_key *keys;
	unsigned int n_keys;
};

/** tls_verify() - tls.c's: judges the other end's certificate. Return: as GnuTLS wants. */
int tls_verify(gnutls_session_t session);

/** tls_find_key() - tls.c's: the key of a user who has said so. Return: as GnuTLS wants. */
int tls_find_key(gnutls_session_t session, const char *user, gnutls_datum_t *key);
