// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

int err_record(struct err *e, enum err_kind kind, int code, bool system, const char *fmt, ...)
{
	va_list ap;

	assert(code < 0);
	if (!e)
		return code;
	e->code = code;
	e->kind = kind;
	e->system = system;
	e->note[0] = e->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	return code;
}

int err_prefix(struct err *e, int code, const char *fmt, ...)
{
	char inner[sizeof(e->text)];
	va_list ap;
	size_t n;

	if (!e)
		return code;
	memcpy(inner, e->text, sizeof(inner));
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof(e->text), fmt, ap);
	va_end(ap);
	n = strlen(e->text);
	snprintf(e->text + n, sizeof(e->text) - n, ": %s", inner);
	return code;
}

int err_classify(struct err *e, enum err_kind kind, int code)
{
	if (e && e->kind == ERR_UNSPEC)
		e->kind = kind;
	return code;
}

int err_note(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->note, sizeof(e->note), fmt, ap);
	va_end(ap);
	return code;
}

int err_hint(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return code;
	va_start(ap, fmt);
	vsnprintf(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
	return code;
}

enum err_kind err_denied(int code, enum err_kind kind)
{
	return code == -EACCES || code == -EPERM ? ERR_PERMISSION : kind;
}

int err_status(const struct err *e)
{
	if (e->kind != ERR_UNSPEC)
		return (int)e->kind;

	switch (-e->code) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return ERR_MISSING;
	case EACCES:
	case EPERM:
		return ERR_PERMISSION;
	case ENOTTY:
	case EOPNOTSUPP:
		return ERR_UNSUPPORTED;
	case EIO:
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
	case EPIPE:
		return ERR_IO;
	default:
		return ERR_SYSTEM;
	}
}

char *err_reason(const struct err *e, char buf[ERR_REASON_MAX])
{
	if (e->system)
		snprintf(buf, ERR_REASON_MAX, ": %s (%s)", strerror(-e->code), err_name(e->code));
	else
		buf[0] = '\0';
	return buf;
}

char *err_story(const struct err *e, char buf[ERR_STORY_MAX])
{
	char reason[ERR_REASON_MAX];

	snprintf(buf, ERR_STORY_MAX, "%s%s%s%s%s%s", e->text, err_reason(e, reason),
		 *e->note ? "; " : "", e->note, *e->hint ? "; " : "", e->hint);
	return buf;
}

const char *err_name(int code)
{
	const char *name = strerrorname_np(-code);

	return name ? name : "unknown errno";
}
