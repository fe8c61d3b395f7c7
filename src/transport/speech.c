// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "transport/speech.h"

/* Types of records of TLS, RFC 8446 section 5.1: change_cipher_spec to application_data. */
#define TLS_TYPE_FIRST 20u
#define TLS_TYPE_LAST 23u
#define TLS_MAJOR 3u

/* So much of a line of text is quoted. */
#define TEXT_MAX 40u

static const struct {
	const char *start;
	const char *name;
} speeches[] = {
	{ "\x89VMI", "an image (save writes one to `resume --listen`)" },
	{ "\x89VRC", "the answer to an image (`resume --listen` gives it)" },
	{ "\x89VMP", "a move (`migrate` and `receive` speak so)" },
	{ "SSH-", "SSH" },
	{ "HTTP", "HTTP" },
	{ "GET ", "HTTP" },
	{ "POST", "HTTP" },
};

bool speech_is_tls(const void *start, size_t len)
{
	const uint8_t *byte = start;

	if (len && (byte[0] < TLS_TYPE_FIRST || byte[0] > TLS_TYPE_LAST))
		return false;
	return len < 2 || byte[1] == TLS_MAJOR;
}

const char *speech_name(const void *start, size_t len)
{
	if (len < SPEECH_MIN)
		return NULL;
	if (speech_is_tls(start, len))
		return "TLS";
	for (size_t i = 0; i < ARRAY_SIZE(speeches); i++)
		if (!memcmp(start, speeches[i].start, SPEECH_MIN))
			return speeches[i].name;
	return NULL;
}

int speech_check(const char *own, const void *start, size_t len, struct err *err)
{
	const char *name = speech_name(start, len);

	if (!name || !memcmp(start, own, SPEECH_MIN))
		return 0;
	err_fail(err, speech_is_tls(start, len) ? ERR_CONFIG : ERR_PEER, -EPROTO,
		 "speaks something else: %s", name);
	return speech_is_tls(start, len)
		       ? err_hint(err, -EPROTO, "--tls-creds DIR is for this end, too")
		       : -EPROTO;
}

/* Return: how many characters of text it begins with, up to the end of the line. */
static size_t speech_text(const char *start, size_t len)
{
	size_t n = 0;

	while (n < len && start[n] >= ' ' && start[n] <= '~')
		n++;
	return n == len || start[n] == '\n' || start[n] == '\r' ? n : 0;
}

int speech_check_text(const void *start, size_t len, struct err *err)
{
	size_t n = speech_text(start, len);

	if (n < SPEECH_MIN)
		return 0;
	err_fail(err, ERR_PEER, -EPROTO, "speaks something else: \"%.*s\"", (int)MIN(n, TEXT_MAX),
		 (const char *)start);
	return err_hint(err, -EPROTO,
			"a login script or a banner may write it: only the protocol "
			"may go to standard output");
}
