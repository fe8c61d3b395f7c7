/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * The emulated device's stream
 *
 *	HEAD     which device this is for
 *	EXTENT   a run of blocks, and the bytes of them; as often as needed, a block more than once
 *	         when it was dirtied meanwhile: the last one counts
 *	TRAIL    the digest of the state
 *
 * Saved in one go, the stream is exactly as long as --state-size says, for scripts that count: the
 * state has what these records leave of it. A state too small for records is a stream of its bytes
 * and one byte to check them by; one of no bytes at all is an empty stream.
 *
 * No format to keep: a stream goes from one vfiomig-emu to another of the same version. In the
 * host's byte order.
 */

#include <stdint.h>

#include "emu/content.h"

#define EMU_HEAD_MAGIC UINT32_C(0x44484d45) /* "EMHD" */
#define EMU_EXTENT_MAGIC UINT32_C(0x58454d45)
#define EMU_TRAIL_MAGIC UINT32_C(0x52544d45)
#define EMU_STREAM_VERSION 2

struct emu_head {
	uint32_t magic, version;
	uint64_t state_size; /* both as the device's own: another one cannot take it */
	uint64_t content_size;
	uint64_t reserved;
};
_Static_assert(sizeof(struct emu_head) == 32, "counted below");

struct emu_extent {
	uint32_t magic;
	uint32_t number; /* from 0 */
	uint64_t at, len; /* in the state; whole blocks */
	uint64_t reserved;
};
_Static_assert(sizeof(struct emu_extent) == 32, "counted below");

struct emu_trail {
	uint32_t magic;
	uint32_t n_extents;
	uint64_t running_ns; /* what the counter register goes on from */
	uint64_t len; /* of the stream, this record included */
	uint64_t digest; /* emu_trail_digest() */
};
_Static_assert(sizeof(struct emu_trail) == 32, "counted below");

#define EMU_RECORD_SIZE 32u
#define EMU_RECORDS_SIZE (3 * EMU_RECORD_SIZE)
/* From here on a stream has records. */
#define EMU_RECORDS_MIN 128u

/** emu_content_size() - bytes of state in a stream of @state_size bytes */
static inline uint64_t emu_content_size(uint64_t state_size)
{
	if (state_size >= EMU_RECORDS_MIN)
		return state_size - EMU_RECORDS_SIZE;
	return state_size ? state_size - 1 : 0;
}

/** emu_trail_digest() - of what a stream carries beside its records */
static inline uint64_t emu_trail_digest(const struct emu_content *c, uint64_t running_ns)
{
	return emu_mix(emu_content_digest(c) ^ emu_mix(running_ns));
}

/** emu_check_byte() - of a state without records, a byte of it after the other, from 0 */
static inline uint8_t emu_check_byte(uint8_t check, uint8_t byte)
{
	/* Odd factor: no two bytes, and no two checks, have the same outcome. */
	return (uint8_t)((check ^ byte) * 0x1d + 0x35);
}
