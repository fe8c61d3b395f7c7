/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device's stream, or the image, came to
 *
 * Writer and parser keep the same books: the one writes them into the END sections, the other
 * compares.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"
#include "image/format.h"

/* @count is of frames or sections; @stored is payload as it lies in the image. */
struct image_running_total {
	uint64_t count, bytes, stored;
	bool ended;
	struct image_digest digest;
};

/* The books of a whole image: one for it and one for each device. */
struct image_totals_set {
	struct image_running_total all;
	struct image_running_total *devices;
	uint32_t n_devices;
};

/** image_totals_init() - on failure, too, image_totals_done() is the caller's */
_must_check_ int image_totals_init(struct image_totals_set *t, uint32_t n_devices, uint64_t seed,
				   struct err *err);
void image_totals_done(struct image_totals_set *t);

/** image_totals_section() - every section but IMAGE END, once it is good */
void image_totals_section(struct image_totals_set *t, const struct image_head *head);

/** image_totals_end() - as END is to say it */
void image_totals_end(const struct image_running_total *t, struct image_end *ret);

/** image_totals_check() - against what END says. Return: 0, or -EBADMSG (ERR_IMAGE). */
_must_check_ int image_totals_check(const struct image_running_total *t,
				    const struct image_end *said, const char *what,
				    struct err *err);
