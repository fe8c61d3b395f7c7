// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>
#ifdef HAVE_XXH_X86DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

#include "image/digest.h"
#include "image/format.h"

_Static_assert(sizeof(XXH128_canonical_t) == IMAGE_DIGEST_SIZE, "drawn in format.h");

int image_digest_init(struct image_digest *d, uint64_t seed, struct err *err)
{
	d->seed = seed;
	d->state = XXH3_createState();
	if (!d->state)
		return err_set(err, -ENOMEM, "checksum");
	XXH3_128bits_reset_withSeed(d->state, seed);
	return 0;
}

void image_digest_done(struct image_digest *d)
{
	XXH3_freeState(d->state);
	d->state = NULL;
}

void image_digest_add(struct image_digest *d, uint64_t checksum)
{
	uint64_t wire = htole64(checksum);

	XXH3_128bits_update(d->state, &wire, sizeof(wire));
}

void image_digest_value(const struct image_digest *d, uint8_t ret[IMAGE_DIGEST_SIZE])
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(d->state));
	memcpy(ret, canonical.digest, IMAGE_DIGEST_SIZE);
}

uint64_t image_section_checksum(struct image_digest *work, const void *head, const void *payload,
				size_t len)
{
	XXH3_64bits_reset_withSeed(work->state, work->seed);
	XXH3_64bits_update(work->state, head, IMAGE_CHECKSUM_AT);
	if (len)
		XXH3_64bits_update(work->state, payload, len);
	return XXH3_64bits_digest(work->state);
}
