// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/channel.h"
#include "transport/listener.h"
#include "transport/tls-creds.h"

#define MUCH ((size_t)4 << 20) /* more than pipes and sockets hold */

#define PATH "both-ways.socket"

struct bench {
	struct cancel cancel;
	struct uri uri;
	struct err err;
	struct channel *c;
	int in, out; /* the other end's, -1 for a command's */
	int saved[2]; /* our own standard input and output */
	char buf[MUCH], back[MUCH];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	b->in = b->out = b->saved[0] = b->saved[1] = -1;
	for (size_t i = 0; i < MUCH; i++)
		b->buf[i] = (char)(i * 7 + i / 4096);
	*state = b;
	return 0;
}

static void hang_up(struct bench *b)
{
	b->c = channel_free(b->c);
	if (b->out >= 0 && b->out != b->in)
		close(b->out);
	if (b->in >= 0)
		close(b->in);
	b->in = b->out = -1;
	for (int fd = 0; fd < 2; fd++) {
		if (b->saved[fd] < 0)
			continue;
		assert_int_equal(dup2(b->saved[fd], fd), fd);
		close(TAKE_FD(b->saved[fd]));
	}
}

static int teardown(void **state)
{
	struct bench *b = *state;

	hang_up(b);
	cancel_done(&b->cancel);
	free(b);
	return 0;
}

static int open_it(struct bench *b, const char *text, int timeout_ms)
{
	const struct peer_options opts = { .timeout_ms = timeout_ms };

	assert_int_equal(uri_parse(text, URI_CHANNEL, &b->uri, NULL), 0);
	return channel_open(&b->uri, &opts, &b->cancel, &b->c, &b->err);
}

/* Standard input and output become @in and @out, which are closed. */
static void put_stdio(struct bench *b, int in, int out)
{
	fflush(stdout);
	for (int fd = 0; fd < 2; fd++) {
		b->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		assert_true(b->saved[fd] >= 0);
		assert_int_equal(dup2(fd ? out : in, fd), fd);
	}
	close(in);
	if (out != in)
		close(out);
}

/* The ways in which a channel comes to be; the other end is @b's in and out. */

static void by_unix_socket(struct bench *b, int timeout_ms)
{
	struct listener *l = NULL;
	const struct peer_options opts = { .timeout_ms = timeout_ms };

	assert_int_equal(uri_parse("unix:" PATH, URI_CHANNEL, &b->uri, NULL), 0);
	assert_int_equal(listener_open(&b->uri, &opts, &l, NULL), 0);
	assert_int_equal(open_it(b, "unix:" PATH, timeout_ms), 0);
	b->in = b->out = accept4(listener_fd(l), NULL, NULL, SOCK_CLOEXEC);
	assert_true(b->in >= 0);
	listener_free(l);
}

static void by_descriptor(struct bench *b, int timeout_ms)
{
	char text[16];
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	snprintf(text, sizeof(text), "fd:%d", pair[0]);
	assert_true(peer_can_inherit(pair[0]));
	assert_int_equal(open_it(b, text, timeout_ms), 0);
	b->in = b->out = pair[1];
}

static void by_stdio_pipes(struct bench *b, int timeout_ms)
{
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	put_stdio(b, to[0], from[1]);
	b->out = to[1];
	b->in = from[0];
	assert_int_equal(open_it(b, "-", timeout_ms), 0);
}

static void by_stdio_sockets(struct bench *b, int timeout_ms)
{
	int to[2], from[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, to), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, from), 0);
	put_stdio(b, to[0], from[1]);
	b->out = to[1];
	b->in = from[0];
	assert_int_equal(open_it(b, "-", timeout_ms), 0);
}

static void by_stdio_socket(struct bench *b, int timeout_ms)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	put_stdio(b, pair[0], pair[0]);
	b->in = b->out = pair[1];
	assert_int_equal(open_it(b, "-", timeout_ms), 0);
}

static const struct {
	const char *name;
	void (*open)(struct bench *b, int timeout_ms);
} ways[] = {
	{ "unix:" PATH, by_unix_socket },
	{ "fd:", by_descriptor },
	{ "standard input and output", by_stdio_pipes },
	{ "standard input and output", by_stdio_sockets },
	{ "standard input and output", by_stdio_socket },
};

