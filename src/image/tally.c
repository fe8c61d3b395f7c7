// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/tally.h"

int image_tallies_init(struct image_tallies *t, uint32_t n_devices, uint64_t seed, struct err *err)
{
	int r;

	t->devices = calloc(n_devices, sizeof(*t->devices));
	if (!t->devices)
		return err_set(err, -ENOMEM, "totals of %" PRIu32 " devices", n_devices);
	t->n_devices = n_devices;
	r = image_digest_init(&t->all.digest, seed, err);
	for (uint32_t i = 0; !r && i < n_devices; i++)
		r = image_digest_init(&t->devices[i].digest, seed, err);
	return r;
}

void image_tallies_done(struct image_tallies *t)
{
	for (uint32_t i = 0; i < t->n_devices; i++)
		image_digest_done(&t->devices[i].digest);
	image_digest_done(&t->all.digest);
	free(t->devices);
	t->devices = NULL;
	t->n_devices = 0;
}

static void add(struct image_tally *t, const struct image_head *head)
{
	t->count++;
	image_digest_add(&t->digest, head->checksum);
	if (head->type == IMAGE_DATA) {
		t->bytes += head->raw_size;
		t->stored += head->size;
	}
}

void image_tallies_section(struct image_tallies *t, const struct image_head *head)
{
	add(&t->all, head);
	if (head->type == IMAGE_DATA)
		add(&t->devices[head->device], head);
}

void image_tally_end(const struct image_tally *t, struct image_end *ret)
{
	ret->count = t->count;
	ret->bytes = t->bytes;
	image_digest_value(&t->digest, ret->digest);
}

int image_tally_check(const struct image_tally *t, const struct image_end *said, const char *what,
		      struct err *err)
{
	struct image_end is;

	image_tally_end(t, &is);
	if (said->count != is.count)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "%" PRIu64 " %s, but there were %" PRIu64,
				said->count, what, is.count);
	if (said->bytes != is.bytes)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%" PRIu64 " bytes, but there were %" PRIu64, said->bytes,
				is.bytes);
	if (memcmp(said->digest, is.digest, sizeof(is.digest)))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "digest is wrong");
	return 0;
}
