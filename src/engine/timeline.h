/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What happened to a device, arc by arc
 */

#include "device/backend.h"

#define TIMELINE_MAX 64

/**
 * struct timeline - arcs in the order they were tried
 * @tries: an arc that fails over and over, always the same way, is one, from its first try to the
 *         end of its last; how many they were
 * @lost: arcs that found no room
 * @stopped_ns: when the device last ceased to run, of all arcs; 0: never
 */
struct timeline {
	struct mig_arc arcs[TIMELINE_MAX];
	unsigned int tries[TIMELINE_MAX];
	unsigned int n, lost;
	uint64_t stopped_ns;
};

/** timeline_add() - fits mig_dev.on_arc. */
void timeline_add(void *timeline, const struct mig_arc *arc);

/**
 * timeline_downtime() - how long the device did not run in full
 * @ret_open: it still does not; the time is then up to the last arc
 *
 * From the start of each arc that took it out of RUNNING or PRE_COPY (P2P-quiescent counts as
 * down) to the end of the one that brought it back; 0 when it never left.
 */
uint64_t timeline_downtime(const struct timeline *t, bool *ret_open);
