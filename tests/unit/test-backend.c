// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/macros.h"
#include "device/quirks.h"
#include "device/recover.h"
#include "fsm/fsm.h"
#include "fake-dev.h"

#define BASE MIG_CAP_STOP_COPY
#define P2P MIG_CAP_P2P
#define PRE MIG_CAP_PRE_COPY
#define FULL (BASE | P2P | PRE)

static int setup_caps(void **state, unsigned int caps)
{
	struct fake *f = fake_new(caps);

	fake_query(f);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_caps(state, FULL);
}

static int setup_p2p(void **state)
{
	return setup_caps(state, BASE | P2P);
}

static int setup_plain(void **state)
{
	return setup_caps(state, BASE);
}

static int teardown(void **state)
{
	return fake_free(*state);
}

/* Without a fault; forgets how it got there. */
static void bring(struct fake *f, enum mig_state to)
{
	assert_int_equal(mig_goto(&f->dev, to, NULL), 0);
	assert_int_equal(f->state, to);
	fake_forget(f);
}

/* The device is there, and the tool knows. */
static void assert_in(const struct fake *f, enum mig_state want)
{
	assert_true(f->dev.state_known);
	assert_string_equal(fsm_name(f->dev.state), fsm_name(want));
	assert_string_equal(fsm_name(f->state), fsm_name(want));
}

/* query */

static void a_query_finds_out_where_the_device_is(void **state)
{
	(void)state;
	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		struct fake *f = fake_new(FULL);

		f->state = (enum mig_state)s;
		assert_int_equal(mig_query(&f->dev, NULL), 0);
		assert_in(f, (enum mig_state)s);
		assert_string_equal(f->log, "get");
		assert_null(f->dev.stream);
		assert_int_equal(fake_free(f), 0);
	}
}

static void a_device_without_stop_copy_is_not_migratable(void **state)
{
	struct fake *f = fake_new(P2P | PRE);
	struct err err = { 0 };

	(void)state;
	assert_int_equal(mig_query(&f->dev, &err), -EOPNOTSUPP);
	assert_int_equal(err_status(&err), 69);
	assert_string_equal(err.text, "dev0: the driver's migration has no STOP_COPY");
	assert_string_equal(f->log, "");
	assert_int_equal(fake_free(f), 0);
}

static void a_query_that_fails_says_what_the_driver_said(void **state)
{
	struct fake *f = fake_new(FULL);
	struct err err = { 0 };

	(void)state;
	fake_fail(f, FAKE_QUERY, 1, -ENOTTY, FAKE_STAYS);
	assert_int_equal(mig_query(&f->dev, &err), -ENOTTY);
	assert_int_equal(err_status(&err), 69);
	assert_string_equal(err.text, "the fake will not tell");
	assert_int_equal(fake_free(f), 0);
}

/* refresh */

static void the_state_is_asked_for_three_times(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	for (unsigned int times = 1; times <= 3; times++) {
		fake_forget(f);
		fake_fail(f, FAKE_GET, 1, -EIO, FAKE_STAYS)->times = times;
		assert_int_equal(mig_refresh(&f->dev, &err), times < 3 ? 0 : -EIO);
		assert_int_equal(f->calls[FAKE_GET], MIN(times + 1, 3));
		assert_int_equal(f->dev.state_known, times < 3);
	}
	assert_string_equal(err.text, "dev0: cannot ask for the state: the fake will not say");
}

static void a_state_that_is_none_is_not_believed(void **state)
{
	static const int none[] = { MIG_NR_STATES, 255, -1 };
	struct fake *f = *state;

	f->lies = true;
	for (size_t i = 0; i < ARRAY_SIZE(none); i++) {
		struct err err = { 0 };

		f->reports = (enum mig_state)none[i];
		assert_int_equal(mig_refresh(&f->dev, &err), -EPROTO);
		assert_int_equal(err_status(&err), 81);
		assert_false(f->dev.state_known);
	}
	/* Nothing is set while it is not known where that would start from. */
	fake_forget(f);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), -EPROTO);
	assert_int_equal(f->calls[FAKE_SET], 0);
	f->lies = false;
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), 0);
	assert_in(f, MIG_STOP);
}

/* goto */

static unsigned int n_arcs;
static struct mig_arc arcs_seen[8];

static void see_arc(void *ctx, const struct mig_arc *arc)
{
	assert_ptr_equal(ctx, &n_arcs);
	if (n_arcs < ARRAY_SIZE(arcs_seen))
		arcs_seen[n_arcs] = *arc;
	n_arcs++;
}

static void a_walk_takes_one_arc_at_a_time_and_times_each(void **state)
{
	static const enum mig_state path[] = { MIG_RUNNING, MIG_RUNNING_P2P, MIG_STOP,
					       MIG_STOP_COPY };
	struct fake *f = *state;

	n_arcs = 0;
	f->dev.on_arc = see_arc;
	f->dev.on_arc_ctx = &n_arcs;
	assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), 0);
	assert_string_equal(f->log, "set:running-p2p set:stop set:stop-copy");
	assert_in(f, MIG_STOP_COPY);
	assert_int_equal(n_arcs, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(arcs_seen[i].from, path[i]);
		assert_int_equal(arcs_seen[i].to, path[i + 1]);
		assert_int_equal(arcs_seen[i].result, 0);
		assert_true(!i || arcs_seen[i].start_ns >=
					  arcs_seen[i - 1].start_ns + arcs_seen[i - 1].ns);
	}
	fake_forget(f);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), 0);
	assert_string_equal(f->log, "");
}

static void every_state_is_reached_from_every_other(void **state)
{
	(void)state;
	for (unsigned int caps = BASE; caps <= FULL; caps += 2)
		for (unsigned int from = 1; from < MIG_NR_STATES; from++)
			for (unsigned int to = 1; to < MIG_NR_STATES; to++) {
				bool way = fsm_next((enum mig_state)from, (enum mig_state)to,
						    caps) != MIG_ERROR;
				struct err err = { 0 };
				struct fake *f;

				if (!fsm_supported((enum mig_state)from, caps))
					continue;
				f = fake_new(caps);
				fake_query(f);
				bring(f, (enum mig_state)from);
				assert_int_equal(mig_goto(&f->dev, (enum mig_state)to, &err),
						 way ? 0 : -EINVAL);
				assert_in(f, (enum mig_state)(way ? to : from));
				assert_int_equal(err_status(&err), way ? 71 : 69);
				assert_int_equal(fake_free(f), 0);
			}
}

static void a_failed_arc_leaves_what_the_device_reports(void **state)
{
	static const enum mig_state path[] = { MIG_RUNNING, MIG_RUNNING_P2P, MIG_STOP,
					       MIG_STOP_COPY };

	(void)state;
	for (unsigned int nth = 1; nth <= 3; nth++)
		for (unsigned int lands = 0; lands <= FAKE_STAYS; lands++) {
			enum mig_state end = lands == FAKE_STAYS ? path[nth - 1]
								 : (enum mig_state)lands;
			struct fake *f = fake_new(FULL);
			struct err err = { 0 };
			char text[128];

			fake_query(f);
			fake_fail(f, FAKE_SET, nth, -EIO, (enum mig_state)lands);
			assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, &err), -EIO);
			assert_in(f, end);
			snprintf(text, sizeof(text),
				 "dev0: %s to %s failed, the device is in %s: the fake said no",
				 fsm_name(path[nth - 1]), fsm_name(path[nth]), fsm_name(end));
			assert_string_equal(err.text, text);
			assert_int_equal(f->calls[FAKE_SET], nth);
			/* Wherever that is: a session that only the kernel knows has no stream. */
			assert_null(f->dev.stream);
			assert_int_equal(fake_free(f), 0);
		}
}

