// SPDX-License-Identifier: GPL-2.0-or-later
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "decode/layout.h"

/* Bytes that are looked at for a magic number: the longest one. */
#define MAGIC_MAX 8u

/* struct frame - between these borders, headers of @layout follow each other, @left more of them */
struct frame {
	const struct decode_layout *layout;
	uint32_t left;
	uint64_t end;
};

/*
 * @head: bytes of the header that is being collected, @have of them, at the place @at
 * @skip: bytes of payload that are still to come
 * @frames: the borders, the stream itself first
 * @value, @value_layout: of decode_value(), one at a time
 */
struct decode {
	const struct decode_driver *driver;
	decode_on_node on_node;
	void *ctx;
	struct frame frames[DECODE_DEPTH_MAX];
	unsigned int depth;
	struct decode_field value;
	struct decode_layout value_layout;
	uint8_t head[DECODE_LAYOUT_MAX];
	size_t have;
	uint64_t at, skip;
	bool guessing;
	struct decode_result result;
};

static const struct decode_driver *const drivers[] = {
	&decode_mlx5,	&decode_hisi_acc, &decode_pds,	&decode_qat,
	&decode_virtio, &decode_xe,	  &decode_mtty,
};

uint64_t decode_number(const uint8_t *b, unsigned int size)
{
	uint64_t n = 0;

	while (size--)
		n = n << 8 | b[size];
	return n;
}

uint64_t decode_header_at(const struct decode *d)
{
	return d->at;
}

static void decode_tell(struct decode *d, const struct decode_node *node)
{
	if (d->on_node)
		d->on_node(d->ctx, node);
}

void decode_odd(struct decode *d, uint64_t at, const char *fmt, ...)
{
	va_list ap;

	if (d->result.odd[0])
		return;
	d->result.odd_at = at;
	va_start(ap, fmt);
	(void)vsnprintf(d->result.odd, sizeof(d->result.odd), fmt, ap);
	va_end(ap);
}

void decode_forget(struct decode *d, enum decode_fact fact)
{
	d->result.has[fact] = false;
}

void decode_remark(struct decode *d, const char *fmt, ...)
{
	char text[160];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	decode_tell(d, &(struct decode_node){ .kind = DECODE_REMARK,
					      .depth = d->depth,
					      .at = d->at,
					      .name = "remark",
					      .text = text });
}

/* The innermost border that has an end. */
static uint64_t decode_end(const struct decode *d)
{
	return d->frames[d->depth - 1].end;
}

/* How much a header may claim, from behind itself on. */
static bool decode_fits(struct decode *d, uint64_t size)
{
	uint64_t behind = d->at + d->have, end = decode_end(d);

	if (behind <= end && size <= end - behind)
		return true;
	decode_odd(d, d->at, "a record of %" PRIu64 " bytes where %" PRIu64 " are left", size,
		   behind <= end ? end - behind : 0);
	return false;
}

void decode_payload(struct decode *d, const char *name, uint64_t size)
{
	if (!decode_fits(d, size) || !size)
		return;
	decode_tell(d, &(struct decode_node){ .kind = DECODE_PAYLOAD,
					      .depth = d->depth,
					      .at = d->at + d->have,
					      .size = size,
					      .name = name });
	d->skip = size;
}

void decode_within(struct decode *d, const struct decode_layout *l, uint32_t many, uint64_t size)
{
	if (!decode_fits(d, size))
		return;
	if (d->depth == DECODE_DEPTH_MAX) {
		decode_odd(d, d->at, "records lie more than %u deep", DECODE_DEPTH_MAX);
		return;
	}
	d->frames[d->depth++] =
		(struct frame){ .layout = l, .left = many, .end = d->at + d->have + size };
}

void decode_value(struct decode *d, const struct decode_field *f, uint64_t size)
{
	if (size != 1 && size != 2 && size != 4 && size != 8) {
		decode_payload(d, f->name, size);
		return;
	}
	d->value = *f;
	d->value.offset = 0;
	d->value.size = (uint16_t)size;
	d->value_layout =
		(struct decode_layout){ .size = (uint16_t)size, .n = 1, .fields = &d->value };
	decode_within(d, &d->value_layout, 1, size);
}

void decode_then(struct decode *d, const struct decode_layout *l, uint32_t many)
{
	d->frames[d->depth - 1].layout = l;
	d->frames[d->depth - 1].left = many;
}

static void decode_begin(struct decode *d, const struct decode_driver *driver, enum decode_by by)
{
	d->driver = driver;
	d->result.by = by;
	d->result.layout = driver->layout;
	d->result.source = driver->source;
	d->frames[0] = (struct frame){
		.layout = driver->first,
		.left = driver->first ? driver->many : 0,
		.end = UINT64_MAX,
	};
	d->depth = 1;
}

