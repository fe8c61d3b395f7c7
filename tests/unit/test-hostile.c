// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "check/compare.h"
#include "check/kernel-trouble.h"
#include "check/mutate.h"
#include "check/op-model.h"
#include "check/shrink.h"
#include "check/subject.h"
#include "fsm/fsm.h"

static void a_mutant_follows_from_seed_and_number(void **state)
{
	uint8_t bytes[200];
	struct subject_state good = { bytes, sizeof(bytes) };
	struct mutate_edit a[MUTATE_EDITS_MAX], b[MUTATE_EDITS_MAX];
	unsigned int same = 0;

	(void)state;
	memset(bytes, 0x11, sizeof(bytes));
	for (unsigned int i = 0; i < 500; i++) {
		struct subject_state x, y;
		unsigned int n = mutate_make(&good, 42, i, a), m = mutate_make(&good, 42, i, b);

		assert_in_range(n, 1, MUTATE_EDITS_MAX);
		assert_int_equal(n, m);
		assert_int_equal(mutate_apply(&good, a, n, &x), 0);
		assert_int_equal(mutate_apply(&good, b, m, &y), 0);
		assert_int_equal(compare_at(&x, &y), COMPARE_SAME);
		same += compare_at(&x, &good) == COMPARE_SAME;
		free(x.data);
		free(y.data);
	}
	/* Some edits write what was there: few. */
	assert_in_range(same, 0, 50);
}

/* The sanitizers watch the edges. */
static void the_smallest_streams_can_be_mutated(void **state)
{
	struct mutate_edit edits[MUTATE_EDITS_MAX];
	uint8_t bytes[9] = { 0 };
	char text[MUTATE_TEXT_MAX];

	(void)state;
	for (size_t len = 1; len <= sizeof(bytes); len++)
		for (unsigned int i = 0; i < 300; i++) {
			struct subject_state good = { bytes, len }, bad;
			unsigned int n = mutate_make(&good, len, i, edits);

			assert_int_equal(mutate_apply(&good, edits, n, &bad), 0);
			assert_in_range(bad.len, 0,
					len + MUTATE_EDITS_MAX * (size_t)MUTATE_GROWTH_MAX);
			for (unsigned int k = 0; k < n; k++)
				assert_int_not_equal(strlen(mutate_text(&edits[k], text)), 0);
			free(bad.data);
		}
}

static void each_edit_does_what_it_says(void **state)
{
	static const struct {
		struct mutate_edit edit;
		const char *result, *text;
	} rows[] = {
		/* clang-format off */
		{ { MUTATE_BIT, 1, 0, 1 }, "a`cdef", "bit 1 of byte 1 is flipped" },
		{ { MUTATE_BYTE, 5, 0, 'X' }, "abcdeX", "byte 5 becomes 0x58" },
		{ { MUTATE_FIELD, 2, 2, 0x4241 }, "abABef",
		  "the field of 2 bytes at 2 becomes 0x4241" },
		{ { MUTATE_FIELD, 4, 4, 0x5a5a5a5a }, "abcdZZ",
		  "the field of 4 bytes at 4 becomes 0x5a5a5a5a" },
		{ { MUTATE_CUT, 3, 0, 0 }, "abc", "it ends at byte 3" },
		{ { MUTATE_CUT, 0, 0, 0 }, "", "it ends at byte 0" },
		{ { MUTATE_DROP, 1, 2, 0 }, "adef", "2 bytes at 1 are missing" },
		{ { MUTATE_DROP, 4, 64, 0 }, "abcd", "64 bytes at 4 are missing" },
		{ { MUTATE_DOUBLE, 1, 2, 0 }, "abcbcdef", "2 bytes at 1 come twice" },
		{ { MUTATE_INSERT, 0, 2, '-' }, "--abcdef", "2 bytes at 0 are put in" },
		{ { MUTATE_INSERT, 5, 1, '-' }, "abcde-f", "1 bytes at 5 are put in" },
		/* clang-format on */
	};
	char text[MUTATE_TEXT_MAX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		uint8_t bytes[] = { 'a', 'b', 'c', 'd', 'e', 'f' };
		struct subject_state good = { bytes, sizeof(bytes) }, bad;

		assert_int_equal(mutate_apply(&good, &rows[i].edit, 1, &bad), 0);
		assert_string_equal(mutate_text(&rows[i].edit, text), rows[i].text);
		assert_int_equal(bad.len, strlen(rows[i].result));
		assert_memory_equal(bad.data, rows[i].result, bad.len);
		free(bad.data);
	}
}

