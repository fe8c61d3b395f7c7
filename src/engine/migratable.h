/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What it takes to make a VF migratable
 *
 * Pure: facts in, one plan out, by the first row of a table that fits. The caller finds out the
 * facts, does what the plan says, and asks again where it changed them.
 */

#include <stdbool.h>

#include "host/devlink.h"

/* What a driver is known to want. */
enum migratable_need {
	NEED_UNKNOWN, /* a driver that is not in the table: devlink tells */
	NEED_NOTHING, /* its devices are migratable as they are */
	NEED_SWITCH, /* only after devlink has said so */
};

/**
 * migratable_need() - what is known of the driver of a device, or of its PF
 * @driver, @pf_driver: NULL for none
 * @ret_driver: which of the two it follows from; NULL for NEED_UNKNOWN
 */
enum migratable_need migratable_need(const char *driver, const char *pf_driver,
				     const char **ret_driver);

/* Each is one bit, so that a row can take several. */
enum migratable_port {
	PORT_NO_VF = 1 << 0, /* not a VF: no port leads to it */
	PORT_NO_DEVLINK = 1 << 1, /* its PF is not in devlink */
	PORT_NONE = 1 << 2, /* its PF is, and has no port for it */
	PORT_THERE = 1 << 3,
};

enum migratable_use {
	USE_FREE = 1 << 0, /* no driver has it */
	USE_BOUND = 1 << 1, /* a driver has it */
	USE_HELD = 1 << 2, /* and a process has it open */
};

enum migratable_want {
	WANT_SHOW = 1 << 0,
	WANT_OFF = 1 << 1,
	WANT_ON = 1 << 2,
};

/* What the user allows. */
enum migratable_may {
	MAY_SWITCHDEV = 1 << 0,
	MAY_REBIND = 1 << 1,
};

struct migratable_facts {
	enum migratable_need need;
	enum migratable_port port;
	enum devlink_mode mode;
	enum devlink_value now;
	enum migratable_use use;
	enum migratable_want want;
	unsigned int may; /* enum migratable_may */
};

enum migratable_plan {
	PLAN_SHOW, /* there is a value, or none, and nothing to do */
	PLAN_NOT_NEEDED, /* the driver's devices are migratable as they are */
	PLAN_DONE, /* it is as it is wanted */
	PLAN_SWITCHDEV, /* set the eswitch, then ask again */
	PLAN_SET,
	PLAN_REBIND, /* take it from its driver, set, give it back */
	PLAN_CANNOT_OFF, /* there is no switch */
	PLAN_NO_VF, /* and the rest are reasons to refuse */
	PLAN_NO_DEVLINK,
	PLAN_HIDDEN, /* the eswitch's mode hides the ports */
	PLAN_NO_PORT,
	PLAN_NO_ATTRIBUTE,
	PLAN_HELD,
	PLAN_BOUND,
};

enum migratable_plan migratable_plan(const struct migratable_facts *facts);

/** migratable_plan_changes() - it does something */
bool migratable_plan_changes(enum migratable_plan plan);
