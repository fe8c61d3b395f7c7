/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What `monitor --until` waits for
 *
 * A condition, not an event: it is met as soon as it is so, also when it was so before. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "fsm/fsm.h"

/* Where a device is, by sysfs. */
enum presence {
	PRESENCE_GONE, /* there is no such device */
	PRESENCE_FREE, /* no driver has it */
	PRESENCE_DRIVER, /* a driver that is not of VFIO has it */
	PRESENCE_VFIO,
};

/** presence_name() - "gone", "free", "driver" or "vfio" */
const char *presence_name(enum presence presence);

enum until_kind {
	UNTIL_NONE, /* for ever */
	UNTIL_BOUND, /* VFIO has all devices */
	UNTIL_GONE, /* all devices have left the system */
	UNTIL_STATE, /* one device is in one state */
};

#define UNTIL_DEVICE_MAX 64

struct until {
	enum until_kind kind;
	char device[UNTIL_DEVICE_MAX]; /* for UNTIL_STATE: what the user calls it */
	enum mig_state state;
};

/** until_parse() - "bound", "gone" or "DEV STATE". Return: false for anything else. */
bool until_parse(const char *text, struct until *ret);

/** struct until_fact - of one device */
struct until_fact {
	enum presence presence;
	bool state_known;
	enum mig_state state;
};

/**
 * until_met() - it is so
 * @facts: of all @n devices
 * @which: the one of UNTIL_STATE
 *
 * Return: false for no devices.
 */
bool until_met(const struct until *until, const struct until_fact *facts, size_t n, size_t which);
