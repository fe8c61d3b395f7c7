// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/macros.h"
#include "engine/leftover.h"

static char disk_name[] = "disk", nic_name[] = "nic";
static struct journal_device disk = { .name = disk_name }, nic = { .name = nic_name };

static struct journal_item item(enum wire_role role, enum wire_phase phase, uint64_t begun_ns)
{
	return (struct journal_item){
		.record = { .role = role,
			    .phase = phase,
			    .begun_ns = begun_ns,
			    .devices = &disk,
			    .n_devices = 1 },
	};
}

static void each_phase_of_each_end_has_its_answer(void **state)
{
	static const struct {
		enum wire_role role;
		enum wire_phase phase;
		enum leftover left, at_work;
	} rows[] = {
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, LEFTOVER_OPEN, LEFTOVER_NONE },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, LEFTOVER_OWED, LEFTOVER_BUSY },
		{ WIRE_SOURCE, WIRE_PHASE_DONE, LEFTOVER_GONE, LEFTOVER_GONE },
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, LEFTOVER_NONE, LEFTOVER_NONE },
		{ WIRE_DESTINATION, WIRE_PHASE_BEGUN, LEFTOVER_OPEN, LEFTOVER_NONE },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, LEFTOVER_OWED, LEFTOVER_BUSY },
		{ WIRE_DESTINATION, WIRE_PHASE_COMMITTED, LEFTOVER_OWED, LEFTOVER_BUSY },
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, LEFTOVER_HELD, LEFTOVER_HELD },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, LEFTOVER_NONE, LEFTOVER_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct journal_item one = item(rows[i].role, rows[i].phase, 1);
		const struct journal_record *found = NULL;
		const char *story = leftover_story(rows[i].role, rows[i].phase);

		assert_int_equal(leftover_find(&one, 1, "disk", NULL, &found), rows[i].left);
		assert_int_equal(!story,
				 rows[i].left == LEFTOVER_NONE || rows[i].left == LEFTOVER_HELD);
		if (rows[i].left != LEFTOVER_NONE)
			assert_ptr_equal(found, &one.record);
		assert_int_equal(leftover_find(&one, 1, "other", NULL, &found), LEFTOVER_NONE);
		one.busy = true;
		found = NULL;
		assert_int_equal(leftover_find(&one, 1, "disk", NULL, &found), rows[i].at_work);
		assert_ptr_equal(found, rows[i].at_work == LEFTOVER_NONE ? NULL : &one.record);
	}
}

static void a_transaction_tells_nothing_to_itself(void **state)
{
	struct journal_item items[] = {
		item(WIRE_DESTINATION, WIRE_PHASE_DONE, 1),
		item(WIRE_DESTINATION, WIRE_PHASE_PREPARED, 2),
		item(WIRE_SOURCE, WIRE_PHASE_COMMITTED, 3),
	};
	struct journal_record own = { .role = WIRE_DESTINATION, .txid = { 2 } };
	const struct journal_record *found = NULL;

	(void)state;
	items[0].record.txid[0] = 1;
	items[1].record.txid[0] = items[2].record.txid[0] = 2;
	items[1].busy = true;
	assert_int_equal(leftover_find(items, 2, "disk", NULL, &found), LEFTOVER_BUSY);
	/* What was there when it began it may replace, what has come since not. */
	assert_int_equal(leftover_find(items, 2, "disk", &own, &found), LEFTOVER_NONE);
	items[0].record.changed_ns = 3;
	assert_int_equal(leftover_find(items, 2, "disk", &own, &found), LEFTOVER_HELD);
	assert_ptr_equal(found, &items[0].record);
	/* The other end of the same move, where both are of one host. */
	assert_int_equal(leftover_find(items, 3, "disk", &own, &found), LEFTOVER_OWED);
	assert_ptr_equal(found, &items[2].record);
}

static void the_newest_record_of_the_device_tells(void **state)
{
	struct journal_item items[] = {
		item(WIRE_DESTINATION, WIRE_PHASE_COMMITTED, 3),
		item(WIRE_DESTINATION, WIRE_PHASE_DONE, 5),
		item(WIRE_DESTINATION, WIRE_PHASE_PREPARED, 4),
		item(WIRE_SOURCE, WIRE_PHASE_DONE, 9),
	};
	const struct journal_record *found;

	(void)state;
	/* The last one is of another device. */
	items[3].record.devices = &nic;
	assert_int_equal(leftover_find(items, 4, "disk", NULL, &found), LEFTOVER_HELD);
	assert_ptr_equal(found, &items[1].record);
	/* It has been moved away since. */
	items[3].record.devices = &disk;
	assert_int_equal(leftover_find(items, 4, "disk", NULL, &found), LEFTOVER_GONE);
	assert_ptr_equal(found, &items[3].record);
}

