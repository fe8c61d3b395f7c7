// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Images that are damaged, truncated, mixed up or malicious. Damage is tested bit by bit; malicious
 * images have valid checksums, so that the other checks have to find them.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "image-fixture.h"

#define SECTIONS_MAX 32

/* Two devices with two frames each: places of the sections. */
enum {
	MANIFEST,
	D0_0,
	D1_0,
	D0_1,
	D1_1,
	D0_END,
	D1_END,
	IMG_END,
	N_SECTIONS
};

struct fixture {
	struct bytes image;
	size_t at[SECTIONS_MAX];
};

static const struct image_spec two_devices = {
	.n_devices = 2,
	.sizes = { 5000, 5000 },
	.frame = 4032,
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->image = image_make(&two_devices);
	assert_int_equal(forge_sections(f->image.p, f->image.len, f->at, SECTIONS_MAX), N_SECTIONS);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	bytes_done(&f->image);
	free(f);
	return 0;
}

static uint8_t *section(const struct fixture *f, int i)
{
	return f->image.p + f->at[i];
}

static void sign(struct fixture *f)
{
	forge_sign(f->image.p, f->image.len);
}

/* Signed and refused for what it says, or good. */
static void assert_signed_refused(struct fixture *f, const char *text)
{
	sign(f);
	assert_refused(&f->image, text);
}

static void swap_pages(const struct fixture *f, int a, int b)
{
	uint8_t page[4096];

	memcpy(page, section(f, a), sizeof(page));
	memcpy(section(f, a), section(f, b), sizeof(page));
	memcpy(section(f, b), page, sizeof(page));
}

/* Insert a copy of section @i, which is of one page, before section @before. */
static void copy_section(struct fixture *f, int i, int before)
{
	const uint8_t *s = section(f, i);
	struct bytes payload = { 0 };
	uint8_t head[64];

	memcpy(head, s, sizeof(head));
	bytes_add(&payload, s + AT_PAYLOAD, get32(s + AT_SIZE));
	forge_section(&f->image, f->at[before], 0, 0, 0, payload.p, (uint32_t)payload.len);
	memcpy(section(f, before), head, sizeof(head));
	bytes_done(&payload);
}

/* Damage */

static const struct image_spec smallest = { .n_devices = 1, .sizes = { 100 } };

static void an_image_with_any_bit_flipped_is_refused(void **state)
{
	struct bytes image = image_make(&smallest);

	(void)state;
	for (size_t bit = 0; bit < 8 * image.len; bit++) {
		struct heard h = { 0 };
		struct err err = { 0 };
		size_t page = bit / 8 / 4096 * 4096;
		int r;

		image.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		r = image_parse(image.p, image.len, 0, &h, &err);
		image.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		if (r != -EBADMSG || err.kind != ERR_IMAGE)
			fail_msg("byte %zu, bit %zu: %d", bit / 8, bit % 8, r);
		/* Every section is one page, and nothing was heard of the damaged one. */
		if (h.told_to > page)
			fail_msg("byte %zu: heard of what lies there", bit / 8);
	}
	bytes_done(&image);
}

static void an_image_cut_at_any_byte_is_refused(void **state)
{
	struct fixture *f = *state;

	for (size_t len = 0; len < f->image.len; len++) {
		struct heard h = { 0 };
		struct err err = { 0 };

		if (image_parse(f->image.p, len, 0, &h, &err) != -EBADMSG ||
		    err.kind != ERR_IMAGE || h.ends + h.begins == two_devices.n_devices + 2)
			fail_msg("%zu bytes of it were taken for whole", len);
	}
}

/* As above, but one parser sees the end come closer: it must not say so a byte too early. */
static void an_image_is_complete_with_its_last_byte_and_not_before(void **state)
{
	struct fixture *f = *state;
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct heard h = { 0 };
	size_t room;
	void *buf;

	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	for (size_t at = 0; at < f->image.len; at++) {
		assert_int_equal(image_parser_eof(p, NULL), -EBADMSG);
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		*(uint8_t *)buf = f->image.p[at];
		assert_int_equal(image_parser_filled(p, 1, NULL),
				 at + 1 < f->image.len ? IMAGE_MORE : IMAGE_COMPLETE);
	}
	assert_int_equal(image_parser_eof(p, NULL), 0);
}

static void anything_appended_is_refused(void **state)
{
	struct fixture *f = *state;
	static const uint8_t ones[64] = { 1, 1 }, zeros[64];
	size_t len = f->image.len;

	for (size_t n = 1; n <= 64; n++) {
		f->image.len = len;
		bytes_add(&f->image, zeros, n);
		assert_refused(&f->image, "bytes after the end");
		f->image.len = len;
		bytes_add(&f->image, ones, n);
		assert_refused(&f->image, "bytes after the end");
	}
}

static void bytes_appended_after_the_parser_is_done_are_refused(void **state)
{
	struct fixture *f = *state;
	struct heard h = { 0 };
	struct err err = { 0 };

	bytes_add(&f->image, "x", 1);
	assert_int_equal(image_parse(f->image.p, f->image.len, 4096, &h, &err), -EBADMSG);
	assert_string_equal(err.text, "at byte 36864: bytes after the end of the image");
}

