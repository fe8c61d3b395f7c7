/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a load is made of, for load.c and load-recover.c
 */

#include <stdatomic.h>

#include "engine/load-carrier.h"
#include "engine/load.h"
#include "engine/pipeline.h"

/**
 * struct load_lane - a device's stream on its way to it
 * @received: how far its state has come
 * @entering: it is on its way to RESUMING, and may hang there
 * @pipe: to the device
 * @expected: bytes that were verified, 0 for unknown
 * @start_ns: when its load began
 */
struct load_lane {
	struct load *load;
	struct member *member;
	_Atomic enum handover_received received;
	atomic_bool entering;
	struct pipeline *pipe;
	uint64_t expected;
	_Atomic uint64_t start_ns;
};

/**
 * struct load - a load under way
 * @carrier: what the state comes by
 * @link, @origin: where it comes from
 * @taken: all of the input is in the devices
 * @map: which lane a device of the image has, LOAD_MAP_NONE for none
 */
struct load {
	const struct load_options *options;
	struct load_result *result;
	struct cancel *cancel;
	struct set set;
	struct load_lane *lanes;
	bool taken;
	uint32_t map[IMAGE_DEVICES_MAX];
	enum handover_link link;
	enum handover_origin origin;
	struct load_carrier *carrier;
};

/**
 * load_give_up() - the load has failed: bring the devices to where they belong
 * @err: that failure; gets the story, and the kind that the verdict has
 *
 * Sets the result's verdict.
 */
void load_give_up(struct load *l, struct err *err);
