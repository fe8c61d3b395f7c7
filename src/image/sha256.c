// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <nettle/sha2.h>
#include <nettle/version.h>
#include <stdlib.h>

#include "image/sha256.h"

_Static_assert(SHA256_DIGEST_SIZE == IMAGE_SHA256_SIZE, "drawn in format.h");

struct image_sha256 {
	struct sha256_ctx ctx;
};

int image_sha256_new(struct image_sha256 **ret, struct err *err)
{
	struct image_sha256 *sum = malloc(sizeof(*sum));

	if (!sum)
		return err_set(err, -ENOMEM, "SHA-256");
	sha256_init(&sum->ctx);
	*ret = sum;
	return 0;
}

void image_sha256_add(struct image_sha256 *sum, const void *buf, size_t len)
{
	sha256_update(&sum->ctx, len, buf);
}

void image_sha256_end(struct image_sha256 *sum, uint8_t ret[IMAGE_SHA256_SIZE])
{
#if NETTLE_VERSION_MAJOR < 4
	sha256_digest(&sum->ctx, IMAGE_SHA256_SIZE, ret);
#else
	sha256_digest(&sum->ctx, ret);
#endif
}

struct image_sha256 *image_sha256_free(struct image_sha256 *sum)
{
	free(sum);
	return NULL;
}
