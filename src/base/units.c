// SPDX-License-Identifier: GPL-2.0-or-later
#include <strings.h>
#include <string.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/macros.h"
#include "base/units.h"

/* Three significant digits: the larger the value, the fewer decimals. */
static void units_print_scaled(char *buf, double value, const char *unit)
{
	int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(buf, UNITS_MAX, "%.*f %s", decimals, value, unit);
}

char *format_bytes(char buf[UNITS_MAX], uint64_t bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, UNITS_MAX, "%" PRIu64 " B", bytes);
		return buf;
	}
	while (value >= 1023.5 && i + 1 < ARRAY_SIZE(units)) {
		value /= 1024;
		i++;
	}
	units_print_scaled(buf, value, units[i]);
	return buf;
}

char *format_duration(char buf[UNITS_MAX], uint64_t ns)
{
	if (ns < 1000)
		snprintf(buf, UNITS_MAX, "%" PRIu64 " ns", ns);
	else if (ns < 999500)
		units_print_scaled(buf, (double)ns / 1e3, "us");
	else if (ns < 999500000)
		units_print_scaled(buf, (double)ns / 1e6, "ms");
	else
		units_print_scaled(buf, (double)ns / 1e9, "s");
	return buf;
}

char *format_rate(char buf[UNITS_MAX], uint64_t bytes, uint64_t ns)
{
	char *p;

	if (!ns) {
		snprintf(buf, UNITS_MAX, "-");
		return buf;
	}
	format_bytes(buf, (uint64_t)((double)bytes * (double)NSEC_PER_SEC / (double)ns));
	for (p = buf; *p; p++)
		;
	snprintf(p, UNITS_MAX - (size_t)(p - buf), "/s");
	return buf;
}

int parse_uint(const char *text, int base, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	if (!isxdigit((unsigned char)text[0]))
		return -EINVAL; /* strtoull() would take a sign or white space */
	errno = 0;
	value = strtoull(text, &end, base);
	if (*end || end == text)
		return -EINVAL;
	if (errno == ERANGE || value > max)
		return -ERANGE;
	*ret = value;
	return 0;
}

int parse_bytes(const char *text, uint64_t max, uint64_t *ret)
{
	static const char units[] = "kmgt";
	const char *unit;
	uint64_t n;
	char *end;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	unit = *end ? strchr(units, tolower((unsigned char)*end)) : NULL;
	if (*end && (!unit || (end[1] && strcasecmp(end + 1, "iB") && strcasecmp(end + 1, "B"))))
		return -EINVAL;
	for (; unit && unit >= units; unit--) {
		if (n > max >> 10)
			return -ERANGE;
		n <<= 10;
	}
	if (n > max)
		return -ERANGE;
	*ret = n;
	return 0;
}