/* The other end: gives back what it gets until there is no more. */
static void *echo(void *arg)
{
	struct bench *b = arg;
	char buf[4096];
	ssize_t n;

	while ((n = read(b->in, buf, sizeof(buf))) > 0)
		if (write_full(b->out, buf, (size_t)n) < 0)
			return NULL;
	if (b->out != b->in)
		close(TAKE_FD(b->out));
	else if (shutdown(b->out, SHUT_WR) < 0)
		return NULL;
	return n ? NULL : b;
}

static void *read_back(void *arg)
{
	struct bench *b = arg;
	size_t done = 0;
	ssize_t n;

	while (done < MUCH && (n = channel_read(b->c, b->back + done, MUCH - done, NULL)) > 0)
		done += (size_t)n;
	return done == MUCH ? b : NULL;
}

/* One thread reads while another writes: more than there is room for, so they have to. */
static void assert_both_ways(struct bench *b)
{
	pthread_t reader;
	void *good;

	memset(b->back, 0, MUCH);
	assert_int_equal(pthread_create(&reader, NULL, read_back, b), 0);
	assert_int_equal(channel_write(b->c, b->buf, MUCH, NULL), 0);
	assert_int_equal(pthread_join(reader, &good), 0);
	assert_non_null(good);
	assert_memory_equal(b->buf, b->back, MUCH);
}

static void bytes_go_both_ways_at_once(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		pthread_t other;
		void *good;
		char c;

		ways[i].open(b, 60000);
		assert_memory_equal(channel_name(b->c), ways[i].name, strlen(ways[i].name));
		assert_int_equal(pthread_create(&other, NULL, echo, b), 0);
		assert_both_ways(b);
		assert_false(channel_is_gone(b->c));
		assert_int_equal(channel_finish(b->c, &b->err), 0);
		assert_int_equal(pthread_join(other, &good), 0);
		assert_non_null(good);
		assert_int_equal(channel_read(b->c, &c, 1, NULL), 0);
		assert_true(channel_is_gone(b->c));
		hang_up(b);
	}
}

static void a_command_is_spoken_with(void **state)
{
	struct bench *b = *state;
	char c;

	assert_int_equal(open_it(b, "exec:cat", 60000), 0);
	assert_string_equal(channel_name(b->c), "exec:cat");
	assert_both_ways(b);
	assert_int_equal(channel_finish(b->c, NULL), 0);
	assert_int_equal(channel_read(b->c, &c, 1, NULL), 0);
}

static void what_is_there_is_read_without_waiting(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct pollfd p = { .events = POLLIN };
		char got[8];
		int r;

		ways[i].open(b, 60000);
		p.fd = channel_fd(b->c);
		assert_int_equal(channel_read_now(b->c, got, sizeof(got), NULL), -EAGAIN);
		assert_int_equal(write_full(b->out, "hello", 5), 0);
		assert_int_equal(poll(&p, 1, 60000), 1);
		assert_int_equal(channel_read_now(b->c, got, sizeof(got), NULL), 5);
		assert_memory_equal(got, "hello", 5);

		assert_int_equal(channel_write_now(b->c, "fine", 4, NULL), 0);
		assert_int_equal(read_full(b->in, got, 4), 4);
		assert_memory_equal(got, "fine", 4);
		do
			r = channel_write_now(b->c, b->buf, 4096, &b->err);
		while (!r);
		assert_int_equal(r, -EAGAIN);
		assert_int_equal(err_status(&b->err), 75);
		hang_up(b);
	}
}

static void silence_is_borne_for_so_long(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int r;

		ways[i].open(b, 50);
		assert_int_equal(channel_read(b->c, b->back, 1, &b->err), -ETIMEDOUT);
		assert_int_equal(err_status(&b->err), 75);
		assert_non_null(strstr(b->err.text, ": silent for 0.05 s"));
		do
			r = channel_write(b->c, b->buf, MUCH, &b->err);
		while (!r);
		assert_int_equal(r, -ETIMEDOUT);
		assert_int_equal(err_status(&b->err), 75);
		hang_up(b);
	}
	assert_int_equal(open_it(b, "exec:exec sleep 1000", 50), 0);
	assert_int_equal(channel_read(b->c, b->back, 1, &b->err), -ETIMEDOUT);
	assert_int_equal(channel_finish(b->c, &b->err), -ETIMEDOUT);
	assert_int_equal(err_status(&b->err), 75);
}

