// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/macros.h"
#include "device/recover.h"
#include "engine/hold-lease.h"

#define READ LEASE_ASKS_READ
#define CHANGE LEASE_ASKS_CHANGE
#define RELEASE LEASE_RELEASES
#define GO LEASE_GOES

/* Events of clients 0 to 63 in order, what each comes to, and who has the lease at the end. */
static void each_event_of_each_client_has_its_verdict(void **state)
{
	static const struct {
		const char *name;
		struct {
			int client;
			enum lease_event event;
			enum lease_verdict verdict;
		} steps[6];
		uint64_t readers;
		int changer;
	} rows[] = {
		/* clang-format off */
		{ "readers share", { { 0, READ, LEASE_GRANTED }, { 63, READ, LEASE_GRANTED },
				     { 0, GO, LEASE_READ_ENDED } },
		  UINT64_C(1) << 63, LEASE_NONE },
		{ "one changes", { { 1, CHANGE, LEASE_GRANTED }, { 2, CHANGE, LEASE_BUSY },
					     { 1, RELEASE, LEASE_CHANGE_ENDED },
					     { 2, CHANGE, LEASE_GRANTED } },
		  0, 2 },
		{ "reading goes on beside a change", { { 1, CHANGE, LEASE_GRANTED },
						       { 2, READ, LEASE_GRANTED },
						       { 2, CHANGE, LEASE_BUSY } },
		  1 << 2, 1 },
		{ "a reader that may change reads no more", { { 3, READ, LEASE_GRANTED },
							      { 3, CHANGE, LEASE_GRANTED },
							      { 3, GO, LEASE_LOST } },
		  0, LEASE_NONE },
		{ "a change is not given up by reading", { { 3, CHANGE, LEASE_GRANTED },
							   { 3, READ, LEASE_GRANTED },
							   { 4, CHANGE, LEASE_BUSY } },
		  0, 3 },
		{ "to ask again is no second lease", { { 5, CHANGE, LEASE_GRANTED },
						       { 5, CHANGE, LEASE_GRANTED },
						       { 5, RELEASE, LEASE_CHANGE_ENDED },
						       { 5, RELEASE, LEASE_NOT_HIS } },
		  0, LEASE_NONE },
		{ "what is released cannot be lost", { { 6, CHANGE, LEASE_GRANTED },
						       { 6, RELEASE, LEASE_CHANGE_ENDED },
						       { 6, GO, LEASE_NOT_HIS } },
		  0, LEASE_NONE },
		{ "nothing is taken from others", { { 7, CHANGE, LEASE_GRANTED },
						    { 8, RELEASE, LEASE_NOT_HIS },
						    { 8, GO, LEASE_NOT_HIS } },
		  0, 7 },
		{ "one that was refused has nothing", { { 0, CHANGE, LEASE_GRANTED },
							{ 9, CHANGE, LEASE_BUSY },
							{ 9, GO, LEASE_NOT_HIS } },
		  0, 0 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lease l = LEASE_INIT;
		size_t n = 0;

		/* A step of zeros is client 0's asking to read, granted: the rows end before it. */
		while (n < ARRAY_SIZE(rows[i].steps) &&
		       (n == 0 || rows[i].steps[n].client || rows[i].steps[n].event ||
			rows[i].steps[n].verdict))
			n++;
		for (size_t s = 0; s < n; s++) {
			enum lease_verdict v =
				lease_step(&l, rows[i].steps[s].client, rows[i].steps[s].event);

			if (v != rows[i].steps[s].verdict)
				fail_msg("%s: step %zu came to %u", rows[i].name, s, v);
		}
		if (l.readers != rows[i].readers || l.changer != rows[i].changer)
			fail_msg("%s: readers %#lx, changer %d", rows[i].name,
				 (unsigned long)l.readers, l.changer);
		assert_int_equal(lease_idle(&l), !rows[i].readers && rows[i].changer == LEASE_NONE);
	}
}

/* Two who take arcs at a time would each be wrong about where the device is. */
static void what_is_brought_back_is_lent_to_no_other_client(void **state)
{
	static const enum lease_event asks[] = { READ, CHANGE };
	struct lease l = LEASE_INIT;

	(void)state;
	assert_int_equal(lease_step(&l, 1, READ), LEASE_GRANTED);
	assert_int_equal(lease_step(&l, 2, CHANGE), LEASE_GRANTED);
	assert_int_equal(lease_step(&l, 2, GO), LEASE_LOST);
	lease_recover(&l);
	for (size_t i = 0; i < ARRAY_SIZE(asks); i++) {
		assert_int_equal(lease_step(&l, 1, asks[i]), LEASE_NOT_YET);
		assert_int_equal(lease_step(&l, 3, asks[i]), LEASE_NOT_YET);
	}
	assert_int_equal(l.readers, 1 << 1);
	assert_int_equal(lease_step(&l, 3, GO), LEASE_NOT_HIS);
	assert_int_equal(lease_step(&l, 1, GO), LEASE_READ_ENDED);
	assert_false(lease_idle(&l));
	lease_recovered(&l);
	assert_true(lease_idle(&l));
	assert_int_equal(lease_step(&l, 3, CHANGE), LEASE_GRANTED);
}

static const struct {
	enum lease_verdict end;
	enum hold_if_lost if_lost;
	enum mig_state found, now;
	bool needed;
	enum mig_state want;
	enum mig_holds holds;
} recoveries[] = {
#define LOST LEASE_LOST
#define ENDED LEASE_CHANGE_ENDED
#define STAY HOLD_IF_LOST_STAY
#define RETURN HOLD_IF_LOST_RETURN
#define OWN MIG_HOLDS_OWN
#define GIVEN_UP MIG_HOLDS_GIVEN_UP
	/* clang-format off */
	/* a save to a file that was killed */
	{ LOST, RETURN, MIG_RUNNING, MIG_STOP_COPY,    true,  MIG_RUNNING,     OWN },
	{ LOST, RETURN, MIG_RUNNING, MIG_STOP,         true,  MIG_RUNNING,     OWN },
	{ LOST, RETURN, MIG_RUNNING, MIG_PRE_COPY_P2P, true,  MIG_RUNNING,     OWN },
	{ LOST, RETURN, MIG_STOP,    MIG_STOP_COPY,    true,  MIG_STOP,        OWN },
	{ LOST, RETURN, MIG_RUNNING, MIG_RUNNING,      false, MIG_RUNNING,     OWN },
	/* one whose state may have gone to another host */
	{ LOST, STAY,   MIG_RUNNING, MIG_STOP_COPY,    true,  MIG_STOP,        OWN },
	{ LOST, STAY,   MIG_RUNNING, MIG_STOP,         false, MIG_STOP,        OWN },
	{ LOST, STAY,   MIG_RUNNING, MIG_PRE_COPY,     true,  MIG_RUNNING,     OWN },
	{ LOST, STAY,   MIG_RUNNING, MIG_PRE_COPY_P2P, true,  MIG_RUNNING_P2P, OWN },
	{ LOST, STAY,   MIG_STOP,    MIG_RUNNING,      false, MIG_RUNNING,     OWN },
	/* a load that was cut off is dropped, never ended */
	{ LOST, STAY,   MIG_RUNNING, MIG_RESUMING,     true,  MIG_STOP,        GIVEN_UP },
	{ LOST, STAY,   MIG_STOP,    MIG_RESUMING,     true,  MIG_STOP,        GIVEN_UP },
	{ ENDED, STAY,  MIG_RUNNING, MIG_RESUMING,     true,  MIG_STOP,        GIVEN_UP },
	/* only a reset leaves ERROR, and one who releases it knows */
	{ LOST, RETURN, MIG_RUNNING, MIG_ERROR,        true,  MIG_RUNNING,     OWN },
	{ LOST, STAY,   MIG_STOP,    MIG_ERROR,        true,  MIG_STOP,        OWN },
	{ ENDED, STAY,  MIG_RUNNING, MIG_ERROR,        false, MIG_ERROR,       OWN },
	/* what was not known cannot be returned to */
	{ LOST, RETURN, MIG_ERROR,   MIG_STOP_COPY,    true,  MIG_STOP,        OWN },
	{ LOST, RETURN, MIG_ERROR,   MIG_RUNNING,      false, MIG_RUNNING,     OWN },
	/* in order: it is where it is wanted */
	{ ENDED, RETURN, MIG_RUNNING, MIG_STOP,        false, MIG_STOP,        OWN },
	{ ENDED, RETURN, MIG_RUNNING, MIG_STOP_COPY,   true,  MIG_STOP,        OWN },
	/* clang-format on */
};

static void each_way_to_leave_a_device_has_its_recovery(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(recoveries); i++) {
		struct lease_recovery r = lease_recovery(recoveries[i].end, recoveries[i].if_lost,
							 recoveries[i].found, recoveries[i].now);

		if (r.needed != recoveries[i].needed || r.want != recoveries[i].want ||
		    r.holds != recoveries[i].holds)
			fail_msg("row %zu: %s to %s, holds %u", i, r.needed ? "needed" : "left",
				 fsm_name(r.want), r.holds);
	}
}