static void a_failed_arc_is_told_with_its_errno(void **state)
{
	struct fake *f = *state;

	n_arcs = 0;
	f->dev.on_arc = see_arc;
	f->dev.on_arc_ctx = &n_arcs;
	fake_fail(f, FAKE_SET, 2, -EBUSY, FAKE_STAYS);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), -EBUSY);
	assert_int_equal(n_arcs, 2);
	assert_int_equal(arcs_seen[0].result, 0);
	assert_int_equal(arcs_seen[1].result, -EBUSY);
	assert_int_equal(arcs_seen[1].to, MIG_STOP);
}

static void when_asking_fails_too_the_state_is_unknown(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	fake_fail(f, FAKE_SET, 2, -EIO, MIG_ERROR);
	fake_fail(f, FAKE_GET, 1, -ENODEV, FAKE_STAYS)->times = 3;
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, &err), -EIO);
	assert_false(f->dev.state_known);
	assert_int_equal(f->calls[FAKE_GET], 3);
	assert_string_equal(err.text, "dev0: running-p2p to stop failed and the state is unknown: "
				      "the fake said no");
	/* The next walk asks first, and learns that there is nothing to walk. */
	fake_forget(f);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, &err), -EIO);
	assert_string_equal(f->log, "get");
	assert_int_equal(err_status(&err), 81);
	assert_in(f, MIG_ERROR);
}

static void nothing_is_set_in_error(void **state)
{
	struct fake *f = *state;

	f->state = MIG_ERROR;
	assert_int_equal(mig_refresh(&f->dev, NULL), 0);
	for (unsigned int to = 1; to < MIG_NR_STATES; to++) {
		struct err err = { 0 };

		assert_int_equal(mig_goto(&f->dev, (enum mig_state)to, &err), -EIO);
		assert_int_equal(err_status(&err), 81);
		assert_string_equal(err.note, "its state is lost");
		assert_string_equal(err.hint, "vfiomigctl reset dev0");
	}
	assert_int_equal(f->calls[FAKE_SET], 0);
}

/* A driver might take for complete what was cut off; mtty of Linux 6.12 follows a NULL pointer. */
static void a_load_of_somebody_else_is_not_ended_by_a_walk(void **state)
{
	struct fake *f = *state;

	f->state = MIG_RESUMING;
	f->load_cut = true;
	assert_int_equal(mig_refresh(&f->dev, NULL), 0);
	for (unsigned int to = 1; to < MIG_NR_STATES; to++) {
		struct err err = { 0 };

		if (to == MIG_RESUMING)
			continue;
		assert_int_equal(mig_goto(&f->dev, (enum mig_state)to, &err), -EBUSY);
		assert_int_equal(err_status(&err), 81);
		assert_string_equal(err.hint, "vfiomigctl reset dev0");
	}
	assert_int_equal(f->calls[FAKE_SET], 0);
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), 0);
}

static void a_state_that_the_device_lacks_is_refused_untouched(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	assert_int_equal(mig_goto(&f->dev, MIG_PRE_COPY, &err), -EINVAL);
	assert_int_equal(err_status(&err), 69);
	assert_string_equal(err.text, "dev0: no way from running to pre-copy");
	assert_string_equal(f->log, "");
}

static struct arc_retry once; /* an arc that is refused is not tried again */

/* pds does after a firmware recovery: what SET said is overtaken before the next one. */
static void a_driver_that_moves_by_itself_is_not_followed_for_ever(void **state)
{
	struct fake *f = *state;

	f->lies = true;
	f->reports = MIG_RUNNING;
	fake_fail(f, FAKE_SET, 2, -EAGAIN, FAKE_STAYS)->times = 1000;
	assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), -EAGAIN);
	assert_true(f->calls[FAKE_SET] <= 2);
}

/* The tool believes a SET that succeeded; as soon as it asks it knows better. */
static void a_driver_that_never_stays_is_given_up(void **state)
{
	struct fake *f = *state;
	struct mig_recovery rec;
	struct err err = { 0 };

	fake_fail(f, FAKE_SET, 1, 0, MIG_ERROR)->times = 1000;
	assert_false(mig_recover(&f->dev, MIG_STOP, MIG_HOLDS_OWN, &once, &rec, &err));
	assert_int_equal(rec.end, MIG_ERROR);
	assert_true(rec.end_known);
	assert_in(f, MIG_ERROR);
	assert_true(f->calls[FAKE_SET] <= 4);
	assert_int_not_equal(err.code, 0);
	f->sins = 0; /* it was in ERROR before the caller could know */
}

/* the stream and its session */

static void a_stream_lives_as_long_as_its_session(void **state)
{
	struct fake *f = *state;
	struct mig_stream *first;

	bring(f, MIG_PRE_COPY);
	first = f->dev.stream;
	assert_non_null(first);
	bring(f, MIG_PRE_COPY_P2P);
	assert_ptr_equal(f->dev.stream, first);
	bring(f, MIG_PRE_COPY);
	assert_ptr_equal(f->dev.stream, first);
	bring(f, MIG_STOP_COPY);
	assert_ptr_equal(f->dev.stream, first);
	assert_int_equal(f->opened, 1);
	assert_int_equal(f->closed, 0);
	bring(f, MIG_STOP);
	assert_null(f->dev.stream);
	assert_int_equal(f->closed, 1);

	bring(f, MIG_RESUMING);
	assert_non_null(f->dev.stream);
	bring(f, MIG_STOP);
	assert_null(f->dev.stream);
	assert_int_equal(f->opened, 2);
	assert_int_equal(f->closed, 2);
}

/* From one session to another the old stream goes, whatever lies between. */
static void a_session_is_not_confused_with_the_next(void **state)
{
	struct fake *f = *state;

	f->size = 1;
	bring(f, MIG_STOP_COPY);
	bring(f, MIG_RESUMING);
	assert_int_equal(f->opened, 2);
	assert_int_equal(f->closed, 1);
	assert_int_equal(mig_write(&f->dev, "", 1, NULL), 0);
	bring(f, MIG_STOP_COPY);
	assert_int_equal(f->opened, 3);
	assert_int_equal(f->closed, 2);
}

static void a_failure_that_ends_the_session_drops_the_stream(void **state)
{
	static const struct {
		enum mig_state lands;
		bool kept;
	} rows[] = {
		{ FAKE_STAYS, true },	    { MIG_PRE_COPY_P2P, true }, { MIG_STOP_COPY, true },
		{ MIG_RUNNING, false },	    { MIG_STOP, false },	{ MIG_ERROR, false },
		{ MIG_RUNNING_P2P, false }, { MIG_RESUMING, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = fake_new(FULL);

		fake_query(f);
		bring(f, MIG_PRE_COPY);
		fake_fail(f, FAKE_SET, 1, -EIO, rows[i].lands);
		assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), -EIO);
		assert_int_equal(f->dev.stream != NULL, rows[i].kept);
		assert_int_equal(f->closed, rows[i].kept ? 0 : 1);
		assert_int_equal(fake_free(f), 0);
	}
}

/* The kernel opened the session and then had no fd to give: EMFILE. */
static void a_session_without_a_stream_is_no_place_to_read(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };
	char buf[1];

	fake_fail(f, FAKE_SET, 3, -EMFILE, MIG_STOP_COPY);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP_COPY, NULL), -EMFILE);
	assert_in(f, MIG_STOP_COPY);
	assert_int_equal(mig_read(&f->dev, buf, 1, &err), -EBADF);
	assert_string_equal(err.text, "dev0: no stream is open in stop-copy");
	assert_int_equal(mig_precopy(&f->dev, &(struct mig_precopy_info){ 0 }, NULL), -EBADF);
	bring(f, MIG_STOP);
	assert_int_equal(mig_write(&f->dev, buf, 1, NULL), -EBADF);
	bring(f, MIG_STOP_COPY);
	assert_int_equal(mig_read(&f->dev, buf, 1, NULL), 0);
}

