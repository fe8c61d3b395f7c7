// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <zstd.h>
#include <cmocka.h>

#include "base/macros.h"
#include "emu/load.h"
#include "emu/save.h"
#include "effort.h"

#define TIB (UINT64_C(1) << 40)

/* What is made of a block at a time, and what is in front of the first one in a stream. */
#define LINE 64u
#define HEADS (2 * EMU_RECORD_SIZE)

static struct emu_content make(uint64_t state_size, uint64_t seed)
{
	struct emu_content c;

	assert_int_equal(emu_content_init(&c, emu_content_size(state_size), seed, NULL), 0);
	return c;
}

/* A whole stream, read in pieces of @chunk. */
static size_t save(struct emu_content *c, uint64_t state_size, uint8_t *to, size_t room,
		   size_t chunk)
{
	static struct emu_save s;
	size_t len = 0, n;

	emu_save_begin(&s, c, state_size, 0);
	emu_save_finish(&s, 42);
	while ((n = emu_save_read(&s, to + len, MIN(chunk, room - len))))
		len += n;
	return len;
}

static int load(struct emu_content *c, uint64_t state_size, const uint8_t *from, size_t len,
		size_t chunk)
{
	static struct emu_load l;
	uint64_t running_ns = 0;
	size_t n;
	int r;

	emu_load_begin(&l, c, state_size);
	for (size_t at = 0; at < len; at += n) {
		n = MIN(chunk, len - at);
		emu_load_write(&l, from + at, n);
	}
	r = emu_load_finish(&l, &(struct emu_deviations){ 0 }, &running_ns, NULL);
	if (!r && state_size >= EMU_RECORDS_MIN)
		assert_int_equal(running_ns, 42);
	return r;
}

static void a_block_is_the_same_however_it_is_cut(void **state)
{
	uint8_t whole[1000], piece[1000];

	(void)state;
	emu_block_fill(12345, 0, whole, sizeof(whole));
	for (size_t at = 0; at < 140; at += effort_share())
		for (size_t len = 0; len < 200; len++) {
			memset(piece, 0xee, sizeof(piece));
			emu_block_fill(12345, at, piece, len);
			assert_memory_equal(piece, whole + at, len);
			assert_int_equal(piece[len], 0xee);
		}
}

static void a_block_begins_with_its_key_and_differs_from_others(void **state)
{
	uint8_t one[4096], other[4096];
	uint64_t key = UINT64_C(0x1122334455667788);

	(void)state;
	emu_block_fill(key, 0, one, sizeof(one));
	emu_block_fill(key + 1, 0, other, sizeof(other));
	assert_memory_equal(one, &key, sizeof(key));
	/* No two lines are alike, in one block or in two: a line in a wrong place is noticed. */
	for (size_t i = 0; i < sizeof(one); i += LINE)
		for (size_t j = 0; j < sizeof(one); j += LINE) {
			assert_memory_not_equal(one + i, other + j, LINE);
			if (i != j)
				assert_memory_not_equal(one + i, one + j, LINE);
		}
}

static void a_state_compresses_as_a_devices_does(void **state)
{
	static uint8_t content[1 << 20], packed[2 << 20];
	static const int levels[] = { 1, 3, 9 };
	size_t zeros = 0, most = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(content); i += 4096)
		emu_block_fill(emu_mix(i), 0, content + i, 4096);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		assert_in_range(
			ZSTD_compress(packed, sizeof(packed), content, sizeof(content), levels[i]),
			sizeof(content) / 4, sizeof(content) / 2);
	/* No piece of any size has none but zeros, or a bug that moves it would not be found. */
	for (size_t i = 0; i < sizeof(content); i++) {
		zeros = content[i] ? 0 : zeros + 1;
		most = MAX(most, zeros);
	}
	assert_in_range(most, 0, LINE / 2);
}

