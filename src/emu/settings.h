/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What options say of the devices, and what that makes of each
 *
 * A value with N@ in front is that of device N alone, and wins over one without, whatever the
 * order: so a set of devices has one that is different, by one option more.
 */

#include "base/opts.h"
#include "emu/device.h"

/** struct emu_settings - values as they were given; the last one of an option is the one */
struct emu_settings {
	struct opt_list profile, caps, state_size, initial_bytes;
	struct opt_list dirty_rate, dirty_interval, data_rate, seed;
	struct opt_list delays, faults, deviations; /* all of these */
	bool strict, reset_on_disconnect;
};

/**
 * emu_settings_config() - what device number @device of @n_devices is to be
 *
 * Return: 0, or negative errno with the option in the text.
 */
_must_check_ int emu_settings_config(const struct emu_settings *all, uint32_t device,
				     uint32_t n_devices, struct emu_config *ret, struct err *err);
