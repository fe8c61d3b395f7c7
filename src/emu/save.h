/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Handing the state out
 *
 * One saving session: in PRE_COPY what may be read early, again and again while it is dirtied; in
 * STOP_COPY all that the reader does not have yet, and the end. Pure: bytes out, no clock.
 */

#include <stdbool.h>
#include <stddef.h>

#include "emu/bitmap.h"
#include "emu/content.h"
#include "emu/frame.h"

enum emu_save_phase {
	SAVE_HEAD,
	SAVE_IDLE,
	SAVE_EXTENT,
	SAVE_TRAIL,
	SAVE_END
};

/**
 * struct emu_save - a saving session
 * @content: the device's; keys of a block under way are kept, so it may be dirtied meanwhile
 * @owed: blocks that the reader does not have, or not as they are now
 * @early: blocks that are handed out in PRE_COPY: the first so many
 * @record: what is being handed out before the next bytes of the state
 * @at, @end: the extent under way, in the state
 * @total: bytes handed out
 */
struct emu_save {
	struct emu_content *content;
	uint64_t state_size;
	struct emu_bitmap owed;
	uint32_t early, scan;
	bool final;
	enum emu_save_phase phase;
	uint8_t record[EMU_RECORD_SIZE];
	size_t record_len, record_at;
	uint64_t at, end, key, running_ns, total;
	uint32_t n_extents;
	uint8_t check;
};

/**
 * emu_save_begin() - a new session; whatever there was of another one is forgotten
 * @initial: bytes that can be had in PRE_COPY
 */
void emu_save_begin(struct emu_save *s, struct emu_content *content, uint64_t state_size,
		    uint64_t initial);

/** emu_save_finish() - STOP_COPY: the state will not change any more */
void emu_save_finish(struct emu_save *s, uint64_t running_ns);

/** emu_save_dirtied() - @block is not what the reader may have */
void emu_save_dirtied(struct emu_save *s, uint32_t block);

/** emu_save_read() - Return: bytes; 0 for none at present before emu_save_finish(), or the end. */
size_t emu_save_read(struct emu_save *s, void *buf, size_t len);