static void a_broken_connection_is_an_abort(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		int r;

		ways[i].open(b, 60000);
		if (b->out != b->in)
			close(TAKE_FD(b->out));
		close(TAKE_FD(b->in));
		b->out = -1;
		assert_true(channel_is_gone(b->c));
		do
			r = channel_write(b->c, b->buf, MUCH, &b->err);
		while (!r);
		assert_true(r == -EPIPE || r == -ECONNRESET);
		assert_int_equal(err_status(&b->err), 75);
		hang_up(b);
	}
}

static void *request(void *arg)
{
	struct bench *b = arg;

	cancel_request(&b->cancel);
	return NULL;
}

static void waiting_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	pthread_t thread;

	assert_int_equal(open_it(b, "exec:exec sleep 1000", 60000), 0);
	assert_int_equal(pthread_create(&thread, NULL, request, b), 0);
	assert_int_equal(channel_read(b->c, b->back, 1, NULL), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(channel_write(b->c, b->buf, MUCH, NULL), -ECANCELED);
	/* Last words go all the same. */
	assert_int_equal(channel_write_now(b->c, "bye", 3, NULL), 0);
	assert_int_equal(channel_finish(b->c, NULL), -ECANCELED);
}

static const struct {
	const char *text, *why;
} bad_ends[] = {
	{ "exec:exit 3", ": ended with status 3" },
	{ "exec:kill -KILL $$", ": ended by signal 9 (Killed)" },
};

/* Whichever thread finds out first, both hear how it ended, and again. */
static void how_a_command_ended_is_heard_by_all(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad_ends); i++) {
		int r;

		assert_int_equal(open_it(b, bad_ends[i].text, 60000), 0);
		assert_int_equal(channel_read(b->c, b->back, 1, &b->err), -EIO);
		assert_non_null(strstr(b->err.text, bad_ends[i].why));
		assert_int_equal(err_status(&b->err), 75);
		b->err = (struct err){ 0 };
		do
			r = channel_write(b->c, b->buf, MUCH, &b->err);
		while (!r);
		assert_int_equal(r, -EIO);
		assert_non_null(strstr(b->err.text, bad_ends[i].why));
		b->err = (struct err){ 0 };
		assert_int_equal(channel_finish(b->c, &b->err), -EIO);
		assert_non_null(strstr(b->err.text, bad_ends[i].why));
		b->c = channel_free(b->c);
	}
}

/* Its own end, or only that of its output: the exit status tells. */
static void the_end_of_a_command_that_is_fine_is_the_end(void **state)
{
	struct bench *b = *state;
	int r;

	assert_int_equal(open_it(b, "exec:echo", 60000), 0);
	assert_int_equal(channel_read(b->c, b->back, 8, NULL), 1);
	assert_int_equal(channel_read(b->c, b->back, 8, NULL), 0);
	do
		r = channel_write(b->c, b->buf, MUCH, &b->err);
	while (!r);
	assert_int_equal(r, -EPIPE);
	assert_non_null(strstr(b->err.text, ": ended"));
	b->c = channel_free(b->c);

	assert_int_equal(open_it(b, "exec:exec >&-; cat >/dev/null", 60000), 0);
	assert_int_equal(channel_read(b->c, b->back, 8, NULL), 0);
	assert_int_equal(channel_write(b->c, b->buf, MUCH, NULL), 0);
	assert_int_equal(channel_finish(b->c, NULL), 0);
}

static void what_is_taken_is_out_of_reach(void **state)
{
	struct bench *b = *state;
	char c;

	by_stdio_pipes(b, 60000);
	assert_int_equal(read(STDIN_FILENO, &c, 1), 0);
	assert_int_equal(write(STDOUT_FILENO, "x", 1), 1);
	b->c = channel_free(b->c);
	assert_int_equal(read(b->in, &c, 1), 0);
}

