// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "image/unpack.h"

static int unpack_make_room(struct image_unpacker *u, size_t raw_size, struct err *err)
{
	if (!u->zstd)
		u->zstd = ZSTD_createDCtx();
	if (u->room < raw_size) {
		free(u->buf);
		u->buf = malloc(raw_size);
		u->room = u->buf ? raw_size : 0;
	}
	if (!u->zstd || !u->buf)
		return err_set(err, -ENOMEM, "zstd");
	return 0;
}

/*
 * Accept one zstd frame and nothing else: the library would also take older formats, skippable
 * frames, and several frames in a row.
 */
static const char *unpack_fault_of(const void *src, size_t len, size_t raw_size)
{
	uint32_t magic;

	if (len < sizeof(magic))
		return "not a zstd frame";
	memcpy(&magic, src, sizeof(magic));
	if (le32toh(magic) != ZSTD_MAGICNUMBER)
		return "not a zstd frame";
	if (ZSTD_findFrameCompressedSize(src, len) != len)
		return "not exactly one zstd frame";
	if (ZSTD_getFrameContentSize(src, len) != raw_size)
		return "zstd frame of another size than announced";
	return NULL;
}

int image_unpack(struct image_unpacker *u, const void *src, size_t len, size_t raw_size,
		 const uint8_t **ret, struct err *err)
{
	const char *fault = unpack_fault_of(src, len, raw_size);
	size_t n;
	int r;

	if (fault)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%s", fault);
	r = unpack_make_room(u, raw_size, err);
	if (r < 0)
		return r;

	/* In one call, so that zstd allocates no window: a frame can claim only @u->buf. */
	n = ZSTD_decompressDCtx(u->zstd, u->buf, raw_size, src, len);
	if (ZSTD_isError(n))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "zstd: %s", ZSTD_getErrorName(n));
	if (n != raw_size)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "zstd frame came out short");
	*ret = u->buf;
	return 0;
}

void image_unpacker_done(struct image_unpacker *u)
{
	ZSTD_freeDCtx(u->zstd);
	free(u->buf);
	*u = (struct image_unpacker){ 0 };
}
