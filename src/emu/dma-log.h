/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * DMA logging
 *
 * The device does no DMA; what it reports is a pattern that a test can foretell: every eighth page
 * of the ranges that are logged, another eighth with each report. Once it is stopped one report
 * more has something to tell.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "emu/deviation.h"

/* As the kernel's core has it: more are refused with E2BIG. */
#define EMU_RANGES_MAX 256u
#define EMU_PATTERN 8u
/* What a report may take: its reply must fit into a message. */
#define EMU_BITMAP_MAX (1u << 20)

struct emu_range {
	uint64_t iova, length;
};

/**
 * struct emu_dma_log - a session of logging, or none
 * @n_ranges: 0 with @on for everything
 * @clean: nothing was written since the last report
 */
struct emu_dma_log {
	bool on, clean;
	uint64_t page_size;
	uint32_t n_ranges;
	uint32_t round;
	struct emu_range ranges[EMU_RANGES_MAX];
};

/**
 * emu_dma_log_start()
 * @off: what is overlooked on purpose
 *
 * Return: 0, -EEXIST, -E2BIG, -EINVAL.
 */
_must_check_ int emu_dma_log_start(struct emu_dma_log *l, const struct emu_deviations *off,
				   uint64_t page_size, const struct emu_range *ranges, uint32_t n,
				   struct err *err);

/** emu_dma_log_stop() - without harm when there is none to stop */
void emu_dma_log_stop(struct emu_dma_log *l);

/** emu_dma_log_size() - bytes of bitmap that a report takes. Return: 0, or -EINVAL. */
_must_check_ int emu_dma_log_size(const struct emu_dma_log *l, const struct emu_range *range,
				  uint64_t page_size, size_t *ret, struct err *err);

/** emu_dma_log_report() - fill a bitmap of the size that emu_dma_log_size() told */
void emu_dma_log_report(const struct emu_dma_log *l, const struct emu_range *range,
			uint64_t page_size, void *bitmap, size_t size);

/** emu_dma_log_clear() - what was reported is; @runs: the device goes on writing */
void emu_dma_log_clear(struct emu_dma_log *l, bool runs);

/** emu_dma_log_written() - the device runs, or did */
void emu_dma_log_written(struct emu_dma_log *l);