static void a_driver_that_gives_no_stream_is_found_out(void **state)
{
	static const enum mig_state opens[] = { MIG_STOP_COPY, MIG_PRE_COPY, MIG_RESUMING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(opens); i++) {
		struct fake *f = fake_new(FULL);
		struct err err = { 0 };

		fake_query(f);
		f->no_fd = true;
		assert_int_equal(mig_goto(&f->dev, opens[i], &err), -EBADF);
		assert_int_equal(err_status(&err), 81);
		assert_in(f, opens[i]);
		assert_null(f->dev.stream);
		assert_int_equal(fake_free(f), 0);
	}
}

/* reset */

static void a_reset_leads_to_running_and_ends_the_session(void **state)
{
	struct fake *f = *state;

	for (unsigned int s = 0; s < MIG_NR_STATES; s++) {
		if (s && s != MIG_RUNNING)
			assert_int_equal(mig_goto(&f->dev, (enum mig_state)s, NULL), 0);
		f->state = (enum mig_state)s;
		fake_forget(f);
		assert_int_equal(mig_reset(&f->dev, NULL), 0);
		assert_string_equal(f->log, "reset get");
		assert_in(f, MIG_RUNNING);
		assert_null(f->dev.stream);
	}
	assert_int_equal(f->opened, f->closed);
}

/* What a device says of itself is not the last word: mtty can be reset and does not say so. */
static void a_device_that_cannot_be_reset_says_so(void **state)
{
	static const struct {
		bool offered;
		int error;
		int status;
		const char *text;
	} rows[] = {
		{ false, -EINVAL, 69, "dev0: cannot be reset" },
		{ false, -ENOTTY, 69, "dev0: cannot be reset" },
		{ true, -ENOTTY, 69, "dev0: cannot be reset" },
		{ true, -EINVAL, 71, "dev0: the fake will not be reset" },
		{ false, -EIO, 74, "dev0: the fake will not be reset" },
	};
	struct fake *f = *state;
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		fake_forget(f);
		f->dev.can_reset = rows[i].offered;
		fake_fail(f, FAKE_RESET, 1, rows[i].error, FAKE_STAYS);
		assert_int_equal(mig_reset(&f->dev, &err), rows[i].error);
		assert_int_equal(err_status(&err), rows[i].status);
		assert_string_equal(err.text, rows[i].text);
	}
	f->dev.can_reset = false;
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_in(f, MIG_RUNNING);
	fake_forget(f);
	f->ops.reset = NULL;
	assert_int_equal(mig_reset(&f->dev, &err), -EOPNOTSUPP);
	assert_int_equal(err_status(&err), 69);
	assert_string_equal(f->log, "");
}

static void a_busy_reset_is_tried_again(void **state)
{
	struct fake *f = *state;

	f->state = MIG_ERROR;
	fake_fail(f, FAKE_RESET, 1, -EAGAIN, FAKE_STAYS)->times = 2;
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_string_equal(f->log, "reset! reset! reset get");
	assert_in(f, MIG_RUNNING);
}

static void a_reset_that_stays_busy_is_given_up(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	fake_fail(f, FAKE_RESET, 1, -EAGAIN, FAKE_STAYS)->times = 1000;
	assert_int_equal(mig_reset(&f->dev, &err), -EAGAIN);
	assert_int_equal(f->calls[FAKE_RESET], 20);
	assert_string_equal(err.text, "dev0: the fake will not be reset");
}

static void one_that_cannot_migrate_is_reset_and_not_asked(void **state)
{
	struct fake *f = fake_new(0);

	(void)state;
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_string_equal(f->log, "reset");
	assert_false(f->dev.state_known);
	assert_int_equal(fake_free(f), 0);
}

static void a_reset_that_failed_is_not_tried_again(void **state)
{
	struct fake *f = *state;

	fake_fail(f, FAKE_RESET, 1, -EIO, FAKE_STAYS);
	assert_int_equal(mig_reset(&f->dev, NULL), -EIO);
	assert_int_equal(f->calls[FAKE_RESET], 1);
}

static void after_a_reset_the_device_is_where_it_says(void **state)
{
	struct fake *f = *state;

	f->reset_to = MIG_ERROR;
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_in(f, MIG_ERROR);
	f->reset_to = MIG_STOP;
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_in(f, MIG_STOP);
	fake_fail(f, FAKE_GET, f->calls[FAKE_GET] + 1, -ENODEV, FAKE_STAYS)->times = 3;
	assert_int_equal(mig_reset(&f->dev, NULL), -ENODEV);
	assert_false(f->dev.state_known);
}

/* A vfio-user server may drop what was loaded and leave the state: that is where a load begins. */
static void a_reset_that_stays_in_resuming_begins_a_load(void **state)
{
	struct fake *f = *state;
	uint8_t byte = fake_byte(0);

	f->ops.open_load = fake_open_load;
	f->reset_to = MIG_RESUMING;
	f->state = MIG_RESUMING;
	f->load_cut = true;
	f->size = 1;
	assert_int_equal(mig_refresh(&f->dev, NULL), 0);
	assert_null(f->dev.stream);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), -EBUSY);
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
	assert_in(f, MIG_RESUMING);
	assert_int_equal(mig_goto(&f->dev, MIG_RESUMING, NULL), 0);
	assert_int_equal(mig_write(&f->dev, &byte, 1, NULL), 0);
	assert_int_equal(mig_goto(&f->dev, MIG_STOP, NULL), 0);
	assert_true(f->load_good);
}

static void a_reset_that_leads_elsewhere_names_the_way_on(void **state)
{
	static const struct {
		enum mig_state to;
		bool load;
		const char *hint; /* NULL: all is well */
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING,      true,  NULL },
		{ MIG_RUNNING_P2P,  true,  "vfiomigctl state dev0 running" },
		{ MIG_STOP,         true,  "vfiomigctl state dev0 running" },
		{ MIG_STOP_COPY,    true,  "vfiomigctl state dev0 running" },
		{ MIG_PRE_COPY,     true,  "vfiomigctl state dev0 running" },
		{ MIG_PRE_COPY_P2P, true,  "vfiomigctl state dev0 running" },
		{ MIG_RESUMING,     true,
		  "a load may begin anew: vfiomigctl resume dev0 FILE; else restart its server" },
		{ MIG_RESUMING,     false, "only its driver or server can help: restart that" },
		{ MIG_ERROR,        true,  "only its driver or server can help: restart that" },
		/* clang-format on */
	};
	struct fake *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		f->ops.open_load = rows[i].load ? fake_open_load : NULL;
		f->reset_to = rows[i].to;
		assert_int_equal(mig_reset(&f->dev, NULL), 0);
		assert_int_equal(mig_reset_check(&f->dev, &err), rows[i].hint ? -EPROTO : 0);
		if (!rows[i].hint)
			continue;
		assert_int_equal(err_status(&err), 81);
		assert_string_equal(err.hint, rows[i].hint);
	}
}

/* read, write, precopy */

static void a_stream_is_read_to_its_end(void **state)
{
	struct fake *f = *state;
	uint8_t buf[5000];
	uint64_t at = 0;
	ssize_t n;

	f->size = 123457;
	bring(f, MIG_STOP_COPY);
	while ((n = mig_read(&f->dev, buf, sizeof(buf), NULL)) > 0) {
		assert_true(fake_matches(buf, at, (size_t)n));
		at += (size_t)n;
	}
	assert_int_equal(n, MIG_READ_NOTHING);
	assert_int_equal(at, f->size);
}

