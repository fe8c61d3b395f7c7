/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What a driver's stream holds
 *
 * Streams are opaque by the uAPI, and nothing here decides what is done with one. But drivers put
 * records into them, whose headers say of which device, version and layout they are, and what a
 * target will refuse. A decoder walks them: bytes in, nodes out, without fd, clock or thread.
 *
 * The bytes are untrusted. A length of theirs is only ever so much to be skipped, or a border that
 * what lies within must keep; memory is that of one header and of DECODE_DEPTH_MAX borders,
 * whatever the stream says. Where it is not as the driver writes it, the decoder says so, with the
 * place and why, and then only counts.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/err.h"

/* How deep records may lie in records; drivers do with 4. */
#define DECODE_DEPTH_MAX 8u

/* What a node is. */
enum decode_kind {
	DECODE_RECORD, /* a header; what belongs to it follows, one deeper */
	DECODE_UINT, /* a field: a number; an address or a mask where it is DECODE_HEX */
	DECODE_HEX,
	DECODE_TEXT, /* printable */
	DECODE_OCTETS,
	DECODE_PAYLOAD, /* bytes whose meaning only the device knows */
	DECODE_REMARK, /* what is notable of the record: its text */
};

/* What a target compares with its own. A stream has one value of each at most. */
enum decode_fact {
	DECODE_NO_FACT,
	DECODE_VERSION,
	DECODE_MINOR,
	DECODE_DEVICE_ID,
	DECODE_REVISION,
	DECODE_QUEUES,
	DECODE_ISOLATION,
	DECODE_CAPABILITIES,
	DECODE_SERVICES,
	DECODE_EXTENDED,
	DECODE_PORTS,
	DECODE_FACTS, /* how many */
};

/**
 * struct decode_node - one thing in the stream
 * @depth: 0 at the top
 * @at, @size: where it lies; a record's @size is that of its header, a payload's what the stream
 *             says that it is
 * @name: of the driver's own source where it has one
 * @value: of numbers
 * @bytes: of DECODE_OCTETS, @size of them
 * @text: of DECODE_TEXT and DECODE_REMARK
 * @meaning: of the value, or NULL
 */
struct decode_node {
	enum decode_kind kind;
	unsigned int depth;
	uint64_t at, size;
	const char *name;
	uint64_t value;
	const uint8_t *bytes;
	const char *text;
	const char *meaning;
};

/** decode_on_node - gets each node, in the stream's order; valid until it returns */
typedef void (*decode_on_node)(void *ctx, const struct decode_node *node);

/* How the decoder was found. */
enum decode_by {
	DECODE_BY_NONE, /* there is none for this stream */
	DECODE_BY_DRIVER, /* the name of the driver that wrote it */
	DECODE_BY_MAGIC, /* the first bytes; of a driver by another name */
};

/**
 * struct decode_result - what is known of a stream so far
 * @layout: whose records they are ("mlx5"), or NULL
 * @source: the kernel's file that has the layout
 * @bytes: seen
 * @odd: why the stream is not as expected from @odd_at on; empty if it is
 * @has, @facts: by enum decode_fact
 */
struct decode_result {
	enum decode_by by;
	const char *layout, *source;
	uint64_t bytes;
	uint64_t odd_at;
	char odd[160];
	bool has[DECODE_FACTS];
	uint64_t facts[DECODE_FACTS];
};

struct decode;

/**
 * decode_new() - begin with a stream
 * @driver: name of the kernel driver that wrote it, or NULL. Of a name that is not known, the
 *          stream's first bytes are looked at for a magic number
 * @on_node: may be NULL, for the result alone
 */
_must_check_ int decode_new(const char *driver, decode_on_node on_node, void *ctx,
			    struct decode **ret, struct err *err);
struct decode *decode_free(struct decode *d);
DEFINE_CLEANUP(struct decode *, decode_free)

/** decode_push() - the stream's next bytes, in pieces of any size */
void decode_push(struct decode *d, const void *buf, size_t len);

/**
 * decode_finish() - no more bytes come
 * @complete: they were all; else only the stream's beginning was to be had, and that it breaks off
 *            says nothing
 */
void decode_finish(struct decode *d, bool complete);

/** decode_result() - valid as long as @d */
const struct decode_result *decode_result(const struct decode *d);

/** decode_fact_name() - "queue count"; in words, for people */
const char *decode_fact_name(enum decode_fact fact);

/** decode_fact_is_number() - it is shown in decimal; others are identifiers and masks */
bool decode_fact_is_number(enum decode_fact fact);
