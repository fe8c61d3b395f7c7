/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A rule that is being tried: what its function is given, and what it says
 *
 * The first verdict that is worse than the one before stays; each adds its line to the evidence.
 * A function goes on or returns after a verdict, as it likes: what it does next is evidence, too.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "check/rule.h"
#include "check/subject.h"

/* Lines of evidence that are kept of a rule: the first ones and the last ones. */
#define CHECK_EVIDENCE_MAX 64u

/**
 * struct check - one rule at work
 * @device: the device; @pair: the second one, NULL but for CHECK_PAIR rules
 * @rounds: how often what needs many times is to be done
 * @seed: of check_random()
 */
struct check {
	const struct check_rule *rule;
	struct subject *device, *pair;
	unsigned int rounds;
	uint64_t seed;
	struct check_record *record;
};

/** check_note() - a line of evidence that is no verdict */
void check_note(struct check *c, const char *fmt, ...) _printf_(2, 3);

/** check_violated() - the rule does not hold: fail, or warn where the rule is no MUST */
void check_violated(struct check *c, const char *fmt, ...) _printf_(2, 3);

/** check_warn() - it holds, and an author should look at this */
void check_warn(struct check *c, const char *fmt, ...) _printf_(2, 3);

/** check_skip() - it cannot be tried on this device, for this reason */
void check_skip(struct check *c, const char *fmt, ...) _printf_(2, 3);

/** check_tell() - what was measured */
void check_tell(struct check *c, const char *fmt, ...) _printf_(2, 3);

/** check_broken() - it could not be tried: something before it went wrong */
void check_broken(struct check *c, const char *fmt, ...) _printf_(2, 3);

/**
 * check_refused() - an answer must be an error, of these
 * @what: was asked, for the evidence: "SET error"
 * @result: what came back
 * @errnos: positive, 0 after the last; empty (a first 0) for any
 *
 * Return: whether it was so; else it is a violation, said.
 */
bool check_refused(struct check *c, const char *what, int result, const int *errnos);

#define CHECK_ERRNOS(...) ((const int[]){ __VA_ARGS__ __VA_OPT__(, ) 0 })

/** check_worked() - an answer must be no error. Return: whether; else it is a violation, said. */
bool check_worked(struct check *c, const char *what, int result);

/** check_stays() - GET must say @want. Return: whether; else it is a violation, said. */
bool check_stays(struct check *c, enum mig_state want);

/** check_random() - of the run's seed and this rule: the same in each run */
uint64_t check_random(struct check *c);

/** check_stopped() - the rule's time is over, or the run was cancelled: return soon */
bool check_stopped(const struct check *c);
