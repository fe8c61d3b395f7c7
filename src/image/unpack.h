/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Decompression of one frame of untrusted contents
 *
 * The result has exactly the size that the section's header announced, which the caller has
 * capped; else the frame is refused.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct image_unpacker {
	struct ZSTD_DCtx_s *zstd;
	uint8_t *buf;
	size_t room;
};

/**
 * image_unpack() - decompress the one zstd frame that @src is
 * @ret: @raw_size bytes, valid until the next call
 *
 * Return: 0; -EBADMSG (ERR_IMAGE); -ENOMEM.
 */
_must_check_ int image_unpack(struct image_unpacker *u, const void *src, size_t len,
			      size_t raw_size, const uint8_t **ret, struct err *err);

void image_unpacker_done(struct image_unpacker *u);
