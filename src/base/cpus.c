// SPDX-License-Identifier: GPL-2.0-or-later
#include <sched.h>
#include <unistd.h>

#include "base/cpus.h"

/* The set is too small only for a machine of more than 1024 CPUs. */
unsigned int cpus_usable(void)
{
	cpu_set_t cpus;
	long online;

	if (sched_getaffinity(0, sizeof(cpus), &cpus) >= 0)
		return (unsigned int)CPU_COUNT(&cpus);
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned int)online : 1;
}
