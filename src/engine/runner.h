/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A thread for each device of a set
 *
 * The coordinator gives an order to all, they carry it out at the same time, and it goes on when
 * all have. The first that fails requests the cancel, so that the others stop, too. A device whose
 * driver does not come back keeps its thread, and no other: the coordinator goes on without it, and
 * what it is ordered meanwhile it does when it is free again.
 *
 * A set of one needs no thread: its orders are carried out by the caller.
 */

#include <stddef.h>

#include "base/cancel.h"
#include "base/cleanup.h"
#include "base/err.h"

struct runner;

/* What an order may say. */
#define RUNNER_ORDER_MAX 64u

/**
 * runner_fn - an order, carried out for the device @index
 * @order: a copy of what it says, which changes for no thread that is late
 *
 * Return: 0 or negative errno.
 */
typedef int runner_fn(const void *order, unsigned int index, struct err *err);

/** runner_new() - @n threads, which inherit the caller's signal mask, unless @n is 1 */
_must_check_ int runner_new(unsigned int n, struct cancel *cancel, struct runner **ret,
			    struct err *err);

/**
 * runner_all() - have all carry out an order, and wait for them
 * @order: @size bytes for @fn, at most RUNNER_ORDER_MAX
 * @heed_cancel: once it is requested, wait no longer for those that hang, as after a failure
 *
 * Return: 0; else what failed first, its story in @err: a failure that is not only an answer to the
 * cancel comes before all that are. By then all have ended but those that hang (runner_hangs()).
 */
_must_check_ int runner_all(struct runner *r, runner_fn *fn, const void *order, size_t size,
			    bool heed_cancel, struct err *err);

/** runner_hangs() - the last order has not ended for @index: its driver does not come back */
bool runner_hangs(const struct runner *r, unsigned int index);

/** runner_join() - wait for those that hang, however long that takes */
void runner_join(struct runner *r);

/** runner_free() - runner_join(), and end the threads */
struct runner *runner_free(struct runner *r);
DEFINE_CLEANUP(struct runner *, runner_free)
