// SPDX-License-Identifier: GPL-2.0-or-later
#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/macros.h"
#include "base/printable.h"
#include "transport/speech.h"
#include "transport/tls.h"
#include "transport/tls-parts.h"

/* A record has at most 16 KiB of data, and 256 bytes around it. */
#define RECORD_MAX ((size_t)16 << 10)
#define RECORD_ROOM (RECORD_MAX + 256)

/* Several records at a time: fewer calls of the system, and still in a CPU's cache. */
#define BUFFER_SIZE ((size_t)128 << 10)

/* Of a subject; a longer one fits no pattern. */
#define SUBJECT_MAX 512u

/*
 * AES first: with a pre-shared key GnuTLS would take ChaCha20, which is many times as slow where
 * the CPU has instructions for AES.
 */
#define TLS_CIPHERS                     \
	"NORMAL:-VERS-ALL:+VERS-TLS1.3" \
	":-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305"

static const char priority_x509[] = TLS_CIPHERS;
static const char priority_psk[] = TLS_CIPHERS ":-KX-ALL:+ECDHE-PSK:+DHE-PSK";

/* A fatal alert, unexpected_message: for an end that speaks something else, and may know TLS. */
static const uint8_t no_tls[] = { 21, 3, 3, 0, 2, 2, 10 };

enum tls_state {
	TLS_SHAKING,
	TLS_SHAKEN,
	TLS_FAILED,
};

/* struct tls_buffer - bytes @from to @to */
struct tls_buffer {
	uint8_t bytes[BUFFER_SIZE];
	size_t from, to;
};

/**
 * struct tls
 * @known: the other end speaks TLS
 * @failed: why, in TLS_FAILED
 * @ended: no more will come
 * @finished: what it has said had an authenticated end
 * @denied: see tls_denied()
 * @refused, @alert: why the other end is not who it must be; what it is told
 * @subject: who it is
 */
struct tls {
	const struct tls_creds *creds;
	const struct tls_library *library;
	const char *host, *name;
	gnutls_session_t session;
	enum tls_state state;
	struct err failed;
	bool known, ended, finished, denied;
	char refused[256];
	gnutls_alert_description_t alert;
	char subject[SUBJECT_MAX];
	struct tls_buffer in, out;
};

/*
 * Bytes
 */

static size_t tls_length(const struct tls_buffer *b)
{
	return b->to - b->from;
}

/* Return: room behind what there is. */
static size_t tls_make_room(struct tls_buffer *b)
{
	if (b->from == b->to)
		b->from = b->to = 0;
	if (b->from && sizeof(b->bytes) - b->to < RECORD_ROOM) {
		memmove(b->bytes, b->bytes + b->from, tls_length(b));
		b->to -= b->from;
		b->from = 0;
	}
	return sizeof(b->bytes) - b->to;
}

void *tls_space(struct tls *t, size_t *room)
{
	*room = tls_make_room(&t->in);
	return t->in.bytes + t->in.to;
}

void tls_received(struct tls *t, size_t n)
{
	t->in.to += n;
	t->ended = t->ended || !n;
}

bool tls_ended(const struct tls *t)
{
	return t->ended;
}

const void *tls_pending(const struct tls *t, size_t *len)
{
	*len = tls_length(&t->out);
	return *len ? t->out.bytes + t->out.from : NULL;
}

void tls_sent(struct tls *t, size_t n)
{
	t->out.from += n;
}

static ssize_t tls_pull(gnutls_transport_ptr_t ptr, void *buf, size_t len)
{
	struct tls *t = ptr;
	size_t n = MIN(len, tls_length(&t->in));

	if (!n && !t->ended) {
		t->library->transport_set_errno(t->session, EAGAIN);
		return -1;
	}
	memcpy(buf, t->in.bytes + t->in.from, n);
	t->in.from += n;
	return (ssize_t)n;
}

/* What is there is pulled, and no more. */
static int tls_pull_timeout(gnutls_transport_ptr_t ptr, unsigned int ms)
{
	const struct tls *t = ptr;

	(void)ms;
	return tls_length(&t->in) || t->ended;
}

