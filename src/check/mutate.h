/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Mutations of a device's own stream
 *
 * A mutant is a list of edits, so that what is not needed for a failure can be left out again, and
 * both list and mutant follow from seed and number alone. Some edits know how streams are made:
 * records with little-endian fields that hold lengths, counts and offsets, most of them in the
 * first bytes. Pure.
 */

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct subject_state;

/* What an edit does with the len bytes at its place, "at", and with its value. */
enum mutate_kind {
	MUTATE_BIT, /* flips a bit of a byte: the value is its number */
	MUTATE_BYTE, /* one byte becomes the value */
	MUTATE_FIELD, /* the bytes, a little-endian field, become the value */
	MUTATE_ZERO, /* the bytes become 0 */
	MUTATE_CUT, /* the stream ends there */
	MUTATE_DROP, /* the bytes are missing */
	MUTATE_DOUBLE, /* they come twice */
	MUTATE_INSERT, /* so many bytes of the value come before the place */
	MUTATE_NR_KINDS,
};

struct mutate_edit {
	enum mutate_kind kind;
	size_t at, len;
	uint64_t value;
};

/* Edits of one mutant at most, and bytes that one of them adds. */
#define MUTATE_EDITS_MAX 4u
#define MUTATE_GROWTH_MAX 4096u
#define MUTATE_TEXT_MAX 80

/**
 * mutate_make() - the edits of mutant @number
 * @good: at least 1 byte; what its fields hold is what edits of fields start from
 *
 * Return: how many edits, 1 to MUTATE_EDITS_MAX.
 */
unsigned int mutate_make(const struct subject_state *good, uint64_t seed, unsigned int number,
			 struct mutate_edit edits[MUTATE_EDITS_MAX]);

/**
 * mutate_apply() - @good with those edits, in their order; a place past the end is the last byte
 * @ret: the caller frees @ret->data, also when it has no bytes
 *
 * Return: 0, -ENOMEM.
 */
_must_check_ int mutate_apply(const struct subject_state *good, const struct mutate_edit *edits,
			      unsigned int n, struct subject_state *ret);

/** mutate_text() - "field of 4 bytes at 16 becomes 0xffffffff". Return: @buf. */
char *mutate_text(const struct mutate_edit *edit, char buf[MUTATE_TEXT_MAX]);