static void enomsg_is_nothing_yet_and_never_the_end(void **state)
{
	static const struct {
		enum mig_state in;
		ssize_t result;
	} rows[] = {
		{ MIG_PRE_COPY, MIG_READ_NOTHING },
		{ MIG_PRE_COPY_P2P, MIG_READ_NOTHING },
		{ MIG_STOP_COPY, -ENOMSG },
	};
	struct fake *f = *state;
	struct err err = { 0 };
	char buf[16];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		bring(f, rows[i].in);
		fake_fail(f, FAKE_READ, 1, -ENOMSG, FAKE_STAYS);
		assert_int_equal(mig_read(&f->dev, buf, sizeof(buf), &err), rows[i].result);
	}
	assert_int_equal(err_status(&err), 74);
	assert_string_equal(err.text,
			    "dev0: reading the device's stream in stop-copy (a driver must "
			    "not say so there)");
}

static void a_session_that_ended_is_told_from_a_refusal(void **state)
{
	static const struct {
		enum mig_state lands;
		int error;
		const char *read, *write; /* behind "dev0: " */
	} rows[] = {
		/* clang-format off */
		{ MIG_RUNNING, -ENODEV,
		  "reading the device's stream in stop-copy: "
		  "another process has reset the device: it is in running",
		  "writing the device's stream: "
		  "another process has reset the device: it is in running" },
		{ MIG_ERROR, -ENODEV,
		  "reading the device's stream in stop-copy: "
		  "the device has gone to error by itself",
		  "writing the device's stream: the device has gone to error by itself" },
		{ FAKE_STAYS, -ENODEV,
		  "reading the device's stream in stop-copy",
		  "the driver refused the stream's data" },
		{ MIG_RUNNING, -EIO,
		  "reading the device's stream in stop-copy",
		  "the driver refused the stream's data" },
		/* clang-format on */
	};
	struct fake *f = *state;
	char buf[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };

		bring(f, MIG_STOP_COPY);
		fake_fail(f, FAKE_READ, 1, rows[i].error, rows[i].lands);
		assert_int_equal(mig_read(&f->dev, buf, sizeof(buf), &err), rows[i].error);
		assert_string_equal(err.text + strlen("dev0: "), rows[i].read);
		/* What recovery is going to compare. */
		assert_int_equal(f->dev.state, MIG_STOP_COPY);
		assert_int_equal(mig_reset(&f->dev, NULL), 0);
		bring(f, MIG_RESUMING);
		fake_fail(f, FAKE_WRITE, 1, rows[i].error, rows[i].lands);
		assert_int_equal(mig_write(&f->dev, buf, sizeof(buf), &err), rows[i].error);
		assert_string_equal(err.text + strlen("dev0: "), rows[i].write);
		assert_int_equal(err_status(&err), 74);
		assert_int_equal(mig_reset(&f->dev, NULL), 0);
	}
}

static void a_session_is_asked_after_before_its_end_counts(void **state)
{
	struct fake *f = *state;
	struct err err = { 0 };

	bring(f, MIG_RESUMING);
	assert_int_equal(mig_check_session(&f->dev, "the load is complete", &err), 0);
	/* A device that does not answer: the SET that follows tells. */
	fake_fail(f, FAKE_GET, f->calls[FAKE_GET] + 1, -EIO, FAKE_STAYS);
	assert_int_equal(mig_check_session(&f->dev, "the load is complete", &err), 0);
	assert_int_equal(err.code, 0);
	f->state = MIG_RUNNING;
	f->session++;
	assert_int_equal(mig_check_session(&f->dev, "the load is complete", &err), -ENODEV);
	assert_string_equal(err.text, "dev0: the load is complete: "
				      "another process has reset the device: it is in running");
	assert_int_equal(err_status(&err), 74);
	/* What recovery is going to compare. */
	assert_int_equal(f->dev.state, MIG_RESUMING);
	assert_int_equal(mig_reset(&f->dev, NULL), 0);
}

static void a_failed_read_or_write_is_not_tried_again(void **state)
{
	static const int errors[] = { -EINTR, -EAGAIN, -EIO, -ENODEV };
	struct fake *f = *state;
	char buf[16] = "";

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		struct err err = { 0 };

		bring(f, MIG_STOP_COPY);
		fake_fail(f, FAKE_READ, 1, errors[i], FAKE_STAYS);
		assert_int_equal(mig_read(&f->dev, buf, sizeof(buf), &err), errors[i]);
		assert_int_equal(err_status(&err), 74);
		assert_string_equal(err.text, "dev0: reading the device's stream in stop-copy");
		assert_int_equal(f->calls[FAKE_READ], 1);

		bring(f, MIG_RESUMING);
		fake_fail(f, FAKE_WRITE, 1, errors[i], FAKE_STAYS);
		assert_int_equal(mig_write(&f->dev, buf, sizeof(buf), &err), errors[i]);
		assert_int_equal(err_status(&err), 74);
		assert_string_equal(err.text, "dev0: the driver refused the stream's data");
		assert_int_equal(f->calls[FAKE_WRITE], 1);
	}
}

static void a_write_goes_on_where_the_driver_stopped(void **state)
{
	struct fake *f = *state;
	uint8_t buf[1000];

	fake_fill(buf, 0, sizeof(buf));
	bring(f, MIG_RESUMING);
	f->takes = 7;
	assert_int_equal(mig_write(&f->dev, buf, sizeof(buf), NULL), 0);
	assert_int_equal(f->loaded, sizeof(buf));
	assert_true(f->load_good);
	assert_int_equal(f->calls[FAKE_WRITE], 143);
	assert_int_equal(mig_write(&f->dev, buf, 0, NULL), 0);
	assert_int_equal(f->calls[FAKE_WRITE], 143);
}

static void a_write_that_fails_in_the_middle_failed(void **state)
{
	struct fake *f = *state;

	bring(f, MIG_RESUMING);
	f->takes = 3;
	fake_fail(f, FAKE_WRITE, 3, -ENOMEM, FAKE_STAYS);
	assert_int_equal(mig_write(&f->dev, "0123456789", 10, NULL), -ENOMEM);
	assert_int_equal(f->loaded, 6);
}

static void a_driver_that_takes_nothing_is_not_waited_for(void **state)
{
	struct fake *f = *state;

	bring(f, MIG_RESUMING);
	fake_fail(f, FAKE_WRITE, 1, 0, FAKE_STAYS)->times = 1000;
	assert_int_equal(mig_write(&f->dev, "x", 1, NULL), -EIO);
	assert_int_equal(f->calls[FAKE_WRITE], 1);
}

static void reinit_counts_only_after_the_opt_in(void **state)
{
	static const struct fake_round rounds[] = { { 10, 20, true }, { 30, 40, true } };
	struct mig_precopy_info info;
	struct fake *f = *state;

	f->rounds = rounds;
	f->n_rounds = ARRAY_SIZE(rounds);
	bring(f, MIG_PRE_COPY);
	assert_int_equal(mig_precopy(&f->dev, &info, NULL), 0);
	assert_int_equal(info.initial_bytes, 10);
	assert_int_equal(info.dirty_bytes, 20);
	assert_false(info.reinit);
	assert_int_equal(f->opt_ins, 0);
	f->offers_v2 = true;
	mig_opt_in_precopy(&f->dev);
	mig_opt_in_precopy(&f->dev);
	assert_int_equal(f->opt_ins, 1);
	assert_int_equal(mig_precopy(&f->dev, &info, NULL), 0);
	assert_int_equal(info.initial_bytes, 30);
	assert_true(info.reinit);
	bring(f, MIG_STOP_COPY);
	assert_int_equal(mig_precopy(&f->dev, &info, NULL), -EINVAL);
}

static void opt_in_is_asked_only_where_there_is_pre_copy(void **state)
{
	struct fake *f = *state;

	f->offers_v2 = true;
	f->dev.caps = MIG_CAP_STOP_COPY;
	mig_opt_in_precopy(&f->dev);
	assert_int_equal(f->opt_ins, 0);
	assert_false(f->dev.precopy_v2);
	f->dev.caps |= MIG_CAP_PRE_COPY;
	f->offers_v2 = false;
	mig_opt_in_precopy(&f->dev);
	assert_int_equal(f->opt_ins, 1);
	assert_false(f->dev.precopy_v2);
	f->ops.opt_in_precopy = NULL;
	mig_opt_in_precopy(&f->dev);
	assert_false(f->dev.precopy_v2);
}

