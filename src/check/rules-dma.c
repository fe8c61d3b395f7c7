// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Device DMA logging
 *
 * For a kernel device the checks of ranges are VFIO's own, before its driver is asked; they are
 * tried all the same, since out-of-tree kernels carry their own. A vfio-user server makes them all
 * itself, and may log everything when no range is named (libvfio-user does).
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/macros.h"
#include "check/check.h"
#include "vfu/message.h"

#define SOURCE_START "uapi: VFIO_DEVICE_FEATURE_DMA_LOGGING_START"
#define SOURCE_STOP "uapi: VFIO_DEVICE_FEATURE_DMA_LOGGING_STOP"
#define SOURCE_REPORT "uapi: VFIO_DEVICE_FEATURE_DMA_LOGGING_REPORT"
#define SOURCE_CORE "kernel: vfio_ioctl_device_feature_logging_start()"

#define DMA_PAGE UINT64_C(4096)
#define DMA_BASE (UINT64_C(1) << 32)
#define DMA_WORDS ((size_t)4)
#define DMA_LENGTH (DMA_WORDS * 64 * DMA_PAGE)

_Static_assert(sizeof(struct uapi_log_range) == sizeof(struct vfu_log_range), "the same");

static int rules_dma_start_kernel(struct check *c, const struct uapi_log_range *ranges, uint32_t n,
				  uint64_t page_size)
{
	struct uapi_log_control control = {
		.page_size = page_size,
		.num_ranges = n,
		.ranges = (uintptr_t)ranges,
	};

	return subject_feature(c->device, UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_START,
			       UAPI_FEATURE_HEADER + sizeof(control), &control, sizeof(control));
}

/* The ranges follow in the message. */
static int rules_dma_start_vfu(struct check *c, const struct uapi_log_range *ranges, uint32_t n,
			       uint64_t page_size)
{
	const struct vfu_log_start start = { .page_size = page_size, .n_ranges = n };
	size_t size = sizeof(start) + n * sizeof(*ranges);
	_cleanup_free_ uint8_t *data = malloc(size);

	if (!data)
		return -ENOMEM;
	memcpy(data, &start, sizeof(start));
	memcpy(data + sizeof(start), ranges, n * sizeof(*ranges));
	return subject_feature(c->device, UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_START,
			       (uint32_t)(UAPI_FEATURE_HEADER + size), data, size);
}

static int rules_dma_start(struct check *c, const struct uapi_log_range *ranges, uint32_t n,
			   uint64_t page_size)
{
	return c->device->protocol == SUBJECT_V2 ? rules_dma_start_kernel(c, ranges, n, page_size)
						 : rules_dma_start_vfu(c, ranges, n, page_size);
}

static int rules_dma_stop(struct check *c)
{
	return subject_feature(c->device, UAPI_FEATURE_SET | UAPI_FEATURE_DMA_LOGGING_STOP,
			       UAPI_FEATURE_HEADER, NULL, 0);
}

static int rules_dma_start_one(struct check *c)
{
	const struct uapi_log_range range = { DMA_BASE, DMA_LENGTH };

	return rules_dma_start(c, &range, 1, DMA_PAGE);
}

static int rules_dma_report(struct check *c, uint64_t page_size, uint64_t bitmap[DMA_WORDS])
{
	struct uapi_log_report report = {
		.iova = DMA_BASE,
		.length = DMA_LENGTH,
		.page_size = page_size,
		.bitmap = (uintptr_t)bitmap,
	};
	struct {
		struct vfu_log_report head;
		uint64_t bitmap[DMA_WORDS];
	} wire = { .head = { DMA_BASE, DMA_LENGTH, page_size } };
	int r;

	memset(bitmap, 0, DMA_WORDS * sizeof(*bitmap));
	if (c->device->protocol == SUBJECT_V2)
		return subject_feature(
			c->device, UAPI_FEATURE_GET | UAPI_FEATURE_DMA_LOGGING_REPORT,
			UAPI_FEATURE_HEADER + sizeof(report), &report, sizeof(report));
	r = subject_feature(c->device, UAPI_FEATURE_GET | UAPI_FEATURE_DMA_LOGGING_REPORT,
			    UAPI_FEATURE_HEADER + sizeof(wire), &wire, sizeof(wire));
	memcpy(bitmap, wire.bitmap, sizeof(wire.bitmap));
	return r;
}

