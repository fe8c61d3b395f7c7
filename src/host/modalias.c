// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdio.h>
#include <string.h>

#include "host/modalias.h"

bool modalias_for_vfio(const char *modalias, char ret[MODALIAS_MAX])
{
	int n;

	if (strncmp(modalias, "pci:", 4) != 0)
		return false;
	n = snprintf(ret, MODALIAS_MAX, "vfio_%s", modalias);
	return n > 0 && n < MODALIAS_MAX;
}

/* After a mismatch only the last star has to take more: earlier ones cannot do better. */
bool modalias_matches(const char *pattern, const char *alias)
{
	const char *star = NULL, *from = NULL;

	while (*alias) {
		if (*pattern == '*') {
			star = ++pattern;
			from = alias;
		} else if (*pattern == '?' || *pattern == *alias) {
			pattern++;
			alias++;
		} else if (star) {
			pattern = star;
			alias = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static unsigned int modalias_count_wildcards(const char *pattern, size_t len)
{
	unsigned int n = 0;

	for (size_t i = 0; i < len; i++)
		n += pattern[i] == '*' || pattern[i] == '?';
	return n;
}

static void modalias_offer(enum modalias_file file, const char *pattern, size_t pattern_len,
			   const char *module, size_t module_len, const char *alias,
			   struct modalias_choice *best)
{
	struct modalias_choice offer = { .file = file };

	if (!module_len || module_len >= sizeof(offer.module) || pattern_len >= MODALIAS_MAX)
		return;
	memcpy(offer.pattern, pattern, pattern_len);
	memcpy(offer.module, module, module_len);
	/* A module's name becomes a part of a path. */
	if (strpbrk(offer.module, "/.-") == offer.module || strchr(offer.module, '/'))
		return;
	offer.wildcards = modalias_count_wildcards(pattern, pattern_len);
	if (best->module[0] && best->wildcards <= offer.wildcards)
		return;
	if (modalias_matches(offer.pattern, alias))
		*best = offer;
}

void modalias_consider(enum modalias_file file, const char *line, const char *alias,
		       struct modalias_choice *best)
{
	static const char loadable[] = "alias ", builtin[] = ".alias=";
	const char *split;

	if (file == MODALIAS_BUILTIN) {
		split = strstr(line, builtin);
		if (split)
			modalias_offer(file, split + strlen(builtin),
				       strlen(split + strlen(builtin)), line,
				       (size_t)(split - line), alias, best);
		return;
	}
	if (strncmp(line, loadable, strlen(loadable)) != 0)
		return;
	line += strlen(loadable);
	split = strchr(line, ' ');
	if (split)
		modalias_offer(file, line, (size_t)(split - line), split + 1,
			       strcspn(split + 1, " \n"), alias, best);
}
