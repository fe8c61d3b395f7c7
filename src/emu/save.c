// SPDX-License-Identifier: GPL-2.0-or-later
#include <string.h>

#include "base/macros.h"
#include "emu/save.h"

static bool emu_save_has_records(const struct emu_save *s)
{
	return s->state_size >= EMU_RECORDS_MIN;
}

static void emu_save_put_record(struct emu_save *s, const void *record, size_t len)
{
	memcpy(s->record, record, len);
	s->record_len = len;
	s->record_at = 0;
}

void emu_save_begin(struct emu_save *s, struct emu_content *content, uint64_t state_size,
		    uint64_t initial)
{
	struct emu_head head = {
		.magic = EMU_HEAD_MAGIC,
		.version = EMU_STREAM_VERSION,
		.state_size = state_size,
		.content_size = content->size,
	};

	*s = (struct emu_save){ .content = content, .state_size = state_size, .phase = SAVE_IDLE };
	emu_bitmap_fill(&s->owed, content->n_blocks);
	s->early = initial >= state_size ? content->n_blocks
					 : (uint32_t)(initial / content->block_size);
	if (emu_save_has_records(s))
		emu_save_put_record(s, &head, sizeof(head));
}

void emu_save_finish(struct emu_save *s, uint64_t running_ns)
{
	s->final = true;
	s->running_ns = running_ns;
}

void emu_save_dirtied(struct emu_save *s, uint32_t block)
{
	emu_bitmap_add(&s->owed, block);
}

static void emu_save_begin_extent(struct emu_save *s, uint32_t first, uint32_t limit)
{
	const struct emu_content *c = s->content;
	uint32_t last = first;
	struct emu_extent extent = { .magic = EMU_EXTENT_MAGIC, .number = s->n_extents++ };

	while (last + 1 < limit && emu_bitmap_has(&s->owed, last + 1))
		last++;
	s->scan = last + 1;
	s->at = (uint64_t)first * c->block_size;
	s->end = (uint64_t)last * c->block_size + emu_content_len(c, last);
	extent.at = s->at;
	extent.len = s->end - s->at;
	if (emu_save_has_records(s))
		emu_save_put_record(s, &extent, sizeof(extent));
	s->phase = SAVE_EXTENT;
}

static void emu_save_begin_trail(struct emu_save *s)
{
	struct emu_trail trail = {
		.magic = EMU_TRAIL_MAGIC,
		.n_extents = s->n_extents,
		.running_ns = s->running_ns,
		.len = s->total + sizeof(trail),
		.digest = emu_trail_digest(s->content, s->running_ns),
	};

	s->phase = SAVE_TRAIL;
	if (!emu_save_has_records(s)) {
		emu_save_put_record(s, &s->check, s->state_size ? sizeof(s->check) : 0);
		return;
	}
	emu_save_put_record(s, &trail, sizeof(trail));
}

/* What comes next. Return: false when there is nothing, for now or for good. */
static bool emu_save_begin_next(struct emu_save *s)
{
	/* Without records the bytes come at the end, all of them. */
	uint32_t limit = s->final ? s->content->n_blocks : emu_save_has_records(s) ? s->early : 0;
	uint32_t next;

	if (s->phase == SAVE_TRAIL)
		s->phase = SAVE_END;
	if (s->phase == SAVE_END)
		return false;
	next = emu_bitmap_next(&s->owed, MIN(s->scan, limit), limit);
	if (next == limit)
		next = emu_bitmap_next(&s->owed, 0, limit);
	if (next < limit) {
		emu_save_begin_extent(s, next, limit);
		return true;
	}
	s->phase = SAVE_IDLE;
	if (s->final)
		emu_save_begin_trail(s);
	return s->final;
}

static size_t emu_save_read_record(struct emu_save *s, void *buf, size_t len)
{
	size_t n = MIN(len, s->record_len - s->record_at);

	memcpy(buf, s->record + s->record_at, n);
	s->record_at += n;
	return n;
}

/* A block's key is taken when its first byte is: the rest of it fits even if it was dirtied. */
static size_t emu_save_read_blocks(struct emu_save *s, void *buf, size_t len)
{
	const struct emu_content *c = s->content;
	uint32_t block = (uint32_t)(s->at / c->block_size);
	size_t in_block = (size_t)(s->at % c->block_size);
	size_t n = MIN(len, emu_content_len(c, block) - in_block);

	if (!in_block) {
		s->key = c->keys[block];
		emu_bitmap_remove(&s->owed, block);
	}
	emu_block_fill(s->key, in_block, buf, n);
	for (size_t i = 0; !emu_save_has_records(s) && i < n; i++)
		s->check = emu_check_byte(s->check, ((uint8_t *)buf)[i]);
	s->at += n;
	return n;
}

size_t emu_save_read(struct emu_save *s, void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t done = 0, n;

	while (done < len) {
		if (s->record_at < s->record_len)
			n = emu_save_read_record(s, to + done, len - done);
		else if (s->at < s->end)
			n = emu_save_read_blocks(s, to + done, len - done);
		else if (emu_save_begin_next(s))
			continue;
		else
			break;
		done += n;
		s->total += n;
	}
	return done;
}
