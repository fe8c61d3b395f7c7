// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim-pci: the device's log of its DMA, from what it was told to do.
 *
 * A network function writes where descriptors say: into the buffers of those that were handed to a
 * receive queue, and into the rings themselves. BAR 0 cannot be mapped, so the driver sees each
 * tail that moves, and reads the descriptors as the device does, through the IOMMU. What the device
 * is still at work on after a report is in the next one again. So pages may be reported that were
 * not written, which a log may do, and none is missed.
 */

#include <linux/interval_tree.h>
#include <linux/io.h>
#include <linux/iommu.h>
#include <linux/iova_bitmap.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/unaligned.h>
#include <linux/xarray.h>

#include "igbvf.h"

/* What SPLIT says of a receive queue's buffers. */
#define SPLIT_DATA		0x0000007f	/* KiB; 0: as the PF was told, which is at most 2 */
#define SPLIT_HEADER		0x00003f00	/* 64 bytes, from bit 8 */
#define SPLIT_FORM		0x0e000000	/* 0 and 1: no buffer for headers */
#define SPLIT_FORM_HEADER	0x04000000

struct log_range {
	u64 begin, end;
};

struct migsim_log {
	struct xarray pages;	/* numbers of those the device may have written; of PAGE_SIZE */
	u32 count;
	struct log_range ranges[] __counted_by(count);
};

static u32 queue_at(unsigned int n)
{
	return igbvf_control(n) - IGBVF_CONTROL;
}

static u32 queue_read(struct migsim *m, unsigned int n, u32 reg)
{
	return ioread32(m->bar0 + queue_at(n) + reg);
}

/* A page that there is no memory for is a page missed: that is an end of the device. */
static void log_note(struct migsim *m, u64 iova, u64 bytes)
{
	u64 page;

	for (page = iova >> PAGE_SHIFT; bytes && page <= (iova + bytes - 1) >> PAGE_SHIFT; page++) {
		void *old = xa_store(&m->log->pages, page, xa_mk_value(1), GFP_KERNEL_ACCOUNT);

		if (xa_is_err(old)) {
			migsim_error(m);
			return;
		}
	}
}

/* A descriptor, from the memory of the device's user: false when it has none there. */
static bool read_descriptor(struct migsim *m, u64 iova, __le64 ret[2])
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(&m->core.pdev->dev);
	phys_addr_t phys = domain ? iommu_iova_to_phys(domain, iova) : 0;
	void *at;

	if (!phys || !pfn_valid(PHYS_PFN(phys)))
		return false;
	at = memremap(phys, IGBVF_DESCRIPTOR, MEMREMAP_WB);
	if (!at)
		return false;
	memcpy(ret, at, IGBVF_DESCRIPTOR);
	memunmap(at);
	return true;
}

static void note_buffers(struct migsim *m, u32 split, u64 iova)
{
	u64 data = (u64)(split & SPLIT_DATA) << 10;
	__le64 descriptor[2];

	if (!read_descriptor(m, iova, descriptor))
		return;
	log_note(m, le64_to_cpu(descriptor[0]), data ?: 2048);
	if ((split & SPLIT_FORM) >= SPLIT_FORM_HEADER)
		log_note(m, le64_to_cpu(descriptor[1]), (split & SPLIT_HEADER) >> 2);
}

static void note_head_back(struct migsim *m, unsigned int n)
{
	u32 low = queue_read(m, n, IGBVF_HEAD_BACK_LOW);

	if (low & 1)
		log_note(m, (u64)queue_read(m, n, IGBVF_HEAD_BACK_HIGH) << 32 | (low & ~3U), 4);
}

/* What queue @n was told between @span's head and tail. */
static void note_span(struct migsim *m, unsigned int n, struct igbvf_span span)
{
	u32 length = queue_read(m, n, IGBVF_LENGTH) / IGBVF_DESCRIPTOR, at = span.head;
	u64 base = (u64)queue_read(m, n, IGBVF_BASE_HIGH) << 32 | queue_read(m, n, IGBVF_BASE_LOW);
	bool receives = n < IGBVF_QUEUES;
	u32 split = receives ? queue_read(m, n, IGBVF_SPLIT) : 0;

	if (!(queue_read(m, n, IGBVF_CONTROL) & IGBVF_CONTROL_ENABLE))
		return;
	if (span.head >= length || span.tail >= length)
		return;
	for (; at != span.tail; at = (at + 1) % length) {
		u64 iova = base + (u64)at * IGBVF_DESCRIPTOR;

		log_note(m, iova, IGBVF_DESCRIPTOR);
		if (receives)
			note_buffers(m, split, iova);
	}
	if (!receives && span.head != span.tail)
		note_head_back(m, n);
}