/* As image_parse() sees to, in pieces of any size and of every kind of section. */
static void no_more_is_asked_for_than_is_sure_to_come(void **state)
{
	static const struct image_spec specs[] = {
		{ .n_devices = 1 },
		{ .n_devices = 2, .sizes = { 9000, 4500 }, .frame = 5000, .sha256 = true },
		{ .n_devices = 2, .sizes = { 30000, 100 }, .frame = 20000, .zstd_level = 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct bytes image = image_make(&specs[i]);

		for (size_t chunk = 1; chunk <= 2 * 4096 + 1; chunk++) {
			struct heard h = { 0 };

			assert_int_equal(image_parse(image.p, image.len, chunk, &h, NULL), 0);
		}
		bytes_done(&image);
	}
}

static void between_a_section_and_the_next_a_page_is_asked_for(void **state)
{
	struct fixture *f = *state;
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct heard h = { 0 };
	static const struct {
		size_t have, room; /* of a section of two pages behind the MANIFEST */
	} rows[] = {
		{ 0, 2 * 4096 },
		{ 1, 2 * 4096 - 1 },
		{ 4096, 4096 },
		{ 2 * 4096, 4096 },
		{ 2 * 4096 + 63, 4096 - 63 },
		{ 2 * 4096 + 64, 3 * 4096 - 64 },
		{ 3 * 4096, 2 * 4096 },
		{ 4 * 4096, 4096 },
		{ 4 * 4096 + 1, 4096 - 1 },
	};
	size_t room, at = 0;
	void *buf;

	forge_section(&f->image, f->at[D0_0], 77, 0, 0, f->image.p, 5000);
	sign(f);
	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t n = rows[i].have - at;

		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		memcpy(buf, f->image.p + at, n);
		assert_int_equal(image_parser_filled(p, n, NULL), IMAGE_MORE);
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		assert_int_equal(room, rows[i].room);
		at += n;
	}
}

/* Two places, so that one that is lent is never the one whose bytes were just taken. */
struct lender {
	struct bytes stream;
	uint8_t *places[2];
	unsigned int asked, lent, placed;
	bool declines, fails;
};

static int lend(void *ctx, uint32_t device, size_t len, uint8_t **ret, struct err *err)
{
	struct lender *l = ctx;

	(void)device;
	assert_true(len <= IMAGE_FRAME_PAYLOAD);
	l->asked++;
	if (l->fails)
		return err_fail(err, ERR_IO, -ENOSPC, "no room");
	*ret = l->declines ? NULL : l->places[l->lent++ % 2];
	return 0;
}

static int take_lent(void *ctx, uint32_t device, const void *buf, size_t len, struct err *err)
{
	struct lender *l = ctx;
	uint8_t *place = l->places[(l->lent + 1) % 2];

	(void)device;
	(void)err;
	bytes_add(&l->stream, buf, len);
	if (l->lent && buf == place + IMAGE_SECTION_HEADER)
		l->placed++;
	memset(place, 0xee, IMAGE_FRAME_SIZE); /* the sink's again */
	return 0;
}

static const struct image_sink lending = { .room = lend, .data = take_lent };

static void lender_init(struct lender *l)
{
	*l = (struct lender){ 0 };
	for (int i = 0; i < 2; i++) {
		l->places[i] = aligned_alloc(IMAGE_PAGE, IMAGE_FRAME_SIZE);
		assert_non_null(l->places[i]);
	}
}

static void lender_done(struct lender *l)
{
	bytes_done(&l->stream);
	free(l->places[0]);
	free(l->places[1]);
}

/* Checks that no byte behind the image is asked for. Return: as image_parse(). */
static int parse_lent(const struct bytes *image, size_t chunk, struct lender *l, struct err *err)
{
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	size_t room, n;
	void *buf;
	int r;

	assert_int_equal(image_parser_new(&lending, l, &p, NULL), 0);
	for (size_t at = 0; at < image->len; at += n) {
		r = image_parser_buffer(p, &buf, &room, err);
		assert_int_equal(r, 0);
		assert_true(room <= image->len - at || image_parser_eof(p, NULL) == 0);
		n = MIN(MIN(room, image->len - at), chunk);
		memcpy(buf, image->p + at, n);
		r = image_parser_filled(p, n, err);
		if (r < 0)
			return r;
	}
	return image_parser_eof(p, err);
}

static void assert_lent(const struct image_spec *spec, size_t chunk, bool declines,
			unsigned int placed)
{
	struct bytes image = image_make(spec);
	struct lender l;

	lender_init(&l);
	l.declines = declines;
	assert_int_equal(parse_lent(&image, chunk, &l, NULL), 0);
	assert_int_equal(l.placed, placed);
	assert_int_equal(l.stream.len, spec->sizes[0]);
	for (size_t i = 0; i < l.stream.len; i++)
		if (l.stream.p[i] != stream_byte(spec, 0, i))
			fail_msg("byte %zu of the stream", i);
	lender_done(&l);
	bytes_done(&image);
}

/* But for frames that are there with the page that has their header. */
static void frames_are_read_to_where_the_sink_wants_them(void **state)
{
	static const struct image_spec big = { .n_devices = 1, .sizes = { 5000000 } };
	static const struct image_spec odd = { .n_devices = 1, .sizes = { 90000 }, .frame = 7000 };
	static const struct image_spec page = { .n_devices = 1, .sizes = { 9000 }, .frame = 4032 };
	static const struct image_spec zstd = {
		.n_devices = 1,
		.sizes = { 5000000 },
		.zstd_level = 1,
	};
	static const size_t chunks[] = { 100, 4096, 8192, 1u << 20, SIZE_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(chunks); i++) {
		assert_lent(&big, chunks[i], false, 5);
		assert_lent(&big, chunks[i], true, 0);
		assert_lent(&odd, chunks[i], false, 13);
		assert_lent(&page, chunks[i], false, chunks[i] < 4096 ? 3 : 0);
		assert_lent(&zstd, chunks[i], false, 0);
	}
}

