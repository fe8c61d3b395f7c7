// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <paths.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/io.h"

#define TEXT_MAX ((size_t)64 << 10)
#define PIPE_ROOM (1 << 20)

ssize_t read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = read(fd, (char *)buf + done, len - done);

		if (n == 0)
			break;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		done += (size_t)n;
	}
	return 0;
}

int read_text(int dirfd, const char *path, char **ret)
{
	_cleanup_free_ char *buf = NULL;
	_cleanup_fd_ int fd = -1;
	ssize_t n;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	buf = malloc(TEXT_MAX + 1);
	if (!buf)
		return -ENOMEM;
	n = read_full(fd, buf, TEXT_MAX + 1);
	if (n < 0)
		return (int)n;
	if ((size_t)n > TEXT_MAX)
		return -EFBIG;
	while (n > 0 && isspace((unsigned char)buf[n - 1]))
		n--;
	buf[n] = '\0';
	*ret = strdup(buf);
	return *ret ? 0 : -ENOMEM;
}

void pipe_widen(int fd)
{
	int room = fcntl(fd, F_GETPIPE_SZ);

	if (room >= 0 && room < PIPE_ROOM)
		fcntl(fd, F_SETPIPE_SZ, PIPE_ROOM);
}

bool socket_is_tcp(int fd)
{
	int protocol;
	socklen_t len = sizeof(protocol);

	return getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &protocol, &len) == 0 &&
	       protocol == IPPROTO_TCP;
}

int fd_take_standard(struct err *err)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		int mode = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		/* open() takes the lowest free descriptor, which is @fd. */
		if (fcntl(fd, F_GETFD) < 0 && open(_PATH_DEVNULL, mode) < 0)
			return err_set(err, -errno, "%s", _PATH_DEVNULL);
	}
	return 0;
}

int fd_take(int fd, int *ret)
{
	_cleanup_fd_ int own = -1, null = -1;
	int r;

	if (fd > STDERR_FILENO) {
		r = fd_cloexec(fd);
		if (r >= 0)
			*ret = fd;
		return r;
	}
	own = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	null = open(_PATH_DEVNULL, O_RDWR | O_CLOEXEC);
	if (own < 0 || null < 0 || dup2(null, fd) < 0)
		return -errno;
	*ret = TAKE_FD(own);
	return 0;
}

int fd_cloexec(int fd)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
		return -errno;
	return 0;
}
