/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The emulated device's internal state
 *
 * Up to 1 TiB of it in constant memory. The state is cut into at most 65536 blocks, and a block's
 * bytes are a function of one number, its key: a device remembers its keys and nothing else. The
 * first keys come from a seed; dirtying a block gives it a new one; and since the first bytes of
 * a block are its key, a device that is given the bytes gets the keys with them.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

#define EMU_BLOCK_MIN 4096u
#define EMU_BLOCKS_MAX 65536u
#define EMU_KEY_SIZE sizeof(uint64_t)

/**
 * struct emu_content - keys
 * @size: bytes; the last block has what is left
 * @n_dirtied: how often a block was dirtied, which decides which one is next
 */
struct emu_content {
	uint64_t seed, size;
	uint32_t block_size, n_blocks;
	uint64_t n_dirtied;
	uint64_t *keys;
};

_must_check_ int emu_content_init(struct emu_content *c, uint64_t size, uint64_t seed,
				  struct err *err);
void emu_content_done(struct emu_content *c);

/** emu_content_reset() - to what the seed alone makes of it, as after power-on */
void emu_content_reset(struct emu_content *c);

/** emu_content_len() - bytes in a block */
size_t emu_content_len(const struct emu_content *c, uint32_t block);

/** emu_content_set() - give a block its key. What does not fit in the block is cut off. */
void emu_content_set(struct emu_content *c, uint32_t block, uint64_t key);

/**
 * emu_content_dirty() - change one block
 *
 * Never called for a state without blocks. Return: which block it was.
 */
uint32_t emu_content_dirty(struct emu_content *c);

/** emu_content_digest() - equal for equal states, whatever their history */
uint64_t emu_content_digest(const struct emu_content *c);

/** emu_block_fill() - bytes @at to @at + @len of a block with @key */
void emu_block_fill(uint64_t key, size_t at, void *buf, size_t len);

/** emu_mix() - a number that looks random, and is another one for another @n */
uint64_t emu_mix(uint64_t n);