static void room_is_asked_for_once_a_frame_and_not_for_what_cannot_be_one(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct lender l;

	lender_init(&l);
	l.declines = true;
	assert_int_equal(parse_lent(&f->image, 100, &l, NULL), 0);
	assert_int_equal(l.asked, 4);
	put32(section(f, D1_0) + AT_DEVICE, 2);
	l.asked = 0;
	assert_int_equal(parse_lent(&f->image, 100, &l, &err), -EBADMSG);
	assert_int_equal(l.asked, 1);
	l.asked = 0;
	l.fails = true;
	assert_int_equal(parse_lent(&f->image, 100, &l, &err), -ENOSPC);
	assert_string_equal(err.text, "no room");
	assert_int_equal(l.asked, 1);
	lender_done(&l);
}

static void nothing_is_heard_of_a_bad_frame_in_lent_room(void **state)
{
	struct image_spec spec = { .n_devices = 1, .sizes = { 3000000 } };
	struct bytes image = image_make(&spec);

	(void)state;
	for (size_t at = 8192; at < 8192 + 3000000; at += 100003) {
		struct err err = { 0 };
		struct lender l;

		lender_init(&l);
		image.p[at] ^= 1;
		assert_int_equal(parse_lent(&image, 70000, &l, &err), -EBADMSG);
		assert_int_equal(err.kind, ERR_IMAGE);
		assert_int_equal(l.stream.len, (at - 8192) / (1 << 20) * IMAGE_FRAME_PAYLOAD);
		image.p[at] ^= 1;
		lender_done(&l);
	}
	bytes_done(&image);
}

static void an_image_twice_over_is_refused(void **state)
{
	struct fixture *f = *state;
	struct bytes twice = { 0 };

	bytes_add(&twice, f->image.p, f->image.len);
	bytes_add(&twice, f->image.p, f->image.len);
	assert_refused(&twice, "bytes after the end");
	bytes_done(&twice);
}

static void damage_is_named_with_its_place(void **state)
{
	static const struct {
		int section;
		size_t at;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ MANIFEST, 70,   "at byte 4096: checksum of MANIFEST is wrong" },
		{ MANIFEST, 4095, "at byte 4096: padding is not zero" },
		{ D0_1,     64,   "at byte 16384: checksum of frame 1 of device 0 is wrong" },
		{ D1_END,   64,   "at byte 28672: checksum of DEVICE END is wrong" },
		{ IMG_END,  64,   "at byte 32768: checksum of IMAGE END is wrong" },
		{ IMG_END,  112,  "at byte 32768: padding is not zero" },
		/* clang-format on */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		section(f, rows[i].section)[rows[i].at] ^= 1;
		assert_refused(&f->image, rows[i].text);
		section(f, rows[i].section)[rows[i].at] ^= 1;
	}
}

static void a_cut_is_named_with_its_place(void **state)
{
	struct fixture *f = *state;

	f->image.len = 20000;
	assert_refused(&f->image, "at byte 20000: image is truncated");
	f->image.len = 3;
	assert_refused(&f->image, "at byte 3: image is truncated");
	f->image.len = 0;
	assert_refused(&f->image, "empty, not even a HEADER");
}

/* HEADER */

static void what_is_no_image_is_called_so_at_once(void **state)
{
	static const char *const texts[] = { "#", "QEVM\0\0\0\3", "\x89VMIG\n\x1a\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct bytes b = { 0 };

		bytes_add(&b, texts[i], strlen(texts[i]));
		assert_refused(&b, "at byte 0: not an image of vfiomigctl");
		bytes_done(&b);
	}
}

static void a_newer_major_version_is_named_before_anything_else_is_looked_at(void **state)
{
	struct fixture *f = *state;

	put16(f->image.p + 8, 2);
	put16(f->image.p + 10, 5);
	assert_refused(&f->image, "image version 2.5; this tool reads version 1");
	f->image.len = 12;
	assert_refused(&f->image, "image version 2.5; this tool reads version 1");
}

static void a_newer_minor_version_is_read(void **state)
{
	struct fixture *f = *state;
	struct heard h = { 0 };

	put16(f->image.p + 10, 7);
	sign(f);
	assert_int_equal(image_parse(f->image.p, f->image.len, 0, &h, NULL), 0);
	assert_int_equal(h.info.minor, 7);
}

static void a_header_that_is_not_as_drawn_is_refused(void **state)
{
	struct fixture *f = *state;

	f->image.p[20] ^= 1;
	assert_refused(&f->image, "at byte 0: checksum of HEADER is wrong");
	f->image.p[20] ^= 1;
	put32(f->image.p + 12, 128);
	assert_signed_refused(f, "HEADER of 128 bytes, not 64");
	put32(f->image.p + 12, 64);
	f->image.p[55] = 1;
	assert_signed_refused(f, "HEADER: reserved bytes are not zero");
	f->image.p[55] = 0;
	f->image.p[64] = 1;
	assert_signed_refused(f, "at byte 0: padding is not zero");
}

