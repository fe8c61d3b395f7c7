// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>

#include "base/hex.h"

static const char hex_digits[] = "0123456789abcdef";

char *hex_encode(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++) {
		ret[2 * i] = hex_digits[bytes[i] >> 4];
		ret[2 * i + 1] = hex_digits[bytes[i] & 15];
	}
	ret[2 * n] = '\0';
	return ret;
}

static unsigned int hex_value(char c)
{
	return (unsigned int)(strchr(hex_digits, tolower((unsigned char)c)) - hex_digits);
}

bool hex_decode(const char *text, size_t n, uint8_t *ret)
{
	if (strspn(text, "0123456789abcdefABCDEF") != 2 * n || text[2 * n])
		return false;
	for (size_t i = 0; i < n; i++)
		ret[i] = (uint8_t)(hex_value(text[2 * i]) << 4 | hex_value(text[2 * i + 1]));
	return true;
}
