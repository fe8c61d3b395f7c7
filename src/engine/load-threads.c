// SPDX-License-Identifier: GPL-2.0-or-later
#include "engine/load-threads.h"

/* TCP has one, who reads and writes the other. */
#define LOAD_THREADS_FEW_CPUS 2

enum pipeline_threads load_threads(const struct load_threads_facts *facts)
{
	if (facts->devices > 1 || facts->served || !facts->carried)
		return PIPELINE_AUTO;
	return facts->cpus <= LOAD_THREADS_FEW_CPUS ? PIPELINE_NEVER : PIPELINE_AUTO;
}
