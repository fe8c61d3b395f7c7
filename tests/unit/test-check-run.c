// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The runner, on a device that is a variable and rules that do as each test needs
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/macros.h"
#include "check/check.h"
#include "check/rules.h"
#include "check/run.h"
#include "check/subject-parts.h"
#include "fsm/fsm.h"

/* Long enough that only a rule that never ends is over its time. */
#define TIME_MS 60000
#define SHORT_MS 30
/* As long as a rule is kicked at least, so that no more is waited for. */
#define LEAVES_MS 2000

/**
 * struct fake - a device
 * @stuck: leaves its present state by a reset alone
 * @dead: a reset fails, too
 * @resets: how many there were
 * @saves: STOP_COPY has a stream; RESUMING never has a data_fd
 * @leaves: the user interrupts the rule that hangs
 * @gate: an eventfd that the rule waits for which hangs
 */
struct fake {
	struct subject_dev d;
	uint32_t state;
	bool stuck, dead, leaves, saves;
	unsigned int resets, tried;
	struct cancel cancel;
	int gate, gone;
	struct check_results results;
	struct err err;
};

static struct fake *the_fake;

static struct fake *fake_of(const struct subject_dev *d)
{
	return container_of((struct subject_dev *)d, struct fake, d);
}

static int fake_set(struct fake *f, uint32_t to)
{
	if (f->stuck || to >= MIG_NR_STATES ||
	    fsm_next((enum mig_state)f->state, (enum mig_state)to, f->d.s.caps) == MIG_ERROR)
		return -EINVAL;
	f->state = to;
	return 0;
}

/* struct vfio_device_feature_mig_state */
struct fake_state {
	uint32_t state;
	int32_t data_fd;
};

/* The stream of STOP_COPY, of which there is one. */
static int fake_stream(void)
{
	int fd = memfd_create("stream", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, "state", 5, 0), 5);
	return fd;
}

static int fake_feature(struct subject_dev *d, uint32_t flags, uint32_t argsz, void *data,
			size_t len)
{
	struct fake_state *m = data;
	struct fake *f = fake_of(d);
	int r;

	(void)argsz;
	assert_int_equal(flags & 0xffffu, UAPI_FEATURE_MIG_DEVICE_STATE);
	assert_true(len >= sizeof(*m));
	if (flags & UAPI_FEATURE_SET) {
		r = fake_set(f, m->state);
		if (r == 0 && f->saves && m->state == MIG_STOP_COPY)
			m->data_fd = fake_stream();
		return r;
	}
	m->state = f->state;
	return 0;
}

static ssize_t fake_read(struct subject_session *x, void *buf, size_t len)
{
	return read(x->fd, buf, len);
}

static int fake_reset(struct subject_dev *d)
{
	struct fake *f = fake_of(d);

	f->resets++;
	if (f->dead)
		return -EIO;
	f->stuck = false;
	f->state = MIG_RUNNING;
	return 0;
}

static void fake_close(struct subject_dev *d)
{
	(void)d;
}

static const struct subject_ops fake_ops = {
	.feature = fake_feature,
	.reset = fake_reset,
	.read = fake_read,
	.close = fake_close,
};

static int set_up(void **state)
{
	struct fake *f = calloc(1, sizeof(*f));

	f->d.s = (struct subject){ .name = "fake", .fd = -1, .caps = MIG_CAP_STOP_COPY };
	f->d.ops = &fake_ops;
	LIST_INIT(&f->d.sessions);
	f->state = MIG_RUNNING;
	f->gate = eventfd(0, EFD_CLOEXEC);
	f->gone = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(cancel_init(&f->cancel, &f->err), 0);
	the_fake = f;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fake *f = *state;

	check_results_done(&f->results);
	cancel_done(&f->cancel);
	close(f->gate);
	close(f->gone);
	free(f);
	return 0;
}

/*
 * Rules
 */

static void rule_passes(struct check *c)
{
	(void)c;
	the_fake->tried++;
}

