// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * What vfiomig-emu's devices do when they migrate
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "wire.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

/*
 * Which states can be gone to, by the uAPI's text; a letter a column, in the order of the numbers:
 * 'y' yes, '-' EINVAL. No state can be ERROR on request, and nothing leads back from STOP_COPY to
 * the states before it.
 */
static const char *const reachable[N_STATES] = {
	/* clang-format off */
	/*               E S R C L r P p */
	[STOP]         = "-yyyyyyy",
	[RUNNING]      = "-yyyyyyy",
	[STOP_COPY]    = "-yyyyy--",
	[RESUMING]     = "-yyyyyyy",
	[RUNNING_P2P]  = "-yyyyyyy",
	[PRE_COPY]     = "-yyyyyyy",
	[PRE_COPY_P2P] = "-yyyyyyy",
	/* clang-format on */
};

/* The states that each set of capabilities has, beside ERROR. */
static const struct {
	const char *caps;
	unsigned int states;
} devices[] = {
	{ "stop-copy", 1 << STOP | 1 << RUNNING | 1 << STOP_COPY | 1 << RESUMING },
	{ "stop-copy,p2p",
	  1 << STOP | 1 << RUNNING | 1 << STOP_COPY | 1 << RESUMING | 1 << RUNNING_P2P },
	{ "stop-copy,pre-copy",
	  1 << STOP | 1 << RUNNING | 1 << STOP_COPY | 1 << RESUMING | 1 << PRE_COPY },
	{ "stop-copy,p2p,pre-copy", 0xfe },
};

static void try_pair(int fd, unsigned int states, uint32_t from, uint32_t to)
{
	bool can = to < N_STATES && (states >> to & 1) && reachable[from][to] == 'y';
	int r;

	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_state(fd), RUNNING);
	assert_int_equal(wire_set_state(fd, from), 0);
	r = wire_set_state(fd, to);
	if (r != (can ? 0 : -EINVAL) || wire_state(fd) != (can ? to : from))
		fail_msg("from %u to %u: %d, now in %u", from, to, r, wire_state(fd));
}

static void every_pair_of_states_is_as_the_uapi_says(void **state)
{
	unsigned int pairs = 0;
	struct emu e;

	(void)state;
	for (size_t i = 0; i < N(devices); i++) {
		int fd;

		/* Without a state, there is nothing that a load could be missing. */
		emu_start(&e, 1, "--state-size", "0", "--caps", devices[i].caps, NULL);
		fd = wire_open(&e, 0);
		for (uint32_t from = 1; from < N_STATES; from++)
			for (uint32_t to = 0; (devices[i].states >> from & 1) && to < 10; to++) {
				try_pair(fd, devices[i].states, from, to);
				pairs++;
			}
		assert_int_equal(wire_reset(fd), 0);
		assert_int_equal(wire_set_state(fd, UINT32_MAX), -EINVAL);
		close(fd);
		emu_stop(&e);
	}
	assert_int_equal(pairs, 10 * (4 + 5 + 5 + 7));
}

static void a_device_in_error_is_left_by_a_reset_alone(void **state)
{
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--fault", "error=stop:stop-copy*1", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), -EIO);
	assert_int_equal(wire_state(fd), ERROR);
	for (uint32_t to = 0; to < N_STATES; to++) {
		assert_int_equal(wire_set_state(fd, to), -EINVAL);
		assert_int_equal(wire_state(fd), ERROR);
	}
	assert_int_equal(wire_reset(fd), 0);
	assert_int_equal(wire_state(fd), RUNNING);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	close(fd);
	emu_stop(&e);
}

static void the_data_is_moved_in_the_states_for_it_and_in_no_other(void **state)
{
	static const char readable[] = "---y--yy", writable[] = "----y---";
	uint8_t byte = 0;
	struct emu e;
	uint32_t n;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	for (uint32_t s = 1; s < N_STATES; s++) {
		assert_int_equal(wire_reset(fd), 0);
		assert_int_equal(wire_set_state(fd, s), 0);
		n = 1;
		assert_int_equal(wire_data_read(fd, &byte, &n), readable[s] == 'y' ? 0 : -EINVAL);
		assert_int_equal(wire_data_write(fd, &byte, 1), writable[s] == 'y' ? 0 : -EINVAL);
	}
	close(fd);
	emu_stop(&e);
}

