/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices like those that kernel drivers drive
 *
 * What is known of a driver and what this device can imitate: capabilities, the size of the state,
 * how much of it can be had in PRE_COPY, identity. Not its stream: that is every driver's own.
 */

#include <stdio.h>

#include "emu/device.h"

struct emu_profile {
	const char *name, *driver;
	unsigned int caps;
	uint64_t state_size, initial_bytes;
	struct emu_ids ids;
	const char *note;
};

/** emu_profile_find() - NULL for one that is not known */
const struct emu_profile *emu_profile_find(const char *name);

/** emu_profile_list() - the table, for people */
void emu_profile_list(FILE *f);