/* Fails while all of @needed are kept. */
struct needed {
	const bool *needed;
	size_t n;
	unsigned int tries;
};

static bool needed_fails(void *ctx, const bool *keep)
{
	struct needed *f = ctx;

	f->tries++;
	for (size_t i = 0; i < f->n; i++)
		if (f->needed[i] && !keep[i])
			return false;
	return true;
}

static void a_failure_is_left_with_what_it_needs(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 40; n++)
		for (size_t first = 0; first < n; first++) {
			bool needed[40] = { false }, keep[40];
			struct needed f = { needed, n, 0 };

			needed[first] = needed[n - 1] = true;
			for (size_t i = 0; i < n; i++)
				keep[i] = true;
			assert_int_equal(shrink(keep, n, needed_fails, &f), first == n - 1 ? 1 : 2);
			assert_memory_equal(keep, needed, n);
			assert_in_range(f.tries, 0, SHRINK_TRIES_MAX);
		}
}

static bool never_again(void *ctx, const bool *keep)
{
	(void)ctx;
	(void)keep;
	return false;
}

static void a_failure_that_does_not_come_again_keeps_all(void **state)
{
	bool keep[5] = { true, true, true, true, true };

	(void)state;
	assert_int_equal(shrink(keep, 5, never_again, NULL), 5);
}

static void a_set_is_judged_by_the_state_machine(void **state)
{
	static const struct {
		uint32_t from, to;
		unsigned int caps;
		int result;
		uint32_t after;
		enum op_verdict verdict;
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING, MIG_STOP, 7, 0, MIG_STOP, OP_FINE },
		{ MIG_RUNNING, MIG_STOP, 7, 0, MIG_RUNNING, OP_NOT_THERE },
		{ MIG_RUNNING, MIG_STOP, 7, 0, MIG_ERROR, OP_NOT_THERE },
		/* a failed one: anywhere on the path, or ERROR */
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, MIG_RUNNING, OP_FINE },
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, MIG_RUNNING_P2P, OP_FINE },
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, MIG_STOP, OP_FINE },
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, MIG_ERROR, OP_FINE },
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, MIG_STOP_COPY, OP_OFF_PATH },
		{ MIG_RUNNING, MIG_STOP, 7, -EIO, 9, OP_OFF_PATH },
		{ MIG_RUNNING, MIG_STOP, 1, -EIO, MIG_RUNNING_P2P, OP_OFF_PATH },
		/* no such way */
		{ MIG_STOP_COPY, MIG_PRE_COPY, 7, -EINVAL, MIG_STOP_COPY, OP_FINE },
		{ MIG_STOP_COPY, MIG_PRE_COPY, 7, -EINVAL, MIG_STOP, OP_MOVED_BY_ILLEGAL },
		{ MIG_STOP_COPY, MIG_PRE_COPY, 7, 0, MIG_PRE_COPY, OP_TOOK_ILLEGAL },
		{ MIG_RUNNING, MIG_ERROR, 7, -EINVAL, MIG_RUNNING, OP_FINE },
		{ MIG_RUNNING, MIG_ERROR, 7, 0, MIG_ERROR, OP_TOOK_ILLEGAL },
		{ MIG_RUNNING, 8, 7, 0, MIG_RUNNING, OP_TOOK_ILLEGAL },
		{ MIG_RUNNING, UINT32_MAX, 7, -EINVAL, MIG_RUNNING, OP_FINE },
		{ MIG_RUNNING, MIG_PRE_COPY, 1, 0, MIG_PRE_COPY, OP_TOOK_ILLEGAL },
		{ MIG_RUNNING, MIG_RUNNING_P2P, 5, -EINVAL, MIG_RUNNING, OP_FINE },
		/* where it is */
		{ MIG_STOP, MIG_STOP, 7, 0, MIG_STOP, OP_FINE },
		{ MIG_STOP, MIG_STOP, 7, -EINVAL, MIG_STOP, OP_FINE },
		{ MIG_STOP, MIG_STOP, 7, 0, MIG_RUNNING, OP_NOT_THERE },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (op_judge_set(rows[i].from, rows[i].to, rows[i].caps, rows[i].result,
				 rows[i].after) != rows[i].verdict)
			fail_msg("row %zu", i);
}

