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
#include "transport/address.h"
#include "transport/input.h"
#include "transport/listener.h"
#include "transport/output.h"
#include "transport/trust.h"
#include "transport/uri.h"

#define ALL (URI_PLAIN | URI_SOCKET)
#define MUCH ((size_t)4 << 20) /* more than a pipe or a socket holds */

struct bench {
	struct cancel cancel;
	struct uri uri;
	struct err err;
	int watched;
	char buf[MUCH];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	cancel_done(&b->cancel);
	free(b);
	return 0;
}

static void *request(void *arg)
{
	struct bench *b = arg;

	cancel_request(&b->cancel);
	return NULL;
}

/* commands */

static struct output *output_to(struct bench *b, const char *text)
{
	struct output *out = NULL;

	assert_int_equal(uri_parse(text, ALL, &b->uri, NULL), 0);
	assert_int_equal(output_open(&b->uri, false, &b->cancel, &out, &b->err), 0);
	assert_string_equal(output_name(out), text);
	return out;
}

static struct input *input_of(struct bench *b, const char *text)
{
	struct input *in = NULL;

	assert_int_equal(uri_parse(text, ALL, &b->uri, NULL), 0);
	assert_int_equal(input_open(&b->uri, &b->cancel, &in, &b->err), 0);
	assert_string_equal(input_name(in), text);
	assert_true(input_ends(in) && !input_rewindable(in));
	return in;
}

/* All that comes, and what its end was. */
static ssize_t read_all(struct bench *b, struct input *in, size_t *ret)
{
	ssize_t n;

	*ret = 0;
	while ((n = input_read(in, b->buf + *ret, MUCH - *ret, &b->err)) > 0)
		*ret += (size_t)n;
	return n;
}

static void a_command_gets_every_byte_and_its_end(void **state)
{
	struct bench *b = *state;
	struct output *out = output_to(b, "exec:test $(wc -c) = 4194304");

	assert_int_equal(output_write(out, b->buf, MUCH, NULL), 0);
	assert_int_equal(output_finish(out, NULL), 0);
	assert_int_equal(output_publish(out, NULL), 0);
	assert_null(output_free(out));
}

static void a_command_brings_every_byte_and_its_end(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:head -c 1000000 /dev/zero; printf end");
	size_t len;

	assert_int_equal(read_all(b, in, &len), 0);
	assert_int_equal(len, 1000003);
	assert_memory_equal(b->buf + 1000000, "end", 3);
	assert_int_equal(input_read(in, b->buf, 1, NULL), 0);
	assert_int_equal(input_rewind(in, NULL), -ESPIPE);
	assert_null(input_free(in));
}

static const struct {
	const char *text, *why;
} bad_ends[] = {
	{ "exec:cat >/dev/null; exit 3", "ended with status 3" },
	{ "exec:cat >/dev/null; kill -KILL $$", "ended by signal 9 (Killed)" },
};

static void a_command_that_fails_is_an_io_error(void **state)
{
	struct bench *b = *state;
	char want[128];
	size_t len;

	for (size_t i = 0; i < ARRAY_SIZE(bad_ends); i++) {
		struct output *out = output_to(b, bad_ends[i].text);
		struct input *in;

		snprintf(want, sizeof(want), "%s: %s", bad_ends[i].text, bad_ends[i].why);
		assert_int_equal(output_write(out, "data", 4, NULL), 0);
		assert_int_equal(output_finish(out, &b->err), -EIO);
		assert_int_equal(err_status(&b->err), 74);
		assert_string_equal(b->err.text, want);
		output_free(out);

		in = input_of(b, bad_ends[i].text);
		assert_int_equal(read_all(b, in, &len), -EIO);
		assert_int_equal(len, 0);
		assert_string_equal(b->err.text, want);
		input_free(in);
	}
}

