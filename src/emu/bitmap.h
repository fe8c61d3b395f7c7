/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * A set of blocks that knows how many it has
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "emu/content.h"

struct emu_bitmap {
	uint64_t words[EMU_BLOCKS_MAX / 64];
	uint32_t n; /* members */
};

static inline bool emu_bitmap_has(const struct emu_bitmap *b, uint32_t i)
{
	return b->words[i / 64] >> i % 64 & 1;
}

static inline void emu_bitmap_add(struct emu_bitmap *b, uint32_t i)
{
	b->n += !emu_bitmap_has(b, i);
	b->words[i / 64] |= UINT64_C(1) << i % 64;
}

static inline void emu_bitmap_remove(struct emu_bitmap *b, uint32_t i)
{
	b->n -= emu_bitmap_has(b, i);
	b->words[i / 64] &= ~(UINT64_C(1) << i % 64);
}

/* All of 0 to @n - 1 and none else. */
static inline void emu_bitmap_fill(struct emu_bitmap *b, uint32_t n)
{
	memset(b, 0, sizeof(*b));
	memset(b->words, 0xff, n / 64 * sizeof(b->words[0]));
	if (n % 64)
		b->words[n / 64] = (UINT64_C(1) << n % 64) - 1;
	b->n = n;
}

/* Return: the first member in [@from, @to), or @to. */
static inline uint32_t emu_bitmap_next(const struct emu_bitmap *b, uint32_t from, uint32_t to)
{
	while (from < to) {
		uint64_t word = b->words[from / 64] >> from % 64;

		if (word) {
			from += (uint32_t)__builtin_ctzll(word);
			return from < to ? from : to;
		}
		from = (from / 64 + 1) * 64;
	}
	return to;
}