static ssize_t tls_push(gnutls_transport_ptr_t ptr, const void *buf, size_t len)
{
	struct tls *t = ptr;
	size_t n = MIN(len, tls_make_room(&t->out));

	if (!n) {
		t->library->transport_set_errno(t->session, EAGAIN);
		return -1;
	}
	memcpy(t->out.bytes + t->out.to, buf, n);
	t->out.to += n;
	return (ssize_t)n;
}

/*
 * Who the other end is
 */

static void tls_refuse(struct tls *t, gnutls_alert_description_t alert, const char *fmt, ...)
	_printf_(3, 4);
static void tls_refuse(struct tls *t, gnutls_alert_description_t alert, const char *fmt, ...)
{
	va_list ap;

	t->alert = alert;
	va_start(ap, fmt);
	vsnprintf(t->refused, sizeof(t->refused), fmt, ap);
	va_end(ap);
}

/* In this order: what is said first explains the others. */
static const struct tls_fault {
	unsigned int bit;
	gnutls_alert_description_t alert;
	const char *text;
} tls_faults[] = {
	/* clang-format off */
	{ GNUTLS_CERT_REVOKED, GNUTLS_A_CERTIFICATE_REVOKED,
	  "is revoked" },
	{ GNUTLS_CERT_EXPIRED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  "has expired" },
	{ GNUTLS_CERT_NOT_ACTIVATED, GNUTLS_A_CERTIFICATE_EXPIRED,
	  "is not valid yet" },
	{ GNUTLS_CERT_SIGNER_NOT_FOUND, GNUTLS_A_UNKNOWN_CA,
	  "is not signed by the authority of ca-cert.pem" },
	{ GNUTLS_CERT_SIGNER_NOT_CA, GNUTLS_A_UNKNOWN_CA,
	  "is signed by what is no authority" },
	{ GNUTLS_CERT_SIGNATURE_FAILURE, GNUTLS_A_BAD_CERTIFICATE,
	  "has a wrong signature" },
	{ GNUTLS_CERT_INSECURE_ALGORITHM, GNUTLS_A_INSUFFICIENT_SECURITY,
	  "has a weak signature" },
	{ GNUTLS_CERT_REVOCATION_DATA_SUPERSEDED, GNUTLS_A_CERTIFICATE_UNKNOWN,
	  "cannot be judged: ca-crl.pem is out of date" },
	{ GNUTLS_CERT_UNEXPECTED_OWNER, GNUTLS_A_BAD_CERTIFICATE,
	  "is for another host" },
	{ GNUTLS_CERT_PURPOSE_MISMATCH, GNUTLS_A_UNSUPPORTED_CERTIFICATE,
	  "is for another purpose" },
	{ 0, GNUTLS_A_BAD_CERTIFICATE, "cannot be verified" },
	/* clang-format on */
};

static const struct tls_fault *tls_fault(unsigned int status)
{
	const struct tls_fault *f = tls_faults;

	while (f->bit && !(status & f->bit))
		f++;
	return f;
}

static void tls_read_subject(struct tls *t)
{
	const struct tls_library *lib = t->library;
	unsigned int n = 0;
	const gnutls_datum_t *list = lib->certificate_get_peers(t->session, &n);
	size_t size = sizeof(t->subject);
	gnutls_x509_crt_t cert;

	if (!n || lib->x509_crt_init(&cert) < 0)
		return;
	if (lib->x509_crt_import(cert, &list[0], GNUTLS_X509_FMT_DER) < 0 ||
	    lib->x509_crt_get_dn(cert, t->subject, &size) < 0)
		*t->subject = '\0';
	lib->x509_crt_deinit(cert);
	make_printable(t->subject);
}

/* Return: 0; -EPERM, with the reason in @t->refused. */
static int tls_authorize(struct tls *t)
{
	const char *pattern = t->creds->options.authz;

	if (!pattern || fnmatch(pattern, t->subject, 0) == 0)
		return 0;
	tls_refuse(t, GNUTLS_A_ACCESS_DENIED, "'%.160s' does not fit --tls-authz", t->subject);
	return -EPERM;
}

static const char *tls_hostname(const struct tls *t)
{
	return t->creds->options.hostname ? t->creds->options.hostname : t->host;
}

