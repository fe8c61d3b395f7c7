// SPDX-License-Identifier: GPL-2.0-or-later

/* The other end is written by hand here, from the drawing in wire/message.h. */

#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <xxhash.h>
#include <cmocka.h>

#include "base/cleanup.h"
#include "base/io.h"
#include "base/macros.h"
#include "engine/link.h"

struct bench {
	struct cancel cancel;
	struct err err;
	struct link *link;
	int fd; /* the other end */
	uint64_t sequence;
	uint8_t head[32], payload[512];
};

static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	b->fd = -1;
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	link_free(b->link);
	if (b->fd >= 0)
		close(b->fd);
	cancel_done(&b->cancel);
	free(b);
	return 0;
}

/*
 * The other end
 */

static void put(uint8_t *at, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void say_flagged(struct bench *b, unsigned int type, unsigned int flags, const void *payload,
			size_t len)
{
	uint8_t head[32] = { 0x89, 'V', 'M', 'P' };
	uint64_t seed = len && type != 4 ? XXH3_64bits(payload, len) : 0;

	put(head + 4, type, 2);
	put(head + 6, flags, 2);
	put(head + 8, len, 4);
	put(head + 16, b->sequence++, 8);
	put(head + 24, XXH3_64bits_withSeed(head, 24, seed), 8);
	assert_int_equal(write_full(b->fd, head, sizeof(head)), 0);
	assert_int_equal(write_full(b->fd, payload, len), 0);
}

static void say(struct bench *b, unsigned int type, const void *payload, size_t len)
{
	say_flagged(b, type, 1, payload, len);
}

static void say_hello(struct bench *b, unsigned int version, unsigned int timeout_ms)
{
	uint8_t hello[96] = { 0 };

	put(hello, version, 2);
	put(hello + 2, version, 2);
	put(hello + 4, 2, 4);
	put(hello + 56, timeout_ms, 4);
	say(b, 1, hello, sizeof(hello));
}

/* Return: the type of the next message; head and payload are there. */
static unsigned int hear(struct bench *b)
{
	size_t len;

	assert_int_equal(read_full(b->fd, b->head, sizeof(b->head)), sizeof(b->head));
	len = b->head[8] | (size_t)b->head[9] << 8;
	assert_true(len <= sizeof(b->payload));
	assert_int_equal(read_full(b->fd, b->payload, len), len);
	return b->head[4] | (unsigned int)b->head[5] << 8;
}

/*
 * This end
 */

/* @patience_ms: the other end's. It speaks first, into the socket's buffer. */
static int connect_to(struct bench *b, unsigned int version, const char *instead,
		      uint32_t timeout_ms, unsigned int patience_ms)
{
	struct channel *channel;
	struct peer *peer;
	const struct link_options opts = {
		.hello = { .version = WIRE_VERSION,
			   .oldest = WIRE_OLDEST,
			   .role = WIRE_SOURCE,
			   .txid = "TRANSACTION",
			   .timeout_ms = timeout_ms },
		.cancel = &b->cancel,
	};
	const struct peer_options peer_opts = { .timeout_ms = (int)timeout_ms };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	b->fd = fds[1];
	if (instead)
		assert_int_equal(write_full(b->fd, instead, strlen(instead)), 0);
	else
		say_hello(b, version, patience_ms);
	assert_int_equal(peer_new(fds[0], "other", &peer_opts, &b->cancel, &peer, &b->err), 0);
	assert_int_equal(channel_from_peer(peer, &channel, &b->err), 0);
	return link_new(channel, &opts, &b->link, &b->err);
}

static void open_link(struct bench *b)
{
	assert_int_equal(connect_to(b, 1, NULL, 60000, 60000), 0);
	assert_int_equal(hear(b), WIRE_HELLO);
}

static void both_say_who_they_are(void **state)
{
	struct bench *b = *state;

	open_link(b);
	assert_int_equal(link_peer(b->link)->role, WIRE_DESTINATION);
	assert_int_equal(b->payload[0], 1);
	assert_memory_equal(b->payload + 16, "TRANSACTION", 12);
}

static void what_is_said_is_heard_at_both_ends(void **state)
{
	struct bench *b = *state;
	struct wire_message m = { .type = WIRE_COMMIT, .decision = { "TX", 7 } };
	char *payload;
	size_t len;

	open_link(b);
	assert_int_equal(link_send(b->link, &m, &b->err), 0);
	assert_int_equal(hear(b), WIRE_COMMIT);
	assert_memory_equal(b->payload, "TX", 3);
	assert_int_equal(b->head[16], 1); /* the second message of ours */
	assert_int_equal(link_send_payload(b->link, WIRE_FRAMES, "bytes", 5, &b->err), 0);
	assert_int_equal(hear(b), WIRE_FRAMES);
	assert_memory_equal(b->payload, "bytes", 5);

	say(b, WIRE_VERDICT, "{}", 2);
	say(b, WIRE_READY, (uint8_t[40]){ 'I' }, 40);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(m.type, WIRE_VERDICT);
	assert_int_equal(link_take_payload(b->link, &payload, &len, &b->err), 0);
	assert_string_equal(payload, "{}");
	free(payload);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(m.type, WIRE_READY);
	assert_string_equal((char *)m.end.image, "I");
	assert_int_equal(link_hear_now(b->link, &m, &b->err), -EAGAIN);
}

static void frames_are_read_as_they_come(void **state)
{
	struct bench *b = *state;
	struct wire_message m;
	char buf[8];

	open_link(b);
	say(b, WIRE_FRAMES, "0123456789", 10);
	say(b, WIRE_END, (uint8_t[40]){ 0 }, 40);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(m.size, 10);
	assert_int_equal(link_read_payload(b->link, buf, 8, &b->err), 8);
	assert_memory_equal(buf, "01234567", 8);
	assert_int_equal(link_read_payload(b->link, buf, 8, &b->err), 2);
	assert_int_equal(link_read_payload(b->link, buf, 8, &b->err), 0);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(m.type, WIRE_END);
}

static void what_is_not_known_and_not_needed_is_skipped(void **state)
{
	struct bench *b = *state;
	struct wire_message m;

	open_link(b);
	say_flagged(b, 200, 0, "whatever this is", 16);
	say_flagged(b, WIRE_HEARTBEAT, 0, "", 0);
	say(b, WIRE_DONE, (uint8_t[24]){ 'T' }, 24);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(m.type, WIRE_DONE);
	say_flagged(b, 200, 1, "", 0);
	assert_int_equal(link_hear(b->link, &m, &b->err), -EPROTO);
	assert_int_equal(err_status(&b->err), 76);
	assert_string_equal(b->err.text,
			    "other: a message of type 200, which this version does not know");
	/* It is final. */
	assert_int_equal(link_hear_now(b->link, &m, &b->err), -EPROTO);
	assert_int_equal(link_check(b->link, NULL), -EPROTO);
	assert_int_equal(link_send(b->link, &m, NULL), -EPROTO);
}

static void what_speaks_something_else_is_named(void **state)
{
	static const struct {
		const char *bytes;
		const char *why;
	} rows[] = {
		{ "\x89VMIG\r\n\x1a", "an image (save writes one to `resume --listen`)" },
		{ "\x89VRCP\r\n\x1a", "the answer to an image (`resume --listen` gives it)" },
		{ "\x16\x03\x01", "TLS" },
		{ "SSH-2.0-x", "SSH" },
		{ "HTTP/1.1 400", "HTTP" },
		{ "GET / HTTP", "HTTP" },
		{ "Welcome to host-7\r\nLast login", "\"Welcome to host-7\"" },
		{ "a line that is longer than a header", "\"a line that is longer than a hea\"" },
		{ "non\x01sense", NULL },
		{ "ab\n", NULL },
	};
	struct bench *b = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[64], want[160];

		snprintf(text, sizeof(text), "%-40s", rows[i].bytes);
		snprintf(want, sizeof(want), "other: %s%s",
			 rows[i].why ? "speaks something else: " : "not a message",
			 rows[i].why ? rows[i].why : "");
		b->err = (struct err){ 0 };
		assert_int_equal(connect_to(b, 1, text, 60000, 60000), -EPROTO);
		assert_string_equal(b->err.text, want);
		close(TAKE_FD(b->fd));
	}
}

