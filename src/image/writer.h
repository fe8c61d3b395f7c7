/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Writing an image
 *
 * Turns frames of device streams into the format's sections, one write each, and keeps the
 * totals and digests that END sections need. The caller's function writes the bytes. Threads of
 * several devices may use one writer, one at a time.
 */

#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "image/format.h"
#include "image/manifest.h"
#include "image/frame-encoder.h"
#include "image/receipt.h"

struct image_writer;

/**
 * image_write_fn - takes all of @len bytes or fails
 *
 * Called once a section, HEADER and MANIFEST together, with whole pages that start on a page.
 * After a failure the writer refuses everything but image_writer_free().
 */
typedef int image_write_fn(void *ctx, const void *buf, size_t len, struct err *err);

/**
 * struct image_writer_options
 * @zstd_level: 0 for plain frames, else a level of libzstd's, negative ones included. A frame
 *	that would not get smaller is stored plain.
 * @created_ns: since 1970; 0 for now
 * @id: NULL for random
 */
struct image_writer_options {
	int zstd_level;
	uint64_t created_ns;
	const uint8_t *id;
};

/** image_writer_new() - writes HEADER and MANIFEST. */
_must_check_ int image_writer_new(const struct image_manifest *m,
				  const struct image_writer_options *opts, image_write_fn *write,
				  void *ctx, struct image_writer **ret, struct err *err);

/** image_writer_encoding() - how the frames of this image are encoded; lives as long as @w. */
struct image_encoding *image_writer_encoding(struct image_writer *w);

/**
 * image_writer_put() - write an encoded frame
 *
 * The frames of a device come in the order of their sequence numbers.
 */
_must_check_ int image_writer_put(struct image_writer *w, const struct image_frame *frame,
				  struct err *err);

/**
 * image_writer_sha256() - write the SHA-256 of a device's stream, which is complete
 *
 * For a device whose manifest has IMAGE_HAS_SHA256, and no other.
 */
_must_check_ int image_writer_sha256(struct image_writer *w, uint32_t device,
				     const uint8_t sum[IMAGE_SHA256_SIZE], struct err *err);

/** image_writer_keepalive() - tell the reader that the writer is alive */
_must_check_ int image_writer_keepalive(struct image_writer *w, struct err *err);

/** image_writer_device_end() - the device's stream is complete. */
_must_check_ int image_writer_device_end(struct image_writer *w, uint32_t device, struct err *err);

/** image_writer_end() - IMAGE END; every device must have ended. */
_must_check_ int image_writer_end(struct image_writer *w, struct err *err);

/** image_writer_info() - the contents of the HEADER */
const struct image_info *image_writer_info(const struct image_writer *w);

/** image_writer_receipt() - the answer of a receiver that accepts; after image_writer_end() */
void image_writer_receipt(const struct image_writer *w, struct image_receipt *ret);

/** image_writer_size() - bytes of the image so far, headers and padding included. */
uint64_t image_writer_size(const struct image_writer *w);

struct image_writer *image_writer_free(struct image_writer *w);
DEFINE_CLEANUP(struct image_writer *, image_writer_free)
