// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "check/bad-stream.h"
#include "check/compare.h"
#include "check/load-outcome.h"
#include "check/subject.h"

static void what_a_load_came_to_goes_by_what_was_seen(void **state)
{
	static const struct {
		struct load_observed seen;
		enum load_outcome outcome;
	} rows[] = {
		/* clang-format off */
		/* refused at the arc: the states that the path has, and ERROR */
		{ { 0, -EINVAL, MIG_RESUMING, false }, LOAD_REFUSED },
		{ { 0, -EINVAL, MIG_STOP, false }, LOAD_REFUSED },
		{ { 0, -EINVAL, MIG_ERROR, false }, LOAD_REFUSED },
		{ { 0, -EINVAL, MIG_RUNNING, false }, LOAD_STRAY },
		{ { 0, -EINVAL, MIG_STOP_COPY, false }, LOAD_STRAY },
		{ { 0, -EINVAL, MIG_RUNNING_P2P, false }, LOAD_STRAY },
		{ { 0, -EINVAL, 9, false }, LOAD_STRAY },
		/* by the write already */
		{ { -EINVAL, -EINVAL, MIG_RESUMING, false }, LOAD_REFUSED },
		{ { -EFAULT, -EIO, MIG_ERROR, false }, LOAD_REFUSED },
		{ { -EFAULT, -EINVAL, MIG_RUNNING, false }, LOAD_STRAY },
		/* and then not by the arc */
		{ { -EFAULT, 0, MIG_STOP, true }, LOAD_FORGOTTEN },
		{ { -EFAULT, 0, MIG_STOP, false }, LOAD_FORGOTTEN },
		{ { -EFAULT, 0, MIG_ERROR, false }, LOAD_ASTRAY },
		/* taken */
		{ { 0, 0, MIG_STOP, true }, LOAD_UNNOTICED },
		{ { 0, 0, MIG_STOP, false }, LOAD_BROKE },
		{ { 0, 0, MIG_RESUMING, true }, LOAD_ASTRAY },
		{ { 0, 0, MIG_ERROR, false }, LOAD_ASTRAY },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (load_outcome(&rows[i].seen) != rows[i].outcome)
			fail_msg("row %zu: %s", i, load_outcome_text(load_outcome(&rows[i].seen)));
}

#define KINDS 5u

static void a_bad_stream_is_never_the_good_one(void **state)
{
	static uint8_t bytes[1000];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	for (size_t len = 2; len <= sizeof(bytes); len += len < 40 ? 1 : 479) {
		struct subject_state good = { bytes, len };

		for (unsigned int kind = 0; kind < KINDS; kind++)
			for (unsigned int v = 0; v < bad_stream_variants(kind); v++) {
				char text[BAD_STREAM_TEXT_MAX];
				struct subject_state bad;

				assert_int_equal(bad_stream_make(&good, kind, v, len, &bad, text),
						 0);
				if (compare_at(&good, &bad) == COMPARE_SAME)
					fail_msg("%zu bytes: %s", len, text);
				free(bad.data);
			}
	}
}

static void a_foreign_stream_differs_from_a_state_of_zeroes(void **state)
{
	uint8_t bytes[8] = { 0 };
	struct subject_state good = { bytes, sizeof(bytes) }, bad;
	char text[BAD_STREAM_TEXT_MAX];

	(void)state;
	assert_int_equal(bad_stream_make(&good, BAD_STREAM_FOREIGN, 0, 1, &bad, text), 0);
	assert_int_not_equal(compare_at(&good, &bad), COMPARE_SAME);
	assert_int_equal(bad.len, good.len);
	free(bad.data);
}

static void a_short_stream_is_a_beginning_and_a_long_one_has_all(void **state)
{
	uint8_t bytes[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct subject_state good = { bytes, sizeof(bytes) }, bad;
	static const size_t lens[2][3] = { { 4, 7, 1 }, { 9, 4104, 16 } };
	char text[BAD_STREAM_TEXT_MAX];

	(void)state;
	for (unsigned int v = 0; v < 3; v++) {
		assert_int_equal(bad_stream_make(&good, BAD_STREAM_SHORT, v, 1, &bad, text), 0);
		assert_int_equal(bad.len, lens[0][v]);
		assert_memory_equal(bad.data, bytes, bad.len);
		free(bad.data);
		assert_int_equal(bad_stream_make(&good, BAD_STREAM_LONG, v, 1, &bad, text), 0);
		assert_int_equal(bad.len, lens[1][v]);
		assert_memory_equal(bad.data, bytes, sizeof(bytes));
		free(bad.data);
	}
}

static void a_flipped_stream_has_one_wrong_bit(void **state)
{
	uint8_t bytes[100] = { 0 };
	struct subject_state good = { bytes, sizeof(bytes) }, bad;
	static const size_t places[] = { 0, 25, 50, 75, 99 };
	char text[BAD_STREAM_TEXT_MAX];

	(void)state;
	for (unsigned int v = 0; v < ARRAY_SIZE(places); v++) {
		unsigned int bits = 0;

		assert_int_equal(bad_stream_make(&good, BAD_STREAM_FLIPPED, v, v, &bad, text), 0);
		assert_int_equal(compare_at(&good, &bad), places[v]);
		for (size_t i = 0; i < bad.len; i++)
			bits += (unsigned int)__builtin_popcount(bad.data[i]);
		assert_int_equal(bits, 1);
		free(bad.data);
	}
}

static void two_streams_are_compared_to_the_byte(void **state)
{
	static uint8_t a[] = { 1, 2, 3 }, b[] = { 1, 9, 3 };
	static const struct {
		struct subject_state a, b;
		size_t at;
		const char *text;
	} rows[] = {
		{ { a, 3 }, { a, 3 }, COMPARE_SAME, "3 bytes, the same" },
		{ { a, 3 }, { a, 2 }, 2, "3 and 2 bytes, the same up to byte 2" },
		{ { a, 3 }, { b, 3 }, 1, "3 and 3 bytes, at byte 1 02 and 09" },
		{ { NULL, 0 }, { b, 1 }, 0, "0 and 1 bytes, the same up to byte 0" },
		{ { NULL, 0 }, { NULL, 0 }, COMPARE_SAME, "0 bytes, the same" },
	};
	char text[COMPARE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(compare_at(&rows[i].a, &rows[i].b), rows[i].at);
		assert_string_equal(compare_text(&rows[i].a, &rows[i].b, text), rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_load_came_to_goes_by_what_was_seen),
		cmocka_unit_test(a_bad_stream_is_never_the_good_one),
		cmocka_unit_test(a_foreign_stream_differs_from_a_state_of_zeroes),
		cmocka_unit_test(a_short_stream_is_a_beginning_and_a_long_one_has_all),
		cmocka_unit_test(a_flipped_stream_has_one_wrong_bit),
		cmocka_unit_test(two_streams_are_compared_to_the_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