static unsigned int rules_dma_count(const uint64_t bitmap[DMA_WORDS])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < DMA_WORDS; i++)
		n += (unsigned int)__builtin_popcountll(bitmap[i]);
	return n;
}

static void rules_dma_starts(struct check *c)
{
	for (unsigned int i = 0; i < 2; i++)
		if (!check_worked(c, "start", rules_dma_start_one(c)) ||
		    !check_worked(c, "stop", rules_dma_stop(c)))
			return;
}

static void rules_dma_twice(struct check *c)
{
	if (!check_worked(c, "start", rules_dma_start_one(c)))
		return;
	check_refused(c, "a second start", rules_dma_start_one(c), CHECK_ERRNOS());
	check_worked(c, "stop", rules_dma_stop(c));
}

static void rules_dma_stop_unstarted(struct check *c)
{
	int r = rules_dma_stop(c);

	check_tell(c, "stop without a start: %s", r < 0 ? err_name(r) : "0");
}

static void rules_dma_report_unstarted(struct check *c)
{
	uint64_t bitmap[DMA_WORDS];

	check_refused(c, "a report without a start", rules_dma_report(c, DMA_PAGE, bitmap),
		      CHECK_ERRNOS());
}

/* A start that must be refused; one that was not is stopped again. */
static void rules_dma_refuses(struct check *c, const char *what,
			      const struct uapi_log_range *ranges, uint32_t n, uint64_t page_size)
{
	int r = rules_dma_start(c, ranges, n, page_size);

	check_refused(c, what, r, CHECK_ERRNOS());
	if (r == 0)
		(void)rules_dma_stop(c);
}

static void rules_dma_overlap(struct check *c)
{
	const struct uapi_log_range ranges[] = {
		{ DMA_BASE, 4 * DMA_PAGE },
		{ DMA_BASE + 3 * DMA_PAGE, 4 * DMA_PAGE },
	};

	rules_dma_refuses(c, "a start with ranges that overlap", ranges, ARRAY_SIZE(ranges),
			  DMA_PAGE);
}

