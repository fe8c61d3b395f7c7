// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/macros.h"
#include "base/unix-socket.h"
#include "transport/address.h"
#include "transport/peer.h"
#include "transport/tls-socket.h"
#include "transport/trust.h"

/* Between two looks at what is still on its way; nothing tells when it has arrived. */
#define FINISH_PAUSE_MS 10

/* Unanswered questions after which a host counts as gone. */
#define PROBES 3

/* struct peer - @tls: or NULL; @since_ns: since when there is a connection */
struct peer {
	int fd;
	char *name;
	int timeout_ms;
	struct cancel *cancel;
	struct tls_socket *tls;
	uint64_t since_ns;
};

static void peer_set(int fd, int level, int option, int value)
{
	/* Best effort: without, it takes longer to find out that the peer is gone. */
	if (setsockopt(fd, level, option, &value, sizeof(value)) < 0)
		return;
}

/* A host that is gone says nothing, and is asked: after @timeout_ms it is known. */
static void peer_watch_tcp(int fd, int timeout_ms)
{
	int seconds = MAX(timeout_ms / 1000 / (PROBES + 1), 1);

	peer_set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	peer_set(fd, IPPROTO_TCP, TCP_KEEPIDLE, seconds);
	peer_set(fd, IPPROTO_TCP, TCP_KEEPINTVL, seconds);
	peer_set(fd, IPPROTO_TCP, TCP_KEEPCNT, PROBES);
	peer_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, timeout_ms);
	/* The end of an image, and the answer, wait for nothing that could go with them. */
	peer_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int peer_family(int fd)
{
	struct sockaddr_storage sa = { 0 };
	socklen_t len = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &len) < 0 ? AF_UNSPEC : sa.ss_family;
}

/* @host: that was connected to; NULL for what has none */
static int peer_begin(int fd, const char *name, const char *host, const struct peer_options *opts,
		      struct cancel *cancel, struct peer **ret, struct err *err)
{
	_cleanup_(peer_freep) struct peer *p = calloc(1, sizeof(*p));
	int r;

	if (!p) {
		close(fd);
		return err_set(err, -ENOMEM, "%s", name);
	}
	p->fd = fd;
	p->timeout_ms = opts->timeout_ms;
	p->cancel = cancel;
	p->since_ns = clock_ns();
	p->name = strdup(name);
	if (!p->name)
		return err_set(err, -ENOMEM, "%s", name);
	if (peer_family(fd) == AF_INET || peer_family(fd) == AF_INET6)
		peer_watch_tcp(fd, opts->timeout_ms);
	else
		unix_send_buffer(fd);
	r = opts->tls ? tls_socket_new(fd, opts->tls, host, p->name, &p->tls, err) : 0;
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int peer_new(int fd, const char *name, const struct peer_options *opts, struct cancel *cancel,
	     struct peer **ret, struct err *err)
{
	return peer_begin(fd, name, NULL, opts, cancel, ret, err);
}

struct peer *peer_free(struct peer *p)
{
	if (p) {
		tls_socket_free(p->tls);
		close(p->fd);
		free(p->name);
		free(p);
	}
	return NULL;
}

const char *peer_name(const struct peer *p)
{
	return p->name;
}

const char *peer_nameless(const char *text, const char *name)
{
	size_t len = strlen(name);

	return !strncmp(text, name, len) && !strncmp(text + len, ": ", 2) ? text + len + 2 : text;
}

bool peer_is_late(const struct peer *p, uint64_t since_ns)
{
	return !clock_ms_until(since_ns + (uint64_t)p->timeout_ms * NSEC_PER_MSEC);
}

int peer_fd(const struct peer *p)
{
	return p->fd;
}

bool peer_is_plain_tcp(const struct peer *p)
{
	return !p->tls && socket_is_tcp(p->fd);
}

/*
 * Connecting
 */

/* Until a connect() under way has come to something. */
static int peer_await_connection(int fd, int timeout_ms, struct cancel *cancel, struct err *err)
{
	struct pollfd p = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int r, result = 0;

	r = cancel_wait(cancel, &p, 1, timeout_ms, err);
	if (r < 0)
		return r;
	if (!r)
		return -ETIMEDOUT;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &result, &len) < 0)
		return -errno;
	return -result;
}

