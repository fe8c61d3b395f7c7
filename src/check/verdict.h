/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The arithmetic of verdicts. Pure.
 */

#include <stdbool.h>

#include "check/rule.h"

#define CHECK_NR_VERDICTS (CHECK_BROKEN + 1)

/** check_violation() - what it is when a rule of @level does not hold */
enum check_verdict check_violation(enum check_level level);

/**
 * check_judge() - the verdict that counts
 * @said: by the rule
 * @known: the driver is known for it; @strict: that is no excuse
 */
enum check_verdict check_judge(enum check_verdict said, bool known, bool strict);

/** check_bad() - with such a verdict of any rule the device does not conform */
bool check_bad(enum check_verdict verdict);

/** check_verdict_name() - "fail" */
const char *check_verdict_name(enum check_verdict verdict);

/** check_level_name() - "MUST" */
const char *check_level_name(enum check_level level);

/** check_harm_name() - "destructive" */
const char *check_harm_name(enum check_harm harm);

/* What the user has allowed, a bit for each enum check_harm: 1 << CHECK_HARMLESS is always set. */

/** check_gate() - why a rule is not tried that does such harm; NULL where it is allowed */
const char *check_gate(enum check_harm harm, unsigned int allowed);

/** check_lack() - the first need of @needs that @has lacks, in words; NULL where there is none */
const char *check_lack(unsigned int needs, unsigned int has);