static void a_command_that_ends_early_tells_how(void **state)
{
	static const struct {
		const char *text;
		int code;
		const char *why;
	} rows[] = {
		{ "exec:exit 3", -EIO, "ended with status 3" },
		{ "exec:head -c 1 >/dev/null", -EPIPE, "ended before it had read all" },
		{ "exec:exec sleep 1000 <&-", -EPIPE, "closed its input before it had read all" },
	};
	struct bench *b = *state;
	char want[128];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct output *out = output_to(b, rows[i].text);

		snprintf(want, sizeof(want), "%s: %s", rows[i].text, rows[i].why);
		assert_int_equal(output_write(out, b->buf, MUCH, &b->err), rows[i].code);
		assert_int_equal(err_status(&b->err), 74);
		assert_string_equal(b->err.text, want);
		output_free(out);
	}
}

/* Once the shell has left a mark that it has come so far. */
static void *request_at_mark(void *arg)
{
	struct bench *b = arg;

	while (access("channel.mark", F_OK) < 0)
		usleep(1000);
	return request(b);
}

static void waiting_for_a_command_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	struct output *out;
	pthread_t thread;

	unlink("channel.mark");
	out = output_to(b, "exec:cat >/dev/null; : >channel.mark; exec sleep 1000");
	assert_int_equal(pthread_create(&thread, NULL, request_at_mark, b), 0);
	assert_int_equal(output_finish(out, &b->err), -ECANCELED);
	assert_int_equal(err_status(&b->err), 75);
	assert_int_equal(pthread_join(thread, NULL), 0);
	unlink("channel.mark");
	output_free(out);
}

static void a_command_that_does_not_read_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:exec sleep 1000");
	struct output *out;
	pthread_t thread;

	unlink("channel.mark");
	out = output_to(b, "exec:: >channel.mark; exec sleep 1000");
	assert_int_equal(pthread_create(&thread, NULL, request_at_mark, b), 0);
	assert_int_equal(output_write(out, b->buf, MUCH, NULL), -ECANCELED);
	assert_int_equal(input_read(in, b->buf, 1, NULL), -ECANCELED);
	assert_int_equal(pthread_join(thread, NULL), 0);
	unlink("channel.mark");
	input_free(in);
	output_free(out);
}

static void a_command_that_does_not_want_to_end_is_killed(void **state)
{
	struct bench *b = *state;
	struct input *in = input_of(b, "exec:trap '' TERM; echo; exec sleep 1000");

	/* The line tells that SIGTERM is ignored by now. */
	assert_int_equal(input_read(in, b->buf, 1, NULL), 1);
	input_free(in);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* As the worker does, with everything blocked, and a descriptor that is there to be inherited. */
static void *look_from_inside(void *arg)
{
	static const char text[] = "exec:test ! -e /proc/self/fd/50 && "
				   "grep -h -e SigBlk -e SigIgn /proc/self/status && wc -c";
	struct bench *b = arg;
	struct input *in;
	sigset_t all;
	size_t len;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	in = input_of(b, text);
	if (read_all(b, in, &len) < 0)
		len = 0;
	b->buf[len] = '\0';
	input_free(in);
	return NULL;
}

static void a_command_finds_nothing_of_ours(void **state)
{
	unsigned long blocked, ignored;
	struct bench *b = *state;
	pthread_t thread;
	size_t input;

	assert_int_equal(dup2(STDERR_FILENO, 50), 50);
	assert_int_equal(pthread_create(&thread, NULL, look_from_inside, b), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	close(50);
	assert_int_equal(sscanf(b->buf, "SigBlk: %lx SigIgn: %lx %zu", &blocked, &ignored, &input),
			 3);
	assert_int_equal(blocked, 0);
	assert_int_equal(ignored & (1ul << (SIGPIPE - 1)), 0);
	assert_int_equal(input, 0);
}

/* addresses */

static void what_does_not_tell_the_user_is_refused_unless_that_is_accepted(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "tcp:127.0.0.1:1", "any user of this machine can be at the other end of TCP" },
		{ "tcp:127.255.0.9:1", "any user of this machine can be at the other end of TCP" },
		{ "tcp:[::1]:1", "any user of this machine can be at the other end of TCP" },
		{ "tcp:[::ffff:127.0.0.1]:1", "any user of this machine can" },
		{ "vsock:2:1", "any program of the machine at the other end can use vsock" },
		{ "vsock:*:1", "any program of the machine at the other end can use vsock" },
		{ "tcp:0.0.0.0:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:[::]:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:192.0.2.1:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:[2001:db8::1]:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:126.0.0.1:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:[::ffff:192.0.2.1]:1", "TCP is neither encrypted nor authenticated" },
		{ "tcp:[::127.0.0.1]:1", "TCP is neither encrypted nor authenticated" },
	};
	struct address list[ADDRESSES_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		struct uri u;

		assert_int_equal(uri_parse(rows[i].text, ALL, &u, NULL), 0);
		assert_true(address_resolve(&u, true, NULL, list, NULL) >= 1);
		assert_int_equal(address_allow(&list[0], false, u.text, &err), -EPERM);
		assert_int_equal(err_status(&err), 78);
		if (!strstr(err.text, rows[i].why))
			fail_msg("%s: %s", rows[i].text, err.text);
		assert_non_null(strstr(err.hint, "--insecure"));
		assert_int_equal(address_allow(&list[0], true, u.text, NULL), 0);
	}
}