static int peer_cannot_connect(const struct uri *uri, int r, struct err *err)
{
	err_fail(err, err_denied(r, ERR_OUTPUT), r, "%s: cannot connect", uri->text);
	if (r == -ENOENT || r == -ECONNREFUSED)
		err_hint(err, r,
			 "start the receiver there first: resume --listen for save, receive for "
			 "migrate");
	return r;
}

static int peer_connect_to(const struct address *a, int timeout_ms, struct cancel *cancel,
			   int *ret_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	int r = 0;

	fd = socket(a->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0)
		r = errno == EINPROGRESS || errno == EINTR
			    ? peer_await_connection(fd, timeout_ms, cancel, err)
			    : -errno;
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* The first address that answers. */
static int peer_connect_any(const struct uri *uri, const struct peer_options *opts,
			    struct cancel *cancel, int *ret_fd, struct err *err)
{
	struct address list[ADDRESSES_MAX];
	int n, r = 0;

	n = address_resolve(uri, false, cancel, list, err);
	if (n < 0)
		return n;
	for (int i = 0; i < n; i++) {
		r = address_allow(&list[i], peer_is_protected(opts), uri->text, err);
		if (r < 0)
			return r;
		r = peer_connect_to(&list[i], opts->timeout_ms, cancel, ret_fd, err);
		if (r >= 0 || r == -ECANCELED)
			return r;
	}
	return peer_cannot_connect(uri, r, err);
}

static int peer_connect_unix(const struct uri *uri, const struct peer_options *opts,
			     struct cancel *cancel, int *ret_fd, struct err *err)
{
	const struct trust trust = {
		.insecure = peer_is_protected(opts),
		.cid = TRUST_ANY_CID,
	};
	_cleanup_fd_ int fd = -1;
	int r;

	r = unix_connect(uri->path, cancel, opts->timeout_ms, &fd, err);
	if (r == -ECANCELED)
		return r;
	if (r < 0)
		return peer_cannot_connect(uri, r, err);
	/* Another user may have been first at a name in a folder that all can write to. */
	r = trust_check(&trust, fd, err);
	if (r < 0)
		return err_prefix(err, r, "%s", uri->text);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* That a certificate can be for. */
static const char *peer_host(const struct uri *uri)
{
	return uri->kind == URI_TCP ? uri->host : NULL;
}

int peer_check(const struct uri *uri, const struct peer_options *opts, struct err *err)
{
	struct address list[ADDRESSES_MAX];
	int n, r;

	r = opts->tls ? tls_creds_check_host(opts->tls, peer_host(uri), uri->text, err) : 0;
	if (r < 0)
		return r;
	if (uri->kind == URI_UNIX)
		return 0;
	n = address_resolve(uri, false, NULL, list, err);
	for (int i = 0; i < n; i++) {
		r = address_allow(&list[i], peer_is_protected(opts), uri->text, err);

		if (r < 0)
			return r;
	}
	return MIN(n, 0);
}

int peer_connect(const struct uri *uri, const struct peer_options *opts, struct cancel *cancel,
		 struct peer **ret, struct err *err)
{
	_cleanup_(peer_freep) struct peer *p = NULL;
	int fd = -1, r;

	r = opts->tls ? tls_creds_check_host(opts->tls, peer_host(uri), uri->text, err) : 0;
	if (r < 0)
		return r;
	if (uri->kind == URI_UNIX)
		r = peer_connect_unix(uri, opts, cancel, &fd, err);
	else
		r = peer_connect_any(uri, opts, cancel, &fd, err);
	if (r < 0)
		return r;
	r = peer_begin(fd, uri->text, peer_host(uri), opts, cancel, &p, err);
	r = r < 0 ? r : peer_shake(p, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

/*
 * A connection that another process has made
 */

bool peer_can_inherit(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(int);
	int type = 0;

	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_STREAM)
		return false;
	len = sizeof(sa);
	return getpeername(fd, (struct sockaddr *)&sa, &len) == 0;
}

static int peer_check_inherited(const struct uri *uri, const struct peer_options *opts,
				struct err *err)
{
	const struct trust trust = {
		.insecure = peer_is_protected(opts),
		.cid = TRUST_ANY_CID,
	};
	struct address there = { .len = sizeof(there.sa) };
	int r;

	if (fcntl(uri->fd, F_GETFD) < 0)
		return err_fail(err, ERR_MISSING, -errno, "%s: not open here", uri->text);
	if (!peer_can_inherit(uri->fd))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not a connected stream socket",
				uri->text);
	if (getpeername(uri->fd, (struct sockaddr *)&there.sa, &there.len) < 0)
		return err_set(err, -errno, "%s", uri->text);
	r = address_allow(&there, peer_is_protected(opts), uri->text, err);
	if (r < 0)
		return r;
	r = trust_check(&trust, uri->fd, err);
	return r < 0 ? err_prefix(err, r, "%s", uri->text) : 0;
}

int peer_inherit(const struct uri *uri, const struct peer_options *opts, struct cancel *cancel,
		 struct peer **ret, struct err *err)
{
	int fd = -1, r;

	r = peer_check_inherited(uri, opts, err);
	if (r < 0)
		return r;
	r = fd_take(uri->fd, &fd);
	if (r < 0)
		return err_set(err, r, "%s", uri->text);
	return peer_new(fd, uri->text, opts, cancel, ret, err);
}

/*
 * Moving bytes
 */

static int peer_silent(const struct peer *p, struct err *err)
{
	return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "%s: silent for %g s", p->name,
			p->timeout_ms / 1e3);
}

static int peer_wait_for(struct peer *p, short events, struct err *err)
{
	struct pollfd fd = { .fd = p->fd, .events = events };
	int r;

	/* One that says a byte a second is not silent, and gets no further. */
	if (p->tls && !tls_socket_shaken(p->tls) && peer_is_late(p, p->since_ns))
		return err_fail(err, ERR_ABORTED, -ETIMEDOUT, "%s: no TLS handshake within %g s",
				p->name, p->timeout_ms / 1e3);
	r = cancel_wait(p->cancel, &fd, 1, p->timeout_ms, err);
	return r ? r : peer_silent(p, err);
}

int peer_shake(struct peer *p, struct err *err)
{
	int r;

	while (p->tls && (r = tls_socket_shake(p->tls, err)) < 0) {
		r = r == -EAGAIN ? peer_wait_for(p, tls_socket_events(p->tls), err) : r;
		if (r < 0)
			return r;
	}
	return 0;
}

short peer_events(const struct peer *p)
{
	if (p->tls)
		return tls_socket_events(p->tls);
	return POLLIN;
}

ssize_t peer_read_now(struct peer *p, void *buf, size_t len, struct err *err)
{
	ssize_t n;

	if (p->tls)
		return tls_socket_read(p->tls, buf, len, err);
	do
		n = recv(p->fd, buf, len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return -EAGAIN;
	return err_fail(err, ERR_ABORTED, -errno, "%s: receiving", p->name);
}

ssize_t peer_read(struct peer *p, void *buf, size_t len, struct err *err)
{
	ssize_t n;
	int r;

	while ((n = peer_read_now(p, buf, len, err)) == -EAGAIN) {
		r = peer_wait_for(p, peer_events(p), err);
		if (r < 0)
			return r;
	}
	return n;
}

static ssize_t peer_write_some(struct peer *p, const void *buf, size_t len, struct err *err)
{
	ssize_t n;

	if (p->tls)
		return tls_socket_write(p->tls, buf, len, err);
	do
		n = send(p->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n >= 0)
		return n;
	if (errno == EAGAIN)
		return -EAGAIN;
	return err_fail(err, ERR_ABORTED, -errno, "%s: sending", p->name);
}

/* Of a handshake, which may come first, what is waited for is the peer's word. */
static short peer_write_events(const struct peer *p)
{
	if (p->tls && !tls_socket_shaken(p->tls))
		return tls_socket_events(p->tls);
	return POLLOUT;
}

/* What TLS has taken goes to the system. */
static int peer_flush(struct peer *p, struct err *err)
{
	int r = 0;

	while (p->tls && (r = tls_socket_flush(p->tls, err)) == -EAGAIN) {
		r = peer_wait_for(p, POLLOUT, err);
		if (r < 0)
			return r;
	}
	return r;
}

int peer_write(struct peer *p, const void *buf, size_t len, struct err *err)
{
	size_t done = 0;
	int r;

	while (done < len) {
		ssize_t n = peer_write_some(p, (const char *)buf + done, len - done, err);

		if (n == -EAGAIN) {
			r = peer_wait_for(p, peer_write_events(p), err);
			if (r < 0)
				return r;
			continue;
		}
		if (n < 0)
			return (int)n;
		done += (size_t)n;
	}
	return peer_flush(p, err);
}

bool peer_has_more(const struct peer *p)
{
	struct pollfd fd = { .fd = p->fd, .events = POLLIN };

	return (p->tls && tls_socket_has_more(p->tls)) || poll(&fd, 1, 0) > 0;
}

bool peer_denies(const struct peer *p)
{
	return p->tls && tls_socket_denied(p->tls);
}

bool peer_is_gone(const struct peer *p)
{
	char c;
	ssize_t n;

	if (p->tls)
		return tls_socket_is_gone(p->tls);
	n = recv(p->fd, &c, sizeof(c), MSG_PEEK | MSG_DONTWAIT);
	return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

/*
 * A socket that poll() finds writable has room for a small record. What was taken in part is the
 * end of the connection: nothing could follow it.
 */
int peer_write_now(struct peer *p, const void *buf, size_t len, struct err *err)
{
	struct pollfd fd = { .fd = p->fd, .events = POLLOUT };
	ssize_t n = -EAGAIN;
	int r = 0;

	if (poll(&fd, 1, 0) > 0)
		n = peer_write_some(p, buf, len, err);
	if (n == (ssize_t)len && p->tls)
		r = tls_socket_flush(p->tls, err);
	if (n < 0 && n != -EAGAIN)
		return (int)n;
	if (r < 0 && r != -EAGAIN)
		return r;
	if (n < 0)
		return err_fail(err, ERR_ABORTED, -EAGAIN, "%s: has no room for an answer",
				p->name);
	if (n != (ssize_t)len || r < 0)
		return err_fail(err, ERR_ABORTED, -EPIPE, "%s: has room for a part of an answer",
				p->name);
	return 0;
}

/* Bytes that the other end's system has not confirmed; 0 where ours does not count them. */
static int peer_unconfirmed(const struct peer *p)
{
	int n;

	return ioctl(p->fd, SIOCOUTQ, &n) < 0 ? 0 : n;
}

static int peer_pending_error(const struct peer *p)
{
	socklen_t len = sizeof(int);
	int error = 0;

	return getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0 ? -errno : -error;
}

/* What is no longer connected has a reason for it. */
static int peer_close_half(const struct peer *p)
{
	int r, error;

	if (shutdown(p->fd, SHUT_WR) == 0)
		return 0;
	r = -errno;
	if (r == -ENOTCONN && (error = peer_pending_error(p)) < 0)
		r = error;
	return r;
}

/* Until the other end's system has confirmed all that was written. */
static int peer_await_confirmation(struct peer *p, struct err *err)
{
	uint64_t heard = clock_ns();
	int before = 0, r;

	for (;;) {
		int left = peer_unconfirmed(p);

		r = peer_pending_error(p);
		if (r < 0)
			return err_fail(err, ERR_ABORTED, r, "%s: sending", p->name);
		if (!left)
			return 0;
		if (left != before)
			heard = clock_ns();
		before = left;
		if (!clock_ms_until(heard + (uint64_t)p->timeout_ms * NSEC_PER_MSEC))
			return peer_silent(p, err);
		r = cancel_pause(p->cancel, FINISH_PAUSE_MS, err);
		if (r < 0)
			return r;
	}
}

static int peer_end(struct peer *p, struct err *err)
{
	int r = peer_close_half(p);

	if (r < 0)
		return err_fail(err, ERR_ABORTED, r, "%s: sending", p->name);
	return peer_await_confirmation(p, err);
}

/*
 * The end by TLS goes when all before it has arrived: a peer that has what it wants, and closes
 * without waiting for the end, does so with that unread, which resets the connection.
 */
static int peer_end_tls(struct peer *p, struct err *err)
{
	struct err why = { 0 };
	int r;

	r = peer_flush(p, err);
	if (r < 0)
		return r;
	r = peer_await_confirmation(p, err);
	if (r == -ECONNRESET || r == -EPIPE)
		return tls_socket_why_lost(p->tls, r, err);
	r = r < 0 ? r : tls_socket_finish(p->tls, err);
	if (r < 0)
		return r;
	r = peer_flush(p, &why);
	r = r < 0 ? r : peer_end(p, &why);
	if (r == -ECONNRESET || r == -EPIPE || r == -ENOTCONN)
		return 0;
	if (r < 0 && err)
		*err = why;
	return r;
}

int peer_finish(struct peer *p, struct err *err)
{
	return p->tls ? peer_end_tls(p, err) : peer_end(p, err);
}
