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
		enum leftover left;
	} rows[] = {
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, LEFTOVER_OPEN },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, LEFTOVER_OWED },
		{ WIRE_SOURCE, WIRE_PHASE_DONE, LEFTOVER_GONE },
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, LEFTOVER_NONE },
		{ WIRE_DESTINATION, WIRE_PHASE_BEGUN, LEFTOVER_OPEN },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, LEFTOVER_OWED },
		{ WIRE_DESTINATION, WIRE_PHASE_COMMITTED, LEFTOVER_OWED },
		{ WIRE_DESTINATION, WIRE_PHASE_DONE, LEFTOVER_HELD },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, LEFTOVER_NONE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct journal_item one = item(rows[i].role, rows[i].phase, 1);
		const struct journal_record *found = NULL;
		const char *story = leftover_story(rows[i].role, rows[i].phase);

		assert_int_equal(leftover_find(&one, 1, "disk", &found), rows[i].left);
		assert_int_equal(!story,
				 rows[i].left == LEFTOVER_NONE || rows[i].left == LEFTOVER_HELD);
		if (rows[i].left != LEFTOVER_NONE)
			assert_ptr_equal(found, &one.record);
		assert_int_equal(leftover_find(&one, 1, "other", &found), LEFTOVER_NONE);
	}
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
	assert_int_equal(leftover_find(items, 4, "disk", &found), LEFTOVER_HELD);
	assert_ptr_equal(found, &items[1].record);
	/* It has been moved away since. */
	items[3].record.devices = &disk;
	assert_int_equal(leftover_find(items, 4, "disk", &found), LEFTOVER_GONE);
	assert_ptr_equal(found, &items[3].record);
}

static void a_move_away_that_changes_nothing_leaves_a_state_that_had_come(void **state)
{
	static const struct {
		enum wire_role role;
		enum wire_phase phase;
		bool busy;
		bool passes;
	} rows[] = {
		{ WIRE_SOURCE, WIRE_PHASE_ABORTED, false, true },
		{ WIRE_SOURCE, WIRE_PHASE_BEGUN, true, true },
		{ WIRE_SOURCE, WIRE_PHASE_COMMITTED, true, false },
		{ WIRE_DESTINATION, WIRE_PHASE_ABORTED, false, false },
		{ WIRE_DESTINATION, WIRE_PHASE_BEGUN, true, false },
		{ WIRE_DESTINATION, WIRE_PHASE_PREPARED, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct journal_item items[] = {
			item(WIRE_SOURCE, WIRE_PHASE_DONE, 1),
			item(WIRE_DESTINATION, WIRE_PHASE_DONE, 2),
			item(rows[i].role, rows[i].phase, 3),
			item(rows[i].role, rows[i].phase, 4),
		};
		const struct journal_record *found = NULL;

		items[2].busy = items[3].busy = rows[i].busy;
		assert_int_equal(leftover_find(items, 4, "disk", &found),
				 rows[i].passes ? LEFTOVER_HELD : LEFTOVER_NONE);
		assert_ptr_equal(found, rows[i].passes ? &items[1].record : NULL);
		/* What had left, or was cut off, was over when the device was to move once more. */
		items[1].record.role = WIRE_SOURCE;
		assert_int_equal(leftover_find(items, 4, "disk", &found), LEFTOVER_NONE);
		items[1].record.phase = WIRE_PHASE_BEGUN;
		assert_int_equal(leftover_find(items, 4, "disk", &found), LEFTOVER_NONE);
	}
}

static void what_is_at_work_or_cannot_be_read_is_no_leftover(void **state)
{
	struct journal_item items[] = {
		item(WIRE_DESTINATION, WIRE_PHASE_PREPARED, 1),
		item(WIRE_DESTINATION, WIRE_PHASE_DONE, 2),
	};
	char damaged[] = "damaged";
	const struct journal_record *found;

	(void)state;
	items[1].damaged = damaged;
	assert_int_equal(leftover_find(items, 2, "disk", &found), LEFTOVER_OWED);
	assert_ptr_equal(found, &items[0].record);
	items[0].busy = true;
	assert_int_equal(leftover_find(items, 2, "disk", &found), LEFTOVER_NONE);
	assert_int_equal(leftover_find(items, 0, "disk", &found), LEFTOVER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_phase_of_each_end_has_its_answer),
		cmocka_unit_test(the_newest_record_of_the_device_tells),
		cmocka_unit_test(a_move_away_that_changes_nothing_leaves_a_state_that_had_come),
		cmocka_unit_test(what_is_at_work_or_cannot_be_read_is_no_leftover),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
