/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Closing what other processes have passed
 *
 * The last close of a file is done by the process that has it, and may take as long as the file's
 * maker likes: a TCP socket with SO_LINGER is waited for until its peer has read all. That goes for
 * a socket's unread messages, too, as the descriptors in them are closed with it. A process that
 * must answer others has a child close what is not of its own making. The child itself closes
 * nothing: for each descriptor it forks one that takes it and exits, since no file lingers for a
 * process that exits, and what hangs all the same is one that nothing waits for.
 *
 * The child has no descriptor but its end of a socket, and ends with the other end.
 */

#include <sys/types.h>

#include "base/err.h"

/** struct closer - @fd: our end; -1 for none */
struct closer {
	int fd;
	pid_t pid;
};

#define CLOSER_NONE ((struct closer){ .fd = -1 })

/**
 * closer_open() - fork the child
 * @ret: closer_done()
 *
 * Return: 0; what socketpair() or fork() said.
 */
_must_check_ int closer_open(struct closer *ret, struct err *err);

/**
 * closer_put() - have @fd closed
 * @fd: consumed; ignored where it is negative
 *
 * Waits for the child to take it over, never for the file. Where the child is gone it stays open,
 * which is said: a descriptor is lost then, and not the caller.
 */
void closer_put(const struct closer *c, int fd);

/** closer_put_socket() - the same for a connection: the other end is told at once. */
void closer_put_socket(const struct closer *c, int fd);

/** closer_leave() - it serves a process that was forked from this one: no longer ours to end */
void closer_leave(struct closer *c);

/** closer_done() - end the child; for a second at most it sees to what it has closed last. */
void closer_done(struct closer *c);