int tls_verify(gnutls_session_t session)
{
	struct tls *t = tls_library()->session_get_ptr(session);
	const bool client = t->creds->end == TLS_CLIENT;
	gnutls_typed_vdata_st data[] = {
		{ GNUTLS_DT_KEY_PURPOSE_OID,
		  (unsigned char *)(client ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT),
		  0 },
		{ GNUTLS_DT_DNS_HOSTNAME, (unsigned char *)tls_hostname(t), 0 },
	};
	const struct tls_fault *fault;
	char reason[TLS_REASON_MAX];
	unsigned int status = 0;
	int r;

	tls_read_subject(t);
	r = t->library->certificate_verify_peers(session, data, client ? 2 : 1, &status);
	if (r >= 0 && !status)
		return tls_authorize(t) < 0 ? GNUTLS_E_CERTIFICATE_ERROR : 0;
	fault = tls_fault(status);
	tls_refuse(t, fault->alert, "the certificate of '%.120s' %s%s%.60s",
		   *t->subject ? t->subject : "the other end",
		   r < 0 ? tls_library_reason(r, reason) : fault->text,
		   fault->bit == GNUTLS_CERT_UNEXPECTED_OWNER ? " than " : "",
		   fault->bit == GNUTLS_CERT_UNEXPECTED_OWNER ? tls_hostname(t) : "");
	return GNUTLS_E_CERTIFICATE_ERROR;
}

static const struct tls_key *tls_key_of(const struct tls_creds *c, const char *user)
{
	if (c->options.psk_user && strcmp(c->options.psk_user, user) != 0)
		return NULL;
	for (unsigned int i = 0; i < c->n_keys; i++)
		if (!strcmp(c->keys[i].user, user))
			return &c->keys[i];
	return NULL;
}

int tls_find_key(gnutls_session_t session, const char *user, gnutls_datum_t *key)
{
	struct tls *t = tls_library()->session_get_ptr(session);
	const struct tls_key *found = tls_key_of(t->creds, user);

	snprintf(t->subject, sizeof(t->subject), "%s", user);
	make_printable(t->subject);
	if (!found) {
		tls_refuse(t, GNUTLS_A_UNKNOWN_PSK_IDENTITY,
			   "user '%.120s' is none of keys.psk, or not let in", t->subject);
		return -1;
	}
	if (tls_authorize(t) < 0)
		return -1;
	/* GnuTLS frees it. */
	key->data = malloc(found->len);
	if (!key->data)
		return -1;
	memcpy(key->data, found->key, found->len);
	key->size = found->len;
	return 0;
}

/*
 * What went wrong
 */

static int tls_keep(struct tls *t, int code, struct err *err)
{
	t->state = TLS_FAILED;
	if (err)
		*err = t->failed;
	return code;
}

static int tls_cut(struct tls *t, struct err *err)
{
	int r = err_fail(&t->failed, ERR_ABORTED, -ECONNRESET, "%s: %s", t->name,
			 t->state == TLS_SHAKING ? "closed the connection during the TLS handshake"
						 : "the connection was cut: it has no end by TLS");

	return tls_keep(t, r, err);
}

/* Alerts that speak of who this end is; most have been there since TLS 1.0. */
static bool tls_is_denial(gnutls_alert_description_t alert)
{
	switch (alert) {
	case GNUTLS_A_BAD_CERTIFICATE:
	case GNUTLS_A_UNSUPPORTED_CERTIFICATE:
	case GNUTLS_A_CERTIFICATE_REVOKED:
	case GNUTLS_A_CERTIFICATE_EXPIRED:
	case GNUTLS_A_CERTIFICATE_UNKNOWN:
	case GNUTLS_A_CERTIFICATE_REQUIRED:
	case GNUTLS_A_UNKNOWN_CA:
	case GNUTLS_A_ACCESS_DENIED:
	case GNUTLS_A_UNKNOWN_PSK_IDENTITY:
		return true;
	default:
		return false;
	}
}

static int tls_other_refuses(struct tls *t, struct err *err)
{
	gnutls_alert_description_t got = t->library->alert_get(t->session);
	const char *alert = t->library->alert_get_name(got);
	int r = err_fail(&t->failed, ERR_CONFIG, -EPROTO, "%s: refuses this end by TLS: %s",
			 t->name, alert ? alert : "no reason given");

	t->denied = tls_is_denial(got);
	return tls_keep(t, r, err);
}

static int tls_alert(struct tls *t, int why)
{
	if (*t->refused)
		return t->library->alert_send(t->session, GNUTLS_AL_FATAL, t->alert);
	return t->library->alert_send_appropriate(t->session, why);
}

