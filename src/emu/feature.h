/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * DEVICE_FEATURE: migration and DMA logging
 */

#include "emu/command.h"

/** emu_feature() - Return: enum emu_outcome; negative errno to answer with. */
_must_check_ int emu_feature(struct emu_device *d, const struct emu_command *c,
			     struct emu_reply *reply, struct err *err);
