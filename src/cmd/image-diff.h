/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What differs between a device in an image and a device here
 */

#include "device/device.h"
#include "image/manifest.h"
#include "ui/report.h"

/**
 * image_diff() - render it as "differences", and as "fits" whether resume would take the image
 * @m: an image of one device, or of several of which one has the address of @dev
 * @dev: open; mig_query() called if it can migrate
 *
 * Return: 0, -EINVAL (ERR_IMAGE) when it cannot be told which of the image's devices is meant.
 */
_must_check_ int image_diff(struct json_object *report, const struct image_manifest *m,
			    const struct device *dev, struct err *err);

/** image_diff_find() - the device of @m that is meant; NULL where that cannot be told */
const struct image_device *image_diff_find(const struct image_manifest *m,
					   const struct device *dev);

/** image_diff_view() - the differences as a table, and the verdict, if they were asked for. */
void image_diff_view(FILE *f, struct json_object *report);
