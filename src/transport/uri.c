// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/listen-fds.h"
#include "base/macros.h"
#include "base/units.h"
#include "transport/uri.h"

/* Parsers of what follows the scheme. Return: what is wrong with it, or NULL. */

static const char *uri_parse_path(const char *rest, struct uri *t)
{
	t->path = rest;
	return *rest ? NULL : "an empty path";
}

static const char *uri_parse_command(const char *rest, struct uri *t)
{
	t->command = rest;
	return *rest ? NULL : "an empty command";
}

/* A number stays one, whatever has it as its name. */
static const char *uri_parse_fd(const char *rest, struct uri *t)
{
	struct err err = { 0 };
	uint64_t fd;

	if (parse_uint(rest, 10, INT_MAX, &fd) >= 0) {
		t->fd = (int)fd;
		return NULL;
	}
	if (listen_fds_find(rest, &t->fd, &err) >= 0)
		return NULL;
	if (err.code == -EINVAL)
		return "several descriptors have this name (LISTEN_FDNAMES)";
	return err.kind == ERR_MISSING ? "no descriptor has this name (LISTEN_FDNAMES)"
				       : listen_fds_why_none();
}

static bool uri_parse_port(const char *text, uint64_t max, struct uri *t)
{
	uint64_t port;

	if (parse_uint(text, 10, max, &port) < 0)
		return false;
	t->port = (uint32_t)port;
	return true;
}

/* HOST:PORT. Without brackets an IPv6 address has no end that could be told from the port. */
static const char *uri_parse_tcp(const char *rest, struct uri *t)
{
	static const char fault[] = "not tcp:HOST:PORT";
	const char *colon = strrchr(rest, ':');
	size_t len;

	if (!colon || !uri_parse_port(colon + 1, UINT16_MAX, t))
		return fault;
	len = (size_t)(colon - rest);
	if (len >= 2 && rest[0] == '[' && colon[-1] == ']') {
		rest++;
		len -= 2;
	} else if (memchr(rest, ':', len)) {
		return "an IPv6 address stands in brackets";
	}
	if (!len || len > URI_HOST_MAX)
		return fault;
	memcpy(t->host, rest, len);
	return NULL;
}

static const char *uri_parse_vsock(const char *rest, struct uri *t)
{
	static const char fault[] = "not vsock:CID:PORT";
	const char *colon = strchr(rest, ':');
	char cid[16];
	uint64_t n;

	if (!colon || (size_t)(colon - rest) >= sizeof(cid))
		return fault;
	snprintf(cid, sizeof(cid), "%.*s", (int)(colon - rest), rest);
	if (!strcmp(cid, "*"))
		n = UINT32_MAX; /* VMADDR_CID_ANY */
	else if (parse_uint(cid, 10, UINT32_MAX, &n) < 0)
		return fault;
	t->cid = (uint32_t)n;
	return uri_parse_port(colon + 1, UINT32_MAX, t) ? NULL : fault;
}

static const struct scheme {
	const char *prefix;
	enum uri_kind kind;
	const char *form;
	const char *(*parse)(const char *rest, struct uri *t);
} schemes[] = {
	/* clang-format off */
	{ "file:",  URI_FILE,  "a path, file:PATH", uri_parse_path },
	{ "-",      URI_STDIO, "-",                 NULL },
	{ "fd:",    URI_FD,    "fd:N",              uri_parse_fd },
	{ "exec:",  URI_EXEC,  "exec:CMD",          uri_parse_command },
	{ "unix:",  URI_UNIX,  "unix:PATH",         uri_parse_path },
	{ "tcp:",   URI_TCP,   "tcp:HOST:PORT",     uri_parse_tcp },
	{ "vsock:", URI_VSOCK, "vsock:CID:PORT",    uri_parse_vsock },
	/* clang-format on */
};

/* "tcp:host:1" but not "a/b:c" and not "./x:y"; as RFC 3986 spells schemes. */
static bool uri_has_scheme(const char *text)
{
	const char *p = text;

	if (!isalpha((unsigned char)*p))
		return false;
	while (isalnum((unsigned char)*p) || *p == '+' || *p == '-' || *p == '.')
		p++;
	return *p == ':';
}

static const struct scheme *uri_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++) {
		const struct scheme *s = &schemes[i];

		if (s->parse ? !strncmp(text, s->prefix, strlen(s->prefix))
			     : !strcmp(text, s->prefix))
			return s;
	}
	return NULL;
}

static const char *uri_separator(unsigned int left)
{
	if (!left)
		return "";
	return left & (left - 1) ? ", " : " or ";
}

/* "a path, file:PATH, - or fd:N" */
static void uri_list_forms(unsigned int kinds, char *buf, size_t size)
{
	size_t at = 0;

	for (size_t i = 0; i < ARRAY_SIZE(schemes) && at < size; i++) {
		if (!(kinds & schemes[i].kind))
			continue;
		kinds &= ~schemes[i].kind;
		at += (size_t)snprintf(buf + at, size - at, "%s%s", schemes[i].form,
				       uri_separator(kinds));
	}
}

static int uri_refuse(const char *text, const char *why, unsigned int kinds, struct err *err)
{
	char forms[128] = "";

	uri_list_forms(kinds, forms, sizeof(forms));
	err_fail(err, ERR_USAGE, -EINVAL, "%s: %s", text, why);
	if (!(kinds & URI_FILE))
		return err_hint(err, -EINVAL, "%s", forms);
	return err_hint(err, -EINVAL, "%s; a file of this name is file:%s", forms, text);
}

int uri_parse(const char *text, unsigned int kinds, struct uri *ret, struct err *err)
{
	struct uri t = { .kind = URI_FILE, .text = text, .path = text, .fd = -1 };
	const struct scheme *s = uri_find(text);
	const char *fault;

	if (!*text)
		return err_fail(err, ERR_USAGE, -EINVAL, "'': an empty path");
	if (!s && uri_has_scheme(text))
		return uri_refuse(text, "no such kind of FILE", kinds, err);
	if (s) {
		t.kind = s->kind;
		t.path = NULL;
	}
	if (!(kinds & t.kind))
		return uri_refuse(text, "not possible here", kinds, err);
	fault = s && s->parse ? s->parse(text + strlen(s->prefix), &t) : NULL;
	if (fault)
		return err_fail(err, ERR_USAGE, -EINVAL, "%s: %s", text, fault);
	*ret = t;
	return 0;
}
