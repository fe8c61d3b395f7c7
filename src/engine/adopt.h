/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The question of adopt-policy.h, asked of an open device
 */

#include "device/device.h"
#include "engine/adopt-policy.h"

/**
 * adopt_check() - whether it may be taken from under its owner
 * @dev: open, and asked for its state; one whose state is not known counts as running. A device
 *       without an owner may always be taken
 * @frozen: as of struct adopt_facts
 *
 * Touches nothing. Warns where it may be set and its owner uses it.
 *
 * Return: 0; -EBUSY (ERR_SYSTEM, of one in ERROR ERR_DEVICE), with the way to go; -EACCES, -EPERM
 * (ERR_PERMISSION) where the owner's files can no longer be seen.
 */
_must_check_ int adopt_check(const struct device *dev, enum adopt_purpose purpose, bool frozen,
			     struct err *err);

/** adopt_check_explicit() - for ADOPT_SET and ADOPT_RESET; @forced as of struct adopt_facts */
_must_check_ int adopt_check_explicit(const struct device *dev, enum adopt_purpose purpose,
				      bool forced, struct err *err);