void igbvf_log_before(struct migsim *m, struct igbvf_span spans[2 * IGBVF_QUEUES])
{
	if (!m->log)
		return;
	for (unsigned int n = 0; n < 2 * IGBVF_QUEUES; n++)
		spans[n] = (struct igbvf_span) {
			.head = queue_read(m, n, IGBVF_HEAD),
			.tail = queue_read(m, n, IGBVF_TAIL),
		};
}

void igbvf_log_after(struct migsim *m, const struct igbvf_span spans[2 * IGBVF_QUEUES])
{
	if (!m->log)
		return;
	for (unsigned int n = 0; n < 2 * IGBVF_QUEUES; n++)
		note_span(m, n, (struct igbvf_span) {
			.head = spans[n].head,
			.tail = queue_read(m, n, IGBVF_TAIL),
		});
}

static void free_log(struct migsim_log *log)
{
	if (!log)
		return;
	xa_destroy(&log->pages);
	kfree(log);
}

static void log_copy(struct migsim_log *log, struct rb_root_cached *ranges)
{
	struct interval_tree_node *node;
	u32 i = 0;

	node = interval_tree_iter_first(ranges, 0, ULONG_MAX);
	for (; node && i < log->count; node = interval_tree_iter_next(node, 0, ULONG_MAX))
		log->ranges[i++] = (struct log_range) { node->start, (u64)node->last + 1 };
}

/* Takes over @log if it succeeds. */
static int log_begin(struct migsim *m, struct migsim_log *log)
{
	struct igbvf_span spans[2 * IGBVF_QUEUES];

	if (!m->habits.dma_logging || !iommu_get_domain_for_dev(&m->core.pdev->dev))
		return -EOPNOTSUPP;
	if (m->log)
		return -EINVAL;
	m->log = log;
	/* The device is already at work on these. */
	igbvf_log_before(m, spans);
	igbvf_log_after(m, spans);
	return 0;
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 nnodes,
		     u64 *page_size)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct migsim_log *log;
	int err;

	log = kzalloc(struct_size(log, ranges, nnodes), GFP_KERNEL_ACCOUNT);
	if (!log)
		return -ENOMEM;
	xa_init(&log->pages);
	log->count = nnodes;
	log_copy(log, ranges);
	migsim_lock(m);
	err = log_begin(m, log);
	migsim_unlock(m);
	if (err)
		free_log(log);
	else
		*page_size = PAGE_SIZE;
	return err;
}

static int log_stop(struct vfio_device *vdev)
{
	struct migsim *m = vdev_to_migsim(vdev);
	int err;

	migsim_lock(m);
	err = m->log ? 0 : -EINVAL;
	migsim_log_end(m);
	migsim_unlock(m);
	return err;
}

/* The pages from @from up to @to that the device may have written. */
static void log_report(struct migsim *m, u64 from, u64 to, struct iova_bitmap *dirty)
{
	unsigned long page;
	void *entry;

	if (from >= to)
		return;
	xa_for_each_range(&m->log->pages, page, entry, from >> PAGE_SHIFT, (to - 1) >> PAGE_SHIFT) {
		u64 begin = max(from, (u64)page << PAGE_SHIFT);

		iova_bitmap_set(dirty, begin, min(to, ((u64)page + 1) << PAGE_SHIFT) - begin);
		xa_erase(&m->log->pages, page);
	}
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long length,
			      struct iova_bitmap *dirty)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct igbvf_span spans[2 * IGBVF_QUEUES];
	u64 end = (u64)iova + length;
	int err = 0;

	migsim_lock(m);
	if (!m->log)
		err = -EINVAL;
	igbvf_log_before(m, spans);
	for (u32 i = 0; !err && i < m->log->count; i++) {
		const struct log_range *range = &m->log->ranges[i];

		log_report(m, max_t(u64, iova, range->begin), min(end, range->end), dirty);
	}
	if (!err)
		igbvf_log_after(m, spans);
	migsim_unlock(m);
	return err;
}

const struct vfio_log_ops migsim_log_ops = {
	.log_start = log_start,
	.log_stop = log_stop,
	.log_read_and_clear = log_read_and_clear,
};

void migsim_log_end(struct migsim *m)
{
	free_log(m->log);
	m->log = NULL;
}

MIGSIM_IMPORT_NS(IOMMUFD);
