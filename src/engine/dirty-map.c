// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/units.h"
#include "engine/dirty-map.h"

#define WORD_BITS 64u

int dirty_parse_range(const char *text, struct dma_log_range *ret, struct err *err)
{
	const char *plus = strchr(text, '+');
	char address[32];
	int base = strncmp(text, "0x", 2) == 0 ? 16 : 10;

	if (!plus || (size_t)(plus - text) >= sizeof(address))
		return err_fail(err, ERR_USAGE, -EINVAL, "'%s' is not IOVA+LEN", text);
	memcpy(address, text, (size_t)(plus - text));
	address[plus - text] = '\0';
	if (parse_uint(address + (base == 16 ? 2 : 0), base, UINT64_MAX, &ret->iova) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "'%s' is not an address: 0x100000+1M",
				address);
	if (parse_bytes(plus + 1, UINT64_MAX, &ret->length) < 0)
		return err_fail(err, ERR_USAGE, -EINVAL, "'%s' is not a size: 0x100000+1M",
				plus + 1);
	return 0;
}

/*
 * Checks
 */

static int dirty_map_compare(const void *a, const void *b)
{
	const struct dma_log_range *x = a, *y = b;

	return (x->iova > y->iova) - (x->iova < y->iova);
}

static uint64_t dirty_map_last(const struct dma_log_range *range)
{
	return range->iova + (range->length - 1);
}

static int dirty_map_check_one(const struct dma_log_range *range, uint64_t page_size,
			       struct err *err)
{
	if (!range->length)
		return err_fail(err, ERR_USAGE, -EINVAL, "0x%" PRIx64 "+0: is empty", range->iova);
	if (range->iova % page_size || range->length % page_size)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"0x%" PRIx64 "+%" PRIu64 ": not of whole pages of %" PRIu64
				" bytes",
				range->iova, range->length, page_size);
	if (dirty_map_last(range) < range->iova)
		return err_fail(err, ERR_USAGE, -EINVAL,
				"0x%" PRIx64 "+%" PRIu64 ": ends past the last address",
				range->iova, range->length);
	return 0;
}

static int dirty_map_check_each(const struct dma_log_range *ranges, size_t n, uint64_t page_size,
				struct err *err)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < n; i++) {
		int r = dirty_map_check_one(&ranges[i], page_size, err);

		if (r < 0)
			return r;
		pages += ranges[i].length / page_size;
		if (pages > DIRTY_PAGES_MAX)
			return err_fail(err, ERR_USAGE, -E2BIG,
					"more than %" PRIu64 " pages of %" PRIu64 " bytes",
					DIRTY_PAGES_MAX, page_size);
	}
	return 0;
}

int dirty_check(struct dma_log_range *ranges, size_t n, uint64_t page_size, struct err *err)
{
	int r;

	if (page_size < DIRTY_PAGE_MIN || page_size & (page_size - 1))
		return err_fail(err, ERR_USAGE, -EINVAL,
				"pages of %" PRIu64 " bytes: not a power of two from %" PRIu64
				" on",
				page_size, DIRTY_PAGE_MIN);
	if (!n || n > DMA_LOG_RANGES_MAX)
		return err_fail(err, ERR_USAGE, -E2BIG, "%zu ranges: 1 to %u can be logged", n,
				DMA_LOG_RANGES_MAX);
	r = dirty_map_check_each(ranges, n, page_size, err);
	if (r < 0)
		return r;
	qsort(ranges, n, sizeof(*ranges), dirty_map_compare);
	for (size_t i = 1; i < n; i++)
		if (dirty_map_last(&ranges[i - 1]) >= ranges[i].iova)
			return err_fail(err, ERR_USAGE, -EINVAL,
					"0x%" PRIx64 "+%" PRIu64
					": overlaps the range at 0x%" PRIx64,
					ranges[i - 1].iova, ranges[i - 1].length, ranges[i].iova);
	return 0;
}

/*
 * Pieces
 */

uint64_t dirty_pages(const struct dma_log_range *ranges, size_t n, uint64_t page_size)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < n; i++)
		pages += ranges[i].length / page_size;
	return pages;
}

uint64_t dirty_bitmap_size(const struct dma_log_range *range, uint64_t page_size)
{
	return ((range->length / page_size - 1) / WORD_BITS + 1) * sizeof(uint64_t);
}

bool dirty_next(const struct dma_log_range *ranges, size_t n, uint64_t page_size, size_t room,
		struct dirty_cursor *at, struct dma_log_range *ret)
{
	const struct dma_log_range *range;
	uint64_t pages;

