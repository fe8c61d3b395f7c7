// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a connection costs by itself: tls-stream FD SOCKET [CREDS]
 *
 * All that FD has goes over a connection at the UNIX socket SOCKET to a thread that drops it, by
 * TLS with the keys.psk in CREDS, or as it is.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "transport/channel.h"
#include "transport/listener.h"
#include "transport/tls-creds.h"

#define PIECE ((size_t)1 << 20)

struct bench {
	struct cancel cancel;
	struct tls_options tls;
	struct uri uri;
	struct peer_options opts[2]; /* by enum tls_end */
	struct tls_creds *creds[2];
	struct listener *listener;
	struct err err[2];
};

static int bench_swallow(struct bench *b, struct err *err)
{
	struct pollfd p = { .fd = listener_fd(b->listener), .events = POLLIN };
	_cleanup_(peer_freep) struct peer *peer = NULL;
	_cleanup_free_ char *buf = malloc(PIECE);
	ssize_t n;
	int r;

	if (!buf || poll(&p, 1, -1) < 0)
		return err_set(err, -ENOMEM, "receiver");
	r = listener_accept(b->listener, &b->cancel, &peer, err);
	if (r < 0)
		return r;
	while ((n = peer_read(peer, buf, PIECE, err)) > 0)
		continue;
	return (int)n;
}

static void *bench_receive(void *arg)
{
	struct bench *b = arg;

	return bench_swallow(b, &b->err[TLS_SERVER]) < 0 ? NULL : b;
}

static int bench_send(struct bench *b, int fd, struct err *err)
{
	_cleanup_(channel_freep) struct channel *c = NULL;
	_cleanup_free_ char *buf = malloc(PIECE);
	ssize_t n;
	int r;

	if (!buf)
		return err_set(err, -ENOMEM, "sender");
	r = channel_open(&b->uri, &b->opts[TLS_CLIENT], &b->cancel, &c, err);
	if (r < 0)
		return r;
	while ((n = read(fd, buf, PIECE)) > 0) {
		r = channel_write(c, buf, (size_t)n, err);
		if (r < 0)
			return r;
	}
	return n < 0 ? err_set(err, -errno, "reading") : channel_finish(c, err);
}

static int bench_open(struct bench *b, const char *socket, const char *creds, struct err *err)
{
	int r = cancel_init(&b->cancel, err);

	b->tls.creds = creds;
	for (int end = 0; end < 2; end++) {
		b->opts[end].timeout_ms = 60000;
		if (r >= 0 && creds)
			r = tls_creds_open(&b->tls, (enum tls_end)end, &b->creds[end], err);
		b->opts[end].tls = b->creds[end];
	}
	if (r < 0)
		return r;
	r = uri_parse(socket, URI_UNIX, &b->uri, err);
	return r < 0 ? r : listener_open(&b->uri, &b->opts[TLS_SERVER], &b->listener, err);
}

static int bench_run(struct bench *b, int fd, struct err *err)
{
	pthread_t receiver;
	void *good;
	int r;

	r = pthread_create(&receiver, NULL, bench_receive, b);
	if (r)
		return err_set(err, -r, "thread");
	r = bench_send(b, fd, err);
	pthread_join(receiver, &good);
	listener_free(b->listener);
	if (r < 0 || good)
		return r;
	*err = b->err[TLS_SERVER];
	return err->code;
}

int main(int argc, char **argv)
{
	struct bench b = { 0 };
	struct err err = { 0 };
	int r;

	if (argc < 3) {
		fprintf(stderr, "usage: tls-stream FD unix:SOCKET [CREDS]\n");
		return EXIT_FAILURE;
	}
	r = bench_open(&b, argv[2], argv[3], &err);
	r = r < 0 ? r : bench_run(&b, atoi(argv[1]), &err);
	if (r < 0)
		fprintf(stderr, "tls-stream: %s: %s\n", err.text, strerror(-r));
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
