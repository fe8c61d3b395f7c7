// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/fd-name.h"

static bool fd_name_has(char c)
{
	return c >= ' ' && c < 0x7f && c != ':';
}

bool fd_name_valid(const char *name)
{
	size_t len = 0;

	while (fd_name_has(name[len]))
		len++;
	return !name[len] && len <= FD_NAME_MAX;
}

char *fd_name_escape(const char *text, char buf[FD_NAME_BUF])
{
	size_t len = 0;

	for (; *text; text++) {
		bool plain = fd_name_has(*text) && *text != '%';

		if (len + (plain ? 1 : 3) > FD_NAME_MAX)
			break;
		if (plain)
			buf[len++] = *text;
		else
			len += (size_t)snprintf(buf + len, 4, "%%%02x", (unsigned char)*text);
	}
	buf[len] = '\0';
	return buf;
}

static int fd_name_digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c | 0x20) : NULL;

	return at ? (int)(at - digits) : -1;
}

char *fd_name_unescape(const char *name, char buf[FD_NAME_BUF])
{
	size_t len = 0;

	while (*name && len < FD_NAME_MAX) {
		int high = *name == '%' ? fd_name_digit(name[1]) : -1;
		int low = high < 0 ? -1 : fd_name_digit(name[2]);

		if (low < 0 || high + low == 0) {
			buf[len++] = *name++;
		} else {
			buf[len++] = (char)(high << 4 | low);
			name += 3;
		}
	}
	buf[len] = '\0';
	return buf;
}