/* The user at the other end of a UNIX socket, the machine at the other end of vsock. */
static void which_peer_is_trusted(void **state)
{
	static const struct {
		struct trust trust;
		uid_t own;
		struct trust_peer peer;
		enum trust_verdict want;
	} rows[] = {
		/* clang-format off */
		{ { false, TRUST_ANY_CID }, 0,   { AF_UNIX, true, 0, 0 },     TRUST_GRANTED },
		{ { false, TRUST_ANY_CID }, 7,   { AF_UNIX, true, 0, 0 },     TRUST_GRANTED },
		{ { false, TRUST_ANY_CID }, 7,   { AF_UNIX, true, 7, 0 },     TRUST_GRANTED },
		{ { false, TRUST_ANY_CID }, 0,   { AF_UNIX, true, 7, 0 },     TRUST_OTHER_USER },
		{ { false, TRUST_ANY_CID }, 7,   { AF_UNIX, true, 8, 0 },     TRUST_OTHER_USER },
		{ { true,  TRUST_ANY_CID }, 0,   { AF_UNIX, true, 7, 0 },     TRUST_GRANTED },
		{ { false, TRUST_ANY_CID }, 0,   { AF_UNIX, false, 0, 0 },    TRUST_UNKNOWN_USER },
		{ { true,  TRUST_ANY_CID }, 0,   { AF_UNIX, false, 0, 0 },    TRUST_GRANTED },
		{ { true,  TRUST_ANY_CID }, 0,   { AF_VSOCK, false, 0, 3 },   TRUST_GRANTED },
		{ { true,  3 },             0,   { AF_VSOCK, false, 0, 3 },   TRUST_GRANTED },
		{ { true,  3 },             0,   { AF_VSOCK, false, 0, 4 },   TRUST_OTHER_MACHINE },
		{ { true,  3 },             0,   { AF_VSOCK, false, 0, TRUST_ANY_CID },
								      TRUST_OTHER_MACHINE },
		{ { true,  3 },             0,   { AF_INET, false, 0, 0 },    TRUST_GRANTED },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (trust_judge(&rows[i].trust, rows[i].own, &rows[i].peer) != rows[i].want)
			fail_msg("row %zu", i);
}

static void a_peer_of_the_same_user_is_trusted(void **state)
{
	const struct trust trust = { .cid = TRUST_ANY_CID };
	int pair[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(trust_check(&trust, pair[0], NULL), 0);
	close(pair[0]);
	close(pair[1]);
}

static void a_lookup_in_a_thread_of_its_own_finds_the_same(void **state)
{
	struct address here[ADDRESSES_MAX], there[ADDRESSES_MAX];
	struct bench *b = *state;
	int n;

	assert_int_equal(uri_parse("tcp:localhost:7", ALL, &b->uri, NULL), 0);
	n = address_resolve(&b->uri, false, NULL, here, NULL);
	assert_true(n >= 1);
	assert_int_equal(address_resolve(&b->uri, false, &b->cancel, there, NULL), n);
	for (int i = 0; i < n; i++)
		assert_memory_equal(&here[i].sa, &there[i].sa, here[i].len);
	cancel_request(&b->cancel);
	assert_int_equal(address_resolve(&b->uri, false, &b->cancel, there, &b->err), -ECANCELED);
	assert_int_equal(err_status(&b->err), 75);
}

static void an_address_is_shown_as_it_is_written(void **state)
{
	static const char *const rows[] = { "tcp:127.0.0.1:1", "tcp:[::1]:65535", "vsock:2:1024" };
	struct address list[ADDRESSES_MAX];
	char text[ADDRESS_TEXT_MAX];
	struct uri u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(uri_parse(rows[i], ALL, &u, NULL), 0);
		assert_true(address_resolve(&u, false, NULL, list, NULL) >= 1);
		assert_string_equal(address_text(&list[0], text), rows[i]);
	}
}

static void port_0_and_every_address_are_nothing_to_connect_to(void **state)
{
	static const char *const rows[] = { "tcp:127.0.0.1:0", "vsock:2:0", "tcp:*:1",
					    "vsock:*:1" };
	struct address list[ADDRESSES_MAX];
	struct uri u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(uri_parse(rows[i], ALL, &u, NULL), 0);
		assert_int_equal(address_resolve(&u, false, NULL, list, &err), -EINVAL);
		assert_int_equal(err_status(&err), 64);
		assert_true(address_resolve(&u, true, NULL, list, &err) >= 1);
	}
}

