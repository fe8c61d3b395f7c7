/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Totals of a device's stream, and of the image
 *
 * Kept alike by the writer, which puts them into the END sections, and by the parser, which
 * compares them with these.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"
#include "image/format.h"

/* @count is of frames or sections; @stored counts payload as it lies in the image. */
struct image_running_total {
	uint64_t count, bytes, stored;
	bool ended;
	struct image_digest digest;
};

/* The totals of a whole image: its own, and those of each device. */
struct image_totals_set {
	struct image_running_total all;
	struct image_running_total *devices;
	uint32_t n_devices;
};

/** image_totals_init() - the caller calls image_totals_done(), also after a failure */
_must_check_ int image_totals_init(struct image_totals_set *t, uint32_t n_devices, uint64_t seed,
				   struct err *err);
void image_totals_done(struct image_totals_set *t);

/** image_totals_section() - count a verified section; every one but IMAGE END */
void image_totals_section(struct image_totals_set *t, const struct image_head *head);

/** image_totals_end() - the contents of END for these totals */
void image_totals_end(const struct image_running_total *t, struct image_end *ret);

/** image_totals_check() - compare with what END says. Return: 0, or -EBADMSG (ERR_IMAGE). */
_must_check_ int image_totals_check(const struct image_running_total *t,
				    const struct image_end *said, const char *what,
				    struct err *err);
