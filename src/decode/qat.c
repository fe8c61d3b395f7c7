// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "decode/layout.h"

/*
 * qat_vfio_pci: two parts, each with a preamble and nested sections: the setup, which is told in
 * PRE_COPY already and is what a target checks as soon as it has it, and the state. The stream is
 * always 4096 bytes; behind the parts there is what the driver's buffer happens to hold.
 */

#define QAT_MAGIC 0xadf5caeau
#define QAT_PREAMBLE 16u
#define QAT_ID 8u

/* clang-format off */
static const struct decode_field qat_preamble_fields[] = {
	{ "magic",    0,  4, DECODE_HEX,  DECODE_NO_FACT, NULL },
	{ "version",  4,  4, DECODE_UINT, DECODE_VERSION, NULL },
	{ "preh_len", 8,  2, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "n_sects",  10, 2, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "size",     12, 4, DECODE_UINT, DECODE_NO_FACT, NULL },
};

static const struct decode_field qat_section_fields[] = {
	{ "id",        0,  QAT_ID, DECODE_TEXT, DECODE_NO_FACT, NULL },
	{ "size",      8,  4, DECODE_UINT, DECODE_NO_FACT, NULL },
	{ "sub_sects", 12, 4, DECODE_UINT, DECODE_NO_FACT, NULL },
};

/* Sections that hold one number. */
static const struct decode_field qat_values[] = {
	{ "gencap",  0, 0, DECODE_HEX,  DECODE_CAPABILITIES, NULL },
	{ "svcmap",  0, 0, DECODE_HEX,  DECODE_SERVICES,     NULL },
	{ "extdc",   0, 0, DECODE_HEX,  DECODE_EXTENDED,     NULL },
	{ "iovinit", 0, 0, DECODE_UINT, DECODE_NO_FACT,      NULL },
	{ "compver", 0, 0, DECODE_UINT, DECODE_NO_FACT,      NULL },
	{ "visrc",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
	{ "vimsk",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
	{ "vispv",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
	{ "vimpv",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
	{ "vm2pf",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
	{ "pf2vm",   0, 0, DECODE_HEX,  DECODE_NO_FACT,      NULL },
};
/* clang-format on */

static const struct decode_layout qat_preamble =
	DECODE_LAYOUT("preamble", QAT_PREAMBLE, qat_preamble_fields);
static const struct decode_layout qat_section = DECODE_LAYOUT("section", 16, qat_section_fields);

/* A longer preamble would be of a later driver, whose fields are not known. */
static void qat_on_preamble(struct decode *d, const uint8_t *b)
{
	uint64_t at = decode_header_at(d), length = decode_number(b + 8, 2);

	if (decode_number(b, 4) != QAT_MAGIC)
		decode_odd(d, at, "no part of a qat stream: it begins with 0x%x",
			   (unsigned int)decode_number(b, 4));
	else if (decode_number(b + 4, 4) > 1)
		decode_remark(d, "a target takes versions up to 1: its write fails with EINVAL");
	if (length != QAT_PREAMBLE) {
		decode_odd(d, at + 8, "a preamble of %u bytes: only one of %u is known",
			   (unsigned int)length, QAT_PREAMBLE);
		return;
	}
	decode_within(d, &qat_section, (uint32_t)decode_number(b + 10, 2),
		      decode_number(b + 12, 4));
}

static void qat_on_header(struct decode *d, const struct decode_layout *l, const uint8_t *b)
{
	uint64_t size = decode_number(b + 8, 4);
	uint32_t members = (uint32_t)decode_number(b + 12, 4);

	if (l == &qat_preamble) {
		qat_on_preamble(d, b);
		return;
	}
	/* No section has as many members; and one more value would mean: any number. */
	if (members == DECODE_ANY) {
		decode_odd(d, decode_header_at(d) + 12, "a section of 0x%x sections", members);
		return;
	}
	if (members) {
		decode_within(d, &qat_section, members, size);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(qat_values); i++)
		if (!strncmp((const char *)b, qat_values[i].name, QAT_ID)) {
			decode_value(d, &qat_values[i], size);
			return;
		}
	decode_payload(d, "state", size);
}

const struct decode_driver decode_qat = {
	.layout = "qat",
	.driver = "qat_vfio_pci",
	.source = "drivers/crypto/intel/qat/qat_common/adf_mstate_mgr.c",
	.magic = QAT_MAGIC,
	.magic_size = 4,
	.first = &qat_preamble,
	.many = 2,
	.on_header = qat_on_header,
	.tail = "unused",
	.max = 4096,
};
