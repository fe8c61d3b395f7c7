// SPDX-License-Identifier: GPL-2.0-or-later
#include <endian.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <xxhash.h>
#include <cmocka.h>

#include "base/macros.h"
#include "wire/message.h"

#define ROOM (WIRE_HEADER_SIZE + WIRE_FIXED_MAX)

static uint32_t get32(const uint8_t *at)
{
	uint32_t v;

	memcpy(&v, at, sizeof(v));
	return le32toh(v);
}

static uint64_t get64(const uint8_t *at)
{
	uint64_t v;

	memcpy(&v, at, sizeof(v));
	return le64toh(v);
}

static void put32(uint8_t *at, uint32_t v)
{
	v = htole32(v);
	memcpy(at, &v, sizeof(v));
}

static void put64(uint8_t *at, uint64_t v)
{
	v = htole64(v);
	memcpy(at, &v, sizeof(v));
}

/* By the drawing, not by the code: see wire/message.h. */
static void sign(uint8_t *wire)
{
	uint32_t size = get32(wire + 8);
	uint64_t seed = size ? XXH3_64bits(wire + 32, size) : 0;

	put64(wire + 24, XXH3_64bits_withSeed(wire, 24, seed));
}

static int parse(const uint8_t *wire, uint64_t sequence, struct wire_message *ret, struct err *err)
{
	struct wire_header h;
	int r;

	r = wire_decode_header(wire, sequence, &h, err);
	r = r < 0 ? r : wire_check(wire, &h, wire + WIRE_HEADER_SIZE, err);
	return r < 0 ? r : wire_decode(&h, wire + WIRE_HEADER_SIZE, ret, err);
}

static void assert_refused(const uint8_t *wire, uint64_t sequence, const char *why)
{
	struct wire_message m;
	struct err err = { 0 };

	assert_int_equal(parse(wire, sequence, &m, &err), -EPROTO);
	assert_int_equal(err_status(&err), 76);
	assert_string_equal(err.text, why);
}

static const struct wire_message hello = {
	.type = WIRE_HELLO,
	.hello = {
		.version = 3,
		.oldest = 2,
		.role = WIRE_SOURCE,
		.features = 0x1122334455667788,
		.txid = "0123456789abcde",
		.generation = 77,
		.journal = "ABCDEFGHIJKLMNO",
		.timeout_ms = 30000,
		.retries = 4,
	},
};

static void a_hello_lies_as_it_is_drawn(void **state)
{
	static const uint8_t start[8] = { 0x89, 'V', 'M', 'P', 1, 0, 1, 0 };
	uint8_t wire[ROOM], copy[ROOM];

	(void)state;
	assert_int_equal(wire_encode(&hello, 5, wire), 32 + 96);
	assert_memory_equal(wire, start, sizeof(start));
	assert_int_equal(get32(wire + 8), 96);
	assert_int_equal(get32(wire + 12), 0);
	assert_int_equal(get64(wire + 16), 5);
	assert_int_equal(get32(wire + 32), 3 | 2 << 16);
	assert_int_equal(get32(wire + 36), 1);
	assert_int_equal(get64(wire + 40), 0x1122334455667788);
	assert_memory_equal(wire + 48, "0123456789abcde", 16);
	assert_int_equal(get64(wire + 64), 77);
	assert_memory_equal(wire + 72, "ABCDEFGHIJKLMNO", 16);
	assert_int_equal(get32(wire + 88), 30000);
	assert_int_equal(get32(wire + 92), 4);
	for (int i = 96; i < 128; i++)
		assert_int_equal(wire[i], 0);
	memcpy(copy, wire, 128);
	sign(copy);
	assert_memory_equal(copy, wire, 128);
}

static void the_others_lie_as_they_are_drawn(void **state)
{
	struct wire_message end = { .type = WIRE_READY, .end = { "IMAGE", "DIGEST", 1 << 20 } };
	struct wire_message commit = { .type = WIRE_COMMIT, .decision = { "TX", 9 } };
	struct wire_message no = { .type = WIRE_ABORT, .abort = { 65, "no" } };
	struct wire_message ask = { .type = WIRE_ASK, .state = { "TX", 9, 2, 3, "JOURNAL" } };
	struct wire_message beat = { .type = WIRE_HEARTBEAT }, taking = { .type = WIRE_TAKING };
	struct wire_message forced = { .type = WIRE_FORCED, .forced = { "run by root" } };
	uint8_t wire[ROOM];

	(void)state;
	assert_int_equal(wire_encode(&end, 0, wire), 32 + 40);
	assert_memory_equal(wire + 32, "IMAGE\0\0\0\0\0\0\0\0\0\0", 16);
	assert_memory_equal(wire + 48, "DIGEST\0\0\0\0\0\0\0\0\0", 16);
	assert_int_equal(get64(wire + 64), 1 << 20);
	assert_int_equal(wire_encode(&commit, 0, wire), 32 + 24);
	assert_int_equal(get64(wire + 48), 9);
	assert_int_equal(wire_encode(&no, 0, wire), 32 + 464);
	assert_int_equal(get32(wire + 32), 65);
	assert_string_equal((char *)wire + 40, "no");
	assert_int_equal(wire_encode(&ask, 0, wire), 32 + 64);
	assert_int_equal(get32(wire + 56), 2);
	assert_int_equal(get32(wire + 60), 3);
	assert_string_equal((char *)wire + 64, "JOURNAL");
	assert_int_equal(wire_encode(&beat, 0, wire), 32);
	assert_int_equal(wire[6], 0);
	assert_int_equal(wire_encode(&taking, 0, wire), 32);
	assert_int_equal(wire[4], 13);
	assert_int_equal(wire[6], 0);
	memset(wire, 0xff, sizeof(wire));
	assert_int_equal(wire_encode(&forced, 0, wire), 32 + 128);
	assert_int_equal(wire[4], 14);
	assert_int_equal(wire[6], 0);
	assert_string_equal((char *)wire + 32, "run by root");
	for (int i = 32 + 12; i < 32 + 128; i++)
		assert_int_equal(wire[i], 0);
}

