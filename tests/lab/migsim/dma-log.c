// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's log of its DMA. It does none: of what is logged, every Nth page counts as written,
 * once, and again after each write to BAR0 says that the device was busy.
 */

#include <linux/interval_tree.h>
#include <linux/iova_bitmap.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "migsim.h"

/* So that a report ends. No limit that a virtual machine would meet. */
#define LOG_MAX		(1ULL << 42)

struct log_range {
	u64 begin, end;
	/*
	 * What was reported: one stretch, as reports mostly go from one end to the other. When they
	 * do not, something is reported twice, which a log may do.
	 */
	u64 told_begin, told_end;
};

struct migsim_log {
	u64 page;
	u32 count;
	struct log_range ranges[] __counted_by(count);
};

static void log_copy(struct migsim_log *log, struct rb_root_cached *ranges)
{
	struct interval_tree_node *node;
	u32 i = 0;

	node = interval_tree_iter_first(ranges, 0, ULONG_MAX);
	for (; node && i < log->count; node = interval_tree_iter_next(node, 0, ULONG_MAX)) {
		log->ranges[i].begin = node->start;
		log->ranges[i++].end = (u64)node->last + 1;
	}
}

static int log_check(struct migsim *m, const struct migsim_log *log)
{
	u64 left = LOG_MAX;

	if (!m->habits.dma_logging)
		return -EOPNOTSUPP;
	if (m->log)
		return -EINVAL;
	if (!is_power_of_2(log->page) || log->page < SZ_4K || log->page > SZ_2M)
		return -EINVAL;
	for (u32 i = 0; i < log->count; i++) {
		u64 size = log->ranges[i].end - log->ranges[i].begin;

		/* A range up to the last byte of all wraps to an end of 0. */
		if (!log->ranges[i].end || size > left)
			return -E2BIG;
		left -= size;
	}
	return 0;
}

static int log_start(struct vfio_device *vdev, struct rb_root_cached *ranges, u32 nnodes,
		     u64 *page_size)
{
	struct migsim *m = vdev_to_migsim(vdev);
	struct migsim_log *log;
	int err;

	log = kzalloc(struct_size(log, ranges, nnodes), GFP_KERNEL);
	if (!log)
		return -ENOMEM;
	log->count = nnodes;
	log->page = *page_size;
	log_copy(log, ranges);
	migsim_lock(m);
	err = log_check(m, log);
	if (!err)
		m->log = log;
	migsim_unlock(m);
	if (err)
		kfree(log);
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

/* Every @step bytes of the range, a page; of those the ones from @from up to @to. */
static int log_set(const struct log_range *range, u64 page, u64 step, u64 from, u64 to,
		   struct iova_bitmap *dirty)
{
	u64 at = roundup(from - range->begin, step), end = to - range->begin;

	if (step == page && at < end) {
		iova_bitmap_set(dirty, range->begin + at, end - at);
		return 0;
	}
	for (; at < end; at += step) {
		if (fatal_signal_pending(current))
			return -EINTR;
		iova_bitmap_set(dirty, range->begin + at, page);
		cond_resched();
	}
	return 0;
}

static void log_note(struct log_range *range, u64 from, u64 to)
{
	if (from <= range->told_end && range->told_begin <= to) {
		range->told_begin = min(range->told_begin, from);
		range->told_end = max(range->told_end, to);
	} else if (to - from > range->told_end - range->told_begin) {
		range->told_begin = from;
		range->told_end = to;
	}
}

static int log_report(struct migsim *m, struct log_range *range, u64 from, u64 to,
		      struct iova_bitmap *dirty)
{
	u64 page = m->log->page, step = page * m->habits.dma_pattern;
	int err = 0;

	from = max(from, range->begin);
	to = min(to, range->end);
	if (!step || from >= to)
		return 0;
	if (range->told_begin == range->told_end)
		range->told_begin = range->told_end = from;
	if (from < range->told_begin)
		err = log_set(range, page, step, from, min(to, range->told_begin), dirty);
	if (!err && to > range->told_end)
		err = log_set(range, page, step, max(from, range->told_end), to, dirty);
	if (!err)
		log_note(range, from, to);
	return err;
}

static int log_read_and_clear(struct vfio_device *vdev, unsigned long iova, unsigned long length,
			      struct iova_bitmap *dirty)
{
	struct migsim *m = vdev_to_migsim(vdev);
	int err = 0;

	migsim_lock(m);
	if (!m->log)
		err = -EINVAL;
	for (u32 i = 0; !err && i < m->log->count; i++)
		err = log_report(m, &m->log->ranges[i], iova, (u64)iova + length, dirty);
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
	kfree(m->log);
	m->log = NULL;
}

void migsim_log_dirty(struct migsim *m)
{
	if (!m->log)
		return;
	for (u32 i = 0; i < m->log->count; i++)
		m->log->ranges[i].told_begin = m->log->ranges[i].told_end = 0;
}

MIGSIM_IMPORT_NS(IOMMUFD);
