/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A failure with what is not needed for it left out
 *
 * Whole runs of items are tried to be left out first, then shorter ones, down to single items.
 * Pure: what a try is, is the caller's.
 */

#include <stdbool.h>
#include <stddef.h>

/* Tries at most, since each may take a reset. */
#define SHRINK_TRIES_MAX 200u

/**
 * shrink() - leave out what is not needed
 * @keep: of @n items, which ones there are; all to begin with, those that are needed in the end
 * @fails: whether the failure is still there with the items of @keep
 *
 * Return: how many are left. What is left is known to fail, if all of them did.
 */
size_t shrink(bool *keep, size_t n, bool (*fails)(void *ctx, const bool *keep), void *ctx);