static void an_address_that_is_refused_is_named_once(void **state)
{
	static const struct {
		const char *uri, *name, *want;
	} rows[] = {
		{ "tcp:192.0.2.1:1", "tcp:192.0.2.1:1",
		  "tcp:192.0.2.1:1: TCP is neither encrypted nor authenticated" },
		{ "tcp:192.0.2.1:1", "tcp:far:1",
		  "tcp:far:1: tcp:192.0.2.1:1: TCP is neither encrypted nor authenticated" },
		{ "vsock:3:1", "vsock:3:1",
		  "vsock:3:1: any program of the machine at the other end can use vsock" },
	};
	struct address list[ADDRESSES_MAX];
	struct uri u;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		assert_int_equal(uri_parse(rows[i].uri, ALL, &u, NULL), 0);
		assert_int_equal(address_resolve(&u, true, NULL, list, NULL), 1);
		assert_int_equal(address_allow(&list[0], false, rows[i].name, &err), -EPERM);
		assert_string_equal(err.text, rows[i].want);
	}
}

/* A label of 64 letters can be no name: no name server is asked. */
static void a_host_that_is_none_is_an_error_of_its_own(void **state)
{
	struct address list[ADDRESSES_MAX];
	char text[80] = "tcp:", want[400];
	struct err err = { 0 };
	struct uri u;

	(void)state;
	memset(text + 4, 'x', 64);
	strcpy(text + 68, ":1");
	assert_int_equal(uri_parse(text, ALL, &u, NULL), 0);
	assert_int_equal(address_resolve(&u, false, NULL, list, &err), -ENXIO);
	snprintf(want, sizeof(want), "%s: looking up %s", text, u.host);
	assert_string_equal(err.text, want);
	assert_memory_equal(err.note, "the resolver says: ", 19);
	assert_int_equal(err_status(&err), 73);
	assert_int_equal(address_resolve(&u, true, NULL, list, &err), -ENXIO);
	assert_int_equal(err_status(&err), 66);
}

/* sockets */

#define PATH "channel.socket"

static const struct peer_options safe = { .timeout_ms = 60000 };
static const struct peer_options any = { .timeout_ms = 60000, .insecure = true };

/* Who listens, and both ends of a connection to it. */
struct link {
	struct listener *listener;
	struct output *out;
	struct peer *peer;
};

static struct listener *listener_at(struct bench *b, const char *text)
{
	struct listener *l = NULL;

	assert_int_equal(uri_parse(text, ALL, &b->uri, NULL), 0);
	assert_int_equal(listener_open(&b->uri, &any, &l, &b->err), 0);
	return l;
}

