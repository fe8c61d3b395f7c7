/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Devices and URIs in a record, by names that mean the same in another process, in another folder
 */

#include "device/device.h"
#include "engine/journal.h"

/**
 * journal_spec_device() - @dev, which was found in @found, as a record has it
 * @ret: the record's own, also what there is of it after a failure
 *
 * Return: 0, -ENOMEM.
 */
_must_check_ int journal_spec_device(const struct device *dev, enum mig_state found,
				     struct journal_device *ret);

/** journal_spec_uri() - a URI of the other end. Return: the caller's; NULL without memory. */
char *journal_spec_uri(const char *text);
