/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What is known of drivers beyond the uAPI
 *
 * Read from their sources, and where a name below says so measured. For people (`info`), and for
 * the few decisions that the protocol itself leaves open.
 */

#include <stdbool.h>

/**
 * struct quirks - one driver
 * @driver: name of the kernel driver
 * @keeps_state: closing the device does not reset it: what was loaded stays
 * @trusts_length: the driver does not notice a stream that is too short
 * @notes: for people, one fact each; ends with NULL
 */
struct quirks {
	const char *driver;
	bool keeps_state;
	bool trusts_length;
	const char *notes[6];
};

/** quirks_of() - @driver may be NULL. Return: what is known, or NULL. */
const struct quirks *quirks_of(const char *driver);

/** quirks_keeps_state() - a device with @driver keeps its state when it is closed. */
bool quirks_keeps_state(const char *driver);
