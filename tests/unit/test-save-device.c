// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/io.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/acquirer.h"
#include "engine/save.h"
#include "engine/transfer.h"
#include "fsm/fsm.h"
#include "effort.h"
#include "fake-dev.h"
#include "fake-switchover.h"

/* A set of one device, whose bare stream goes to a file in memory. */

#define BASE MIG_CAP_STOP_COPY
#define FULL (BASE | MIG_CAP_P2P | MIG_CAP_PRE_COPY)

/* More than a frame, and not a multiple of anything. */
#define SIZE ((uint64_t)IMAGE_FRAME_PAYLOAD + 123457)

/**
 * struct bench - a save
 * @file: where the stream goes
 * @member: what became of the device
 */
struct bench {
	struct fake *f;
	struct device dev;
	struct device *devs[1];
	struct cancel cancel;
	struct events events;
	struct transfer transfer;
	struct save_options o;
	struct save_result r;
	const struct member_result *member;
	int file;
};

static struct bench *bench_new(unsigned int caps)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	fake_policy = (struct fake_policy){ 0 };
	b->f = fake_new(caps);
	b->f->size = SIZE;
	b->f->cancel = &b->cancel;
	b->dev = (struct device){
		.lock = -1,
		.spec = (char *)"dev0",
		.how = &acquirer_node,
		.mig = &b->f->dev,
	};
	b->devs[0] = &b->dev;
	assert_int_equal(cancel_init(&b->cancel, NULL), 0);
	events_init(&b->events);
	assert_int_equal(transfer_init(&b->transfer, 1, NULL), 0);
	events_listen(&b->events, transfer_on_event, &b->transfer);
	b->file = memfd_create("stream", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(b->file >= 0);
	b->o = (struct save_options){
		.source.devs = b->devs,
		.source.n = 1,
		.uri = { .kind = URI_FD, .text = "the file", .fd = b->file },
		.source.raw = true,
		.source.converge = { .policy = { .max_ns = 3600 * NSEC_PER_SEC } },
		.source.events = &b->events,
	};
	return b;
}

static void bench_free(struct bench *b)
{
	save_result_done(&b->r);
	transfer_done(&b->transfer);
	events_done(&b->events);
	cancel_done(&b->cancel);
	close(b->file);
	assert_int_equal(fake_free(b->f), 0);
	free(b);
}

static uint64_t file_size(const struct bench *b)
{
	struct stat st;

	assert_int_equal(fstat(b->file, &st), 0);
	return (uint64_t)st.st_size;
}

/* What has come out is a beginning of the stream, if not all of it. */
static void assert_stream(const struct bench *b)
{
	uint64_t size = file_size(b);
	uint8_t *bytes = malloc(size + 1);

	assert_non_null(bytes);
	assert_int_equal(pread(b->file, bytes, size, 0), size);
	if (!fake_matches(bytes, 0, size))
		for (uint64_t at = 0; at < size; at++)
			if (bytes[at] != fake_byte(at))
				fail_msg("byte %llu of %llu differs", (unsigned long long)at,
					 (unsigned long long)size);
	free(bytes);
}

static int save(struct bench *b, struct err *err)
{
	int r = save_run(&b->o, &b->cancel, &b->r, err);

	b->member = &b->r.source.devices[0];
	return r;
}

/* What is true of every end, good or bad. */
static int run(struct bench *b, struct err *err)
{
	const struct member_result *m;
	struct fake *f = b->f;
	int r;

	fake_query(f);
	r = save(b, err);
	m = b->member;
	assert_stream(b);
	if (r < 0)
		assert_int_equal(err->code, r);
	if (m->left_known)
		assert_string_equal(fsm_name(m->left), fsm_name(f->state));
	assert_null(f->dev.on_arc);
	assert_null(f->dev.cancel);
	assert_int_equal(b->transfer.devices[0].bytes, m->bytes);
	if (m->complete) {
		assert_int_equal(file_size(b), m->bytes);
		assert_true(m->bytes >= f->size);
	}
	if (r >= 0)
		assert_true(m->complete && b->r.published);
	/* A device that is not where it was found is an error, whatever became of the stream. */
	if (!m->left_known || (!b->o.source.leave_stopped && m->left != m->found) ||
	    (m->recovered && m->recovery.reset))
		assert_int_equal(err_status(err), 81);
	return r;
}

