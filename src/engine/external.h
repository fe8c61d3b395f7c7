/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * External state: what belongs to a device's user and is in no stream
 *
 * Of the configuration space that is PCI_COMMAND and the interrupt line. Addresses, vectors and
 * whatever the host gave the device anew are never written; the interrupts themselves are armed
 * by whoever gets the device, with eventfds of his own.
 */

#include "device/device.h"
#include "image/manifest.h"

#define EXTERNAL_MAX 2

/** struct external_change - a register, before and after */
struct external_change {
	const char *name;
	uint32_t before, after;
};

/**
 * struct external - what is to be restored
 * @has: there is something; else all of this is without effect
 * @changes, @n: filled by external_restore()
 */
struct external {
	bool has;
	uint16_t command;
	uint8_t line;
	struct external_change changes[EXTERNAL_MAX];
	unsigned int n;
};

/** external_take() - from an image. Return: 0, -ENODATA (ERR_IMAGE) when it has none. */
_must_check_ int external_take(const struct image_device *saved, struct external *ret,
			       struct err *err);

/**
 * external_restore() - write it to a device, and read it back
 *
 * To be called while the device is stopped, after the driver took the state.
 *
 * Return: 0; -EIO when a register does not have what was written; -EOPNOTSUPP when there is no
 * configuration space to write to; both ERR_UNSUPPORTED.
 */
_must_check_ int external_restore(struct external *e, struct mig_dev *dev, struct err *err);
