// SPDX-License-Identifier: GPL-2.0-only
/*
 * migsim: what a device holds, as functions of a few numbers.
 */

#include <linux/minmax.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <linux/unaligned.h>

#include "migsim.h"

/* A finalizer of a 64-bit hash: every bit of @x reaches every bit of what it returns. */
static u64 mix(u64 x)
{
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93ULL;
	return x ^ x >> 32;
}

/*
 * The contents are 64-bit words, little-endian. One round is enough for them: all that matters is
 * that no two places look alike, and the words are what a save of gigabytes spends its time on.
 */
static inline u64 word(u64 base, u64 index)
{
	u64 x = (base + index) * 0x9e3779b97f4a7c15ULL;

	return x ^ x >> 29;
}

static u64 base_of(u64 seed)
{
	return mix(seed + 0x632be59bd9b4e019ULL);
}

/* The part of a word that lies at @offset: how much of @len it covers. */
static size_t part(u64 base, u64 offset, size_t len, u8 bytes[8])
{
	unsigned int skip = offset % 8;
	u8 whole[8];

	put_unaligned_le64(word(base, offset / 8), whole);
	len = min_t(size_t, len, 8 - skip);
	memcpy(bytes, whole + skip, len);
	return len;
}

void migsim_contents(u64 seed, u64 offset, void *buf, size_t len)
{
	u64 base = base_of(seed), index;
	u8 *at = buf, bytes[8];
	size_t n;

	if (offset % 8) {
		n = part(base, offset, len, bytes);
		memcpy(at, bytes, n);
		at += n;
		offset += n;
		len -= n;
	}
	for (index = offset / 8; len >= 8; len -= 8, at += 8)
		put_unaligned_le64(word(base, index++), at);
	n = part(base, index * 8, len, bytes);
	memcpy(at, bytes, n);
}

bool migsim_contents_match(u64 seed, u64 offset, const void *buf, size_t len)
{
	u64 base = base_of(seed), index, wrong = 0;
	const u8 *at = buf;
	u8 bytes[8];
	size_t n;

	if (offset % 8) {
		n = part(base, offset, len, bytes);
		if (memcmp(at, bytes, n))
			return false;
		at += n;
		offset += n;
		len -= n;
	}
	for (index = offset / 8; len >= 8; len -= 8, at += 8)
		wrong |= get_unaligned_le64(at) ^ word(base, index++);
	n = part(base, index * 8, len, bytes);
	return !wrong && !memcmp(at, bytes, n);
}

u64 migsim_hash(const void *buf, size_t len)
{
	const u8 *at = buf;
	u64 hash = mix(len);

	while (len--)
		hash = mix(hash ^ *at++) + 1;
	return hash;
}

u64 migsim_counter(struct migsim *m)
{
	u64 ns = m->running_since ? ktime_get_ns() - m->running_since : 0;

	return m->state.counter + ns / NSEC_PER_USEC;
}

u64 migsim_digest(struct migsim *m)
{
	__le64 held[3] = {
		cpu_to_le64(m->state.seed),
		cpu_to_le64(m->state.size),
		cpu_to_le64(migsim_counter(m)),
	};

	return migsim_hash(held, sizeof(held));
}

void migsim_count(struct migsim *m)
{
	m->state.counter = migsim_counter(m);
	m->running_since = migsim_runs(m->mig_state) ||
			   migsim_deviates(m, MIGSIM_DEVIATE_RUNS_IN_STOP) ? ktime_get_ns() : 0;
}
