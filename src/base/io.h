/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whole reads and writes on ordinary files, pipes and sockets
 *
 * These retry on EINTR and carry on after a short transfer. Never use them on a device's data
 * fd: a retry there can lose stream data (xe), and a short read has a meaning.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/**
 * read_full() - read @len bytes, or as many as there are
 *
 * Return: bytes read, less than @len only at end of file; negative errno.
 */
_must_check_ ssize_t read_full(int fd, void *buf, size_t len);

/** write_full() - write all of @len bytes. Return: 0 or negative errno. */
_must_check_ int write_full(int fd, const void *buf, size_t len);

/**
 * read_text() - read a small file such as a sysfs attribute
 * @ret: NUL-terminated, trailing white space removed; the caller frees it
 *
 * Return: 0, -EFBIG when the file holds more than 64 KiB, or what open() or read() said.
 */
_must_check_ int read_text(int dirfd, const char *path, char **ret);

/**
 * pipe_widen() - enlarge a pipe's buffer to 1 MiB, so that its ends wait for each other less
 *
 * Best effort: leaves other files, larger pipes, and pipes over the user's limit
 * (pipe-user-pages-soft) as they are.
 */
void pipe_widen(int fd);

/** socket_is_tcp() - false of all that is no socket, too */
bool socket_is_tcp(int fd);

/**
 * fd_take_standard() - make sure that descriptors 0, 1 and 2 are in use
 *
 * For the start of main(), so that no file opened later becomes a standard stream. A closed one
 * becomes /dev/null opened in the wrong direction: using it still fails with EBADF.
 */
_must_check_ int fd_take_standard(struct err *err);

/**
 * fd_take() - take an inherited descriptor over, and leave it to nothing else
 * @ret: with O_CLOEXEC; another number where @fd is 0, 1 or 2, which then is /dev/null
 */
_must_check_ int fd_take(int fd, int *ret);

/** fd_cloexec() - set O_CLOEXEC on an inherited fd. Return: 0, or -EBADF. */
_must_check_ int fd_cloexec(int fd);