static void a_version_that_is_too_new_is_refused(void **state)
{
	struct bench *b = *state;

	assert_int_equal(connect_to(b, 9, NULL, 60000, 60000), -EPROTONOSUPPORT);
	assert_int_equal(err_status(&b->err), 76);
	assert_string_equal(b->err.text, "other: the other end speaks versions 9 to 9 of the "
					 "protocol, this one 1 to 1");
}

static void one_that_says_nothing_is_not_waited_for(void **state)
{
	struct bench *b = *state;

	assert_int_equal(connect_to(b, 1, "", 50, 60000), -ETIMEDOUT);
	assert_int_equal(err_status(&b->err), 75);
}

static void a_payload_that_was_changed_on_its_way_is_refused(void **state)
{
	struct bench *b = *state;
	uint8_t head[32] = { 0x89, 'V', 'M', 'P', WIRE_OFFER, 0, 1, 0, 2 };
	struct wire_message m;
	char *payload;
	size_t len;

	open_link(b);
	put(head + 16, b->sequence, 8);
	put(head + 24, XXH3_64bits_withSeed(head, 24, XXH3_64bits("{}", 2)), 8);
	assert_int_equal(write_full(b->fd, head, sizeof(head)), 0);
	assert_int_equal(write_full(b->fd, "[]", 2), 0);
	assert_int_equal(link_hear(b->link, &m, &b->err), 0);
	assert_int_equal(link_take_payload(b->link, &payload, &len, &b->err), -EPROTO);
	assert_string_equal(b->err.text, "other: OFFER: its checksum is wrong");
}

