// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/closer.h"

static void assert_ended(int fd)
{
	char byte;

	/* Waits until the last writer is gone. */
	assert_int_equal(read(fd, &byte, 1), 0);
}

static int first_free_fd(void)
{
	int fd = dup(STDIN_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void what_is_put_is_closed(void **state)
{
	struct closer c = CLOSER_NONE;
	int before = first_free_fd();

	(void)state;
	assert_int_equal(closer_open(&c, NULL), 0);
	for (int i = 0; i < 3; i++) {
		int p[2];

		assert_int_equal(pipe(p), 0);
		closer_put(&c, p[1]);
		assert_ended(p[0]);
		close(p[0]);
	}
	closer_put(&c, -1);
	closer_done(&c);
	assert_int_equal(c.fd, -1);
	assert_int_equal(first_free_fd(), before);
}

static void a_connections_unread_descriptors_go_with_it(void **state)
{
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct closer c = CLOSER_NONE;
	int v[2], p[2];

	(void)state;
	assert_int_equal(closer_open(&c, NULL), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	assert_int_equal(pipe(p), 0);
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.align), &p[1], sizeof(int));
	assert_int_equal(sendmsg(v[0], &msg, 0), 1);
	close(p[1]);
	closer_put_socket(&c, v[1]);
	/* The other end hears of it at once. */
	assert_true(poll(&(struct pollfd){ .fd = v[0], .events = POLLRDHUP }, 1, 0) == 1);
	assert_ended(p[0]);
	close(p[0]);
	close(v[0]);
	closer_done(&c);
}

static void the_child_has_nothing_of_ours(void **state)
{
	struct closer c = CLOSER_NONE;
	int p[2];

	(void)state;
	assert_int_equal(pipe(p), 0);
	assert_int_equal(closer_open(&c, NULL), 0);
	close(p[1]);
	assert_ended(p[0]);
	close(p[0]);
	closer_done(&c);
}

static void without_a_child_it_stays_open(void **state)
{
	struct closer c = CLOSER_NONE;
	int v[2], p[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, v), 0);
	close(v[1]);
	c.fd = v[0];
	assert_int_equal(pipe(p), 0);
	closer_put(&c, p[1]);
	assert_int_not_equal(fcntl(p[1], F_GETFD), -1);
	close(p[0]);
	close(p[1]);
	closer_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_closed),
		cmocka_unit_test(a_connections_unread_descriptors_go_with_it),
		cmocka_unit_test(the_child_has_nothing_of_ours),
		cmocka_unit_test(without_a_child_it_stays_open),
	};

	return cmocka_run_group_tests_name("closer", tests, NULL, NULL);
}
