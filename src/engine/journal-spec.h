/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Names in a record that mean the same in another process, in another folder
 */

#include "device/device.h"

/** journal_spec_device() - a DEV. Return: the caller's; NULL without memory. */
char *journal_spec_device(const struct device *dev);

/** journal_spec_uri() - a URI of the other end. Return: the caller's; NULL without memory. */
char *journal_spec_uri(const char *text);
