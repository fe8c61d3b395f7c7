/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/** cpus_usable() - CPUs that the calling thread may run on, by affinity and cpuset; at least 1 */
unsigned int cpus_usable(void);
