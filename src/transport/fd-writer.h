/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writing to a descriptor without being stuck behind a slow reader
 *
 * A cancelled save has a stopped device to bring back. A pipe or socket that was inherited is
 * shared with other processes, which must not find O_NONBLOCK set on it.
 */

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

enum fd_writer_style {
	FD_WRITER_PLAIN, /* regular files, devices: writes end by themselves */
	FD_WRITER_NONBLOCK, /* our own description of a pipe, O_NONBLOCK */
	FD_WRITER_SOCKET, /* MSG_DONTWAIT */
	FD_WRITER_PIECEMEAL, /* another process's pipe: PIPE_BUF bytes never block once ready */
};

/** struct fd_writer - @fd: its owner's to close; fd_writer_init() may exchange it */
struct fd_writer {
	int fd;
	enum fd_writer_style style;
};

/** fd_writer_init() - take @fd, open for writing, of which fstat() says @st */
void fd_writer_init(struct fd_writer *w, int fd, const struct stat *st);

/** fd_writer_waits() - poll() before each write */
bool fd_writer_waits(const struct fd_writer *w);

/** fd_writer_some() - Return: as write() after poll(), but negative errno; never waits. */
ssize_t fd_writer_some(const struct fd_writer *w, const void *buf, size_t len);
