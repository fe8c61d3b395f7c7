// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "engine/load.h"
#include "fsm/fsm.h"
#include "fake-dev.h"

/* A load of a bare stream: wherever it fails, what becomes of the device. */

#define FULL (MIG_CAP_STOP_COPY | MIG_CAP_P2P | MIG_CAP_PRE_COPY)
#define SIZE 70000u
#define BUDGET (60 * NSEC_PER_SEC)

/* The arcs of a load, as SETs are counted. */
enum {
	TO_P2P = 1,
	TO_STOP,
	TO_RESUMING,
	JUDGED,
	START_P2P,
	START
};

struct row {
	const char *name;
	struct fake_fault faults[2];
	uint64_t budget_ns;
	/* and what comes of it */
	int result, status;
	enum mig_state left;
	enum owner owner;
	unsigned int resets;
	bool hold;
};

static int stream_fd(bool pipe_it)
{
	uint8_t bytes[SIZE];
	int fd = memfd_create("stream", MFD_CLOEXEC), p[2];

	assert_true(fd >= 0);
	fake_fill(bytes, 0, SIZE);
	if (!pipe_it) {
		assert_int_equal(write_full(fd, bytes, SIZE), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
		return fd;
	}
	close(fd);
	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	pipe_widen(p[1]);
	assert_int_equal(write_full(p[1], bytes, SIZE), 0);
	close(p[1]);
	return p[0];
}

static int load(struct fake *f, struct load_options *o, bool pipe_it, struct load_result *ret,
		struct err *err)
{
	struct device dev = {
		.spec = (char *)"dev0",
		.how = &acquirer_node,
		.mig = &f->dev,
		.lock = -1,
	};
	struct device *devs[] = { &dev };
	int fd = stream_fd(pipe_it), r;
	struct cancel cancel;

	assert_int_equal(cancel_init(&cancel, NULL), 0);
	f->cancel = &cancel;
	o->devs = devs;
	o->n = 1;
	o->raw = true;
	o->start = LOAD_STARTS_ALL;
	o->uri = (struct uri){ .kind = URI_FD, .text = "the stream", .fd = fd };
	r = load_run(o, &cancel, ret, err);
	cancel_done(&cancel);
	close(fd);
	return r;
}

static void assert_row(const struct row *row)
{
	struct load_options o = { .retry_ns = row->budget_ns };
	struct fake *f = fake_new(FULL);
	struct load_result result;
	struct err err = { 0 };
	int r;

	fake_query(f);
	memcpy(f->faults, row->faults, sizeof(row->faults));
	r = load(f, &o, false, &result, &err);
	if (r != row->result || (r < 0 && err_status(&err) != row->status) ||
	    f->state != row->left || result.verdict.owner != row->owner)
		fail_msg("%s: %d, status %d, owner %d, in %s: %s; %s; %s", row->name, r,
			 r < 0 ? err_status(&err) : 0, result.verdict.owner, fsm_name(f->state),
			 err.text, err.note, f->log);
	assert_int_equal(result.devices[0].left, row->left);
	assert_int_equal(f->calls[FAKE_RESET], row->resets);
	assert_int_equal(result.hold, row->hold);
	if (r >= 0) {
		assert_true(result.loads[0].started);
		assert_int_equal(f->loaded, SIZE);
		assert_true(f->load_good);
	}
	load_result_done(&result);
	assert_int_equal(fake_free(f), 0);
}

static void wherever_it_fails_no_state_is_destroyed_that_counts(void **state)
{
	static const struct row rows[] = {
		{ .name = "all is well", .left = MIG_RUNNING, .owner = OWNER_DESTINATION },
		{ .name = "the way to RESUMING is refused for now",
		  .faults = { { FAKE_SET, TO_RESUMING, 3, -EBUSY, FAKE_STAYS },
			      { FAKE_SET, TO_STOP, 1, -EAGAIN, FAKE_STAYS } },
		  .budget_ns = BUDGET,
		  .left = MIG_RUNNING,
		  .owner = OWNER_DESTINATION },
		{ .name = "the way to RESUMING is refused for good",
		  .faults = { { FAKE_SET, TO_RESUMING, 1, -EBUSY, FAKE_STAYS } },
		  .result = -EBUSY,
		  .status = 75,
		  .left = MIG_RUNNING,
		  .owner = OWNER_NONE },
		{ .name = "and so is the way back: its own state stays",
		  .faults = { { FAKE_SET, TO_RESUMING, 99, -EBUSY, FAKE_STAYS } },
		  .result = -EBUSY,
		  .status = 81,
		  .left = MIG_STOP,
		  .owner = OWNER_NONE },
		{ .name = "the way to RESUMING ends in error",
		  .faults = { { FAKE_SET, TO_RESUMING, 1, -EIO, MIG_ERROR } },
		  .result = -EIO,
		  .status = 81,
		  .left = MIG_RUNNING,
		  .owner = OWNER_NONE,
		  .resets = 1 },
		{ .name = "the driver refuses data",
		  .faults = { { FAKE_WRITE, 1, 1, -EIO, FAKE_STAYS } },
		  .result = -EIO,
		  .status = 74,
		  .left = MIG_STOP,
		  .owner = OWNER_NONE,
		  .resets = 1 },
		{ .name = "the driver judges it bad",
		  .faults = { { FAKE_SET, JUDGED, 1, -EINVAL, FAKE_STAYS } },
		  .result = -EINVAL,
		  .status = 65,
		  .left = MIG_STOP,
		  .owner = OWNER_NONE,
		  .resets = 1 },
		{ .name = "the driver cannot judge it now",
		  .faults = { { FAKE_SET, JUDGED, 3, -EAGAIN, FAKE_STAYS } },
		  .budget_ns = BUDGET,
		  .left = MIG_RUNNING,
		  .owner = OWNER_DESTINATION },
		{ .name = "the driver is out of memory",
		  .faults = { { FAKE_SET, JUDGED, 1, -ENOMEM, FAKE_STAYS } },
		  .result = -ENOMEM,
		  .status = 71,
		  .left = MIG_STOP,
		  .owner = OWNER_NONE,
		  .resets = 1 },
		{ .name = "it does not start: the state stays",
		  .faults = { { FAKE_SET, START_P2P, 1, -EIO, FAKE_STAYS } },
		  .result = -EIO,
		  .status = 81,
		  .left = MIG_STOP,
		  .owner = OWNER_DESTINATION,
		  .hold = true },
		{ .name = "it starts half-way",
		  .faults = { { FAKE_SET, START, 1, -EIO, FAKE_STAYS } },
		  .result = -EIO,
		  .status = 81,
		  .left = MIG_STOP,
		  .owner = OWNER_DESTINATION,
		  .hold = true },
		{ .name = "it starts half-way, and will not stop again",
		  .faults = { { FAKE_SET, START, 99, -EIO, FAKE_STAYS } },
		  .result = -EIO,
		  .status = 81,
		  .left = MIG_RUNNING_P2P,
		  .owner = OWNER_DESTINATION,
		  .hold = true },
		{ .name = "it ends in error: never a reset of ours",
		  .faults = { { FAKE_SET, START_P2P, 1, -EIO, MIG_ERROR } },
		  .result = -EIO,
		  .status = 81,
		  .left = MIG_ERROR,
		  .owner = OWNER_NONE },
		{ .name = "it starts after some tries",
		  .faults = { { FAKE_SET, START_P2P, 2, -EBUSY, FAKE_STAYS } },
		  .budget_ns = BUDGET,
		  .left = MIG_RUNNING,
		  .owner = OWNER_DESTINATION },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_row(&rows[i]);
}

static void whenever_it_is_cancelled_nothing_runs_a_part(void **state)
{
	(void)state;
	for (unsigned int nth = TO_P2P; nth <= START; nth++) {
		struct load_options o = { 0 };
		struct fake *f = fake_new(FULL);
		struct load_result result;
		struct err err = { 0 };
		int r;

		fake_query(f);
		f->cancel_at = FAKE_SET;
		f->cancel_n = nth;
		r = load(f, &o, false, &result, &err);
		/* Once it is this end's alone, a wish to stop comes too late. */
		assert_int_equal(r, nth > JUDGED ? 0 : -ECANCELED);
		if (r < 0)
			assert_int_equal(err_status(&err), 75);
		assert_true(f->state == MIG_STOP || f->loaded == 0 || result.loads[0].started);
		load_result_done(&result);
		assert_int_equal(fake_free(f), 0);
	}
}

/* A bare stream from a pipe may be a copy: its writer cannot say. */
static void what_may_be_a_copy_starts_only_as_a_clone(void **state)
{
	(void)state;
	for (int clone = 0; clone < 2; clone++) {
		struct load_options o = { .clone = clone };
		struct fake *f = fake_new(FULL);
		struct load_result result;
		struct err err = { 0 };

		fake_query(f);
		assert_int_equal(load(f, &o, true, &result, &err), 0);
		assert_int_equal(result.copy, !clone);
		assert_int_equal(result.loads[0].started, clone);
		assert_int_equal(f->state, clone ? MIG_RUNNING : MIG_STOP);
		assert_int_equal(result.verdict.owner, clone ? OWNER_DESTINATION : OWNER_UNKNOWN);
		assert_true(f->load_good);
		load_result_done(&result);
		assert_int_equal(fake_free(f), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wherever_it_fails_no_state_is_destroyed_that_counts),
		cmocka_unit_test(whenever_it_is_cancelled_nothing_runs_a_part),
		cmocka_unit_test(what_may_be_a_copy_starts_only_as_a_clone),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