/* The order of things */

static void sections_in_another_order_are_refused(void **state)
{
	static const struct {
		int a, b;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ D0_0,     D0_1,   "frame 1 of device 0 where frame 0 should be" },
		{ MANIFEST, D0_0,   "DATA where the MANIFEST should be" },
		{ D1_1,     D1_END, "end of device 1: 2 frames, but there were 1" },
		{ D1_END,   IMG_END, "IMAGE END before the end of device 1" },
		{ D0_0,     IMG_END, "IMAGE END before the end of device 0" },
		/* clang-format on */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes good = { 0 };

		bytes_add(&good, f->image.p, f->image.len);
		swap_pages(f, rows[i].a, rows[i].b);
		assert_refused(&f->image, rows[i].text);
		memcpy(f->image.p, good.p, good.len);
		bytes_done(&good);
	}
}

static void devices_that_change_turns_are_refused(void **state)
{
	struct fixture *f = *state;

	/* Both frames are good and fit their streams; only the image's digest knows. */
	swap_pages(f, D0_0, D1_0);
	assert_refused(&f->image, "at byte 32768: IMAGE END: digest is wrong");
}

static void a_doubled_section_is_refused(void **state)
{
	static const struct {
		int section;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ MANIFEST, "a second MANIFEST" },
		{ D0_0,     "frame 0 of device 0 where frame 1 should be" },
		{ D1_1,     "frame 1 of device 1 where frame 2 should be" },
		{ D0_END,   "DEVICE END of device 0 after its end" },
		{ IMG_END,  "bytes after the end" },
		/* clang-format on */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		copy_section(f, rows[i].section, rows[i].section);
		assert_refused(&f->image, rows[i].text);
		assert_signed_refused(f, rows[i].text);
		forge_remove(&f->image, f->at[rows[i].section], 4096);
		sign(f);
	}
}

static void a_dropped_section_is_refused(void **state)
{
	static const char *const texts[] = {
		[MANIFEST] = "DATA where the MANIFEST should be",
		[D0_0] = "frame 1 of device 0 where frame 0 should be",
		[D1_0] = "frame 1 of device 1 where frame 0 should be",
		[D0_1] = "end of device 0: 2 frames, but there were 1",
		[D1_1] = "end of device 1: 2 frames, but there were 1",
		[D0_END] = "IMAGE END before the end of device 0",
		[D1_END] = "IMAGE END before the end of device 1",
		[IMG_END] = "image is truncated",
	};

	(void)state;
	for (int i = 0; i < N_SECTIONS; i++) {
		struct fixture *f;

		setup((void **)&f);
		forge_remove(&f->image, f->at[i], 4096);
		assert_refused(&f->image, texts[i]);
		assert_signed_refused(f, texts[i]);
		teardown((void **)&f);
	}
}

static void a_frame_moved_to_another_device_is_refused(void **state)
{
	struct fixture *f = *state;

	put32(section(f, D0_1) + AT_DEVICE, 1);
	assert_refused(&f->image, "checksum of frame 1 of device 1 is wrong");
	assert_signed_refused(f, "frame 1 of device 1 where frame 2 should be");
}

static void a_device_that_is_not_in_the_manifest_is_refused(void **state)
{
	struct fixture *f = *state;

	put32(section(f, D0_1) + AT_DEVICE, 2);
	assert_signed_refused(f, "DATA of device 2, but there are only 2");
	put32(section(f, D0_1) + AT_DEVICE, FORGE_NO_DEVICE);
	assert_signed_refused(f, "DATA of device 4294967295");
	put32(section(f, D0_1) + AT_DEVICE, 0);
	put32(section(f, D0_END) + AT_DEVICE, 2);
	assert_signed_refused(f, "DEVICE END of device 2");
}

static void data_after_the_devices_end_is_refused(void **state)
{
	struct fixture *f = *state;

	forge_section(&f->image, f->at[IMG_END], IMAGE_DATA, IMAGE_MANDATORY, 0, "x", 1);
	put64(section(f, IMG_END) + AT_SEQUENCE, 2);
	put64(section(f, IMG_END) + AT_OFFSET, 5000);
	assert_signed_refused(f, "DATA of device 0 after its end");
}

static void sections_of_another_image_with_the_same_manifest_are_refused(void **state)
{
	struct fixture *f = *state;
	struct image_spec other = two_devices;
	struct bytes foreign;

	other.id = (const uint8_t *)"another, 16 long";
	foreign = image_make(&other);
	assert_int_equal(foreign.len, f->image.len);
	for (int i = MANIFEST; i < N_SECTIONS; i++) {
		struct bytes spliced = { 0 };

		bytes_add(&spliced, f->image.p, f->at[i]);
		bytes_add(&spliced, foreign.p + f->at[i], foreign.len - f->at[i]);
		assert_refused(&spliced, "checksum of");
		bytes_done(&spliced);
	}
	bytes_done(&foreign);
}

/* Fields of a section */

