// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include <cmocka.h>

#include "base/macros.h"
#include "image/receipt.h"
#include "image-fixture.h"

static const struct image_receipt accepted = {
	.accepted = true,
	.id = "0123456789abcde",
	.digest = "ABCDEFGHIJKLMNO",
};

/* By the drawing, not by the code: see image/receipt.h. */
static void sign(uint8_t *wire)
{
	put64(wire + 504, XXH3_64bits(wire, 504));
}

static void assert_says(uint8_t *wire, const char *why)
{
	struct image_receipt got;
	struct err err = { 0 };

	assert_int_equal(image_receipt_decode(wire, &got, &err), -EPROTO);
	assert_int_equal(err_status(&err), 76);
	assert_string_equal(err.text, why);
}

static void a_receipt_lies_as_it_is_drawn(void **state)
{
	static const uint8_t start[16] = "\x89VRCP\r\n\x1a\1\0\0\0\0\0\0";
	uint8_t wire[IMAGE_RECEIPT_SIZE], copy[IMAGE_RECEIPT_SIZE];
	struct image_receipt refused = { .reason = "no" };

	(void)state;
	assert_int_equal(sizeof(wire), 512);
	image_receipt_encode(&accepted, wire);
	assert_memory_equal(wire, start, sizeof(start));
	assert_memory_equal(wire + 16, "0123456789abcde", 16);
	assert_memory_equal(wire + 32, "ABCDEFGHIJKLMNO", 16);
	for (int i = 48; i < 504; i++)
		assert_int_equal(wire[i], 0);
	memcpy(copy, wire, sizeof(copy));
	sign(copy);
	assert_memory_equal(copy, wire, sizeof(copy));

	image_receipt_encode(&refused, wire);
	assert_int_equal(get32(wire + 12), 1);
	assert_memory_equal(wire + 48, "no\0", 3);
}

static void what_is_said_is_understood(void **state)
{
	struct image_receipt refused = { .reason = "no \x1b[2J" }, got;
	uint8_t wire[IMAGE_RECEIPT_SIZE];

	(void)state;
	image_receipt_encode(&accepted, wire);
	assert_int_equal(image_receipt_decode(wire, &got, NULL), 0);
	assert_true(image_receipt_fits(&got, &accepted));

	image_receipt_encode(&refused, wire);
	assert_int_equal(image_receipt_decode(wire, &got, NULL), 0);
	assert_false(got.accepted);
	assert_string_equal(got.reason, "no ?[2J");
	assert_false(image_receipt_fits(&got, &refused));

	memset(refused.reason, 'x', sizeof(refused.reason));
	image_receipt_encode(&refused, wire);
	assert_int_equal(image_receipt_decode(wire, &got, NULL), 0);
	assert_int_equal(strlen(got.reason), sizeof(got.reason) - 1);
}

static void a_receipt_for_another_image_does_not_fit(void **state)
{
	struct image_receipt other = accepted;

	(void)state;
	other.id[15]++;
	assert_false(image_receipt_fits(&other, &accepted));
	other = accepted;
	other.digest[0]++;
	assert_false(image_receipt_fits(&other, &accepted));
	other = accepted;
	other.accepted = false;
	assert_false(image_receipt_fits(&other, &accepted));
}

static void what_is_no_receipt_is_refused(void **state)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE] = { 0 };

	(void)state;
	assert_says(wire, "not a receipt");
	image_receipt_encode(&accepted, wire);
	put16(wire + 8, 2);
	sign(wire);
	assert_says(wire, "a receipt of another version");
	put16(wire + 8, 1);
	put16(wire + 10, 7); /* a minor version that is not known is none the worse */
	sign(wire);
	assert_int_equal(image_receipt_decode(wire, &(struct image_receipt){ 0 }, NULL), 0);
	put32(wire + 12, 2);
	sign(wire);
	assert_says(wire, "a receipt that makes no sense");
	put32(wire + 12, 1);
	memset(wire + 48, 'x', 456);
	sign(wire);
	assert_says(wire, "a receipt that makes no sense");
}

static void every_flipped_bit_is_found(void **state)
{
	uint8_t wire[IMAGE_RECEIPT_SIZE];
	struct image_receipt got;

	(void)state;
	image_receipt_encode(&accepted, wire);
	for (size_t bit = 0; bit < 8 * sizeof(wire); bit++) {
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(image_receipt_decode(wire, &got, NULL), -EPROTO);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static int keep_receipt(void *ctx, const struct image_receipt *receipt, struct err *err)
{
	(void)err;
	*(struct image_receipt *)ctx = *receipt;
	return 0;
}

static void writer_and_parser_agree(void **state)
{
	static const struct image_sink sink = { .end = keep_receipt };
	_cleanup_(image_parser_freep) struct image_parser *p = NULL;
	_cleanup_(image_writer_freep) struct image_writer *w = NULL;
	_cleanup_(image_frame_freep) struct image_frame *frame = image_frame_new();
	struct image_receipt want, got = { 0 };
	struct image_writer_options opts = { 0 };
	struct image_device devices[1];
	struct image_manifest m;
	struct image_place start = { 0 };
	struct written out = { 0 };
	size_t room, n;
	void *buf;

	(void)state;
	fixture_manifest(&m, devices, 1);
	assert_int_equal(image_writer_new(&m, &opts, written_write, &out, &w, NULL), 0);
	memset(frame->payload, 1, 5000);
	assert_int_equal(frame_put(w, &start, frame, 5000, NULL), 0);
	assert_int_equal(image_writer_device_end(w, 0, NULL), 0);
	assert_int_equal(image_writer_end(w, NULL), 0);
	image_writer_receipt(w, &want);

	assert_int_equal(image_parser_new(&sink, &got, &p, NULL), 0);
	for (size_t at = 0; at < out.image.len; at += n) {
		assert_false(got.accepted);
		assert_int_equal(image_parser_buffer(p, &buf, &room, NULL), 0);
		n = MIN(MIN(room, out.image.len - at), 4096);
		memcpy(buf, out.image.p + at, n);
		assert_true(image_parser_filled(p, n, NULL) >= 0);
	}
	assert_true(image_receipt_fits(&got, &want));
	bytes_done(&out.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_receipt_lies_as_it_is_drawn),
		cmocka_unit_test(what_is_said_is_understood),
		cmocka_unit_test(a_receipt_for_another_image_does_not_fit),
		cmocka_unit_test(what_is_no_receipt_is_refused),
		cmocka_unit_test(every_flipped_bit_is_found),
		cmocka_unit_test(writer_and_parser_agree),
	};

	return cmocka_run_group_tests_name("receipt", tests, NULL, NULL);
}