static void a_protocol_without_the_question_says_so(void **state)
{
	struct mig_precopy_info info;
	struct fake *f = *state;
	struct err err = { 0 };

	bring(f, MIG_PRE_COPY);
	assert_int_equal(mig_precopy(&f->dev, &info, &err), -EOPNOTSUPP);
	assert_string_equal(err.text, "dev0: no pre-copy information");
}

/* the optional rest */

static bool knows_nine(struct mig_dev *dev, unsigned int feature)
{
	(void)dev;
	return feature == UAPI_FEATURE_MIG_DATA_SIZE;
}

static void what_a_backend_lacks_is_not_called(void **state)
{
	struct fake *f = *state;
	uint64_t size = 0;

	f->size = 4711;
	assert_int_equal(mig_data_size(&f->dev, &size, NULL), 0);
	assert_int_equal(size, 4711);
	f->ops.data_size = NULL;
	assert_int_equal(mig_data_size(&f->dev, &size, NULL), -EOPNOTSUPP);
	assert_false(mig_probe(&f->dev, UAPI_FEATURE_MIG_DATA_SIZE));
	f->ops.probe = knows_nine;
	assert_true(mig_probe(&f->dev, UAPI_FEATURE_MIG_DATA_SIZE));
	assert_false(mig_probe(&f->dev, UAPI_FEATURE_MIG_PRECOPY_INFO_V2));
}

static void closing_ends_the_session_and_takes_no_device_too(void **state)
{
	struct fake *f = *state;

	bring(f, MIG_STOP_COPY);
	assert_null(mig_close(&f->dev));
	assert_int_equal(f->closed, 1);
	assert_true(f->dev_closed);
	assert_null(mig_close(NULL));
}

/* configuration space */

static struct dev_info told_info;
static struct dev_region told_region;
static int info_result, region_result;

static int tell_info(struct mig_dev *dev, struct dev_info *ret, struct err *err)
{
	(void)dev;
	*ret = told_info;
	return info_result < 0 ? err_set(err, info_result, "info") : 0;
}

static int tell_region(struct mig_dev *dev, uint32_t index, struct dev_region *ret, struct err *err)
{
	(void)dev;
	assert_int_equal(index, VFIO_PCI_CONFIG_REGION_INDEX);
	*ret = told_region;
	return region_result < 0 ? err_set(err, region_result, "region") : 0;
}

static int tell_irq(struct mig_dev *dev, uint32_t index, struct dev_irq *ret, struct err *err)
{
	(void)dev;
	(void)err;
	ret->count = index;
	return 0;
}

static ssize_t read_region(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			   void *buf, size_t len, struct err *err)
{
	(void)dev;
	(void)region;
	(void)err;
	assert_int_equal(at, 0);
	memset(buf, 0x5a, len);
	return (ssize_t)len;
}

static void the_configuration_space_is_read_where_there_is_one(void **state)
{
	static const struct dev_ops ops = {
		.info = tell_info,
		.region = tell_region,
		.irq = tell_irq,
		.read = read_region,
	};
	static const struct {
		struct dev_info info;
		struct dev_region region;
		int info_result, region_result;
		ssize_t result;
	} rows[] = {
		/* clang-format off */
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { VFIO_REGION_INFO_FLAG_READ, 256, 0, 0 }, 0, 0,
		  256 },
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { VFIO_REGION_INFO_FLAG_READ, 9999, 0, 0 }, 0, 0,
		  4096 },
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { VFIO_REGION_INFO_FLAG_READ, 0, 0, 0 }, 0, 0,
		  0 },
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { 0, 256, 0, 0 }, 0, 0, 0 },
		{ { VFIO_DEVICE_FLAGS_PCI, 7, 5 }, { VFIO_REGION_INFO_FLAG_READ, 256, 0, 0 }, 0, 0,
		  0 },
		{ { 0, 9, 5 }, { VFIO_REGION_INFO_FLAG_READ, 256, 0, 0 }, 0, 0, 0 },
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { 0 }, -ENODEV, 0, -ENODEV },
		{ { VFIO_DEVICE_FLAGS_PCI, 9, 5 }, { 0 }, 0, -EINVAL, -EINVAL },
		/* clang-format on */
	};
	struct fake *f = *state;
	struct dev_irq irq;
	uint8_t buf[4096];

	f->dev.dev_ops = &ops;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		told_info = rows[i].info;
		told_region = rows[i].region;
		info_result = rows[i].info_result;
		region_result = rows[i].region_result;
		assert_int_equal(dev_config_read(&f->dev, buf, sizeof(buf), NULL), rows[i].result);
	}
	assert_int_equal(dev_irq(&f->dev, 3, &irq, NULL), 0);
	assert_int_equal(irq.count, 3);
}

static uint8_t written[16];

static int write_region(struct mig_dev *dev, const struct dev_region *region, uint64_t at,
			const void *buf, size_t len, struct err *err)
{
	(void)dev;
	(void)err;
	assert_int_equal(region->size, sizeof(written));
	memcpy(written + at, buf, len);
	return 0;
}

static void the_configuration_space_is_written_only_inside_of_it(void **state)
{
	static const struct dev_ops ops = {
		.info = tell_info,
		.region = tell_region,
		.write = write_region,
	};
	static const uint8_t word[2] = { 0x12, 0x34 };
	struct fake *f = *state;
	struct err err = { 0 };

	f->dev.dev_ops = &ops;
	told_info = (struct dev_info){ VFIO_DEVICE_FLAGS_PCI, 9, 5 };
	told_region = (struct dev_region){ VFIO_REGION_INFO_FLAG_WRITE, sizeof(written), 0, 0 };
	info_result = region_result = 0;
	assert_int_equal(dev_config_write(&f->dev, 14, word, 2, &err), 0);
	assert_memory_equal(written + 14, word, 2);
	assert_int_equal(dev_config_write(&f->dev, 15, word, 2, &err), -EOPNOTSUPP);
	assert_int_equal(err_status(&err), ERR_UNSUPPORTED);
	assert_int_equal(dev_config_write(&f->dev, UINT64_MAX, word, 2, &err), -EOPNOTSUPP);
	told_region.flags = VFIO_REGION_INFO_FLAG_READ;
	assert_int_equal(dev_config_write(&f->dev, 4, word, 2, &err), -EOPNOTSUPP);
	told_info.flags = 0;
	assert_int_equal(dev_config_write(&f->dev, 4, word, 2, &err), -EOPNOTSUPP);
}

/* recover */

struct ladder {
	const char *name;
	unsigned int caps;
	enum mig_state from, want;
	enum mig_holds holds;
	bool cannot_reset, cut;
	uint64_t budget_ns;
	struct fake_fault faults[3];
	/* and what must come of it */
	const char *log;
	enum mig_state found, end;
	bool reset, ok;
	enum mig_fate fate;
};

static void assert_ladder(const struct ladder *l)
{
	struct arc_retry retry = { .budget_ns = l->budget_ns };
	struct fake *f = fake_new(l->caps);
	struct mig_recovery rec;
	struct err err = { 0 };
	bool ok;

	f->size = 100;
	fake_query(f);
	if (l->from == MIG_ERROR)
		f->state = MIG_ERROR;
	else
		bring(f, l->from);
	f->dev.can_reset = !l->cannot_reset;
	f->cannot_reset = l->cannot_reset;
	f->load_cut = l->cut;
	memcpy(f->faults, l->faults, sizeof(l->faults));
	ok = mig_recover(&f->dev, l->want, l->holds, &retry, &rec, &err);
	if (strcmp(f->log, l->log) != 0 || ok != l->ok)
		fail_msg("%s: %s\n%s\nnot\n%s", l->name, ok ? "ok" : err.text, f->log, l->log);
	assert_int_equal(rec.ok, ok);
	assert_true(rec.found_known);
	assert_int_equal(rec.found, l->found);
	assert_true(rec.end_known);
	assert_int_equal(rec.end, l->end);
	assert_int_equal(rec.reset, l->reset);
	if (rec.fate != l->fate)
		fail_msg("%s: fate %d, not %d", l->name, rec.fate, l->fate);
	assert_int_equal(err.code == 0, ok);
	assert_in(f, l->end);
	assert_int_equal(fake_free(f), 0);
}