static void the_end_of_the_channel_is_told_from_silence(void **state)
{
	struct bench *b = *state;
	struct wire_message m;

	open_link(b);
	close(TAKE_FD(b->fd));
	assert_int_equal(link_hear(b->link, &m, &b->err), -ECONNRESET);
	assert_int_equal(err_status(&b->err), 75);
	assert_string_equal(b->err.text, "other: the other end has closed the connection");
}

/* The work looks at its cancel alone; how long that takes is not for a test to judge. */
static void a_link_that_is_lost_is_noticed_without_a_call(void **state)
{
	struct bench *b = *state;
	struct pollfd p = { .fd = b->cancel.fd, .events = POLLIN };

	assert_int_equal(connect_to(b, 1, NULL, 200, 60000), 0);
	assert_int_equal(poll(&p, 1, -1), 1);
	assert_int_equal(link_check(b->link, &b->err), -ETIMEDOUT);
	assert_string_equal(b->err.text, "other: was not heard for 200 ms");
	assert_int_equal(err_status(&b->err), 75);
}

static void this_end_is_alive_while_it_has_nothing_to_say(void **state)
{
	struct bench *b = *state;

	assert_int_equal(connect_to(b, 1, NULL, 60000, 200), 0);
	assert_int_equal(hear(b), WIRE_HELLO);
	for (int i = 0; i < 3; i++) {
		say_flagged(b, WIRE_HEARTBEAT, 0, "", 0);
		assert_int_equal(hear(b), WIRE_HEARTBEAT);
	}
}

static void a_message_that_was_cut_off_is_followed_by_none(void **state)
{
	static char much[WIRE_FRAMES_MAX]; /* more than a socket holds */
	struct bench *b = *state;
	struct wire_message m = { .type = WIRE_HEARTBEAT };

	open_link(b);
	cancel_request(&b->cancel);
	assert_int_equal(link_send_payload(b->link, WIRE_FRAMES, much, sizeof(much), &b->err),
			 -ECANCELED);
	/* A wish to stop is no failure of the link; but what was begun cannot be ended. */
	assert_int_equal(link_check(b->link, NULL), 0);
	assert_int_equal(link_send(b->link, &m, &b->err), -EPIPE);
}

static void last_words_are_said_without_waiting(void **state)
{
	struct bench *b = *state;
	struct err why = { 0 };

	open_link(b);
	err_fail(&why, ERR_IMAGE, -EBADMSG, "it is broken");
	link_abort(b->link, &why);
	assert_int_equal(hear(b), WIRE_ABORT);
	assert_int_equal(b->payload[0], 65);
	assert_string_equal((char *)b->payload + 8, "it is broken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(both_say_who_they_are, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_said_is_heard_at_both_ends, setup,
						teardown),
		cmocka_unit_test_setup_teardown(frames_are_read_as_they_come, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_known_and_not_needed_is_skipped, setup,
						teardown),
		cmocka_unit_test_setup_teardown(what_speaks_something_else_is_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_version_that_is_too_new_is_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(one_that_says_nothing_is_not_waited_for, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_payload_that_was_changed_on_its_way_is_refused,
						setup, teardown),
		cmocka_unit_test_setup_teardown(the_end_of_the_channel_is_told_from_silence, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_link_that_is_lost_is_noticed_without_a_call,
						setup, teardown),
		cmocka_unit_test_setup_teardown(this_end_is_alive_while_it_has_nothing_to_say,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_message_that_was_cut_off_is_followed_by_none,
						setup, teardown),
		cmocka_unit_test_setup_teardown(last_words_are_said_without_waiting, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