static void what_is_said_is_understood(void **state)
{
	static const struct wire_message said[] = {
		{ .type = WIRE_END, .end = { "a", "b", 1 } },
		{ .type = WIRE_READY, .end = { "a", "b", UINT64_MAX } },
		{ .type = WIRE_COMMIT, .decision = { "c", 2 } },
		{ .type = WIRE_DONE, .decision = { "d", 3 } },
		{ .type = WIRE_ABORT, .abort = { 75, "reason" } },
		{ .type = WIRE_HEARTBEAT },
		{ .type = WIRE_TAKING },
		{ .type = WIRE_ASK, .state = { "e", 4, WIRE_SOURCE, WIRE_PHASE_BUSY, "j" } },
		{ .type = WIRE_TELL, .state = { "e", 4, WIRE_DESTINATION, 0, "j" } },
		{ .type = WIRE_FORCED, .forced = { "drop by me" } },
	};
	struct wire_message got;
	struct err err = { 0 };
	uint8_t wire[ROOM];

	(void)state;
	wire_encode(&hello, 0, wire);
	assert_int_equal(parse(wire, 0, &got, &err), 0);
	assert_memory_equal(&got.hello, &hello.hello, sizeof(got.hello));
	for (size_t i = 0; i < ARRAY_SIZE(said); i++) {
		uint8_t again[ROOM];
		size_t len = wire_encode(&said[i], i, wire);

		assert_int_equal(parse(wire, i, &got, &err), 0);
		assert_int_equal(got.type, said[i].type);
		assert_int_equal(wire_encode(&got, i, again), len);
		assert_memory_equal(again, wire, len);
	}
}

/* One change a row, to a message that was right; signed again where that is not what is tried. */
static void what_cannot_be_is_refused(void **state)
{
	static const struct {
		size_t at;
		uint8_t value;
		bool sign;
		const char *why;
	} rows[] = {
		{ 0, 'V', true, "not a message" },
		{ 3, 'I', true, "not a message" },
		{ 4, 0, true, "a message of type 0, which this version does not know" },
		{ 4, 15, true, "a message of type 15, which this version does not know" },
		{ 5, 1, true, "a message of type 257, which this version does not know" },
		{ 8, 95, true, "HELLO of 95 bytes, not 96" },
		{ 8, 97, true, "HELLO of 97 bytes, not 96" },
		{ 11, 0x80, true, "HELLO of 2147483744 bytes, not 96" },
		{ 16, 1, true, "HELLO is message 1, not 0" },
		{ 24, 0, false, "HELLO: its checksum is wrong" },
		{ 127, 1, false, "HELLO: its checksum is wrong" },
		{ 7, 0x80, false, "HELLO: its checksum is wrong" },
		{ 34, 4, true, "HELLO of versions 4 to 3" },
		{ 34, 0, true, "HELLO of versions 0 to 3" },
		{ 36, 0, true, "HELLO of role 0" },
		{ 36, 4, true, "HELLO of role 4" },
	};
	uint8_t wire[ROOM];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		wire_encode(&hello, 0, wire);
		wire[24] = rows[i].at == 24 ? (uint8_t)~wire[24] : wire[24];
		if (rows[i].at != 24)
			wire[rows[i].at] = rows[i].value;
		if (rows[i].sign && get32(wire + 8) == 96)
			sign(wire);
		assert_refused(wire, 0, rows[i].why);
	}
}

