/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The SHA-256 of a device's stream
 *
 * For users who compare streams, or keep their sums elsewhere. It costs many times as much as the
 * image's own checksums, so it is only made on request.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "image/format.h"

struct image_sha256;

_must_check_ int image_sha256_new(struct image_sha256 **ret, struct err *err);
void image_sha256_add(struct image_sha256 *sum, const void *buf, size_t len);

/** image_sha256_end() - get the sum of all that was added, and start a new one */
void image_sha256_end(struct image_sha256 *sum, uint8_t ret[IMAGE_SHA256_SIZE]);

struct image_sha256 *image_sha256_free(struct image_sha256 *sum);
DEFINE_CLEANUP(struct image_sha256 *, image_sha256_free)
