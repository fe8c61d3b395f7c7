// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/macros.h"
#include "transport/fd-writer.h"

/*
 * Through /proc: O_NONBLOCK on a description of our own shows to no process that shares the pipe.
 */
static int fd_writer_reopen_pipe(int *fd)
{
	char path[64];
	int own;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", *fd);
	own = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return -errno;
	close(*fd);
	*fd = own;
	return 0;
}

void fd_writer_init(struct fd_writer *w, int fd, const struct stat *st)
{
	*w = (struct fd_writer){ fd, FD_WRITER_PLAIN };
	if (S_ISCHR(st->st_mode) && (fcntl(fd, F_GETFL) & O_NONBLOCK))
		w->style = FD_WRITER_NONBLOCK;
	if (S_ISFIFO(st->st_mode))
		w->style = fd_writer_reopen_pipe(&w->fd) < 0 ? FD_WRITER_PIECEMEAL
							     : FD_WRITER_NONBLOCK;
	else if (S_ISSOCK(st->st_mode))
		w->style = FD_WRITER_SOCKET;
}

bool fd_writer_waits(const struct fd_writer *w)
{
	return w->style != FD_WRITER_PLAIN;
}

ssize_t fd_writer_some(const struct fd_writer *w, const void *buf, size_t len)
{
	ssize_t n;

	if (w->style == FD_WRITER_SOCKET)
		n = send(w->fd, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	else
		n = write(w->fd, buf,
			  w->style == FD_WRITER_PIECEMEAL ? MIN(len, (size_t)PIPE_BUF) : len);
	return n < 0 ? -errno : n;
}