static void what_has_no_other_end_is_refused(void **state)
{
	struct bench *b = *state;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), p[2];
	char text[16];

	assert_true(null >= 0);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	put_stdio(b, null, p[1]);
	assert_int_equal(open_it(b, "-", 60000), -EINVAL);
	hang_up(b);
	assert_int_equal(err_status(&b->err), 64);
	assert_string_equal(b->err.text, "standard input: is neither a pipe nor a socket");

	snprintf(text, sizeof(text), "fd:%d", p[0]);
	assert_false(peer_can_inherit(p[0]));
	assert_int_equal(open_it(b, text, 60000), -EINVAL);
	assert_int_equal(err_status(&b->err), 64);
	close(p[0]);
	assert_int_equal(open_it(b, text, 60000), -EBADF);
	assert_int_equal(err_status(&b->err), 66);
}

/* TLS: both ends are ours, and each has a thread that reads and one that writes. */

struct tls_end_of {
	struct bench *b;
	struct tls_options options;
	struct tls_creds *creds;
	struct peer_options opts;
	struct listener *listener; /* the server's */
	struct channel *c;
	char back[MUCH];
};

static void *tls_accept(void *arg)
{
	struct tls_end_of *e = arg;
	struct pollfd p = { .fd = listener_fd(e->listener), .events = POLLIN };
	struct peer *peer = NULL;

	if (poll(&p, 1, 60000) != 1 || listener_accept(e->listener, &e->b->cancel, &peer, NULL) < 0)
		return NULL;
	if (peer_shake(peer, NULL) < 0) {
		peer_free(peer);
		return NULL;
	}
	return channel_from_peer(peer, &e->c, NULL) < 0 ? NULL : e;
}

static void *tls_read_all(void *arg)
{
	struct tls_end_of *e = arg;
	size_t done = 0;
	ssize_t n;
	char c;

	while (done < MUCH && (n = channel_read(e->c, e->back + done, MUCH - done, NULL)) > 0)
		done += (size_t)n;
	/* Its end is one. */
	return done == MUCH && channel_read(e->c, &c, 1, NULL) == 0 ? e : NULL;
}

static void *tls_write_all(void *arg)
{
	struct tls_end_of *e = arg;

	if (channel_write(e->c, e->b->buf, MUCH, NULL) < 0)
		return NULL;
	return channel_finish(e->c, NULL) < 0 ? NULL : e;
}

static void tls_keys(const char *dir)
{
	char path[64];
	FILE *f;

	assert_int_equal(mkdir(dir, 0700), 0);
	snprintf(path, sizeof(path), "%s/keys.psk", dir);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(chmod(path, 0600), 0);
	fputs("ann:000102030405060708090a0b0c0d0e0f\n", f);
	assert_int_equal(fclose(f), 0);
}

static void tls_open(struct bench *b, struct tls_end_of *e, enum tls_end end)
{
	e->b = b;
	e->options.creds = "both-ways.keys";
	assert_int_equal(tls_creds_open(&e->options, end, &e->creds, &b->err), 0);
	e->opts = (struct peer_options){ .timeout_ms = 60000, .tls = e->creds };
	assert_int_equal(uri_parse("unix:" PATH, URI_CHANNEL, &b->uri, NULL), 0);
	if (end == TLS_SERVER)
		assert_int_equal(listener_open(&b->uri, &e->opts, &e->listener, NULL), 0);
}

static void tls_close(struct tls_end_of *e)
{
	channel_free(e->c);
	listener_free(e->listener);
	tls_creds_free(e->creds);
	free(e);
}

static void tls_meet(struct bench *b, struct tls_end_of *ends[2])
{
	pthread_t thread;
	void *good;

	for (int i = 0; i < 2; i++) {
		ends[i] = calloc(1, sizeof(*ends[i]));
		assert_non_null(ends[i]);
	}
	tls_keys("both-ways.keys");
	tls_open(b, ends[TLS_SERVER], TLS_SERVER);
	tls_open(b, ends[TLS_CLIENT], TLS_CLIENT);
	assert_int_equal(unlink("both-ways.keys/keys.psk"), 0);
	assert_int_equal(rmdir("both-ways.keys"), 0);
	assert_int_equal(pthread_create(&thread, NULL, tls_accept, ends[TLS_SERVER]), 0);
	assert_int_equal(channel_open(&b->uri, &ends[TLS_CLIENT]->opts, &b->cancel,
				      &ends[TLS_CLIENT]->c, &b->err),
			 0);
	assert_int_equal(pthread_join(thread, &good), 0);
	assert_non_null(good);
}

