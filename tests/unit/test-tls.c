// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/macros.h"
#include "transport/speech.h"
#include "transport/tls-socket.h"
#include "transport/tls.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f"
#define KEY_B "F00102030405060708090A0B0C0D0E0F"
#define MUCH ((size_t)1 << 20)

/* Two ends with nothing between them but this test; both have a folder of keys of their own. */
struct bench {
	char dir[2][32];
	struct tls_options options[2];
	struct tls_creds *creds[2];
	struct tls *tls[2];
	struct err err[2];
	char buf[MUCH], back[MUCH];
};

enum {
	C = TLS_CLIENT,
	S = TLS_SERVER
};

static void write_keys(const char *dir, const char *text, mode_t mode)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/keys.psk", dir);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, mode), 0);
	assert_int_equal(write_full(fd, text, strlen(text)), 0);
	close(fd);
}

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	for (int i = 0; i < 2; i++) {
		strcpy(b->dir[i], "tls-XXXXXX");
		assert_non_null(mkdtemp(b->dir[i]));
		b->options[i].creds = b->dir[i];
		write_keys(b->dir[i], "ann:" KEY_A "\n", 0600);
	}
	for (size_t i = 0; i < MUCH; i++)
		b->buf[i] = (char)(i * 7 + i / 4096);
	*state = b;
	return 0;
}

static void part(struct bench *b)
{
	for (int i = 0; i < 2; i++) {
		b->tls[i] = tls_free(b->tls[i]);
		b->creds[i] = tls_creds_free(b->creds[i]);
		b->err[i] = (struct err){ 0 };
	}
}

static int teardown(void **state)
{
	struct bench *b = *state;
	char path[64];

	part(b);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/keys.psk", b->dir[i]);
		unlink(path);
		rmdir(b->dir[i]);
	}
	free(b);
	return 0;
}

static int open_creds(struct bench *b, int end)
{
	return tls_creds_open(&b->options[end], (enum tls_end)end, &b->creds[end], &b->err[end]);
}

static void meet(struct bench *b)
{
	static const char *const names[] = { "client", "server" };

	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_creds(b, i), 0);
		assert_int_equal(tls_new(b->creds[i], NULL, names[1 - i], &b->tls[i], NULL), 0);
	}
}

/* At most @step bytes from one end to the other. Return: whether there were any. */
static bool carry(struct bench *b, int from, size_t step)
{
	size_t len, room;
	const void *bytes = tls_pending(b->tls[from], &len);
	void *space = tls_space(b->tls[1 - from], &room);

	len = MIN(MIN(len, room), step);
	if (!bytes || !len)
		return false;
	memcpy(space, bytes, len);
	tls_sent(b->tls[from], len);
	tls_received(b->tls[1 - from], len);
	return true;
}

/* Until neither has anything to say. */
static void shake(struct bench *b, size_t step, int ret[2])
{
	bool moved;

	ret[C] = ret[S] = -EAGAIN;
	do {
		moved = false;
		for (int i = 0; i < 2; i++) {
			ret[i] = tls_shake(b->tls[i], &b->err[i]);
			moved |= carry(b, i, step);
		}
	} while (moved);
}

static void shake_well(struct bench *b, size_t step)
{
	int r[2];

	meet(b);
	shake(b, step, r);
	assert_int_equal(r[C], 0);
	assert_int_equal(r[S], 0);
	assert_true(tls_shaken(b->tls[C]) && tls_shaken(b->tls[S]));
}

/* All of @b->buf from one end to the other. */
static void send_much(struct bench *b, int from, size_t step)
{
	size_t sent = 0, got = 0;

	memset(b->back, 0, MUCH);
	while (got < MUCH) {
		ssize_t n = tls_write(b->tls[from], b->buf + sent, MUCH - sent, &b->err[from]);

		if (n < 0)
			fail_msg("%s", b->err[from].text);
		sent += (size_t)n;
		carry(b, from, step);
		for (n = 1; n > 0 && got<MUCH; got += n> 0 ? (size_t)n : 0)
			n = tls_read(b->tls[1 - from], b->back + got, MUCH - got, NULL);
		assert_true(n > 0 || n == -EAGAIN);
	}
	assert_memory_equal(b->buf, b->back, MUCH);
	assert_false(tls_has_more(b->tls[1 - from]));
}