static void recovery_does_what_the_table_says(void **state)
{
	static const struct ladder rows[] = {
		{ .name = "by walking",
		  .caps = FULL,
		  .from = MIG_STOP_COPY,
		  .want = MIG_RUNNING,
		  .log = "get set:stop set:running-p2p set:running get",
		  .found = MIG_STOP_COPY,
		  .end = MIG_RUNNING,
		  .ok = true },
		{ .name = "there already",
		  .caps = FULL,
		  .from = MIG_STOP,
		  .want = MIG_STOP,
		  .log = "get",
		  .found = MIG_STOP,
		  .end = MIG_STOP,
		  .ok = true },
		{ .name = "from error, by a reset",
		  .caps = FULL,
		  .from = MIG_ERROR,
		  .want = MIG_RUNNING,
		  .log = "get reset get",
		  .found = MIG_ERROR,
		  .end = MIG_RUNNING,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "from error to stop, by a reset",
		  .caps = FULL,
		  .from = MIG_ERROR,
		  .want = MIG_STOP,
		  .log = "get reset get set:running-p2p set:stop get",
		  .found = MIG_ERROR,
		  .end = MIG_STOP,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "an arc fails once",
		  .caps = BASE,
		  .from = MIG_STOP_COPY,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_SET, 2, 1, -EIO, FAKE_STAYS } },
		  .log = "get set:stop set:running! get set:running get",
		  .found = MIG_STOP_COPY,
		  .end = MIG_RUNNING,
		  .ok = true },
		{ .name = "an arc is refused for now",
		  .caps = FULL,
		  .from = MIG_STOP,
		  .want = MIG_RUNNING,
		  .budget_ns = UINT64_MAX,
		  .faults = { { FAKE_SET, 1, 3, -EBUSY, FAKE_STAYS },
			      { FAKE_SET, 5, 1, -EAGAIN, FAKE_STAYS } },
		  .log = "get set:running-p2p! get set:running-p2p! get set:running-p2p! get "
			 "set:running-p2p set:running! get set:running get",
		  .found = MIG_STOP,
		  .end = MIG_RUNNING,
		  .ok = true },
		{ .name = "an arc is refused for good: it has its state, and keeps it",
		  .caps = FULL,
		  .from = MIG_STOP,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_SET, 1, 99, -EBUSY, FAKE_STAYS } },
		  .log = "get set:running-p2p! get set:running-p2p! get",
		  .found = MIG_STOP,
		  .end = MIG_STOP,
		  .fate = MIG_FATE_HOLDS },
		{ .name = "an arc fails for good half-way: it has its state, and keeps it",
		  .caps = BASE,
		  .from = MIG_STOP_COPY,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_SET, 2, 99, -EIO, FAKE_STAYS } },
		  .log = "get set:stop set:running! get set:running! get",
		  .found = MIG_STOP_COPY,
		  .end = MIG_STOP,
		  .fate = MIG_FATE_HOLDS },
		{ .name = "the walk ends in error, then a reset",
		  .caps = BASE,
		  .from = MIG_STOP_COPY,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_SET, 1, 1, -EIO, MIG_ERROR } },
		  .log = "get set:stop! get reset get",
		  .found = MIG_STOP_COPY,
		  .end = MIG_RUNNING,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "a load that is given up after the driver took it",
		  .caps = BASE,
		  .from = MIG_STOP,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .log = "get reset get set:stop get",
		  .found = MIG_STOP,
		  .end = MIG_STOP,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "a load cut off",
		  .caps = FULL,
		  .from = MIG_RESUMING,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .cut = true,
		  .log = "get reset get set:running-p2p set:stop get",
		  .found = MIG_RESUMING,
		  .end = MIG_STOP,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "a load cut off, and stopping it is refused for now",
		  .caps = FULL,
		  .from = MIG_RESUMING,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .cut = true,
		  .budget_ns = UINT64_MAX,
		  .faults = { { FAKE_SET, 2, 1, -EBUSY, FAKE_STAYS } },
		  .log = "get reset get set:running-p2p set:stop! get set:stop get",
		  .found = MIG_RESUMING,
		  .end = MIG_STOP,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "a load of another process: not ours to reset",
		  .caps = FULL,
		  .from = MIG_RESUMING,
		  .want = MIG_STOP,
		  .cut = true,
		  .log = "get",
		  .found = MIG_RESUMING,
		  .end = MIG_RESUMING,
		  .fate = MIG_FATE_LOST },
		{ .name = "a load cut off that cannot be reset",
		  .caps = FULL,
		  .from = MIG_RESUMING,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .cut = true,
		  .cannot_reset = true,
		  .log = "get reset! get",
		  .found = MIG_RESUMING,
		  .end = MIG_RESUMING,
		  .fate = MIG_FATE_LOST },
		{ .name = "a load cut off whose reset fails",
		  .caps = FULL,
		  .from = MIG_RESUMING,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .cut = true,
		  .faults = { { FAKE_RESET, 1, 1, -EIO, FAKE_STAYS } },
		  .log = "get reset! get",
		  .found = MIG_RESUMING,
		  .end = MIG_RESUMING,
		  .fate = MIG_FATE_LOST },
		{ .name = "a load that cannot be dropped is not called done",
		  .caps = BASE,
		  .from = MIG_STOP,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_GIVEN_UP,
		  .cannot_reset = true,
		  .log = "get reset! get",
		  .found = MIG_STOP,
		  .end = MIG_STOP },
		{ .name = "an accepted load that does not start goes back to stop",
		  .caps = FULL,
		  .from = MIG_RUNNING_P2P,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_ACCEPTED,
		  .log = "get set:stop get",
		  .found = MIG_RUNNING_P2P,
		  .end = MIG_STOP,
		  .ok = true },
		{ .name = "an accepted load that will not stop is left, never reset",
		  .caps = FULL,
		  .from = MIG_RUNNING_P2P,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_ACCEPTED,
		  .faults = { { FAKE_SET, 1, 99, -EIO, FAKE_STAYS } },
		  .log = "get set:stop! get set:stop! get",
		  .found = MIG_RUNNING_P2P,
		  .end = MIG_RUNNING_P2P,
		  .fate = MIG_FATE_HOLDS },
		{ .name = "an accepted load in error is left, never reset",
		  .caps = FULL,
		  .from = MIG_ERROR,
		  .want = MIG_STOP,
		  .holds = MIG_HOLDS_ACCEPTED,
		  .log = "get",
		  .found = MIG_ERROR,
		  .end = MIG_ERROR,
		  .fate = MIG_FATE_LOST },
		{ .name = "error that cannot be reset",
		  .caps = FULL,
		  .from = MIG_ERROR,
		  .want = MIG_RUNNING,
		  .cannot_reset = true,
		  .log = "get reset! get",
		  .found = MIG_ERROR,
		  .end = MIG_ERROR,
		  .fate = MIG_FATE_LOST },
		{ .name = "a reset that fails and has moved the device",
		  .caps = BASE,
		  .from = MIG_ERROR,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_RESET, 1, 1, -EIO, MIG_RUNNING } },
		  .log = "get reset! get",
		  .found = MIG_ERROR,
		  .end = MIG_RUNNING,
		  .ok = true,
		  .reset = true,
		  .fate = MIG_FATE_BLANK },
		{ .name = "after the reset it will not stop",
		  .caps = BASE,
		  .from = MIG_ERROR,
		  .want = MIG_STOP,
		  .faults = { { FAKE_SET, 1, 9, -EIO, FAKE_STAYS } },
		  .log = "get reset get set:stop! get set:stop! get",
		  .found = MIG_ERROR,
		  .end = MIG_RUNNING,
		  .reset = true,
		  .fate = MIG_FATE_LOST },
		{ .name = "asking fails once",
		  .caps = BASE,
		  .from = MIG_STOP,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_GET, 1, 1, -EIO, FAKE_STAYS } },
		  .log = "get! get set:running get",
		  .found = MIG_STOP,
		  .end = MIG_RUNNING,
		  .ok = true },
		{ .name = "asking fails once after the reset",
		  .caps = BASE,
		  .from = MIG_ERROR,
		  .want = MIG_RUNNING,
		  .faults = { { FAKE_GET, 2, 1, -EIO, FAKE_STAYS } },
		  .log = "get reset get! get",
		  .found = MIG_ERROR,
		  .end = MIG_RUNNING,
		  .reset = true,
		  .ok = true,
		  .fate = MIG_FATE_BLANK },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_ladder(&rows[i]);
}