static void rule_fails(struct check *c)
{
	the_fake->tried++;
	check_violated(c, "it does not hold");
}

static void rule_stops(struct check *c)
{
	subject_set(c->device, MIG_STOP, NULL);
}

static void rule_breaks(struct check *c)
{
	subject_set(c->device, MIG_STOP, NULL);
	the_fake->stuck = true;
}

/* A read that never returns, but by the kick. */
static void rule_never_ends(struct check *c)
{
	struct fake *f = the_fake;
	uint64_t count;
	ssize_t n;

	cancel_interruptible_begin(f->d.cancel, "read");
	n = read(f->gate, &count, sizeof(count));
	cancel_interruptible_end(f->d.cancel);
	if (n < 0 && check_stopped(c))
		check_violated(c, "it was interrupted");
}

/* A driver that ignores signals. */
static void rule_hangs(struct check *c)
{
	struct fake *f = the_fake;
	const uint64_t one = 1;
	uint64_t count;

	check_note(c, "hanging");
	if (f->leaves)
		cancel_request(&f->cancel);
	while (read(f->gate, &count, sizeof(count)) < 0)
		;
	/* What it uses is the test's until this is read. */
	if (write(f->gone, &one, sizeof(one)) < 0)
		abort();
}

static void rule_is_interrupted(struct check *c)
{
	struct fake *f = the_fake;

	subject_set(c->device, MIG_STOP, NULL);
	cancel_request(&f->cancel);
	while (!check_stopped(c))
		if (cancel_pause(f->d.cancel, 1000, NULL) < 0)
			break;
	f->tried++;
}

static int run_rules(struct fake *f, const struct check_rule *rules, size_t n, unsigned int allowed,
		     int timeout_ms)
{
	const struct check_group group = { rules, n };
	const struct check_group *const groups[] = { &group };
	const struct check_options opts = {
		.groups = groups,
		.n_groups = 1,
		.allowed = 1u << CHECK_HARMLESS | allowed,
		.rounds = 1,
		.seed = 1,
		.timeout_ms = timeout_ms,
		.release = "6.12.0",
	};

	return check_run(&f->d.s, NULL, &opts, &f->cancel, &f->results, &f->err);
}

#define HARMLESS(name, fn)                                                  \
	{                                                                   \
		.id = (name), .text = "t", .source = "uapi: s", .run = (fn) \
	}
#define LOSING(name, fn)                                                                   \
	{                                                                                  \
		.id = (name), .harm = CHECK_DESTRUCTIVE, .text = "t", .source = "uapi: s", \
		.run = (fn)                                                                \
	}

static void rules_that_do_no_harm_come_first(void **state)
{
	static const struct check_rule rules[] = {
		LOSING("a.loses", rule_passes),
		HARMLESS("a.fails", rule_fails),
		HARMLESS("a.passes", rule_passes),
	};
	struct fake *f = *state;

	assert_int_equal(run_rules(f, rules, 3, 1u << CHECK_DESTRUCTIVE, TIME_MS), 0);
	assert_int_equal(f->results.n, 3);
	assert_string_equal(f->results.v[0].rule->id, "a.fails");
	assert_int_equal(f->results.v[0].verdict, CHECK_FAIL);
	assert_string_equal(f->results.v[0].reason, "it does not hold");
	assert_int_equal(f->results.v[1].verdict, CHECK_PASS);
	assert_string_equal(f->results.v[2].rule->id, "a.loses");
	assert_int_equal(f->tried, 3);
	assert_int_equal(f->resets, 0);
}

static void what_is_not_allowed_or_lacks_something_is_skipped(void **state)
{
	static const struct check_rule rules[] = {
		LOSING("a.loses", rule_passes),
		{ .id = "a.needs", .needs = CHECK_NEEDS_PRE_COPY, .run = rule_passes },
	};
	struct fake *f = *state;

	assert_int_equal(run_rules(f, rules, 2, 0, TIME_MS), 0);
	assert_int_equal(f->tried, 0);
	assert_int_equal(check_results_count(&f->results, CHECK_SKIP), 2);
	assert_string_equal(f->results.v[0].reason, "it has no pre-copy");
	assert_non_null(strstr(f->results.v[1].reason, "--destructive"));
}

