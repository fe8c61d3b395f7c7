// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "base/macros.h"
#include "emu/load.h"

void emu_load_begin(struct emu_load *l, struct emu_content *content, uint64_t state_size)
{
	*l = (struct emu_load){ .content = content, .state_size = state_size };
	emu_bitmap_fill(&l->missing, content->n_blocks);
	l->phase = state_size >= EMU_RECORDS_MIN ? LOAD_HEAD : LOAD_PLAIN;
}

static void emu_load_check_head(struct emu_load *l)
{
	struct emu_head head;

	memcpy(&head, l->record, sizeof(head));
	if (head.magic != EMU_HEAD_MAGIC || head.version != EMU_STREAM_VERSION || head.reserved)
		l->wrong = LOAD_FOREIGN;
	else if (head.state_size != l->state_size || head.content_size != l->content->size)
		l->wrong = LOAD_OTHER_SIZE;
	l->phase = LOAD_RECORD;
}

static void emu_load_check_extent(struct emu_load *l)
{
	const struct emu_content *c = l->content;
	struct emu_extent extent;

	memcpy(&extent, l->record, sizeof(extent));
	if (extent.number != l->n_extents++ || extent.reserved) {
		l->wrong = LOAD_OUT_OF_TURN;
		return;
	}
	if (!extent.len || extent.at >= c->size || extent.len > c->size - extent.at ||
	    extent.at % c->block_size ||
	    (extent.len % c->block_size && extent.at + extent.len != c->size)) {
		l->wrong = LOAD_NO_SUCH_BLOCKS;
		return;
	}
	l->at = extent.at;
	l->end = extent.at + extent.len;
	l->phase = LOAD_EXTENT;
}

static void emu_load_check_trail(struct emu_load *l)
{
	struct emu_trail trail;

	memcpy(&trail, l->record, sizeof(trail));
	if (l->missing.n)
		l->wrong = LOAD_BLOCKS_MISSING;
	else if (trail.n_extents != l->n_extents || trail.len != l->total ||
		 trail.digest != emu_trail_digest(l->content, trail.running_ns))
		l->wrong = LOAD_WRONG_DIGEST;
	l->running_ns = trail.running_ns;
	l->phase = LOAD_END;
}

static void emu_load_check_record(struct emu_load *l)
{
	uint32_t magic;

	memcpy(&magic, l->record, sizeof(magic));
	if (l->phase == LOAD_HEAD)
		emu_load_check_head(l);
	else if (magic == EMU_EXTENT_MAGIC)
		emu_load_check_extent(l);
	else if (magic == EMU_TRAIL_MAGIC)
		emu_load_check_trail(l);
	else
		l->wrong = LOAD_NO_RECORD;
	l->record_len = 0;
}

static size_t emu_load_write_record(struct emu_load *l, const uint8_t *from, size_t len)
{
	size_t n = MIN(len, EMU_RECORD_SIZE - l->record_len);

	memcpy(l->record + l->record_len, from, n);
	l->record_len += n;
	l->total += n;
	if (l->record_len == EMU_RECORD_SIZE)
		emu_load_check_record(l);
	return n;
}

/* Whether @len bytes @at of a block are those that its key makes. */
static bool emu_load_belongs(uint64_t key, size_t at, const uint8_t *bytes, size_t len)
{
	uint8_t again[EMU_BLOCK_MIN];
	size_t n;

	for (; len; at += n, bytes += n, len -= n) {
		n = MIN(len, sizeof(again));
		emu_block_fill(key, at, again, n);
		if (memcmp(again, bytes, n) != 0)
			return false;
	}
	return true;
}

static size_t emu_load_write_blocks(struct emu_load *l, const uint8_t *from, size_t len)
{
	struct emu_content *c = l->content;
	uint32_t block = (uint32_t)(l->at / c->block_size);
	size_t size = emu_content_len(c, block), in_block = (size_t)(l->at % c->block_size);
	size_t n = MIN(len, size - in_block), in_key = 0;

	if (!in_block)
		l->key = 0;
	if (in_block < EMU_KEY_SIZE) {
		in_key = MIN(n, EMU_KEY_SIZE - in_block);
		memcpy((uint8_t *)&l->key + in_block, from, in_key);
	}
	if (!emu_load_belongs(l->key, in_block + in_key, from + in_key, n - in_key))
		l->wrong = LOAD_WRONG_BYTES;
	l->at += n;
	l->total += n;
	if (in_block + n == size) {
		emu_content_set(c, block, l->key);
		emu_bitmap_remove(&l->missing, block);
	}
	if (l->at == l->end)
		l->phase = LOAD_RECORD;
	return n;
}

