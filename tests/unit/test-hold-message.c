// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "device/hold-client.h"

static int socket_pair(void **state)
{
	int *v = calloc(2, sizeof(*v));

	*state = v;
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, v);
}

static int close_pair(void **state)
{
	int *v = *state;

	close(v[0]);
	close(v[1]);
	free(v);
	return 0;
}

static unsigned int count_open(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* A packet as another program may write it: not by the functions under test. */
static void put(int sock, const char *text, size_t len, const int *fds, unsigned int n)
{
	char control[CMSG_SPACE(253 * sizeof(int))] = { 0 };
	struct iovec iov = { (void *)(uintptr_t)text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (n) {
		struct cmsghdr *c = (struct cmsghdr *)control;

		msg.msg_control = control;
		msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
		*c = (struct cmsghdr){ CMSG_LEN(n * sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
		memcpy(CMSG_DATA(c), fds, n * sizeof(int));
	}
	assert_int_equal(sendmsg(sock, &msg, MSG_DONTWAIT), len);
}

static void a_request_arrives_as_it_was_sent(void **state)
{
	const int *v = *state;
	const struct hold_request sent = {
		.verb = HOLD_GET,
		.name = "0000:3b:00.1",
		.use = HOLD_USE_CHANGE,
		.if_lost = HOLD_IF_LOST_RETURN,
		.by = "a client",
	};
	struct hold_packet p;
	struct hold_request got;
	struct err err = { 0 };

	assert_int_equal(hold_send(v[0], hold_request_write(&sent), NULL), 0);
	assert_int_equal(hold_receive(v[1], &p, &err), 0);
	assert_int_equal(hold_request_read(p.o, &got, &err), 0);
	assert_memory_equal(&got, &sent, sizeof(sent));
	hold_packet_done(&p);
}

/* Its request lies there unread, which the kernel tells of before the answer. */
static void who_is_turned_away_hears_why(void **state)
{
	int *v = *state;
	const struct hold_request sent = { .verb = HOLD_LIST };
	struct hold_packet p;
	struct err err = { 0 }, why = { 0 };

	assert_int_equal(hold_send(v[0], hold_request_write(&sent), NULL), 0);
	err_set(&why, -EPERM, "not this user");
	assert_int_equal(hold_send(v[1], hold_reply_error(&why), NULL), 0);
	close(v[1]);
	v[1] = -1;
	assert_int_equal(hold_receive(v[0], &p, &err), 0);
	assert_int_equal(hold_reply_read(p.o, HOLD_LIST, &err), -EPERM);
	hold_packet_done(&p);
	assert_int_equal(hold_receive(v[0], &p, &err), -ECONNRESET);
	hold_packet_done(&p);
}

static void what_is_given_says_whose_it_is_too(void **state)
{
	const int *v = *state;
	struct hold_request sent = { .verb = HOLD_GIVE, .name = "x", .driver = "d" };
	struct hold_packet p;
	struct hold_request got;
	struct err err = { 0 };

	for (int shared = 0; shared < 2; shared++) {
		sent.shared = shared;
		assert_int_equal(hold_send(v[0], hold_request_write(&sent), NULL), 0);
		assert_int_equal(hold_receive(v[1], &p, &err), 0);
		assert_int_equal(hold_request_read(p.o, &got, &err), 0);
		assert_memory_equal(&got, &sent, sizeof(sent));
		hold_packet_done(&p);
	}
}

static void descriptors_arrive_by_their_names(void **state)
{
	const int *v = *state;
	struct hold_fds sent = HOLD_FDS_NONE;
	unsigned int before = count_open();
	struct hold_packet p;
	struct err err = { 0 };
	struct acquired acq;
	char c = 'x';
	int pipe_fds[2];

	assert_int_equal(pipe(pipe_fds), 0);
	sent.v[HOLD_FD_DEVICE] = pipe_fds[1];
	sent.v[HOLD_FD_CONTAINER] = STDIN_FILENO;
	sent.v[HOLD_FD_GROUP] = pipe_fds[0];
	assert_int_equal(hold_send(v[0], hold_reply_new("get"), &sent), 0);
	assert_int_equal(hold_receive(v[1], &p, &err), 0);
	assert_int_equal(hold_reply_read(p.o, HOLD_GET, &err), 0);
	assert_int_equal(p.fds.v[HOLD_FD_IOMMUFD], -1);
	acq = hold_fds_take(&p.fds);
	hold_packet_done(&p);
	assert_int_equal(acq.via, ACQUIRE_GROUP);
	assert_true(fcntl(acq.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(acq.fd, &c, 1), 1);
	assert_int_equal(read(acq.keep[0], &c, 1), 1);
	acquired_done(&acq);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	assert_int_equal(count_open(), before);
}

static void what_is_no_message_is_refused_and_its_descriptors_are_the_receivers(void **state)
{
	static const struct {
		const char *text;
		unsigned int fds;
	} rows[] = {
		{ "", 1 },
		{ "junk", 0 },
		{ "[]", 0 },
		{ "{\"schema\":1", 0 },
		{ "{\"schema\":1}{}", 0 },
		{ "{\"a\":{\"a\":{\"a\":{\"a\":{\"a\":{}}}}}}", 0 },
		{ "{\"schema\":1,\"request\":\"list\"}", 1 },
		{ "{\"schema\":1,\"fds\":[\"device\"]}", 0 },
		{ "{\"schema\":1,\"fds\":[\"device\"]}", 2 },
		{ "{\"schema\":1,\"fds\":[\"device\",\"device\"]}", 2 },
		{ "{\"schema\":1,\"fds\":[\"device\",\"door\"]}", 2 },
		{ "{\"schema\":1,\"fds\":[\"device\",3]}", 2 },
		{ "{\"schema\":1,\"fds\":\"device\"}", 1 },
		{ "{\"schema\":1}", 32 },
		{ "{\"schema\":1}", 200 },
	};
	const int *v = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned int before = count_open();
		struct hold_packet p;
		struct err err = { 0 };
		int fds[200], r;

		for (size_t f = 0; f < ARRAY_SIZE(fds); f++)
			fds[f] = STDERR_FILENO;
		put(v[0], rows[i].text, strlen(rows[i].text), fds, rows[i].fds);
		r = hold_receive(v[1], &p, &err);
		if (r != -EBADMSG && r != -EMSGSIZE)
			fail_msg("%s with %u: %d", rows[i].text, rows[i].fds, r);
		assert_true(*err.text);
		assert_null(p.o);
		assert_int_equal(count_open(), before + rows[i].fds);
		hold_packet_done(&p);
		assert_int_equal(count_open(), before);
	}
}

static void a_message_that_is_too_long_is_refused_at_both_ends(void **state)
{
	const int *v = *state;
	char *text = malloc(HOLD_MESSAGE_MAX + 2);
	struct json_object *o = hold_reply_new("list");
	struct hold_packet p;
	struct err err = { 0 };

	memset(text, ' ', HOLD_MESSAGE_MAX + 1);
	text[HOLD_MESSAGE_MAX + 1] = '\0';
	put(v[0], text, HOLD_MESSAGE_MAX + 1, NULL, 0);
	assert_int_equal(hold_receive(v[1], &p, &err), -EMSGSIZE);
	json_object_object_add(o, "x", json_object_new_string(text));
	assert_int_equal(hold_send(v[0], o, NULL), -EMSGSIZE);
	free(text);
}

static void a_request_with_a_wrong_member_is_refused_by_its_name(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{ "{}", "schema" },
		{ "{\"schema\":2,\"request\":\"list\"}", "schema" },
		{ "{\"schema\":\"1\",\"request\":\"list\"}", "schema" },
		{ "{\"schema\":1,\"request\":\"give\",\"name\":\"x\",\"shared\":1}", "shared" },
		{ "{\"schema\":1}", "request" },
		{ "{\"schema\":1,\"request\":\"take\"}", "request" },
		{ "{\"schema\":1,\"request\":1}", "request" },
		{ "{\"schema\":1,\"request\":\"get\",\"name\":7}", "name" },
		{ "{\"schema\":1,\"request\":\"get\",\"name\":\"a\\u0000b\"}", "name" },
		{ "{\"schema\":1,\"request\":\"get\",\"use\":\"own\"}", "use" },
		{ "{\"schema\":1,\"request\":\"get\",\"if_lost\":true}", "if_lost" },
		{ "{\"schema\":1,\"request\":\"get\",\"by\":[]}", "by" },
		{ "{\"schema\":1,\"request\":\"give\",\"driver\":{}}", "driver" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct json_object *o = json_tokener_parse(rows[i].text);
		struct hold_request req;
		struct err err = { 0 };

		if (hold_request_read(o, &req, &err) != -EBADMSG || !strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].text, err.text);
		json_object_put(o);
	}
}

static void members_that_are_missing_or_not_known_do_no_harm(void **state)
{
	struct json_object *o = json_tokener_parse(
		"{\"schema\":1,\"request\":\"get\",\"name\":null,\"color\":\"red\"}");
	struct hold_request req;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(hold_request_read(o, &req, &err), 0);
	assert_string_equal(req.name, "");
	assert_int_equal(req.use, HOLD_USE_READ);
	assert_int_equal(req.if_lost, HOLD_IF_LOST_STAY);
	json_object_put(o);
}

static void what_a_client_calls_itself_cannot_move_the_cursor(void **state)
{
	struct json_object *o =
		json_tokener_parse("{\"schema\":1,\"request\":\"get\",\"by\":\"\\u001b[2J\"}");
	struct hold_request req;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(hold_request_read(o, &req, &err), 0);
	assert_string_equal(req.by, "?[2J");
	json_object_put(o);
}

static void a_refusal_is_the_errno_and_the_words_of_the_holder(void **state)
{
	struct err sent = { 0 }, got = { 0 };
	struct json_object *o;

	(void)state;
	err_set(&sent, -EBUSY, "x: in use");
	err_hint(&sent, -EBUSY, "wait");
	o = hold_reply_error(&sent);
	assert_int_equal(hold_reply_read(o, HOLD_GET, &got), -EBUSY);
	assert_string_equal(got.text, "x: in use");
	assert_string_equal(got.hint, "wait");
	assert_true(got.system);
	json_object_put(o);
	o = json_tokener_parse("{\"schema\":1,\"reply\":\"error\",\"errno\":\"EWHAT\"}");
	assert_int_equal(hold_reply_read(o, HOLD_GET, &got), -EPROTO);
	assert_int_equal(err_status(&got), ERR_PEER);
	json_object_put(o);
	o = hold_reply_new("give");
	assert_int_equal(hold_reply_read(o, HOLD_GET, &got), -EBADMSG);
	json_object_put(o);
}

static void an_end_that_does_not_read_is_not_waited_for(void **state)
{
	const int *v = *state;
	int r = 0;

	for (int i = 0; i < 100000 && r >= 0; i++)
		r = hold_send(v[0], hold_reply_new("list"), NULL);
	assert_int_equal(r, -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_request_arrives_as_it_was_sent, socket_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(who_is_turned_away_hears_why, socket_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(what_is_given_says_whose_it_is_too, socket_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(descriptors_arrive_by_their_names, socket_pair,
						close_pair),
		cmocka_unit_test_setup_teardown(
			what_is_no_message_is_refused_and_its_descriptors_are_the_receivers,
			socket_pair, close_pair),
		cmocka_unit_test_setup_teardown(a_message_that_is_too_long_is_refused_at_both_ends,
						socket_pair, close_pair),
		cmocka_unit_test(a_request_with_a_wrong_member_is_refused_by_its_name),
		cmocka_unit_test(members_that_are_missing_or_not_known_do_no_harm),
		cmocka_unit_test(what_a_client_calls_itself_cannot_move_the_cursor),
		cmocka_unit_test(a_refusal_is_the_errno_and_the_words_of_the_holder),
		cmocka_unit_test_setup_teardown(an_end_that_does_not_read_is_not_waited_for,
						socket_pair, close_pair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