/* the plain way */

static void every_byte_arrives_in_order(void **state)
{
	static const uint64_t sizes[] = { 0,
					  1,
					  4093,
					  IMAGE_FRAME_PAYLOAD - 1,
					  IMAGE_FRAME_PAYLOAD,
					  IMAGE_FRAME_PAYLOAD + 1,
					  3 * (uint64_t)IMAGE_FRAME_PAYLOAD,
					  SIZE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		b->f->size = sizes[i];
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(file_size(b), sizes[i]);
		assert_int_equal(b->r.source.written, sizes[i]);
		assert_int_equal(b->member->bytes, sizes[i]);
		assert_int_equal(b->transfer.devices[0].expected, sizes[i]);
		assert_false(b->member->recovered);
		assert_int_equal(b->member->found, MIG_RUNNING);
		assert_string_equal(b->f->log,
				    "get set:running-p2p set:stop set:stop-copy set:stop "
				    "set:running-p2p set:running");
		bench_free(b);
	}
}

/* What a lane hands on: how many pieces, and how many of them are no full frames. */
struct pieces {
	unsigned int n, odd;
	uint64_t bytes;
	bool good;
};

static int count_piece(void *ctx, const void *buf, size_t len, struct err *err)
{
	struct pieces *p = ctx;

	(void)err;
	p->n++;
	p->odd += len != IMAGE_FRAME_PAYLOAD;
	p->good &= fake_matches(buf, p->bytes, len);
	p->bytes += len;
	return 0;
}

static void frames_are_full_however_the_driver_reads(void **state)
{
	static const uint64_t sizes[] = {
		0, 1, IMAGE_FRAME_PAYLOAD - 1, IMAGE_FRAME_PAYLOAD, IMAGE_FRAME_PAYLOAD + 1, SIZE
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct pieces p = { .good = true };
		struct bench *b = bench_new(FULL);
		struct lanes lanes = {
			.put = count_piece,
			.ctx = &p,
			.cancel = &b->cancel,
		};
		struct lane lane;

		b->f->size = sizes[i];
		fake_query(b->f);
		assert_int_equal(mig_goto(&b->f->dev, MIG_STOP_COPY, NULL), 0);
		lanes_init(&lanes);
		assert_int_equal(lane_init(&lane, &lanes, &b->f->dev, 0, &b->events, NULL), 0);
		assert_int_equal(pump_run(&lane.pump, NULL), 0);
		assert_int_equal(pump_flush(&lane.pump, NULL), 0);
		assert_true(p.good);
		assert_int_equal(p.bytes, sizes[i]);
		assert_int_equal(p.n, (sizes[i] + IMAGE_FRAME_PAYLOAD - 1) / IMAGE_FRAME_PAYLOAD);
		assert_int_equal(p.odd, sizes[i] % IMAGE_FRAME_PAYLOAD ? 1 : 0);
		assert_int_equal(b->transfer.devices[0].bytes, sizes[i]);
		lane_done(&lane);
		lanes_done(&lanes);
		bench_free(b);
	}
}

static void the_arcs_are_kept_and_the_last_state_is_shown(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };
	bool open;

	(void)state;
	assert_int_equal(run(b, &err), 0);
	assert_int_equal(b->member->timeline.n, 6);
	assert_int_equal(b->member->timeline.arcs[2].to, MIG_STOP_COPY);
	assert_true(timeline_downtime(&b->member->timeline, &open) >=
		    b->member->timeline.arcs[0].ns);
	assert_false(open);
	assert_int_equal(b->transfer.devices[0].state, MIG_RUNNING);
	assert_true(b->member->stream_ns > 0);
	bench_free(b);
}

