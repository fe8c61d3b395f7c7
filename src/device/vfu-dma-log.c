// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "device/dma-log.h"
#include "device/vfio-user.h"
#include "device/vfu-client.h"

_Static_assert(sizeof(struct dma_log_range) == sizeof(struct vfu_log_range), "passed as it is");

/* In front of the bitmap, in question and answer. */
struct report_head {
	struct vfu_feature feature;
	struct vfu_log_report report;
};
_Static_assert(sizeof(struct report_head) == 32, "on the wire");

/* A reply to what is set may hold what was set. @reply has room for @size bytes. */
static int vfu_dma_log_set(struct mig_dev *dev, const struct vfu_parts *parts, void *reply,
			   size_t size, size_t *ret_len, struct err *err)
{
	/* Not to be cancelled: whether it is logged has to be known. */
	return vfu_client_call(vfio_user_client(dev), VFU_FEATURE, parts, NULL, reply, size,
			       ret_len, err);
}

static int vfu_dma_log_start(struct mig_dev *dev, const struct dma_log_range *ranges, size_t n,
			     uint64_t *page_size, struct err *err)
{
	struct {
		struct vfu_feature feature;
		struct vfu_log_start start;
	} head = {
		.feature = {
			.argsz = (uint32_t)(sizeof(head) + n * sizeof(*ranges)),
			.flags = UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_START,
		},
		.start = { .page_size = *page_size, .n_ranges = (uint32_t)n },
	};
	const struct vfu_parts parts = {
		.head = &head,
		.head_len = sizeof(head),
		.data = ranges,
		.data_len = n * sizeof(*ranges),
	};
	uint8_t reply[sizeof(head) + DMA_LOG_RANGES_MAX * sizeof(*ranges)];
	size_t len;
	int r;

	r = vfu_dma_log_set(dev, &parts, reply, sizeof(reply), &len, err);
	if (r < 0 || len < sizeof(head))
		return r;
	memcpy(&head, reply, sizeof(head));
	*page_size = head.start.page_size;
	return 0;
}

static int vfu_dma_log_stop(struct mig_dev *dev, struct err *err)
{
	const struct vfu_feature head = {
		.argsz = sizeof(head),
		.flags = UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_STOP,
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	uint8_t reply[64];
	size_t len;

	return vfu_dma_log_set(dev, &parts, reply, sizeof(reply), &len, err);
}

/* The whole bitmap, of the range that was asked for, or nothing to be believed. */
static int vfu_dma_log_check(const struct report_head *asked, const uint8_t *reply, size_t len,
			     size_t size, struct err *err)
{
	struct report_head got;

	if (len != sizeof(got) + size)
		return err_fail(err, ERR_PEER, -EPROTO, "a report of %zu bytes where %zu are due",
				len, sizeof(got) + size);
	memcpy(&got, reply, sizeof(got));
	if (got.feature.flags != asked->feature.flags || got.report.iova != asked->report.iova ||
	    got.report.length != asked->report.length ||
	    got.report.page_size != asked->report.page_size)
		return err_fail(err, ERR_PEER, -EPROTO, "a report of another range");
	return 0;
}

static int vfu_dma_log_report(struct mig_dev *dev, const struct dma_log_range *range,
			      uint64_t page_size, uint64_t *bitmap, size_t size, struct err *err)
{
	const struct report_head head = {
		.feature = {
			.argsz = (uint32_t)(sizeof(head) + size),
			.flags = UAPI_FEATURE_GET | UAPI_FEATURE_DMA_LOGGING_REPORT,
		},
		.report = {
			.iova = range->iova,
			.length = range->length,
			.page_size = page_size,
		},
	};
	const struct vfu_parts parts = { .head = &head, .head_len = sizeof(head) };
	_cleanup_free_ uint8_t *reply = malloc(sizeof(head) + size);
	size_t len;
	int r;

	if (!reply)
		return err_set(err, -ENOMEM, "a bitmap of %zu bytes", size);
	r = vfu_client_call(vfio_user_client(dev), VFU_FEATURE, &parts, dev->cancel, reply,
			    sizeof(head) + size, &len, err);
	if (r < 0)
		return r;
	r = vfu_dma_log_check(&head, reply, len, size, err);
	if (r < 0)
		return r;
	memcpy(bitmap, reply + sizeof(head), size);
	return 0;
}

static size_t vfu_dma_log_room(struct mig_dev *dev)
{
	return vfio_user_client(dev)->agreed.max_data_xfer_size / sizeof(uint64_t) *
	       sizeof(uint64_t);
}

const struct dma_log_ops vfio_user_dma_log_ops = {
	.start = vfu_dma_log_start,
	.stop = vfu_dma_log_stop,
	.report = vfu_dma_log_report,
	.room = vfu_dma_log_room,
};
