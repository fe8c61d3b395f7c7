/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The question of adopt-policy.h, asked of an open device
 */

#include "device/device.h"
#include "engine/adopt-policy.h"

/**
 * adopt_check() - whether it may be taken from under its owner
 * @dev: open, its state known; one without an owner may always be
 * @frozen: as of struct adopt_facts
 *
 * Touches nothing. Return: 0; -EBUSY (ERR_SYSTEM, of one in ERROR ERR_DEVICE), with the way to go.
 */
_must_check_ int adopt_check(const struct device *dev, enum adopt_purpose purpose, bool frozen,
			     struct err *err);
