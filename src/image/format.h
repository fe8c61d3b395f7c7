/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The image format, version 1
 *
 * One file or pipe for any number of devices; written without seeking, read once in order. All
 * numbers are little-endian. Every section starts on a page of 4096 bytes and is padded with
 * zeros to the next one, so that writes of whole frames stay aligned; what follows the last
 * section is an error. This drawing is the truth; vfiomig-image(5) says the same in words.
 *
 *	+--------------------+  0
 *	| HEADER             |  magic, version, image id, creation time
 *	+--------------------+  4096
 *	| MANIFEST  (JSON)   |  what the devices are
 *	+--------------------+
 *	| DATA  device 0 #0  |  header and payload together 1 MiB, but for a device's last frame
 *	| DATA  device 0 #1  |  and compressed ones
 *	| DATA  device 1 #0  |  devices may take turns
 *	| ...                |
 *	| SHA-256         0  |  of the device's stream, if the MANIFEST announces it
 *	| DEVICE END      0  |  bytes, frames, digest
 *	| DEVICE END      1  |
 *	+--------------------+
 *	| IMAGE END          |  totals, digest over all sections
 *	+--------------------+  end of file
 *
 * HEADER, 64 bytes:
 *
 *	 0  u8[8]  magic         89 56 4d 49 47 0d 0a 1a  ("\x89VMIG\r\n\x1a")
 *	 8  u16    major         1; a reader refuses any other, before it looks any further
 *	10  u16    minor         0; a reader accepts any: it may stand for new optional sections
 *	                         and new manifest keys, for nothing else
 *	12  u32    size          64: of this header, the padding not counted
 *	16  u8[16] id            random; its first 8 bytes seed every checksum below, so that a
 *	                         section of another image never fits
 *	32  u64    created       nanoseconds since 1970, UTC
 *	40  u64[2] reserved      0
 *	56  u64    checksum      XXH3-64, seed 0, over bytes 0 to 55
 *
 * Every other section begins with 64 bytes:
 *
 *	 0  u32    type          enum image_section
 *	 4  u32    flags         IMAGE_MANDATORY: a reader that does not know @type refuses the
 *	                         image (else it skips the section); all but SHA-256 and
 *	                         KEEPALIVE have it.
 *	                         IMAGE_ZSTD: DATA only, the payload is one zstd frame that states
 *	                         its content size
 *	 8  u32    size          payload bytes as stored, the padding not counted
 *	12  u32    device        index into the manifest's list; 0xffffffff where none is meant
 *	16  u64    sequence      DATA: number of the frame among its device's, from 0; else 0
 *	24  u64    offset        DATA: place of its first byte in the device's stream; else 0
 *	32  u32    raw_size      payload bytes once decompressed; = size without IMAGE_ZSTD
 *	36  u32    reserved      0
 *	40  u64[2] reserved      0
 *	56  u64    checksum      XXH3-64, seeded with the image's id, over bytes 0 to 55 and
 *	                         the payload as stored
 *
 * A section of unknown type has its size and checksum verified and nothing else looked at.
 * MANIFEST is the first section; a device has any number of DATA sections, none of them empty,
 * and after them one DEVICE END; IMAGE END is the last.
 *
 * SHA-256 stands between a device's last DATA and its DEVICE END if the MANIFEST lists "sha256"
 * among its digests, and only then: a reader that checks it has to sum from the stream's start. Its
 * payload is the 32 bytes of the SHA-256 of the device's stream, uncompressed.
 *
 * KEEPALIVE has no payload and no device. It may stand anywhere after the MANIFEST. It tells the
 * reader that the writer is alive while it has nothing to write.
 *
 * DEVICE END payload, 48 bytes:
 *
 *	 0  u64    bytes         of the device's stream, uncompressed
 *	 8  u64    frames
 *	16  u8[16] digest        XXH3-128 (canonical form), seeded likewise, over the checksums of
 *	                         the device's frames in order: 8 bytes each as stored
 *	32  u64[2] reserved      0
 *
 * IMAGE END payload, 48 bytes:
 *
 *	 0  u64    sections      all before this one, the MANIFEST and skipped ones included
 *	 8  u64    bytes         of all device streams together
 *	16  u8[16] digest        as above, over the checksums of all those sections in order
 *	32  u64[2] reserved      0
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "image/digest.h"

#define IMAGE_MAGIC "\x89VMIG\r\n\x1a"
#define IMAGE_MAJOR 1
#define IMAGE_MINOR 0
#define IMAGE_PAGE 4096u

/*
 * Caps that a reader checks before it allocates anything. IMAGE_MANIFEST_MAX has room for
 * IMAGE_DEVICES_MAX devices, each with 4 KiB of configuration space as hex.
 */
#define IMAGE_DEVICES_MAX 256u
#define IMAGE_MANIFEST_MAX (4u << 20)
#define IMAGE_DATA_MAX (4u << 20) /* of a frame, stored and decompressed */
#define IMAGE_UNKNOWN_MAX (4u << 20) /* of a section that is skipped */

#define IMAGE_NO_DEVICE UINT32_MAX
#define IMAGE_SHA256_SIZE 32u