static size_t emu_load_write_plain(struct emu_load *l, const uint8_t *from, size_t len)
{
	if (len > l->state_size - l->record_len) {
		l->wrong = LOAD_TOO_LONG;
		return len;
	}
	memcpy(l->record + l->record_len, from, len);
	l->record_len += len;
	return len;
}

void emu_load_write(struct emu_load *l, const void *buf, size_t len)
{
	const uint8_t *from = buf;
	size_t n;

	for (; len && !l->wrong; from += n, len -= n) {
		switch (l->phase) {
		case LOAD_HEAD:
		case LOAD_RECORD:
			n = emu_load_write_record(l, from, len);
			break;
		case LOAD_EXTENT:
			n = emu_load_write_blocks(l, from, len);
			break;
		case LOAD_PLAIN:
			n = emu_load_write_plain(l, from, len);
			break;
		default:
			l->wrong = LOAD_TOO_LONG;
			return;
		}
	}
}

static void emu_load_finish_plain(struct emu_load *l)
{
	size_t size = (size_t)l->content->size;
	uint8_t check = 0;

	if (l->record_len != l->state_size) {
		l->wrong = LOAD_TOO_SHORT;
		return;
	}
	for (size_t i = 0; i < size; i++)
		check = emu_check_byte(check, l->record[i]);
	memcpy(&l->key, l->record, MIN(size, EMU_KEY_SIZE));
	if ((l->state_size && check != l->record[size]) ||
	    !emu_load_belongs(l->key, 0, l->record, size))
		l->wrong = LOAD_WRONG_BYTES;
	else if (size)
		emu_content_set(l->content, 0, l->key);
}

/* What each is to who reads the reply, and the deviation that overlooks it. */
static const struct load_fault {
	const char *text;
	enum emu_deviation overlooked_by;
} emu_load_faults[] = {
	[LOAD_FOREIGN] = { "not a stream of this kind of device", DEVIATE_ACCEPTS_FOREIGN },
	[LOAD_OTHER_SIZE] = { "a stream of a device with another size", DEVIATE_ACCEPTS_FOREIGN },
	[LOAD_OUT_OF_TURN] = { "a run of blocks out of turn", DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_NO_SUCH_BLOCKS] = { "a run of blocks that are not there", DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_BLOCKS_MISSING] = { "blocks are missing", DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_WRONG_DIGEST] = { "the digest does not fit", DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_NO_RECORD] = { "neither blocks nor the end where either is due",
			     DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_WRONG_BYTES] = { "bytes that do not belong where they are", DEVIATE_ACCEPTS_DAMAGED },
	[LOAD_TOO_SHORT] = { "it ends too early", DEVIATE_ACCEPTS_SHORT },
	[LOAD_EMPTY] = { "it has no bytes", DEVIATE_ACCEPTS_EMPTY },
	[LOAD_TOO_LONG] = { "bytes after its end", DEVIATE_ACCEPTS_LONG },
};

static bool emu_load_is_empty(const struct emu_load *l)
{
	return l->state_size && !l->total && !l->record_len;
}

int emu_load_finish(struct emu_load *l, const struct emu_deviations *off, uint64_t *ret_running_ns,
		    struct err *err)
{
	const struct load_fault *fault;

	if (!l->wrong && emu_load_is_empty(l))
		l->wrong = LOAD_EMPTY;
	else if (!l->wrong && l->phase == LOAD_PLAIN)
		emu_load_finish_plain(l);
	else if (!l->wrong && l->phase != LOAD_END)
		l->wrong = LOAD_TOO_SHORT;
	fault = &emu_load_faults[l->wrong];
	if (l->wrong && !emu_deviates(off, fault->overlooked_by))
		return err_set(err, -EINVAL, "state refused: %s", fault->text);
	if (l->phase == LOAD_END)
		*ret_running_ns = l->running_ns;
	return 0;
}