/* Save from a device and load into another one of another seed. */
static void round_trip(const char *size, uint32_t chunk)
{
	struct emu source, target;
	struct stream s = { 0 };
	uint64_t digest, other;
	int from, to;

	emu_start(&source, 1, "--state-size", size, "--seed", "5", NULL);
	emu_start(&target, 1, "--state-size", size, "--seed", "6", NULL);
	from = wire_open(&source, 0);
	to = wire_open(&target, 0);
	digest = wire_reg64(from, REG_DIGEST);
	other = wire_reg64(to, REG_DIGEST);
	if (strtoull(size, NULL, 10) > 3)
		assert_true(digest != other);
	stream_save(from, &s);
	assert_int_equal(s.len, strtoull(size, NULL, 10));
	assert_int_equal(stream_load(to, &s, chunk), 0);
	assert_int_equal(wire_state(to), STOP);
	assert_int_equal(wire_reg64(to, REG_DIGEST), digest);
	assert_int_equal(wire_reg64(from, REG_DIGEST), digest);
	assert_int_equal(wire_set_state(to, RUNNING), 0);
	close(from);
	close(to);
	emu_stop(&source);
	emu_stop(&target);
	stream_done(&s);
}

static void a_state_of_any_size_arrives_and_its_stream_is_of_that_size(void **state)
{
	static const struct {
		const char *size;
		uint32_t chunk;
	} rows[] = {
		{ "0", 1 },	      { "1", 1 },	  { "2", 1 },	      { "9", 4 },
		{ "10", 100 },	      { "96", 7 },	  { "127", MIB },     { "128", MIB },
		{ "129", 1 },	      { "4191", 5 },	  { "4192", 4096 },   { "4193", MIB },
		{ "1048575", 65537 }, { "1048576", MIB }, { "9000001", MIB },
	};

	(void)state;
	for (size_t i = 0; i < N(rows); i++)
		round_trip(rows[i].size, rows[i].chunk);
}

static void what_changes_during_pre_copy_is_sent_again_and_only_that(void **state)
{
	const uint32_t three = 3;
	struct stream s = { 0 };
	size_t first, second;
	struct emu source, target;
	uint64_t digest;
	int from, to;

	(void)state;
	emu_start(&source, 1, "--state-size", "1048576", NULL);
	emu_start(&target, 1, "--state-size", "1048576", "--seed", "9", NULL);
	from = wire_open(&source, 0);
	to = wire_open(&target, 0);
	assert_int_equal(wire_set_state(from, PRE_COPY), 0);
	stream_read(from, &s, 100000);
	first = s.len; /* all but its end */
	assert_int_equal(first, 1048576 - 32);
	stream_read(from, &s, 100000);
	assert_int_equal(s.len, first);
	assert_int_equal(wire_write_region(from, BAR0, REG_CONTROL, &three, 4), 0);
	stream_read(from, &s, 100000);
	second = s.len - first;
	assert_in_range(second, 4096 + 32, 3 * (4096 + 32));
	assert_int_equal(wire_set_state(from, PRE_COPY_P2P), 0);
	assert_int_equal(wire_write_region(from, BAR0, REG_CONTROL, &three, 4), 0);
	assert_int_equal(wire_set_state(from, STOP_COPY), 0);
	digest = wire_reg64(from, REG_DIGEST);
	assert_int_equal(wire_write_region(from, BAR0, REG_CONTROL, &three, 4), 0);
	assert_int_equal(wire_reg64(from, REG_DIGEST), digest); /* it is stopped */
	stream_read(from, &s, 100000);
	assert_in_range(s.len - first - second, 4096 + 64, 3 * (4096 + 32) + 32);
	assert_int_equal(stream_load(to, &s, 33333), 0);
	assert_int_equal(wire_reg64(to, REG_DIGEST), digest);
	close(from);
	close(to);
	emu_stop(&source);
	emu_stop(&target);
	stream_done(&s);
}