static void what_counts_behind_a_newer_record(void **state)
{
	static const struct {
		enum wire_role role;
		enum wire_phase phase;
		bool busy;
		/* What came before it began, and since; what is owed; what is open, or has gone. */
		bool held, came, owed, rest;
	} rows[] = {
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, false, false, false, false, false },
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, true, true, true, false, false },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, true, false, false, false, false },
		{ WIRE_SOURCE, WIRE_PHASE_DONE, true, false, false, false, false },
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, false, true, true, false, false },
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, true, true, true, false, false },
		{ WIRE_DESTINATION, WIRE_PHASE_BEGUN, false, false, false, false, false },
		{ WIRE_DESTINATION, WIRE_PHASE_BEGUN, true, false, true, true, false },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, true, false, false, false, false },
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, true, false, false, false, false },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, false, false, true, true, false },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, true, false, true, true, false },
	};
	static const struct {
		enum wire_role role;
		enum wire_phase phase;
		uint64_t changed_ns;
		enum leftover left;
	} olds[] = {
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, 2, LEFTOVER_HELD },
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, 5, LEFTOVER_HELD },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, 2, LEFTOVER_OWED },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, 2, LEFTOVER_OWED },
		{ WIRE_SOURCE, WIRE_PHASE_DONE, 2, LEFTOVER_GONE },
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, 5, LEFTOVER_OPEN },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows) * ARRAY_SIZE(olds); i++) {
		size_t row = i / ARRAY_SIZE(olds), old = i % ARRAY_SIZE(olds);
		struct journal_item items[] = {
			item(olds[old].role, olds[old].phase, 2),
			item(rows[row].role, rows[row].phase, 3),
			item(rows[row].role, rows[row].phase, 4),
		};
		const struct journal_record *found = NULL;
		const bool all[] = { rows[row].held, rows[row].came, rows[row].owed,
				     rows[row].owed, rows[row].rest, rows[row].rest };
		bool counts = all[old];

		items[0].record.changed_ns = olds[old].changed_ns;
		items[1].busy = items[2].busy = rows[row].busy;
		leftover_find(items, 3, "disk", NULL, &found);
		assert_int_equal(found == &items[0].record, counts);
		if (counts)
			assert_int_equal(leftover_find(items, 3, "disk", NULL, &found),
					 olds[old].left);
	}
}

static void a_device_is_the_later_ones_unless_the_earlier_one_owes_it(void **state)
{
	static const struct {
		enum wire_phase own, other;
		bool earlier, later; /* the device is the other's, which began before, or after */
	} rows[] = {
		{ WIRE_PHASE_BEGUN, WIRE_PHASE_BEGUN, false, true },
		{ WIRE_PHASE_BEGUN, WIRE_PHASE_PREPARED, true, true },
		{ WIRE_PHASE_BEGUN, WIRE_PHASE_COMMITTED, true, true },
		{ WIRE_PHASE_BEGUN, WIRE_PHASE_DONE, false, true },
		{ WIRE_PHASE_BEGUN, WIRE_PHASE_ABORTED, false, true },
		{ WIRE_PHASE_PREPARED, WIRE_PHASE_BEGUN, false, false },
		{ WIRE_PHASE_PREPARED, WIRE_PHASE_PREPARED, false, true },
		{ WIRE_PHASE_PREPARED, WIRE_PHASE_COMMITTED, false, true },
		{ WIRE_PHASE_PREPARED, WIRE_PHASE_DONE, false, true },
		{ WIRE_PHASE_PREPARED, WIRE_PHASE_ABORTED, false, false },
		{ WIRE_PHASE_COMMITTED, WIRE_PHASE_BEGUN, false, false },
		{ WIRE_PHASE_COMMITTED, WIRE_PHASE_PREPARED, false, true },
		{ WIRE_PHASE_COMMITTED, WIRE_PHASE_COMMITTED, false, true },
		{ WIRE_PHASE_COMMITTED, WIRE_PHASE_DONE, false, true },
		{ WIRE_PHASE_COMMITTED, WIRE_PHASE_ABORTED, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct journal_record own = { .phase = rows[i].own, .begun_ns = 2 };
		struct journal_record other = { .phase = rows[i].other, .begun_ns = 1 };

		assert_int_equal(leftover_yields(&own, &other), rows[i].earlier);
		other.begun_ns = 3;
		assert_int_equal(leftover_yields(&own, &other), rows[i].later);
		assert_int_equal(leftover_yields(&own, &own), false);
	}
}

/* Two waited for the device: the one that has a state in it began first. */
static void a_state_that_came_since_is_not_the_later_ones(void **state)
{
	struct journal_record own = { .role = WIRE_DESTINATION,
				      .phase = WIRE_PHASE_BEGUN,
				      .begun_ns = 2 };
	struct journal_record other = {
		.role = WIRE_DESTINATION, .phase = WIRE_PHASE_DONE, .begun_ns = 1, .changed_ns = 3
	};

	(void)state;
	assert_true(leftover_yields(&own, &other));
	other.changed_ns = 1;
	assert_false(leftover_yields(&own, &other));
	other.changed_ns = 3;
	other.role = WIRE_SOURCE;
	assert_false(leftover_yields(&own, &other));
}

static void what_cannot_be_read_is_no_leftover(void **state)
{
	struct journal_item items[] = {
		item(WIRE_DESTINATION, WIRE_PHASE_PREPARED, 1),
		item(WIRE_DESTINATION, WIRE_PHASE_DONE, 2),
	};
	char damaged[] = "damaged";
	const struct journal_record *found;

	(void)state;
	items[1].damaged = damaged;
	assert_int_equal(leftover_find(items, 2, "disk", NULL, &found), LEFTOVER_OWED);
	assert_ptr_equal(found, &items[0].record);
	assert_int_equal(leftover_find(items, 0, "disk", NULL, &found), LEFTOVER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_phase_of_each_end_has_its_answer),
		cmocka_unit_test(a_transaction_tells_nothing_to_itself),
		cmocka_unit_test(the_newest_record_of_the_device_tells),
		cmocka_unit_test(what_counts_behind_a_newer_record),
		cmocka_unit_test(a_device_is_the_later_ones_unless_the_earlier_one_owes_it),
		cmocka_unit_test(a_state_that_came_since_is_not_the_later_ones),
		cmocka_unit_test(what_cannot_be_read_is_no_leftover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