static void the_state_is_a_function_of_its_seed_and_what_was_written(void **state)
{
	struct emu_content a = make(1 << 20, 1), b = make(1 << 20, 1), c = make(1 << 20, 2);
	uint64_t fresh = emu_content_digest(&a);

	(void)state;
	assert_int_equal(fresh, emu_content_digest(&b));
	assert_true(fresh != emu_content_digest(&c));
	for (int i = 0; i < 100; i++) {
		uint64_t before = emu_content_digest(&a);

		assert_int_equal(emu_content_dirty(&a), emu_content_dirty(&b));
		assert_true(emu_content_digest(&a) != before);
		assert_int_equal(emu_content_digest(&a), emu_content_digest(&b));
	}
	emu_content_reset(&a);
	assert_int_equal(emu_content_digest(&a), fresh);
	emu_content_done(&a);
	emu_content_done(&b);
	emu_content_done(&c);
}

static void a_stream_is_as_long_as_was_asked_for_and_brings_the_state_along(void **state)
{
	static uint8_t one[20000], other[20000];

	(void)state;
	for (size_t size = 0; size < 9000; size += size < 300 ? 1 : 97) {
		struct emu_content a = make(size, 1), b = make(size, 99);

		for (size_t i = 0; a.n_blocks && i < size % 5; i++)
			emu_content_dirty(&a);
		assert_int_equal(save(&a, size, one, sizeof(one), sizeof(one)), size);
		assert_int_equal(save(&a, size, other, sizeof(other), 1 + size % 61), size);
		assert_memory_equal(one, other, size);
		assert_int_equal(load(&b, size, one, size, 1 + size % 53), 0);
		assert_int_equal(emu_content_digest(&a), emu_content_digest(&b));
		assert_int_equal(save(&b, size, other, sizeof(other), 4096), size);
		assert_memory_equal(one, other, size);
		emu_content_done(&a);
		emu_content_done(&b);
	}
}

static void every_byte_that_is_lost_doubled_or_changed_is_missed(void **state)
{
	static const size_t sizes[] = { 1, 2, 3, 8, 9, 17, 100, 127, 128, 136, 4192, 4300, 8600 };
	static uint8_t good[10000], bad[10001];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i];
		struct emu_content a = make(size, 1), b = make(size, 1);

		assert_int_equal(save(&a, size, good, sizeof(good), sizeof(good)), size);
		for (size_t at = 0; at < size; at += effort_share()) {
			memcpy(bad, good, size);
			bad[at] ^= (uint8_t)(1 << at % 8);
			if (load(&b, size, bad, size, 1000) != -EINVAL)
				fail_msg("%zu bytes, changed at %zu", size, at);
			memmove(bad, good, at);
			memmove(bad + at, good + at + 1, size - at - 1);
			if (load(&b, size, bad, size - 1, 1000) != -EINVAL)
				fail_msg("%zu bytes, lost at %zu", size, at);
			memmove(bad, good, at + 1);
			memmove(bad + at + 1, good + at, size - at);
			if (load(&b, size, bad, size + 1, 1000) != -EINVAL)
				fail_msg("%zu bytes, doubled at %zu", size, at);
			assert_int_equal(load(&b, size, bad, at, 1000), -EINVAL);
		}
		assert_int_equal(load(&b, size, good, size, 1000), 0);
		emu_content_done(&a);
		emu_content_done(&b);
	}
}

static void every_byte_that_moved_is_missed(void **state)
{
	static uint8_t good[8600], bad[8600];
	struct emu_content a = make(sizeof(good), 1), b = make(sizeof(good), 1);

	(void)state;
	assert_int_equal(save(&a, sizeof(good), good, sizeof(good), 4096), sizeof(good));
	for (size_t at = 0; at + 1 < sizeof(good); at += effort_share()) {
		if (good[at] == good[at + 1])
			continue;
		memcpy(bad, good, sizeof(good));
		bad[at] = good[at + 1];
		bad[at + 1] = good[at];
		if (load(&b, sizeof(bad), bad, sizeof(bad), 999) != -EINVAL)
			fail_msg("moved at %zu", at);
	}
	for (size_t at = HEADS; at + 2 * LINE <= sizeof(good) - EMU_RECORD_SIZE; at += LINE) {
		memcpy(bad, good, sizeof(good));
		memcpy(bad + at, good + at + LINE, LINE);
		memcpy(bad + at + LINE, good + at, LINE);
		assert_int_equal(load(&b, sizeof(bad), bad, sizeof(bad), 999), -EINVAL);
	}
	/* Zeros lost, and doubled elsewhere: no byte is another, and no length. */
	for (size_t at = HEADS; at + 2 * LINE <= sizeof(good) - EMU_RECORD_SIZE;
	     at += effort_share()) {
		if (good[at])
			continue;
		memcpy(bad, good, sizeof(good));
		memmove(bad + at, good + at + 1, LINE);
		bad[at + LINE] = 0;
		if (load(&b, sizeof(bad), bad, sizeof(bad), 999) != -EINVAL)
			fail_msg("lost at %zu, doubled at %zu", at, at + LINE);
	}
	/* Whole blocks, whose bytes belong together, in each other's place. */
	memcpy(bad, good, sizeof(good));
	memcpy(bad + 64, good + 64 + 4096, 4096);
	memcpy(bad + 64 + 4096, good + 64, 4096);
	assert_int_equal(load(&b, sizeof(bad), bad, sizeof(bad), 999), -EINVAL);
	emu_content_done(&a);
	emu_content_done(&b);
}

