// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/units.h"
#include "transport/uri.h"

/* "tcp:host:1" but not "a/b:c" and not "./x:y"; as RFC 3986 spells schemes. */
static bool has_scheme(const char *text)
{
	const char *p = text;

	if (!isalpha((unsigned char)*p))
		return false;
	while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
		p++;
	return *p == ':';
}

static int parse_fd(const char *text, struct uri *t, struct err *err)
{
	uint64_t fd;

	if (parse_uint(text + strlen("fd:"), 10, INT_MAX, &fd) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: not a file descriptor's number", text);
	t->kind = URI_FD;
	t->fd = (int)fd;
	return 0;
}

int uri_parse(const char *text, struct uri *ret, struct err *err)
{
	struct uri t = { .kind = URI_FILE, .text = text, .path = text, .fd = -1 };
	int r = 0;

	if (!strcmp(text, "-")) {
		t.kind = URI_STDIO;
	} else if (!strncmp(text, "fd:", strlen("fd:"))) {
		r = parse_fd(text, &t, err);
	} else if (!strncmp(text, "file:", strlen("file:"))) {
		t.path = text + strlen("file:");
	} else if (has_scheme(text)) {
		r = err_fail(err, ERR_USAGE, -EINVAL, "%s: no such kind of FILE", text);
		err_hint(err, r, "a path, file:PATH, -, or fd:N; a file of this name is file:%s",
			 text);
	}
	if (r >= 0 && t.kind == URI_FILE && !*t.path)
		r = err_fail(err, ERR_USAGE, -EINVAL, "'%s': an empty path", text);
	if (r < 0)
		return r;
	*ret = t;
	return 0;
}
