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
 * compat_manifest() - devices, and who describes them, as a manifest says it
 * @devs: @n of them, open, mig_query() called
 * @ret: image_manifest_done() frees it
 */
_must_check_ int compat_manifest(struct device *const *devs, unsigned int n,
				 struct image_manifest *ret, struct err *err);

/**
 * compat_differ_fn - one difference
 * @saved, @here: as text
 * @vital: a state that was saved there is not to be loaded here
 */
typedef void compat_differ_fn(void *ctx, const char *field, const char *saved, const char *here,
			      bool vital);

/**
 * compat_compare() - call @fn for each difference
 *
 * As far as both sides are known: before device_open() that is what sysfs has.
 */
void compat_compare(const struct image_device *saved, const struct device *dev,
		    compat_differ_fn *fn, void *ctx);

/* What compat_fit() finds. */
enum compat_fit {
	COMPAT_UNKNOWN, /* nothing that is vital is known on both sides */
	COMPAT_NO, /* compat_check() would refuse it, or the device cannot migrate */
	COMPAT_YES,
};

/** compat_fit() - would @dev take a state of @saved, as far as both are known? */
enum compat_fit compat_fit(const struct image_device *saved, const struct device *dev);

/**
 * compat_check() - may @dev load a state of @saved?
 * @force: what differs is only warned about
 *
 * Refuses another protocol, driver, vendor, device, subsystem or class. Differences in revision,
 * driver version and migration flags are warned about, once the device is open.
 *
 * Return: 0, or -EXDEV (ERR_IMAGE) naming every field that differs.
 */
_must_check_ int compat_check(const struct image_device *saved, const struct device *dev,
			      bool force, struct err *err);