enum image_section {
	IMAGE_MANIFEST = 1,
	IMAGE_DATA = 2,
	IMAGE_DEVICE_END = 3,
	IMAGE_END = 4,
	IMAGE_SHA256 = 5,
	IMAGE_KEEPALIVE = 6,
};

enum image_flags {
	IMAGE_MANDATORY = 1u << 0,
	IMAGE_ZSTD = 1u << 1, /* DATA only */
};

struct image_header_wire {
	uint8_t magic[8];
	uint16_t major;
	uint16_t minor;
	uint32_t size;
	uint8_t id[16];
	uint64_t created;
	uint64_t reserved[2];
	uint64_t checksum;
};

struct image_section_wire {
	uint32_t type;
	uint32_t flags;
	uint32_t size;
	uint32_t device;
	uint64_t sequence;
	uint64_t offset;
	uint32_t raw_size;
	uint32_t reserved0;
	uint64_t reserved1[2];
	uint64_t checksum;
};

struct image_device_end_wire {
	uint64_t bytes;
	uint64_t frames;
	uint8_t digest[IMAGE_DIGEST_SIZE];
	uint64_t reserved[2];
};

struct image_end_wire {
	uint64_t sections;
	uint64_t bytes;
	uint8_t digest[IMAGE_DIGEST_SIZE];
	uint64_t reserved[2];
};

_Static_assert(sizeof(struct image_header_wire) == 64, "drawn above");
_Static_assert(sizeof(struct image_section_wire) == 64, "drawn above");
_Static_assert(sizeof(struct image_device_end_wire) == 48, "drawn above");
_Static_assert(sizeof(struct image_end_wire) == 48, "drawn above");
_Static_assert(offsetof(struct image_header_wire, checksum) == 56, "drawn above");
_Static_assert(offsetof(struct image_section_wire, checksum) == 56, "drawn above");

#define IMAGE_HEADER_SIZE sizeof(struct image_header_wire)
#define IMAGE_SECTION_HEADER sizeof(struct image_section_wire)
#define IMAGE_END_SIZE sizeof(struct image_end_wire) /* of DEVICE END, too */
#define IMAGE_CHECKSUM_AT 56u /* in both headers; what comes before it is summed */

/* A plain frame that fills 1 MiB together with its header. */
#define IMAGE_FRAME_SIZE (1u << 20)
#define IMAGE_FRAME_PAYLOAD (IMAGE_FRAME_SIZE - 64u)

/* The contents of HEADER. */
struct image_info {
	uint16_t major, minor;
	uint8_t id[16];
	uint64_t created_ns;
};

/* The contents of a section's header; @reserved is the OR of all its reserved fields. */
struct image_head {
	uint32_t type, flags, size, device;
	uint64_t sequence, offset;
	uint32_t raw_size;
	uint64_t reserved;
	uint64_t checksum;
};

/* The contents of DEVICE END, where @count is of frames, and of IMAGE END, of sections. */
struct image_end {
	uint64_t count, bytes;
	uint8_t digest[IMAGE_DIGEST_SIZE];
};

/*
 * Encoding fills exactly the bytes drawn above. Decoding takes exactly that many, checks every
 * field, and leaves to the caller what depends on the rest of the image.
 */

/** image_seed() - the seed of every checksum but the header's */
uint64_t image_seed(const struct image_info *info);

void image_header_encode(const struct image_info *info, uint8_t buf[IMAGE_HEADER_SIZE]);

/**
 * image_header_decode() - from the first @len bytes of what may be an image
 *
 * With fewer than IMAGE_HEADER_SIZE bytes, says whether this can still become a header.
 *
 * Return: 0, or -EBADMSG (ERR_IMAGE).
 */
_must_check_ int image_header_decode(const uint8_t *buf, size_t len, struct image_info *ret,
				     struct err *err);

/** image_head_encode() - @head->checksum included, see image_section_checksum() */
void image_head_encode(const struct image_head *head, uint8_t buf[IMAGE_SECTION_HEADER]);

/** image_head_decode() - Return: 0, or -EBADMSG (ERR_IMAGE) for sizes above the caps. */
_must_check_ int image_head_decode(const uint8_t buf[IMAGE_SECTION_HEADER], struct image_head *ret,
				   struct err *err);

/**
 * image_head_check() - check the fields of a known section that depend on its type alone
 *
 * Return: 0, or -EBADMSG (ERR_IMAGE).
 */
_must_check_ int image_head_check(const struct image_head *head, struct err *err);

void image_device_end_encode(const struct image_end *end, uint8_t buf[IMAGE_END_SIZE]);
void image_end_encode(const struct image_end *end, uint8_t buf[IMAGE_END_SIZE]);
_must_check_ int image_device_end_decode(const uint8_t buf[IMAGE_END_SIZE], struct image_end *ret,
					 struct err *err);
_must_check_ int image_end_decode(const uint8_t buf[IMAGE_END_SIZE], struct image_end *ret,
				  struct err *err);

/** image_section_name() - "DATA"; "section" for a type that is not known */
const char *image_section_name(uint32_t type);
