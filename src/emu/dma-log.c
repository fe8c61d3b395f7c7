// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/macros.h"
#include "emu/dma-log.h"

#define PAGE_MIN UINT64_C(4096)

static bool emu_dma_log_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

static int emu_dma_log_check_range(const struct emu_range *range, uint64_t page_size,
				   struct err *err)
{
	if (!range->length || range->iova % page_size || range->length % page_size ||
	    range->iova > UINT64_MAX - (range->length - 1))
		return err_set(err, -EINVAL, "a range at 0x%" PRIx64 " of 0x%" PRIx64, range->iova,
			       range->length);
	return 0;
}

/* As the kernel's core has it, ranges may not overlap. */
static bool emu_dma_log_overlap(const struct emu_range *ranges, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t j = 0; j < i; j++)
			if (ranges[i].iova <= ranges[j].iova + (ranges[j].length - 1) &&
			    ranges[j].iova <= ranges[i].iova + (ranges[i].length - 1))
				return true;
	return false;
}

int emu_dma_log_start(struct emu_dma_log *l, const struct emu_deviations *off, uint64_t page_size,
		      const struct emu_range *ranges, uint32_t n, struct err *err)
{
	int r;

	if (l->on && !emu_deviates(off, DEVIATE_LOG_RESTARTS))
		return err_set(err, -EEXIST, "DMA is logged already");
	if (n > EMU_RANGES_MAX)
		return err_set(err, -E2BIG, "%" PRIu32 " ranges to log", n);
	if (!emu_dma_log_power_of_two(page_size) && !emu_deviates(off, DEVIATE_LOG_ANY_PAGE))
		return err_set(err, -EINVAL, "pages of %" PRIu64 " bytes", page_size);
	for (uint32_t i = 0; i < n; i++) {
		r = emu_dma_log_check_range(&ranges[i], PAGE_MIN, err);
		if (r < 0)
			return r;
	}
	if (emu_dma_log_overlap(ranges, n) && !emu_deviates(off, DEVIATE_LOG_OVERLAP))
		return err_set(err, -EINVAL, "ranges that overlap");
	*l = (struct emu_dma_log){ .on = true, .n_ranges = n };
	l->page_size = MAX(page_size, PAGE_MIN);
	memcpy(l->ranges, ranges, n * sizeof(*ranges));
	return 0;
}

void emu_dma_log_stop(struct emu_dma_log *l)
{
	*l = (struct emu_dma_log){ 0 };
}

int emu_dma_log_size(const struct emu_dma_log *l, const struct emu_range *range, uint64_t page_size,
		     size_t *ret, struct err *err)
{
	uint64_t words;
	int r;

	if (!l->on)
		return err_set(err, -EINVAL, "DMA is not logged");
	if (!emu_dma_log_power_of_two(page_size))
		return err_set(err, -EINVAL, "pages of %" PRIu64 " bytes", page_size);
	r = emu_dma_log_check_range(range, page_size, err);
	if (r < 0)
		return r;
	words = (range->length / page_size - 1) / 64 + 1;
	if (words > EMU_BITMAP_MAX / sizeof(uint64_t))
		return err_set(err, -EINVAL, "a report of %" PRIu64 " words", words);
	*ret = (size_t)words * sizeof(uint64_t);
	return 0;
}

static bool emu_dma_log_logged(const struct emu_dma_log *l, uint64_t iova)
{
	for (uint32_t i = 0; i < l->n_ranges; i++)
		if (iova >= l->ranges[i].iova && iova - l->ranges[i].iova < l->ranges[i].length)
			return true;
	return !l->n_ranges;
}

void emu_dma_log_report(const struct emu_dma_log *l, const struct emu_range *range,
			uint64_t page_size, void *bitmap, size_t size)
{
	uint64_t pages = range->length / page_size;

	memset(bitmap, 0, size);
	for (uint64_t i = 0; !l->clean && i < pages; i++) {
		uint64_t iova = range->iova + i * page_size;

		if (iova / page_size % EMU_PATTERN != l->round % EMU_PATTERN ||
		    !emu_dma_log_logged(l, iova))
			continue;
		((uint8_t *)bitmap)[i / 8] |= (uint8_t)(1u << i % 8);
	}
}

void emu_dma_log_clear(struct emu_dma_log *l, bool runs)
{
	l->round++;
	l->clean = !runs;
}

void emu_dma_log_written(struct emu_dma_log *l)
{
	l->clean = false;
}
