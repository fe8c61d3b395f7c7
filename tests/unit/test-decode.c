// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Decoders of drivers' streams, on streams that are built here by hand, from the drivers' sources.
 *
 * Each is told as lines of text, and compared as a whole.
 */

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "decode/decode.h"

/* A stream that is being built. */
struct stream {
	uint8_t bytes[8192];
	size_t len;
};

static void put(struct stream *s, unsigned int size, uint64_t value)
{
	assert_true(s->len + size <= sizeof(s->bytes));
	for (unsigned int i = 0; i < size; i++)
		s->bytes[s->len++] = (uint8_t)(i < 8 ? value >> 8 * i : 0);
}

static void put_id(struct stream *s, const char *id, uint32_t size, uint32_t members)
{
	for (size_t i = 0; i < 8; i++)
		put(s, 1, i < strlen(id) ? (uint64_t)id[i] : 0);
	put(s, 4, size);
	put(s, 4, members);
}

/* What was told. */
struct told {
	char text[16384];
	size_t len;
	struct decode_result result;
};

static void tell(void *ctx, const struct decode_node *n)
{
	struct told *t = ctx;
	char value[256] = "";

	if (n->kind == DECODE_UINT)
		(void)snprintf(value, sizeof(value), " %" PRIu64, n->value);
	else if (n->kind == DECODE_HEX)
		(void)snprintf(value, sizeof(value), " 0x%" PRIx64, n->value);
	else if (n->kind == DECODE_TEXT || n->kind == DECODE_REMARK)
		(void)snprintf(value, sizeof(value), " '%s'", n->text);
	else if (n->kind == DECODE_OCTETS)
		(void)snprintf(value, sizeof(value), " %02x..%02x", n->bytes[0],
			       n->bytes[n->size - 1]);
	if (t->len < sizeof(t->text) - 512)
		t->len += (size_t)snprintf(t->text + t->len, 512,
					   "%*s%" PRIu64 "+%" PRIu64 " %s%s%s%s\n", (int)n->depth,
					   "", n->at, n->size, n->name, value,
					   n->meaning ? ": " : "", n->meaning ? n->meaning : "");
}

static void decode_in_pieces(const char *driver, const uint8_t *bytes, size_t len, size_t piece,
			     bool complete, struct told *t)
{
	struct err err = { 0 };
	struct decode *d;

	memset(t, 0, sizeof(*t));
	assert_int_equal(decode_new(driver, tell, t, &d, &err), 0);
	for (size_t at = 0; at < len; at += piece)
		decode_push(d, bytes + at, MIN(piece, len - at));
	decode_finish(d, complete);
	t->result = *decode_result(d);
	decode_free(d);
}

/* Say the same in pieces of any size, and never that a beginning is cut off. */
static void decode_whole(const char *driver, const struct stream *s, struct told *t)
{
	static const size_t pieces[] = { 1, 3, 7, 16, 100 };
	struct told other;

	decode_in_pieces(driver, s->bytes, s->len, sizeof(s->bytes), true, t);
	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		decode_in_pieces(driver, s->bytes, s->len, pieces[i], true, &other);
		assert_string_equal(other.text, t->text);
		assert_string_equal(other.result.odd, t->result.odd);
	}
	/* Of a driver that is not known, a magic number has to be there. */
	for (size_t cut = 8; cut < s->len && !t->result.odd[0]; cut++) {
		decode_in_pieces(driver, s->bytes, cut, 64, false, &other);
		assert_string_equal(other.result.odd, "");
	}
}

static void expect(const struct told *t, const char *text, const char *odd)
{
	assert_string_equal(t->text, text);
	assert_string_equal(t->result.odd, odd);
}

static void put_mlx5(struct stream *s, uint64_t size, uint32_t flags, uint32_t tag)
{
	put(s, 8, size);
	put(s, 4, flags);
	put(s, 4, tag);
}

