/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * exec:CMD, a command that takes an image, brings one, or is spoken with
 *
 * Only what the user typed is ever run. It gets standard input, output and error and no other
 * descriptor, least of all a device's; no signal is blocked in it. It stays in our process
 * group, so that ssh(1) may ask the terminal for a password.
 */

#include <sys/types.h>

#include "base/cancel.h"
#include "transport/uri.h"

enum subprocess_end {
	SUBPROCESS_READS, /* its standard input is ours to write; its output goes to our stderr */
	SUBPROCESS_WRITES, /* its standard output is ours to read; its input is empty */
	SUBPROCESS_TALKS, /* both are ours */
};

/**
 * struct subprocess - a command that runs
 * @name: for messages
 * @in: our end of the pipe to its standard input, non-blocking; -1 for none, or once closed
 * @out: the same of its standard output
 * @pid, @pidfd: 0 and -1 once it was waited for
 */
struct subprocess {
	const char *name;
	int in, out;
	pid_t pid;
	int pidfd;
};

#define SUBPROCESS_NONE ((struct subprocess){ .in = -1, .out = -1, .pidfd = -1 })

/** subprocess_start() - @uri outlives @c. On failure, too, subprocess_stop() is the caller's. */
_must_check_ int subprocess_start(struct subprocess *c, const struct uri *uri,
				  enum subprocess_end end, struct err *err);

/**
 * subprocess_wait() - until it has ended
 * @timeout_ms: -1 for ever
 *
 * Return: 0 when its exit status was 0; -EIO (ERR_IO) that tells how it ended; -ETIMEDOUT;
 * -ECANCELED.
 */
_must_check_ int subprocess_wait(struct subprocess *c, struct cancel *cancel, int timeout_ms,
				 struct err *err);

/**
 * subprocess_stop() - end it if it still runs, and all that it has started: asked first, then
 * killed
 * @cancel: once hurried, killed at once
 *
 * What it left in the background, orphaned, is not ours to end; nor is what
 * is left of a command that has ended by itself.
 */
void subprocess_stop(struct subprocess *c, struct cancel *cancel);
