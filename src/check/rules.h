/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * All rules, and those that a user means
 */

#include <stdbool.h>

#include "base/err.h"
#include "check/rule.h"

/** check_groups() - one a file, in the order in which they are tried. Return: how many. */
size_t check_groups(const struct check_group *const **ret);

/** check_rule_at() - rule @i of all; NULL after the last */
const struct check_rule *check_rule_at(size_t i);

/**
 * struct check_selection - rules of the command line
 * @rules, @skip: lists with commas between: ids, groups ("fsm"), globs; NULL for all, and for none
 */
struct check_selection {
	const char *rules, *skip;
};

/** check_selected() - pure */
bool check_selected(const struct check_selection *s, const char *id);

/**
 * check_selection_check() - each word means at least one rule
 *
 * Return: 0; -EINVAL (ERR_USAGE), also where no rule is left.
 */
_must_check_ int check_selection_check(const struct check_selection *s, struct err *err);