static void initial_bytes_limit_what_pre_copy_gives(void **state)
{
	struct stream s = { 0 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1048576", "--initial-bytes", "64K", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, PRE_COPY), 0);
	stream_read(fd, &s, MIB);
	assert_in_range(s.len, 65536, 65536 + 96);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	stream_read(fd, &s, MIB);
	assert_int_equal(s.len, 1048576 + 32); /* one more run of blocks */
	assert_int_equal(wire_set_state(fd, STOP), 0);
	assert_int_equal(stream_load(fd, &s, MIB), 0);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

static void a_running_device_dirties_at_its_rate(void **state)
{
	struct stream s = { 0 };
	uint64_t digest;
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--dirty-rate", "1G", NULL);
	fd = wire_open(&e, 0);
	digest = wire_reg64(fd, REG_DIGEST);
	while (wire_reg64(fd, REG_DIGEST) == digest)
		continue;
	assert_int_equal(wire_set_state(fd, STOP), 0);
	digest = wire_reg64(fd, REG_DIGEST);
	stream_save(fd, &s);
	assert_int_equal(wire_reg64(fd, REG_DIGEST), digest);
	assert_int_equal(stream_load(fd, &s, MIB), 0);
	assert_int_equal(wire_reg64(fd, REG_DIGEST), digest);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

/* At the latest when it is stopped: what has changed by then is in what it leaves. */
static void what_changes_at_intervals_comes_all_at_once(void **state)
{
	struct stream early = { 0 }, late = { 0 };
	struct emu e;
	uint64_t digest, count;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1M", "--dirty-rate", "1G", "--dirty-interval", "1h",
		  NULL);
	fd = wire_open(&e, 0);
	digest = wire_reg64(fd, REG_DIGEST);
	assert_int_equal(wire_set_state(fd, PRE_COPY), 0);
	stream_read(fd, &early, MIB);
	count = wire_reg64(fd, REG_COUNTER);
	while (wire_reg64(fd, REG_COUNTER) < count + 1000) /* a MiB's worth */
		continue;
	assert_int_equal(wire_reg64(fd, REG_DIGEST), digest);
	stream_read(fd, &late, MIB);
	assert_int_equal(late.len, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_not_equal(wire_reg64(fd, REG_DIGEST), digest);
	stream_read(fd, &late, MIB);
	assert_true(late.len > 500000);
	close(fd);
	emu_stop(&e);
	stream_done(&early);
	stream_done(&late);
}

static void the_counter_advances_while_it_runs_and_goes_on_where_the_state_goes(void **state)
{
	static const uint32_t runs[] = { RUNNING, RUNNING_P2P, PRE_COPY, PRE_COPY_P2P };
	struct stream s = { 0 };
	uint64_t count = 0;
	struct emu e, target;
	int fd, to;

	(void)state;
	emu_start(&e, 1, NULL);
	emu_start(&target, 1, NULL);
	fd = wire_open(&e, 0);
	for (size_t i = 0; i < N(runs); i++) {
		assert_int_equal(wire_set_state(fd, runs[i]), 0);
		count = wire_reg64(fd, REG_COUNTER);
		while (wire_reg64(fd, REG_COUNTER) == count)
			continue;
	}
	while (wire_reg64(fd, REG_COUNTER) < 20000)
		continue;
	assert_int_equal(wire_set_state(fd, STOP), 0);
	count = wire_reg64(fd, REG_COUNTER);
	stream_save(fd, &s);
	assert_int_equal(wire_reg64(fd, REG_COUNTER), count);
	to = wire_open(&target, 0);
	assert_int_equal(stream_load(to, &s, MIB), 0);
	assert_int_equal(wire_reg64(to, REG_COUNTER), count);
	assert_int_equal(wire_set_state(to, RUNNING), 0);
	while (wire_reg64(to, REG_COUNTER) == count)
		continue;
	close(fd);
	close(to);
	emu_stop(&e);
	emu_stop(&target);
	stream_done(&s);
}

/* Ways to damage a stream. */
static void lose_last(struct stream *s)
{
	s->len--;
}

static void lose_first(struct stream *s)
{
	memmove(s->p, s->p + 1, --s->len);
}

static void lose_one(struct stream *s)
{
	memmove(s->p + s->len / 2, s->p + s->len / 2 + 1, s->len - s->len / 2 - 1);
	s->len--;
}

static void lose_all(struct stream *s)
{
	s->len = 0;
}

static void double_one(struct stream *s)
{
	s->p = realloc(s->p, s->len + 1);
	assert_non_null(s->p);
	memmove(s->p + s->len / 2 + 1, s->p + s->len / 2, s->len - s->len / 2);
	s->len++;
}

static void double_all(struct stream *s)
{
	s->p = realloc(s->p, 2 * s->len);
	assert_non_null(s->p);
	memcpy(s->p + s->len, s->p, s->len);
	s->len *= 2;
}

static void change_one(struct stream *s)
{
	s->p[s->len / 3] ^= 0x10;
}

static void swap_blocks(struct stream *s)
{
	uint8_t block[4096];

	memcpy(block, s->p + 64, sizeof(block));
	memcpy(s->p + 64, s->p + 64 + 4096, sizeof(block));
	memcpy(s->p + 64 + 4096, block, sizeof(block));
}

static void swap_bytes(struct stream *s)
{
	uint8_t byte = s->p[s->len - 1];

	s->p[s->len - 1] = s->p[64];
	s->p[64] = byte;
}

static void a_stream_that_is_not_as_it_was_is_refused(void **state)
{
	static void (*const damages[])(struct stream *) = { lose_last,	lose_first,  lose_one,
							    lose_all,	double_one,  double_all,
							    change_one, swap_blocks, swap_bytes };
	struct stream s = { 0 };
	uint64_t fresh;
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "100000", NULL);
	fd = wire_open(&e, 0);
	fresh = wire_reg64(fd, REG_DIGEST);
	for (size_t i = 0; i < N(damages); i++) {
		assert_int_equal(wire_reset(fd), 0);
		stream_save(fd, &s);
		damages[i](&s);
		if (stream_load(fd, &s, 30000) != -EINVAL)
			fail_msg("damage %zu was not seen", i);
		assert_int_equal(wire_state(fd), RESUMING);
		assert_int_equal(wire_set_state(fd, RUNNING), -EINVAL);
		assert_int_equal(wire_reset(fd), 0);
		assert_int_equal(wire_state(fd), RUNNING);
		assert_int_equal(wire_reg64(fd, REG_DIGEST), fresh);
		stream_done(&s);
	}
	close(fd);
	emu_stop(&e);
}

static void a_stream_of_another_size_is_refused(void **state)
{
	struct emu small, large;
	struct stream s = { 0 };
	int from, to;

	(void)state;
	emu_start(&small, 1, "--state-size", "50000", NULL);
	emu_start(&large, 1, "--state-size", "50001", NULL);
	from = wire_open(&small, 0);
	to = wire_open(&large, 0);
	stream_save(from, &s);
	assert_int_equal(stream_load(to, &s, MIB), -EINVAL);
	close(from);
	close(to);
	emu_stop(&small);
	emu_stop(&large);
	stream_done(&s);
}

static void a_session_that_was_left_begins_anew(void **state)
{
	uint8_t first[1000], again[1000];
	uint32_t n = sizeof(first);
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, first, &n), 0);
	assert_int_equal(wire_set_state(fd, STOP), 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, again, &n), 0);
	assert_memory_equal(first, again, n);
	assert_int_equal(wire_set_state(fd, RUNNING), 0);
	assert_int_equal(wire_set_state(fd, PRE_COPY), 0); /* given up, half-way */
	assert_int_equal(wire_data_read(fd, again, &n), 0);
	assert_int_equal(wire_set_state(fd, RUNNING), 0);
	assert_int_equal(wire_set_state(fd, RESUMING), 0);
	assert_int_equal(wire_data_write(fd, "junk", 4), 0);
	assert_int_equal(wire_set_state(fd, STOP), -EINVAL);
	close(fd);
	emu_stop(&e);
}

