// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/lock-file.h"
#include "base/unix-socket.h"

/* A listener accepts one client at a time; further clients wait in the backlog. */
#define BACKLOG 16
#define RETRY_MS 10

/* @name is what messages call it. */
static int unix_socket_address(const char *path, const char *name, struct sockaddr_un *ret,
			       struct err *err)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	if (!*path)
		return err_set(err, -ENOENT, "%s: a socket without a path", name);
	if (strlen(path) >= sizeof(a.sun_path))
		return err_set(err, -ENAMETOOLONG, "%s: too long for a socket's path", name);
	strcpy(a.sun_path, path);
	*ret = a;
	return 0;
}

int unix_check(const char *path, const char *name, struct err *err)
{
	struct sockaddr_un a;
	struct stat st;
	int r;

	r = unix_socket_address(path, name, &a, err);
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return err_set(err, -errno, "%s", name);
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -ENOTSOCK, "%s: not a socket", name);
	return 0;
}

static int unix_socket_connect_to(const struct sockaddr_un *a, int type, int *ret_fd)
{
	_cleanup_fd_ int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int r;

	if (fd < 0)
		return -errno;
	do
		r = connect(fd, (const struct sockaddr *)a, sizeof(*a));
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int unix_socket_pause_for(struct cancel *cancel, int milliseconds, struct err *err)
{
	if (cancel)
		return cancel_pause(cancel, milliseconds, err);
	poll(NULL, 0, milliseconds);
	return 0;
}

static int unix_socket_connect(const char *path, int type, struct cancel *cancel, int timeout_ms,
			       int *ret_fd, struct err *err)
{
	struct sockaddr_un a;
	int waited = 0, r;

	r = unix_socket_address(path, path, &a, err);
	if (r < 0)
		return r;
	/* EAGAIN is a full backlog; no poll() tells when there is room in it again. */
	while ((r = unix_socket_connect_to(&a, type, ret_fd)) == -EAGAIN) {
		if (timeout_ms >= 0 && waited >= timeout_ms)
			return err_set(err, -ETIMEDOUT, "the listener takes no connection");
		r = unix_socket_pause_for(cancel, RETRY_MS, err);
		if (r < 0)
			return r;
		waited += timeout_ms < 0 ? 0 : RETRY_MS;
	}
	return r < 0 ? err_set(err, r, "connecting") : 0;
}

int unix_connect(const char *path, struct cancel *cancel, int timeout_ms, int *ret_fd,
		 struct err *err)
{
	return unix_socket_connect(path, SOCK_STREAM, cancel, timeout_ms, ret_fd, err);
}

int unix_connect_packets(const char *path, struct cancel *cancel, int timeout_ms, int *ret_fd,
			 struct err *err)
{
	return unix_socket_connect(path, SOCK_SEQPACKET, cancel, timeout_ms, ret_fd, err);
}

/*
 * Remove a socket's file that has no listener: connect() says ECONNREFUSED. A full backlog (EAGAIN)
 * has a listener. Look at the file's type first, since connect() says ECONNREFUSED of any file.
 */
static int unix_socket_remove_stale(const struct sockaddr_un *a, int type, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct stat st;

	if (lstat(a->sun_path, &st) < 0)
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return err_set(err, -EEXIST, "%s: not a socket", a->sun_path);
	if (unix_socket_connect_to(a, type, &fd) == -ECONNREFUSED)
		unlink(a->sun_path);
	return 0;
}

static int unix_socket_listen(const char *path, int type, mode_t mode, int *ret_fd, struct err *err)
{
	_cleanup_fd_ int fd = -1;
	struct lock_file lock;
	struct sockaddr_un a;
	int r;

	r = unix_socket_address(path, path, &a, err);
	if (r < 0)
		return r;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, -errno, "%s", path);
	/* bind() gives the file the mode of the socket: set it first, so that it is never wider. */
	if (fchmod(fd, mode) < 0)
		return err_set(err, -errno, "%s", path);
	lock_file_take(AT_FDCWD, a.sun_path, &lock);
	r = unix_socket_remove_stale(&a, type, err);
	if (r >= 0 &&
	    (bind(fd, (const struct sockaddr *)&a, sizeof(a)) < 0 || listen(fd, BACKLOG) < 0))
		r = err_set(err, -errno, "%s", path);
	lock_file_release(&lock);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int unix_listen(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	return unix_socket_listen(path, SOCK_STREAM, mode, ret_fd, err);
}

int unix_listen_packets(const char *path, mode_t mode, int *ret_fd, struct err *err)
{
	return unix_socket_listen(path, SOCK_SEQPACKET, mode, ret_fd, err);
}

void unix_send_buffer(int fd)
{
	int size = UNIX_SEND_BUFFER;

	/* SO_SNDBUFFORCE (CAP_NET_ADMIN) may exceed net.core.wmem_max; SO_SNDBUF is cut to it. */
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) < 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) < 0)
		return;
}