/* Its state may run elsewhere by then: never two. */
static void what_may_have_gone_to_another_host_is_not_started(void **state)
{
	(void)state;
	for (unsigned int found = 0; found < MIG_NR_STATES; found++)
		for (unsigned int now = 0; now < MIG_NR_STATES; now++) {
			struct lease_recovery r = lease_recovery(LEASE_LOST, HOLD_IF_LOST_STAY,
								 (enum mig_state)found,
								 (enum mig_state)now);

			/* What it held is gone with a load, and with an error. */
			if (now == MIG_RESUMING || now == MIG_ERROR)
				continue;
			if (!fsm_runs((enum mig_state)now))
				assert_false(fsm_runs(r.want));
		}
}

static void no_session_is_left_open(void **state)
{
	(void)state;
	for (unsigned int end = 0; end < 2; end++)
		for (unsigned int found = 0; found < MIG_NR_STATES; found++)
			for (unsigned int now = 0; now < MIG_NR_STATES; now++) {
				enum mig_state settled = mig_settled((enum mig_state)found);
				struct lease_recovery r = lease_recovery(
					end ? LEASE_LOST : LEASE_CHANGE_ENDED, HOLD_IF_LOST_RETURN,
					settled, (enum mig_state)now);

				assert_int_equal(mig_settled(r.want), r.want);
				if (mig_settled((enum mig_state)now) != now)
					assert_true(r.needed);
			}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_event_of_each_client_has_its_verdict),
		cmocka_unit_test(what_is_brought_back_is_lent_to_no_other_client),
		cmocka_unit_test(each_way_to_leave_a_device_has_its_recovery),
		cmocka_unit_test(what_may_have_gone_to_another_host_is_not_started),
		cmocka_unit_test(no_session_is_left_open),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
