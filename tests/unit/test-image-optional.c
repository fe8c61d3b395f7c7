// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Sections that need not be there: SHA-256 and KEEPALIVE
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "image-fixture.h"

#define SECTIONS_MAX 32

/* One device of two frames: places of the sections. */
enum {
	MANIFEST,
	FRAME_0,
	FRAME_1,
	SUM,
	DEV_END,
	IMG_END,
	N_SECTIONS
};

static const struct image_spec summed = {
	.n_devices = 1,
	.sizes = { 5000 },
	.frame = 4032,
	.sha256 = true,
};
static const struct image_spec unsummed = { .n_devices = 1, .sizes = { 5000 }, .frame = 4032 };

static uint8_t *section(const struct bytes *image, size_t i)
{
	size_t at[SECTIONS_MAX];

	assert_true(forge_sections(image->p, image->len, at, SECTIONS_MAX) > i);
	return image->p + at[i];
}

static void insert(struct bytes *image, size_t before, uint32_t type, uint32_t flags,
		   uint32_t device, const void *payload, uint32_t size)
{
	size_t at = (size_t)(section(image, before) - image->p);

	forge_section(image, at, type, flags, device, payload, size);
}

/*
 * Sign the image and parse it twice, without and with a check of the sum: @unchecked and @checked
 * are the errors' texts, NULL for none.
 */
static void assert_signed(struct bytes *image, const char *unchecked, const char *checked)
{
	const char *const texts[] = { unchecked, checked };

	forge_sign(image->p, image->len);
	for (int sum = 0; sum < 2; sum++) {
		struct heard h = { .sum = sum };
		struct err err = { 0 };
		int r = image_parse(image->p, image->len, 0, &h, &err);

		assert_int_equal(r, texts[sum] ? -EBADMSG : 0);
		if (texts[sum] && !strstr(err.text, texts[sum]))
			fail_msg("\"%s\", not \"%s\"", err.text, texts[sum]);
		if (texts[sum])
			assert_int_equal(err.kind, ERR_IMAGE);
		heard_done(&h);
	}
}

/* FIPS 180-2, appendix B, and the empty message. */
static void the_sum_is_sha256(void **state)
{
	static const struct {
		const char *text;
		uint8_t sum[4];
	} rows[] = {
		{ "abc", { 0xba, 0x78, 0x16, 0xbf } },
		{ "", { 0xe3, 0xb0, 0xc4, 0x42 } },
		{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  { 0x24, 0x8d, 0x6a, 0x61 } },
	};
	_cleanup_(image_sha256_freep) struct image_sha256 *sum = NULL;
	uint8_t value[IMAGE_SHA256_SIZE];

	(void)state;
	assert_int_equal(image_sha256_new(&sum, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (const char *c = rows[i].text; *c; c++)
			image_sha256_add(sum, c, 1);
		image_sha256_end(sum, value);
		assert_memory_equal(value, rows[i].sum, sizeof(rows[i].sum));
	}
}

static void a_sum_is_told_and_checked_on_demand(void **state)
{
	static const struct image_spec specs[] = {
		{ .n_devices = 1, .sizes = { 5000 }, .frame = 4032, .sha256 = true },
		{ .n_devices = 3, .sizes = { 5000, 0, 9000 }, .frame = 4032, .sha256 = true },
		{ .n_devices = 2, .sizes = { 90000, 7 }, .zstd_level = 3, .sha256 = true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++)
		for (int sum = 0; sum < 2; sum++) {
			struct bytes image = image_make(&specs[i]);
			struct heard h = { .keep = true, .sum = sum };

			assert_int_equal(image_parse(image.p, image.len, 777, &h, NULL), 0);
			assert_streams(&h, &specs[i]);
			for (uint32_t d = 0; d < specs[i].n_devices; d++)
				assert_non_null(h.totals[d].sha256);
			heard_done(&h);
			bytes_done(&image);
		}
}

static void without_one_none_is_told(void **state)
{
	struct bytes image = image_make(&unsummed);
	struct heard h = { .sum = true };

	(void)state;
	assert_int_equal(image_parse(image.p, image.len, 0, &h, NULL), 0);
	assert_null(h.totals[0].sha256);
	bytes_done(&image);
}

/* Every checksum is good: only the sum finds these. */
static void other_contents_are_found_by_the_sum(void **state)
{
	struct bytes image = image_make(&summed);

	(void)state;
	section(&image, FRAME_1)[AT_PAYLOAD] ^= 1;
	assert_signed(&image, NULL, "SHA-256 of device 0 is wrong");
	section(&image, FRAME_1)[AT_PAYLOAD] ^= 1;
	assert_signed(&image, NULL, NULL);
	section(&image, SUM)[AT_PAYLOAD + 31] ^= 1;
	assert_signed(&image, NULL, "SHA-256 of device 0 is wrong");
	bytes_done(&image);
}

static void a_sum_has_its_place(void **state)
{
	static const uint8_t sum[IMAGE_SHA256_SIZE];
	static const struct {
		const struct image_spec *spec;
		size_t before;
		const char *unchecked, *checked;
	} rows[] = {
		{ &summed, DEV_END, "a second SHA-256 of device 0",
		  "a second SHA-256 of device 0" },
		{ &unsummed, FRAME_1, "an unannounced SHA-256 of device 0",
		  "an unannounced SHA-256 of device 0" },
		{ &summed, FRAME_1, "DATA of device 0 after its SHA-256",
		  "SHA-256 of device 0 is wrong" },
		{ &summed, IMG_END, "SHA-256 of device 0 after its end",
		  "SHA-256 of device 0 after its end" },
	};
	struct bytes image;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		image = image_make(rows[i].spec);
		insert(&image, rows[i].before, IMAGE_SHA256, 0, 0, sum, sizeof(sum));
		assert_signed(&image, rows[i].unchecked, rows[i].checked);
		bytes_done(&image);
	}

	image = image_make(&summed);
	forge_remove(&image, (size_t)(section(&image, SUM) - image.p), FORGE_PAGE);
	assert_signed(&image, "SHA-256 of device 0 is missing", "SHA-256 of device 0 is missing");
	bytes_done(&image);
}

static void what_cannot_be_one_is_refused(void **state)
{
	static const struct {
		size_t section;
		enum forge_field at;
		uint32_t value;
		const char *text;
	} rows[] = {
		/* clang-format off */
		{ SUM, AT_DEVICE,    7, "SHA-256 of device 7, but there are only 1" },
		{ SUM, AT_FLAGS,     1, "malformed SHA-256: flags it cannot have" },
		{ SUM, AT_FLAGS,     2, "malformed SHA-256: flags it cannot have" },
		{ SUM, AT_SIZE,     31, "padding is not zero" },
		{ SUM, AT_SIZE,     33, "SHA-256 of 33 bytes, more than 32" },
		{ SUM, AT_RAW_SIZE, 31, "malformed SHA-256: two sizes, but not compressed" },
		{ SUM, AT_SEQUENCE,  1, "malformed SHA-256: a place in a stream" },
		{ SUM, AT_RESERVED,  1, "malformed SHA-256: reserved bytes are not zero" },
		/* clang-format on */
	};
	struct bytes image = image_make(&summed);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t *field = section(&image, rows[i].section) + rows[i].at;
		uint32_t was = get32(field);

		put32(field, rows[i].value);
		assert_signed(&image, rows[i].text, rows[i].text);
		put32(field, was);
	}
	assert_signed(&image, NULL, NULL);
	section(&image, SUM)[AT_PAYLOAD + 31] = 0;
	put32(section(&image, SUM) + AT_SIZE, 31);
	assert_signed(&image, "malformed SHA-256: wrong size", "malformed SHA-256: wrong size");
	bytes_done(&image);
}

