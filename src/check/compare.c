// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "base/macros.h"
#include "check/compare.h"
#include "check/subject.h"

size_t compare_at(const struct subject_state *a, const struct subject_state *b)
{
	size_t n = MIN(a->len, b->len);

	if (!n || !memcmp(a->data, b->data, n))
		return a->len == b->len ? COMPARE_SAME : n;
	for (size_t i = 0; i < n; i++)
		if (a->data[i] != b->data[i])
			return i;
	return n;
}

char *compare_text(const struct subject_state *a, const struct subject_state *b,
		   char buf[COMPARE_TEXT_MAX])
{
	size_t at = compare_at(a, b);

	if (at == COMPARE_SAME)
		snprintf(buf, COMPARE_TEXT_MAX, "%zu bytes, the same", a->len);
	else if (at >= MIN(a->len, b->len))
		snprintf(buf, COMPARE_TEXT_MAX, "%zu and %zu bytes, the same up to byte %zu",
			 a->len, b->len, at);
	else
		snprintf(buf, COMPARE_TEXT_MAX, "%zu and %zu bytes, at byte %zu %02x and %02x",
			 a->len, b->len, at, a->data[at], b->data[at]);
	return buf;
}
