/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The receipt: a receiver's answer
 *
 * Over a socket the receiver answers with one record of 512 bytes, once the driver has accepted the
 * state or as soon as something has failed. It is not part of the image, and has the image's byte
 * order, little-endian; vfiomig-image(5) says the same in words.
 *
 *	  0  u8[8]   magic      89 56 52 43 50 0d 0a 1a  ("\x89VRCP\r\n\x1a")
 *	  8  u16     major      1; any other is refused
 *	 10  u16     minor      0; any is accepted
 *	 12  u32     verdict    0 accepted, 1 refused
 *	 16  u8[16]  id         of the image; zeros where it is refused before it was read
 *	 32  u8[16]  digest     of its IMAGE END; zeros unless it is accepted
 *	 48  u8[456] reason     of a refusal: text, at least its last byte 0
 *	504  u64     checksum   XXH3-64, seed 0, over bytes 0 to 503
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"

#define IMAGE_RECEIPT_MAGIC "\x89VRCP\r\n\x1a"
#define IMAGE_RECEIPT_MAJOR 1
#define IMAGE_REASON_SIZE 456u

struct image_receipt_wire {
	uint8_t magic[8];
	uint16_t major;
	uint16_t minor;
	uint32_t verdict;
	uint8_t id[16];
	uint8_t digest[IMAGE_DIGEST_SIZE];
	uint8_t reason[IMAGE_REASON_SIZE];
	uint64_t checksum;
};

_Static_assert(sizeof(struct image_receipt_wire) == 512, "drawn above");
_Static_assert(offsetof(struct image_receipt_wire, checksum) == 504, "drawn above");

#define IMAGE_RECEIPT_SIZE sizeof(struct image_receipt_wire)

struct image_receipt {
	bool accepted;
	uint8_t id[16];
	uint8_t digest[IMAGE_DIGEST_SIZE];
	char reason[IMAGE_REASON_SIZE];
};

void image_receipt_encode(const struct image_receipt *receipt, uint8_t buf[IMAGE_RECEIPT_SIZE]);

/**
 * image_receipt_decode() - from untrusted bytes; the reason can be printed
 *
 * Return: 0, or -EPROTO (ERR_PEER).
 */
_must_check_ int image_receipt_decode(const uint8_t buf[IMAGE_RECEIPT_SIZE],
				      struct image_receipt *ret, struct err *err);

/** image_receipt_fits() - both receipts accept the same image */
bool image_receipt_fits(const struct image_receipt *a, const struct image_receipt *b);
