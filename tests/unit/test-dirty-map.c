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
#include "engine/dirty-map.h"

#define KIB UINT64_C(1024)
#define PAGE (4 * KIB)
#define TOP UINT64_MAX

static void a_range_is_an_address_and_a_size(void **state)
{
	static const struct {
		const char *text;
		int result;
		struct dma_log_range range;
	} rows[] = {
		/* clang-format off */
		{ "0+4096", 0, { 0, 4096 } },
		{ "0x100000+1M", 0, { 1 << 20, 1 << 20 } },
		{ "4096+64K", 0, { 4096, 65536 } },
		{ "0xffffffffffffffff+1", 0, { TOP, 1 } },
		{ "18446744073709551615+16E", -EINVAL, { 0, 0 } },
		{ "0x10000000000000000+1", -EINVAL, { 0, 0 } },
		{ "18446744073709551616+1", -EINVAL, { 0, 0 } },
		{ "", -EINVAL, { 0, 0 } },
		{ "+", -EINVAL, { 0, 0 } },
		{ "+4K", -EINVAL, { 0, 0 } },
		{ "0x+4K", -EINVAL, { 0, 0 } },
		{ "0x0", -EINVAL, { 0, 0 } },
		{ "0x0+", -EINVAL, { 0, 0 } },
		{ "0x0-4K", -EINVAL, { 0, 0 } },
		{ "-1+4K", -EINVAL, { 0, 0 } },
		{ "0x0+4K+4K", -EINVAL, { 0, 0 } },
		{ "00000000000000000000000000000000000+4K", -EINVAL, { 0, 0 } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dma_log_range range = { 0 };

		assert_int_equal(dirty_parse_range(rows[i].text, &range, NULL), rows[i].result);
		if (rows[i].result)
			continue;
		assert_true(range.iova == rows[i].range.iova);
		assert_true(range.length == rows[i].range.length);
	}
}

static void what_no_log_takes_is_refused(void **state)
{
	static const struct {
		uint64_t page;
		size_t n;
		struct dma_log_range ranges[3];
		int result;
	} rows[] = {
		/* clang-format off */
		{ PAGE, 1, { { 0, PAGE } }, 0 },
		{ PAGE, 2, { { PAGE, PAGE }, { 0, PAGE } }, 0 }, /* side by side, in any order */
		{ PAGE, 1, { { TOP - PAGE + 1, PAGE } }, 0 }, /* to the last byte of all */
		{ 1ull << 63, 1, { { 1ull << 63, 1ull << 63 } }, 0 },
		{ PAGE, 0, { { 0 } }, -E2BIG },
		{ 2 * KIB, 1, { { 0, PAGE } }, -EINVAL },
		{ 0, 1, { { 0, PAGE } }, -EINVAL },
		{ 12 * KIB, 1, { { 0, 12 * KIB } }, -EINVAL },
		{ PAGE, 1, { { 0, 0 } }, -EINVAL },
		{ PAGE, 1, { { 1, PAGE } }, -EINVAL },
		{ PAGE, 1, { { 0, PAGE + 1 } }, -EINVAL },
		{ PAGE, 1, { { TOP - PAGE + 1, 2 * PAGE } }, -EINVAL },
		{ PAGE, 2, { { 0, 2 * PAGE }, { PAGE, PAGE } }, -EINVAL },
		{ PAGE, 2, { { 0, PAGE }, { 0, PAGE } }, -EINVAL },
		{ PAGE, 3, { { 0, PAGE }, { 8 * PAGE, PAGE }, { 2 * PAGE, 8 * PAGE } }, -EINVAL },
		{ PAGE, 1, { { 0, DIRTY_PAGES_MAX * PAGE } }, 0 },
		{ PAGE, 1, { { 0, (DIRTY_PAGES_MAX + 1) * PAGE } }, -E2BIG },
		{ PAGE, 2, { { 0, DIRTY_PAGES_MAX * PAGE }, { 1ull << 60, PAGE } }, -E2BIG },
		/* clang-format on */
	};
	struct dma_log_range many[DMA_LOG_RANGES_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct dma_log_range ranges[3];

		memcpy(ranges, rows[i].ranges, sizeof(ranges));
		assert_int_equal(dirty_check(ranges, rows[i].n, rows[i].page, NULL),
				 rows[i].result);
		for (size_t j = 1; !rows[i].result && j < rows[i].n; j++)
			assert_true(ranges[j - 1].iova < ranges[j].iova);
	}
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct dma_log_range){ i * PAGE, PAGE };
	assert_int_equal(dirty_check(many, DMA_LOG_RANGES_MAX, PAGE, NULL), 0);
	assert_int_equal(dirty_check(many, DMA_LOG_RANGES_MAX + 1, PAGE, NULL), -E2BIG);
}

/* All pages once, in order, whatever there is room for. */
static void pieces_are_the_ranges(void **state)
{
	static const struct dma_log_range ranges[] = {
		{ 0, PAGE },
		{ 8 * PAGE, 64 * PAGE },
		{ 1ull << 40, 1000 * PAGE },
		{ TOP - 65 * PAGE + 1, 65 * PAGE },
	};
	static const size_t rooms[] = { 8, 16, 24, 128, 65536 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rooms); i++) {
		struct dirty_cursor at = { 0 };
		struct dma_log_range piece;
		uint64_t pages = 0, words[ARRAY_SIZE(ranges)] = { 0 };
		size_t which = 0;
		uint64_t next = ranges[0].iova;

		while (dirty_next(ranges, ARRAY_SIZE(ranges), PAGE, rooms[i], &at, &piece)) {
			assert_true(piece.iova == next);
			assert_true(piece.length && dirty_bitmap_size(&piece, PAGE) <= rooms[i]);
			words[which] += dirty_bitmap_size(&piece, PAGE);
			pages += piece.length / PAGE;
			assert_true(at.pages == pages);
			next += piece.length;
			if (next == ranges[which].iova + ranges[which].length) {
				which++;
				next = which < ARRAY_SIZE(ranges) ? ranges[which].iova : 0;
			}
		}
		assert_int_equal(which, ARRAY_SIZE(ranges));
		assert_true(pages == dirty_pages(ranges, ARRAY_SIZE(ranges), PAGE));
		for (size_t j = 0; j < ARRAY_SIZE(ranges); j++)
			assert_true(words[j] == dirty_bitmap_size(&ranges[j], PAGE));
	}
}