static void bytes_go_both_ways_and_have_an_end(void **state)
{
	static const size_t steps[] = { MUCH, 40000, 1000 };
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		shake_well(b, steps[i]);
		send_much(b, C, steps[i]);
		send_much(b, S, steps[i]);
		assert_int_equal(tls_finish(b->tls[C], NULL), 0);
		while (carry(b, C, steps[i]))
			continue;
		tls_received(b->tls[S], 0);
		assert_int_equal(tls_read(b->tls[S], b->back, 1, NULL), 0);
		assert_int_equal(tls_read(b->tls[S], b->back, 1, NULL), 0);
		/* The other half is open. */
		send_much(b, S, steps[i]);
		part(b);
	}
}

static void a_handshake_may_come_a_byte_at_a_time(void **state)
{
	struct bench *b = *state;

	shake_well(b, 1);
}

static void an_end_that_is_not_by_tls_is_a_cut(void **state)
{
	struct bench *b = *state;

	shake_well(b, MUCH);
	assert_int_equal(tls_write(b->tls[C], "hello", 5, NULL), 5);
	assert_true(carry(b, C, MUCH));
	tls_received(b->tls[S], 0);
	assert_true(tls_ended(b->tls[S]));
	assert_int_equal(tls_read(b->tls[S], b->back, 8, NULL), 5);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(tls_read(b->tls[S], b->back, 8, &b->err[S]), -ECONNRESET);
		assert_int_equal(err_status(&b->err[S]), 75);
		assert_string_equal(b->err[S].text,
				    "client: the connection was cut: it has no end by TLS");
	}
	part(b);

	meet(b);
	assert_int_equal(tls_shake(b->tls[C], NULL), -EAGAIN);
	tls_received(b->tls[C], 0);
	assert_int_equal(tls_shake(b->tls[C], &b->err[C]), -ECONNRESET);
	assert_string_equal(b->err[C].text,
			    "server: closed the connection during the TLS handshake");
}

static void a_flipped_bit_is_found(void **state)
{
	struct bench *b = *state;
	size_t len, room;
	uint8_t *space;

	shake_well(b, MUCH);
	assert_int_equal(tls_write(b->tls[C], "hello", 5, NULL), 5);
	assert_non_null(tls_pending(b->tls[C], &len));
	space = tls_space(b->tls[S], &room);
	memcpy(space, tls_pending(b->tls[C], &len), len);
	space[len - 1] ^= 1;
	tls_received(b->tls[S], len);
	assert_int_equal(tls_read(b->tls[S], b->back, 8, &b->err[S]), -EPROTO);
	assert_int_equal(err_status(&b->err[S]), 76);
	/* It is told. */
	assert_true(carry(b, S, MUCH));
	assert_int_equal(tls_read(b->tls[C], b->back, 8, &b->err[C]), -EPROTO);
	assert_non_null(strstr(b->err[C].text, "server: refuses this end by TLS: "));
}

/* keys of the client and the server, and options of both */
static const struct {
	const char *keys[2];
	struct tls_options options[2];
	int code[2];
	const char *text[2];
} meetings[] = {
	{ { "ann:" KEY_A, "bob:" KEY_B "\n\nann:" KEY_A }, { { 0 }, { 0 } }, { 0, 0 }, { 0 } },
	{ { "ann:" KEY_A "\nbob:" KEY_B, "bob:" KEY_B },
	  { { .psk_user = "bob" }, { .psk_user = "bob" } },
	  { 0, 0 },
	  { 0 } },
	{ { "ann:" KEY_A, "ann:" KEY_A }, { { 0 }, { .authz = "a*" } }, { 0, 0 }, { 0 } },
	{ { "ann:" KEY_A, "ann:" KEY_B },
	  { { 0 }, { 0 } },
	  { -EPROTO, -EPROTO },
	  { "server: refuses this end by TLS: ", "client: TLS: " } },
	{ { "ann:" KEY_A, "bob:" KEY_A },
	  { { 0 }, { 0 } },
	  { -EPROTO, -EPERM },
	  { "server: refuses this end by TLS: ", "client: user 'ann' is none of keys.psk" } },
	{ { "ann:" KEY_A, "ann:" KEY_A "\nbob:" KEY_B },
	  { { 0 }, { .psk_user = "bob" } },
	  { -EPROTO, -EPERM },
	  { "server: refuses this end by TLS: ", "client: user 'ann' is none of keys.psk" } },
	{ { "ann:" KEY_A, "ann:" KEY_A },
	  { { 0 }, { .authz = "b*" } },
	  { -EPROTO, -EPERM },
	  { "server: refuses this end by TLS: ", "client: 'ann' does not fit --tls-authz" } },
};