static void a_field_a_section_cannot_have_is_refused(void **state)
{
	static const struct {
		int section;
		enum forge_field at;
		uint32_t value;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ D0_0,     AT_FLAGS,        0, "malformed DATA: flags it cannot have" },
		{ D0_0,     AT_FLAGS,        5, "malformed DATA: flags it cannot have" },
		{ D0_0,     AT_FLAGS, UINT32_MAX, "malformed DATA: flags it cannot have" },
		{ MANIFEST, AT_FLAGS,        3, "malformed MANIFEST: flags it cannot have" },
		{ D0_END,   AT_FLAGS,        3, "malformed DEVICE END: flags it cannot have" },
		{ IMG_END,  AT_FLAGS,        3, "malformed IMAGE END: flags it cannot have" },
		{ D0_0,     AT_RESERVED,     1, "malformed DATA: reserved bytes are not zero" },
		{ D0_0,     AT_RESERVED + 4, 1, "malformed DATA: reserved bytes are not zero" },
		{ D0_0,     AT_RESERVED + 16, 1, "malformed DATA: reserved bytes are not zero" },
		{ IMG_END,  AT_RESERVED,     1,
		  "malformed IMAGE END: reserved bytes are not zero" },
		{ D0_0,     AT_RAW_SIZE,     0, "malformed DATA: no payload" },
		{ D0_0,     AT_RAW_SIZE,  4033, "malformed DATA: two sizes, but not compressed" },
		{ D0_0,     AT_SEQUENCE,     1, "frame 1 of device 0 where frame 0 should be" },
		{ D0_0,     AT_OFFSET,       1, "frame 0 of device 0 is for offset 1, not 0" },
		{ D0_1,     AT_OFFSET + 4,   1, "frame 1 of device 0 is for offset 4294971328" },
		{ MANIFEST, AT_SEQUENCE,     1, "malformed MANIFEST: a place in a stream" },
		{ D0_END,   AT_OFFSET,       1, "malformed DEVICE END: a place in a stream" },
		{ MANIFEST, AT_DEVICE,       0, "malformed MANIFEST: a device" },
		{ IMG_END,  AT_DEVICE,       0, "malformed IMAGE END: a device" },
		{ D0_0,     AT_TYPE, IMAGE_END, "IMAGE END of 4032 bytes, more than 48" },
		{ D0_0,     AT_TYPE, 0x20000, "a mandatory section of type 131072, which" },
		{ D0_0,     AT_TYPE,         0, "a mandatory section of type 0, which" },
		{ D0_END,   AT_PAYLOAD,   5001,
		  "end of device 0: 5001 bytes, but there were 5000" },
		{ D0_END,   AT_PAYLOAD + 8,  3, "end of device 0: 3 frames, but there were 2" },
		{ D0_END,   AT_PAYLOAD + 32, 1, "DEVICE END: reserved bytes are not zero" },
		{ D0_END,   AT_PAYLOAD + 44, 1, "DEVICE END: reserved bytes are not zero" },
		{ IMG_END,  AT_PAYLOAD,      8, "IMAGE END: 8 sections, but there were 7" },
		{ IMG_END,  AT_PAYLOAD + 8,  0, "IMAGE END: 0 bytes, but there were 10000" },
		{ IMG_END,  AT_PAYLOAD + 44, 1, "IMAGE END: reserved bytes are not zero" },
		/* clang-format on */
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *field = section(f, rows[i].section) + rows[i].at;
		uint32_t was = get32(field);

		put32(field, rows[i].value);
		assert_signed_refused(f, rows[i].text);
		put32(field, was);
	}
	sign(f);
	assert_int_equal(image_parse(f->image.p, f->image.len, 0, &(struct heard){ 0 }, NULL), 0);
}

/* The digest is signed over, so a wrong one needs its section's checksum signed after it. */
static void a_wrong_digest_is_refused(void **state)
{
	struct fixture *f = *state;
	struct bytes foreign = { 0 };

	/* Other contents throughout, all signed, and then the ENDs of the original. */
	bytes_add(&foreign, f->image.p, f->image.len);
	foreign.p[f->at[D0_1] + AT_PAYLOAD] ^= 1;
	forge_sign(foreign.p, foreign.len);
	memcpy(foreign.p + f->at[D0_END], section(f, D0_END), 4096);
	assert_refused(&foreign, "end of device 0: digest is wrong");

	forge_sign(foreign.p, foreign.len);
	memcpy(foreign.p + f->at[IMG_END], section(f, IMG_END), 4096);
	assert_refused(&foreign, "IMAGE END: digest is wrong");
	bytes_done(&foreign);
}

static void sizes_without_sense_are_refused_before_memory_is_taken(void **state)
{
	static const uint32_t sizes[] = {
		0, IMAGE_DATA_MAX + 1, 1u << 31, UINT32_MAX - 63, UINT32_MAX,
	};
	struct fixture *f = *state;

	for (int i = MANIFEST; i < N_SECTIONS; i++)
		for (size_t n = 0; n < ARRAY_SIZE(sizes); n++) {
			uint32_t was = get32(section(f, i) + AT_SIZE);

			put32(section(f, i) + AT_SIZE, sizes[n]);
			assert_refused(&f->image, sizes[n] ? "bytes, more than" : "checksum");
			put32(section(f, i) + AT_SIZE, was);
		}
	put32(section(f, D0_0) + AT_RAW_SIZE, UINT32_MAX);
	assert_refused(&f->image, "DATA of 4294967295 bytes once decompressed, more than");
}

static void an_end_of_another_size_is_refused(void **state)
{
	struct fixture *f = *state;

	for (int i = D0_END; i <= IMG_END; i++) {
		put32(section(f, i) + AT_SIZE, 47);
		put32(section(f, i) + AT_RAW_SIZE, 47);
		assert_signed_refused(f, "END: wrong size");
		put32(section(f, i) + AT_SIZE, 48);
		put32(section(f, i) + AT_RAW_SIZE, 48);
	}
}

