// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "base/macros.h"
#include "image/frame-encoder.h"

/* After PLAIN_ENOUGH frames in a row that did not get smaller, try one in PLAIN_TRY. */
#define PLAIN_ENOUGH 8
#define PLAIN_TRY 16

struct image_frame_encoder {
	struct image_encoding *encoding;
	struct image_digest work;
	ZSTD_CCtx *zstd; /* NULL for plain images */
};

static int frame_encoder_setup_zstd(struct image_frame_encoder *s, struct err *err)
{
	size_t r;

	s->zstd = ZSTD_createCCtx();
	if (!s->zstd)
		return err_set(err, -ENOMEM, "zstd");
	r = ZSTD_CCtx_setParameter(s->zstd, ZSTD_c_compressionLevel, s->encoding->zstd_level);
	if (ZSTD_isError(r))
		return err_set(err, -EINVAL, "zstd level %d: %s", s->encoding->zstd_level,
			       ZSTD_getErrorName(r));
	return 0;
}

int image_frame_encoder_new(struct image_encoding *encoding, struct image_frame_encoder **ret,
			    struct err *err)
{
	_cleanup_(image_frame_encoder_freep) struct image_frame_encoder *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "encoding frames");
	s->encoding = encoding;
	r = image_digest_init(&s->work, encoding->seed, err);
	if (r < 0)
		return r;
	if (encoding->zstd_level) {
		r = frame_encoder_setup_zstd(s, err);
		if (r < 0)
			return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

struct image_frame_encoder *image_frame_encoder_free(struct image_frame_encoder *s)
{
	if (s) {
		image_digest_done(&s->work);
		ZSTD_freeCCtx(s->zstd);
	}
	free(s);
	return NULL;
}

static bool frame_encoder_worth_a_try(const struct image_frame_encoder *s, size_t plain,
				      uint64_t sequence)
{
	if (!s->zstd || plain == IMAGE_PAGE)
		return false;
	return atomic_load(&s->encoding->plain) < PLAIN_ENOUGH || sequence % PLAIN_TRY == 0;
}

/*
 * Compress the payload into @frame->packed. The output has room for one page less than the plain
 * frame, so that zstd itself gives up on a frame that would save nothing.
 *
 * Return: compressed size, 0 when the frame is to be stored plain, or a negative errno.
 */
static ssize_t frame_encoder_pack(struct image_frame_encoder *s, struct image_frame *frame,
				  size_t len, uint64_t sequence, struct err *err)
{
	size_t plain = ALIGN_UP(IMAGE_SECTION_HEADER + len, IMAGE_PAGE);
	size_t r;

	if (!frame_encoder_worth_a_try(s, plain, sequence))
		return 0;
	if (!frame->packed)
		frame->packed = aligned_alloc(IMAGE_PAGE, IMAGE_FRAME_SIZE);
	if (!frame->packed)
		return err_set(err, -ENOMEM, "a frame of 1 MiB");
	r = ZSTD_compress2(s->zstd, frame->packed + IMAGE_SECTION_HEADER,
			   plain - IMAGE_PAGE - IMAGE_SECTION_HEADER, frame->payload, len);
	if (!ZSTD_isError(r)) {
		atomic_store(&s->encoding->plain, 0);
		return (ssize_t)r;
	}
	switch (ZSTD_getErrorCode(r)) {
	case ZSTD_error_dstSize_tooSmall:
		atomic_fetch_add(&s->encoding->plain, 1);
		return 0;
	case ZSTD_error_memory_allocation:
		return err_set(err, -ENOMEM, "zstd");
	default:
		return err_fail(err, ERR_BUG, -EINVAL, "zstd: %s", ZSTD_getErrorName(r));
	}
}

int image_frame_encode(struct image_frame_encoder *s, struct image_frame *frame, size_t len,
		       const struct image_place *place, struct err *err)
{
	uint8_t *section = frame->payload - IMAGE_SECTION_HEADER;
	ssize_t packed;

	assert(len && len <= IMAGE_FRAME_PAYLOAD);
	frame->head = (struct image_head){
		.type = IMAGE_DATA,
		.flags = IMAGE_MANDATORY,
		.size = (uint32_t)len,
		.device = place->device,
		.sequence = place->sequence,
		.offset = place->offset,
		.raw_size = (uint32_t)len,
	};
	packed = frame_encoder_pack(s, frame, len, place->sequence, err);
	if (packed < 0)
		return (int)packed;
	if (packed) {
		frame->head.flags |= IMAGE_ZSTD;
		frame->head.size = (uint32_t)packed;
		section = frame->packed;
	}
	frame->section = section;
	frame->len = image_section_finish(&s->work, section, &frame->head);
	return 0;
}

size_t image_section_finish(struct image_digest *work, uint8_t *buf, struct image_head *head)
{
	size_t used = IMAGE_SECTION_HEADER + head->size;
	size_t len = ALIGN_UP(used, IMAGE_PAGE);

	image_head_encode(head, buf);
	head->checksum = image_section_checksum(work, buf, buf + IMAGE_SECTION_HEADER, head->size);
	image_head_encode(head, buf);
	memset(buf + used, 0, len - used);
	return len;
}
