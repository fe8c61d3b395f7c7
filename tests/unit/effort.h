/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How many of the cases that are all of a kind are tried
 *
 * All, where a step costs what it costs. Under valgrind or TSan it costs ten to fifty times as
 * much, and what those find is found in any of the kind: there VFIOMIG_TEST_SHARE=N has one in N
 * tried (tests/Makefile.inc, scripts/test). It is odd, so that a table whose length is a power of
 * two is gone through all the same by those who take each Nth of its rows, round and round.
 */

#include <stdlib.h>

/** effort_share() - N of the environment, or 1 */
static inline unsigned int effort_share(void)
{
	const char *share = getenv("VFIOMIG_TEST_SHARE");
	unsigned long n = share ? strtoul(share, NULL, 10) : 1;

	return n >= 1 && n < 1000 ? (unsigned int)n | 1 : 1;
}
