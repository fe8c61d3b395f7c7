/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Which module says that it is for a device
 *
 * A vfio variant driver has aliases of its own, "vfio_pci:..." beside the "pci:..." of the drivers
 * that a host uses, so that udev never loads it. Of several that match, the one with the fewest
 * wildcards is meant (Linux commit cc6711b0bf36): vfio_pci itself matches everything. Pure.
 */

#include <stdbool.h>

#define MODALIAS_MAX 256

/* Files of a kernel's modules that have aliases. */
enum modalias_file {
	MODALIAS_LOADABLE, /* modules.alias: lines "alias PATTERN MODULE" */
	MODALIAS_BUILTIN, /* modules.builtin.modinfo: "MODULE.alias=PATTERN", ended by NUL */
};

/**
 * struct modalias_choice - the best so far; all zero to begin with
 * @module: "" for none
 */
struct modalias_choice {
	char module[64];
	char pattern[MODALIAS_MAX];
	unsigned int wildcards;
	enum modalias_file file;
};

/** modalias_for_vfio() - "vfio_pci:v..." for "pci:v...". Return: false for other text. */
bool modalias_for_vfio(const char *modalias, char ret[MODALIAS_MAX]);

/** modalias_matches() - @pattern may have "*" and "?". */
bool modalias_matches(const char *pattern, const char *alias);

/**
 * modalias_consider() - one line, or one string, of a file
 * @line: without its end; what is no alias is passed over
 * @alias: of the device, as modalias_for_vfio() has it
 * @best: replaced by what has fewer wildcards; of two alike the first one stays
 */
void modalias_consider(enum modalias_file file, const char *line, const char *alias,
		       struct modalias_choice *best);