static void an_empty_frame_is_refused(void **state)
{
	struct fixture *f = *state;

	forge_section(&f->image, f->at[D0_1], IMAGE_DATA, IMAGE_MANDATORY, 0, NULL, 0);
	put64(section(f, D0_1) + AT_SEQUENCE, 1);
	put64(section(f, D0_1) + AT_OFFSET, 4032);
	assert_signed_refused(f, "malformed DATA: no payload");
}

static void memory_stays_within_the_caps(void **state)
{
	struct fixture *f = *state;
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct heard h = { 0 };
	size_t room, at, most = 0;
	void *buf;

	/* A frame that announces the most there can be, and then never ends. */
	put32(section(f, D0_0) + AT_SIZE, IMAGE_DATA_MAX);
	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	for (at = 0; at < f->at[D0_0] + 4096; at += 4096) {
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		memcpy(buf, f->image.p + at, 4096);
		assert_int_equal(image_parser_filled(p, 4096, NULL), IMAGE_MORE);
		most = MAX(most, room);
	}
	assert_int_equal(most, 2 * 4096);
	assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
	assert_int_equal(room, IMAGE_DATA_MAX + 4096); /* its header, and the page behind it */
}

/* Sections of later versions */

static void an_unknown_optional_section_is_skipped(void **state)
{
	struct fixture *f = *state;
	struct heard h = { .keep = true };

	for (int i = IMG_END; i >= D0_0; i--) {
		forge_section(&f->image, f->at[i], 77, 0x8000, 12345, "later", i % 2 ? 5 : 0);
		put32(section(f, i) + AT_RESERVED, 9);
	}
	put64(f->image.p + f->image.len - 4096 + AT_PAYLOAD, 7 + 7);
	sign(f);
	assert_int_equal(image_parse(f->image.p, f->image.len, 0, &h, NULL), 0);
	assert_streams(&h, &two_devices);
	assert_int_equal(h.sections, N_SECTIONS + 7);
	heard_done(&h);

	section(f, D0_0)[AT_PAYLOAD] ^= 1;
	assert_refused(&f->image, "checksum of section is wrong");
}

static void an_unknown_section_that_is_dropped_is_missed(void **state)
{
	struct fixture *f = *state;

	forge_section(&f->image, f->at[D0_0], 77, 0, 0, "later", 5);
	put64(f->image.p + f->image.len - 4096 + AT_PAYLOAD, 7 + 1);
	sign(f);
	forge_remove(&f->image, f->at[D0_0], 4096);
	assert_refused(&f->image, "IMAGE END: 8 sections, but there were 7");
}

static void an_unknown_mandatory_section_is_refused_by_number(void **state)
{
	struct fixture *f = *state;

	forge_section(&f->image, f->at[D0_0], 77, IMAGE_MANDATORY, 0, "later", 5);
	assert_signed_refused(f, "at byte 8192: a mandatory section of type 77, which this tool "
				 "does not know");
}

static void an_unknown_section_before_the_manifest_is_refused(void **state)
{
	struct fixture *f = *state;

	forge_section(&f->image, f->at[MANIFEST], 77, 0, 0, "later", 5);
	assert_signed_refused(f, "section where the MANIFEST should be");
}

static void an_unknown_section_that_is_too_large_is_refused(void **state)
{
	struct fixture *f = *state;

	put32(section(f, D0_0) + AT_TYPE, 77);
	put32(section(f, D0_0) + AT_SIZE, IMAGE_UNKNOWN_MAX + 1);
	assert_refused(&f->image, "section of 4194305 bytes, more than 4194304");
}

static void a_manifest_that_is_no_manifest_is_refused_with_its_place(void **state)
{
	struct fixture *f = *state;

	section(f, MANIFEST)[AT_PAYLOAD] = '[';
	assert_signed_refused(f, "at byte 4096: MANIFEST: not JSON");
}

/* Malicious compressed frames */

struct zframe {
	uint8_t p[200000];
	size_t len;
};

static void compress_zeros(struct zframe *z, size_t len, bool say_size)
{
	ZSTD_CCtx *ctx = ZSTD_createCCtx();
	void *zeros = calloc(1, len);

	ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, say_size);
	z->len = ZSTD_compress2(ctx, z->p, sizeof(z->p), zeros, len);
	assert_false(ZSTD_isError(z->len));
	free(zeros);
	ZSTD_freeCCtx(ctx);
}

/* An image of one device whose one frame is @z, with every number right but @raw_size. */
static struct bytes make_packed(const struct zframe *z, uint32_t raw_size)
{
	struct image_spec spec = { .n_devices = 1 };
	struct bytes b = image_make(&spec);

	forge_section(&b, 2 * 4096, IMAGE_DATA, IMAGE_MANDATORY | IMAGE_ZSTD, 0, z->p,
		      (uint32_t)z->len);
	put32(b.p + 2 * 4096 + AT_RAW_SIZE, raw_size);
	put64(b.p + b.len - 2 * 4096 + AT_PAYLOAD, raw_size);
	put64(b.p + b.len - 2 * 4096 + AT_PAYLOAD + 8, 1);
	put64(b.p + b.len - 4096 + AT_PAYLOAD, 3);
	put64(b.p + b.len - 4096 + AT_PAYLOAD + 8, raw_size);
	forge_sign(b.p, b.len);
	return b;
}

