/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Is this the device that the image was taken of, or one like it?
 *
 * Drivers check little of it and say less: hisi_acc and mtty answer EFAULT, mlx5 nothing at all.
 */

#include "device/device.h"
#include "image/manifest.h"

/**
 * identity_manifest() - a device, and who describes it, as a manifest says it
 * @dev: open, mig_query() called
 * @ret: image_manifest_done() frees it
 */
_must_check_ int identity_manifest(const struct device *dev, struct image_manifest *ret,
				   struct err *err);

/**
 * identity_check() - may @dev load a state of @saved?
 * @force: what differs is only warned about
 *
 * Compares protocol, driver, vendor, device, subsystem and class as far as both sides are known:
 * before device_open() that is what sysfs has. Differences in revision, driver version and
 * migration flags are warned about, never refused.
 *
 * Return: 0, or -EXDEV (ERR_IMAGE) naming every field that differs.
 */
_must_check_ int identity_check(const struct image_device *saved, const struct device *dev,
				bool force, struct err *err);