static void a_device_goes_back_to_where_it_was_found(void **state)
{
	static const struct {
		enum mig_state at, found, left;
		bool leave_stopped;
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING,      MIG_RUNNING,     MIG_RUNNING,     false },
		{ MIG_RUNNING,      MIG_RUNNING,     MIG_STOP,        true },
		{ MIG_RUNNING_P2P,  MIG_RUNNING_P2P, MIG_RUNNING_P2P, false },
		{ MIG_RUNNING_P2P,  MIG_RUNNING_P2P, MIG_STOP,        true },
		{ MIG_STOP,         MIG_STOP,        MIG_STOP,        false },
		{ MIG_STOP,         MIG_STOP,        MIG_STOP,        true },
		/* left behind by another process */
		{ MIG_STOP_COPY,    MIG_STOP,        MIG_STOP,        false },
		{ MIG_PRE_COPY,     MIG_RUNNING,     MIG_RUNNING,     false },
		{ MIG_PRE_COPY_P2P, MIG_RUNNING_P2P, MIG_RUNNING_P2P, false },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (int precopy = 0; precopy < 2; precopy++) {
			static const struct fake_round rounds[] = { { 5000, 0, false } };
			struct bench *b = bench_new(FULL);
			struct err err = { 0 };

			b->f->rounds = rounds;
			b->f->n_rounds = ARRAY_SIZE(rounds);
			b->f->state = rows[i].at;
			b->o.source.leave_stopped = rows[i].leave_stopped;
			if (precopy)
				b->o.source.precopy = true;
			assert_int_equal(run(b, &err), 0);
			assert_int_equal(b->member->found, rows[i].found);
			assert_int_equal(b->member->left, rows[i].left);
			assert_true(b->member->left_known);
			assert_int_equal(file_size(b), SIZE);
			bench_free(b);
		}
}

static void where_there_is_no_state_nothing_is_saved(void **state)
{
	static const enum mig_state rows[] = { MIG_ERROR, MIG_RESUMING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		b->f->state = rows[i];
		assert_int_equal(run(b, &err), -EBUSY);
		assert_int_equal(b->member->fate, MIG_FATE_LOST);
		assert_int_equal(err_status(&err), 81);
		assert_string_equal(err.hint, "vfiomigctl reset dev0");
		assert_string_equal(b->f->log, "get");
		assert_int_equal(file_size(b), 0);
		bench_free(b);
	}
}

static void what_cannot_be_settled_is_not_saved(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->f->state = MIG_STOP_COPY;
	fake_fail(b->f, FAKE_SET, 1, -EIO, MIG_ERROR);
	assert_int_equal(run(b, &err), -EIO);
	assert_int_equal(file_size(b), 0);
	assert_false(b->member->complete);
	/* Its state was lost before: a reset can do no harm. */
	assert_int_equal(b->member->left, MIG_STOP);
	assert_int_equal(b->member->fate, MIG_FATE_BLANK);
	assert_int_equal(err_status(&err), 81);
	bench_free(b);
}

/* pre-copy */

static void a_device_without_precopy_is_stopped_at_once(void **state)
{
	struct bench *b = bench_new(BASE);
	struct err err = { 0 };

	(void)state;
	b->o.source.precopy = true;
	assert_int_equal(run(b, &err), 0);
	assert_string_equal(b->f->log, "get set:stop set:stop-copy set:stop set:running");
	assert_int_equal(fake_policy.asked, 0);
	bench_free(b);
}

/* failures, everywhere */

enum policy {
	AT_ONCE,
	TOLD,
	STOPPED,
	NR_POLICIES
};

static struct bench *bench_of(enum policy policy)
{
	static const struct fake_round rounds[] = { { 70000, 5, false }, { 0, 0, false } };
	static const enum switchover_verdict twice[] = { SWITCHOVER_NOT_YET };
	struct bench *b = bench_new(FULL);

	if (policy == TOLD) {
		b->o.source.precopy = true;
		b->f->rounds = rounds;
		b->f->n_rounds = ARRAY_SIZE(rounds);
		fake_policy.verdicts = twice;
		fake_policy.n = ARRAY_SIZE(twice);
	}
	b->o.source.leave_stopped = policy == STOPPED;
	return b;
}

/* What must hold whatever failed once: the device is where it belongs. */
static void assert_brought_back(struct bench *b, const char *what, unsigned int nth, int r,
				const struct err *err)
{
	enum mig_state home = b->o.source.leave_stopped && b->r.published ? MIG_STOP : MIG_RUNNING;

	/* A driver that ends up in a load has dropped the state; the load is not ours to reset. */
	if (b->f->state == MIG_RESUMING) {
		assert_int_equal(err_status(err), 81);
		assert_int_equal(b->member->fate, MIG_FATE_LOST);
		return;
	}
	if (b->f->state != home || !b->member->left_known)
		fail_msg("%s %u (%d, %s): left in %s: %s", what, nth, r, err->text,
			 fsm_name(b->f->state), b->f->log);
	assert_int_equal(b->member->left, home);
	/* What failed after its way back is no matter of the device. */
	if (r >= 0 || (b->member->complete && !b->o.source.leave_stopped && !b->member->recovered))
		return;
	assert_true(b->member->recovered);
	assert_true(b->member->recovery.ok);
	assert_string_not_equal(err->note, "");
	if (!b->member->recovery.reset)
		assert_int_not_equal(err_status(err), 81);
}

