// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/cancel.h"
#include "base/macros.h"
#include "device/vfu-client.h"

/* A client, and the server's end of its connection. */
struct talk {
	struct vfu_client c;
	int server;
	struct err err;
};

static int setup(void **state)
{
	struct talk *t = calloc(1, sizeof(*t));
	int fds[2];

	assert_non_null(t);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	t->c.channel = (struct vfu_channel){ .fd = fds[0], .timeout_ms = 60000 };
	t->server = fds[1];
	*state = t;
	return 0;
}

static int teardown(void **state)
{
	struct talk *t = *state;

	vfu_client_close(&t->c);
	if (t->server >= 0)
		close(t->server);
	free(t);
	return 0;
}

static void say(struct talk *t, const void *bytes, size_t len)
{
	assert_int_equal(send(t->server, bytes, len, MSG_NOSIGNAL), len);
}

static void say_header(struct talk *t, uint16_t id, uint16_t command, uint32_t size, uint32_t flags)
{
	const struct vfu_header h = { id, command, size, flags, 0 };

	say(t, &h, sizeof(h));
}

/* What the client sent, which is a header and nothing else. */
static void expect_declined(struct talk *t, uint16_t id, uint16_t command)
{
	struct vfu_header h;

	assert_int_equal(recv(t->server, &h, sizeof(h), MSG_DONTWAIT), sizeof(h));
	assert_int_equal(h.id, id);
	assert_int_equal(h.command, command);
	assert_int_equal(h.size, sizeof(h));
	assert_int_equal(h.flags, VFU_TYPE_REPLY | VFU_ERROR);
	assert_int_equal(h.error, EOPNOTSUPP);
}

static void expect_silence(struct talk *t)
{
	char byte;

	assert_int_equal(recv(t->server, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}

static void commands_are_declined_however_they_are_cut(void **state)
{
	static const uint8_t payload[100];
	struct talk *t = *state;
	struct vfu_header h = { 7, VFU_DMA_READ, sizeof(h) + sizeof(payload), VFU_TYPE_COMMAND, 0 };

	for (size_t i = 0; i < sizeof(h); i++) {
		assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
		expect_silence(t);
		say(t, (const uint8_t *)&h + i, 1);
	}
	assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	expect_declined(t, 7, VFU_DMA_READ);
	say(t, payload, 60);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	say(t, payload, 40);
	say_header(t, 8, VFU_DMA_WRITE, 16, VFU_TYPE_COMMAND);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	expect_declined(t, 8, VFU_DMA_WRITE);
	expect_silence(t);
}

static void what_wants_no_answer_gets_none(void **state)
{
	struct talk *t = *state;

	say_header(t, 1, VFU_DMA_READ, 16, VFU_TYPE_COMMAND | VFU_NO_REPLY);
	say_header(t, 2, VFU_MIG_DATA_READ, 24, VFU_TYPE_REPLY);
	say(t, "a reply ", 8);
	say_header(t, 3, 999, 16, VFU_TYPE_COMMAND);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	expect_declined(t, 3, 999);
	expect_silence(t);
}

/* A reply whose payload was not wanted comes before what the server says by itself. */
static void the_rest_of_the_last_reply_is_dropped(void **state)
{
	struct talk *t = *state;
	struct vfu_header h;

	say_header(t, 1, VFU_MIG_DATA_WRITE, 16 + 8, VFU_TYPE_REPLY);
	assert_int_equal(vfu_client_next(&t->c, NULL, &h, &t->err), 0);
	say(t, "the rest", 8);
	say_header(t, 2, VFU_DMA_READ, 16, VFU_TYPE_COMMAND);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	expect_declined(t, 2, VFU_DMA_READ);
}

static void a_server_that_reads_nothing_is_not_waited_for(void **state)
{
	struct talk *t = *state;

	for (int i = 0; i < 2000; i++) {
		say_header(t, (uint16_t)i, VFU_DMA_READ, 16, VFU_TYPE_COMMAND);
		assert_int_equal(vfu_client_attend(&t->c, &t->err), 0);
	}
}

static void the_end_and_noise_are_told_apart(void **state)
{
	struct talk *t = *state;

	say(t, "not a header at all, but something else", 16);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), -EPROTO);
	assert_int_equal(err_status(&t->err), ERR_PEER);
	assert_int_equal(vfu_client_attend(&t->c, &t->err), -EPROTO);
	t->c.broken = 0;
	t->c.unasked.len = 0;
	close(t->server);
	t->server = -1;
	assert_int_equal(vfu_client_attend(&t->c, &t->err), -ECONNRESET);
}

/* Says something again and again, but never the reply; until it is no longer listened to. */
static void *chatter(void *arg)
{
	const struct vfu_header h = { 1, VFU_DMA_READ, 16, VFU_TYPE_COMMAND | VFU_NO_REPLY, 0 };
	struct talk *t = arg;

	while (send(t->server, &h, sizeof(h), MSG_NOSIGNAL) == sizeof(h))
		usleep(2000);
	return NULL;
}

static void commands_do_not_prolong_the_wait_for_a_reply(void **state)
{
	struct talk *t = *state;
	struct vfu_header h;
	pthread_t thread;

	t->c.channel.timeout_ms = 100;
	assert_int_equal(pthread_create(&thread, NULL, chatter, t), 0);
	assert_int_equal(vfu_client_next(&t->c, NULL, &h, &t->err), -ETIMEDOUT);
	assert_int_equal(err_status(&t->err), ERR_PEER);
	vfu_client_close(&t->c);
	pthread_join(thread, NULL);
}

static void a_cancel_between_messages_leaves_the_conversation_whole(void **state)
{
	struct talk *t = *state;
	struct cancel cancel;
	struct vfu_header h;

	assert_int_equal(cancel_init(&cancel, NULL), 0);
	cancel_request(&cancel);
	assert_int_equal(vfu_client_next(&t->c, &cancel, &h, &t->err), -ECANCELED);
	assert_int_equal(t->c.broken, 0);
	say_header(t, 5, VFU_RESET, 16, VFU_TYPE_REPLY);
	assert_int_equal(vfu_client_next(&t->c, NULL, &h, &t->err), 0);
	assert_int_equal(h.id, 5);
	cancel_done(&cancel);
}

static void a_cancel_within_a_message_gives_the_connection_up(void **state)
{
	struct talk *t = *state;
	struct cancel cancel;
	struct vfu_header h;
	uint8_t byte;

	assert_int_equal(cancel_init(&cancel, NULL), 0);
	say_header(t, 5, VFU_MIG_DATA_READ, 17, VFU_TYPE_REPLY);
	assert_int_equal(vfu_client_next(&t->c, &cancel, &h, &t->err), 0);
	cancel_request(&cancel);
	assert_int_equal(vfu_client_receive(&t->c, &byte, 1, &t->err), -ECANCELED);
	assert_int_equal(t->c.broken, -ECANCELED);
	assert_int_equal(vfu_client_next(&t->c, NULL, &h, &t->err), -ECANCELED);
	cancel_done(&cancel);
}

#define ON(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(commands_are_declined_however_they_are_cut),
		ON(what_wants_no_answer_gets_none),
		ON(the_rest_of_the_last_reply_is_dropped),
		ON(a_server_that_reads_nothing_is_not_waited_for),
		ON(the_end_and_noise_are_told_apart),
		ON(commands_do_not_prolong_the_wait_for_a_reply),
		ON(a_cancel_between_messages_leaves_the_conversation_whole),
		ON(a_cancel_within_a_message_gives_the_connection_up),
	};

	return cmocka_run_group_tests_name("vfu-client", tests, NULL, NULL);
}
