// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <xxhash.h>

#include "base/printable.h"
#include "image/receipt.h"

/* Values of the verdict on the wire. */
enum receipt_verdict {
	RECEIPT_ACCEPTED = 0,
	RECEIPT_REFUSED = 1,
};

static uint64_t receipt_checksum(const struct image_receipt_wire *w)
{
	return XXH3_64bits(w, offsetof(struct image_receipt_wire, checksum));
}

void image_receipt_encode(const struct image_receipt *receipt, uint8_t buf[IMAGE_RECEIPT_SIZE])
{
	struct image_receipt_wire w = {
		.magic = IMAGE_RECEIPT_MAGIC,
		.major = htole16(IMAGE_RECEIPT_MAJOR),
		.verdict = htole32(receipt->accepted ? RECEIPT_ACCEPTED : RECEIPT_REFUSED),
	};

	memcpy(w.id, receipt->id, sizeof(w.id));
	memcpy(w.digest, receipt->digest, sizeof(w.digest));
	memcpy(w.reason, receipt->reason, strnlen(receipt->reason, sizeof(w.reason) - 1));
	w.checksum = htole64(receipt_checksum(&w));
	memcpy(buf, &w, sizeof(w));
}

int image_receipt_decode(const uint8_t buf[IMAGE_RECEIPT_SIZE], struct image_receipt *ret,
			 struct err *err)
{
	struct image_receipt_wire w;
	const char *fault = NULL;

	memcpy(&w, buf, sizeof(w));
	if (memcmp(w.magic, IMAGE_RECEIPT_MAGIC, sizeof(w.magic)) != 0)
		fault = "not a receipt";
	else if (le16toh(w.major) != IMAGE_RECEIPT_MAJOR)
		fault = "a receipt of another version";
	else if (le64toh(w.checksum) != receipt_checksum(&w))
		fault = "checksum of the receipt is wrong";
	else if (le32toh(w.verdict) > RECEIPT_REFUSED || w.reason[sizeof(w.reason) - 1])
		fault = "a receipt that makes no sense";
	if (fault)
		return err_fail(err, ERR_PEER, -EPROTO, "%s", fault);

	ret->accepted = le32toh(w.verdict) == RECEIPT_ACCEPTED;
	memcpy(ret->id, w.id, sizeof(ret->id));
	memcpy(ret->digest, w.digest, sizeof(ret->digest));
	memcpy(ret->reason, w.reason, sizeof(ret->reason));
	make_printable(ret->reason);
	return 0;
}

bool image_receipt_fits(const struct image_receipt *a, const struct image_receipt *b)
{
	return a->accepted && b->accepted && !memcmp(a->id, b->id, sizeof(a->id)) &&
	       !memcmp(a->digest, b->digest, sizeof(a->digest));
}