static void wherever_a_call_fails_the_device_comes_back(void **state)
{
	static const struct {
		enum fake_call call;
		const char *name;
		bool lands; /* try every place that the failure may leave the device in */
	} kinds[] = {
		{ FAKE_SET, "set", true },
		{ FAKE_READ, "read", false },
		{ FAKE_INFO, "info", false },
	};
	unsigned int runs = 0;

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int lands = kinds[k].lands ? 0 : FAKE_STAYS;
			     lands <= FAKE_STAYS; lands++)
				for (unsigned int nth = 1;; nth += effort_share()) {
					struct bench *b = bench_of((enum policy)policy);
					struct err err = { 0 };
					bool failed;
					int r;

					fake_fail(b->f, kinds[k].call, nth, -EIO,
						  (enum mig_state)lands);
					r = run(b, &err);
					failed = b->f->calls[kinds[k].call] >= nth;
					assert_brought_back(b, kinds[k].name, nth, r, &err);
					assert_true(failed || r == 0);
					/* A stream that lacks something is never complete. */
					if (failed && kinds[k].call == FAKE_READ)
						assert_false(b->member->complete);
					/* What pre-copy is not told it does without. */
					if (kinds[k].call == FAKE_INFO)
						assert_true(r == 0 && b->member->complete);
					runs++;
					bench_free(b);
					if (!failed)
						break;
				}
	assert_true(runs * effort_share() > 100);
}

static void a_failed_arc_that_cost_nothing_is_safe_to_try_again(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, nth, -EBUSY, FAKE_STAYS);
		assert_int_equal(run(b, &err), -EBUSY);
		assert_int_equal(err_status(&err), 75);
		assert_string_equal(err.note, "the device is in running again");
		assert_false(b->member->recovery.reset);
		bench_free(b);
	}
}

static void whenever_it_is_cancelled_the_device_comes_back(void **state)
{
	static const enum fake_call kinds[] = { FAKE_SET, FAKE_READ, FAKE_INFO };

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int nth = 1;; nth++) {
				struct bench *b = bench_of((enum policy)policy);
				struct err err = { 0 };
				bool asked;
				int r;

				b->f->cancel_at = kinds[k];
				b->f->cancel_n = nth;
				r = run(b, &err);
				asked = b->f->calls[kinds[k]] >= nth;
				assert_brought_back(b, "cancelled at", nth, r, &err);
				assert_int_equal(r, asked ? -ECANCELED : 0);
				assert_int_equal(b->r.published, !asked);
				if (r < 0)
					assert_int_equal(err_status(&err), 75);
				bench_free(b);
				if (!asked)
					break;
			}
}

