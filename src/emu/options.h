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
 * @event_log: file, or NULL
 * @configs: @n_devices of them
 */
struct emu_options {
	const char *path, *event_log;
	uint32_t n_devices;
	int verbosity;
	bool exit_with_parent;
	struct emu_config *configs;
};

/** emu_options_parse() - does not return for --help, nor for what it does not understand. */
void emu_options_parse(struct emu_options *o, int argc, char **argv);
void emu_options_done(struct emu_options *o);
