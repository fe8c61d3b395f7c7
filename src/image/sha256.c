// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>

#include "image/sha256.h"

struct image_sha256 {
	gnutls_hash_hd_t hash;
};

static int failed(int r, struct err *err)
{
	return err_set(err, r == GNUTLS_E_MEMORY_ERROR ? -ENOMEM : -EIO, "SHA-256: %s",
		       gnutls_strerror(r));
}

int image_sha256_new(struct image_sha256 **ret, struct err *err)
{
	_cleanup_free_ struct image_sha256 *sum = calloc(1, sizeof(*sum));
	int r;

	if (!sum)
		return err_set(err, -ENOMEM, "SHA-256");
	r = gnutls_hash_init(&sum->hash, GNUTLS_DIG_SHA256);
	if (r < 0)
		return failed(r, err);
	*ret = TAKE_PTR(sum);
	return 0;
}

int image_sha256_add(struct image_sha256 *sum, const void *buf, size_t len, struct err *err)
{
	int r = gnutls_hash(sum->hash, buf, len);

	return r < 0 ? failed(r, err) : 0;
}

void image_sha256_end(struct image_sha256 *sum, uint8_t ret[IMAGE_SHA256_SIZE])
{
	gnutls_hash_output(sum->hash, ret);
}

struct image_sha256 *image_sha256_free(struct image_sha256 *sum)
{
	if (sum)
		gnutls_hash_deinit(sum->hash, NULL);
	free(sum);
	return NULL;
}
