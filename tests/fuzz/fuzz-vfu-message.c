// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * vfio-user messages against whatever libFuzzer thinks of
 *
 * Both sides: an input is a list of messages, given to the emulated device as commands and to a
 * client's checks as replies. Sizes are set right most times: behind them is what is worth the
 * search. The first byte of an input chooses the device.
 */

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "emu/command.h"
#include "fsm/fsm.h"
#include "vfu/message.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint64_t state_sizes[] = { 0, 1, 100, 128, 5000, 300000 };
static const unsigned int caps[] = { 1, 3, 5, 7 };

/* What a client believes of a reply must be there. */
static void read_as_reply(const struct vfu_header *h, const uint8_t *payload, size_t len)
{
	static uint8_t seen[VFU_PAYLOAD_MAX];
	struct vfu_region_access access, asked = { 0 };
	struct vfu_mig_data data;
	struct vfu_mig_state s;
	struct err err = { 0 };

	assert(vfu_reply_code(h) <= 0 && vfu_reply_code(h) >= -VFU_ERRNO_MAX);
	assert(*vfu_command_name(h->command));
	if (!vfu_copy_in(&data, sizeof(data), payload, len, &err) &&
	    !vfu_mig_data_check(&data, len, VFU_XFER_MAX, &err))
		memcpy(seen, payload + sizeof(data), data.size);
	if (!vfu_copy_in(&access, sizeof(access), payload, len, &err)) {
		asked = access;
		if (!vfu_region_check(&asked, &access, len, true, &err))
			memcpy(seen, payload + sizeof(access), access.count);
	}
	if (!vfu_feature_data(payload, len, 2, &s, sizeof(s), &err))
		memcpy(seen, &s, sizeof(s));
	assert(!err.code || err.code == -EPROTO);
}

static void give_to_device(struct emu_device *d, struct emu_session *s, const struct vfu_header *h,
			   const uint8_t *payload, size_t len)
{
	static uint8_t out[VFU_PAYLOAD_MAX];
	struct emu_command command = { .h = *h, .payload = payload, .len = len };
	struct emu_reply reply = { .payload = out };
	struct err err = { 0 };
	int r;

	emu_device_advance(d, d->now_ns + 1000000);
	r = emu_answer(d, s, &command, &reply, &err);
	assert(r == EMU_DONE || (r == -EPROTO && !s->negotiated));
	assert(reply.len <= VFU_PAYLOAD_MAX && reply.code <= 0);
	assert(!reply.code || (!reply.len && err.code < 0 && *err.text));
	assert(d->state < MIG_NR_STATES && fsm_supported(d->state, d->config->caps));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct emu_config config = { .dirty_rate = 1 << 20, .seed = 1 };
	struct emu_session session = { .negotiated = true, .xfer_max = VFU_XFER_MAX };
	static struct emu_device d;
	struct vfu_header h;
	size_t len;

	if (!size)
		return 0;
	config.state_size = state_sizes[data[0] % ARRAY_SIZE(state_sizes)];
	config.initial_bytes = data[0] & 0x40 ? config.state_size / 2 : config.state_size;
	config.caps = caps[data[0] / 8 % ARRAY_SIZE(caps)];
	config.strict = data[0] & 0x80;
	session.negotiated = data[0] % 16;
	if (emu_device_init(&d, &config, 0, 1, NULL) < 0)
		abort();
	for (size_t at = 1; size - at >= VFU_HEADER_SIZE; at += VFU_HEADER_SIZE + len) {
		if (vfu_header_decode(data + at, &h, NULL) < 0)
			break;
		assert(h.size >= VFU_HEADER_SIZE && h.size <= VFU_MESSAGE_MAX);
		len = MIN(vfu_payload_size(&h), size - at - VFU_HEADER_SIZE);
		if (vfu_is_reply(&h))
			read_as_reply(&h, data + at + VFU_HEADER_SIZE, len);
		else
			give_to_device(&d, &session, &h, data + at + VFU_HEADER_SIZE, len);
	}
	emu_device_done(&d);
	return 0;
}