static void *tls_finish_it(void *arg)
{
	struct tls_end_of *e = arg;

	return channel_finish(e->c, &e->b->err) < 0 ? NULL : e;
}

/* It has what it wanted, and closes with the end unread: that breaks nothing. */
static void by_tls_a_peer_need_not_wait_for_the_end(void **state)
{
	struct bench *b = *state;
	struct tls_end_of *ends[2];
	struct pollfd p = { .events = POLLIN };
	pthread_t thread;
	void *good;
	char c;

	tls_meet(b, ends);
	assert_int_equal(channel_write(ends[TLS_SERVER]->c, "x", 1, NULL), 0);
	assert_int_equal(channel_read(ends[TLS_CLIENT]->c, &c, 1, NULL), 1);
	assert_int_equal(pthread_create(&thread, NULL, tls_finish_it, ends[TLS_SERVER]), 0);
	p.fd = channel_fd(ends[TLS_CLIENT]->c);
	assert_int_equal(poll(&p, 1, 60000), 1);
	ends[TLS_CLIENT]->c = channel_free(ends[TLS_CLIENT]->c);
	assert_int_equal(pthread_join(thread, &good), 0);
	if (!good)
		fail_msg("%s", b->err.text);
	for (int i = 0; i < 2; i++)
		tls_close(ends[i]);
}

/* But one that has not read what was before it has. */
static void by_tls_what_was_not_read_is_lost(void **state)
{
	struct bench *b = *state;
	struct tls_end_of *ends[2];
	struct pollfd p = { .events = POLLIN };

	tls_meet(b, ends);
	assert_int_equal(channel_write(ends[TLS_SERVER]->c, "x", 1, NULL), 0);
	p.fd = channel_fd(ends[TLS_CLIENT]->c);
	assert_int_equal(poll(&p, 1, 60000), 1);
	ends[TLS_CLIENT]->c = channel_free(ends[TLS_CLIENT]->c);
	assert_int_equal(channel_finish(ends[TLS_SERVER]->c, &b->err), -ECONNRESET);
	assert_int_equal(err_status(&b->err), 75);
	for (int i = 0; i < 2; i++)
		tls_close(ends[i]);
}

static void by_tls_bytes_go_both_ways_at_once(void **state)
{
	struct bench *b = *state;
	struct tls_end_of *ends[2];
	pthread_t threads[4];
	void *good;

	tls_meet(b, ends);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL,
						i % 2 ? tls_read_all : tls_write_all, ends[i / 2]),
				 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		assert_int_equal(pthread_join(threads[i], &good), 0);
		assert_non_null(good);
	}
	for (int i = 0; i < 2; i++) {
		assert_memory_equal(ends[i]->back, b->buf, MUCH);
		tls_close(ends[i]);
	}
}

static void without_a_socket_there_is_no_tls(void **state)
{
	struct bench *b = *state;
	struct peer_options opts = { .timeout_ms = 1 };

	/* It is not looked at. */
	opts.tls = (const struct tls_creds *)b;
	assert_int_equal(uri_parse("exec:true", URI_CHANNEL, &b->uri, NULL), 0);
	assert_int_equal(channel_open(&b->uri, &opts, &b->cancel, &b->c, &b->err), -EINVAL);
	assert_int_equal(err_status(&b->err), 64);
	assert_string_equal(b->err.text, "exec:true: TLS is for sockets");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways_at_once),
		TEST(a_command_is_spoken_with),
		TEST(what_is_there_is_read_without_waiting),
		TEST(silence_is_borne_for_so_long),
		TEST(a_broken_connection_is_an_abort),
		TEST(waiting_can_be_cancelled),
		TEST(how_a_command_ended_is_heard_by_all),
		TEST(the_end_of_a_command_that_is_fine_is_the_end),
		TEST(what_is_taken_is_out_of_reach),
		TEST(what_has_no_other_end_is_refused),
		TEST(by_tls_bytes_go_both_ways_at_once),
		TEST(by_tls_a_peer_need_not_wait_for_the_end),
		TEST(by_tls_what_was_not_read_is_lost),
		TEST(without_a_socket_there_is_no_tls),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
