/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A cap on the flow
 */

#include <stdatomic.h>
#include <stdint.h>

#include "base/cancel.h"

/**
 * struct limiter
 * @rate: bytes a second; 0 for no limit; set by any thread
 * @free_ns: when all that was let through so far is through, at that rate
 * @waited_ns: that it has kept its callers waiting, all together; read by any thread
 */
struct limiter {
	_Atomic uint64_t rate;
	uint64_t free_ns;
	_Atomic uint64_t waited_ns;
};

/**
 * limiter_due() - let @bytes through
 *
 * What was not used in time is lost: a pause is not made up for by a burst.
 *
 * Return: nanoseconds to wait before the next bytes.
 */
uint64_t limiter_due(struct limiter *l, uint64_t bytes, uint64_t now_ns);

/** limiter_wait() - limiter_due() by the clock. Return: 0, or -ECANCELED. */
_must_check_ int limiter_wait(struct limiter *l, uint64_t bytes, struct cancel *cancel,
			      struct err *err);
