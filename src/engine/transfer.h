/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the world outside may see of a transfer under way
 *
 * The worker writes it, the user interface reads it, neither waits for the other.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "uapi/vfio.h"

/**
 * struct transfer - how far it is
 * @bytes: of the device's stream
 * @expected: of the stream in all, as far as can be guessed; 0 for unknown
 * @exact: it is no guess; set before @expected
 * @state: enum mig_state of the device, MIG_NR_STATES while there is none to tell
 */
struct transfer {
	uint64_t start_ns;
	_Atomic uint64_t bytes;
	_Atomic uint64_t expected;
	atomic_bool exact;
	atomic_uint state;
};

static inline void transfer_start(struct transfer *t)
{
	t->start_ns = clock_ns();
	atomic_init(&t->bytes, 0);
	atomic_init(&t->expected, 0);
	atomic_init(&t->exact, false);
	atomic_init(&t->state, MIG_NR_STATES);
}
