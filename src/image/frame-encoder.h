/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Frames, and encoding them as sections
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
 * @payload: IMAGE_FRAME_PAYLOAD bytes of room for the stream
 * @packed: as much room for a compressed frame; NULL until the first one
 * @head, @section, @len: valid once encoded: the header, and the section to be written
 *
 * The header goes in front of the payload, so that a frame is one write without a copy.
 */
struct image_frame {
	uint8_t *payload;
	uint8_t *packed;
	struct image_head head;
	const uint8_t *section;
	size_t len;
};

/** image_frame_new() - Return: NULL without memory. */
struct image_frame *image_frame_new(void);
struct image_frame *image_frame_free(struct image_frame *frame);
DEFINE_CLEANUP(struct image_frame *, image_frame_free)

/**
 * struct image_encoding - how all frames of an image are encoded
 * @zstd_level: 0 for plain frames
 * @plain: frames in a row that compression did not make smaller; shared by the encoders
 */
struct image_encoding {
	uint64_t seed;
	int zstd_level;
	atomic_uint plain;
};

struct image_frame_encoder;

/**
 * image_frame_encoder_new() - an encoder for one thread
 * @encoding: shared by all encoders of the image; outlives them
 *
 * Return: 0; -ENOMEM; -EINVAL for a level that libzstd refuses.
 */
_must_check_ int image_frame_encoder_new(struct image_encoding *encoding,
					 struct image_frame_encoder **ret, struct err *err);
struct image_frame_encoder *image_frame_encoder_free(struct image_frame_encoder *s);
DEFINE_CLEANUP(struct image_frame_encoder *, image_frame_encoder_free)

/**
 * struct image_place - where a frame belongs
 * @sequence: its number among the frames of its device
 * @offset: of its first byte in the device's stream
 */
struct image_place {
	uint32_t device;
	uint64_t sequence, offset;
};

/**
 * image_frame_encode() - encode the first @len bytes of @frame's payload, at least one
 *
 * Overwrites the rest of the payload with padding. Compresses the frame if that saves a page; after
 * many frames that did not get smaller, tries only some.
 */
_must_check_ int image_frame_encode(struct image_frame_encoder *s, struct image_frame *frame,
				    size_t len, const struct image_place *place, struct err *err);

/**
 * image_section_finish() - add header, checksum and padding to a payload in place
 * @buf: whole pages: room for the header, then the payload
 * @head: complete but for the checksum, which is set here
 *
 * Return: the section's size, whole pages.
 */
size_t image_section_finish(struct image_digest *work, uint8_t *buf, struct image_head *head);