static void assert_packed_refused(const struct zframe *z, uint32_t raw_size, const char *text)
{
	struct bytes b = make_packed(z, raw_size);

	assert_refused(&b, text);
	bytes_done(&b);
}

static void a_forged_frame_is_read_if_nothing_is_wrong_with_it(void **state)
{
	static const uint32_t sizes[] = { 1, 9000, IMAGE_DATA_MAX };
	struct zframe z;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct heard h = { .keep = true };
		struct bytes b;

		compress_zeros(&z, sizes[i], true);
		b = make_packed(&z, sizes[i]);
		assert_int_equal(image_parse(b.p, b.len, 0, &h, NULL), 0);
		assert_int_equal(h.streams[0].len, sizes[i]);
		assert_int_equal(h.totals[0].stored, z.len);
		heard_done(&h);
		bytes_done(&b);
	}
}

static void a_frame_that_expands_to_more_than_it_says_is_refused(void **state)
{
	struct zframe z;

	(void)state;
	compress_zeros(&z, 64 << 20, true);
	assert_true(z.len < 8192);
	assert_packed_refused(&z, IMAGE_DATA_MAX, "zstd frame of another size than announced");
	assert_packed_refused(&z, 64 << 20, "bytes once decompressed, more than");
	compress_zeros(&z, 5000, true);
	assert_packed_refused(&z, 4999, "zstd frame of another size than announced");
	assert_packed_refused(&z, 5001, "zstd frame of another size than announced");
}

/* In single-segment frames of 256 to 65791 bytes, bytes 5 and 6 are the size less 256. */
static void a_frame_that_lies_about_itself_is_refused(void **state)
{
	struct zframe z;

	(void)state;
	compress_zeros(&z, 5000, true);
	assert_int_equal(z.p[4] & 0xe0, 0x60);
	put16(z.p + 5, 4999 - 256);
	assert_packed_refused(&z, 4999, "zstd: ");
	put16(z.p + 5, 5001 - 256);
	assert_packed_refused(&z, 5001, "frame 0 of device 0: zstd");
}

static void a_frame_that_does_not_say_its_size_is_refused(void **state)
{
	struct zframe z;

	(void)state;
	compress_zeros(&z, 5000, false);
	assert_packed_refused(&z, 5000, "zstd frame of another size than announced");
}

static void anything_but_one_zstd_frame_is_refused(void **state)
{
	struct zframe z, once;

	(void)state;
	compress_zeros(&once, 5000, true);

	z = once;
	memcpy(z.p + z.len, once.p, once.len);
	z.len *= 2;
	assert_packed_refused(&z, 5000, "not exactly one zstd frame");
	assert_packed_refused(&z, 10000, "not exactly one zstd frame");

	z = once;
	z.p[z.len++] = 0;
	assert_packed_refused(&z, 5000, "not exactly one zstd frame");

	z = once;
	z.len--;
	assert_packed_refused(&z, 5000, "not exactly one zstd frame");

	z.len = 3;
	assert_packed_refused(&z, 5000, "not a zstd frame");

	memcpy(z.p, "\x50\x2a\x4d\x18\x04\0\0\0skip", 12);
	z.len = 12;
	assert_packed_refused(&z, 4, "not a zstd frame");

	/* A frame of zstd 0.7, whose decoder libraries may still have. */
	memcpy(z.p, "\x27\xb5\x2f\xfd", 4);
	assert_packed_refused(&z, 4, "not a zstd frame");
}

static void a_damaged_zstd_frame_is_refused_even_under_good_checksums(void **state)
{
	static const struct image_spec spec = {
		.n_devices = 1,
		.sizes = { 20000 },
		.zstd_level = 1,
	};
	struct bytes image = image_make(&spec);
	uint8_t *s = image.p + 2 * 4096;
	unsigned int refused = 0, all = 0;

	(void)state;
	assert_int_equal(get32(s + AT_FLAGS), IMAGE_MANDATORY | IMAGE_ZSTD);
	for (size_t bit = 0; bit < 8 * (size_t)get32(s + AT_SIZE); bit++, all++) {
		struct heard h = { .keep = true };

		s[AT_PAYLOAD + bit / 8] ^= (uint8_t)(1 << bit % 8);
		forge_sign(image.p, image.len);
		/* Some flips make another valid frame; none may make one of another length. */
		if (image_parse(image.p, image.len, 0, &h, NULL) < 0)
			refused++;
		else
			assert_int_equal(h.streams[0].len, 20000);
		s[AT_PAYLOAD + bit / 8] ^= (uint8_t)(1 << bit % 8);
		heard_done(&h);
	}
	assert_true(refused > all / 4);
	bytes_done(&image);
}

/* Sinks */

static int fail_nth_call(const struct bytes *image, unsigned int n)
{
	struct heard h = { .fail_at = n };
	struct err err = { 0 };
	int r;

	r = image_parse(image->p, image->len, 0, &h, &err);
	assert_int_equal(h.calls, r ? n : h.calls);
	if (r) {
		assert_int_equal(r, -EIO);
		assert_string_equal(err.text, "the device");
		assert_int_equal(err.kind, ERR_UNSPEC);
	}
	return r;
}

