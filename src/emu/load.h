/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Taking a state in
 *
 * One resuming session: the stream in pieces of any size, checked as it comes, judged at the end.
 * A stream that lost, doubled, moved or changed a byte is found out: a block's bytes are made again
 * from its key and compared, and all keys go into the digest. Pure.
 *
 * The first thing wrong is kept and the rest is thrown away, as most drivers do: the answer is
 * RESUMING -> STOP's.
 */

#include <stddef.h>

#include "emu/bitmap.h"
#include "emu/content.h"
#include "emu/deviation.h"
#include "emu/frame.h"

enum emu_load_phase {
	LOAD_HEAD,
	LOAD_RECORD,
	LOAD_EXTENT,
	LOAD_PLAIN,
	LOAD_END
};

/* Why a stream will not do; the first thing that is wrong with it. */
enum emu_load_wrong {
	LOAD_GOOD = 0,
	LOAD_FOREIGN,
	LOAD_OTHER_SIZE,
	LOAD_OUT_OF_TURN,
	LOAD_NO_SUCH_BLOCKS,
	LOAD_BLOCKS_MISSING,
	LOAD_WRONG_DIGEST,
	LOAD_NO_RECORD,
	LOAD_WRONG_BYTES,
	LOAD_TOO_SHORT,
	LOAD_EMPTY,
	LOAD_TOO_LONG,
};

/**
 * struct emu_load - a resuming session
 * @content: the device's; incomplete while the session is open
 * @missing: blocks that did not come yet
 * @at, @end: the extent under way, in the state
 * @total: bytes that came
 */
struct emu_load {
	struct emu_content *content;
	uint64_t state_size;
	struct emu_bitmap missing;
	enum emu_load_phase phase;
	uint8_t record[EMU_RECORDS_MIN];
	size_t record_len;
	uint64_t at, end, key, running_ns, total;
	uint32_t n_extents;
	enum emu_load_wrong wrong;
};

/** emu_load_begin() - a new session; whatever there was of another one is forgotten */
void emu_load_begin(struct emu_load *l, struct emu_content *content, uint64_t state_size);

void emu_load_write(struct emu_load *l, const void *buf, size_t len);

/** emu_load_is_beyond() - the stream spoke of blocks that are not there, or out of turn */
static inline bool emu_load_is_beyond(const struct emu_load *l)
{
	return l->wrong == LOAD_NO_SUCH_BLOCKS || l->wrong == LOAD_OUT_OF_TURN;
}

/**
 * emu_load_finish() - judge what came
 * @off: what is overlooked on purpose
 * @ret_running_ns: the counter's value, if the stream had one
 *
 * Return: 0, or -EINVAL with the reason.
 */
_must_check_ int emu_load_finish(struct emu_load *l, const struct emu_deviations *off,
				 uint64_t *ret_running_ns, struct err *err);
