/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * FILE on the command line
 *
 * QEMU's forms: a path, file:PATH, - for standard input or output, fd:N.
 */

#include "base/err.h"

enum uri_kind {
	URI_FILE,
	URI_STDIO,
	URI_FD
};

/**
 * struct uri - a FILE, parsed
 * @text: what the user wrote
 * @path: of a URI_FILE
 * @fd: of a URI_FD
 *
 * Points into the text that was parsed.
 */
struct uri {
	enum uri_kind kind;
	const char *text;
	const char *path;
	int fd;
};

/**
 * uri_parse() - Return: 0, or -EINVAL (ERR_USAGE) for a form that is none.
 *
 * A scheme that later versions may know ("tcp:...") is refused, not taken for a path: a path
 * with a colon in its first part is written file:PATH or ./PATH.
 */
_must_check_ int uri_parse(const char *text, struct uri *ret, struct err *err);
