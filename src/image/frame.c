// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "image/frame-encoder.h"

_Static_assert(IMAGE_SECTION_HEADER + IMAGE_FRAME_PAYLOAD == IMAGE_FRAME_SIZE, "one write");
_Static_assert(IMAGE_FRAME_SIZE % IMAGE_PAGE == 0, "a tail is padded in place");

struct image_frame *image_frame_new(void)
{
	_cleanup_free_ struct image_frame *frame = NULL;
	uint8_t *buf;

	frame = calloc(1, sizeof(*frame));
	if (!frame)
		return NULL;
	buf = aligned_alloc(IMAGE_PAGE, IMAGE_FRAME_SIZE);
	if (!buf)
		return NULL;
	frame->payload = buf + IMAGE_SECTION_HEADER;
	return TAKE_PTR(frame);
}

struct image_frame *image_frame_free(struct image_frame *frame)
{
	if (frame) {
		free(frame->payload - IMAGE_SECTION_HEADER);
		free(frame->packed);
	}
	free(frame);
	return NULL;
}
