/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Numbers as people write and read them
 */

#include <stddef.h>
#include <stdint.h>

/* Large enough for any of the format functions below. */
#define UNITS_MAX 32

/* "96 B", "1.5 MiB": binary units, three significant digits. Return: @buf. */
char *format_bytes(char buf[UNITS_MAX], uint64_t bytes);

/* "742 ns", "13.8 us", "1.20 s". Return: @buf. */
char *format_duration(char buf[UNITS_MAX], uint64_t ns);

/* "512 MiB/s", or "-" when no time has passed. Return: @buf. */
char *format_rate(char buf[UNITS_MAX], uint64_t bytes, uint64_t ns);

/**
 * parse_uint() - the whole of a string as a number
 * @base: as of strtoull()
 *
 * Return: 0, or -EINVAL for anything but digits, -ERANGE above @max.
 */
int parse_uint(const char *text, int base, uint64_t max, uint64_t *ret);

/**
 * scan_uint() - the number that @text begins with, white space before it aside
 * @base: as of strtoull()
 *
 * For what the kernel prints, where more follows. Return: what follows; NULL where there is no
 * number, or one above @max, or where @text is NULL: a chain of calls is checked at its end.
 */
const char *scan_uint(const char *text, int base, uint64_t max, uint64_t *ret);

/**
 * parse_bytes() - "4096", "64K", "1.5MiB", "2GB"
 *
 * As dd(1) has it: K and KiB are 1024 bytes, KB is 1000, and so on up to E; in any case. What
 * decimals leave of a byte counts as one.
 *
 * Return: 0, -EINVAL for anything else, -ERANGE above @max.
 */
int parse_bytes(const char *text, uint64_t max, uint64_t *ret);

/**
 * parse_duration() - "10", "0.5", "10s", "500ms", "100us", "2m", "1h": seconds if there is no unit
 *
 * What decimals leave of a nanosecond counts as one.
 *
 * Return: 0, -EINVAL for anything else, -ERANGE above @max_ns.
 */
int parse_duration(const char *text, uint64_t max_ns, uint64_t *ret_ns);
