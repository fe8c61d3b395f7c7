// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Messages of a move against whatever libFuzzer thinks of
 *
 * An input is one message. The mutator signs what it changed most times: behind the checksum is
 * what is worth the search.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "base/printable.h"
#include "engine/move.h"
#include "wire/message.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted can be said again, and is the same then. */
static void say_again(const struct wire_message *m, const uint8_t *data)
{
	uint8_t again[WIRE_HEADER_SIZE + WIRE_FIXED_MAX];
	struct wire_message back;
	struct wire_header h;
	struct err err = { 0 };

	if (m->type == WIRE_OFFER || m->type == WIRE_VERDICT || m->type == WIRE_FRAMES ||
	    !wire_known(m->type))
		return;
	wire_encode(m, 0, again);
	assert(!wire_decode_header(again, 0, &h, &err));
	assert(!wire_check(again, &h, again + WIRE_HEADER_SIZE, &err));
	assert(!wire_decode(&h, again + WIRE_HEADER_SIZE, &back, &err));
	assert(back.type == m->type && h.size == m->size);
	if (m->type == WIRE_ABORT)
		assert(is_printable(m->abort.reason, strlen(m->abort.reason)));
	else
		assert(!memcmp(&back, m, sizeof(back)) || data[6] != WIRE_MANDATORY);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire_message m;
	struct wire_header h;
	struct err err = { 0 };

	if (size < WIRE_HEADER_SIZE || wire_decode_header(data, 0, &h, &err) < 0) {
		assert(size < WIRE_HEADER_SIZE || (err.code == -EPROTO && *err.text));
		return 0;
	}
	assert(h.size <= WIRE_FRAMES_MAX);
	if (h.size > size - WIRE_HEADER_SIZE)
		return 0;
	if (wire_check(data, &h, data + WIRE_HEADER_SIZE, &err) < 0 ||
	    wire_decode(&h, data + WIRE_HEADER_SIZE, &m, &err) < 0) {
		assert(err.code == -EPROTO && *err.text);
		return 0;
	}
	for (unsigned int s = 0; s < MOVE_NR_STATES; s++)
		assert(move_hears(s, m.type) < MOVE_NR_EVENTS);
	say_again(&m, data);
	return 0;
}

static void sign(uint8_t *data, size_t size)
{
	uint64_t sum, seed;
	uint32_t len = (uint32_t)(size - WIRE_HEADER_SIZE);

	memcpy(data, WIRE_MAGIC, 4);
	memcpy(data + 8, &len, sizeof(len));
	memset(data + 16, 0, 8);
	seed = len && data[4] != WIRE_FRAMES ? XXH3_64bits(data + WIRE_HEADER_SIZE, len) : 0;
	sum = XXH3_64bits_withSeed(data, 24, seed);
	memcpy(data + 24, &sum, sizeof(sum));
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	static const struct wire_message begin[] = {
		{ .type = WIRE_HELLO, .hello = { .version = 1, .oldest = 1, .role = WIRE_SOURCE } },
		{ .type = WIRE_END },
		{ .type = WIRE_COMMIT },
		{ .type = WIRE_ABORT, .abort = { 75, "because" } },
		{ .type = WIRE_ASK, .state = { .role = WIRE_SOURCE } },
		{ .type = WIRE_HEARTBEAT },
	};
	const size_t room = WIRE_HEADER_SIZE + WIRE_FIXED_MAX;

	if (size < WIRE_HEADER_SIZE) {
		if (max < room)
			return LLVMFuzzerMutate(data, size, max);
		size = wire_encode(&begin[seed % (sizeof(begin) / sizeof(*begin))], 0, data);
	}
	size = LLVMFuzzerMutate(data, size, max);
	if (size >= WIRE_HEADER_SIZE && seed % 8)
		sign(data, size);
	return size;
}
