/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Forging images
 *
 * Writes the format from its drawing in image/format.h, sharing no code with what it is to test:
 * fields by their offsets, checksums in one call over a copy. A test that wants a bad field under
 * good checksums writes the field and signs again.
 */

#include <stddef.h>
#include <stdint.h>

#define FORGE_PAGE 4096u
#define FORGE_HEAD 64u
#define FORGE_NO_DEVICE UINT32_MAX

/* Offsets in a section's header. */
enum forge_field {
	AT_TYPE = 0,
	AT_FLAGS = 4,
	AT_SIZE = 8,
	AT_DEVICE = 12,
	AT_SEQUENCE = 16,
	AT_OFFSET = 24,
	AT_RAW_SIZE = 32,
	AT_RESERVED = 36,
	AT_CHECKSUM = 56,
	AT_PAYLOAD = 64,
};

struct bytes {
	uint8_t *p;
	size_t len, room;
};

void bytes_add(struct bytes *b, const void *p, size_t len);
void bytes_done(struct bytes *b);

uint32_t get32(const uint8_t *p);
void put16(uint8_t *p, uint16_t v);
void put32(uint8_t *p, uint32_t v);
void put64(uint8_t *p, uint64_t v);

/** forge_sections() - where they begin, HEADER not among them. Return: how many. */
size_t forge_sections(const uint8_t *image, size_t len, size_t *at, size_t max);

/** forge_length() - of the section at @at, padding included */
size_t forge_length(const uint8_t *image, size_t at);

/**
 * forge_sign() - make every checksum and every digest right, and nothing else
 *
 * Stops where the image stops making sense.
 */
void forge_sign(uint8_t *image, size_t len);

/** forge_section() - insert a section at @at, checksum to be signed. */
void forge_section(struct bytes *image, size_t at, uint32_t type, uint32_t flags, uint32_t device,
		   const void *payload, uint32_t size);

/** forge_remove() - take @len bytes out at @at. */
void forge_remove(struct bytes *image, size_t at, size_t len);
