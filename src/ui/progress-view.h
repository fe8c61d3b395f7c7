/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * How far it is, in words that fit a terminal
 *
 * Pure: what is known at one moment goes in, text comes out.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Devices that have a line of their own. */
#define PROGRESS_LINES_MAX 16u

/* Columns of a line that no terminal has to hold. */
#define PROGRESS_WIDE 1000u

/**
 * struct progress_sample - what is known of a device at one moment
 * @state: enum mig_state, MIG_NR_STATES while no device is open
 * @in_call: an arc or a reset is under way
 * @expected, @exact: of the stream in all, 0 for unknown; a guess, unless exact
 * @rate: bytes a second
 */
struct progress_sample {
	unsigned int state;
	bool in_call;
	uint64_t bytes, expected;
	bool exact;
	uint64_t rate;
};

/**
 * struct progress_figures - what of it means something to a reader
 * @moving: the stream is being moved, so that there is a rate
 * @total: of the stream in all, 0 where it is not known; @exact as above
 * @percent: of @total
 * @remaining_ns: at this rate, 0 where it cannot be told
 */
struct progress_figures {
	bool moving;
	uint64_t total;
	bool exact;
	unsigned int percent;
	uint64_t remaining_ns;
};

struct progress_figures progress_figures(const struct progress_sample *s);

/**
 * struct progress_view - all that is known
 * @name: of the device or file; of several devices, what they are called together
 * @headline: what it is in, or what it waits for
 * @n, @names, @devices: of a set; 1 for a file
 * @scanned: no device is open yet: bytes of an image that were read and checked; else 0
 * @round: of pre-copy, 0 outside of it
 * @dirty_rate: bytes a second, 0 for unknown
 * @estimated, @estimate_ns: downtime that is expected
 */
struct progress_view {
	const char *name;
	const char *headline;
	unsigned int n;
	const char *const *names;
	const struct progress_sample *devices;
	uint64_t scanned;
	unsigned int round;
	uint64_t dirty_rate;
	bool estimated;
	uint64_t estimate_ns;
	uint64_t elapsed_ns;
};

/** progress_view_sum() - of all devices together; @ret_figures: what of it means something */
struct progress_sample progress_view_sum(const struct progress_view *v,
					 struct progress_figures *ret_figures);

/**
 * progress_view_line() - all of it in one line
 * @columns: of the terminal; 0 for any width
 *
 * What matters least goes first where there is no room.
 *
 * Return: a string for the caller to free, or NULL.
 */
char *progress_view_line(const struct progress_view *v, size_t columns);

/**
 * progress_view_lines() - the same, and a line for each device behind it
 *
 * The line alone for one device, or where there is no room for them, or more than
 * PROGRESS_LINES_MAX.
 *
 * Return: a string for the caller to free, without the last newline, or NULL.
 */
char *progress_view_lines(const struct progress_view *v, size_t columns, size_t rows);
