// SPDX-License-Identifier: GPL-2.0-or-later
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/fd-name.h"
#include "base/sd-notify.h"

static int sd_notify_address(const char *text, struct sockaddr_un *ret, socklen_t *ret_len,
			     struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t len = strlen(text);

	if (*text != '/' && *text != '@')
		return err_set(err, -EAFNOSUPPORT,
			       "NOTIFY_SOCKET=%s: neither a path nor an abstract socket", text);
	/* A path has its NUL with it; the name of an abstract socket ends where the length says. */
	if (len + (*text == '/') > sizeof(a.sun_path))
		return err_set(err, -ENAMETOOLONG, "NOTIFY_SOCKET=%s: too long", text);
	memcpy(a.sun_path, text, len);
	if (*text == '@')
		a.sun_path[0] = '\0';
	*ret = a;
	*ret_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (*text == '/'));
	return 0;
}

static int sd_notify_socket(int *ret, struct err *err)
{
	const struct timeval wait = { .tv_sec = SD_NOTIFY_WAIT_MS / 1000 };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
		return err_set(err, -errno, "NOTIFY_SOCKET: a socket");
	*ret = TAKE_FD(fd);
	return 0;
}

static void sd_notify_attach(struct msghdr *msg, const int *fds, unsigned int n)
{
	struct cmsghdr *c;

	if (!n)
		return;
	msg->msg_controllen = CMSG_SPACE(n * sizeof(int));
	c = CMSG_FIRSTHDR(msg);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(c), fds, n * sizeof(int));
}

int sd_notify_send(const char *address, const char *text, const int *fds, unsigned int n,
		   struct err *err)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(SD_NOTIFY_FDS_MAX * sizeof(int))];
	} control = { 0 };
	struct iovec iov = { .iov_base = (void *)text, .iov_len = strlen(text) };
	struct sockaddr_un to;
	struct msghdr msg = {
		.msg_name = &to,
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = n ? &control : NULL,
	};
	_cleanup_fd_ int fd = -1;
	ssize_t sent;
	int r;

	if (n > SD_NOTIFY_FDS_MAX)
		return err_set(err, -EINVAL, "NOTIFY_SOCKET: %u descriptors at a time", n);
	r = sd_notify_address(address, &to, &msg.msg_namelen, err);
	if (r < 0)
		return r;
	r = sd_notify_socket(&fd, err);
	if (r < 0)
		return r;
	sd_notify_attach(&msg, fds, n);
	do
		sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent >= 0)
		return 0;
	if (errno == EAGAIN)
		return err_set(err, -ETIMEDOUT, "NOTIFY_SOCKET=%s: the manager does not read",
			       address);
	return err_set(err, -errno, "NOTIFY_SOCKET=%s", address);
}

static const char *sd_notify_manager(void)
{
	const char *address = getenv("NOTIFY_SOCKET");

	return address && *address ? address : NULL;
}

bool sd_notify_wanted(void)
{
	return sd_notify_manager();
}

/* @status is left out where it is NULL. */
static int sd_notify_tell(const char *text, const char *status, struct err *err)
{
	const char *address = sd_notify_manager();
	_cleanup_free_ char *all = NULL;
	size_t head = strlen(text);

	if (!address)
		return 0;
	if (!status)
		return sd_notify_send(address, text, NULL, 0, err);
	if (asprintf(&all, "%sSTATUS=%s", text, status) < 0) {
		all = NULL;
		return err_set(err, -ENOMEM, "NOTIFY_SOCKET");
	}
	for (char *c = all + head; *c; c++)
		if (*c == '\n')
			*c = ' ';
	return sd_notify_send(address, all, NULL, 0, err);
}

int sd_notify_ready(const char *status, struct err *err)
{
	return sd_notify_tell("READY=1\n", status, err);
}

int sd_notify_status(const char *status, struct err *err)
{
	return sd_notify_tell("", status, err);
}

int sd_notify_stopping(struct err *err)
{
	return sd_notify_tell("STOPPING=1", NULL, err);
}

#define STORE_MAX (FD_NAME_MAX + 64)

int sd_notify_store(const char *name, const int *fds, unsigned int n, struct err *err)
{
	const char *address = sd_notify_manager();
	char text[STORE_MAX];

	if (!address)
		return 0;
	if (!fd_name_valid(name))
		return err_set(err, -EINVAL, "FDNAME=%s: not a name", name);
	if (!n)
		return err_set(err, -EINVAL, "FDNAME=%s: nothing to store", name);
	snprintf(text, sizeof(text), "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
	return sd_notify_send(address, text, fds, n, err);
}

int sd_notify_unstore(const char *name, struct err *err)
{
	const char *address = sd_notify_manager();
	char text[STORE_MAX];

	if (!address)
		return 0;
	if (!fd_name_valid(name))
		return err_set(err, -EINVAL, "FDNAME=%s: not a name", name);
	snprintf(text, sizeof(text), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	return sd_notify_send(address, text, NULL, 0, err);
}
