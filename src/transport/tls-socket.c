// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/macros.h"
#include "transport/tls-socket.h"

/**
 * struct tls_socket
 * @unsent: why nothing can be sent any more, 0 while it can
 * @kept, @n_kept: a byte that was read in search of an alert, the next to be read
 */
struct tls_socket {
	int fd;
	const char *name;
	struct tls *tls;
	pthread_mutex_t lock;
	int unsent;
	uint8_t kept;
	size_t n_kept;
};

int tls_socket_new(int fd, const struct tls_creds *creds, const char *host, const char *name,
		   struct tls_socket **ret, struct err *err)
{
	struct tls_socket *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "%s", name);
	r = tls_new(creds, host, name, &s->tls, err);
	if (r < 0) {
		free(s);
		return r;
	}
	s->fd = fd;
	s->name = name;
	pthread_mutex_init(&s->lock, NULL);
	*ret = s;
	return 0;
}

struct tls_socket *tls_socket_free(struct tls_socket *s)
{
	if (s) {
		tls_free(s->tls);
		pthread_mutex_destroy(&s->lock);
		free(s);
	}
	return NULL;
}

/*
 * Bytes, with the lock held
 */

/* A failure is kept: what was written so far is lost then, but not what was received. */
static int tls_socket_send(struct tls_socket *s)
{
	const void *bytes;
	size_t len;

	while (!s->unsent && (bytes = tls_pending(s->tls, &len))) {
		ssize_t n = send(s->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n >= 0)
			tls_sent(s->tls, (size_t)n);
		else if (errno == EAGAIN)
			return -EAGAIN;
		else if (errno != EINTR)
			s->unsent = -errno;
	}
	return s->unsent;
}

/* Return: 0 when there is more than before, or an end; -EAGAIN, without a story. */
static int tls_socket_receive(struct tls_socket *s, struct err *err)
{
	size_t room;
	void *space = tls_space(s->tls, &room);
	ssize_t n;

	if (!room)
		return -EAGAIN;
	do
		n = recv(s->fd, space, room, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n >= 0) {
		tls_received(s->tls, (size_t)n);
		return 0;
	}
	if (errno == EAGAIN)
		return -EAGAIN;
	return err_fail(err, ERR_ABORTED, -errno, "%s: receiving", s->name);
}

/*
 * A send has failed. With TLS 1.3 a client's handshake is over before the server has judged its
 * certificate: an end that has closed since may have said why.
 *
 * Return: what it said, else @sent.
 */
static int tls_socket_why_unsent(struct tls_socket *s, int sent, struct err *err)
{
	struct err why = { 0 };
	ssize_t n = -EAGAIN;

	while (!s->n_kept && n == -EAGAIN) {
		n = tls_read(s->tls, &s->kept, sizeof(s->kept), &why);
		s->n_kept = n > 0;
		if (n == -EAGAIN && tls_socket_receive(s, NULL) < 0)
			break;
	}
	if (n >= 0 || n == -EAGAIN)
		return err_fail(err, ERR_ABORTED, sent, "%s: sending", s->name);
	*err = why;
	return (int)n;
}

/* Return: 0 when all is sent; -EAGAIN, without a story; why nothing can be. */
static int tls_socket_flush_locked(struct tls_socket *s, struct err *err)
{
	int r = tls_socket_send(s);

	return r < 0 && r != -EAGAIN ? tls_socket_why_unsent(s, r, err) : r;
}

/* An end that has closed may have said why: what it said is read before a failed send counts. */
static int tls_socket_shake_locked(struct tls_socket *s, struct err *err)
{
	int r, sent;

	do {
		r = tls_shake(s->tls, err);
		/* Also the alert that says why there is no handshake. */
		sent = tls_socket_send(s);
		if (r != -EAGAIN)
			return r;
		r = tls_socket_receive(s, err);
	} while (r >= 0);
	if (r == -EAGAIN && sent < 0 && sent != -EAGAIN)
		return err_fail(err, ERR_ABORTED, sent, "%s: sending", s->name);
	return r;
}

