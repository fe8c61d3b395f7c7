/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether two names lead to one device
 */

#include "device/device.h"

/**
 * device_same() - they do
 *
 * By the place in sysfs, and by what the way that both came by tells them apart with: a socket's
 * inode, the open file behind descriptors. Two sockets of one server, or two opens of one group's
 * device that came from elsewhere, cannot be told apart from two devices.
 */
bool device_same(const struct device *a, const struct device *b);
