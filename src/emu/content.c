// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/macros.h"
#include "emu/content.h"

/* 2^64 over the golden ratio: its multiples are spread evenly. */
#define STEP UINT64_C(0x9e3779b97f4a7c15)

/* Bytes of a block that are made together. */
#define LINE 64u

uint64_t emu_mix(uint64_t n)
{
	n += STEP;
	n = (n ^ n >> 32) * UINT64_C(0xd6e8feb86659fd93);
	n = (n ^ n >> 29) * UINT64_C(0xd6e8feb86659fd93);
	return n ^ n >> 32;
}

/* Number @i of a block's noise. One multiplication: it is made at the speed of a socket. */
static inline uint64_t emu_content_noise(uint64_t key, uint64_t i)
{
	uint64_t n = key + i * STEP;

	return (n ^ n >> 29) * UINT64_C(0xd6e8feb86659fd93);
}

static inline void emu_content_put(uint8_t *to, uint64_t word)
{
	memcpy(to, &word, sizeof(word));
}

/*
 * Line @i of a block, which compresses as a device's state does: half of it counts, a quarter is
 * zeros. The noise in every line makes it differ from all the others, wherever a bug might move it.
 */
static inline void emu_content_fill_line(uint8_t *to, uint64_t key, uint64_t i)
{
	uint64_t count = (key >> 48) + i * (LINE / sizeof(count));

	emu_content_put(to, i ? count : key);
	emu_content_put(to + 8, count + 1);
	emu_content_put(to + 16, count + 2);
	emu_content_put(to + 24, count + 3);
	memset(to + 32, 0, 16);
	emu_content_put(to + 48, emu_content_noise(key, 2 * i));
	emu_content_put(to + 56, emu_content_noise(key, 2 * i + 1));
}

void emu_block_fill(uint64_t key, size_t at, void *buf, size_t len)
{
	uint8_t *to = buf, line[LINE];
	size_t n;

	for (; len; to += n, at += n, len -= n) {
		n = MIN(len, LINE - at % LINE);
		if (n == LINE) {
			emu_content_fill_line(to, key, at / LINE);
			continue;
		}
		emu_content_fill_line(line, key, at / LINE);
		memcpy(to, line + at % LINE, n);
	}
}

int emu_content_init(struct emu_content *c, uint64_t size, uint64_t seed, struct err *err)
{
	uint64_t block = EMU_BLOCK_MIN;

	while (size > block * EMU_BLOCKS_MAX)
		block *= 2;
	*c = (struct emu_content){
		.seed = seed,
		.size = size,
		.block_size = (uint32_t)block,
		.n_blocks = (uint32_t)((size + block - 1) / block),
	};
	c->keys = calloc(c->n_blocks ? c->n_blocks : 1, sizeof(*c->keys));
	if (!c->keys)
		return err_set(err, -ENOMEM, "state of the device");
	emu_content_reset(c);
	return 0;
}

void emu_content_done(struct emu_content *c)
{
	free(c->keys);
	c->keys = NULL;
}

void emu_content_reset(struct emu_content *c)
{
	c->n_dirtied = 0;
	for (uint32_t i = 0; i < c->n_blocks; i++)
		emu_content_set(c, i, emu_mix(emu_mix(c->seed) + i));
}

size_t emu_content_len(const struct emu_content *c, uint32_t block)
{
	return (size_t)MIN((uint64_t)c->block_size, c->size - (uint64_t)block * c->block_size);
}

void emu_content_set(struct emu_content *c, uint32_t block, uint64_t key)
{
	uint64_t cut = 0;

	memcpy(&cut, &key, MIN(emu_content_len(c, block), sizeof(cut)));
	c->keys[block] = cut;
}

uint32_t emu_content_dirty(struct emu_content *c)
{
	uint32_t block = (uint32_t)(emu_mix(c->seed ^ c->n_dirtied) % c->n_blocks);
	uint64_t old = c->keys[block], key = old;

	c->n_dirtied++;
	/* In a block of a byte or two the new key may be the old one, once it is cut. */
	while (c->keys[block] == old) {
		key = emu_mix(key);
		emu_content_set(c, block, key);
	}
	return block;
}

uint64_t emu_content_digest(const struct emu_content *c)
{
	return XXH3_64bits_withSeed(c->keys, c->n_blocks * sizeof(*c->keys), c->size);
}