static void link_up(struct bench *b, const char *text, int timeout_ms, struct link *l)
{
	const struct peer_options opts = { .timeout_ms = timeout_ms, .insecure = true };
	struct pollfd p = { .events = POLLIN };

	l->listener = listener_at(b, text);
	assert_int_equal(listener_accept(l->listener, &b->cancel, &l->peer, NULL), -EAGAIN);
	assert_int_equal(uri_parse(listener_name(l->listener), URI_SOCKET, &b->uri, NULL), 0);
	assert_int_equal(output_connect(&b->uri, &opts, &b->cancel, &l->out, &b->err), 0);
	assert_true(output_answers(l->out));
	p.fd = listener_fd(l->listener);
	assert_int_equal(poll(&p, 1, 60000), 1);
	assert_int_equal(listener_accept(l->listener, &b->cancel, &l->peer, NULL), 0);
}

static void link_down(struct link *l)
{
	l->out = output_free(l->out);
	l->peer = peer_free(l->peer);
	l->listener = listener_free(l->listener);
}

static const char *const places[] = { "unix:" PATH, "tcp:127.0.0.1:0", "tcp:[::1]:0" };

/* Where there is no IPv6 there is nothing to test of it. */
static size_t n_places(void)
{
	return access("/proc/net/if_inet6", F_OK) == 0 ? 3 : 2;
}

static void bytes_go_there_and_an_answer_comes_back(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < n_places(); i++) {
		struct link l;
		char got[8];

		link_up(b, places[i], 60000, &l);
		assert_int_equal(output_write(l.out, "hello", 5, NULL), 0);
		assert_int_equal(peer_read(l.peer, got, sizeof(got), NULL), 5);
		assert_memory_equal(got, "hello", 5);
		assert_int_equal(peer_read_now(l.peer, got, 1, NULL), -EAGAIN);
		assert_int_equal(peer_write_now(l.peer, "fine", 4, NULL), 0);
		assert_int_equal(output_answer(l.out, got, 4, NULL), 0);
		assert_memory_equal(got, "fine", 4);
		assert_int_equal(output_publish(l.out, NULL), 0);
		assert_memory_equal(peer_name(l.peer), places[i], 5);
		link_down(&l);
	}
}

static void what_was_read_already_comes_first(void **state)
{
	struct bench *b = *state;
	struct input *in = NULL;
	struct link l;
	char got[8];

	link_up(b, places[0], 60000, &l);
	assert_int_equal(output_write(l.out, "lo", 2, NULL), 0);
	assert_int_equal(input_from_peer(l.peer, (uint8_t *)strdup("hel"), 3, &in, NULL), 0);
	assert_int_equal(input_read(in, got, 2, NULL), 2);
	assert_int_equal(input_read(in, got + 2, 6, NULL), 1);
	assert_int_equal(input_read(in, got + 3, 5, NULL), 2);
	assert_memory_equal(got, "hello", 5);
	assert_true(input_answers(in) && !input_ends(in) && !input_rewindable(in));
	assert_int_equal(input_answer(in, "x", 1, NULL), 0);
	assert_int_equal(output_answer(l.out, got, 1, NULL), 0);
	input_free(in);
	l.peer = NULL;
	link_down(&l);
}