/* A message such as a client sends. Return: its size. */
static size_t make_message(uint8_t *to, size_t max, unsigned int seed)
{
	uint32_t state[4] = { 16, 2 | UAPI_FEATURE_SET, seed >> 8 & 7, UINT32_MAX };
	uint32_t get[2] = { 8u + (seed >> 8) % 64, (seed >> 14) % 10 | UAPI_FEATURE_GET };
	uint32_t data[2] = { 8 + (seed >> 8) % 5000, (seed >> 8) % 5000 };
	uint64_t log[5] = { 24 | (UINT64_C(8) | UAPI_FEATURE_GET) << 32, 0, 65536, 4096, 0 };
	uint64_t start[3] = { 24 | (UINT64_C(6) | UAPI_FEATURE_SET) << 32, 4096, 0 };
	uint64_t region[2] = { (seed >> 8) % 64, (seed & 1 ? 7 : 0) | UINT64_C(4) << 32 };
	const struct {
		uint16_t command;
		const void *payload;
		size_t len, zeros;
	} kinds[] = {
		{ VFU_FEATURE, state, sizeof(state), 0 },
		{ VFU_FEATURE, state, sizeof(state), 0 },
		{ VFU_FEATURE, get, sizeof(get), 0 },
		{ VFU_MIG_DATA_READ, data, sizeof(data), 0 },
		{ VFU_MIG_DATA_WRITE, data, sizeof(data), data[1] },
		{ VFU_FEATURE, start, sizeof(start), 0 },
		{ VFU_FEATURE, log, 32, 0 },
		{ VFU_REGION_READ, region, sizeof(region), 0 },
		{ VFU_REGION_WRITE, region, sizeof(region), 4 },
		{ VFU_RESET, NULL, 0, 0 },
		{ (uint16_t)(seed >> 8 & 31), data, sizeof(data), (seed >> 13) % 40 },
	};
	size_t k = seed % ARRAY_SIZE(kinds), len = kinds[k].len + kinds[k].zeros;
	struct vfu_header h = {
		.command = kinds[k].command,
		.size = (uint32_t)(VFU_HEADER_SIZE + len),
		.flags = seed >> 28 == 0,
	};

	if (h.size > max)
		return 0;
	vfu_header_encode(&h, to);
	if (kinds[k].len)
		memcpy(to + VFU_HEADER_SIZE, kinds[k].payload, kinds[k].len);
	memset(to + VFU_HEADER_SIZE + kinds[k].len, 0, kinds[k].zeros);
	return h.size;
}

/* Where the messages begin. */
static size_t messages(const uint8_t *data, size_t size, size_t at[64])
{
	struct vfu_header h;
	size_t n = 0;

	for (size_t i = 1; n < 64 && i < size && size - i >= VFU_HEADER_SIZE; i += h.size) {
		if (vfu_header_decode(data + i, &h, NULL) < 0)
			break;
		at[n++] = i;
	}
	return n;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	size_t at[64], n = messages(data, size, at), len;
	uint32_t left;

	if (!size)
		data[size++] = (uint8_t)seed;
	switch (seed % 8) {
	case 0:
		return LLVMFuzzerMutate(data, size, max);
	case 1: /* the payload of one, in its place */
		if (!n)
			return size;
		len = at[seed / 8 % n];
		memcpy(&left, data + len + 4, sizeof(left));
		left = MIN(left, (uint32_t)(size - len)) - VFU_HEADER_SIZE;
		if (left)
			LLVMFuzzerMutate(data + len + VFU_HEADER_SIZE, left, left);
		return size;
	case 2:
		data[0] = (uint8_t)(seed >> 8);
		return size;
	default: /* one more */
		return size + make_message(data + size, max - size, seed / 8 * 2654435761u);
	}
}
