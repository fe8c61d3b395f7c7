/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a device made of a stream that it should have refused
 *
 * The uAPI asks that data which is found to be invalid fails the SET that leaves RESUMING. It does
 * not ask that all of it is found: a driver that hands opaque bytes to firmware cannot know. So
 * what was not noticed is worth a look, and what was noticed and then forgotten is a violation.
 * Pure.
 */

#include <stdbool.h>
#include <stdint.h>

/**
 * struct load_observed - what was seen, step by step
 * @write: result of the writes: 0, or the negative errno of the first one that failed
 * @stop: result of SET stop after them
 * @state: what GET said then
 * @saves: whether a save from there came to its end; of a load that was not refused
 */
struct load_observed {
	int write, stop;
	uint32_t state;
	bool saves;
};

enum load_outcome {
	LOAD_REFUSED, /* noticed, and the device is on the path or in ERROR */
	LOAD_UNNOTICED, /* taken, and the device works */
	LOAD_FORGOTTEN, /* a write was refused, and then the load succeeded */
	LOAD_STRAY, /* refused, and the device is where the path does not lead */
	LOAD_ASTRAY, /* taken, and the device is not in STOP */
	LOAD_BROKE, /* taken, and the device does not work any more */
};

enum load_outcome load_outcome(const struct load_observed *seen);

/** load_outcome_text() - "was not noticed" */
const char *load_outcome_text(enum load_outcome outcome);