static ssize_t tls_socket_read_locked(struct tls_socket *s, void *buf, size_t len, struct err *err)
{
	size_t done = 0;
	ssize_t n = tls_socket_shake_locked(s, err);

	if (n < 0)
		return n;
	if (len && s->n_kept) {
		*(uint8_t *)buf = s->kept;
		s->n_kept = 0;
		done = 1;
	}
	while (done < len) {
		n = tls_read(s->tls, (char *)buf + done, len - done, done ? NULL : err);
		if (n == -EAGAIN) {
			n = tls_socket_receive(s, done ? NULL : err);
			if (n >= 0)
				continue;
		}
		if (n <= 0)
			break;
		done += (size_t)n;
	}
	if (n < 0 && n != -EAGAIN && tls_socket_send(s) < 0)
		log_debug("%s: no alert was sent", s->name);
	/* What ended it is there at the next call as well. */
	return done ? (ssize_t)done : n;
}

static ssize_t tls_socket_write_locked(struct tls_socket *s, const void *buf, size_t len,
				       struct err *err)
{
	ssize_t n = tls_socket_shake_locked(s, err);
	int r;

	if (n < 0)
		return n;
	n = tls_write(s->tls, buf, len, err);
	if (n < 0)
		return n;
	r = tls_socket_flush_locked(s, err);
	if (r < 0 && r != -EAGAIN)
		return r;
	return n ? n : -EAGAIN;
}

/*
 * With the lock
 */

int tls_socket_shake(struct tls_socket *s, struct err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = tls_socket_shake_locked(s, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

ssize_t tls_socket_read(struct tls_socket *s, void *buf, size_t len, struct err *err)
{
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	n = tls_socket_read_locked(s, buf, len, err);
	pthread_mutex_unlock(&s->lock);
	return n;
}

ssize_t tls_socket_write(struct tls_socket *s, const void *buf, size_t len, struct err *err)
{
	ssize_t n;

	pthread_mutex_lock(&s->lock);
	n = tls_socket_write_locked(s, buf, len, err);
	pthread_mutex_unlock(&s->lock);
	return n;
}

int tls_socket_flush(struct tls_socket *s, struct err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = tls_socket_flush_locked(s, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int tls_socket_why_lost(struct tls_socket *s, int lost, struct err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = tls_socket_why_unsent(s, lost, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

int tls_socket_finish(struct tls_socket *s, struct err *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = tls_finish(s->tls, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

bool tls_socket_shaken(struct tls_socket *s)
{
	bool shaken;

	pthread_mutex_lock(&s->lock);
	shaken = tls_shaken(s->tls);
	pthread_mutex_unlock(&s->lock);
	return shaken;
}

bool tls_socket_denied(struct tls_socket *s)
{
	bool denied;

	pthread_mutex_lock(&s->lock);
	denied = tls_denied(s->tls);
	pthread_mutex_unlock(&s->lock);
	return denied;
}

bool tls_socket_has_more(struct tls_socket *s)
{
	bool more;

	pthread_mutex_lock(&s->lock);
	more = s->n_kept || tls_has_more(s->tls);
	pthread_mutex_unlock(&s->lock);
	return more;
}

/* The end may be behind bytes that were not read. */
bool tls_socket_is_gone(struct tls_socket *s)
{
	bool gone = false;
	int r;

	pthread_mutex_lock(&s->lock);
	do {
		r = tls_socket_receive(s, NULL);
		gone = tls_ended(s->tls) || (r < 0 && r != -EAGAIN);
	} while (r >= 0 && !gone);
	pthread_mutex_unlock(&s->lock);
	return gone;
}

short tls_socket_events(struct tls_socket *s)
{
	size_t len;
	bool pending;

	pthread_mutex_lock(&s->lock);
	pending = tls_pending(s->tls, &len) && !s->unsent;
	pthread_mutex_unlock(&s->lock);
	return pending ? POLLIN | POLLOUT : POLLIN;
}