static void only_what_stops_a_device_may_be_busy(void **state)
{
	static const struct {
		enum mig_state from, to;
		bool may;
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING,      MIG_STOP,         true },
		{ MIG_RUNNING,      MIG_RUNNING_P2P,  false },
		{ MIG_RUNNING,      MIG_PRE_COPY,     false },
		{ MIG_RUNNING,      MIG_RESUMING,     true },
		{ MIG_RUNNING_P2P,  MIG_STOP,         true },
		{ MIG_PRE_COPY,     MIG_STOP_COPY,    true },
		{ MIG_PRE_COPY_P2P, MIG_STOP_COPY,    true },
		{ MIG_PRE_COPY,     MIG_RUNNING,      false },
		{ MIG_STOP,         MIG_RUNNING,      false },
		{ MIG_STOP,         MIG_STOP_COPY,    false },
		{ MIG_STOP_COPY,    MIG_RUNNING,      false },
		{ MIG_RESUMING,     MIG_STOP,         false },
		/* no way, and none to go */
		{ MIG_RUNNING,      MIG_RUNNING,      false },
		{ MIG_RUNNING,      MIG_ERROR,        false },
		{ MIG_RUNNING,      (enum mig_state)9, false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (op_may_be_busy(rows[i].from, rows[i].to, 7) != rows[i].may)
			fail_msg("row %zu", i);
}

static void operations_are_of_all_kinds_and_within_bounds(void **state)
{
	unsigned int kinds[OP_NR_KINDS] = { 0 }, states[MIG_NR_STATES] = { 0 }, others = 0;
	struct op ops[2000];
	char text[OP_TEXT_MAX];

	(void)state;
	op_make(7, ops, ARRAY_SIZE(ops));
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		assert_in_range(ops[i].kind, 0, OP_NR_KINDS - 1);
		kinds[ops[i].kind]++;
		assert_int_not_equal(strlen(op_text(&ops[i], text)), 0);
		if (ops[i].kind != OP_SET)
			assert_in_range(ops[i].value, 0, OP_BYTES_MAX - 1);
		else if (ops[i].value < MIG_NR_STATES)
			states[ops[i].value]++;
		else
			others++;
	}
	for (unsigned int i = 0; i < OP_NR_KINDS; i++)
		assert_int_not_equal(kinds[i], 0);
	for (unsigned int i = 0; i < MIG_NR_STATES; i++)
		assert_int_not_equal(states[i], 0);
	assert_int_not_equal(others, 0);
	assert_true(kinds[OP_SET] > ARRAY_SIZE(ops) / 2);
}

static void the_kernels_faults_are_told_from_its_chatter(void **state)
{
	static const struct {
		const char *text;
		bool trouble;
	} rows[] = {
		{ "BUG: kernel NULL pointer dereference, address: 0000000000000008", true },
		{ "WARNING: CPU: 0 PID: 71 at drivers/vfio/vfio_main.c:723", true },
		{ "WARNING: drivers/vfio/vfio_main.c:723 at vfio_mig_get_next_state", true },
		{ "watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [vfiomigctl:71]", true },
		{ "rcu: INFO: rcu_sched self-detected stall on CPU", true },
		{ "INFO: task vfiomigctl:71 blocked for more than 120 seconds.", true },
		{ "Kernel panic - not syncing: Fatal exception", true },
		{ "Oops: 0000 [#1] PREEMPT SMP", true },
		{ "UBSAN: array-index-out-of-bounds in samples/vfio-mdev/mtty.c:300:9", true },
		{ "vfio-pci 0000:01:00.0: resetting", false },
		{ "mtty: a WARNING: of a driver's own, in the middle", false },
		{ "INFO: lockdep is turned off.", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (kernel_trouble_in(rows[i].text) != rows[i].trouble)
			fail_msg("%s", rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mutant_follows_from_seed_and_number),
		cmocka_unit_test(the_smallest_streams_can_be_mutated),
		cmocka_unit_test(each_edit_does_what_it_says),
		cmocka_unit_test(a_failure_is_left_with_what_it_needs),
		cmocka_unit_test(a_failure_that_does_not_come_again_keeps_all),
		cmocka_unit_test(a_set_is_judged_by_the_state_machine),
		cmocka_unit_test(only_what_stops_a_device_may_be_busy),
		cmocka_unit_test(operations_are_of_all_kinds_and_within_bounds),
		cmocka_unit_test(the_kernels_faults_are_told_from_its_chatter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
