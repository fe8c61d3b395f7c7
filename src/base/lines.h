/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Lines for a reader that may have stopped reading
 *
 * A full pipe, a terminal stopped by Ctrl-S, a log daemon that hangs: to wait for such a reader
 * would keep the main thread from hearing signals, and a worker from bringing back a stopped
 * device. So a line that has no room now waits in memory, where the oldest lines make room for new
 * ones; how many were lost is said by a line of its own as soon as there is room. A line that was
 * begun is finished before anything else is written.
 *
 * Nothing here sets O_NONBLOCK on a description that other processes may have, too: a pipe or
 * terminal is opened once more for this process alone.
 */

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/types.h>

#include "base/err.h"

/* What lines may take while they wait; one line alone may be longer. */
#define LINES_ROOM ((size_t)64 << 10)

struct lines_line {
	STAILQ_ENTRY(lines_line) next;
	size_t len, done;
	char text[];
};

/* How to write to the descriptor without waiting. */
enum lines_way {
	LINES_PLAIN, /* a regular file or a device: it takes all there is */
	LINES_NONBLOCK, /* a description of our own */
	LINES_SOCKET, /* MSG_DONTWAIT */
	LINES_POLLED, /* PIPE_BUF bytes at most, once poll() says that there is room */
};

/**
 * struct lines - one descriptor's
 * @fd: the caller's
 * @lost_before, @lost_after: the line "...N..." that tells how many were lost; without newline
 *
 * All else is set by the functions below. Safe from threads.
 */
struct lines {
	int fd;
	const char *lost_before, *lost_after;

	pthread_mutex_t lock;
	bool opened;
	dev_t dev; /* of @fd when it was opened: it may be replaced, as by dup2() */
	ino_t ino;
	enum lines_way way;
	int own; /* of LINES_NONBLOCK, else -1 */
	STAILQ_HEAD(, lines_line) waiting;
	size_t room_taken;
	uint64_t lost;
	int error; /* negative errno: the reader is gone, the disk full */
};

#define LINES_INIT(name, descriptor, before, after)                                 \
	{                                                                           \
		.fd = (descriptor), .lost_before = (before), .lost_after = (after), \
		.lock = PTHREAD_MUTEX_INITIALIZER, .own = -1,                       \
		.waiting = STAILQ_HEAD_INITIALIZER((name).waiting),                 \
	}

void lines_init(struct lines *l, int fd, const char *lost_before, const char *lost_after);

/** lines_done() - what still waits is dropped. */
void lines_done(struct lines *l);

/** lines_put() - write @text, which brings its newline, now or when there is room. Never waits. */
void lines_put(struct lines *l, const char *text);

/** lines_flush() - write what there is room for. Never waits. */
void lines_flush(struct lines *l);

/** lines_pending_fd() - poll() it for POLLOUT, then lines_flush(); -1 where nothing waits */
int lines_pending_fd(struct lines *l);

/**
 * lines_finish() - write all, waiting @timeout_ms at most
 *
 * Return: 0, -ETIMEDOUT, or what write() said.
 */
int lines_finish(struct lines *l, int timeout_ms);