static void mlx5(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_mlx5(&s, 8, 1, 1);
	put(&s, 8, 8388608);
	put_mlx5(&s, 5, 0, 0);
	put(&s, 5, 0);
	put_mlx5(&s, 3, 1, 7);
	put(&s, 3, 0);
	put_mlx5(&s, 0, 0, 9);
	decode_whole("mlx5_vfio_pci", &s, &t);
	expect(&t,
	       "0+16 record\n"
	       " 0+8 record_size 8\n"
	       " 8+4 flags 0x1: optional\n"
	       " 12+4 tag 1: size that STOP_COPY is expected to take\n"
	       " 16+8 stop_copy_size 8388608\n"
	       "24+16 record\n"
	       " 24+8 record_size 5\n"
	       " 32+4 flags 0x0: mandatory\n"
	       " 36+4 tag 0: firmware image\n"
	       " 40+5 image\n"
	       "45+16 record\n"
	       " 45+8 record_size 3\n"
	       " 53+4 flags 0x1: optional\n"
	       " 57+4 tag 7\n"
	       " 61+3 data\n"
	       "64+16 record\n"
	       " 64+8 record_size 0\n"
	       " 72+4 flags 0x0: mandatory\n"
	       " 76+4 tag 9\n"
	       " 64+0 remark 'a target that does not know the tag refuses it (EOPNOTSUPP)'\n",
	       "");
	assert_int_equal(t.result.by, DECODE_BY_DRIVER);
	assert_string_equal(t.result.layout, "mlx5");
}

/* Whatever a length says, it is compared and counted, never believed. */
static void lengths_of_no_sense(void **state)
{
	static const struct {
		uint64_t size;
		const char *odd;
	} rows[] = {
		{ UINT64_MAX, "a record of 18446744073709551615 bytes where 18446744073709551599 "
			      "are left" },
		{ UINT64_MAX - 15, "a record of 18446744073709551600 bytes where "
				   "18446744073709551599 are left" },
		{ UINT64_MAX - 16, "cut off: 18446744073709551599 more bytes were announced" },
		{ 1, "cut off: 1 more bytes were announced" },
	};
	struct told t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stream s = { 0 };

		put_mlx5(&s, rows[i].size, 0, 0);
		decode_whole("mlx5_vfio_pci", &s, &t);
		assert_string_equal(t.result.odd, rows[i].odd);
	}
}

static void put_hisi_acc(struct stream *s, uint64_t magic, uint32_t qm_state)
{
	put(s, 8, magic);
	put(s, 4, 16);
	put(s, 4, 0xa251);
	put(s, 4, 3);
	put(s, 4, 32);
	put(s, 4, qm_state);
	put(s, 2, 1);
	put(s, 2, 0);
	put(s, 8, 0);
}

#define HISI_ACC_MATCH(magic, state)    \
	"0+40 match data\n"             \
	" 0+8 acc_magic " magic "\n"    \
	" 8+4 qp_num 16\n"              \
	" 12+4 dev_id 0xa251\n"         \
	" 16+4 que_iso_cfg 0x3\n"       \
	" 20+4 qp_base 32\n"            \
	" 24+4 vf_qm_state " state "\n" \
	" 28+2 major_ver 1\n"           \
	" 30+2 minor_ver 0\n"           \
	" 32+8 qm_rsv_state 00..00\n"

