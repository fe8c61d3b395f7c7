/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames, and what makes sections of them
 *
 * Compression and checksum are most of the work of writing an image, and no frame depends on
 * another: several threads can encode frames of one image at once, each with an encoder of its own.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "image/digest.h"
#include "image/format.h"

/**
 * struct image_frame - a page-aligned buffer that holds one frame
 * @payload: where to read stream bytes to; room for IMAGE_FRAME_PAYLOAD
 * @head, @section, @len: once it is encoded: its header, and the whole section as it is written
 *
 * The header goes in front of the payload, so that a frame is one write without a copy.
 */
struct image_frame {
	uint8_t *payload;
	uint8_t *packed; /* the same room again, for a compressed one; NULL until there was one */
	struct image_head head;
	const uint8_t *section;
	size_t len;
};

/* NULL without memory. */
struct image_frame *image_frame_new(void);
struct image_frame *image_frame_free(struct image_frame *frame);
DEFINE_CLEANUP(struct image_frame *, image_frame_free)

/**
 * struct image_encoding - how all frames of an image are encoded
 * @zstd_level: 0 for plain ones
 * @plain: frames in a row that compression did not make smaller; the encoders share it
 */
struct image_encoding {
	uint64_t seed;
	int zstd_level;
	atomic_uint plain;
};

struct image_frame_encoder;

/** image_frame_encoder_new() - for one thread; @encoding outlives it. Return: 0; -ENOMEM; -EINVAL. */
_must_check_ int image_frame_encoder_new(struct image_encoding *encoding,
					 struct image_frame_encoder **ret, struct err *err);
struct image_frame_encoder *image_frame_encoder_free(struct image_frame_encoder *s);
DEFINE_CLEANUP(struct image_frame_encoder *, image_frame_encoder_free)

/**
 * struct image_place - where a frame belongs
 * @sequence: its number among its device's
 * @offset: of its first byte in the device's stream
 */
struct image_place {
	uint32_t device;
	uint64_t sequence, offset;
};

/**
 * image_frame_encode() - the first @len bytes of @frame's payload become a section; not 0
 *
 * What follows them in the frame may change. Compressed if that saves a page; where frame after
 * frame saved nothing, only some are tried.
 */
_must_check_ int image_frame_encode(struct image_frame_encoder *s, struct image_frame *frame,
				    size_t len, const struct image_place *place, struct err *err);

/**
 * image_section_finish() - header, checksum and padding for a payload that lies where it belongs
 * @buf: whole pages, with the payload behind the room for the header
 * @head: all but the checksum is set; gets it
 *
 * Return: the section's size, whole pages.
 */
size_t image_section_finish(struct image_digest *work, uint8_t *buf, struct image_head *head);
