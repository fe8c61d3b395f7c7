// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/totals.h"

int image_totals_init(struct image_totals_set *t, uint32_t n_devices, uint64_t seed,
		      struct err *err)
{
	int r;

	t->devices = calloc(n_devices, sizeof(*t->devices));
	if (!t->devices)
		return err_set(err, -ENOMEM, "totals of %" PRIu32 " devices", n_devices);
	t->n_devices = n_devices;
	r = image_digest_init(&t->all.digest, seed, err);
	if (r < 0)
		return r;
	for (uint32_t i = 0; i < n_devices; i++) {
		r = image_digest_init(&t->devices[i].digest, seed, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void image_totals_done(struct image_totals_set *t)
{
	for (uint32_t i = 0; i < t->n_devices; i++)
		image_digest_done(&t->devices[i].digest);
	image_digest_done(&t->all.digest);
	free(t->devices);
	t->devices = NULL;
	t->n_devices = 0;
}

static void totals_add(struct image_running_total *t, const struct image_head *head)
{
	t->count++;
	image_digest_add(&t->digest, head->checksum);
	if (head->type == IMAGE_DATA) {
		t->bytes += head->raw_size;
		t->stored += head->size;
	}
}

void image_totals_section(struct image_totals_set *t, const struct image_head *head)
{
	totals_add(&t->all, head);
	if (head->type == IMAGE_DATA)
		totals_add(&t->devices[head->device], head);
}

void image_totals_end(const struct image_running_total *t, struct image_end *ret)
{
	ret->count = t->count;
	ret->bytes = t->bytes;
	image_digest_value(&t->digest, ret->digest);
}

int image_totals_check(const struct image_running_total *t, const struct image_end *said,
		       const char *what, struct err *err)
{
	struct image_end is;

	image_totals_end(t, &is);
	if (said->count != is.count)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%" PRIu64 " %s, but there were %" PRIu64,
				said->count, what, is.count);
	if (said->bytes != is.bytes)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%" PRIu64 " bytes, but there were %" PRIu64, said->bytes,
				is.bytes);
	if (memcmp(said->digest, is.digest, sizeof(is.digest)) != 0)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "digest is wrong");
	return 0;
}