static void what_is_dirtied_is_sent_again_and_nothing_else(void **state)
{
	static struct emu_save s;
	static uint8_t stream[3 << 20];
	struct emu_content a = make(1 << 20, 1), b = make(1 << 20, 7);
	size_t len = 0, n;
	uint32_t block;

	(void)state;
	emu_save_begin(&s, &a, 1 << 20, 1 << 20);
	while ((n = emu_save_read(&s, stream + len, 10000)))
		len += n;
	assert_int_equal(len, (1 << 20) - EMU_RECORD_SIZE);
	for (int i = 0; i < 50; i++) {
		block = emu_content_dirty(&a);
		emu_save_dirtied(&s, block);
		n = emu_save_read(&s, stream + len, sizeof(stream) - len);
		assert_int_equal(n, EMU_RECORD_SIZE + emu_content_len(&a, block));
		assert_memory_equal(stream + len + EMU_RECORD_SIZE, &a.keys[block], EMU_KEY_SIZE);
		len += n;
		assert_int_equal(emu_save_read(&s, stream + len, 1), 0);
	}
	emu_save_finish(&s, 42);
	n = emu_save_read(&s, stream + len, sizeof(stream) - len);
	assert_int_equal(n, EMU_RECORD_SIZE);
	len += n;
	assert_int_equal(emu_save_read(&s, stream + len, 1), 0);
	assert_int_equal(load(&b, 1 << 20, stream, len, 12345), 0);
	assert_int_equal(emu_content_digest(&a), emu_content_digest(&b));
	emu_content_done(&a);
	emu_content_done(&b);
}

/* Read a little, dirty a little: blocks change while they, and their run, are under way. */
static void a_state_that_changes_under_the_reader_arrives_as_it_is_at_the_end(void **state)
{
	static struct emu_save s;
	static uint8_t stream[4 << 20];

	(void)state;
	for (uint64_t seed = 0; seed < 20; seed += effort_share()) {
		struct emu_content a = make(300000, seed), b = make(300000, seed + 100);
		size_t len = 0, n;

		emu_save_begin(&s, &a, 300000, 300000);
		for (int i = 0; i < 200; i++) {
			n = (size_t)(emu_mix(seed + (uint64_t)i) % 5000);
			len += emu_save_read(&s, stream + len, n);
			if (i % 2)
				emu_save_dirtied(&s, emu_content_dirty(&a));
		}
		emu_save_finish(&s, 42);
		while ((n = emu_save_read(&s, stream + len, sizeof(stream) - len)))
			len += n;
		assert_int_equal(load(&b, 300000, stream, len, 4099), 0);
		assert_int_equal(emu_content_digest(&a), emu_content_digest(&b));
		emu_content_done(&a);
		emu_content_done(&b);
	}
}

