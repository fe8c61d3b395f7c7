// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/closer.h"
#include "base/log.h"

#define CLOSER_COMM "vfiomig-closer"

/* A fork that is refused is tried again after this. */
#define CLOSER_RETRY_MS 100

/* At the end those that close something still are looked for so often; one that hangs is left. */
#define CLOSER_LOOKS 100
#define CLOSER_LOOK_MS 10

union closer_control {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

/*
 * The child
 */

/*
 * Takes one descriptor and exits with it, once its sender has closed its own: that closes it.
 * Return: without one, at the end.
 */
static void closer_take(int fd, int to_parent)
{
	union closer_control control;
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};

	if (recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) == sizeof(byte) &&
	    recv(fd, &byte, sizeof(byte), 0) == sizeof(byte) &&
	    write(to_parent, &byte, sizeof(byte)) == sizeof(byte))
		_exit(0);
}

/* Return: false at the end. */
static bool closer_one(int fd)
{
	bool taken = false;
	pid_t pid = -1;
	int p[2];
	char byte;

	if (pipe(p) == 0) {
		pid = fork();
		if (!pid) {
			close(p[0]);
			closer_take(fd, p[1]);
			_exit(0);
		}
		close(p[1]);
		taken = pid > 0 && read(p[0], &byte, sizeof(byte)) == sizeof(byte);
		close(p[0]);
	}
	if (pid < 0)
		poll(NULL, 0, CLOSER_RETRY_MS);
	return pid < 0 || taken;
}

/* Waits for none. Return: false when there is none left. */
static bool closer_reap(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG);
	while (pid > 0);
	return !pid;
}

_Noreturn static void closer_be(int fd)
{
	struct pollfd p = { .events = POLLIN };
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	signal(SIGCHLD, SIG_DFL);
	log_setup(LOG_LEVEL_QUIET, CLOSER_COMM);
	prctl(PR_SET_NAME, CLOSER_COMM);
	p.fd = dup2(fd, STDIN_FILENO);
	(void)close_range(STDIN_FILENO + 1, UINT_MAX, 0);
	while (p.fd >= 0 && poll(&p, 1, -1) >= 0 && closer_one(p.fd))
		closer_reap();
	for (int i = 0; i < CLOSER_LOOKS && closer_reap(); i++)
		poll(NULL, 0, CLOSER_LOOK_MS);
	_exit(0);
}

/*
 * Our end
 */

int closer_open(struct closer *ret, struct err *err)
{
	_cleanup_fd_ int theirs = -1, ours = -1;
	int v[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, v) < 0)
		return err_set(err, -errno, "socketpair");
	ours = v[0];
	theirs = v[1];
	pid = fork();
	if (!pid)
		closer_be(theirs);
	if (pid < 0)
		return err_set(err, -errno, "fork");
	ret->fd = TAKE_FD(ours);
	ret->pid = pid;
	return 0;
}

static int closer_send_fd(int sock, int fd)
{
	union closer_control control = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = sizeof(byte) };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.room,
		.msg_controllen = sizeof(control.room),
	};
	struct cmsghdr *c = &control.align;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	while (sendmsg(sock, &msg, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

void closer_put(const struct closer *c, int fd)
{
	char byte = 0;
	ssize_t n;
	int r;

	if (fd < 0)
		return;
	r = closer_send_fd(c->fd, fd);
	if (r < 0) {
		log_warn("a descriptor from another process stays open: %s", err_name(r));
		return;
	}
	/* The child has it until it is told that it is closed here: that close is not the last. */
	close(fd);
	do
		n = send(c->fd, &byte, sizeof(byte), MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		log_debug("the closer is gone: %s", err_name(-errno));
}

void closer_put_socket(const struct closer *c, int fd)
{
	if (fd >= 0)
		shutdown(fd, SHUT_RDWR);
	closer_put(c, fd);
}

void closer_leave(struct closer *c)
{
	if (c->fd >= 0)
		close(c->fd);
	*c = CLOSER_NONE;
}

void closer_done(struct closer *c)
{
	if (c->fd >= 0)
		close(c->fd);
	if (c->pid > 0)
		while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	*c = CLOSER_NONE;
}