static void a_socket_is_for_its_owner_and_goes_with_its_listener(void **state)
{
	struct bench *b = *state;
	mode_t before = umask(0);
	struct listener *l = listener_at(b, "unix:" PATH), *other = NULL;
	struct stat st;

	umask(before);
	assert_string_equal(listener_name(l), "unix:" PATH);
	assert_int_equal(stat(PATH, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0600);
	assert_int_equal(listener_open(&b->uri, &safe, &other, &b->err), -EADDRINUSE);
	assert_int_equal(err_status(&b->err), 71);
	assert_string_equal(b->err.text, "unix:" PATH ": cannot listen");
	assert_null(listener_free(l));
	assert_int_equal(access(PATH, F_OK), -1);
	assert_null(listener_free(NULL));
}

static void what_is_no_socket_is_not_replaced_nor_removed(void **state)
{
	struct bench *b = *state;
	struct listener *l = listener_at(b, "unix:" PATH), *other = NULL;

	assert_int_equal(unlink(PATH), 0);
	close(open(PATH, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	listener_free(l);
	assert_int_equal(access(PATH, F_OK), 0);
	assert_int_equal(listener_open(&b->uri, &safe, &other, &b->err), -EEXIST);
	assert_string_equal(b->err.text, "unix:" PATH ": not a socket");
	assert_int_equal(access(PATH, F_OK), 0);
	unlink(PATH);
}

static void a_listener_that_was_left_open_will_do(void **state)
{
	struct bench *b = *state;
	struct listener *l = listener_at(b, "tcp:127.0.0.1:0"), *theirs = NULL;
	struct uri u = { .kind = URI_FD, .text = "fd:N" };
	char name[ADDRESS_TEXT_MAX];

	u.fd = dup(listener_fd(l));
	assert_int_equal(listener_open(&u, &safe, &theirs, &b->err), -EPERM);
	assert_int_equal(err_status(&b->err), 78);
	assert_int_equal(listener_open(&u, &any, &theirs, NULL), 0);
	assert_int_equal(fcntl(u.fd, F_GETFD), FD_CLOEXEC);
	strcpy(name, listener_name(l));
	assert_string_equal(listener_name(theirs), name);
	/* Taken: a sender that comes too late finds no listener. */
	listener_free(theirs);
	assert_int_equal(fcntl(u.fd, F_GETFD), -1);
	listener_free(l);
}

static void a_descriptor_that_does_not_listen_is_refused(void **state)
{
	struct bench *b = *state;
	struct listener *l = NULL;
	int pair[2];
	struct {
		int fd, code, status;
	} rows[] = {
		{ 9999, -EBADF, 66 },
		{ b->cancel.fd, -ENOTSOCK, 64 },
		{ -1, -EINVAL, 64 },
	};

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	rows[2].fd = pair[0];
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct uri u = { .kind = URI_FD, .text = "fd:N", .fd = rows[i].fd };

		assert_int_equal(listener_open(&u, &safe, &l, &b->err), rows[i].code);
		assert_int_equal(err_status(&b->err), rows[i].status);
	}
	close(pair[0]);
	close(pair[1]);
}

static void where_nobody_listens_nothing_can_be_written(void **state)
{
	struct bench *b = *state;
	struct listener *l = listener_at(b, "tcp:127.0.0.1:0");
	char refused[ADDRESS_TEXT_MAX];
	const struct {
		const char *text;
		int code;
	} rows[] = {
		{ refused, -ECONNREFUSED },
		{ "unix:/no/such/socket", -ENOENT },
		{ "unix:/dev/null", -ECONNREFUSED },
	};

	strcpy(refused, listener_name(l));
	listener_free(l);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct output *out = NULL;

		assert_int_equal(uri_parse(rows[i].text, ALL, &b->uri, NULL), 0);
		assert_int_equal(peer_check(&b->uri, &any, NULL), 0);
		assert_int_equal(output_connect(&b->uri, &any, &b->cancel, &out, &b->err),
				 rows[i].code);
		assert_int_equal(err_status(&b->err), 73);
		assert_null(out);
	}
}

static void who_is_silent_for_too_long_is_given_up(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < n_places(); i++) {
		struct link l;
		int r;

		link_up(b, places[i], 50, &l);
		assert_int_equal(output_answer(l.out, b->buf, 1, &b->err), -ETIMEDOUT);
		assert_int_equal(err_status(&b->err), 75);
		do
			r = output_write(l.out, b->buf, MUCH, &b->err);
		while (!r);
		assert_int_equal(r, -ETIMEDOUT);
		assert_int_equal(err_status(&b->err), 75);
		assert_non_null(strstr(b->err.text, ": silent for "));
		assert_int_equal(output_finish(l.out, &b->err), -ETIMEDOUT);
		link_down(&l);
	}
}

