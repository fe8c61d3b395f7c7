// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/units.h"
#include "check/known.h"

static const struct check_known known_table[] = {
	/* clang-format off */
	{ 0 },
	/* clang-format on */
};

#define KNOWN_VERSION_MAX 0xffffu

/* "6.12.9" as a number that grows with the version; 0 for what is none. */
static uint64_t known_version(const char *text)
{
	uint64_t major, minor;
	const char *rest = scan_uint(text, 10, KNOWN_VERSION_MAX, &major);

	if (!rest || *rest != '.' || !scan_uint(rest + 1, 10, KNOWN_VERSION_MAX, &minor))
		return 0;
	return major << 16 | minor;
}

static bool known_in(const struct check_known *k, const char *release)
{
	uint64_t version = known_version(release);

	return (!k->since || version >= known_version(k->since)) &&
	       (!k->before || version < known_version(k->before));
}

const struct check_known *check_known_match(const struct check_known *table, size_t n,
					    const char *driver, const char *release,
					    const char *rule)
{
	for (size_t i = 0; driver && i < n; i++)
		if (!strcmp(table[i].driver, driver) && !strcmp(table[i].rule, rule) &&
		    known_in(&table[i], release))
			return &table[i];
	return NULL;
}

/* The last row has no driver. */
#define KNOWN_N (sizeof(known_table) / sizeof(known_table[0]) - 1)

const struct check_known *check_known_find(const char *driver, const char *release,
					   const char *rule)
{
	return check_known_match(known_table, KNOWN_N, driver, release, rule);
}

const struct check_known *check_known_at(size_t i)
{
	return known_table[i].driver ? &known_table[i] : NULL;
}
