// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "image-forge.h"

#define FORGE_DEVICES 256

void bytes_add(struct bytes *b, const void *p, size_t len)
{
	if (b->len + len > b->room) {
		b->room = 2 * (b->len + len);
		b->p = realloc(b->p, b->room);
		if (!b->p)
			abort();
	}
	if (len)
		memcpy(b->p + b->len, p, len);
	b->len += len;
}

void bytes_done(struct bytes *b)
{
	free(b->p);
	*b = (struct bytes){ 0 };
}

static uint64_t get(const uint8_t *p, int n)
{
	uint64_t v = 0;

	while (n--)
		v = v << 8 | p[n];
	return v;
}

static void put(uint8_t *p, uint64_t v, int n)
{
	for (int i = 0; i < n; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get(p, 4);
}

void put16(uint8_t *p, uint16_t v)
{
	put(p, v, 2);
}

void put32(uint8_t *p, uint32_t v)
{
	put(p, v, 4);
}

void put64(uint8_t *p, uint64_t v)
{
	put(p, v, 8);
}

size_t forge_length(const uint8_t *image, size_t at)
{
	size_t used = FORGE_HEAD + (size_t)get32(image + at + AT_SIZE);

	return (used + FORGE_PAGE - 1) & ~(size_t)(FORGE_PAGE - 1);
}

size_t forge_sections(const uint8_t *image, size_t len, size_t *at, size_t max)
{
	size_t next = FORGE_PAGE, n = 0;

	while (n < max && next + FORGE_HEAD <= len && forge_length(image, next) <= len - next) {
		at[n++] = next;
		next += forge_length(image, next);
	}
	return n;
}

/* The header's first 56 bytes and the payload, side by side in a copy. */
static uint64_t checksum(const uint8_t *section, uint64_t seed)
{
	size_t size = get32(section + AT_SIZE);
	uint8_t *copy;
	uint64_t sum;

	copy = malloc(AT_CHECKSUM + size);
	if (!copy)
		abort();
	memcpy(copy, section, AT_CHECKSUM);
	memcpy(copy + AT_CHECKSUM, section + AT_PAYLOAD, size);
	sum = XXH3_64bits_withSeed(copy, AT_CHECKSUM + size, seed);
	free(copy);
	return sum;
}

static void put_digest(uint8_t *p, const struct bytes *sums, uint64_t seed)
{
	XXH128_canonical_t canonical;

	XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(sums->p, sums->len, seed));
	memcpy(p, canonical.digest, sizeof(canonical.digest));
}

void forge_sign(uint8_t *image, size_t len)
{
	struct bytes all = { 0 }, devices[FORGE_DEVICES] = { 0 };
	size_t at = FORGE_PAGE;
	uint64_t seed;

	if (len < FORGE_PAGE)
		return;
	put64(image + 56, XXH3_64bits(image, 56));
	seed = get(image + 16, 8);

	while (at + FORGE_HEAD <= len && forge_length(image, at) <= len - at) {
		uint8_t *s = image + at;
		uint32_t type = get32(s + AT_TYPE), device = get32(s + AT_DEVICE);
		bool is_end = get32(s + AT_SIZE) == 48;

		if (type == 3 && is_end && device < FORGE_DEVICES)
			put_digest(s + AT_PAYLOAD + 16, &devices[device], seed);
		if (type == 4 && is_end)
			put_digest(s + AT_PAYLOAD + 16, &all, seed);
		put64(s + AT_CHECKSUM, checksum(s, seed));
		if (type == 2 && device < FORGE_DEVICES)
			bytes_add(&devices[device], s + AT_CHECKSUM, 8);
		if (type != 4)
			bytes_add(&all, s + AT_CHECKSUM, 8);
		at += forge_length(image, at);
	}
	bytes_done(&all);
	for (size_t i = 0; i < FORGE_DEVICES; i++)
		bytes_done(&devices[i]);
}

void forge_section(struct bytes *image, size_t at, uint32_t type, uint32_t flags, uint32_t device,
		   const void *payload, uint32_t size)
{
	size_t len = (FORGE_HEAD + (size_t)size + FORGE_PAGE - 1) & ~(size_t)(FORGE_PAGE - 1);
	struct bytes tail = { 0 };
	uint8_t *s;

	s = calloc(1, len);
	if (!s)
		abort();
	put32(s + AT_TYPE, type);
	put32(s + AT_FLAGS, flags);
	put32(s + AT_SIZE, size);
	put32(s + AT_DEVICE, device);
	put32(s + AT_RAW_SIZE, size);
	if (size)
		memcpy(s + AT_PAYLOAD, payload, size);

	bytes_add(&tail, image->p + at, image->len - at);
	image->len = at;
	bytes_add(image, s, len);
	bytes_add(image, tail.p, tail.len);
	bytes_done(&tail);
	free(s);
}

void forge_remove(struct bytes *image, size_t at, size_t len)
{
	memmove(image->p + at, image->p + at + len, image->len - at - len);
	image->len -= len;
}