static void a_terabyte_is_read_as_far_as_one_likes(void **state)
{
	static uint8_t buf[MIB];
	struct emu e;
	uint32_t n;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "1T", NULL);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	for (int i = 0; i < 40; i++) {
		n = sizeof(buf);
		assert_int_equal(wire_data_read(fd, buf, &n), 0);
		assert_int_equal(n, sizeof(buf));
	}
	close(fd);
	emu_stop(&e);
}

static void the_next_client_finds_what_the_last_one_left(void **state)
{
	uint8_t buf[1000];
	uint32_t n = sizeof(buf);
	struct stream s = { 0 };
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--state-size", "5000", NULL);
	for (uint32_t i = 1; i < N_STATES; i++) {
		fd = wire_open(&e, 0);
		assert_int_equal(wire_set_state(fd, i), 0);
		close(fd);
		fd = wire_open(&e, 0);
		assert_int_equal(wire_state(fd), i);
		assert_int_equal(wire_reset(fd), 0);
		close(fd);
	}
	fd = wire_open(&e, 0);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	assert_int_equal(wire_data_read(fd, buf, &n), 0);
	close(fd);
	fd = wire_open(&e, 0);
	stream_read(fd, &s, MIB); /* the session too */
	assert_int_equal(s.len, 4000);
	close(fd);
	emu_stop(&e);
	stream_done(&s);
}