/* What GnuTLS has no words for that a user would understand. */
static const char *tls_reason(const struct tls *t, int why, char buf[TLS_REASON_MAX])
{
	switch (why) {
	case GNUTLS_E_NO_CERTIFICATE_FOUND:
	case GNUTLS_E_CERTIFICATE_REQUIRED:
		return "has no certificate";
	case GNUTLS_E_INSUFFICIENT_CREDENTIALS:
		return t->creds->x509 ? "has keys.psk, and this end certificates"
				      : "has certificates, and this end keys.psk";
	case GNUTLS_E_UNSUPPORTED_VERSION_PACKET:
		return "does not speak TLS 1.3";
	default:
		return tls_library_reason(why, buf);
	}
}

/* GnuTLS says why it goes no further: the other end is told, and the user. */
static int tls_fail(struct tls *t, int why, struct err *err)
{
	const bool shaking = t->state == TLS_SHAKING;
	char buf[TLS_REASON_MAX];
	int r;

	if (why == GNUTLS_E_PREMATURE_TERMINATION)
		return tls_cut(t, err);
	if (why == GNUTLS_E_FATAL_ALERT_RECEIVED)
		return tls_other_refuses(t, err);
	if (tls_alert(t, why) < 0)
		log_debug("%s: no alert was sent", t->name);
	if (*t->refused)
		r = err_fail(&t->failed, ERR_CONFIG, -EPERM, "%s: %s", t->name, t->refused);
	else
		r = err_fail(&t->failed, shaking ? ERR_CONFIG : ERR_PEER, -EPROTO, "%s: TLS: %s",
			     t->name, tls_reason(t, why, buf));
	return tls_keep(t, r, err);
}

static int tls_is_none(struct tls *t, const uint8_t *start, size_t len, struct err *err)
{
	const char *speech = speech_name(start, len);
	int r = err_fail(&t->failed, ERR_CONFIG, -EPROTO, "%s: speaks without TLS: %s", t->name,
			 speech ? speech : "what, is not known");

	if (t->creds->end == TLS_SERVER && tls_push(t, no_tls, sizeof(no_tls)) < 0)
		log_debug("%s: no alert was sent", t->name);
	return tls_keep(t, r, err);
}

/*
 * Before GnuTLS sees a byte: what is no TLS has a name, perhaps.
 *
 * Return: 0 to go on; -EAGAIN; -EPROTO.
 */
static int tls_listen(struct tls *t, struct err *err)
{
	const uint8_t *start = t->in.bytes + t->in.from;
	const size_t len = tls_length(&t->in);

	if (t->known)
		return 0;
	if (!len && t->creds->end == TLS_CLIENT)
		return 0;
	if (len < SPEECH_MIN && !t->ended)
		return -EAGAIN;
	t->known = speech_is_tls(start, len);
	return t->known ? 0 : tls_is_none(t, start, len, err);
}

/*
 * The handshake
 */

static int tls_set_up(struct tls *t)
{
	const struct tls_library *lib = t->library;
	const struct tls_creds *c = t->creds;
	struct in6_addr ip;
	int r;

	r = lib->priority_set_direct(t->session, c->x509 ? priority_x509 : priority_psk, NULL);
	if (r < 0)
		return r;
	if (c->x509)
		r = lib->credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, c->x509);
	else
		r = lib->credentials_set(t->session, GNUTLS_CRD_PSK,
					 c->end == TLS_CLIENT ? (void *)c->psk_client
							      : (void *)c->psk_server);
	if (r < 0)
		return r;
	if (c->end == TLS_SERVER && c->x509)
		lib->certificate_server_set_request(t->session, GNUTLS_CERT_REQUIRE);
	/* An address is not sent as a name: RFC 6066 section 3. */
	if (c->end == TLS_CLIENT && c->x509 && inet_pton(AF_INET, tls_hostname(t), &ip) != 1 &&
	    inet_pton(AF_INET6, tls_hostname(t), &ip) != 1)
		r = lib->server_name_set(t->session, GNUTLS_NAME_DNS, tls_hostname(t),
					 strlen(tls_hostname(t)));
	lib->transport_set_ptr(t->session, t);
	lib->transport_set_pull_function(t->session, tls_pull);
	lib->transport_set_pull_timeout_function(t->session, tls_pull_timeout);
	lib->transport_set_push_function(t->session, tls_push);
	lib->session_set_ptr(t->session, t);
	return r;
}

