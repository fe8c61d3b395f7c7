/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The image's checksums
 *
 * XXH3 finds damage, misplacement and truncation at the speed of memory. It is no defence against
 * an attacker who can rewrite the image: authenticating the sender is the transport's job.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define IMAGE_DIGEST_SIZE 16

/**
 * struct image_digest - a running XXH3, always with the seed it was given
 *
 * Either a digest over the checksums of sections (image_digest_add(), image_digest_value()), or
 * scratch space for image_section_checksum(), which then allocates nothing.
 */
struct image_digest {
	struct XXH3_state_s *state;
	uint64_t seed;
};

_must_check_ int image_digest_init(struct image_digest *d, uint64_t seed, struct err *err);
void image_digest_done(struct image_digest *d);

void image_digest_add(struct image_digest *d, uint64_t checksum);
void image_digest_value(const struct image_digest *d, uint8_t ret[IMAGE_DIGEST_SIZE]);

/** image_section_checksum() - of a section's header, as on the wire, and its payload */
uint64_t image_section_checksum(struct image_digest *work, const void *head, const void *payload,
				size_t len);