static void rules_dma_unaligned(struct check *c)
{
	const struct uapi_log_range ranges[] = {
		{ DMA_BASE + DMA_PAGE / 2, DMA_PAGE },
		{ DMA_BASE, DMA_PAGE / 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		rules_dma_refuses(c, i ? "a start with half a page" : "a start within a page",
				  &ranges[i], 1, DMA_PAGE);
}

static void rules_dma_wraps(struct check *c)
{
	const struct uapi_log_range range = { UINT64_MAX - DMA_PAGE + 1, 2 * DMA_PAGE };

	rules_dma_refuses(c, "a start with a range past the last address", &range, 1, DMA_PAGE);
}

static void rules_dma_no_range(struct check *c)
{
	const struct uapi_log_range range = { 0 };

	rules_dma_refuses(c, "a start without a range", &range, 0, DMA_PAGE);
}

/* What the kernel takes is what fits into a page of its own, which may have 64 KiB. */
static void rules_dma_too_many(struct check *c)
{
	const size_t n = (size_t)sysconf(_SC_PAGESIZE) / sizeof(struct uapi_log_range) + 1;
	_cleanup_free_ struct uapi_log_range *ranges = calloc(n, sizeof(*ranges));
	char what[48];

	if (!ranges) {
		check_broken(c, "no memory for %zu ranges", n);
		return;
	}
	for (uint64_t i = 0; i < n; i++)
		ranges[i] = (struct uapi_log_range){ DMA_BASE + 2 * i * DMA_PAGE, DMA_PAGE };
	snprintf(what, sizeof(what), "a start with %zu ranges", n);
	rules_dma_refuses(c, what, ranges, (uint32_t)n, DMA_PAGE);
}

static void rules_dma_report_page_size(struct check *c)
{
	uint64_t bitmap[DMA_WORDS];

	if (!check_worked(c, "start", rules_dma_start_one(c)))
		return;
	check_refused(c, "a report by pages of 12288 bytes",
		      rules_dma_report(c, 3 * DMA_PAGE, bitmap), CHECK_ERRNOS());
	check_worked(c, "stop", rules_dma_stop(c));
}

static void rules_dma_odd_page_size(struct check *c)
{
	const struct uapi_log_range range = { DMA_BASE, 12 * DMA_PAGE };

	rules_dma_refuses(c, "a start with pages of 12288 bytes", &range, 1, 3 * DMA_PAGE);
}

/* Stopped, it writes nothing: the second report has nothing to tell. */
static void rules_dma_clears(struct check *c)
{
	uint64_t first[DMA_WORDS], second[DMA_WORDS];

	if (!check_worked(c, "start", rules_dma_start_one(c)))
		return;
	if (subject_go(c->device, MIG_STOP, NULL) == 0 &&
	    check_worked(c, "a report", rules_dma_report(c, DMA_PAGE, first)) &&
	    check_worked(c, "another one", rules_dma_report(c, DMA_PAGE, second)) &&
	    rules_dma_count(second))
		check_violated(c,
			       "%u pages in the first report in STOP, and %u in the one after it",
			       rules_dma_count(first), rules_dma_count(second));
	check_worked(c, "stop", rules_dma_stop(c));
}

/* It is the log of a device that is to be migrated: it goes on where that is saved. */
static void rules_dma_while_saved(struct check *c)
{
	uint64_t bitmap[DMA_WORDS];

	if (!check_worked(c, "start", rules_dma_start_one(c)))
		return;
	if (subject_go(c->device, MIG_STOP_COPY, NULL) == 0)
		check_worked(c, "a report in STOP_COPY", rules_dma_report(c, DMA_PAGE, bitmap));
	check_worked(c, "stop", rules_dma_stop(c));
}

#define DMA CHECK_NEEDS_DMA_LOG

static const struct check_rule rules_dma[] = {
	{ "dma.starts-and-stops", CHECK_MUST, CHECK_HARMLESS, DMA,
	  "logging of one range can be started, stopped and started again", SOURCE_START,
	  rules_dma_starts },
	{ "dma.second-start-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "a start while DMA is logged is refused, and the log goes on", SOURCE_CORE,
	  rules_dma_twice },
	{ "dma.stop-without-start", CHECK_TELLS, CHECK_HARMLESS, DMA,
	  "what a stop says when nothing is logged", SOURCE_STOP, rules_dma_stop_unstarted },
	{ "dma.report-without-start", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "a report when nothing is logged is refused", SOURCE_REPORT, rules_dma_report_unstarted },
	{ "dma.overlap-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "ranges that overlap are refused", SOURCE_CORE, rules_dma_overlap },
	{ "dma.unaligned-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "ranges that are not of whole pages are refused", SOURCE_CORE, rules_dma_unaligned },
	{ "dma.wrap-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "a range past the last address is refused", SOURCE_CORE, rules_dma_wraps },
	{ "dma.no-range-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA | CHECK_NEEDS_KERNEL,
	  "a start without ranges is refused", SOURCE_CORE, rules_dma_no_range },
	{ "dma.too-many-ranges-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA | CHECK_NEEDS_KERNEL,
	  "more ranges than a page has room for are refused", SOURCE_CORE, rules_dma_too_many },
	{ "dma.odd-page-size-refused", CHECK_SHOULD, CHECK_HARMLESS, DMA,
	  "a start with a page size that is no power of two is refused", SOURCE_START,
	  rules_dma_odd_page_size },
	{ "dma.report-page-size-refused", CHECK_MUST, CHECK_HARMLESS, DMA,
	  "a report by a page size that is no power of two is refused", SOURCE_REPORT,
	  rules_dma_report_page_size },
	{ "dma.report-clears", CHECK_MUST, CHECK_HARMLESS, DMA,
	  "a report clears the log: in STOP a second one is empty", SOURCE_REPORT,
	  rules_dma_clears },
	{ "dma.while-saved", CHECK_MUST, CHECK_HARMLESS, DMA,
	  "the log can be read while the device is saved", SOURCE_REPORT, rules_dma_while_saved },
};

const struct check_group check_dma_rules = CHECK_GROUP(rules_dma);
