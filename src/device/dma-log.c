// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "device/dma-log.h"

static int dma_log_none(const struct mig_dev *dev, int r, struct err *err)
{
	err_fail(err, ERR_UNSUPPORTED, r, "%s: has no log of its DMA", dev->name);
	return err_hint(err, r, "its IOMMU's log, if it has one, is for the process that maps");
}

static int dma_log_failed(const struct mig_dev *dev, int r, const char *what, const char *hint,
			  struct err *err)
{
	if (r == -ENOTTY || r == -EOPNOTSUPP)
		return dma_log_none(dev, r, err);
	err_prefix(err, r, "%s: %s", dev->name, what);
	return hint ? err_hint(err, r, "%s", hint) : r;
}

int dma_log_start(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
		  uint64_t *page_size, struct err *err)
{
	const char *hint = NULL;
	int r;

	if (!dev->log_ops || !mig_probe(dev, UAPI_FEATURE_DMA_LOGGING_START))
		return dma_log_none(dev, -ENOTTY, err);
	r = dev->log_ops->start(dev, ranges, n, page_size, err);
	if (r == -EINVAL || r == -EEXIST || r == -EBUSY)
		hint = "a log that is on, a VMM's maybe, keeps others out; else vfiomigctl dirty "
		       "probe says what it takes";
	else if (r == -E2BIG)
		hint = "vfiomigctl dirty probe says what it takes";
	return r < 0 ? dma_log_failed(dev, r, "cannot log its DMA", hint, err) : 0;
}

int dma_log_stop(struct mig_dev *dev, struct err *err)
{
	int r;

	if (!dev->log_ops)
		return dma_log_none(dev, -ENOTTY, err);
	r = dev->log_ops->stop(dev, err);
	if (r >= 0)
		return 0;
	return dma_log_failed(dev, r, "cannot end the log of its DMA",
			      r == -EINVAL ? "there may be none" : NULL, err);
}

int dma_log_report(struct mig_dev *dev, const struct dma_log_range *range, uint64_t page_size,
		   uint64_t *bitmap, size_t size, struct err *err)
{
	int r;

	if (!dev->log_ops)
		return dma_log_none(dev, -ENOTTY, err);
	/* The kernel sets bits, and clears none. */
	memset(bitmap, 0, size);
	r = dev->log_ops->report(dev, range, page_size, bitmap, size, err);
	if (r >= 0)
		return 0;
	return dma_log_failed(dev, r, "no report of its DMA",
			      r == -EINVAL
				      ? "nothing may be logged: vfiomigctl dirty watch does all "
					"in one"
				      : NULL,
			      err);
}

size_t dma_log_room(struct mig_dev *dev)
{
	size_t room = dev->log_ops ? dev->log_ops->room(dev) : DMA_LOG_BITMAP_MAX;

	return MIN(MAX(room, sizeof(uint64_t)), DMA_LOG_BITMAP_MAX);
}