static void to_know_the_key_is_to_be_the_user(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(meetings); i++) {
		int r[2];

		for (int end = 0; end < 2; end++) {
			write_keys(b->dir[end], meetings[i].keys[end], 0600);
			b->options[end] = meetings[i].options[end];
			b->options[end].creds = b->dir[end];
		}
		meet(b);
		shake(b, MUCH, r);
		for (int end = 0; end < 2; end++) {
			assert_int_equal(r[end], meetings[i].code[end]);
			if (!r[end])
				continue;
			assert_int_equal(err_status(&b->err[end]), 78);
			if (strstr(b->err[end].text, meetings[i].text[end]) != b->err[end].text)
				fail_msg("%s", b->err[end].text);
		}
		part(b);
	}
}

static const struct {
	const char *keys;
	mode_t mode;
	struct tls_options options;
	int code, status;
	const char *text; /* behind the path, or of the whole */
} bad_keys[] = {
	{ "ann:" KEY_A, 0640, { 0 }, -EPERM, 78, ": other users may use it, and it is a secret" },
	{ "ann:" KEY_A, 0601, { 0 }, -EPERM, 78, ": other users may use it, and it is a secret" },
	{ "", 0600, { 0 }, -EBADMSG, 78, ": no keys" },
	{ "\nann", 0600, { 0 }, -EBADMSG, 78, ":2: not USER:KEY" },
	{ ":" KEY_A, 0600, { 0 }, -EBADMSG, 78, ":1: not USER:KEY" },
	{ "a\033n:" KEY_A, 0600, { 0 }, -EBADMSG, 78, ":1: the user's name is not printable" },
	{ "ann:00", 0600, { 0 }, -EBADMSG, 78, ":1: the key has less than 128 bits" },
	{ "ann:" KEY_A "0", 0600, { 0 }, -EBADMSG, 78, ":1: the key is no whole number" },
	{ "ann:" KEY_A "0g", 0600, { 0 }, -EBADMSG, 78, ":1: the key is not hexadecimal" },
	{ "ann:" KEY_A, 0600, { .psk_user = "bob" }, -ENOENT, 78, ": has no user bob" },
	{ "ann:" KEY_A "\nbob:" KEY_B, 0600, { 0 }, -EINVAL, 64, ": has several users" },
	{ "ann:" KEY_A, 0600, { .authz = "*" }, -EINVAL, 64, "--tls-authz: " },
};

static void a_bad_file_of_keys_is_named(void **state)
{
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(bad_keys); i++) {
		struct err *err = &b->err[C];

		*err = (struct err){ 0 };
		write_keys(b->dir[C], bad_keys[i].keys, bad_keys[i].mode);
		b->options[C] = bad_keys[i].options;
		b->options[C].creds = b->dir[C];
		assert_int_equal(open_creds(b, C), bad_keys[i].code);
		assert_int_equal(err_status(err), bad_keys[i].status);
		if (!strstr(err->text, bad_keys[i].text))
			fail_msg("%s", err->text);
		assert_true(bad_keys[i].text[0] != ':' || strstr(err->text, b->dir[C]));
	}
	b->options[C] = (struct tls_options){ .creds = "/no/such/folder" };
	assert_int_equal(open_creds(b, C), -ENOENT);
	assert_string_equal(b->err[C].text, "/no/such/folder/ca-cert.pem");
	assert_int_equal(err_status(&b->err[C]), 78);
}

static const struct {
	const char *start;
	size_t len;
	const char *name;
	bool tls;
} said[] = {
	{ "", 0, NULL, true },
	{ "\x16", 1, NULL, true },
	{ "\x16\x03\x01\x02", 4, "TLS", true },
	{ "\x15\x03\x03\x00", 4, "TLS", true },
	{ "\x16\x02\x00\x00", 4, NULL, false },
	{ "\x18\x03\x03\x00", 4, NULL, false },
	{ "\x89VMI\x01", 5, "an image (save writes one to `resume --listen`)", false },
	{ "\x89VMP\x01", 5, "a move (`migrate` and `receive` speak so)", false },
	{ "SSH-2.0", 7, "SSH", false },
	{ "SSH", 3, NULL, false },
	{ "GET / HTTP/1.1", 14, "HTTP", false },
	{ "hello", 5, NULL, false },
};

static void what_is_spoken_shows_in_the_first_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		const char *name = speech_name(said[i].start, said[i].len);

		assert_int_equal(speech_is_tls(said[i].start, said[i].len), said[i].tls);
		if (said[i].name)
			assert_string_equal(name, said[i].name);
		else
			assert_null(name);
	}
}