int decode_new(const char *driver, decode_on_node on_node, void *ctx, struct decode **ret,
	       struct err *err)
{
	struct decode *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(err, -ENOMEM, "decoder");
	d->on_node = on_node;
	d->ctx = ctx;
	d->guessing = true;
	for (size_t i = 0; driver && d->guessing && i < ARRAY_SIZE(drivers); i++)
		if (!strcmp(drivers[i]->driver, driver)) {
			decode_begin(d, drivers[i], DECODE_BY_DRIVER);
			d->guessing = false;
		}
	*ret = d;
	return 0;
}

struct decode *decode_free(struct decode *d)
{
	free(d);
	return NULL;
}

const struct decode_result *decode_result(const struct decode *d)
{
	return &d->result;
}

static bool decode_is_magic(const struct decode_driver *driver, const uint8_t *head)
{
	uint64_t n = decode_number(head, driver->magic_size);

	return n == driver->magic || (driver->old_magic && n == driver->old_magic);
}

/* The first bytes are all in the head. */
static void decode_guess(struct decode *d)
{
	d->guessing = false;
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++)
		if (drivers[i]->magic_size && drivers[i]->magic_size <= d->have &&
		    decode_is_magic(drivers[i], d->head)) {
			decode_begin(d, drivers[i], DECODE_BY_MAGIC);
			return;
		}
	decode_odd(d, 0, "no decoder: neither the driver nor the first bytes are known");
}

static const char *decode_meaning(const struct decode_word *words, uint64_t value)
{
	for (; words && words->means; words++)
		if (words->value == value)
			return words->means;
	return NULL;
}

static void decode_field(struct decode *d, const struct decode_field *f, unsigned int depth)
{
	struct decode_node node = { .kind = f->kind,
				    .depth = depth,
				    .at = d->at + f->offset,
				    .size = f->size,
				    .name = f->name };
	char text[32] = "";

	switch (f->kind) {
	case DECODE_TEXT:
		memcpy(text, d->head + f->offset, MIN(f->size, sizeof(text) - 1));
		make_printable(text);
		node.text = text;
		break;
	case DECODE_OCTETS:
		node.bytes = d->head + f->offset;
		break;
	default:
		node.value = decode_number(d->head + f->offset, f->size);
		node.meaning = decode_meaning(f->words, node.value);
		if (f->fact != DECODE_NO_FACT && !d->result.has[f->fact]) {
			d->result.has[f->fact] = true;
			d->result.facts[f->fact] = node.value;
		}
	}
	decode_tell(d, &node);
}

static void decode_check_magic(struct decode *d)
{
	unsigned int size = d->driver->magic_size;
	uint64_t n = decode_number(d->head, size), swapped = 0;

	for (unsigned int i = 0; i < size; i++)
		swapped = swapped << 8 | d->head[i];
	if (decode_is_magic(d->driver, d->head))
		return;
	if (swapped == d->driver->magic)
		decode_odd(d, 0, "the magic number is big-endian: of a machine of that byte order");
	else
		decode_odd(d, 0, "no stream of %s: it begins with 0x%" PRIx64 ", not 0x%" PRIx64,
			   d->driver->layout, n, d->driver->magic);
}

/* A header is complete: it is told, and the driver's table says what it announces. */
static void decode_header(struct decode *d)
{
	struct frame *f = &d->frames[d->depth - 1];
	const struct decode_layout *l = f->layout;
	unsigned int depth = d->depth - 1;

	if (l->name)
		decode_tell(d, &(struct decode_node){ .kind = DECODE_RECORD,
						      .depth = depth++,
						      .at = d->at,
						      .size = l->size,
						      .name = l->name });
	for (uint16_t i = 0; i < l->n; i++)
		decode_field(d, &l->fields[i], depth);
	if (f->left != DECODE_ANY)
		f->left--;
	if (d->driver->on_header && l->name)
		d->driver->on_header(d, l, d->head);
	d->at += d->have;
	d->have = 0;
}

/* Leave what has been read to its border; what the headers have left of it is skipped. */
static bool decode_leave(struct decode *d)
{
	struct frame *f = &d->frames[d->depth - 1];
	uint64_t rest = f->end - d->at;

	if (d->depth == 1 || (rest && f->left))
		return false;
	d->depth--;
	if (!rest && f->left && f->left != DECODE_ANY) {
		decode_odd(d, d->at,
			   "%" PRIu32 " more records are announced than there is room for",
			   f->left);
		return false;
	}
	if (rest)
		decode_payload(d, "rest", rest);
	return true;
}

