// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Ranges and bitmaps of dirty memory against whatever libFuzzer thinks of
 *
 * An input is a page size's exponent, a piece's room in words, a number of ranges, those, and what
 * bitmaps are filled with. What is accepted must come out in pieces that are all of it and nothing
 * else, and be counted as one bit after the other says.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "engine/dirty-map.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);

#define ROOM_MAX 64u
#define PIECES_MAX 64u
#define RANGES_MAX 4u

/* What is still to be read of the input; zeroes behind its end. */
struct input {
	const uint8_t *at;
	size_t left;
};

static uint64_t take(struct input *in, size_t size)
{
	uint64_t n = 0;

	memcpy(&n, in->at, MIN(size, in->left));
	in->at += MIN(size, in->left);
	in->left -= MIN(size, in->left);
	return n;
}

/* One bit after the other. */
static uint64_t count(const uint64_t *bitmap, uint64_t pages)
{
	uint64_t n = 0;

	for (uint64_t i = 0; i < pages; i++)
		n += bitmap[i / 64] >> i % 64 & 1;
	return n;
}

static uint64_t sum(const struct dirty_tally *t)
{
	uint64_t heat = 0;

	for (size_t i = 0; i < DIRTY_HEAT; i++)
		heat += t->heat[i];
	return heat;
}

static void check_runs(const struct dirty_tally *t, uint64_t page)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < t->n_runs; i++) {
		assert(t->runs[i].length && t->runs[i].length % page == 0);
		assert(t->runs[i].iova % page == 0);
		/* A stretch ends where the next one does not begin. */
		assert(!i || t->runs[i - 1].iova + t->runs[i - 1].length < t->runs[i].iova);
		pages += t->runs[i].length / page;
	}
	assert(t->runs_left_out || pages == t->pages);
}

static void walk(struct input *in, const struct dma_log_range *ranges, size_t n, uint64_t page,
		 size_t room)
{
	static struct dirty_tally t;
	struct dirty_cursor at = { 0 };
	struct dma_log_range piece;
	uint64_t before = 0, dirty = 0, bitmap[ROOM_MAX];
	char heat[DIRTY_HEAT + 1];

	dirty_tally_init(&t, ranges, n, page);
	for (size_t i = 0; i < PIECES_MAX && dirty_next(ranges, n, page, room, &at, &piece); i++) {
		uint64_t pages = piece.length / page;

		assert(pages && dirty_bitmap_size(&piece, page) <= room);
		assert(at.pages == before + pages && at.pages <= t.total);
		for (size_t j = 0; j < room / sizeof(uint64_t); j++)
			bitmap[j] = take(in, sizeof(uint64_t));
		dirty_tally_add(&t, &piece, before, bitmap);
		dirty += count(bitmap, pages);
		before = at.pages;
	}
	assert(t.pages == dirty && sum(&t) == dirty);
	check_runs(&t, page);
	dirty_heat_line(&t, heat);
	assert(strlen(heat) == DIRTY_HEAT);
}

static void parse(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct dma_log_range range;

	assert(text);
	if (dirty_parse_range(text, &range, NULL) == 0)
		assert(strchr(text, '+'));
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint64_t page = UINT64_C(1) << take(&in, 1) % 64;
	size_t room = (1 + take(&in, 1) % ROOM_MAX) * sizeof(uint64_t);
	size_t n = 1 + take(&in, 1) % RANGES_MAX;
	struct dma_log_range ranges[RANGES_MAX];

	parse(data, size);
	for (size_t i = 0; i < n; i++) {
		/* In pages, else hardly one input would be of whole ones. */
		ranges[i].iova = take(&in, 8) * page;
		ranges[i].length = take(&in, 2) * page;
	}
	if (dirty_check(ranges, n, page, NULL) == 0)
		walk(&in, ranges, n, page, room);
	return 0;
}

/* Two ranges that are accepted, and some bits, so that more than the checks is looked at. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static const uint8_t start[] = {
		12, 1, 1, 0, 1, 0, 0, 0, 0, 0, 0, 200, 0, 0, 2,
		0,  0, 0, 0, 0, 0, 3, 0, 1, 2, 3, 4,   5, 6, 7,
	};

	if (size < sizeof(start) && max >= sizeof(start) && seed % 2) {
		memcpy(data, start, sizeof(start));
		size = sizeof(start);
	}
	return LLVMFuzzerMutate(data, size, max);
}
