/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Trying rules, one after the other
 *
 * Rules that do no harm come first, then those that lose the device's state, and so on: what is
 * asked first is asked of the device as it was found. Each rule has a thread and a time limit;
 * after it the device is brought home, in a thread as well, since that is where a driver may hang.
 * A rule whose device has answered nothing for its time, or that takes thirty times as long, is
 * cancelled and its calls are kicked until it comes back. One that
 * does not, and a device that cannot be brought home, end the run.
 */

#include <stdbool.h>
#include <stdint.h>

#include "base/cancel.h"
#include "check/known.h"
#include "check/rule.h"
#include "check/rules.h"
#include "check/subject.h"

struct check_result;

/**
 * struct check_listener - hears of a run, in its thread, while no rule is being tried
 * @begun: with the number of rules that are to be tried; as @result, may be NULL
 * @result: of each rule that was tried or skipped, in their order
 */
struct check_listener {
	void (*begun)(void *ctx, size_t selected);
	void (*result)(void *ctx, const struct check_result *result);
	void *ctx;
};

/**
 * struct check_options
 * @groups, @n_groups: of rules, in their order
 * @allowed: 1 << enum check_harm; where there is more than CHECK_HARMLESS, a reset may bring home
 * @rounds, @seed: as of struct check
 * @timeout_ms: of each rule, without an answer from the device; and of each way home
 * @strict: known deviations are failures
 * @driver, @release: of the device and of the kernel, for known deviations; @driver may be NULL
 */
struct check_options {
	const struct check_group *const *groups;
	size_t n_groups;
	struct check_selection selection;
	unsigned int allowed;
	unsigned int rounds;
	uint64_t seed;
	int timeout_ms;
	bool strict;
	const char *driver, *release;
	struct check_listener listener;
};

/**
 * struct check_result - of a rule that was tried or skipped
 * @reason: the line that the verdict was said with, empty for a pass
 * @evidence: lines, each with its end; may be NULL
 * @known: the deviation, for CHECK_KNOWN
 */
struct check_result {
	const struct check_rule *rule;
	enum check_verdict verdict;
	char *reason, *evidence;
	const struct check_known *known;
	uint64_t ns;
};

/**
 * struct check_results - of a run
 * @selected: how many rules were to be tried; fewer results where the run was ended
 * @hangs: a rule's thread has not come back. It uses the subjects still: nothing of them may be
 *         closed or freed, and the process should end
 */
struct check_results {
	struct check_result *v;
	size_t n, selected;
	bool hangs;
};

/**
 * check_run() - try the rules that are selected
 * @pair: NULL for none
 * @cancel: ends the run after the rule that is being tried; the device is brought home
 * @ret: what came of them, also of a run that was ended; check_results_done()
 *
 * Return: 0 when all were tried, whatever came of it; -ECANCELED; ERR_DEVICE when the device could
 * not be brought home, or a rule did not come back.
 */
_must_check_ int check_run(struct subject *device, struct subject *pair,
			   const struct check_options *opts, struct cancel *cancel,
			   struct check_results *ret, struct err *err);
void check_results_done(struct check_results *r);

/** check_results_count() - how many have @verdict */
size_t check_results_count(const struct check_results *r, enum check_verdict verdict);
