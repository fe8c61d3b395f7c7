// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <stddef.h>

#include "base/uuid.h"

static unsigned int uuid_hex(char c)
{
	return isdigit((unsigned char)c) ? (unsigned int)(c - '0')
					 : (unsigned int)(tolower((unsigned char)c) - 'a') + 10;
}

bool uuid_parse(const char *text, uint8_t ret[UUID_SIZE])
{
	static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
	unsigned int nibbles = 0;

	for (size_t i = 0; shape[i]; i++) {
		if (shape[i] == '-' ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		if (shape[i] == '-')
			continue;
		if (ret && nibbles % 2 == 0)
			ret[nibbles / 2] = (uint8_t)(uuid_hex(text[i]) << 4);
		else if (ret)
			ret[nibbles / 2] = (uint8_t)(ret[nibbles / 2] | uuid_hex(text[i]));
		nibbles++;
	}
	return !text[sizeof(shape) - 1];
}
