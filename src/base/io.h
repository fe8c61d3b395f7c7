/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whole reads and writes on ordinary files, pipes and sockets
 *
 * These retry on EINTR and carry on after a short transfer. Never use them on a device's data
 * fd: a retry there can lose stream data (xe), and a short read has a meaning.
 */

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
 * pipe_widen() - room for 1 MiB in a pipe, so that its ends wait for each other less
 *
 * What is no pipe, has more, or may not have it (pipe-user-pages-soft) stays as it is.
 */
void pipe_widen(int fd);

/**
 * fd_take_standard() - leave none of the descriptors 0, 1 and 2 to what is opened later
 *
 * For the start of main(). What is not open becomes /dev/null the wrong way round, so that to use it
 * is EBADF still.
 */
_must_check_ int fd_take_standard(struct err *err);

/** fd_cloexec() - set O_CLOEXEC on an inherited fd. Return: 0, or -EBADF. */
_must_check_ int fd_cloexec(int fd);
