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
#include "emu/frame.h"

enum emu_load_phase {
	LOAD_HEAD,
	LOAD_RECORD,
	LOAD_EXTENT,
	LOAD_PLAIN,
	LOAD_END
};

/**
 * struct emu_load - a resuming session
 * @content: the device's; incomplete while the session is open
 * @missing: blocks that did not come yet
 * @at, @end: the extent under way, in the state
 * @total: bytes that came
 * @wrong: why this stream will not do, or NULL
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
	const char *wrong;
};

/** emu_load_begin() - a new session; whatever there was of another one is forgotten */
void emu_load_begin(struct emu_load *l, struct emu_content *content, uint64_t state_size);

void emu_load_write(struct emu_load *l, const void *buf, size_t len);

/**
 * emu_load_finish() - judge what came
 * @ret_running_ns: the counter's value, if the stream had one
 *
 * Return: 0, or -EINVAL with the reason.
 */
_must_check_ int emu_load_finish(struct emu_load *l, uint64_t *ret_running_ns, struct err *err);
