// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Decoders of drivers' streams against whatever libFuzzer thinks of
 *
 * The first byte of an input says whose stream it is, and the second in which pieces it comes. The
 * mutator sees to it that the magic number is right most times: behind it is what is worth the
 * search. What is told must not depend on the pieces, lie in what a stream can have, and be no
 * more than its bytes can hold.
 */

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "base/printable.h"
#include "decode/decode.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HEAD 2u
#define LEAST 200u

static const char *const drivers[] = {
	"mlx5_vfio_pci",   "hisi_acc_vfio_pci", "pds_vfio_pci", "qat_vfio_pci",
	"virtio_vfio_pci", "xe_vfio_pci",	"mtty",		NULL,
};

/* struct seen - a sum of all that was told: @sum is the same where that is the same */
struct seen {
	uint64_t sum, nodes, headers;
};

static void mix(struct seen *s, uint64_t value)
{
	s->sum = (s->sum ^ value) * 0x100000001b3;
}

static void on_node(void *ctx, const struct decode_node *n)
{
	struct seen *s = ctx;

	assert(n->depth <= DECODE_DEPTH_MAX);
	assert(n->name && is_printable(n->name, strlen(n->name)));
	assert(n->size <= UINT64_MAX - n->at);
	if (n->text)
		assert(is_printable(n->text, strlen(n->text)));
	if (n->bytes)
		for (uint64_t i = 0; i < n->size; i++)
			mix(s, n->bytes[i]);
	mix(s, n->at);
	mix(s, n->size);
	mix(s, n->value);
	mix(s, n->kind);
	s->nodes++;
	if (n->kind == DECODE_RECORD)
		s->headers += n->size;
}

static struct decode_result decode_all(const char *driver, const uint8_t *data, size_t size,
				       size_t piece, bool complete, struct seen *seen)
{
	struct decode_result result;
	struct err err = { 0 };
	struct decode *d;

	memset(seen, 0, sizeof(*seen));
	assert(!decode_new(driver, on_node, seen, &d, &err));
	for (size_t at = 0; at < size; at += piece)
		decode_push(d, data + at, MIN(piece, size - at));
	decode_finish(d, complete);
	result = *decode_result(d);
	decode_free(d);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct decode_result whole, pieces;
	struct seen a, b;
	const char *driver;

	if (size < HEAD)
		return 0;
	driver = drivers[data[0] % ARRAY_SIZE(drivers)];
	whole = decode_all(driver, data + HEAD, size - HEAD, size, true, &a);
	pieces = decode_all(driver, data + HEAD, size - HEAD, 1 + data[1] % 64u, true, &b);
	assert(a.sum == b.sum && a.nodes == b.nodes);
	assert(!strcmp(whole.odd, pieces.odd) && whole.odd_at == pieces.odd_at);
	assert(whole.bytes == size - HEAD && a.headers <= whole.bytes);
	assert(is_printable(whole.odd, strlen(whole.odd)));
	/* A beginning may break off anywhere: nothing that is odd of it was not so of the whole. */
	pieces = decode_all(driver, data + HEAD, size - HEAD, 7, false, &b);
	assert(!pieces.odd[0] || whole.odd[0]);
	return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	/* As drivers[] has them; those of the others are header sizes and types that are right. */
	static const struct {
		unsigned int len;
		const char *bytes;
	} starts[] = {
		{ 8, "\x08\0\0\0\0\0\0\0" },
		{ 8, "\xde\xde\xca\xde\xee\xfe\xcc\xaa" },
		{ 0, "" },
		{ 10, "\xea\xca\xf5\xad\1\0\0\0\x10\0" },
		{ 8, "\x20\0\0\0\0\0\0\0" },
		{ 2, "\1\1" },
		{ 8, "\x4e\x2c\x3e\x8c\x89\x09\x9d\x7e" },
		{ 0, "" },
	};
	size_t which;

	size = LLVMFuzzerMutate(data, size, max);
	/* Long enough for a few headers, whose sizes are then small ones. */
	if (size < LEAST && max >= LEAST) {
		for (; size < LEAST; size++)
			data[size] = (uint8_t)((seed >> size % 16) % 4 ? 0 : size);
	}
	if (size < HEAD || seed % 8 == 0)
		return size;
	which = data[0] % ARRAY_SIZE(starts);
	if (size >= HEAD + starts[which].len)
		memcpy(data + HEAD, starts[which].bytes, starts[which].len);
	return size;
}
