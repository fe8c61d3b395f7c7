/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * External state: what belongs to a device's user and is in no stream
 *
 * Of the configuration space that is PCI_COMMAND and the interrupt line. Addresses, vectors and
 * whatever the host gave the device anew are never written; the interrupts themselves are armed
 * by the process that gets the device, with eventfds of its own.
 */

#include "device/device.h"
#include "image/manifest.h"

#define CONFIG_RESTORE_MAX 2

/** struct config_change - a register, before and after */
struct config_change {
	const char *name;
	uint32_t before, after;
};

/**
 * struct config_restore - what is to be restored
 * @has: there is something; else all of this is without effect
 * @changes, @n: filled by config_restore_apply()
 */
struct config_restore {
	bool has;
	uint16_t command;
	uint8_t line;
	struct config_change changes[CONFIG_RESTORE_MAX];
	unsigned int n;
};

/** config_restore_take() - from an image. Return: 0, -ENODATA (ERR_IMAGE) when it has none. */
_must_check_ int config_restore_take(const struct image_device *saved, struct config_restore *ret,
				     struct err *err);

/**
 * config_restore_apply() - write it to a device, and read it back
 *
 * To be called while the device is stopped, after the driver took the state.
 *
 * Return: 0; -EIO when a register does not have what was written; -EOPNOTSUPP when there is no
 * configuration space to write to; both ERR_UNSUPPORTED.
 */
_must_check_ int config_restore_apply(struct config_restore *e, struct mig_dev *dev,
				      struct err *err);