static void hisi_acc(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_hisi_acc(&s, 0xaaccfeeddecadede, 1);
	decode_whole("hisi_acc_vfio_pci", &s, &t);
	expect(&t,
	       HISI_ACC_MATCH("0xaaccfeeddecadede: with version numbers",
			      "1: no guest's driver: nothing more is saved"),
	       "");
	assert_true(t.result.has[DECODE_QUEUES] && t.result.facts[DECODE_QUEUES] == 16);
	assert_true(t.result.has[DECODE_DEVICE_ID] && t.result.facts[DECODE_DEVICE_ID] == 0xa251);
	assert_true(t.result.has[DECODE_ISOLATION] && t.result.facts[DECODE_ISOLATION] == 3);
	assert_false(t.result.has[DECODE_PORTS]);

	memset(&s, 0, sizeof(s));
	put_hisi_acc(&s, 0xaaccfeeddecadede, 0);
	put(&s, 4, 1);
	put(&s, 20, 2);
	put(&s, 28, 0x11);
	put(&s, 28, 0x12);
	put(&s, 24, 0);
	put(&s, 8, 0x1000);
	put(&s, 8, 0x2000);
	put(&s, 8, 0x3000);
	put(&s, 8, 0);
	assert_int_equal(s.len, 176);
	decode_whole("migsim", &s, &t);
	expect(&t,
	       HISI_ACC_MATCH(
		       "0xaaccfeeddecadede: with version numbers",
		       "0: ready") "40+136 queue manager\n"
				   " 40+4 aeq_int_mask 0x1\n"
				   " 44+4 eq_int_mask 0x2\n"
				   " 48+4 ifc_int_source 0x0\n"
				   " 52+4 ifc_int_mask 0x0\n"
				   " 56+4 ifc_int_set 0x0\n"
				   " 60+4 page_size 0x0\n"
				   " 64+28 qm_eqc_dw 11..00\n"
				   " 92+28 qm_aeqc_dw 12..00\n"
				   " 120+20 qm_rsv_regs 00..00\n"
				   " 144+8 eqe_dma 0x1000\n"
				   " 152+8 aeqe_dma 0x2000\n"
				   " 160+8 sqc_dma 0x3000\n"
				   " 168+8 cqc_dma 0x0\n"
				   " 40+0 remark 'an address is 0: nothing will be loaded'\n",
	       "");
	assert_int_equal(t.result.by, DECODE_BY_MAGIC);

	put(&s, 2, 0);
	decode_whole("hisi_acc_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd, "2 bytes follow what should be the end");
	assert_int_equal(t.result.odd_at, 176);
}

static void put_qat(struct stream *s, uint32_t sections, uint32_t size)
{
	put(s, 4, 0xadf5caea);
	put(s, 4, 1);
	put(s, 2, 16);
	put(s, 2, sections);
	put(s, 4, size);
}

/* Setup of one section with three members, state of one with one that is not looked into. */
static void put_qat_parts(struct stream *s)
{
	put_qat(s, 1, 74);
	put_id(s, "CONFIG", 58, 3);
	put_id(s, "gencap", 4, 0);
	put(s, 4, 0xff);
	put_id(s, "svcmap", 2, 0);
	put(s, 2, 0x1234);
	put_id(s, "extdc", 4, 0);
	put(s, 4, 1);
	put_qat(s, 1, 35);
	put_id(s, "ETRBAR", 19, 1);
	put_id(s, "b\x1bk0", 3, 0);
	put(s, 3, 0);
}

static void qat(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_qat_parts(&s);
	put(&s, (unsigned int)(4096 - s.len), 0);
	decode_whole("qat_vfio_pci", &s, &t);
	expect(&t,
	       "0+16 preamble\n"
	       " 0+4 magic 0xadf5caea\n"
	       " 4+4 version 1\n"
	       " 8+2 preh_len 16\n"
	       " 10+2 n_sects 1\n"
	       " 12+4 size 74\n"
	       " 16+16 section\n"
	       "  16+8 id 'CONFIG'\n"
	       "  24+4 size 58\n"
	       "  28+4 sub_sects 3\n"
	       "  32+16 section\n"
	       "   32+8 id 'gencap'\n"
	       "   40+4 size 4\n"
	       "   44+4 sub_sects 0\n"
	       "   48+4 gencap 0xff\n"
	       "  52+16 section\n"
	       "   52+8 id 'svcmap'\n"
	       "   60+4 size 2\n"
	       "   64+4 sub_sects 0\n"
	       "   68+2 svcmap 0x1234\n"
	       "  70+16 section\n"
	       "   70+8 id 'extdc'\n"
	       "   78+4 size 4\n"
	       "   82+4 sub_sects 0\n"
	       "   86+4 extdc 0x1\n"
	       "90+16 preamble\n"
	       " 90+4 magic 0xadf5caea\n"
	       " 94+4 version 1\n"
	       " 98+2 preh_len 16\n"
	       " 100+2 n_sects 1\n"
	       " 102+4 size 35\n"
	       " 106+16 section\n"
	       "  106+8 id 'ETRBAR'\n"
	       "  114+4 size 19\n"
	       "  118+4 sub_sects 1\n"
	       "  122+16 section\n"
	       "   122+8 id 'b?k0'\n"
	       "   130+4 size 3\n"
	       "   134+4 sub_sects 0\n"
	       "   138+3 state\n"
	       "141+3955 unused\n",
	       "");
	assert_int_equal(t.result.facts[DECODE_CAPABILITIES], 0xff);
	assert_int_equal(t.result.facts[DECODE_SERVICES], 0x1234);

	put(&s, 1, 0);
	decode_whole("qat_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd, "longer than the 4096 bytes that a target takes");
}

/* One number of the stream is changed. */
static void qat_that_is_none(void **state)
{
	static const struct {
		size_t at;
		unsigned int size;
		uint64_t value, odd_at;
		const char *odd;
	} rows[] = {
		{ 0, 4, 1, 0, "no stream of qat: it begins with 0x1, not 0xadf5caea" },
		{ 0, 4, 0xeacaf5ad, 0,
		  "the magic number is big-endian: of a machine of that byte order" },
		{ 8, 2, 17, 8, "a preamble of 17 bytes: only one of 16 is known" },
		{ 10, 2, 2, 90, "1 more records are announced than there is room for" },
		{ 12, 4, 73, 16, "a record of 58 bytes where 57 are left" },
		{ 24, 4, 57, 70, "a record of 4 bytes where 3 are left" },
		{ 28, 4, 4, 90, "1 more records are announced than there is room for" },
		{ 28, 4, UINT32_MAX, 28, "a section of 0xffffffff sections" },
		{ 90, 4, 1, 90, "no part of a qat stream: it begins with 0x1" },
	};
	struct told t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stream s = { 0 };

		put_qat_parts(&s);
		for (unsigned int n = 0; n < rows[i].size; n++)
			s.bytes[rows[i].at + n] = (uint8_t)(rows[i].value >> 8 * n);
		decode_whole("qat_vfio_pci", &s, &t);
		assert_string_equal(t.result.odd, rows[i].odd);
		assert_int_equal(t.result.odd_at, rows[i].odd_at);
	}
}

static void records_in_records_without_end(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_qat(&s, 1, 16 * 10);
	for (uint32_t i = 1; i <= 10; i++)
		put_id(&s, "deeper", 16 * (10 - i), 1);
	decode_whole("qat_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd, "records lie more than 8 deep");
}

static void virtio(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_mlx5(&s, 36, 0, 0);
	put(&s, 2, 0x101);
	put(&s, 2, 1);
	put(&s, 8, 5);
	put(&s, 4, 4);
	put(&s, 4, 0);
	put(&s, 16, 0x100);
	put_mlx5(&s, 20, 0, 0);
	put(&s, 12, 0);
	put(&s, 4, 5);
	put(&s, 4, 0);
	decode_whole("virtio_vfio_pci", &s, &t);
	expect(&t,
	       "0+16 record\n"
	       " 0+8 record_size 36\n"
	       " 8+4 flags 0x0: mandatory\n"
	       " 12+4 tag 0: device parts\n"
	       " 16+16 part\n"
	       "  16+2 part_type 0x101\n"
	       "  18+1 flags 0x1: optional\n"
	       "  20+8 selector 0x5\n"
	       "  28+4 length 4\n"
	       "  32+4 value\n"
	       " 36+16 part\n"
	       "  36+2 part_type 0x100\n"
	       "  38+1 flags 0x0: mandatory\n"
	       "  40+8 selector 0x0\n"
	       "  48+4 length 0\n"
	       "52+16 record\n"
	       " 52+8 record_size 20\n"
	       " 60+4 flags 0x0: mandatory\n"
	       " 64+4 tag 0: device parts\n"
	       " 68+16 part\n"
	       "  68+2 part_type 0x0\n"
	       "  70+1 flags 0x0: mandatory\n"
	       "  72+8 selector 0x0\n"
	       "  80+4 length 5\n",
	       "a record of 5 bytes where 4 are left");
	assert_int_equal(t.result.odd_at, 68);
}

static void a_border_before_the_end_of_a_header(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_mlx5(&s, 15, 0, 0);
	put(&s, 15, 0);
	decode_whole("virtio_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd,
			    "15 bytes are left where a record of 16 bytes should begin");
	assert_int_equal(t.result.odd_at, 16);
}

static void put_xe(struct stream *s, uint32_t version, uint32_t type, uint64_t offset,
		   uint64_t size)
{
	put(s, 1, version);
	put(s, 1, type);
	put(s, 2, 0x0100);
	put(s, 4, 0);
	put(s, 8, offset);
	put(s, 8, size);
}

static void xe(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_xe(&s, 1, 1, 0, 24);
	put(&s, 4, 0xf0010001);
	put(&s, 4, 0xb080);
	put(&s, 4, 0xf0020001);
	put(&s, 4, 4);
	put(&s, 4, 0xf0770001);
	put(&s, 4, 9);
	put_xe(&s, 1, 6, 0x1000, 2);
	put(&s, 2, 0);
	put_xe(&s, 1, 2, 0, 0);
	decode_whole("xe_vfio_pci", &s, &t);
	expect(&t,
	       "0+24 packet\n"
	       " 0+1 version 1\n 1+1 type 1: descriptor\n 2+1 tile_id 0\n 3+1 gt_id 1\n"
	       " 4+4 flags 0x0\n 8+8 offset 0x0\n 16+8 size 24\n"
	       " 24+4 entry\n  24+2 len 1\n  26+2 key 0xf001: device id\n  28+4 devid 0xb080\n"
	       " 32+4 entry\n  32+2 len 1\n  34+2 key 0xf002: revision\n  36+4 revid 0x4\n"
	       " 40+4 entry\n  40+2 len 1\n  42+2 key 0xf077\n  44+4 value\n"
	       "48+24 packet\n"
	       " 48+1 version 1\n 49+1 type 6: video memory\n 50+1 tile_id 0\n 51+1 gt_id 1\n"
	       " 52+4 flags 0x0\n 56+8 offset 0x1000\n 64+8 size 2\n"
	       " 72+2 data\n"
	       "74+24 packet\n"
	       " 74+1 version 1\n 75+1 type 2: trailer\n 76+1 tile_id 0\n 77+1 gt_id 1\n"
	       " 78+4 flags 0x0\n 82+8 offset 0x0\n 90+8 size 0\n",
	       "");
	assert_int_equal(t.result.facts[DECODE_DEVICE_ID], 0xb080);
	assert_int_equal(t.result.facts[DECODE_REVISION], 4);

	put_xe(&s, 1, 6, 0, 0);
	decode_whole("xe_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd, "24 bytes follow what should be the end");

	memset(&s, 0, sizeof(s));
	put_xe(&s, 2, 1, 0, 0);
	decode_whole("xe_vfio_pci", &s, &t);
	assert_string_equal(t.result.odd, "version 2 of a packet: only 1 is known");
}

static void pds(void **state)
{
	static uint8_t bytes[65537];
	struct told t;

	(void)state;
	decode_in_pieces("pds_vfio_pci", bytes, 65536, 4096, true, &t);
	expect(&t, "0+65536 device state\n", "");
	decode_in_pieces("pds_vfio_pci", bytes, 65537, 4096, true, &t);
	expect(&t, "0+65537 device state\n", "longer than the 65536 bytes that a target takes");
}

static void put_mtty(struct stream *s, uint32_t major, uint32_t ports, uint32_t flags)
{
	put(s, 8, 0x7e9d09898c3e2c4e);
	put(s, 4, major);
	put(s, 4, 0);
	put(s, 4, ports);
	put(s, 4, flags);
}

static void mtty(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_mtty(&s, 1, 2, 0);
	put(&s, 36, 0x41);
	put(&s, 30, 0);
	put(&s, 2, 12);
	put(&s, 4, 0x01100000 | 0x41);
	decode_whole("mtty", &s, &t);
	expect(&t,
	       "0+24 header\n"
	       " 0+8 magic 0x7e9d09898c3e2c4e\n 8+4 major_ver 1\n 12+4 minor_ver 0\n"
	       " 16+4 nr_ports 2\n 20+4 flags 0x0\n"
	       "24+36 port\n"
	       " 24+8 uart_reg 41..00\n 32+16 fifo 00..00\n 48+1 head 0\n 49+1 tail 0\n"
	       " 50+1 count 0\n 51+1 dlab 0\n 52+1 overrun 0\n 54+2 divisor 0\n 56+1 fcr 0x0\n"
	       " 57+1 max_fifo_size 0\n 58+1 intr_trigger_level 0\n"
	       "60+36 port\n"
	       " 60+8 uart_reg 00..00\n 68+16 fifo 00..00\n 84+1 head 0\n 85+1 tail 0\n"
	       " 86+1 count 0\n 87+1 dlab 0\n 88+1 overrun 0\n 90+2 divisor 12\n 92+1 fcr 0x41\n"
	       " 93+1 max_fifo_size 0\n 94+1 intr_trigger_level 16\n",
	       "");

	memset(&s, 0, sizeof(s));
	put_mtty(&s, 2, 3, 1);
	decode_whole("mtty", &s, &t);
	assert_non_null(strstr(t.text, "a target takes version 1.0 only"));
	assert_non_null(strstr(t.text, "a target takes no flags"));
	assert_string_equal(t.result.odd, "there is no mtty of 3 ports");
	assert_int_equal(t.result.odd_at, 16);
}

/* Each stream, cut after each byte: if it was no border of records, that is said. */
static void cut_off(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put_mtty(&s, 1, 1, 0);
	put(&s, 36, 0);
	for (size_t cut = 0; cut < s.len; cut++) {
		decode_in_pieces("mtty", s.bytes, cut, 5, true, &t);
		assert_non_null(strstr(t.result.odd, "cut off"));
	}
	memset(&s, 0, sizeof(s));
	put_mlx5(&s, 4, 0, 0);
	put(&s, 4, 0);
	for (size_t cut = 1; cut < s.len; cut++) {
		decode_in_pieces("mlx5_vfio_pci", s.bytes, cut, 5, true, &t);
		assert_non_null(strstr(t.result.odd, "cut off"));
	}
	memset(&s, 0, sizeof(s));
	put_qat_parts(&s);
	for (size_t cut = 0; cut < s.len; cut++) {
		decode_in_pieces("qat_vfio_pci", s.bytes, cut, 5, true, &t);
		assert_non_null(strstr(t.result.odd, "cut off"));
	}
}

static void unknown_streams(void **state)
{
	struct stream s = { 0 };
	struct told t;

	(void)state;
	put(&s, 100, 7);
	decode_whole(NULL, &s, &t);
	expect(&t, "", "no decoder: neither the driver nor the first bytes are known");
	assert_int_equal(t.result.by, DECODE_BY_NONE);
	assert_null(t.result.layout);
	assert_int_equal(t.result.bytes, 100);
	decode_in_pieces("some_driver", s.bytes, 3, 1, true, &t);
	assert_int_equal(t.result.by, DECODE_BY_NONE);
	assert_int_not_equal(t.result.odd[0], 0);
	decode_in_pieces(NULL, s.bytes, 0, 1, true, &t);
	expect(&t, "", "");
	decode_in_pieces("mlx5_vfio_pci", s.bytes, 0, 1, true, &t);
	expect(&t, "", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mlx5),
		cmocka_unit_test(lengths_of_no_sense),
		cmocka_unit_test(hisi_acc),
		cmocka_unit_test(qat),
		cmocka_unit_test(qat_that_is_none),
		cmocka_unit_test(records_in_records_without_end),
		cmocka_unit_test(virtio),
		cmocka_unit_test(a_border_before_the_end_of_a_header),
		cmocka_unit_test(xe),
		cmocka_unit_test(pds),
		cmocka_unit_test(mtty),
		cmocka_unit_test(cut_off),
		cmocka_unit_test(unknown_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
