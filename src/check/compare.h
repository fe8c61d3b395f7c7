/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Two streams side by side
 *
 * Pure.
 */

#include <stdbool.h>
#include <stddef.h>

struct subject_state;

#define COMPARE_SAME ((size_t)-1)
#define COMPARE_TEXT_MAX 160

/** compare_at() - Return: the first byte that differs or that one alone has; COMPARE_SAME. */
size_t compare_at(const struct subject_state *a, const struct subject_state *b);

/** compare_text() - how they differ: "60 and 61 bytes, the same up to byte 60". Return: @buf. */
char *compare_text(const struct subject_state *a, const struct subject_state *b,
		   char buf[COMPARE_TEXT_MAX]);