	if (at->range == n)
		return false;
	range = &ranges[at->range];
	/* In pages: a piece's length in bytes might not fit where pages are large. */
	pages = MIN((range->length - at->done) / page_size, (uint64_t)room * 8);
	*ret = (struct dma_log_range){ range->iova + at->done, pages * page_size };
	at->done += ret->length;
	at->pages += pages;
	if (at->done == range->length) {
		at->range++;
		at->done = 0;
	}
	return true;
}

/*
 * What they come to
 */

void dirty_tally_init(struct dirty_tally *t, const struct dma_log_range *ranges, size_t n,
		      uint64_t page_size)
{
	*t = (struct dirty_tally){
		.total = dirty_pages(ranges, n, page_size),
		.page_size = page_size,
	};
}

/* As far as DIRTY_PAGES_MAX this does not overflow. */
static unsigned int dirty_map_column(const struct dirty_tally *t, uint64_t page)
{
	return (unsigned int)MIN(page * DIRTY_HEAT / t->total, (uint64_t)DIRTY_HEAT - 1);
}

static void dirty_map_add_heat(struct dirty_tally *t, uint64_t page, uint64_t word)
{
	unsigned int first = dirty_map_column(t, page);

	if (first == dirty_map_column(t, page + WORD_BITS - 1)) {
		t->heat[first] += (uint64_t)__builtin_popcountll(word);
		return;
	}
	for (unsigned int bit = 0; bit < WORD_BITS; bit++)
		t->heat[dirty_map_column(t, page + bit)] += word >> bit & 1;
}

/* The run that the page at @iova continues, or NULL. */
static struct dma_log_range *dirty_map_run_before(struct dirty_tally *t, uint64_t iova)
{
	struct dma_log_range *last = t->n_runs ? &t->runs[t->n_runs - 1] : NULL;

	return last && !t->runs_left_out && last->iova + last->length == iova ? last : NULL;
}

static void dirty_map_add_run(struct dirty_tally *t, uint64_t iova, uint64_t pages)
{
	struct dma_log_range *last = dirty_map_run_before(t, iova);

	if (last)
		last->length += pages * t->page_size;
	else if (t->n_runs < DIRTY_RUNS_MAX)
		t->runs[t->n_runs++] = (struct dma_log_range){ iova, pages * t->page_size };
	else
		t->runs_left_out++;
}

/* Stretches of set bits; @iova is that of bit 0. */
static void dirty_map_add_runs(struct dirty_tally *t, uint64_t iova, uint64_t word)
{
	for (unsigned int bit = 0; bit < WORD_BITS && word >> bit;) {
		unsigned int ones;
		uint64_t rest;

		bit += (unsigned int)__builtin_ctzll(word >> bit);
		rest = ~(word >> bit);
		ones = rest ? (unsigned int)__builtin_ctzll(rest) : WORD_BITS;
		dirty_map_add_run(t, iova + bit * t->page_size, ones);
		bit += ones;
	}
}

void dirty_tally_add(struct dirty_tally *t, const struct dma_log_range *piece, uint64_t before,
		     const uint64_t *bitmap)
{
	uint64_t pages = piece->length / t->page_size;

	for (uint64_t at = 0; at < pages; at += WORD_BITS) {
		uint64_t word = bitmap[at / WORD_BITS];

		if (pages - at < WORD_BITS)
			word &= (UINT64_C(1) << (pages - at)) - 1;
		if (!word)
			continue;
		t->pages += (uint64_t)__builtin_popcountll(word);
		dirty_map_add_heat(t, before + at, word);
		dirty_map_add_runs(t, piece->iova + at * t->page_size, word);
	}
}

void dirty_heat_line(const struct dirty_tally *t, char ret[DIRTY_HEAT + 1])
{
	static const char ramp[] = " .:-=+*#%@";
	const uint64_t steps = sizeof(ramp) - 2; /* from none to all */

	for (uint64_t i = 0; i < DIRTY_HEAT; i++) {
		/* The pages whose column this is. */
		uint64_t from = (i * t->total + DIRTY_HEAT - 1) / DIRTY_HEAT;
		uint64_t to = ((i + 1) * t->total + DIRTY_HEAT - 1) / DIRTY_HEAT;
		uint64_t all = MAX(to - from, 1);

		/* Whatever little there is shows; all alone is '@'. */
		ret[i] = ramp[MIN((t->heat[i] * steps + all - 1) / all, steps)];
		if (ret[i] == ramp[steps] && t->heat[i] < all)
			ret[i] = ramp[steps - 1];
	}
	ret[DIRTY_HEAT] = '\0';
}
