/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When to leave pre-copy
 *
 * Decides from what the device reports, round by round. Pure: the caller owns device and clock.
 * Bounded three ways, because a device may make new data for ever or never tell any: by rounds,
 * by time, and by giving up once what is dirty no longer shrinks.
 */

#include <stdbool.h>
#include <stdint.h>

#include "device/stream.h"

/* Outcomes of precopy_step(). */
enum precopy_verdict {
	PRECOPY_CONTINUE,
	PRECOPY_CONVERGED, /* little enough is left */
	PRECOPY_DIVERGES, /* waiting longer would not help */
	PRECOPY_LIMIT, /* rounds or time are used up */
};

/**
 * struct precopy - policy and history
 * @max_rounds, @max_ns: bounds
 * @small: bytes left that are not worth another round
 */
struct precopy {
	unsigned int max_rounds;
	uint64_t max_ns;
	uint64_t small;

	unsigned int rounds;
	unsigned int stalled; /* rounds in a row in which nothing shrank */
	uint64_t start_ns;
	uint64_t least; /* fewest bytes left so far */
};

void precopy_start(struct precopy *p, uint64_t now_ns);

/**
 * precopy_step() - judge one round
 * @info: what the device reports, NULL when its protocol has no such question
 * @moved: bytes read since the last step
 */
enum precopy_verdict precopy_step(struct precopy *p, const struct mig_precopy_info *info,
				  uint64_t moved, uint64_t now_ns);
