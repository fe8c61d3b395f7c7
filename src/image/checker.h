/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What can be checked of a section without the rest of the image
 *
 * It is nearly all of the work of reading one, and several threads can do it, each with a checker
 * of its own. Whether the section belongs where it stands is for the parser to say.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"
#include "image/format.h"
#include "image/unpack.h"

struct image_checker {
	struct image_digest work;
	struct image_unpacker unpacker;
};

/** image_checker_init() - for sections of the image with that @seed; Return: 0 or -ENOMEM. */
_must_check_ int image_checker_init(struct image_checker *c, uint64_t seed, struct err *err);
void image_checker_done(struct image_checker *c);

/** image_section_length() - of a section with its header and its padding: whole pages */
size_t image_section_length(const struct image_head *head);

/** image_check_padding() - bytes from @used to @len are zero. Return: 0; -EBADMSG (ERR_IMAGE). */
_must_check_ int image_check_padding(const uint8_t *buf, size_t used, size_t len, struct err *err);

/** image_check_sum() - the checksum of the section at @buf. Return: 0; -EBADMSG (ERR_IMAGE). */
_must_check_ int image_check_sum(struct image_checker *c, const struct image_head *head,
				 const uint8_t *buf, struct err *err);

/**
 * image_check_content() - decompress, if that is to be done
 * @ret: the payload as it is in the stream, @head->raw_size bytes, valid until the next call
 *
 * Return: 0; -EBADMSG (ERR_IMAGE); -ENOMEM.
 */
_must_check_ int image_check_content(struct image_checker *c, const struct image_head *head,
				     const uint8_t *buf, const uint8_t **ret, struct err *err);

/**
 * image_check_alone() - all of this is good of the whole section at @buf, and its fields are
 * @ret: as of image_check_content(), where it is good
 */
bool image_check_alone(struct image_checker *c, const struct image_head *head, const uint8_t *buf,
		       const uint8_t **ret);
