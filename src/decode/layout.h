/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a decoder of one driver is made of
 *
 * Tables of fields, and a function that is called with each complete header and says what follows
 * it. The engine (decode.c) collects headers, keeps the borders, skips, and tells the nodes; see
 * HACKING.md for how to add one.
 */

#include "decode/decode.h"

/* Room for a header that is collected: no layout is larger. */
#define DECODE_LAYOUT_MAX 256u

/* A value and what it means; the last has no @means. */
struct decode_word {
	uint64_t value;
	const char *means;
};

/**
 * struct decode_field - one field of a header, little-endian
 * @size: 1, 2, 4 or 8 for numbers; any for DECODE_TEXT (NUL-padded) and up to 32 for DECODE_OCTETS
 */
struct decode_field {
	const char *name;
	uint16_t offset, size;
	enum decode_kind kind;
	enum decode_fact fact;
	const struct decode_word *words;
};

/* struct decode_layout - a header: @size bytes, of which @fields are told; @name is never NULL */
struct decode_layout {
	const char *name;
	uint16_t size, n;
	const struct decode_field *fields;
};

#define DECODE_LAYOUT(name_, size_, array)                           \
	{                                                            \
		.name = (name_), .size = (size_), .fields = (array), \
		.n = sizeof(array) / sizeof((array)[0])              \
	}

/* As many headers as fit between the borders. */
#define DECODE_ANY UINT32_MAX

/**
 * struct decode_driver - one driver
 * @layout: its short name; @driver: the kernel's; @source: the kernel's file with the layout
 * @magic, @magic_size: the stream's first bytes, as a number; of size 0 where there is none
 * @old_magic: another one that streams may begin with, or 0
 * @first: the header at the top; NULL if there are no headers at all
 * @many: how many of them: DECODE_ANY, or a number
 * @on_header: one is complete: @l and its bytes @b
 * @tail: what may follow the last header, up to @max bytes of stream in all; NULL: nothing may
 */
struct decode_driver {
	const char *layout, *driver, *source;
	uint64_t magic, old_magic;
	unsigned int magic_size;
	const struct decode_layout *first;
	uint32_t many;
	void (*on_header)(struct decode *d, const struct decode_layout *l, const uint8_t *b);
	const char *tail;
	uint64_t max;
};

/** decode_number() - @size bytes at @b, little-endian */
uint64_t decode_number(const uint8_t *b, unsigned int size);

/*
 * For on_header(), what follows the header; nothing else may call them
 */

/** decode_payload() - @size bytes that are not looked into */
void decode_payload(struct decode *d, const char *name, uint64_t size);

/** decode_within() - @many headers of @l, in @size bytes; what they leave of them is skipped */
void decode_within(struct decode *d, const struct decode_layout *l, uint32_t many, uint64_t size);

/** decode_value() - one number of @size bytes; what is of no number's size is a payload */
void decode_value(struct decode *d, const struct decode_field *f, uint64_t size);

/** decode_then() - beside this header, and not in it: @many headers of @l are still to come */
void decode_then(struct decode *d, const struct decode_layout *l, uint32_t many);

/** decode_forget() - a field of this header is none of that fact after all */
void decode_forget(struct decode *d, enum decode_fact fact);

/** decode_remark() - what is notable of this header */
void decode_remark(struct decode *d, const char *fmt, ...) _printf_(2, 3);

/** decode_odd() - no driver writes that: what follows is counted only */
void decode_odd(struct decode *d, uint64_t at, const char *fmt, ...) _printf_(3, 4);

/** decode_header_at() - where the header lies that on_header() is called with */
uint64_t decode_header_at(const struct decode *d);

extern const struct decode_driver decode_mlx5, decode_hisi_acc, decode_pds, decode_qat,
	decode_virtio, decode_xe, decode_mtty;
