/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Reading an image
 *
 * A push parser without fd, clock or thread: the caller brings bytes, the parser calls a sink
 * with what it has verified. The parser checks a section's checksum, sequence number and place in
 * the stream before the sink gets its contents; only IMAGE_COMPLETE says that the end is not
 * missing. Input is untrusted: the caps of image/format.h bound the memory.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"
#include "image/format.h"
#include "image/manifest.h"
#include "image/receipt.h"

struct image_parser;

/* A section as it stood in the image, for a list of them. */
struct image_section_info {
	uint64_t at; /* place in the image */
	uint32_t type, flags, size, raw_size, device;
	uint64_t sequence;
};

/*
 * Totals of a device, verified; @stored counts payload as it lay in the image. @sha256 is what the
 * image has, or NULL; it was checked if the sink's member sum is set.
 */
struct image_totals {
	uint64_t bytes, stored, frames;
	uint8_t digest[IMAGE_DIGEST_SIZE];
	const uint8_t *sha256;
};

/**
 * struct image_sink - the functions that get an image's parts
 *
 * All functions are optional. A negative return stops the parser and is passed on as it is.
 * Arguments are valid until the function returns; the manifest, as long as the parser lives.
 */
struct image_sink {
	/** @sum: also check the SHA-256 of streams that have one. Takes longer than the rest. */
	bool sum;

	/**
	 * @turns: Several threads may take turns at calling the functions, whatever they are: each
	 * brings contents that it has checked (image_parser_checked()).
	 */
	bool turns;

	/** @begin: HEADER and MANIFEST are good. Called once, before any @data. */
	int (*begin)(void *ctx, const struct image_info *info, const struct image_manifest *m,
		     struct err *err);

	/**
	 * @room: Where a DATA section of @len bytes is to be read to, so that they need no copy:
	 * IMAGE_FRAME_SIZE bytes that begin on a page, or NULL.
	 *
	 * Asked for sections that are not compressed and fit, before anything of them is verified.
	 * Guarantees: the parser has the memory until @data is given the bytes in it, which lie
	 * IMAGE_SECTION_HEADER behind its start, and not after that; of a section that is bad,
	 * @data hears nothing.
	 */
	int (*room)(void *ctx, uint32_t device, size_t len, uint8_t **ret, struct err *err);

	/** @data: the next bytes of a device's stream, in order and without gaps. */
	int (*data)(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err);

	/** @device_end: the device's stream is complete. */
	int (*device_end)(void *ctx, uint32_t device, const struct image_totals *totals,
			  struct err *err);

	/** @end: IMAGE END is good, too; @receipt is the answer of a receiver that accepts. */
	int (*end)(void *ctx, const struct image_receipt *receipt, struct err *err);

	/**
	 * @section: any section, known or not, once all of it is verified; called before the
	 * function above that is for its type.
	 */
	int (*section)(void *ctx, const struct image_section_info *section, struct err *err);
};

/* Outcomes of image_parser_filled(); not errors. */
enum image_progress {
	IMAGE_MORE = 0, /* wants more bytes */
	IMAGE_COMPLETE = 1, /* IMAGE END verified; any byte after it is an error */
};

_must_check_ int image_parser_new(const struct image_sink *sink, void *ctx,
				  struct image_parser **ret, struct err *err);

/**
 * image_parser_buffer() - where the next bytes of the image go
 * @ret_len: room there, never 0
 *
 * Read straight into it, and as much as there is room for: a section is parsed where it lies,
 * and frames of one size then take one read each. The room never exceeds what an intact image is
 * sure to have: bytes behind the image's end stay in the input. After IMAGE_COMPLETE there is room
 * to read, and refuse, bytes that must not be there.
 *
 * Grows memory to the size that a header announces, up to the caps, hence the possible failure.
 * @ret is valid until the next call for this parser.
 */
_must_check_ int image_parser_buffer(struct image_parser *p, void **ret, size_t *ret_len,
				     struct err *err);

/**
 * image_parser_filled() - @len bytes have been put there
 *
 * Return: enum image_progress; -EBADMSG (ERR_IMAGE) with the place and what is wrong; or what
 * the sink returned. After a failure the parser may only be freed.
 */
_must_check_ int image_parser_filled(struct image_parser *p, size_t len, struct err *err);

/**
 * image_parser_between() - what comes next may be DATA that was checked elsewhere
 * @ret_at: the place in the image where it begins; the parser may have some of it
 * @ret_seed: of its checksums
 *
 * Return: false where it may not: before and after the sections, and if the sink wants contents,
 * or has a SHA-256 of them checked, and knows no turns.
 */
bool image_parser_between(const struct image_parser *p, uint64_t *ret_at, uint64_t *ret_seed);

/** image_parser_wants_contents() - for the sink, or for a SHA-256 that is checked */
bool image_parser_wants_contents(const struct image_parser *p);

/**
 * image_parser_checked() - what comes next is a DATA section for which image_check_alone() is true
 * @head: its header
 * @content: what that gave; may be NULL unless image_parser_wants_contents()
 *
 * The parser forgets what it has of it, and takes it like one that it has checked by itself.
 * image_parser_restart() before bytes are brought to it again.
 *
 * Return: 0, or as image_parser_filled().
 */
_must_check_ int image_parser_checked(struct image_parser *p,
				      const uint8_t head[IMAGE_SECTION_HEADER],
				      const uint8_t *content, struct err *err);

/**
 * image_parser_restart() - forget all of the section that has begun
 *
 * Return: the place in the image where it begins, from which bytes have to be brought again.
 */
uint64_t image_parser_restart(struct image_parser *p);

/**
 * image_parser_eof() - the input has ended
 *
 * Return: 0 after IMAGE_COMPLETE, else -EBADMSG: truncated, with the place.
 */
_must_check_ int image_parser_eof(const struct image_parser *p, struct err *err);

/** image_parser_bytes() - of all devices' streams so far */
uint64_t image_parser_bytes(const struct image_parser *p);

struct image_parser *image_parser_free(struct image_parser *p);
DEFINE_CLEANUP(struct image_parser *, image_parser_free)
