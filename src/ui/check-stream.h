/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a check has found, shown rule by rule while it goes on
 *
 * Standard output takes what it has room for: a reader that has stopped reading keeps no device
 * waiting. The rest is the caller's to show at the end, where a reader may take its time.
 */

#include <stddef.h>
#include <sys/types.h>

#include "check/run.h"

enum check_stream_format {
	CHECK_STREAM_NONE, /* all is shown at the end */
	CHECK_STREAM_TEXT,
	CHECK_STREAM_TAP,
};

/**
 * struct check_stream - for struct check_listener
 * @format: set by the caller, with zeroes else; check_stream_done()
 * @n: results so far
 * @text: of them, @len bytes, of which @shown are written
 * @error: -ENOMEM: there was no memory for a result, which is not shown, nor are those behind it
 */
struct check_stream {
	enum check_stream_format format;
	size_t n;
	char *text;
	size_t len, shown;
	int error;
};

/** check_stream_listener() - hears of a run; @s must stay as long */
struct check_listener check_stream_listener(struct check_stream *s);

/** check_stream_rest() - what is not written yet. Return: @s's; "" for nothing. */
const char *check_stream_rest(const struct check_stream *s);

void check_stream_done(struct check_stream *s);
