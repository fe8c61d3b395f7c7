// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

const char *scan_uint(const char *text, int base, uint64_t max, uint64_t *ret)
{
	unsigned long long value;
	char *end;

	while (text && isspace((unsigned char)*text))
		text++;
	if (!text || !isxdigit((unsigned char)*text))
		return NULL;
	errno = 0;
	value = strtoull(text, &end, base);
	if (end == text || errno == ERANGE || value > max)
		return NULL;
	*ret = value;
	return end;
}

/*
 * Digits, maybe a decimal point and more, and a unit. No double: sizes and times are exact up to
 * their largest.
 */
struct units_quantity {
	uint64_t whole;
	uint64_t fraction, scale; /* the decimals: @fraction / @scale */
	bool overflow; /* @whole is not to be had in 64 bits */
	const char *unit; /* the rest */
};

#define DECIMALS_MAX 9

static int units_read(const char *text, struct units_quantity *q)
{
	const char *at = text;

	*q = (struct units_quantity){ .scale = 1 };
	for (; isdigit((unsigned char)*at); at++)
		q->overflow |= __builtin_mul_overflow(q->whole, 10, &q->whole) ||
			       __builtin_add_overflow(q->whole, *at - '0', &q->whole);
	if (at == text)
		return -EINVAL;
	q->unit = at;
	if (*at != '.')
		return 0;
	while (isdigit((unsigned char)*++at)) {
		q->fraction = q->fraction * 10 + (uint64_t)(*at - '0');
		q->scale *= 10;
	}
	if (at == q->unit + 1 || at - q->unit - 1 > DECIMALS_MAX)
		return -EINVAL;
	q->unit = at;
	return 0;
}

/* Rounds up: what is more than nothing must not become 0, which has a meaning of its own. */
static int units_multiply(const struct units_quantity *q, uint64_t factor, uint64_t max,
			  uint64_t *ret)
{
	unsigned __int128 n = (unsigned __int128)q->whole * factor +
			      ((unsigned __int128)q->fraction * factor + q->scale - 1) / q->scale;

	if (q->overflow || n > max)
		return -ERANGE;
	*ret = (uint64_t)n;
	return 0;
}

/* Return: how many bytes a unit is, 0 if it is none. */
static uint64_t units_bytes(const char *unit)
{
	static const char prefixes[] = "kmgtpe";
	const char *prefix;
	uint64_t factor = 1, base = 1024;

	if (!*unit)
		return 1;
	prefix = strchr(prefixes, tolower((unsigned char)*unit));
	if (!prefix ||
	    (unit[1] && strcasecmp(unit + 1, "iB") != 0 && strcasecmp(unit + 1, "B") != 0))
		return 0;
	if (unit[1] && !unit[2])
		base = 1000;
	for (; prefix >= prefixes; prefix--)
		factor *= base;
	return factor;
}

int parse_bytes(const char *text, uint64_t max, uint64_t *ret)
{
	struct units_quantity q;
	uint64_t factor;
	int r;

	r = units_read(text, &q);
	if (r < 0)
		return r;
	factor = units_bytes(q.unit);
	if (!factor || (factor == 1 && q.scale > 1))
		return -EINVAL;
	return units_multiply(&q, factor, max, ret);
}

int parse_duration(const char *text, uint64_t max_ns, uint64_t *ret_ns)
{
	static const struct {
		const char *unit;
		uint64_t ns;
	} units[] = {
		/* clang-format off */
		{ "",   NSEC_PER_SEC },
		{ "us", 1000 },
		{ "ms", NSEC_PER_MSEC },
		{ "s",  NSEC_PER_SEC },
		{ "m",  60 * NSEC_PER_SEC },
		{ "h",  3600 * NSEC_PER_SEC },
		/* clang-format on */
	};
	struct units_quantity q;
	int r;

	r = units_read(text, &q);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcmp(q.unit, units[i].unit))
			return units_multiply(&q, units[i].ns, max_ns, ret_ns);
	return -EINVAL;
}