static void who_is_gone_is_noticed(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < n_places(); i++) {
		struct link l;
		int r;

		link_up(b, places[i], 60000, &l);
		l.peer = peer_free(l.peer);
		assert_int_equal(output_answer(l.out, b->buf, 1, &b->err), -ECONNRESET);
		assert_int_equal(err_status(&b->err), 75);
		assert_non_null(strstr(b->err.text, ": closed the connection without an answer"));
		do
			r = output_write(l.out, b->buf, MUCH, &b->err);
		while (!r);
		assert_true(r == -EPIPE || r == -ECONNRESET);
		assert_int_equal(err_status(&b->err), 75);
		link_down(&l);

		/* With something unread, which is lost. */
		link_up(b, places[i], 60000, &l);
		assert_int_equal(output_write(l.out, "lost", 4, NULL), 0);
		l.peer = peer_free(l.peer);
		assert_int_equal(output_finish(l.out, &b->err), -ECONNRESET);
		assert_int_equal(err_status(&b->err), 75);
		link_down(&l);
	}
}

static void *drain(void *arg)
{
	struct link *l = arg;
	char buf[4096];
	ssize_t n;

	while ((n = peer_read(l->peer, buf, sizeof(buf), NULL)) > 0)
		continue;
	return n ? NULL : l;
}

static void to_finish_is_to_wait_for_the_other_end(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < n_places(); i++) {
		pthread_t thread;
		struct link l;
		void *good;

		link_up(b, places[i], 60000, &l);
		assert_int_equal(pthread_create(&thread, NULL, drain, &l), 0);
		assert_int_equal(output_write(l.out, b->buf, MUCH, NULL), 0);
		assert_int_equal(output_finish(l.out, NULL), 0);
		assert_int_equal(pthread_join(thread, &good), 0);
		assert_non_null(good);
		link_down(&l);
	}
}

static void *request_when_readable(void *arg)
{
	struct bench *b = arg;
	struct pollfd p = { .fd = b->watched, .events = POLLIN };

	while (poll(&p, 1, -1) < 0)
		continue;
	return request(b);
}

static void waiting_for_a_peer_can_be_cancelled(void **state)
{
	struct bench *b = *state;
	pthread_t thread;
	struct link l;
	int r;

	link_up(b, places[0], 60000, &l);
	b->watched = peer_fd(l.peer);
	assert_int_equal(pthread_create(&thread, NULL, request_when_readable, b), 0);
	do
		r = output_write(l.out, b->buf, MUCH, &b->err);
	while (!r);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(r, -ECANCELED);
	assert_int_equal(output_answer(l.out, b->buf, 1, NULL), -ECANCELED);
	assert_int_equal(output_finish(l.out, NULL), -ECANCELED);
	link_down(&l);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_command_gets_every_byte_and_its_end),
		TEST(a_command_brings_every_byte_and_its_end),
		TEST(a_command_that_fails_is_an_io_error),
		TEST(a_command_that_ends_early_tells_how),
		TEST(waiting_for_a_command_can_be_cancelled),
		TEST(a_command_that_does_not_read_can_be_cancelled),
		TEST(a_command_that_does_not_want_to_end_is_killed),
		TEST(a_command_finds_nothing_of_ours),
		TEST(what_does_not_tell_the_user_is_refused_unless_that_is_accepted),
		TEST(which_peer_is_trusted),
		TEST(a_peer_of_the_same_user_is_trusted),
		TEST(a_lookup_in_a_thread_of_its_own_finds_the_same),
		TEST(an_address_is_shown_as_it_is_written),
		TEST(port_0_and_every_address_are_nothing_to_connect_to),
		TEST(an_address_that_is_refused_is_named_once),
		TEST(a_host_that_is_none_is_an_error_of_its_own),
		TEST(bytes_go_there_and_an_answer_comes_back),
		TEST(what_was_read_already_comes_first),
		TEST(a_socket_is_for_its_owner_and_goes_with_its_listener),
		TEST(what_is_no_socket_is_not_replaced_nor_removed),
		TEST(a_listener_that_was_left_open_will_do),
		TEST(a_descriptor_that_does_not_listen_is_refused),
		TEST(where_nobody_listens_nothing_can_be_written),
		TEST(who_is_silent_for_too_long_is_given_up),
		TEST(who_is_gone_is_noticed),
		TEST(to_finish_is_to_wait_for_the_other_end),
		TEST(waiting_for_a_peer_can_be_cancelled),
	};

	signal(SIGPIPE, SIG_IGN); /* as main() does */
	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