/* What is no TLS is told apart at either end, whatever it is. */
static void what_is_no_tls_has_a_name(void **state)
{
	struct bench *b = *state;

	for (int end = 0; end < 2; end++) {
		for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
			size_t room, len = 0;
			int r;

			if (said[i].tls)
				continue;
			meet(b);
			r = tls_shake(b->tls[end], NULL);
			assert_int_equal(r, -EAGAIN);
			memcpy(tls_space(b->tls[end], &room), said[i].start, said[i].len);
			tls_received(b->tls[end], said[i].len);
			if (said[i].len < SPEECH_MIN) {
				assert_int_equal(tls_shake(b->tls[end], NULL), -EAGAIN);
				tls_received(b->tls[end], 0);
			}
			assert_int_equal(tls_shake(b->tls[end], &b->err[end]), -EPROTO);
			assert_int_equal(err_status(&b->err[end]), 78);
			assert_non_null(strstr(b->err[end].text, ": speaks without TLS: "));
			if (said[i].name)
				assert_non_null(strstr(b->err[end].text, said[i].name));
			/* A server answers with an alert: by it the client knows what it speaks. */
			if (end == S) {
				assert_non_null(tls_pending(b->tls[end], &len));
				assert_string_equal(
					speech_name(tls_pending(b->tls[end], &len), len), "TLS");
			}
			part(b);
		}
	}
}

/* Two ends on sockets, shaken. */
static void connect_sockets(struct bench *b, int fd[2], struct tls_socket *ends[2])
{
	int r[2] = { -EAGAIN, -EAGAIN };

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(open_creds(b, i), 0);
		assert_int_equal(tls_socket_new(fd[i], b->creds[i], NULL, "other", &ends[i], NULL),
				 0);
	}
	for (int turns = 0; turns < 100 && (r[C] || r[S]); turns++)
		for (int i = 0; i < 2; i++)
			r[i] = tls_socket_shake(ends[i], &b->err[i]);
	assert_int_equal(r[C], 0);
	assert_int_equal(r[S], 0);
}

/* The server says why it goes no further, and is gone before the client writes. */
static void leave_with_an_alert(struct bench *b, const int fd[2], struct tls_socket *ends[2])
{
	static const uint8_t junk[] = { 23, 3,	3,  0,	20, 1,	2,  3,	4,  5,	6,  7, 8,
					9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20 };
	char buf[64];

	assert_int_equal(write(fd[C], junk, sizeof(junk)), sizeof(junk));
	assert_true(tls_socket_read(ends[S], buf, sizeof(buf), &b->err[S]) < 0);
	ends[S] = tls_socket_free(ends[S]);
	close(fd[S]);
}

static void what_was_said_before_the_end_counts_after_a_failed_send(void **state)
{
	static const char *const words[] = { "", "data" };
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		struct tls_socket *ends[2];
		size_t len = strlen(words[i]);
		char buf[64];
		int fd[2];

		connect_sockets(b, fd, ends);
		if (len)
			assert_int_equal(tls_socket_write(ends[S], words[i], len, NULL), len);
		leave_with_an_alert(b, fd, ends);
		b->err[C] = (struct err){ 0 };
		assert_int_equal(tls_socket_write(ends[C], "x", 1, &b->err[C]),
				 len ? -EPIPE : -EPROTO);
		if (len) {
			assert_int_equal(tls_socket_read(ends[C], buf, sizeof(buf), &b->err[C]),
					 len);
			assert_memory_equal(buf, words[i], len);
			assert_int_equal(tls_socket_read(ends[C], buf, sizeof(buf), &b->err[C]),
					 -EPROTO);
		}
		assert_non_null(strstr(b->err[C].text, "refuses this end by TLS: "));
		/* What it could not read is not who sent it. */
		assert_false(tls_socket_denied(ends[C]));
		tls_socket_free(ends[C]);
		close(fd[C]);
		part(b);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways_and_have_an_end),
		TEST(a_handshake_may_come_a_byte_at_a_time),
		TEST(an_end_that_is_not_by_tls_is_a_cut),
		TEST(a_flipped_bit_is_found),
		TEST(to_know_the_key_is_to_be_the_user),
		TEST(a_bad_file_of_keys_is_named),
		TEST(what_is_spoken_shows_in_the_first_bytes),
		TEST(what_is_no_tls_has_a_name),
		TEST(what_was_said_before_the_end_counts_after_a_failed_send),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
