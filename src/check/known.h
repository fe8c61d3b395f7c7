/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Deviations that drivers of Linux are known for
 *
 * Each was read in the driver's source, or seen in the lab. It excuses the one rule that it names,
 * for the kernels that it names: an author who looks at a new failure sees nothing else.
 */

#include <stddef.h>

/**
 * struct check_known - one
 * @driver: as sysfs names it
 * @rule: its id
 * @since, @before: kernels, "6.12"; NULL for the first one, and for no end so far
 * @what: it does, for people
 * @source: where that can be read
 */
struct check_known {
	const char *driver, *rule;
	const char *since, *before;
	const char *what, *source;
};

/**
 * check_known_match() - the first row of @table that is about it. Pure.
 * @driver: NULL for none
 * @release: of uname(): "6.12.9-amd64"
 *
 * Return: NULL where nothing is known.
 */
const struct check_known *check_known_match(const struct check_known *table, size_t n,
					    const char *driver, const char *release,
					    const char *rule);

/** check_known_find() - the same in what is known */
const struct check_known *check_known_find(const char *driver, const char *release,
					   const char *rule);

/** check_known_at() - all that are known, by index, one after the other; NULL after the last */
const struct check_known *check_known_at(size_t i);
