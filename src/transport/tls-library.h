/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * GnuTLS, loaded when it is wanted
 *
 * Linked, it would more than double the time of a start of any command, see HACKING.md.
 */

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>

#include "base/err.h"

/* All that is used of it, without the prefix. */
#define TLS_LIBRARY(X)                         \
	X(alert_get)                           \
	X(alert_get_name)                      \
	X(alert_send)                          \
	X(alert_send_appropriate)              \
	X(bye)                                 \
	X(certificate_allocate_credentials)    \
	X(certificate_free_credentials)        \
	X(certificate_get_peers)               \
	X(certificate_server_set_request)      \
	X(certificate_set_verify_function)     \
	X(certificate_set_x509_crl_mem)        \
	X(certificate_set_x509_key_mem)        \
	X(certificate_set_x509_trust_mem)      \
	X(certificate_verify_peers)            \
	X(credentials_set)                     \
	X(deinit)                              \
	X(error_is_fatal)                      \
	X(handshake)                           \
	X(init)                                \
	X(priority_set_direct)                 \
	X(psk_allocate_client_credentials)     \
	X(psk_allocate_server_credentials)     \
	X(psk_free_client_credentials)         \
	X(psk_free_server_credentials)         \
	X(psk_set_client_credentials)          \
	X(psk_set_server_credentials_function) \
	X(record_check_pending)                \
	X(record_recv)                         \
	X(record_send)                         \
	X(server_name_set)                     \
	X(session_get_ptr)                     \
	X(session_set_ptr)                     \
	X(strerror)                            \
	X(transport_set_errno)                 \
	X(transport_set_ptr)                   \
	X(transport_set_pull_function)         \
	X(transport_set_pull_timeout_function) \
	X(transport_set_push_function)         \
	X(x509_crt_deinit)                     \
	X(x509_crt_get_dn)                     \
	X(x509_crt_import)                     \
	X(x509_crt_init)

#define TLS_LIBRARY_MEMBER(name) __typeof__(&gnutls_##name) name;
struct tls_library {
	TLS_LIBRARY(TLS_LIBRARY_MEMBER)
};

/** tls_library_load() - Return: 0; -ENOSYS (ERR_SYSTEM) where it is not installed, or too old. */
_must_check_ int tls_library_load(const struct tls_library **ret, struct err *err);

/* Of one that follows. */
#define TLS_REASON_MAX 128u

/** tls_library_reason() - GnuTLS's words for its error @code, without a full stop. Return: @buf. */
char *tls_library_reason(int code, char buf[TLS_REASON_MAX]);

/** tls_library() - after tls_library_load() */
const struct tls_library *tls_library(void);
