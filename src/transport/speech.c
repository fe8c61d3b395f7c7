// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>

#include "base/macros.h"
#include "transport/speech.h"

/* Types of records of TLS, RFC 8446 section 5.1: change_cipher_spec to application_data. */
#define TLS_TYPE_FIRST 20u
#define TLS_TYPE_LAST 23u
#define TLS_MAJOR 3u

static const struct {
	const char *start;
	const char *name;
} speeches[] = {
	{ "\x89VMI", "an image (of save, to resume --listen)" },
	{ "\x89VRC", "the answer to an image (of resume --listen)" },
	{ "\x89VMP", "a move (of migrate and receive)" },
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
