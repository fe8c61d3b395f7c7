// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdint.h>
#include <string.h>

#include "base/printable.h"

/*
 * Decode one character. Return: its length in bytes; 0 for what is not UTF-8, overlong forms,
 * surrogates and what is beyond Unicode included.
 */
static size_t printable_next_char(const uint8_t *s, size_t len, uint32_t *ret)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t from;
	} forms[] = {
		/* clang-format off */
		{ 0x80, 0x00, 0x0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
		/* clang-format on */
	};
	size_t n = 0;
	uint32_t c;

	while (n < 4 && (s[0] & forms[n].mask) != forms[n].lead)
		n++;
	if (n == 4 || len <= n)
		return 0;
	c = s[0] & (uint8_t)~forms[n].mask;
	for (size_t i = 1; i <= n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < forms[n].from || (c >= 0xd800 && c < 0xe000) || c > 0x10ffff)
		return 0;
	*ret = c;
	return n + 1;
}

static bool printable_is_control(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0);
}

bool is_printable(const char *text, size_t len)
{
	const uint8_t *s = (const uint8_t *)text;
	uint32_t c;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = printable_next_char(s + i, len - i, &c);
		if (!n || printable_is_control(c))
			return false;
	}
	return true;
}

void make_printable(char *text)
{
	if (is_printable(text, strlen(text)))
		return;
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			*text = '?';
}