static void the_device_is_home_before_the_next_rule(void **state)
{
	static const struct check_rule rules[] = {
		HARMLESS("a.stops", rule_stops),
		HARMLESS("a.passes", rule_passes),
	};
	struct fake *f = *state;

	f->state = MIG_STOP_COPY; /* as it is found */
	assert_int_equal(run_rules(f, rules, 2, 0, TIME_MS), 0);
	assert_int_equal(f->state, MIG_RUNNING);
	assert_int_equal(check_results_count(&f->results, CHECK_PASS), 2);
	assert_int_equal(f->resets, 0);
}

static void a_reset_brings_home_what_may_be_lost_alone(void **state)
{
	static const struct check_rule losing[] = {
		LOSING("a.breaks", rule_breaks),
		LOSING("a.passes", rule_passes),
	};
	struct fake *f = *state;

	assert_int_equal(run_rules(f, losing, 2, 1u << CHECK_DESTRUCTIVE, TIME_MS), 0);
	assert_int_equal(f->resets, 1);
	assert_int_equal(f->tried, 1);
}

static void a_harmless_rule_never_resets_and_ends_the_run(void **state)
{
	static const struct check_rule rules[] = {
		HARMLESS("a.breaks", rule_breaks),
		HARMLESS("a.passes", rule_passes),
	};
	struct fake *f = *state;

	assert_true(run_rules(f, rules, 2, 0, TIME_MS) < 0);
	assert_int_equal(f->err.kind, ERR_DEVICE);
	assert_non_null(strstr(f->err.text, "it stays in stop"));
	assert_string_equal(f->err.note, "after a.breaks");
	assert_int_equal(f->resets, 0);
	assert_int_equal(f->tried, 0);
	assert_int_equal(f->results.n, 1);
	assert_int_equal(f->results.selected, 2);
}

static void a_device_in_error_is_not_touched_without_leave(void **state)
{
	static const struct check_rule rule = HARMLESS("a.passes", rule_passes);
	struct fake *f = *state;

	f->state = MIG_ERROR;
	assert_true(run_rules(f, &rule, 1, 0, TIME_MS) < 0);
	assert_int_equal(f->err.kind, ERR_DEVICE);
	assert_int_equal(f->state, MIG_ERROR);
	assert_int_equal(f->tried, 0);
}

static void a_device_that_cannot_be_reset_ends_the_run(void **state)
{
	static const struct check_rule rules[] = {
		LOSING("a.breaks", rule_breaks),
		LOSING("a.passes", rule_passes),
	};
	struct fake *f = *state;

	f->dead = true;
	assert_true(run_rules(f, rules, 2, 1u << CHECK_DESTRUCTIVE, TIME_MS) < 0);
	assert_int_equal(f->err.kind, ERR_DEVICE);
	assert_int_equal(f->tried, 0);
	assert_false(f->results.hangs);
}

static void a_rule_over_its_time_is_broken_and_interrupted(void **state)
{
	static const struct check_rule rule = HARMLESS("a.never-ends", rule_never_ends);
	struct fake *f = *state;

	assert_int_equal(run_rules(f, &rule, 1, 0, SHORT_MS), 0);
	assert_int_equal(f->results.v[0].verdict, CHECK_BROKEN);
	assert_non_null(strstr(f->results.v[0].reason, "it did not come on for 0.03 s"));
	assert_non_null(strstr(f->results.v[0].evidence, "it was interrupted"));
}