/* Return: how many of @len bytes were of use; 0 when there is no more to be told of the stream. */
static size_t decode_take(struct decode *d, const uint8_t *buf, size_t len)
{
	const struct frame *f;
	size_t take;

	if (d->skip) {
		take = MIN(d->skip, len);
		d->skip -= take;
		d->at += take;
		return take;
	}
	f = &d->frames[d->depth - 1];
	if (!f->left)
		return 0;
	if (!d->have && f->layout->size > f->end - d->at) {
		decode_odd(d, d->at,
			   "%" PRIu64 " bytes are left where a record of %u bytes should begin",
			   f->end - d->at, f->layout->size);
		return 0;
	}
	take = MIN(f->layout->size - d->have, len);
	memcpy(d->head + d->have, buf, take);
	d->have += take;
	if (d->at == 0 && d->driver->magic_size && d->have >= d->driver->magic_size)
		decode_check_magic(d);
	if (d->have == f->layout->size && !d->result.odd[0])
		decode_header(d);
	return take;
}

static void decode_walk(struct decode *d, const uint8_t *buf, size_t len)
{
	size_t n = 1;

	while (len && n && !d->result.odd[0]) {
		n = decode_take(d, buf, len);
		buf += n;
		len -= n;
		while (!d->have && !d->skip && !d->result.odd[0] && decode_leave(d))
			;
	}
}

void decode_push(struct decode *d, const void *buf, size_t len)
{
	uint8_t first[MAGIC_MAX];
	size_t n;

	d->result.bytes += len;
	if (d->guessing) {
		n = MIN(MAGIC_MAX - d->have, len);
		memcpy(d->head + d->have, buf, n);
		d->have += n;
		if (d->have < MAGIC_MAX)
			return;
		decode_guess(d);
		if (!d->driver)
			return;
		memcpy(first, d->head, MAGIC_MAX);
		d->have = 0;
		decode_walk(d, first, MAGIC_MAX);
		buf = (const uint8_t *)buf + n;
		len -= n;
	}
	if (d->driver)
		decode_walk(d, buf, len);
}

/* The headers are at their end, and there are @rest bytes behind them. */
static void decode_tail(struct decode *d, uint64_t rest)
{
	const struct decode_driver *driver = d->driver;

	if (!driver->tail) {
		decode_odd(d, d->at, "%" PRIu64 " bytes follow what should be the end", rest);
		return;
	}
	decode_tell(d, &(struct decode_node){ .kind = DECODE_PAYLOAD,
					      .at = d->at,
					      .size = rest,
					      .name = driver->tail });
	if (d->result.bytes > driver->max)
		decode_odd(d, driver->max, "longer than the %" PRIu64 " bytes that a target takes",
			   driver->max);
}

/* The stream ends: in a record, or at its border. */
static void decode_end_of_stream(struct decode *d)
{
	const struct frame *f = &d->frames[d->depth - 1];

	if (d->skip)
		decode_odd(d, d->result.bytes, "cut off: %" PRIu64 " more bytes were announced",
			   d->skip);
	else if (d->have)
		decode_odd(d, d->at, "cut off in a record: %zu of its %u bytes", d->have,
			   f->layout->size);
	else if (f->left && f->left != DECODE_ANY)
		decode_odd(d, d->at, "cut off: a record (%s) should follow",
			   f->layout->name ? f->layout->name : d->value.name);
	else if (d->depth > 1)
		decode_odd(d, d->at, "cut off: %" PRIu64 " more bytes were announced",
			   f->end - d->at);
}

void decode_finish(struct decode *d, bool complete)
{
	if (d->guessing && d->result.bytes)
		decode_guess(d);
	if (!d->driver || d->result.odd[0])
		return;
	if (!d->frames[d->depth - 1].left && !d->skip && !d->have && d->depth == 1) {
		if (d->result.bytes > d->at)
			decode_tail(d, d->result.bytes - d->at);
		return;
	}
	if (complete)
		decode_end_of_stream(d);
}

bool decode_fact_is_number(enum decode_fact fact)
{
	return fact == DECODE_VERSION || fact == DECODE_MINOR || fact == DECODE_QUEUES ||
	       fact == DECODE_PORTS;
}

const char *decode_fact_name(enum decode_fact fact)
{
	static const char *const names[DECODE_FACTS] = {
		[DECODE_VERSION] = "version",
		[DECODE_MINOR] = "minor version",
		[DECODE_DEVICE_ID] = "device id",
		[DECODE_REVISION] = "revision",
		[DECODE_QUEUES] = "queue count",
		[DECODE_ISOLATION] = "queue isolation",
		[DECODE_CAPABILITIES] = "capabilities",
		[DECODE_SERVICES] = "ring-to-service map",
		[DECODE_EXTENDED] = "extended compression capabilities",
		[DECODE_PORTS] = "ports",
	};

	return fact < DECODE_FACTS && names[fact] ? names[fact] : "unknown";
}
