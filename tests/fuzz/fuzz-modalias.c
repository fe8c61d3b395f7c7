// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * The lists of modules' aliases against whatever libFuzzer thinks of
 *
 * An input is a device's modalias up to the first newline, and then lines, or strings, of a list.
 */

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "host/modalias.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

/* What is chosen is a name that can be a part of a path, and does match. */
static void try_list(enum modalias_file file, char *text, const char *alias)
{
	struct modalias_choice best = { 0 };
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		unsigned int before = best.module[0] ? best.wildcards : ~0u;

		modalias_consider(file, line, alias, &best);
		assert(!best.module[0] || best.wildcards <= before);
	}
	if (!best.module[0])
		return;
	assert(!strchr(best.module, '/') && best.module[0] != '.' && best.module[0] != '-');
	assert(modalias_matches(best.pattern, alias));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int file = MODALIAS_LOADABLE; file <= MODALIAS_BUILTIN; file++) {
		char alias[MODALIAS_MAX];
		char *text = strndup((const char *)data, size);
		char *rest = text, *first;

		assert(text);
		first = strsep(&rest, "\n");
		if (rest && modalias_for_vfio(first, alias))
			try_list((enum modalias_file)file, rest, alias);
		free(text);
	}
	return 0;
}

/* A list that is almost right, so that more than its first word is looked at. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static const char start[] = "pci:v000015B3d0000101Esv*\n"
				    "alias vfio_pci:v*d* vfio_pci\n"
				    "x.alias=vfio_pci:v*d0000101E*\n";

	if (size < sizeof(start) && max >= sizeof(start) && seed % 2) {
		memcpy(data, start, sizeof(start) - 1);
		size = sizeof(start) - 1;
	}
	return LLVMFuzzerMutate(data, size, max);
}
