/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A policy of pre-copy that says what a test has it say
 *
 * Linked instead of engine/switchover.c, to see what is made of each verdict without a clock: the
 * policy itself has tests of its own.
 */

#include "engine/switchover.h"

#define FAKE_POLICY_ROUNDS 64

/**
 * struct fake_policy
 * @verdicts: what it says, round by round, @n of them; then SWITCHOVER_CONVERGED
 * @pause_ns: before the next round
 * @on_step: called at the end of each round, before the verdict, if set
 * @asked: rounds that it was shown
 * @rounds: they
 */
struct fake_policy {
	const enum switchover_verdict *verdicts;
	unsigned int n;
	uint64_t pause_ns;
	void (*on_step)(void *ctx);
	void *ctx;
	unsigned int asked;
	struct switchover_round rounds[FAKE_POLICY_ROUNDS];
};

/* The one that is asked: the engine has no pointer to a policy. */
extern struct fake_policy fake_policy;