static struct dirty_tally *tally(const struct dma_log_range *range)
{
	static struct dirty_tally t;

	dirty_tally_init(&t, range, 1, PAGE);
	return &t;
}

static void bits_are_pages_and_stretches(void **state)
{
	static const struct {
		uint64_t pages, bits[3];
		uint64_t dirty;
		size_t n;
		struct {
			uint64_t first, pages;
		} runs[4];
	} rows[] = {
		/* clang-format off */
		{ 64,  { 0 }, 0, 0, { { 0 } } },
		{ 64,  { 1 }, 1, 1, { { 0, 1 } } },
		{ 64,  { 1ull << 63 }, 1, 1, { { 63, 1 } } },
		{ 64,  { TOP }, 64, 1, { { 0, 64 } } },
		{ 64,  { 0x8000000000000006 }, 3, 2, { { 1, 2 }, { 63, 1 } } },
		/* Across words, and no further than the last page. */
		{ 130, { TOP << 60, 0xf, TOP }, 10, 2, { { 60, 8 }, { 128, 2 } } },
		{ 129, { TOP, TOP, TOP }, 129, 1, { { 0, 129 } } },
		{ 65,  { 0, TOP - 1 }, 0, 0, { { 0 } } },
		{ 3,   { 0xd }, 2, 2, { { 0, 1 }, { 2, 1 } } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct dma_log_range range = { 1 << 20, rows[i].pages * PAGE };
		struct dirty_tally *t = tally(&range);
		uint64_t heat = 0;

		dirty_tally_add(t, &range, 0, rows[i].bits);
		assert_true(t->pages == rows[i].dirty);
		assert_int_equal(t->n_runs, rows[i].n);
		assert_int_equal(t->runs_left_out, 0);
		for (size_t j = 0; j < rows[i].n; j++) {
			assert_true(t->runs[j].iova == range.iova + rows[i].runs[j].first * PAGE);
			assert_true(t->runs[j].length == rows[i].runs[j].pages * PAGE);
		}
		for (size_t j = 0; j < DIRTY_HEAT; j++)
			heat += t->heat[j];
		assert_true(heat == rows[i].dirty);
	}
}

static void a_stretch_goes_on_in_the_next_piece(void **state)
{
	const struct dma_log_range range = { 0, 128 * PAGE };
	const struct dma_log_range first = { 0, 64 * PAGE }, second = { 64 * PAGE, 64 * PAGE };
	const uint64_t end = 1ull << 63, begin = 3;
	struct dirty_tally *t = tally(&range);

	(void)state;
	dirty_tally_add(t, &first, 0, &end);
	dirty_tally_add(t, &second, 64, &begin);
	assert_int_equal(t->n_runs, 1);
	assert_true(t->runs[0].iova == 63 * PAGE && t->runs[0].length == 3 * PAGE);
}

static void stretches_without_room_are_counted(void **state)
{
	const uint64_t pages = 4 * DIRTY_RUNS_MAX;
	const struct dma_log_range range = { 0, pages * PAGE };
	static uint64_t bits[4 * DIRTY_RUNS_MAX / 64];
	struct dirty_tally *t = tally(&range);

	(void)state;
	memset(bits, 0x55, sizeof(bits));
	dirty_tally_add(t, &range, 0, bits);
	assert_true(t->pages == pages / 2);
	assert_int_equal(t->n_runs, DIRTY_RUNS_MAX);
	assert_true(t->runs_left_out == pages / 2 - DIRTY_RUNS_MAX);
}

static void the_line_shows_where(void **state)
{
	static const struct {
		uint64_t pages, first, n;
		const char *line;
	} rows[] = {
		/* clang-format off */
		{ 4800, 0, 0,    "                                                " },
		{ 4800, 0, 4800, "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@" },
		{ 4800, 0, 1,    ".                                               " },
		{ 4800, 4799, 1, "                                               ." },
		{ 4800, 100, 99, " %                                              " },
		{ 4800, 150, 100, " ++                                             " },
		/* Fewer pages than there are characters: each in one of them. */
		{ 2, 1, 1,       "                        @                       " },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct dma_log_range range = { 0, rows[i].pages * PAGE };
		struct dirty_tally *t = tally(&range);
		static uint64_t bits[4800 / 64];
		char line[DIRTY_HEAT + 1];

		memset(bits, 0, sizeof(bits));
		for (uint64_t p = rows[i].first; p < rows[i].first + rows[i].n; p++)
			bits[p / 64] |= UINT64_C(1) << p % 64;
		dirty_tally_add(t, &range, 0, bits);
		dirty_heat_line(t, line);
		assert_string_equal(line, rows[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_range_is_an_address_and_a_size),
		cmocka_unit_test(what_no_log_takes_is_refused),
		cmocka_unit_test(pieces_are_the_ranges),
		cmocka_unit_test(bits_are_pages_and_stretches),
		cmocka_unit_test(a_stretch_goes_on_in_the_next_piece),
		cmocka_unit_test(stretches_without_room_are_counted),
		cmocka_unit_test(the_line_shows_where),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