static void values_that_make_no_sense_are_refused(void **state)
{
	struct wire_message no = { .type = WIRE_ABORT, .abort = { 65, "no" } };
	struct wire_message ask = { .type = WIRE_ASK, .state = { "TX", 9, 2, 3, "J" } };
	struct wire_message got;
	struct err err = { 0 };
	uint8_t wire[ROOM];

	(void)state;
	wire_encode(&ask, 0, wire);
	put32(wire + 56, 3);
	sign(wire);
	assert_refused(wire, 0, "ASK of role 3, phase 3");
	wire_encode(&ask, 0, wire);
	put32(wire + 60, WIRE_NR_PHASES);
	sign(wire);
	assert_refused(wire, 0, "ASK of role 2, phase 7");
	wire_encode(&no, 0, wire);
	memset(wire + 40, 'x', WIRE_REASON_SIZE);
	sign(wire);
	assert_refused(wire, 0, "ABORT with a reason that does not end");
	wire_encode(&no, 0, wire);
	memcpy(wire + 40, "\x1b[2J", 5);
	sign(wire);
	assert_int_equal(parse(wire, 0, &got, &err), 0);
	assert_string_equal(got.abort.reason, "?[2J");
}

static void every_bit_of_a_message_counts(void **state)
{
	struct wire_message m;
	uint8_t wire[ROOM];
	size_t len = wire_encode(&hello, 0, wire);

	(void)state;
	for (size_t bit = 0; bit < len * 8; bit++) {
		struct err err = { 0 };

		/* Reserved, and summed: a version that uses them says so in HELLO. */
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(parse(wire, 0, &m, &err), -EPROTO);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void a_payload_of_its_own_is_capped(void **state)
{
	static const struct {
		enum wire_type type;
		uint32_t size;
		bool good;
	} rows[] = {
		{ WIRE_OFFER, 4u << 20, true },	 { WIRE_OFFER, (4u << 20) + 1, false },
		{ WIRE_VERDICT, 0, true },	 { WIRE_VERDICT, UINT32_MAX, false },
		{ WIRE_FRAMES, 8u << 20, true }, { WIRE_FRAMES, (8u << 20) + 1, false },
	};
	uint8_t wire[WIRE_HEADER_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_header h;
		struct err err = { 0 };

		wire_encode_header(rows[i].type, "", 0, 0, wire);
		put32(wire + 8, rows[i].size);
		assert_int_equal(wire_decode_header(wire, 0, &h, &err), rows[i].good ? 0 : -EPROTO);
	}
}

static void the_sum_of_an_offer_is_of_its_payload_that_of_frames_is_not(void **state)
{
	uint8_t wire[WIRE_HEADER_SIZE];
	struct wire_header h;
	struct err err = { 0 };

	(void)state;
	wire_encode_header(WIRE_OFFER, "{\"a\":1}", 7, 3, wire);
	assert_int_equal(wire_decode_header(wire, 3, &h, &err), 0);
	assert_int_equal(wire_check(wire, &h, "{\"a\":1}", &err), 0);
	assert_int_equal(wire_check(wire, &h, "{\"a\":2}", &err), -EPROTO);
	wire_encode_header(WIRE_FRAMES, "bytes", 5, 4, wire);
	assert_int_equal(wire_decode_header(wire, 4, &h, &err), 0);
	assert_int_equal(wire_check(wire, &h, NULL, &err), 0);
}

static void an_optional_message_can_be_skipped(void **state)
{
	uint8_t wire[ROOM];
	struct wire_header h;
	struct err err = { 0 };

	(void)state;
	wire_encode(&hello, 0, wire);
	wire[4] = 200;
	wire[6] = 0;
	assert_int_equal(wire_decode_header(wire, 0, &h, &err), 0);
	assert_int_equal(h.size, 96);
	assert_false(wire_known(h.type));
	put32(wire + 8, (4u << 20) + 1);
	assert_int_equal(wire_decode_header(wire, 0, &h, &err), -EPROTO);
}

static void the_higher_version_that_both_speak_is_spoken(void **state)
{
	static const struct {
		uint16_t a_oldest, a_version, b_oldest, b_version;
		int want;
	} rows[] = {
		{ 1, 1, 1, 1, 1 }, { 1, 2, 1, 1, 1 },  { 1, 2, 2, 3, 2 },
		{ 2, 3, 1, 9, 3 }, { 1, 1, 2, 3, -1 }, { 4, 5, 1, 3, -1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct wire_hello a = { .oldest = rows[i].a_oldest, .version = rows[i].a_version };
		struct wire_hello b = { .oldest = rows[i].b_oldest, .version = rows[i].b_version };
		struct err err = { 0 };
		int want = rows[i].want < 0 ? -EPROTONOSUPPORT : rows[i].want;

		assert_int_equal(wire_agree(&a, &b, &err), want);
		assert_int_equal(wire_agree(&b, &a, &err), want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hello_lies_as_it_is_drawn),
		cmocka_unit_test(the_others_lie_as_they_are_drawn),
		cmocka_unit_test(what_is_said_is_understood),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(values_that_make_no_sense_are_refused),
		cmocka_unit_test(every_bit_of_a_message_counts),
		cmocka_unit_test(a_payload_of_its_own_is_capped),
		cmocka_unit_test(the_sum_of_an_offer_is_of_its_payload_that_of_frames_is_not),
		cmocka_unit_test(an_optional_message_can_be_skipped),
		cmocka_unit_test(the_higher_version_that_both_speak_is_spoken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
