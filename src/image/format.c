// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <xxhash.h>

#include "base/macros.h"
#include "image/format.h"

/*
 * Known sections, by type.
 * @must, @may: flags that are required, and flags that are allowed besides
 * @cap, @exact: the largest payload, or the only size that it may have
 */
static const struct section_kind {
	const char *name;
	uint32_t must, may;
	uint32_t cap;
	bool exact;
	bool of_device;
} kinds[] = {
#define M IMAGE_MANDATORY
	/* clang-format off */
	[IMAGE_MANIFEST]   = { "MANIFEST",   M, 0,          IMAGE_MANIFEST_MAX, false, false },
	[IMAGE_DATA]       = { "DATA",       M, IMAGE_ZSTD, IMAGE_DATA_MAX,     false, true },
	[IMAGE_DEVICE_END] = { "DEVICE END", M, 0,          IMAGE_END_SIZE,     true,  true },
	[IMAGE_END]        = { "IMAGE END",  M, 0,          IMAGE_END_SIZE,     true,  false },
	[IMAGE_SHA256]     = { "SHA-256",    0, 0,          IMAGE_SHA256_SIZE,  true,  true },
	[IMAGE_KEEPALIVE]  = { "KEEPALIVE",  0, 0,          0,                  true,  false },
/* clang-format on */
#undef M
};

static const struct section_kind *format_kind_of(uint32_t type)
{
	return type < ARRAY_SIZE(kinds) && kinds[type].name ? &kinds[type] : NULL;
}

const char *image_section_name(uint32_t type)
{
	const struct section_kind *kind = format_kind_of(type);

	return kind ? kind->name : "section";
}

uint64_t image_seed(const struct image_info *info)
{
	uint64_t seed;

	memcpy(&seed, info->id, sizeof(seed));
	return le64toh(seed);
}

void image_header_encode(const struct image_info *info, uint8_t buf[IMAGE_HEADER_SIZE])
{
	struct image_header_wire w = {
		.magic = IMAGE_MAGIC,
		.major = htole16(info->major),
		.minor = htole16(info->minor),
		.size = htole32(sizeof(w)),
		.created = htole64(info->created_ns),
	};

	memcpy(w.id, info->id, sizeof(w.id));
	w.checksum = htole64(XXH3_64bits(&w, IMAGE_CHECKSUM_AT));
	memcpy(buf, &w, sizeof(w));
}

int image_header_decode(const uint8_t *buf, size_t len, struct image_info *ret, struct err *err)
{
	struct image_header_wire w = { 0 };
	unsigned int major;

	memcpy(&w, buf, MIN(len, sizeof(w)));
	if (memcmp(w.magic, IMAGE_MAGIC, MIN(len, sizeof(w.magic))) != 0)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "not an image of vfiomigctl");

	/* Another major version may change the layout of all that follows, even the checksum. */
	major = le16toh(w.major);
	if (len >= offsetof(struct image_header_wire, size) && major != IMAGE_MAJOR)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"image version %u.%u; this tool reads version %u", major,
				le16toh(w.minor), IMAGE_MAJOR);
	if (len < sizeof(w))
		return 0;

	if (le64toh(w.checksum) != XXH3_64bits(&w, IMAGE_CHECKSUM_AT))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "checksum of HEADER is wrong");
	if (le32toh(w.size) != sizeof(w))
		return err_fail(err, ERR_IMAGE, -EBADMSG, "HEADER of %" PRIu32 " bytes, not %zu",
				le32toh(w.size), sizeof(w));
	if (w.reserved[0] | w.reserved[1])
		return err_fail(err, ERR_IMAGE, -EBADMSG, "HEADER: reserved bytes are not zero");

	ret->major = IMAGE_MAJOR;
	ret->minor = le16toh(w.minor);
	ret->created_ns = le64toh(w.created);
	memcpy(ret->id, w.id, sizeof(ret->id));
	return 0;
}

void image_head_encode(const struct image_head *head, uint8_t buf[IMAGE_SECTION_HEADER])
{
	struct image_section_wire w = {
		.type = htole32(head->type),
		.flags = htole32(head->flags),
		.size = htole32(head->size),
		.device = htole32(head->device),
		.sequence = htole64(head->sequence),
		.offset = htole64(head->offset),
		.raw_size = htole32(head->raw_size),
		.checksum = htole64(head->checksum),
	};

	memcpy(buf, &w, sizeof(w));
}

