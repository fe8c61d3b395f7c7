// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * virtio_vfio_pci: records as those of mlx5; the data of each is a list of device parts as the
 * admin queue gives them, which the driver passes on unread. What the parts' types mean is for the
 * virtio specification and the device; the kernel names none.
 */

#define VIRTIO_FLAG_OPTIONAL 1u
#define VIRTIO_TAG_DEVICE_DATA 0u

static const struct decode_word virtio_flags[] = { { 0, "mandatory" }, { 1, "optional" }, { 0 } };
static const struct decode_word virtio_tags[] = { { VIRTIO_TAG_DEVICE_DATA, "device parts" },
						  { 0 } };

/* clang-format off */
static const struct decode_field virtio_header_fields[] = {
	{ "record_size", 0, 8, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "flags",       8, 4, DECODE_HEX,  DECODE_NO_FACT, virtio_flags },
	{ "tag",        12, 4, DECODE_UINT, DECODE_NO_FACT, virtio_tags },
};

/* The selector is by the part's type: an offset in the common configuration, or a queue. */
static const struct decode_field virtio_part_fields[] = {
	{ "part_type", 0, 2, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "flags",     2, 1, DECODE_HEX,    DECODE_NO_FACT, virtio_flags },
	{ "selector",  4, 8, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "length",   12, 4, DECODE_UINT,   DECODE_NO_FACT, NULL },
};
/* clang-format on */

static const struct decode_layout virtio_header = DECODE_LAYOUT("record", 16, virtio_header_fields);
static const struct decode_layout virtio_part = DECODE_LAYOUT("part", 16, virtio_part_fields);

static void virtio_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	uint64_t flags, tag;

	if (l == &virtio_part) {
		decode_payload(d, "value", decode_number(b + 12, 4));
		return;
	}
	flags = decode_number(b + 8, 4);
	tag = decode_number(b + 12, 4);
	if (tag == VIRTIO_TAG_DEVICE_DATA) {
		decode_within(d, &virtio_part, DECODE_ANY, decode_number(b, 8));
		return;
	}
	if (!(flags & VIRTIO_FLAG_OPTIONAL))
		decode_remark(d, "a target that does not know the tag refuses it (EOPNOTSUPP)");
	decode_payload(d, "data", decode_number(b, 8));
}

const struct decode_driver decode_virtio = {
	.layout = "virtio",
	.driver = "virtio_vfio_pci",
	.source = "drivers/vfio/pci/virtio/common.h, include/uapi/linux/virtio_pci.h",
	.first = &virtio_header,
	.many = DECODE_ANY,
	.on_header = virtio_on_header,
};