static void a_rule_that_does_not_come_back_ends_the_run(void **state)
{
	static const struct check_rule rules[] = {
		HARMLESS("a.hangs", rule_hangs),
		HARMLESS("a.passes", rule_passes),
	};
	struct fake *f = *state;
	const uint64_t one = 1;
	uint64_t count;

	assert_int_equal(run_rules(f, rules, 2, 0, SHORT_MS), -ETIMEDOUT);
	assert_true(f->results.hangs);
	assert_int_equal(f->err.kind, ERR_DEVICE);
	assert_int_equal(f->results.v[0].verdict, CHECK_BROKEN);
	assert_non_null(strstr(f->results.v[0].evidence, "it did not come on for 0.03 s"));
	assert_int_equal(f->tried, 0);
	assert_int_equal(write(f->gate, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(f->gone, &count, sizeof(count)), sizeof(count));
}

static void a_rule_that_a_signal_does_not_end_has_not_passed(void **state)
{
	static const struct check_rule rule = HARMLESS("a.hangs", rule_hangs);
	struct fake *f = *state;
	const uint64_t one = 1;
	uint64_t count;

	f->leaves = true;
	assert_int_equal(run_rules(f, &rule, 1, 0, LEAVES_MS), -ETIMEDOUT);
	assert_true(f->results.hangs);
	assert_int_equal(f->results.v[0].verdict, CHECK_BROKEN);
	assert_non_null(strstr(f->results.v[0].evidence, "it does not end when it is interrupted"));
	assert_int_equal(write(f->gate, &one, sizeof(one)), sizeof(one));
	assert_int_equal(read(f->gone, &count, sizeof(count)), sizeof(count));
}

static void a_signal_ends_the_run_with_the_device_at_home(void **state)
{
	static const struct check_rule rules[] = {
		HARMLESS("a.is-interrupted", rule_is_interrupted),
		HARMLESS("a.passes", rule_passes),
	};
	struct fake *f = *state;

	assert_int_equal(run_rules(f, rules, 2, 0, TIME_MS), -ECANCELED);
	assert_int_equal(f->err.kind, ERR_ABORTED);
	assert_int_equal(f->tried, 1);
	assert_int_equal(f->results.n, 0);
	assert_int_equal(f->state, MIG_RUNNING);
}

static void a_rule_without_its_session_has_not_passed(void **state)
{
	struct fake *f = *state;
	struct check_options opts = {
		.allowed = 1u << CHECK_HARMLESS | 1u << CHECK_DESTRUCTIVE,
		.selection.rules = "fsm.resuming-to-stop,fsm.resuming-again,"
				   "fsm.failed-set-on-path,load.to-running,load.own-state",
		.rounds = 1,
		.seed = 1,
		.timeout_ms = TIME_MS,
		.release = "6.12.0",
	};

	opts.n_groups = check_groups(&opts.groups);
	f->saves = true;
	assert_int_equal(check_run(&f->d.s, NULL, &opts, &f->cancel, &f->results, &f->err), 0);
	assert_int_equal(f->results.n, 5);
	for (size_t i = 0; i < f->results.n; i++) {
		assert_int_equal(f->results.v[i].verdict, CHECK_BROKEN);
		assert_string_equal(f->results.v[i].reason, "no data fd in resuming");
	}
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rules_that_do_no_harm_come_first),
		TEST(what_is_not_allowed_or_lacks_something_is_skipped),
		TEST(the_device_is_home_before_the_next_rule),
		TEST(a_reset_brings_home_what_may_be_lost_alone),
		TEST(a_harmless_rule_never_resets_and_ends_the_run),
		TEST(a_device_in_error_is_not_touched_without_leave),
		TEST(a_device_that_cannot_be_reset_ends_the_run),
		TEST(a_rule_over_its_time_is_broken_and_interrupted),
		TEST(a_rule_that_does_not_come_back_ends_the_run),
		TEST(a_rule_that_a_signal_does_not_end_has_not_passed),
		TEST(a_rule_without_its_session_has_not_passed),
		TEST(a_signal_ends_the_run_with_the_device_at_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
