// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "check/shrink.h"

static size_t shrink_count(const bool *keep, size_t n)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += keep[i];
	return count;
}

/* Leaves @len items from @at out if it still fails. Return: whether it did. */
static bool shrink_try(bool *keep, size_t at, size_t len, bool (*fails)(void *ctx, const bool *),
		       void *ctx)
{
	bool before[SHRINK_TRIES_MAX];

	memcpy(before, keep + at, len * sizeof(*keep));
	memset(keep + at, 0, len * sizeof(*keep));
	if (fails(ctx, keep))
		return true;
	memcpy(keep + at, before, len * sizeof(*keep));
	return false;
}

size_t shrink(bool *keep, size_t n, bool (*fails)(void *ctx, const bool *keep), void *ctx)
{
	unsigned int tries = 0;
	bool progress = true;

	for (size_t len = MIN((n + 1) / 2, (size_t)SHRINK_TRIES_MAX); len && progress;) {
		progress = false;
		for (size_t at = 0; at < n; at += len) {
			size_t run = MIN(len, n - at);

			if (!shrink_count(keep + at, run) || shrink_count(keep, n) <= 1)
				continue;
			if (++tries > SHRINK_TRIES_MAX)
				return shrink_count(keep, n);
			progress |= shrink_try(keep, at, run, fails, ctx);
		}
		/* Single items are gone through again as long as any can be left out. */
		if (len > 1) {
			len /= 2;
			progress = true;
		}
	}
	return shrink_count(keep, n);
}
