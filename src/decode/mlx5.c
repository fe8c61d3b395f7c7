// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * mlx5_vfio_pci: records of a 16-byte header and data, one a firmware image or chunk of one. There
 * is no version; what a target's firmware makes of an image, only that firmware knows.
 */

#define MLX5_FLAG_OPTIONAL 1u
#define MLX5_TAG_FW_DATA 0u
#define MLX5_TAG_STOP_COPY_SIZE 1u

/* The size in the firmware's LOAD_VHCA_STATE command has 32 bits. */
#define MLX5_LOAD_MAX UINT32_MAX

static const struct decode_word mlx5_flags[] = { { 0, "mandatory" }, { 1, "optional" }, { 0 } };
static const struct decode_word mlx5_tags[] = {
	{ MLX5_TAG_FW_DATA, "firmware image" },
	{ MLX5_TAG_STOP_COPY_SIZE, "size that STOP_COPY is expected to take" },
	{ 0 },
};

/* clang-format off */
static const struct decode_field mlx5_header_fields[] = {
	{ "record_size", 0, 8, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "flags",       8, 4, DECODE_HEX,  DECODE_NO_FACT, mlx5_flags },
	{ "tag",        12, 4, DECODE_UINT, DECODE_NO_FACT, mlx5_tags },
};
/* clang-format on */

static const struct decode_layout mlx5_header = DECODE_LAYOUT("record", 16, mlx5_header_fields);

static void mlx5_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	static const struct decode_field stop_copy_size = { .name = "stop_copy_size",
							    .kind = DECODE_UINT };
	uint64_t size = decode_number(b, 8), flags = decode_number(b + 8, 4),
		 tag = decode_number(b + 12, 4);

	(void)l;
	if (size > MLX5_LOAD_MAX)
		decode_remark(d, "larger than a target takes: its write fails with ENOMEM");
	if (tag == MLX5_TAG_STOP_COPY_SIZE) {
		decode_value(d, &stop_copy_size, size);
		return;
	}
	if (tag != MLX5_TAG_FW_DATA && !(flags & MLX5_FLAG_OPTIONAL))
		decode_remark(d, "a target that does not know the tag refuses it (EOPNOTSUPP)");
	decode_payload(d, tag == MLX5_TAG_FW_DATA ? "image" : "data", size);
}

const struct decode_driver decode_mlx5 = {
	.layout = "mlx5",
	.driver = "mlx5_vfio_pci",
	.source = "drivers/vfio/pci/mlx5/cmd.h",
	.first = &mlx5_header,
	.many = DECODE_ANY,
	.on_header = mlx5_on_header,
};
