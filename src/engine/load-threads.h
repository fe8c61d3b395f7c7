/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Whether a load hands frames to another thread
 *
 * To read and to write at the same time is faster where there are CPUs for both: but a frame that
 * one CPU has filled and another one writes goes from cache to cache, which costs about as much as
 * to copy it. With two CPUs, of which TCP has one, it gains nothing: the one thread that reads,
 * checks and writes is then half as fast again as cat, and two are as fast.
 */

#include <stdbool.h>

#include "engine/pipeline.h"

/**
 * struct load_threads_facts - of a load
 * @devices: that are loaded
 * @served: another process serves the device, and is waited for
 * @carried: input_is_carried()
 * @cpus: that may be used
 */
struct load_threads_facts {
	unsigned int devices;
	bool served, carried;
	unsigned int cpus;
};

/** load_threads() - Pure. Return: PIPELINE_NEVER or PIPELINE_AUTO. */
enum pipeline_threads load_threads(const struct load_threads_facts *facts);