static void reset_on_disconnect_leaves_nothing(void **state)
{
	const uint32_t one = 1;
	uint64_t digest;
	struct emu e;
	int fd;

	(void)state;
	emu_start(&e, 1, "--reset-on-disconnect", NULL);
	fd = wire_open(&e, 0);
	digest = wire_reg64(fd, REG_DIGEST);
	assert_int_equal(wire_write_region(fd, BAR0, REG_CONTROL, &one, 4), 0);
	assert_true(wire_reg64(fd, REG_DIGEST) != digest);
	assert_int_equal(wire_set_state(fd, STOP_COPY), 0);
	close(fd);
	fd = wire_open(&e, 0);
	assert_int_equal(wire_state(fd), RUNNING);
	assert_int_equal(wire_reg64(fd, REG_DIGEST), digest);
	close(fd);
	emu_stop(&e);
}

static void every_profile_makes_a_round_trip(void **state)
{
	static const struct {
		const char *name;
		uint64_t caps, size;
	} rows[] = {
		/* clang-format off */
		{ "hisi",   5, 176   },
		{ "pds",    3, 65536 },
		{ "qat",    7, 4096  },
		{ "virtio", 7, 8192  },
		{ "mtty",   7, 60    },
		{ "mlx5",   7, 256 * (uint64_t)MIB },
		/* clang-format on */
	};
	static struct message reply;
	struct stream s = { 0 };
	struct emu e;
	uint64_t caps;
	int fd;

	(void)state;
	for (size_t i = 0; i < N(rows); i++) {
		emu_start(&e, 1, "--profile", rows[i].name, NULL);
		fd = wire_open(&e, 0);
		assert_int_equal(wire_feature(fd, GET | 1, NULL, 0, 16, &reply), 0);
		memcpy(&caps, reply.payload + 8, sizeof(caps));
		assert_int_equal(caps, rows[i].caps);
		if (rows[i].size < 16 * MIB) {
			stream_save(fd, &s);
			assert_int_equal(s.len, rows[i].size);
			assert_int_equal(stream_load(fd, &s, MIB), 0);
			stream_done(&s);
		}
		close(fd);
		emu_stop(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair_of_states_is_as_the_uapi_says),
		cmocka_unit_test(a_device_in_error_is_left_by_a_reset_alone),
		cmocka_unit_test(the_data_is_moved_in_the_states_for_it_and_in_no_other),
		cmocka_unit_test(a_state_of_any_size_arrives_and_its_stream_is_of_that_size),
		cmocka_unit_test(what_changes_during_pre_copy_is_sent_again_and_only_that),
		cmocka_unit_test(initial_bytes_limit_what_pre_copy_gives),
		cmocka_unit_test(a_running_device_dirties_at_its_rate),
		cmocka_unit_test(what_changes_at_intervals_comes_all_at_once),
		cmocka_unit_test(
			the_counter_advances_while_it_runs_and_goes_on_where_the_state_goes),
		cmocka_unit_test(a_stream_that_is_not_as_it_was_is_refused),
		cmocka_unit_test(a_stream_of_another_size_is_refused),
		cmocka_unit_test(a_session_that_was_left_begins_anew),
		cmocka_unit_test(a_terabyte_is_read_as_far_as_one_likes),
		cmocka_unit_test(the_next_client_finds_what_the_last_one_left),
		cmocka_unit_test(reset_on_disconnect_leaves_nothing),
		cmocka_unit_test(every_profile_makes_a_round_trip),
	};

	return cmocka_run_group_tests_name("vfiomig-emu: migration", tests, NULL, NULL);
}
