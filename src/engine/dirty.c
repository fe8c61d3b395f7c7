// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdlib.h>

#include "base/macros.h"
#include "engine/dirty.h"

/* A range at any place; a device may be unable to reach high ones. */
#define PROBE_PAGES 64u
#define PROBE_BYTES_MAX (UINT64_C(1) << 62)

int dirty_may(const struct device *dev, struct err *err)
{
	if (device_ownership(dev) != DEVICE_SOLE)
		return 0;
	err_fail(err, ERR_UNSUPPORTED, -EOPNOTSUPP,
		 "%s: its log ends when it is closed, and no other process is to keep it open",
		 device_name(dev));
	return err_hint(err, -EOPNOTSUPP,
			"vfiomigctl dirty watch %s logs and reports in one; or name it by hold:, "
			"fd:, pid: or unix:",
			device_name(dev));
}

static int dirty_cancelled(struct mig_dev *dev, struct err *err)
{
	return dev->cancel ? cancel_check(dev->cancel, err) : 0;
}

int dirty_report(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
		 uint64_t page_size, const struct dirty_sink *sink, struct dirty_tally *ret,
		 struct err *err)
{
	size_t room = dma_log_room(dev);
	_cleanup_free_ uint64_t *bitmap = malloc(room);
	struct dirty_cursor at = { 0 };
	struct dma_log_range piece;
	uint64_t before = 0;
	int r;

	dirty_tally_init(ret, ranges, n, page_size);
	if (!bitmap)
		return err_set(err, -ENOMEM, "a bitmap of %zu bytes", room);
	for (; dirty_next(ranges, n, page_size, room, &at, &piece); before = at.pages) {
		size_t size = (size_t)dirty_bitmap_size(&piece, page_size);

		r = dirty_cancelled(dev, err);
		if (r < 0)
			return r;
		r = dma_log_report(dev, &piece, page_size, bitmap, size, err);
		if (r < 0)
			return r;
		dirty_tally_add(ret, &piece, before, bitmap);
		r = sink && sink->put ? sink->put(sink->ctx, bitmap, size, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/*
 * Trying
 */

/* Return: 0 when it was taken, and is ended again; -ECANCELED; what it was refused with. */
static int dirty_try(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
		     uint64_t *page_size, struct err *err)
{
	int r;

	r = dirty_cancelled(dev, err);
	if (r < 0)
		return r;
	r = dma_log_start(dev, ranges, n, page_size, err);
	return r < 0 ? r : dma_log_stop(dev, err);
}

static int dirty_probe_sizes(struct mig_dev *dev, struct dirty_limits *ret, struct err *err)
{
	struct err why = { 0 }, first = { 0 };
	int r;

	for (unsigned int i = 0; i < DIRTY_PROBE_SIZES; i++) {
		uint64_t size = DIRTY_PAGE_MIN << i;
		const struct dma_log_range range = { 0, PROBE_PAGES * size };

		r = dirty_try(dev, &range, 1, &size, &why);
		if (r == -ECANCELED || r == -ENOTTY) {
			*err = why;
			return r;
		}
		if (r < 0) {
			if (!first.code)
				first = why;
			continue;
		}
		ret->sizes |= 1u << i;
		ret->becomes[i] = size;
	}
	if (ret->sizes)
		return 0;
	*err = first;
	return first.code;
}

/* Return: 0 when it was taken, DIRTY_REFUSED when not. */
#define DIRTY_REFUSED 1

static int dirty_probe_one(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
			   uint64_t page_size, struct err *err)
{
	struct err why = { 0 };
	int r = dirty_try(dev, ranges, n, &page_size, &why);

	if (r != -ECANCELED)
		return r < 0 ? DIRTY_REFUSED : 0;
	*err = why;
	return r;
}

static int dirty_probe_bytes(struct mig_dev *dev, uint64_t page_size, struct dirty_limits *ret,
			     struct err *err)
{
	struct dma_log_range range = { 0, page_size };
	int r;

	for (; range.length <= PROBE_BYTES_MAX; range.length *= 2) {
		r = dirty_probe_one(dev, &range, 1, page_size, err);
		if (r < 0)
			return r;
		if (r == DIRTY_REFUSED) {
			ret->bytes_limit = true;
			break;
		}
		ret->bytes = range.length;
	}
	return 0;
}

/* By halves: a device that takes N takes fewer. */
static int dirty_probe_ranges(struct mig_dev *dev, uint64_t page_size, struct dirty_limits *ret,
			      struct err *err)
{
	struct dma_log_range ranges[DMA_LOG_RANGES_MAX];
	unsigned int taken = 1, refused = DMA_LOG_RANGES_MAX + 1;

	/* With gaps: neighbours could be taken for one. */
	for (uint64_t i = 0; i < DMA_LOG_RANGES_MAX; i++)
		ranges[i] = (struct dma_log_range){ 2 * i * page_size, page_size };
	for (unsigned int next = DMA_LOG_RANGES_MAX; refused - taken > 1;
	     next = (taken + refused) / 2) {
		int r = dirty_probe_one(dev, ranges, next, page_size, err);

		if (r < 0)
			return r;
		if (r == DIRTY_REFUSED)
			refused = next;
		else
			taken = next;
	}
	ret->ranges = taken;
	ret->ranges_limit = refused <= DMA_LOG_RANGES_MAX;
	return 0;
}

int dirty_probe(struct mig_dev *dev, struct dirty_limits *ret, struct err *err)
{
	uint64_t page_size = DIRTY_PAGE_MIN;
	int r;

	*ret = (struct dirty_limits){ 0 };
	r = dirty_probe_sizes(dev, ret, err);
	if (r < 0)
		return r;
	page_size <<= __builtin_ctz(ret->sizes);
	r = dirty_probe_bytes(dev, page_size, ret, err);
	return r < 0 ? r : dirty_probe_ranges(dev, page_size, ret, err);
}