/* Check sizes before the checksum can be: the payload is read into a buffer of this size. */
static int format_check_caps(const struct image_head *head, struct err *err)
{
	const struct section_kind *kind = format_kind_of(head->type);
	uint32_t cap = kind ? kind->cap : IMAGE_UNKNOWN_MAX;

	if (head->size > cap)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%s of %" PRIu32 " bytes, more than %" PRIu32,
				image_section_name(head->type), head->size, cap);
	if (kind && head->raw_size > cap)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"%s of %" PRIu32 " bytes once decompressed, more than %" PRIu32,
				kind->name, head->raw_size, cap);
	return 0;
}

int image_head_decode(const uint8_t buf[IMAGE_SECTION_HEADER], struct image_head *ret,
		      struct err *err)
{
	struct image_section_wire w;

	memcpy(&w, buf, sizeof(w));
	*ret = (struct image_head){
		.type = le32toh(w.type),
		.flags = le32toh(w.flags),
		.size = le32toh(w.size),
		.device = le32toh(w.device),
		.sequence = le64toh(w.sequence),
		.offset = le64toh(w.offset),
		.raw_size = le32toh(w.raw_size),
		.reserved = w.reserved0 | w.reserved1[0] | w.reserved1[1],
		.checksum = le64toh(w.checksum),
	};
	return format_check_caps(ret, err);
}

/* A field that only one type of section uses is zero, or IMAGE_NO_DEVICE, in all others. */
static const char *format_fault_of(const struct image_head *head, const struct section_kind *kind)
{
	bool is_data = head->type == IMAGE_DATA;

	if ((head->flags & kind->must) != kind->must || head->flags & ~(kind->must | kind->may))
		return "flags it cannot have";
	if (head->reserved)
		return "reserved bytes are not zero";
	if (kind->exact && head->size != kind->cap)
		return "wrong size";
	if (!kind->exact && (!head->size || !head->raw_size))
		return "no payload";
	if (!(head->flags & IMAGE_ZSTD) && head->raw_size != head->size)
		return "two sizes, but not compressed";
	if (!is_data && (head->sequence || head->offset))
		return "a place in a stream";
	if (!kind->of_device && head->device != IMAGE_NO_DEVICE)
		return "a device";
	return NULL;
}

int image_head_check(const struct image_head *head, struct err *err)
{
	const struct section_kind *kind = format_kind_of(head->type);
	const char *fault;

	if (!kind && !(head->flags & IMAGE_MANDATORY))
		return 0;
	if (!kind)
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"a mandatory section of type %" PRIu32
				", which this tool does not know",
				head->type);
	fault = format_fault_of(head, kind);
	if (fault)
		return err_fail(err, ERR_IMAGE, -EBADMSG, "malformed %s: %s", kind->name, fault);
	return 0;
}

void image_device_end_encode(const struct image_end *end, uint8_t buf[IMAGE_END_SIZE])
{
	struct image_device_end_wire w = {
		.bytes = htole64(end->bytes),
		.frames = htole64(end->count),
	};

	memcpy(w.digest, end->digest, sizeof(w.digest));
	memcpy(buf, &w, sizeof(w));
}

void image_end_encode(const struct image_end *end, uint8_t buf[IMAGE_END_SIZE])
{
	struct image_end_wire w = {
		.sections = htole64(end->count),
		.bytes = htole64(end->bytes),
	};

	memcpy(w.digest, end->digest, sizeof(w.digest));
	memcpy(buf, &w, sizeof(w));
}

int image_device_end_decode(const uint8_t buf[IMAGE_END_SIZE], struct image_end *ret,
			    struct err *err)
{
	struct image_device_end_wire w;

	memcpy(&w, buf, sizeof(w));
	if (w.reserved[0] | w.reserved[1])
		return err_fail(err, ERR_IMAGE, -EBADMSG,
				"DEVICE END: reserved bytes are not zero");
	ret->count = le64toh(w.frames);
	ret->bytes = le64toh(w.bytes);
	memcpy(ret->digest, w.digest, sizeof(ret->digest));
	return 0;
}

int image_end_decode(const uint8_t buf[IMAGE_END_SIZE], struct image_end *ret, struct err *err)
{
	struct image_end_wire w;

	memcpy(&w, buf, sizeof(w));
	if (w.reserved[0] | w.reserved[1])
		return err_fail(err, ERR_IMAGE, -EBADMSG, "IMAGE END: reserved bytes are not zero");
	ret->count = le64toh(w.sections);
	ret->bytes = le64toh(w.bytes);
	memcpy(ret->digest, w.digest, sizeof(ret->digest));
	return 0;
}
