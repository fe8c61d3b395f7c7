/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Bitmaps of dirty memory
 *
 * What a log of DMA is asked for, and what its bitmaps come to. Pure: ranges come from a command
 * line, bitmaps from a driver or server, neither is believed. Ranges may have any place in 64 bits
 * of address, the last byte too; all arithmetic is of pages, of which there is a bounded number.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "device/dma-log.h"

/* What the kernel takes at the least. */
#define DIRTY_PAGE_MIN UINT64_C(4096)

/* Of all ranges together: 16 TiB of the smallest pages, and 512 MiB of bitmap in a file. */
#define DIRTY_PAGES_MAX (UINT64_C(1) << 32)

/** dirty_parse_range() - "0x100000000+4G": an address, decimal or 0x, and a size. */
_must_check_ int dirty_parse_range(const char *text, struct dma_log_range *ret, struct err *err);

/**
 * dirty_check() - sort ranges, and refuse what no log takes
 *
 * Afterwards each is of whole pages, none is empty, ends past 2^64 or overlaps another, and
 * together they have DIRTY_PAGES_MAX pages at most.
 *
 * Return: 0; -EINVAL, -E2BIG (ERR_USAGE).
 */
_must_check_ int dirty_check(struct dma_log_range *ranges, size_t n, uint64_t page_size,
			     struct err *err);

/** dirty_pages() - of ranges that dirty_check() has passed */
uint64_t dirty_pages(const struct dma_log_range *ranges, size_t n, uint64_t page_size);

/** dirty_bitmap_size() - bytes of a range's bitmap, in words of 64 bits */
uint64_t dirty_bitmap_size(const struct dma_log_range *range, uint64_t page_size);

/** struct dirty_cursor - zero to begin with; @pages: so many are before it, of all ranges */
struct dirty_cursor {
	size_t range;
	uint64_t done, pages;
};

/**
 * dirty_next() - the next piece, whose bitmap fits into @room bytes
 * @room: a multiple of 8
 *
 * The bitmaps of a range's pieces, one behind the other, are that of the range: all but the
 * last end with a whole word.
 *
 * Return: false at the end.
 */
bool dirty_next(const struct dma_log_range *ranges, size_t n, uint64_t page_size, size_t room,
		struct dirty_cursor *at, struct dma_log_range *ret);

#define DIRTY_HEAT 48u
/* More stretches than that are counted, not kept. */
#define DIRTY_RUNS_MAX 4096u

/**
 * struct dirty_tally - what bitmaps come to
 * @total: pages that are logged, at most DIRTY_PAGES_MAX
 * @pages: of them, those that are dirty
 * @runs, @n_runs, @runs_left_out: stretches of dirty pages, in the order in which they were added
 * @heat: dirty pages in each of DIRTY_HEAT equal parts of all that is logged
 */
struct dirty_tally {
	uint64_t total, page_size, pages;
	struct dma_log_range runs[DIRTY_RUNS_MAX];
	size_t n_runs;
	uint64_t runs_left_out;
	uint64_t heat[DIRTY_HEAT];
};

/** dirty_tally_init() - for ranges that dirty_check() has passed */
void dirty_tally_init(struct dirty_tally *t, const struct dma_log_range *ranges, size_t n,
		      uint64_t page_size);

/**
 * dirty_tally_add() - the bitmap of a piece
 * @before: pages of all ranges before it: the cursor's, before dirty_next()
 *
 * Bits behind the piece's last page mean nothing.
 */
void dirty_tally_add(struct dirty_tally *t, const struct dma_log_range *piece, uint64_t before,
		     const uint64_t *bitmap);

/** dirty_heat_line() - a character for each part, ' ' for none and '@' for all; ends with NUL */
void dirty_heat_line(const struct dirty_tally *t, char ret[DIRTY_HEAT + 1]);