static void a_terabyte_takes_no_memory(void **state)
{
	static struct emu_save s;
	static struct emu_load l;
	static uint8_t buf[1 << 20];
	struct emu_content a = make(TIB, 1), b = make(TIB, 2);
	struct rusage before, after;
	uint64_t total = 0;

	(void)state;
	assert_in_range(a.n_blocks, EMU_BLOCKS_MAX / 2, EMU_BLOCKS_MAX);
	getrusage(RUSAGE_SELF, &before);
	emu_save_begin(&s, &a, TIB, 0);
	emu_save_finish(&s, 42);
	emu_load_begin(&l, &b, TIB);
	for (int i = 0; i < 64; i += (int)effort_share()) {
		size_t n = emu_save_read(&s, buf, sizeof(buf));

		assert_int_equal(n, sizeof(buf));
		emu_load_write(&l, buf, n);
		total += n;
	}
	assert_null(l.wrong);
	assert_int_equal(s.end - s.at + total, TIB - EMU_RECORD_SIZE);
	getrusage(RUSAGE_SELF, &after);
	assert_in_range(after.ru_maxrss - before.ru_maxrss, 0, 8 << 10); /* KiB */
	emu_content_done(&a);
	emu_content_done(&b);
}

/* All of a stream but its bulk: what is behind a terabyte is read, too. */
static void the_end_of_a_large_stream_is_where_it_must_be(void **state)
{
	static struct emu_save s;
	static uint8_t buf[1 << 20];
	struct emu_content a = make(TIB, 1);
	uint64_t skipped;

	(void)state;
	emu_save_begin(&s, &a, TIB, 0);
	emu_save_finish(&s, 42);
	assert_int_equal(emu_save_read(&s, buf, 64), 64);
	skipped = s.end - 4096 - s.at;
	s.at += skipped; /* as if it had been read */
	emu_bitmap_fill(&s.owed, 0);
	assert_int_equal(emu_save_read(&s, buf, sizeof(buf)), 4096 + EMU_RECORD_SIZE);
	assert_int_equal(64 + skipped + 4096 + EMU_RECORD_SIZE, TIB);
	emu_content_done(&a);
}

static void hostile_records_are_refused(void **state)
{
	static const struct emu_extent extents[] = {
		{ EMU_EXTENT_MAGIC, 0, 0, 0, 0 },
		{ EMU_EXTENT_MAGIC, 0, 0, UINT64_MAX, 0 },
		{ EMU_EXTENT_MAGIC, 0, UINT64_MAX, 1, 0 },
		{ EMU_EXTENT_MAGIC, 0, UINT64_MAX - 4095, 4096, 0 },
		{ EMU_EXTENT_MAGIC, 0, 4095, 4096, 0 },
		{ EMU_EXTENT_MAGIC, 0, 0, 4095, 0 },
		{ EMU_EXTENT_MAGIC, 0, 8192, 4096, 0 },
		{ EMU_EXTENT_MAGIC, 1, 0, 4096, 0 },
		{ EMU_EXTENT_MAGIC, 0, 0, 4096, 1 },
		{ EMU_HEAD_MAGIC, 0, 0, 4096, 0 },
		{ 0, 0, 0, 4096, 0 },
	};
	const size_t size = 8000;
	uint8_t bytes[9000];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(extents); i++) {
		struct emu_content a = make(size, 1);

		assert_int_equal(save(&a, size, bytes, sizeof(bytes), 4096), size);
		memcpy(bytes + EMU_RECORD_SIZE, &extents[i], sizeof(extents[i]));
		assert_int_equal(load(&a, size, bytes, size, 100), -EINVAL);
		emu_content_done(&a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_block_is_the_same_however_it_is_cut),
		cmocka_unit_test(a_block_begins_with_its_key_and_differs_from_others),
		cmocka_unit_test(a_state_compresses_as_a_devices_does),
		cmocka_unit_test(the_state_is_a_function_of_its_seed_and_what_was_written),
		cmocka_unit_test(a_stream_is_as_long_as_was_asked_for_and_brings_the_state_along),
		cmocka_unit_test(every_byte_that_is_lost_doubled_or_changed_is_missed),
		cmocka_unit_test(every_byte_that_moved_is_missed),
		cmocka_unit_test(what_is_dirtied_is_sent_again_and_nothing_else),
		cmocka_unit_test(a_state_that_changes_under_the_reader_arrives_as_it_is_at_the_end),
		cmocka_unit_test(a_terabyte_takes_no_memory),
		cmocka_unit_test(the_end_of_a_large_stream_is_where_it_must_be),
		cmocka_unit_test(hostile_records_are_refused),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: state", tests, NULL, NULL);
}
