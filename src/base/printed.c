// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/console.h"
#include "base/log.h"
#include "base/printed.h"

/* Of the first flush that has failed: what it could not write, stdio drops. */
static int printed_error;

void printed_flush(void)
{
	if (fflush(stdout) != 0 && !printed_error)
		printed_error = -errno;
}

static bool printed_reader_has_gone(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	return poll(&p, 1, 0) > 0 && p.revents & (POLLERR | POLLHUP);
}

int printed_finish(enum printed_reader reader, struct err *err)
{
	printed_flush();
	/* A long text is flushed by stdio itself, which keeps no errno of that. */
	if (!printed_error && ferror(stdout)) {
		if (!printed_reader_has_gone())
			return err_fail(err, ERR_IO, -EIO, "standard output: the report is lost");
		printed_error = -EPIPE;
	}
	if (printed_error == -EPIPE && reader == PRINTED_FOR_PEOPLE) {
		log_info("standard output: its reader has seen enough");
		return 0;
	}
	if (printed_error)
		err_fail(err, ERR_IO, printed_error, "standard output: the report is lost");
	return printed_error;
}

void printed_exit(void)
{
	char reason[ERR_REASON_MAX];
	struct err err = { 0 };

	if (printed_finish(PRINTED_FOR_PEOPLE, &err) >= 0)
		exit(EXIT_SUCCESS);
	console_print("%s: %s%s", program_invocation_short_name, err.text,
		      err_reason(&err, reason));
	exit(err_status(&err));
}
