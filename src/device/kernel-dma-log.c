// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "device/call.h"
#include "device/dma-log.h"
#include "device/kernel-dev.h"

_Static_assert(sizeof(struct dma_log_range) == sizeof(struct uapi_log_range), "passed as it is");

static int kernel_dma_log_feature(struct mig_dev *dev, void *feature)
{
	return call_ioctl(kernel_dev(dev)->acq.fd, UAPI_DEVICE_FEATURE, feature) < 0 ? -errno : 0;
}

static int kernel_dma_log_start(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
				uint64_t *page_size, struct err *err)
{
	struct {
		uint32_t argsz, flags;
		struct uapi_log_control control;
	} f = {
		.argsz = sizeof(f),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_START,
		.control = {
			.page_size = *page_size,
			.num_ranges = (uint32_t)n,
			.ranges = (uintptr_t)ranges,
		},
	};
	int r;

	r = kernel_dma_log_feature(dev, &f);
	if (r < 0)
		return err_set(err, r, "VFIO_DEVICE_FEATURE_DMA_LOGGING_START");
	*page_size = f.control.page_size;
	return 0;
}

static int kernel_dma_log_stop(struct mig_dev *dev, struct err *err)
{
	struct uapi_device_feature f = {
		.argsz = UAPI_FEATURE_HEADER,
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_STOP,
	};
	int r;

	r = kernel_dma_log_feature(dev, &f);
	return r < 0 ? err_set(err, r, "VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP") : 0;
}

static int kernel_dma_log_report(struct mig_dev *dev, const struct dma_log_range *range,
				 uint64_t page_size, uint64_t *bitmap, size_t size, struct err *err)
{
	struct {
		uint32_t argsz, flags;
		struct uapi_log_report report;
	} f = {
		.argsz = sizeof(f),
		.flags = UAPI_FEATURE_GET | UAPI_FEATURE_DMA_LOGGING_REPORT,
		.report = {
			.iova = range->iova,
			.length = range->length,
			.page_size = page_size,
			.bitmap = (uintptr_t)bitmap,
		},
	};
	int r;

	(void)size;
	r = kernel_dma_log_feature(dev, &f);
	return r < 0 ? err_set(err, r, "VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT") : 0;
}

static size_t kernel_dma_log_room(struct mig_dev *dev)
{
	(void)dev;
	return DMA_LOG_BITMAP_MAX;
}

const struct dma_log_ops kernel_dma_log_ops = {
	.start = kernel_dma_log_start,
	.stop = kernel_dma_log_stop,
	.report = kernel_dma_log_report,
	.room = kernel_dma_log_room,
};