static void a_request_before_it_began_is_heard(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	assert_true(cancel_request(&b->cancel));
	assert_int_equal(run(b, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_int_equal(file_size(b), 0);
	assert_int_equal(b->f->state, MIG_RUNNING);
	bench_free(b);
}

/* A file that does not grow, a full disk, a reader that has gone. */
static int bad_file(struct bench *b, int error)
{
	int p[2];

	switch (error) {
	case -EPERM:
		assert_int_equal(ftruncate(b->file, IMAGE_FRAME_PAYLOAD), 0);
		assert_int_equal(fcntl(b->file, F_ADD_SEALS, F_SEAL_GROW), 0);
		return fcntl(b->file, F_DUPFD_CLOEXEC, 0);
	case -EPIPE:
		assert_int_equal(pipe2(p, O_CLOEXEC), 0);
		close(p[0]);
		return p[1];
	default:
		return open("/dev/full", O_WRONLY | O_CLOEXEC);
	}
}

static void when_the_sink_fails_the_device_comes_back(void **state)
{
	static const int errors[] = { -ENOSPC, -EPIPE, -EPERM };

	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
			struct bench *b = bench_of((enum policy)policy);
			_cleanup_fd_ int fd = bad_file(b, errors[i]);
			struct err err = { 0 };
			int r;

			assert_true(fd >= 0);
			b->o.uri.fd = fd;
			fake_query(b->f);
			r = save(b, &err);
			assert_int_equal(r, errors[i]);
			assert_int_equal(err_status(&err), 74);
			assert_string_equal(err.text, "the file: writing");
			assert_false(b->member->complete);
			assert_false(b->r.published);
			assert_int_equal(b->r.verdict.owner, OWNER_SOURCE);
			assert_brought_back(b, "writing", (unsigned int)i, r, &err);
			bench_free(b);
		}
}

/* The driver says no from some SET on, and will not be reset: say so, and where it is. */
static void a_device_that_cannot_be_brought_back_is_told_of(void **state)
{
	(void)state;
	for (unsigned int policy = 0; policy < NR_POLICIES; policy++)
		for (unsigned int lands = 0; lands <= FAKE_STAYS; lands++)
			for (unsigned int nth = 1;; nth += effort_share()) {
				struct bench *b = bench_of((enum policy)policy);
				struct err err = { 0 };
				bool failed;
				int r;

				fake_fail(b->f, FAKE_SET, nth, -EIO, FAKE_STAYS)->times = 1000;
				b->f->faults[0].lands = (enum mig_state)lands;
				b->f->cannot_reset = true;
				b->f->dev.can_reset = false;
				r = run(b, &err);
				failed = b->f->calls[FAKE_SET] >= nth;
				assert_true(b->member->left_known);
				if (failed && b->f->state != MIG_RUNNING &&
				    !(b->o.source.leave_stopped && b->f->state == MIG_STOP)) {
					assert_true(r < 0);
					assert_int_equal(err_status(&err), 81);
					assert_false(b->member->recovery.ok);
					assert_string_not_equal(err.note, "");
				}
				bench_free(b);
				if (!failed)
					break;
			}
}

/* A device with page requests under way. */
static void a_device_that_is_busy_is_asked_again(void **state)
{
	static const unsigned int caps[] = { BASE, BASE | MIG_CAP_P2P, FULL };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		struct bench *b = bench_new(caps[i]);
		struct err err = { 0 };

		/* The arc to STOP is the second where the first is to RUNNING_P2P. */
		fake_fail(b->f, FAKE_SET, caps[i] == BASE ? 1 : 2, -EBUSY, FAKE_STAYS)->times = 3;
		b->o.source.retry_ns = 60 * NSEC_PER_SEC;
		assert_int_equal(run(b, &err), 0);
		assert_int_equal(b->member->retries, 3);
		assert_int_equal(file_size(b), SIZE);
		assert_false(b->member->recovered);
		bench_free(b);
	}
}

static void one_that_stays_busy_runs_on(void **state)
{
	static const uint64_t budgets[] = { 0, 1, 50 * NSEC_PER_MSEC };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(budgets); i++) {
		struct bench *b = bench_new(BASE);
		struct err err = { 0 };

		b->o.source.retry_ns = budgets[i];
		fake_fail(b->f, FAKE_SET, 1, -EBUSY, FAKE_STAYS)->times = 1000000;
		assert_int_equal(run(b, &err), -EBUSY);
		assert_int_equal(err_status(&err), 75);
		assert_int_equal(b->f->state, MIG_RUNNING);
		assert_int_equal(!!strstr(err.text, "still refused after"), budgets[i] > 0);
		assert_int_equal(b->member->retries > 0, budgets[i] > 1);
		assert_int_equal(file_size(b), 0);
		bench_free(b);
	}
}

static void to_wait_for_a_busy_device_can_be_cancelled(void **state)
{
	struct bench *b = bench_new(FULL);
	struct err err = { 0 };

	(void)state;
	b->o.source.retry_ns = UINT64_MAX;
	fake_fail(b->f, FAKE_SET, 2, -EBUSY, FAKE_STAYS)->times = 3;
	b->f->cancel_at = FAKE_SET;
	b->f->cancel_n = 4;
	assert_int_equal(run(b, &err), -ECANCELED);
	assert_int_equal(err_status(&err), 75);
	assert_int_equal(b->f->state, MIG_RUNNING);
	bench_free(b);
}

