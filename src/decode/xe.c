// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * xe_vfio_pci: packets of a 24-byte header and data; a descriptor first, a trailer last. The
 * descriptor's data are keys, lengths in dwords and values; early drivers wrote none.
 */

#define XE_VERSION 1u
#define XE_KEY_DEVICE 0xf001u
#define XE_KEY_REVISION 0xf002u

enum xe_packet {
	XE_DESCRIPTOR = 1,
	XE_TRAILER,
	XE_GGTT,
	XE_MMIO,
	XE_GUC,
	XE_VRAM
};

static const struct decode_word xe_types[] = {
	{ XE_DESCRIPTOR, "descriptor" },
	{ XE_TRAILER, "trailer" },
	{ XE_GGTT, "global page table" },
	{ XE_MMIO, "registers" },
	{ XE_GUC, "GuC firmware's state" },
	{ XE_VRAM, "video memory" },
	{ 0 },
};
static const struct decode_word xe_keys[] = {
	{ XE_KEY_DEVICE, "device id" },
	{ XE_KEY_REVISION, "revision" },
	{ 0 },
};

/* clang-format off */
static const struct decode_field xe_packet_fields[] = {
	{ "version", 0,  1, DECODE_UINT, DECODE_VERSION, NULL },
	{ "type",    1,  1, DECODE_UINT, DECODE_NO_FACT, xe_types },
	{ "tile_id", 2,  1, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "gt_id",   3,  1, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "flags",   4,  4, DECODE_HEX,  DECODE_NO_FACT, NULL },
	{ "offset",  8,  8, DECODE_HEX,  DECODE_NO_FACT, NULL },
	{ "size",    16, 8, DECODE_UINT, DECODE_NO_FACT, NULL },
};

static const struct decode_field xe_klv_fields[] = {
	{ "len", 0, 2, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "key", 2, 2, DECODE_HEX,  DECODE_NO_FACT, xe_keys },
};
/* clang-format on */

static const struct decode_layout xe_packet = DECODE_LAYOUT("packet", 24, xe_packet_fields);
static const struct decode_layout xe_klv = DECODE_LAYOUT("entry", 4, xe_klv_fields);

static void xe_on_entry(struct decode *d, const uint8_t *b)
{
	static const struct decode_field device = { .name = "devid",
						    .kind = DECODE_HEX,
						    .fact = DECODE_DEVICE_ID };
	static const struct decode_field revision = { .name = "revid",
						      .kind = DECODE_HEX,
						      .fact = DECODE_REVISION };
	uint64_t size = 4 * decode_number(b, 2), key = decode_number(b + 2, 2);

	if (key == XE_KEY_DEVICE)
		decode_value(d, &device, size);
	else if (key == XE_KEY_REVISION)
		decode_value(d, &revision, size);
	else
		decode_payload(d, "value", size);
}

static void xe_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	uint64_t at = decode_header_at(d), size = decode_number(b + 16, 8);

	if (l == &xe_klv) {
		xe_on_entry(d, b);
		return;
	}
	if (b[0] != XE_VERSION) {
		decode_odd(d, at, "version %u of a packet: only %u is known", b[0], XE_VERSION);
		return;
	}
	if (!at && b[1] != XE_DESCRIPTOR)
		decode_remark(d, "the descriptor should be first");
	if (b[1] < XE_DESCRIPTOR || b[1] > XE_VRAM)
		decode_remark(d, "a target that does not know the type refuses it (EINVAL)");
	if (b[1] == XE_TRAILER)
		decode_then(d, &xe_packet, 0);
	if (b[1] == XE_DESCRIPTOR)
		decode_within(d, &xe_klv, DECODE_ANY, size);
	else
		decode_payload(d, "data", size);
}

const struct decode_driver decode_xe = {
	.layout = "xe",
	.driver = "xe_vfio_pci",
	.source = "drivers/gpu/drm/xe/xe_sriov_packet_types.h",
	.first = &xe_packet,
	.many = DECODE_ANY,
	.on_header = xe_on_header,
};