static void recovery_without_an_answer_says_that_nothing_is_known(void **state)
{
	struct fake *f = *state;
	struct mig_recovery rec;
	struct err err = { 0 };

	bring(f, MIG_STOP_COPY);
	fake_fail(f, FAKE_GET, 1, -EIO, FAKE_STAYS)->times = 1000;
	assert_false(mig_recover(&f->dev, MIG_RUNNING, MIG_HOLDS_OWN, &once, &rec, &err));
	assert_false(rec.found_known);
	assert_false(rec.end_known);
	assert_false(rec.ok);
	assert_int_equal(err.code, -EIO);
	assert_false(f->dev.state_known);
	assert_int_equal(f->calls[FAKE_SET], 0);
}

static void recovery_is_never_silent_about_its_failure(void **state)
{
	static const enum mig_state resets_to[] = { MIG_ERROR, MIG_RESUMING };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resets_to); i++) {
		struct fake *f = fake_new(FULL);
		struct mig_recovery rec;
		struct err err = { 0 };

		fake_query(f);
		bring(f, MIG_RESUMING);
		f->reset_to = resets_to[i];
		assert_false(mig_recover(&f->dev, MIG_STOP, MIG_HOLDS_GIVEN_UP, &once, &rec, &err));
		assert_true(rec.reset);
		assert_int_equal(rec.end, resets_to[i]);
		assert_in(f, resets_to[i]);
		assert_int_not_equal(err.code, 0);
		assert_string_not_equal(err.text, "");
		assert_int_equal(fake_free(f), 0);
	}
}

/* All SETs went well, and it is not there all the same: the next rung. */
static void recovery_believes_only_what_the_device_says(void **state)
{
	struct fake *f = *state;
	struct mig_recovery rec;
	struct err err = { 0 };

	bring(f, MIG_STOP);
	fake_fail(f, FAKE_SET, 2, 0, MIG_ERROR);
	assert_true(mig_recover(&f->dev, MIG_RUNNING, MIG_HOLDS_OWN, &once, &rec, &err));
	assert_true(rec.reset);
	assert_in(f, MIG_RUNNING);
}

