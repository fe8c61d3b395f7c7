// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/macros.h"
#include "base/suggest.h"

/* No word that is suggested is longer. */
#define LEN_MAX 31

static unsigned int suggest_same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

/* Damerau's distance, adjacent letters only: rows[i][j] is that of the first i and j letters. */
static unsigned int suggest_distance(const char *a, const char *b)
{
	unsigned int rows[LEN_MAX + 1][LEN_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	for (unsigned int i = 0; i <= n; i++)
		for (unsigned int j = 0; j <= m; j++) {
			if (!i || !j) {
				rows[i][j] = i + j;
				continue;
			}
			rows[i][j] = MIN(MIN(rows[i - 1][j], rows[i][j - 1]) + 1,
					 rows[i - 1][j - 1] + !suggest_same(a[i - 1], b[j - 1]));
			if (i > 1 && j > 1 && suggest_same(a[i - 1], b[j - 2]) &&
			    suggest_same(a[i - 2], b[j - 1]))
				rows[i][j] = MIN(rows[i][j], rows[i - 2][j - 2] + 1);
		}
	return rows[n][m];
}

/* Return: the only word that begins so, NULL if there is none or another. */
static const char *suggest_completion(const char *typed, const char *const *words, size_t n)
{
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (strncasecmp(words[i], typed, strlen(typed)) != 0)
			continue;
		if (found)
			return NULL;
		found = words[i];
	}
	return found;
}

const char *suggest_word(const char *typed, const char *const *words, size_t n)
{
	size_t len = strlen(typed);
	/* A word of three letters may have one mistake, one of six two. */
	unsigned int least = (unsigned int)len / 3 + 1, distance;
	const char *best = NULL;

	if (!len || len > LEN_MAX)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		if (strlen(words[i]) > LEN_MAX)
			continue;
		distance = suggest_distance(typed, words[i]);
		if (distance < least) {
			least = distance;
			best = words[i];
		}
	}
	return best ? best : suggest_completion(typed, words, n);
}
