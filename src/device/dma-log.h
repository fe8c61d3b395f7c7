/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A device's log of the memory that it writes to by DMA
 *
 * Features 6 to 8 of linux/vfio.h, and the same of vfio-user. The log is the device's, not the
 * descriptor's: every process that has the device shares it, a report takes from it what it tells,
 * and it ends with the last close. Nothing but the device knows which ranges are logged.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "device/backend.h"

/* As the kernel has it with pages of 4 KiB: more are refused with E2BIG. */
#define DMA_LOG_RANGES_MAX 256u

/* One report's bitmap, at most: what the caller has room for. A multiple of 8. */
#define DMA_LOG_BITMAP_MAX ((size_t)64 << 10)

struct dma_log_range {
	uint64_t iova, length;
};

/** struct dma_log_ops - called through the dma_log_*() wrappers only; all are required */
struct dma_log_ops {
	/** @start: @page_size is what the device logs by, which may differ from what was asked. */
	int (*start)(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
		     uint64_t *page_size, struct err *err);
	int (*stop)(struct mig_dev *dev, struct err *err);
	/** @report: Set bits in @bitmap, which is zero, of @size bytes. */
	int (*report)(struct mig_dev *dev, const struct dma_log_range *range, uint64_t page_size,
		      uint64_t *bitmap, size_t size, struct err *err);
	/** @room: Bytes of bitmap that one report can bring, a multiple of 8. */
	size_t (*room)(struct mig_dev *dev);
};

/**
 * dma_log_start() - log what @dev writes to from now on
 * @ranges: as dirty_check() wants them; 1 to DMA_LOG_RANGES_MAX
 * @page_size: in and out
 *
 * Return: 0; ERR_UNSUPPORTED where the device has no such log; what the driver refuses it with.
 */
_must_check_ int dma_log_start(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
			       uint64_t *page_size, struct err *err);

/** dma_log_stop() - end it; what was not reported is lost. */
_must_check_ int dma_log_stop(struct mig_dev *dev, struct err *err);

/**
 * dma_log_report() - what was written since the last report, which forgets it
 * @range: of pages of @page_size
 * @bitmap: of @size bytes, at most dma_log_room(); a bit for each page, the first one in bit 0
 */
_must_check_ int dma_log_report(struct mig_dev *dev, const struct dma_log_range *range,
				uint64_t page_size, uint64_t *bitmap, size_t size, struct err *err);

/** dma_log_room() - bytes of bitmap in a report, 8 to DMA_LOG_BITMAP_MAX; a multiple of 8 */
size_t dma_log_room(struct mig_dev *dev);

/* One table a protocol; the v1 protocol has no such log. */
extern const struct dma_log_ops kernel_dma_log_ops, vfio_user_dma_log_ops;
