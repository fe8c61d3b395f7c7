// SPDX-License-Identifier: GPL-2.0-or-later
#include "decode/layout.h"

/*
 * mtty, the kernel's sample: one structure as its compiler laid it out. The header is told in
 * PRE_COPY already, and is what a target checks.
 */

#define MTTY_MAGIC 0x7e9d09898c3e2c4eu

/* clang-format off */
static const struct decode_field mtty_header_fields[] = {
	{ "magic",     0,  8, DECODE_HEX,  DECODE_NO_FACT, NULL },
	{ "major_ver", 8,  4, DECODE_UINT, DECODE_VERSION, NULL },
	{ "minor_ver", 12, 4, DECODE_UINT, DECODE_MINOR,   NULL },
	{ "nr_ports",  16, 4, DECODE_UINT, DECODE_PORTS,   NULL },
	{ "flags",     20, 4, DECODE_HEX,  DECODE_NO_FACT, NULL },
};

static const struct decode_field mtty_port_fields[] = {
	{ "uart_reg",            0,  8, DECODE_OCTETS, DECODE_NO_FACT, NULL },
	{ "fifo",                8, 16, DECODE_OCTETS, DECODE_NO_FACT, NULL },
	{ "head",               24,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "tail",               25,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "count",              26,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "dlab",               27,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "overrun",            28,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "divisor",            30,  2, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "fcr",                32,  1, DECODE_HEX,    DECODE_NO_FACT, NULL },
	{ "max_fifo_size",      33,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
	{ "intr_trigger_level", 34,  1, DECODE_UINT,   DECODE_NO_FACT, NULL },
};
/* clang-format on */

static const struct decode_layout mtty_header = DECODE_LAYOUT("header", 24, mtty_header_fields);
static const struct decode_layout mtty_port = DECODE_LAYOUT("port", 36, mtty_port_fields);

static void mtty_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	uint64_t ports = decode_number(b + 16, 4);

	if (l != &mtty_header)
		return;
	if (decode_number(b + 8, 4) != 1 || decode_number(b + 12, 4) != 0)
		decode_remark(d, "a target takes version 1.0 only: its write fails with EFAULT");
	if (decode_number(b + 20, 4))
		decode_remark(d, "a target takes no flags: its write fails with EFAULT");
	if (ports < 1 || ports > 2) {
		decode_odd(d, decode_header_at(d) + 16, "there is no mtty of %u ports",
			   (unsigned int)ports);
		return;
	}
	decode_then(d, &mtty_port, (uint32_t)ports);
}

const struct decode_driver decode_mtty = {
	.layout = "mtty",
	.driver = "mtty",
	.source = "samples/vfio-mdev/mtty.c",
	.magic = MTTY_MAGIC,
	.magic_size = 8,
	.first = &mtty_header,
	.many = 1,
	.on_header = mtty_on_header,
};
