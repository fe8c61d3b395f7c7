// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/io.h"
#include "base/macros.h"
#include "base/printable.h"
#include "transport/tls-parts.h"

/* Of a CRL, the largest of these files. */
#define FILE_MAX ((size_t)16 << 20)

/* RFC 8446 wants a key that cannot be guessed: of 128 bits at least. */
#define PSK_KEY_MIN 16u

static const char ca_cert[] = "ca-cert.pem";
static const char ca_crl[] = "ca-crl.pem";
static const char keys_psk[] = "keys.psk";

/* struct tls_file - one of the folder: @data is NUL-terminated behind @len bytes */
struct tls_file {
	char *path;
	char *data;
	size_t len;
};

static void tls_creds_file_done(struct tls_file *f)
{
	if (f->data)
		explicit_bzero(f->data, f->len);
	free(f->path);
	free(f->data);
	*f = (struct tls_file){ 0 };
}

static int tls_creds_check_secret(const char *path, const struct stat *st, struct err *err)
{
	if (!(st->st_mode & (S_IRWXG | S_IRWXO)))
		return 0;
	err_fail(err, ERR_CONFIG, -EPERM, "%s: other users may use it, and it is a secret", path);
	return err_hint(err, -EPERM, "chmod 600 %s", path);
}

static int tls_creds_read(struct tls_file *f, int fd, bool secret, struct err *err)
{
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_fail(err, ERR_CONFIG, -errno, "%s", f->path);
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size > FILE_MAX)
		return err_fail(err, ERR_CONFIG, -EBADMSG, "%s: not a file of at most %zu MiB",
				f->path, FILE_MAX >> 20);
	if (secret && tls_creds_check_secret(f->path, &st, err) < 0)
		return -EPERM;
	f->data = calloc(1, (size_t)st.st_size + 1);
	if (!f->data)
		return err_set(err, -ENOMEM, "%s", f->path);
	n = read_full(fd, f->data, (size_t)st.st_size);
	if (n < 0)
		return err_fail(err, ERR_CONFIG, (int)n, "%s", f->path);
	f->len = (size_t)n;
	return 0;
}

static int tls_creds_open_file(const struct tls_creds *c, const char *name, bool secret,
			       struct tls_file *ret, struct err *err)
{
	_cleanup_fd_ int fd = -1;