static void a_failing_sink_stops_the_parser_and_its_error_is_passed_on(void **state)
{
	struct fixture *f = *state;
	unsigned int n = 1;

	while (fail_nth_call(&f->image, n))
		n++;
	assert_int_equal(n - 1, N_SECTIONS + 1 + 4 + 2); /* sections, begin, data, device ends */
}

static void a_sink_needs_no_functions(void **state)
{
	static const struct image_sink deaf = { 0 };
	struct fixture *f = *state;
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	size_t room;
	void *buf;
	int r = IMAGE_MORE;

	assert_int_equal(image_parser_new(&deaf, NULL, &p, NULL), 0);
	for (size_t at = 0; r == IMAGE_MORE; at += room) {
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		memcpy(buf, f->image.p + at, room);
		r = image_parser_filled(p, room, NULL);
	}
	assert_int_equal(r, IMAGE_COMPLETE);
}

static void totals_of_each_device_are_its_own(void **state)
{
	struct fixture *f = *state;
	struct heard h = { 0 };

	assert_int_equal(image_parse(f->image.p, f->image.len, 0, &h, NULL), 0);
	for (uint32_t d = 0; d < 2; d++) {
		assert_int_equal(h.totals[d].bytes, 5000);
		assert_int_equal(h.totals[d].stored, 5000);
		assert_int_equal(h.totals[d].frames, 2);
		assert_memory_equal(h.totals[d].digest,
				    section(f, D0_END + (int)d) + AT_PAYLOAD + 16, 16);
	}
	assert_memory_not_equal(h.totals[0].digest, h.totals[1].digest, 16);
}

static void a_parser_that_refused_stays_with_it(void **state)
{
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	struct heard h = { 0 };
	size_t room;
	void *buf;

	(void)state;
	assert_int_equal(image_parser_new(&heard_sink, &h, &p, NULL), 0);
	assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
	*(uint8_t *)buf = 'x';
	assert_int_equal(image_parser_filled(p, 1, NULL), -EBADMSG);
	assert_int_equal(image_parser_eof(p, NULL), -EBADMSG);
}

#define fixture_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_image_with_any_bit_flipped_is_refused),
		fixture_test(an_image_cut_at_any_byte_is_refused),
		fixture_test(an_image_is_complete_with_its_last_byte_and_not_before),
		fixture_test(anything_appended_is_refused),
		fixture_test(bytes_appended_after_the_parser_is_done_are_refused),
		cmocka_unit_test(no_more_is_asked_for_than_is_sure_to_come),
		fixture_test(between_a_section_and_the_next_a_page_is_asked_for),
		fixture_test(frames_are_read_to_where_the_sink_wants_them),
		fixture_test(room_is_asked_for_once_a_frame_and_not_for_what_cannot_be_one),
		fixture_test(nothing_is_heard_of_a_bad_frame_in_lent_room),
		fixture_test(an_image_twice_over_is_refused),
		fixture_test(damage_is_named_with_its_place),
		fixture_test(a_cut_is_named_with_its_place),
		cmocka_unit_test(what_is_no_image_is_called_so_at_once),
		fixture_test(a_newer_major_version_is_named_before_anything_else_is_looked_at),
		fixture_test(a_newer_minor_version_is_read),
		fixture_test(a_header_that_is_not_as_drawn_is_refused),
		fixture_test(sections_in_another_order_are_refused),
		fixture_test(devices_that_change_turns_are_refused),
		fixture_test(a_doubled_section_is_refused),
		cmocka_unit_test(a_dropped_section_is_refused),
		fixture_test(a_frame_moved_to_another_device_is_refused),
		fixture_test(a_device_that_is_not_in_the_manifest_is_refused),
		fixture_test(data_after_the_devices_end_is_refused),
		fixture_test(sections_of_another_image_with_the_same_manifest_are_refused),
		fixture_test(a_field_a_section_cannot_have_is_refused),
		fixture_test(a_wrong_digest_is_refused),
		fixture_test(sizes_without_sense_are_refused_before_memory_is_taken),
		fixture_test(an_end_of_another_size_is_refused),
		fixture_test(an_empty_frame_is_refused),
		fixture_test(memory_stays_within_the_caps),
		fixture_test(an_unknown_optional_section_is_skipped),
		fixture_test(an_unknown_section_that_is_dropped_is_missed),
		fixture_test(an_unknown_mandatory_section_is_refused_by_number),
		fixture_test(an_unknown_section_before_the_manifest_is_refused),
		fixture_test(an_unknown_section_that_is_too_large_is_refused),
		fixture_test(a_manifest_that_is_no_manifest_is_refused_with_its_place),
		cmocka_unit_test(a_forged_frame_is_read_if_nothing_is_wrong_with_it),
		cmocka_unit_test(a_frame_that_expands_to_more_than_it_says_is_refused),
		cmocka_unit_test(a_frame_that_lies_about_itself_is_refused),
		cmocka_unit_test(a_frame_that_does_not_say_its_size_is_refused),
		cmocka_unit_test(anything_but_one_zstd_frame_is_refused),
		cmocka_unit_test(a_damaged_zstd_frame_is_refused_even_under_good_checksums),
		fixture_test(a_failing_sink_stops_the_parser_and_its_error_is_passed_on),
		fixture_test(a_sink_needs_no_functions),
		fixture_test(totals_of_each_device_are_its_own),
		cmocka_unit_test(a_parser_that_refused_stays_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
