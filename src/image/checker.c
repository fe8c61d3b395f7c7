// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>

#include "base/macros.h"
#include "image/checker.h"

int image_checker_init(struct image_checker *c, uint64_t seed, struct err *err)
{
	*c = (struct image_checker){ 0 };
	return image_digest_init(&c->work, seed, err);
}

void image_checker_done(struct image_checker *c)
{
	image_digest_done(&c->work);
	image_unpacker_done(&c->unpacker);
}

size_t image_section_length(const struct image_head *head)
{
	return ALIGN_UP(IMAGE_SECTION_HEADER + head->size, IMAGE_PAGE);
}

int image_check_padding(const uint8_t *buf, size_t used, size_t len, struct err *err)
{
	for (size_t i = used; i < len; i++)
		if (buf[i])
			return err_fail(err, ERR_IMAGE, -EBADMSG, "padding is not zero");
	return 0;
}

int image_check_sum(struct image_checker *c, const struct image_head *head, const uint8_t *buf,
		    struct err *err)
{
	uint64_t is = image_section_checksum(&c->work, buf, buf + IMAGE_SECTION_HEADER, head->size);

	if (is == head->checksum)
		return 0;
	if (head->type == IMAGE_DATA)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"checksum of frame %" PRIu64 " of device %" PRIu32 " is wrong",
				head->sequence, head->device);
	return err_fail(err, ERR_IMAGE, -EBADMSG, "checksum of %s is wrong",
			image_section_name(head->type));
}

int image_check_content(struct image_checker *c, const struct image_head *head, const uint8_t *buf,
			const uint8_t **ret, struct err *err)
{
	int r;

	*ret = buf + IMAGE_SECTION_HEADER;
	if (!(head->flags & IMAGE_ZSTD))
		return 0;
	r = image_unpack(&c->unpacker, *ret, head->size, head->raw_size, ret, err);
	if (r < 0)
		return err_prefix(err, r, "frame %" PRIu64 " of device %" PRIu32, head->sequence,
				  head->device);
	return 0;
}

bool image_check_alone(struct image_checker *c, const struct image_head *head, const uint8_t *buf,
		       const uint8_t **ret)
{
	return image_check_sum(c, head, buf, NULL) >= 0 &&
	       image_check_padding(buf, IMAGE_SECTION_HEADER + head->size,
				   image_section_length(head), NULL) >= 0 &&
	       image_head_check(head, NULL) >= 0 &&
	       image_check_content(c, head, buf, ret, NULL) >= 0;
}
