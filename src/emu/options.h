/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The command line of vfiomig-emu
 */

#include "emu/device.h"

#define EMU_DEVICES_MAX 256u

/**
 * struct emu_options - what the program is to do
 * @path: of the first socket; that of device N is the same and ".N"
 */
struct emu_options {
	const char *path;
	uint32_t n_devices;
	int verbosity;
	bool exit_with_parent;
	struct emu_config config;
};

/** emu_options_parse() - does not return for --help, nor for what it does not understand. */
void emu_options_parse(struct emu_options *o, int argc, char **argv);
