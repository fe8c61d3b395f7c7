// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/sd-notify.h"

/* A manager: its socket, and the message that it got last. */
struct manager {
	char folder[32], path[64];
	int fd;
	char text[512];
	int fds[8];
	unsigned int n;
};

static int setup(void **state)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct manager *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	strcpy(m->folder, "/tmp/sd-notify-XXXXXX");
	assert_non_null(mkdtemp(m->folder));
	snprintf(m->path, sizeof(m->path), "%s/s", m->folder);
	strcpy(a.sun_path, m->path);
	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(m->fd >= 0);
	assert_int_equal(bind(m->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", m->path, 1);
	*state = m;
	return 0;
}

static int teardown(void **state)
{
	struct manager *m = *state;

	close(m->fd);
	unlink(m->path);
	rmdir(m->folder);
	free(m);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static void manager_receive(struct manager *m)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(m->fds))];
	} control;
	struct iovec iov = { m->text, sizeof(m->text) - 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(m->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	assert_true(len >= 0);
	m->text[len] = '\0';
	m->n = 0;
	if (!c)
		return;
	m->n = (unsigned int)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
	memcpy(m->fds, CMSG_DATA(c), m->n * sizeof(int));
}

static void each_message_is_what_the_manual_says(void **state)
{
	struct manager *m = *state;

	assert_int_equal(sd_notify_ready(NULL, NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "READY=1\n");
	assert_int_equal(sd_notify_ready("holds\nvfio0", NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "READY=1\nSTATUS=holds vfio0");
	assert_int_equal(sd_notify_status("loading", NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "STATUS=loading");
	assert_int_equal(sd_notify_stopping(NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "STOPPING=1");
	assert_int_equal(sd_notify_unstore("device.vfio0", NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "FDSTOREREMOVE=1\nFDNAME=device.vfio0");
	assert_int_equal(m->n, 0);
}

static void stored_descriptors_are_the_same_open_files(void **state)
{
	struct manager *m = *state;
	struct stat before, after;
	int p[2];

	assert_int_equal(pipe(p), 0);
	assert_int_equal(sd_notify_store("device", p, 2, NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "FDSTORE=1\nFDPOLL=0\nFDNAME=device");
	assert_int_equal(m->n, 2);
	assert_int_equal(fstat(p[0], &before), 0);
	assert_int_equal(fstat(m->fds[0], &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	close(p[0]);
	close(p[1]);
	assert_int_equal(write(m->fds[1], "x", 1), 1);
	assert_int_equal(read(m->fds[0], m->text, 1), 1);
	close(m->fds[0]);
	close(m->fds[1]);
}

static void an_abstract_socket_is_one_too(void **state)
{
	struct manager *m = *state;
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	socklen_t len = sizeof(a);
	int own = m->fd;
	char name[sizeof(a.sun_path) + 1];

	m->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	/* The kernel chooses a name. */
	assert_int_equal(bind(m->fd, (struct sockaddr *)&a, sizeof(sa_family_t)), 0);
	assert_int_equal(getsockname(m->fd, (struct sockaddr *)&a, &len), 0);
	snprintf(name, sizeof(name), "@%.*s", (int)(len - sizeof(sa_family_t) - 1), a.sun_path + 1);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(sd_notify_ready(NULL, NULL), 0);
	manager_receive(m);
	assert_string_equal(m->text, "READY=1\n");
	close(m->fd);
	m->fd = own;
}

static void what_fails_is_said_and_harms_nothing(void **state)
{
	struct manager *m = *state;
	char longest[200];
	struct err err = { 0 };
	int fds[SD_NOTIFY_FDS_MAX + 1] = { 0 };

	assert_int_equal(sd_notify_store("a:b", fds, 1, &err), -EINVAL);
	assert_non_null(strstr(err.text, "FDNAME=a:b"));
	assert_int_equal(sd_notify_store("a", fds, 0, &err), -EINVAL);
	assert_int_equal(sd_notify_store("a", fds, SD_NOTIFY_FDS_MAX + 1, &err), -EINVAL);
	assert_int_equal(sd_notify_unstore("a\n", &err), -EINVAL);
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(sd_notify_ready(NULL, &err), -EAFNOSUPPORT);
	snprintf(longest, sizeof(longest), "/%0150d", 0);
	setenv("NOTIFY_SOCKET", longest, 1);
	assert_int_equal(sd_notify_ready(NULL, &err), -ENAMETOOLONG);
	setenv("NOTIFY_SOCKET", m->folder, 1);
	assert_int_equal(sd_notify_ready(NULL, &err), -ECONNREFUSED);
	unlink(m->path);
	setenv("NOTIFY_SOCKET", m->path, 1);
	assert_int_equal(sd_notify_ready(NULL, &err), -ENOENT);
	assert_non_null(strstr(err.text, m->path));
}

static void without_a_manager_there_is_nothing_to_do(void **state)
{
	struct err err = { 0 };
	int fd = 0;

	(void)state;
	setenv("NOTIFY_SOCKET", "", 1);
	assert_false(sd_notify_wanted());
	unsetenv("NOTIFY_SOCKET");
	assert_false(sd_notify_wanted());
	assert_int_equal(sd_notify_ready("x", &err), 0);
	assert_int_equal(sd_notify_store("x", &fd, 1, &err), 0);
	assert_int_equal(err.code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_message_is_what_the_manual_says, setup,
						teardown),
		cmocka_unit_test_setup_teardown(stored_descriptors_are_the_same_open_files, setup,
						teardown),
		cmocka_unit_test_setup_teardown(an_abstract_socket_is_one_too, setup, teardown),
		cmocka_unit_test_setup_teardown(what_fails_is_said_and_harms_nothing, setup,
						teardown),
		cmocka_unit_test(without_a_manager_there_is_nothing_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