static void a_device_that_no_longer_answers_is_told_of(void **state)
{
	(void)state;
	for (unsigned int nth = 1; nth <= 6; nth++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, nth, -ENODEV, FAKE_STAYS)->times = 1000;
		fake_query(b->f);
		/* The first question is what it is. */
		fake_fail(b->f, FAKE_GET, 2, -ENODEV, FAKE_STAYS)->times = 1000;
		fake_fail(b->f, FAKE_RESET, 1, -ENODEV, FAKE_STAYS)->times = 1000;
		assert_int_equal(save(b, &err), -ENODEV);
		assert_false(b->member->left_known);
		assert_int_equal(err_status(&err), 81);
		assert_int_equal(b->member->complete, nth > 3);
		bench_free(b);
	}
}

/* It may be the only copy of the state that there is. */
static void a_stream_is_complete_when_only_the_way_back_failed(void **state)
{
	static const struct {
		unsigned int nth;
		int error;
		enum mig_state lands;
		int result, status;
		bool reset;
	} rows[] = {
		/* clang-format off */
		{ 4, -EIO, FAKE_STAYS,    0,    0,  false }, /* tried again, and then it worked */
		{ 5, -EIO, FAKE_STAYS,    0,    0,  false },
		{ 6, -EIO, FAKE_STAYS,    0,    0,  false },
		{ 4, -EIO, MIG_ERROR,     -EIO, 81, true },
		{ 6, -EIO, MIG_ERROR,     -EIO, 81, true },
		{ 5, -EIO, MIG_RESUMING,  -EIO, 81, false }, /* a load that is not ours */
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };

		fake_fail(b->f, FAKE_SET, rows[i].nth, rows[i].error, rows[i].lands);
		fake_query(b->f);
		assert_int_equal(save(b, &err), rows[i].result);
		assert_true(b->member->complete);
		assert_int_equal(file_size(b), SIZE);
		assert_int_equal(b->member->recovery.reset, rows[i].reset);
		assert_int_equal(b->f->state,
				 rows[i].lands == MIG_RESUMING ? MIG_RESUMING : MIG_RUNNING);
		if (rows[i].result < 0)
			assert_int_equal(err_status(&err), rows[i].status);
		bench_free(b);
	}
}

/* --leave stop: once the stream is whole, stopped is where it belongs. */
static void a_device_to_be_left_stopped_is_stopped_after_a_failure_too(void **state)
{
	struct bench *b = bench_of(STOPPED);
	struct err err = { 0 };

	(void)state;
	fake_fail(b->f, FAKE_SET, 4, -EIO, MIG_ERROR);
	assert_int_equal(run(b, &err), -EIO);
	assert_true(b->member->complete);
	assert_int_equal(b->f->state, MIG_STOP);
	assert_int_equal(err_status(&err), 81);
	assert_string_equal(err.note, "it had to be reset: it is in stop, its state is lost; "
				      "the file is complete and has the state");
	bench_free(b);
}

/* Left in STOP as asked, and then the file was not to be: nothing was saved after all. */
static void what_was_not_kept_is_undone(void **state)
{
	static const struct {
		int error; /* of the first SET on the way back */
		enum mig_state lands;
		int status;
	} rows[] = {
		{ 0, FAKE_STAYS, 75 },
		{ -EIO, MIG_ERROR, 81 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_of(STOPPED);
		struct err err = { 0 };

		b->f->cancel_at = FAKE_SET;
		b->f->cancel_n = 4;
		if (rows[i].error)
			fake_fail(b->f, FAKE_SET, 5, rows[i].error, rows[i].lands);
		fake_query(b->f);
		assert_int_equal(save(b, &err), -ECANCELED);
		assert_true(b->member->complete);
		assert_false(b->r.published);
		assert_int_equal(err_status(&err), rows[i].status);
		assert_string_not_equal(err.note, "");
		assert_int_equal(b->f->state, MIG_RUNNING);
		assert_int_equal(b->member->left, MIG_RUNNING);
		assert_true(b->member->left_known);
		assert_null(b->f->dev.on_arc);
		bench_free(b);
	}
}

/* A read that ends the session: the driver failed, or another process reset the device. */
static void a_session_that_ends_under_the_reader_is_no_end_of_stream(void **state)
{
	static const enum mig_state lands[] = { MIG_RUNNING, MIG_ERROR, MIG_STOP };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lands); i++) {
		struct bench *b = bench_new(FULL);
		struct err err = { 0 };
		int r;

		fake_fail(b->f, FAKE_READ, 5, -ENODEV, lands[i]);
		r = run(b, &err);
		assert_int_equal(r, -ENODEV);
		assert_int_equal(!!strstr(err.note, "it was reset by another process"),
				 lands[i] == MIG_RUNNING);
		assert_false(b->member->complete);
		assert_brought_back(b, "read", 5, r, &err);
		bench_free(b);
	}
}