/* Where our own SETs and resets lead is no move of another process's. */
static void a_shared_device_is_left_where_another_process_has_put_it(void **state)
{
	static const struct {
		enum mig_state to;
		enum mig_holds holds;
		bool moved, reset;
	} rows[] = {
		{ MIG_RUNNING, MIG_HOLDS_OWN, true, false },
		{ MIG_STOP, MIG_HOLDS_OWN, false, false },
		{ MIG_PRE_COPY, MIG_HOLDS_OWN, true, false },
		{ MIG_ERROR, MIG_HOLDS_OWN, false, true },
		{ MIG_RUNNING, MIG_HOLDS_GIVEN_UP, false, true },
		{ MIG_RUNNING, MIG_HOLDS_ACCEPTED, true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = fake_new(FULL);
		struct mig_recovery rec;
		struct err err = { 0 };

		f->dev.shared = true;
		fake_query(f);
		bring(f, MIG_STOP_COPY);
		assert_false(mig_was_moved(&f->dev));
		f->state = rows[i].to;
		assert_true(mig_recover(&f->dev, MIG_STOP, rows[i].holds, &once, &rec, &err));
		assert_int_equal(rec.moved, rows[i].moved);
		assert_int_equal(rec.reset, rows[i].reset);
		assert_false(rec.found_reset);
		assert_in(f, rows[i].moved ? rows[i].to : MIG_STOP);
		assert_int_equal(fake_free(f), 0);
	}
}

/* It may hold its state: a reset would be a guess that destroys it. */
static void a_device_that_does_not_answer_is_left_alone(void **state)
{
	struct fake *f = *state;
	struct mig_recovery rec;
	struct err err = { 0 };

	bring(f, MIG_STOP_COPY);
	fake_fail(f, FAKE_GET, 1, -EIO, FAKE_STAYS)->times = 3;
	assert_false(mig_recover(&f->dev, MIG_RUNNING, MIG_HOLDS_OWN, &once, &rec, &err));
	assert_false(rec.found_known);
	assert_false(rec.reset);
	assert_int_equal(f->calls[FAKE_RESET], 0);
	assert_int_equal(f->calls[FAKE_SET], 0);
	assert_true(rec.end_known);
	assert_int_equal(rec.fate, MIG_FATE_HOLDS);
	assert_int_equal(err.code, -EIO);
	assert_in(f, MIG_STOP_COPY);
}

/*
 * Every place a device can be left in, every way back, and each call on the way fails once: it
 * comes back, and is reset only where its state is lost already.
 */
static void wherever_one_call_fails_recovery_ends_well(void **state)
{
	static const enum fake_call kinds[] = { FAKE_GET, FAKE_SET, FAKE_RESET };

	(void)state;
	for (unsigned int from = 0; from < MIG_NR_STATES; from++)
		for (size_t k = 0; k < ARRAY_SIZE(kinds); k++)
			for (unsigned int nth = 1; nth <= 4; nth++)
				for (unsigned int lands = 0; lands <= FAKE_STAYS; lands++) {
					enum mig_holds holds = from == MIG_RESUMING
								       ? MIG_HOLDS_GIVEN_UP
								       : MIG_HOLDS_OWN;
					bool failed, dead, ok;
					struct fake *f = fake_new(FULL);
					struct mig_recovery rec;
					struct err err = { 0 };

					fake_query(f);
					f->state = (enum mig_state)from;
					f->load_cut = from == MIG_RESUMING;
					fake_fail(f, kinds[k], nth, -EIO, (enum mig_state)lands);
					ok = mig_recover(&f->dev, MIG_RUNNING, holds, &once, &rec,
							 &err);
					failed = f->calls[kinds[k]] >= nth;
					/* A reset that fails, and an arc that ends in a load. */
					dead = failed &&
					       (kinds[k] == FAKE_RESET || lands == MIG_RESUMING ||
						lands == MIG_ERROR);
					if (!ok && !dead)
						fail_msg("from %s: %s\n%s",
							 fsm_name((enum mig_state)from), err.text,
							 f->log);
					if (from != MIG_ERROR && from != MIG_RESUMING && !dead)
						assert_int_equal(f->calls[FAKE_RESET], 0);
					assert_in(f, rec.end);
					if (ok)
						assert_int_equal(f->state, MIG_RUNNING);
					assert_int_equal(fake_free(f), 0);
				}
}

/* settle */

static void what_somebody_left_behind_is_left_in_order(void **state)
{
	static const struct {
		enum mig_state found, end;
		bool reset;
	} rows[] = {
		/* clang-format off */
		{ MIG_ERROR,        MIG_ERROR,       false },
		{ MIG_STOP,         MIG_STOP,        false },
		{ MIG_RUNNING,      MIG_RUNNING,     false },
		{ MIG_RUNNING_P2P,  MIG_RUNNING_P2P, false },
		{ MIG_STOP_COPY,    MIG_STOP,        false },
		{ MIG_PRE_COPY,     MIG_RUNNING,     false },
		{ MIG_PRE_COPY_P2P, MIG_RUNNING_P2P, false },
		{ MIG_RESUMING,     MIG_STOP,        true },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *f = fake_new(FULL);

		f->state = rows[i].found;
		f->load_cut = rows[i].found == MIG_RESUMING;
		fake_query(f);
		assert_int_equal(mig_settle(&f->dev, &once, NULL, NULL), 0);
		assert_in(f, rows[i].end);
		assert_int_equal(f->calls[FAKE_RESET], rows[i].reset);
		assert_null(f->dev.stream);
		assert_int_equal(fake_free(f), 0);
	}
}

static void what_cannot_be_settled_is_said(void **state)
{
	struct fake *f = fake_new(FULL);
	struct err err = { 0 };

	(void)state;
	f->state = MIG_STOP_COPY;
	fake_query(f);
	fake_fail(f, FAKE_SET, 1, -EIO, MIG_ERROR);
	assert_int_equal(mig_settle(&f->dev, &once, NULL, &err), -EIO);
	assert_string_equal(err.text,
			    "left in stop-copy by another process: dev0: stop-copy to stop "
			    "failed, the device is in error: the fake said no");
	assert_in(f, MIG_ERROR);
	assert_int_equal(fake_free(f), 0);
}

static void a_load_left_behind_is_dropped_where_a_reset_leaves_resuming(void **state)
{
	struct fake *f = fake_new(FULL);

	(void)state;
	f->ops.open_load = fake_open_load;
	f->state = f->reset_to = MIG_RESUMING;
	f->load_cut = true;
	fake_query(f);
	assert_int_equal(mig_settle(&f->dev, &once, NULL, NULL), 0);
	assert_in(f, MIG_RESUMING);
	assert_non_null(f->dev.stream);
	assert_int_equal(f->calls[FAKE_SET], 0);
	f->ops.open_load = NULL;
	assert_int_equal(mig_settle(&f->dev, &once, NULL, NULL), -EBUSY);
	assert_int_equal(f->calls[FAKE_SET], 0);
	assert_int_equal(fake_free(f), 0);
}

static void a_load_left_behind_that_cannot_be_reset_stays(void **state)
{
	struct fake *f = fake_new(FULL);

	(void)state;
	f->state = MIG_RESUMING;
	f->load_cut = true;
	f->dev.can_reset = false;
	f->cannot_reset = true;
	fake_query(f);
	assert_int_equal(mig_settle(&f->dev, &once, NULL, NULL), -EINVAL);
	assert_in(f, MIG_RESUMING);
	assert_int_equal(f->calls[FAKE_SET], 0);
	assert_int_equal(fake_free(f), 0);
}

/* quirks */

static void what_is_known_of_a_driver_is_found_by_its_name(void **state)
{
	(void)state;
	assert_true(quirks_keeps_state("mtty"));
	assert_false(quirks_keeps_state("mlx5_vfio_pci"));
	assert_false(quirks_keeps_state("mtt"));
	assert_false(quirks_keeps_state(NULL));
	assert_true(quirks_of("mlx5_vfio_pci")->trusts_length);
	assert_null(quirks_of("vfio-pci"));
	assert_null(quirks_of(NULL));
}

#define ON(f, how) cmocka_unit_test_setup_teardown(f, how, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_finds_out_where_the_device_is),
		cmocka_unit_test(a_device_without_stop_copy_is_not_migratable),
		cmocka_unit_test(a_query_that_fails_says_what_the_driver_said),
		ON(the_state_is_asked_for_three_times, setup),
		ON(a_state_that_is_none_is_not_believed, setup),
		ON(a_walk_takes_one_arc_at_a_time_and_times_each, setup),
		cmocka_unit_test(every_state_is_reached_from_every_other),
		cmocka_unit_test(a_failed_arc_leaves_what_the_device_reports),
		ON(a_failed_arc_is_told_with_its_errno, setup_p2p),
		ON(when_asking_fails_too_the_state_is_unknown, setup_p2p),
		ON(nothing_is_set_in_error, setup),
		ON(a_load_of_somebody_else_is_not_ended_by_a_walk, setup),
		ON(a_state_that_the_device_lacks_is_refused_untouched, setup_p2p),
		ON(a_driver_that_moves_by_itself_is_not_followed_for_ever, setup),
		ON(a_driver_that_never_stays_is_given_up, setup),
		ON(a_stream_lives_as_long_as_its_session, setup),
		ON(a_session_is_not_confused_with_the_next, setup),
		cmocka_unit_test(a_failure_that_ends_the_session_drops_the_stream),
		ON(a_session_without_a_stream_is_no_place_to_read, setup),
		cmocka_unit_test(a_driver_that_gives_no_stream_is_found_out),
		ON(a_reset_leads_to_running_and_ends_the_session, setup),
		ON(a_device_that_cannot_be_reset_says_so, setup),
		ON(a_busy_reset_is_tried_again, setup),
		ON(a_reset_that_stays_busy_is_given_up, setup_plain),
		cmocka_unit_test(one_that_cannot_migrate_is_reset_and_not_asked),
		ON(a_reset_that_failed_is_not_tried_again, setup_plain),
		ON(after_a_reset_the_device_is_where_it_says, setup_plain),
		ON(a_reset_that_stays_in_resuming_begins_a_load, setup_plain),
		ON(a_reset_that_leads_elsewhere_names_the_way_on, setup_plain),
		ON(a_stream_is_read_to_its_end, setup_plain),
		ON(enomsg_is_nothing_yet_and_never_the_end, setup),
		ON(a_session_that_ended_is_told_from_a_refusal, setup_plain),
		ON(a_session_is_asked_after_before_its_end_counts, setup_plain),
		ON(a_failed_read_or_write_is_not_tried_again, setup_plain),
		ON(a_write_goes_on_where_the_driver_stopped, setup_plain),
		ON(a_write_that_fails_in_the_middle_failed, setup_plain),
		ON(a_driver_that_takes_nothing_is_not_waited_for, setup_plain),
		ON(reinit_counts_only_after_the_opt_in, setup),
		ON(opt_in_is_asked_only_where_there_is_pre_copy, setup),
		ON(a_protocol_without_the_question_says_so, setup),
		ON(what_a_backend_lacks_is_not_called, setup),
		ON(closing_ends_the_session_and_takes_no_device_too, setup),
		ON(the_configuration_space_is_read_where_there_is_one, setup),
		ON(the_configuration_space_is_written_only_inside_of_it, setup),
		cmocka_unit_test(recovery_does_what_the_table_says),
		ON(recovery_without_an_answer_says_that_nothing_is_known, setup),
		cmocka_unit_test(recovery_is_never_silent_about_its_failure),
		ON(recovery_believes_only_what_the_device_says, setup),
		ON(a_device_that_does_not_answer_is_left_alone, setup),
		cmocka_unit_test(a_shared_device_is_left_where_another_process_has_put_it),
		cmocka_unit_test(wherever_one_call_fails_recovery_ends_well),
		cmocka_unit_test(what_somebody_left_behind_is_left_in_order),
		cmocka_unit_test(what_cannot_be_settled_is_said),
		cmocka_unit_test(a_load_left_behind_is_dropped_where_a_reset_leaves_resuming),
		cmocka_unit_test(a_load_left_behind_that_cannot_be_reset_stays),
		cmocka_unit_test(what_is_known_of_a_driver_is_found_by_its_name),
	};

	log_setup(LOG_LEVEL_QUIET, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
