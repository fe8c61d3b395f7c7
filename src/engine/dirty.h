/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The dirty memory of a device
 *
 * A log's report, in pieces that a message and a buffer have room for; and what a device takes,
 * found by trying, since nothing tells it.
 */

#include "device/device.h"
#include "engine/dirty-map.h"

/**
 * dirty_may() - whether a log can outlive this process's descriptor of @dev
 *
 * Opens nothing. Return: 0; ERR_UNSUPPORTED for a device that this process alone would have.
 */
_must_check_ int dirty_may(const struct device *dev, struct err *err);

/** struct dirty_sink - gets the bitmaps of all ranges, in their order; @put may be NULL */
struct dirty_sink {
	int (*put)(void *ctx, const void *bitmap, size_t size, struct err *err);
	void *ctx;
};

/**
 * dirty_report() - what was written since the last report
 * @ranges: of dirty_check(); @page_size: what they are logged by
 * @ret: filled by dirty_tally_init() and what has come, also on failure
 *
 * Can be cancelled between pieces. What was reported by then is no longer in the log.
 */
_must_check_ int dirty_report(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
			      uint64_t page_size, const struct dirty_sink *sink,
			      struct dirty_tally *ret, struct err *err);

/* Page sizes that are tried: 4 KiB to 1 GiB. */
#define DIRTY_PROBE_SIZES 19u

/**
 * struct dirty_limits - what a device's log takes
 * @sizes: bit N: pages of 4 KiB << N; @becomes: what it logs by then, 0 where it refuses them
 * @ranges: as many at once; @bytes: a range so large, in powers of two
 * @ranges_limit, @bytes_limit: one more, or the double, was refused; else more was not tried
 */
struct dirty_limits {
	uint32_t sizes;
	uint64_t becomes[DIRTY_PROBE_SIZES];
	unsigned int ranges;
	uint64_t bytes;
	bool ranges_limit, bytes_limit;
};

/**
 * dirty_probe() - start and stop the log, with this and that
 *
 * Return: 0; what the first start was refused with where all are. Can be cancelled; nothing is
 * logged afterwards.
 */
_must_check_ int dirty_probe(struct mig_dev *dev, struct dirty_limits *ret, struct err *err);