/* Where it is a file that is made, of a stream that is stored as it is. */
static void room_for_what_the_driver_expects_is_asked_for_first(void **state)
{
	static const struct {
		uint64_t size;
		const char *file;
		int zstd_level;
		int r;
		bool free_known;
	} rows[] = {
		{ 0, "there/room.img", 0, 0, true },
		{ UINT64_MAX, "there/room.img", 0, -ENOSPC, true },
		{ UINT64_MAX, "there/room.img", 3, 0, true },
		{ UINT64_MAX, "/dev/null", 0, 0, false },
		{ UINT64_MAX, "exec:cat", 0, 0, false },
		{ UINT64_MAX, "nowhere/room.img", 0, 0, false },
	};

	(void)state;
	assert_true(mkdir("there", 0700) == 0 || errno == EEXIST);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct bench *b = bench_new(FULL);
		struct save_options o = {
			.source.devs = b->devs,
			.source.n = 1,
			.source.zstd_level = rows[i].zstd_level,
		};
		struct err err = { 0 };
		struct save_room room;

		b->f->size = rows[i].size;
		fake_query(b->f);
		assert_int_equal(uri_parse(rows[i].file, URI_PLAIN, &o.uri, NULL), 0);
		assert_int_equal(save_check_room(&o, &room, &err), rows[i].r);
		assert_true(room.expected_known && room.expected == rows[i].size);
		assert_int_equal(room.free_known, rows[i].free_known);
		if (rows[i].r < 0) {
			assert_int_equal(err_status(&err), ERR_OUTPUT);
			assert_non_null(strstr(err.text, "there/room.img: "));
			assert_non_null(
				strstr(err.text, "free, and the driver of dev0 expects 16"));
			assert_string_not_equal(err.hint, "");
		}
		bench_free(b);
	}
	rmdir("there");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(room_for_what_the_driver_expects_is_asked_for_first),
		cmocka_unit_test(every_byte_arrives_in_order),
		cmocka_unit_test(frames_are_full_however_the_driver_reads),
		cmocka_unit_test(the_arcs_are_kept_and_the_last_state_is_shown),
		cmocka_unit_test(a_device_goes_back_to_where_it_was_found),
		cmocka_unit_test(where_there_is_no_state_nothing_is_saved),
		cmocka_unit_test(what_cannot_be_settled_is_not_saved),
		cmocka_unit_test(a_device_without_precopy_is_stopped_at_once),
		cmocka_unit_test(wherever_a_call_fails_the_device_comes_back),
		cmocka_unit_test(a_failed_arc_that_cost_nothing_is_safe_to_try_again),
		cmocka_unit_test(whenever_it_is_cancelled_the_device_comes_back),
		cmocka_unit_test(a_request_before_it_began_is_heard),
		cmocka_unit_test(when_the_sink_fails_the_device_comes_back),
		cmocka_unit_test(a_device_that_cannot_be_brought_back_is_told_of),
		cmocka_unit_test(a_device_that_is_busy_is_asked_again),
		cmocka_unit_test(one_that_stays_busy_runs_on),
		cmocka_unit_test(to_wait_for_a_busy_device_can_be_cancelled),
		cmocka_unit_test(a_device_that_no_longer_answers_is_told_of),
		cmocka_unit_test(a_stream_is_complete_when_only_the_way_back_failed),
		cmocka_unit_test(a_device_to_be_left_stopped_is_stopped_after_a_failure_too),
		cmocka_unit_test(what_was_not_kept_is_undone),
		cmocka_unit_test(a_session_that_ends_under_the_reader_is_no_end_of_stream),
	};

	signal(SIGPIPE, SIG_IGN);
	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