static void a_keepalive_may_stand_anywhere(void **state)
{
	(void)state;
	for (size_t before = FRAME_0; before < N_SECTIONS; before++) {
		struct bytes image = image_make(&summed);
		struct heard h = { .keep = true, .sum = true };

		for (int i = 0; i < 3; i++)
			insert(&image, before, IMAGE_KEEPALIVE, 0, FORGE_NO_DEVICE, NULL, 0);
		put32(section(&image, N_SECTIONS + 2) + AT_PAYLOAD, N_SECTIONS + 2);
		forge_sign(image.p, image.len);
		assert_int_equal(image_parse(image.p, image.len, 4096, &h, NULL), 0);
		assert_int_equal(h.sections, N_SECTIONS + 3);
		assert_streams(&h, &summed);
		heard_done(&h);
		bytes_done(&image);
	}
}

static void a_keepalive_says_nothing_else(void **state)
{
	static const struct {
		size_t before;
		uint32_t flags, device, size;
		const char *text;
	} rows[] = {
		{ FRAME_1, 0, 0, 0, "malformed KEEPALIVE: a device" },
		{ FRAME_1, 1, FORGE_NO_DEVICE, 0, "malformed KEEPALIVE: flags it cannot have" },
		{ FRAME_1, 0, FORGE_NO_DEVICE, 1, "KEEPALIVE of 1 bytes, more than 0" },
		{ MANIFEST, 0, FORGE_NO_DEVICE, 0, "KEEPALIVE where the MANIFEST should be" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bytes image = image_make(&summed);

		insert(&image, rows[i].before, IMAGE_KEEPALIVE, rows[i].flags, rows[i].device, "x",
		       rows[i].size);
		assert_signed(&image, rows[i].text, rows[i].text);
		bytes_done(&image);
	}
}

/* What the writer makes is what the forge draws. */
static void the_writer_writes_them_so(void **state)
{
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	const struct image_writer_options opts = { .created_ns = 1 };
	struct written out = { 0 };
	struct image_device device;
	struct image_manifest m;
	struct heard h = { 0 };

	(void)state;
	fixture_manifest(&m, &device, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	assert_int_equal(image_writer_keepalive(w, NULL), 0);
	assert_int_equal(image_writer_device_end(w, 0, NULL), 0);
	assert_int_equal(image_writer_keepalive(w, NULL), 0);
	assert_int_equal(image_writer_end(w, NULL), 0);
	assert_int_equal(image_parse(out.image.p, out.image.len, 0, &h, NULL), 0);
	assert_int_equal(h.sections, 5);
	assert_int_equal(get32(section(&out.image, 1) + AT_TYPE), 6);
	assert_int_equal(get32(section(&out.image, 1) + AT_SIZE), 0);
	bytes_done(&out.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_sum_is_sha256),
		cmocka_unit_test(a_sum_is_told_and_checked_on_demand),
		cmocka_unit_test(without_one_none_is_told),
		cmocka_unit_test(other_contents_are_found_by_the_sum),
		cmocka_unit_test(a_sum_has_its_place),
		cmocka_unit_test(what_cannot_be_one_is_refused),
		cmocka_unit_test(a_keepalive_may_stand_anywhere),
		cmocka_unit_test(a_keepalive_says_nothing_else),
		cmocka_unit_test(the_writer_writes_them_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
