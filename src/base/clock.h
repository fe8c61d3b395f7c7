/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)

/** clock_ns() - nanoseconds on the monotonic clock, for intervals. */
static inline uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
}

/**
 * clock_ms_until() - milliseconds until @ns on the monotonic clock, as poll() takes them
 *
 * Rounded up, so that poll() does not return just before @ns. Return: 0 once @ns has passed.
 */
static inline int clock_ms_until(uint64_t ns)
{
	uint64_t now = clock_ns(), ms;

	if (now >= ns)
		return 0;
	ms = (ns - now + NSEC_PER_MSEC - 1) / NSEC_PER_MSEC;
	return ms < INT_MAX ? (int)ms : INT_MAX;
}

/** clock_timespec() - @ns on the monotonic clock, as pthread_cond_timedwait() takes it */
static inline void clock_timespec(uint64_t ns, struct timespec *ret)
{
	ret->tv_sec = (time_t)(ns / NSEC_PER_SEC);
	ret->tv_nsec = (long)(ns % NSEC_PER_SEC);
}