	if (asprintf(&ret->path, "%s/%s", c->options.creds, name) < 0) {
		ret->path = NULL;
		return err_set(err, -ENOMEM, "%s", c->options.creds);
	}
	fd = open(ret->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return err_fail(err, err_denied(-errno, ERR_CONFIG), -errno, "%s", ret->path);
	return tls_creds_read(ret, fd, secret, err);
}

static bool tls_creds_has_file(const struct tls_creds *c, const char *name)
{
	_cleanup_free_ char *path = NULL;

	if (asprintf(&path, "%s/%s", c->options.creds, name) < 0) {
		path = NULL;
		return true;
	}
	return access(path, F_OK) == 0;
}

static gnutls_datum_t tls_creds_datum(const struct tls_file *f)
{
	return (gnutls_datum_t){ (unsigned char *)f->data, (unsigned int)f->len };
}

static int tls_creds_no_good(int r, const char *path, struct err *err)
{
	char reason[TLS_REASON_MAX];

	return err_fail(err, ERR_CONFIG, -EBADMSG, "%s: %s", path,
			r < 0 ? tls_library_reason(r, reason) : "there is none in it");
}

/*
 * Certificates
 */

static int tls_creds_trust(struct tls_creds *c, struct err *err)
{
	_cleanup_(tls_creds_file_done) struct tls_file ca = { 0 }, crl = { 0 };
	gnutls_datum_t datum;
	int r;

	r = tls_creds_open_file(c, ca_cert, false, &ca, err);
	if (r < 0)
		return r;
	datum = tls_creds_datum(&ca);
	r = c->library->certificate_set_x509_trust_mem(c->x509, &datum, GNUTLS_X509_FMT_PEM);
	if (r <= 0)
		return tls_creds_no_good(r, ca.path, err);
	if (!tls_creds_has_file(c, ca_crl))
		return 0;
	r = tls_creds_open_file(c, ca_crl, false, &crl, err);
	if (r < 0)
		return r;
	datum = tls_creds_datum(&crl);
	r = c->library->certificate_set_x509_crl_mem(c->x509, &datum, GNUTLS_X509_FMT_PEM);
	return r <= 0 ? tls_creds_no_good(r, crl.path, err) : 0;
}

static int tls_creds_own(struct tls_creds *c, struct err *err)
{
	_cleanup_(tls_creds_file_done) struct tls_file cert = { 0 }, key = { 0 };
	const bool client = c->end == TLS_CLIENT;
	gnutls_datum_t cert_datum, key_datum;
	int r;

	r = tls_creds_open_file(c, client ? "client-cert.pem" : "server-cert.pem", false, &cert,
				err);
	if (r < 0)
		return r;
	r = tls_creds_open_file(c, client ? "client-key.pem" : "server-key.pem", true, &key, err);
	if (r < 0)
		return r;
	cert_datum = tls_creds_datum(&cert);
	key_datum = tls_creds_datum(&key);
	r = c->library->certificate_set_x509_key_mem(c->x509, &cert_datum, &key_datum,
						     GNUTLS_X509_FMT_PEM);
	if (r >= 0)
		return 0;
	tls_creds_no_good(r, key.path, err);
	return err_note(err, -EBADMSG, "the key is for %s", cert.path);
}

static int tls_creds_use_x509(struct tls_creds *c, struct err *err)
{
	int r;

	if (c->library->certificate_allocate_credentials(&c->x509) < 0)
		return err_set(err, -ENOMEM, "%s", c->options.creds);
	r = tls_creds_trust(c, err);
	if (r < 0)
		return r;
	c->library->certificate_set_verify_function(c->x509, tls_verify);
	return tls_creds_own(c, err);
}

/*
 * Pre-shared keys
 */

static int tls_creds_nibble(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

/* Return: NULL, or what is wrong with the line. */
static const char *tls_creds_parse_key(const char *line, size_t len, struct tls_key *ret)
{
	const char *colon = memchr(line, ':', len), *hex;
	size_t digits;

	if (!colon || colon == line || (size_t)(colon - line) >= sizeof(ret->user))
		return "not USER:KEY";
	memcpy(ret->user, line, (size_t)(colon - line));
	if (!is_printable(line, (size_t)(colon - line)))
		return "the user's name is not printable";
	hex = colon + 1;
	digits = len - (size_t)(hex - line);
	if (digits % 2 || digits / 2 > sizeof(ret->key))
		return "the key is no whole number of bytes, or too long";
	if (digits / 2 < PSK_KEY_MIN)
		return "the key has less than 128 bits";
	for (size_t i = 0; i < digits; i += 2) {
		int high = tls_creds_nibble(hex[i]), low = tls_creds_nibble(hex[i + 1]);

		if (high < 0 || low < 0)
			return "the key is not hexadecimal";
		ret->key[i / 2] = (unsigned char)(high << 4 | low);
	}
	ret->len = (unsigned int)(digits / 2);
	return NULL;
}

static int tls_creds_add_key(struct tls_creds *c, const struct tls_key *key, struct err *err)
{
	struct tls_key *keys = reallocarray(c->keys, c->n_keys + 1, sizeof(*keys));

	if (!keys)
		return err_set(err, -ENOMEM, "%s", c->options.creds);
	c->keys = keys;
	keys[c->n_keys++] = *key;
	return 0;
}

static int tls_creds_read_keys(struct tls_creds *c, struct err *err)
{
	_cleanup_(tls_creds_file_done) struct tls_file f = { 0 };
	unsigned int number = 0;
	const char *line, *end;
	int r;

	r = tls_creds_open_file(c, keys_psk, true, &f, err);
	if (r < 0)
		return r;
	for (line = f.data; *line; line = end + (*end == '\n')) {
		struct tls_key key = { 0 };
		const char *wrong;

		end = strchrnul(line, '\n');
		number++;
		if (end == line)
			continue;
		wrong = tls_creds_parse_key(line, (size_t)(end - line), &key);
		if (wrong)
			return err_fail(err, ERR_CONFIG, -EBADMSG, "%s:%u: %s", f.path, number,
					wrong);
		r = tls_creds_add_key(c, &key, err);
		if (r < 0)
			return r;
	}
	return c->n_keys ? 0 : err_fail(err, ERR_CONFIG, -EBADMSG, "%s: no keys", f.path);
}

static int tls_creds_pick_key(const struct tls_creds *c, const struct tls_key **ret,
			      struct err *err)
{
	const char *user = c->options.psk_user;

	if (!user && c->n_keys > 1) {
		err_fail(err, ERR_USAGE, -EINVAL, "%s/%s: has several users", c->options.creds,
			 keys_psk);
		return err_hint(err, -EINVAL, "--tls-psk-user NAME says which one this is");
	}
	for (unsigned int i = 0; i < c->n_keys; i++) {
		*ret = &c->keys[i];
		if (!user || !strcmp(c->keys[i].user, user))
			return 0;
	}
	return err_fail(err, ERR_CONFIG, -ENOENT, "%s/%s: has no user %s", c->options.creds,
			keys_psk, user);
}

static int tls_creds_use_psk_client(struct tls_creds *c, struct err *err)
{
	const struct tls_key *key;
	gnutls_datum_t datum;
	int r;

	if (c->options.authz)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"--tls-authz: a server with a pre-shared key has no name");
	r = tls_creds_pick_key(c, &key, err);
	if (r < 0)
		return r;
	if (c->library->psk_allocate_client_credentials(&c->psk_client) < 0)
		return err_set(err, -ENOMEM, "%s", c->options.creds);
	datum = (gnutls_datum_t){ (unsigned char *)key->key, key->len };
	r = c->library->psk_set_client_credentials(c->psk_client, key->user, &datum,
						   GNUTLS_PSK_KEY_RAW);
	return r < 0 ? tls_creds_no_good(r, keys_psk, err) : 0;
}

static int tls_creds_use_psk(struct tls_creds *c, struct err *err)
{
	const struct tls_key *key;
	int r = tls_creds_read_keys(c, err);

	if (r < 0)
		return r;
	if (c->end == TLS_CLIENT)
		return tls_creds_use_psk_client(c, err);
	r = c->options.psk_user ? tls_creds_pick_key(c, &key, err) : 0;
	if (r < 0)
		return r;
	if (c->library->psk_allocate_server_credentials(&c->psk_server) < 0)
		return err_set(err, -ENOMEM, "%s", c->options.creds);
	c->library->psk_set_server_credentials_function(c->psk_server, tls_find_key);
	return 0;
}

int tls_creds_open(const struct tls_options *opts, enum tls_end end, struct tls_creds **ret,
		   struct err *err)
{
	_cleanup_(tls_creds_freep) struct tls_creds *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return err_set(err, -ENOMEM, "%s", opts->creds);
	c->options = *opts;
	c->end = end;
	r = tls_library_load(&c->library, err);
	if (r < 0)
		return r;
	if (opts->psk_user || (!tls_creds_has_file(c, ca_cert) && tls_creds_has_file(c, keys_psk)))
		r = tls_creds_use_psk(c, err);
	else
		r = tls_creds_use_x509(c, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

int tls_creds_check_host(const struct tls_creds *c, const char *host, const char *name,
			 struct err *err)
{
	if (c->end == TLS_SERVER || !c->x509 || c->options.hostname || host)
		return 0;
	err_fail(err, ERR_USAGE, -EINVAL, "%s: has no host name that the certificate could be for",
		 name);
	return err_hint(err, -EINVAL, "--tls-hostname NAME says for which name it must be");
}

struct tls_creds *tls_creds_free(struct tls_creds *c)
{
	if (!c)
		return NULL;
	if (c->x509)
		c->library->certificate_free_credentials(c->x509);
	if (c->psk_client)
		c->library->psk_free_client_credentials(c->psk_client);
	if (c->psk_server)
		c->library->psk_free_server_credentials(c->psk_server);
	if (c->keys)
		explicit_bzero(c->keys, c->n_keys * sizeof(*c->keys));
	free(c->keys);
	free(c);
	return NULL;
}