int tls_new(const struct tls_creds *creds, const char *host, const char *name, struct tls **ret,
	    struct err *err)
{
	_cleanup_(tls_freep) struct tls *t = NULL;
	unsigned int flags = creds->end == TLS_CLIENT ? GNUTLS_CLIENT : GNUTLS_SERVER;
	int r;

	r = tls_creds_check_host(creds, host, name, err);
	if (r < 0)
		return r;
	t = calloc(1, sizeof(*t));
	if (!t)
		return err_set(err, -ENOMEM, "%s", name);
	t->creds = creds;
	t->library = creds->library;
	t->host = host;
	t->name = name;
	r = t->library->init(&t->session, flags | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS |
						  GNUTLS_FORCE_CLIENT_CERT);
	r = r < 0 ? r : tls_set_up(t);
	if (r < 0)
		return err_fail(err, ERR_SYSTEM, -ENOMEM, "%s: TLS: %s", name,
				t->library->strerror(r));
	*ret = TAKE_PTR(t);
	return 0;
}

static bool tls_goes_on(const struct tls *t, int r)
{
	return r == GNUTLS_E_AGAIN || r == GNUTLS_E_INTERRUPTED ||
	       (r < 0 && !t->library->error_is_fatal(r));
}

static int tls_check(const struct tls *t, struct err *err)
{
	if (t->state == TLS_FAILED && err)
		*err = t->failed;
	return t->state == TLS_FAILED ? t->failed.code : 0;
}

int tls_shake(struct tls *t, struct err *err)
{
	int r = tls_check(t, err);

	if (r < 0 || t->state == TLS_SHAKEN)
		return r;
	r = tls_listen(t, err);
	if (r < 0)
		return r;
	r = t->library->handshake(t->session);
	if (tls_goes_on(t, r))
		return -EAGAIN;
	if (r < 0)
		return tls_fail(t, r, err);
	t->state = TLS_SHAKEN;
	log_info("%s: speaks TLS 1.3%s%s", t->name, *t->subject ? " and is " : "", t->subject);
	return 0;
}

bool tls_denied(const struct tls *t)
{
	return t->denied;
}

bool tls_shaken(const struct tls *t)
{
	return t->state == TLS_SHAKEN;
}

/*
 * Data
 */

/* What is no data (a ticket, new keys) is taken in as well, and then more may be there. */
static ssize_t tls_receive(struct tls *t, void *buf, size_t len)
{
	size_t before;
	ssize_t n;

	do {
		before = tls_length(&t->in);
		n = t->library->record_recv(t->session, buf, len);
	} while (n < 0 && tls_goes_on(t, (int)n) && tls_length(&t->in) != before);
	return n;
}

ssize_t tls_read(struct tls *t, void *buf, size_t len, struct err *err)
{
	ssize_t n = tls_check(t, err);

	if (n < 0 || t->finished)
		return n;
	n = tls_receive(t, buf, len);
	if (n < 0 && tls_goes_on(t, (int)n))
		return -EAGAIN;
	t->finished = n == 0;
	return n < 0 ? tls_fail(t, (int)n, err) : n;
}

bool tls_has_more(const struct tls *t)
{
	return tls_length(&t->in) || t->library->record_check_pending(t->session);
}

ssize_t tls_write(struct tls *t, const void *buf, size_t len, struct err *err)
{
	size_t done = 0;
	int r = tls_check(t, err);

	if (r < 0)
		return r;
	while (done < len && tls_make_room(&t->out) >= RECORD_ROOM) {
		ssize_t n = t->library->record_send(t->session, (const char *)buf + done,
						    MIN(len - done, RECORD_MAX));

		if (n < 0)
			return tls_fail(t, (int)n, err);
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int tls_finish(struct tls *t, struct err *err)
{
	int r = tls_check(t, err);

	if (r < 0)
		return r;
	r = t->library->bye(t->session, GNUTLS_SHUT_WR);
	return r < 0 ? tls_fail(t, r, err) : 0;
}

struct tls *tls_free(struct tls *t)
{
	if (t) {
		if (t->session)
			t->library->deinit(t->session);
		free(t);
	}
	return NULL;
}
