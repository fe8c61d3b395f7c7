// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/precopy.h"

/* A round in which the device has so much left, and the time then. */
struct round {
	uint64_t initial, dirty;
	bool reinit;
	bool untold; /* the protocol has no such question: @dirty is what was read */
	uint64_t now;
	enum precopy_verdict verdict;
};

static const struct precopy policy = { .max_rounds = 100, .max_ns = 1000, .small = 64 };

#define GO PRECOPY_CONTINUE

static enum precopy_verdict step(struct precopy *p, const struct round *r)
{
	struct mig_precopy_info info = { r->initial, r->dirty, r->reinit };

	if (r->untold)
		return precopy_step(p, NULL, r->dirty, r->now);
	return precopy_step(p, &info, r->initial + r->dirty, r->now);
}

static void a_round_is_judged_by_what_is_left(void **state)
{
	static const struct {
		const char *name;
		struct {
			unsigned int max_rounds;
			uint64_t max_ns, small;
		} bounds;
		struct round rounds[6]; /* ends after a verdict that is not GO */
	} rows[] = {
		/* clang-format off */
		{ "nothing from the start", { 100, 1000, 0 },
		  { { 0, 0, .verdict = PRECOPY_CONVERGED } } },
		{ "little enough", { 100, 1000, 64 },
		  { { 0, 64, .verdict = PRECOPY_CONVERGED } } },
		{ "a byte too much", { 100, 1000, 64 },
		  { { 0, 65, .verdict = GO },
		    { 0, 64, .verdict = PRECOPY_CONVERGED } } },
		{ "initial bytes must go", { 100, 1000, 64 },
		  { { 1, 0, .verdict = GO },
		    { 0, 64, .verdict = PRECOPY_CONVERGED } } },
		{ "shrinking", { 100, 1000, 64 },
		  { { 1000, 9, .verdict = GO },
		    { 0, 900, .verdict = GO },
		    { 0, 90, .verdict = GO },
		    { 0, 9, .verdict = PRECOPY_CONVERGED } } },
		{ "no rounds at all", { 0, 1000, 64 },
		  { { 0, 0, .verdict = PRECOPY_LIMIT } } },
		{ "rounds used up", { 2, 1000, 64 },
		  { { 0, 500, .verdict = GO },
		    { 0, 400, .verdict = GO },
		    { 0, 0, .verdict = PRECOPY_LIMIT } } },
		{ "no time at all", { 100, 0, 64 },
		  { { 0, 0, .verdict = PRECOPY_LIMIT } } },
		{ "time used up", { 100, 1000, 64 },
		  { { 0, 500, .now = 999, .verdict = GO },
		    { 0, 400, .now = 1000, .verdict = PRECOPY_LIMIT } } },
		{ "no end of time", { 100, UINT64_MAX, 64 },
		  { { 0, 500, .now = 1, .verdict = GO },
		    { 0, 400, .now = UINT64_MAX - 1, .verdict = GO },
		    { 0, 4, .verdict = PRECOPY_CONVERGED } } },
		{ "reconfigured, all the same", { 100, 1000, 64 },
		  { { 0, 0, true, .verdict = GO },
		    { 0, 0, .verdict = PRECOPY_CONVERGED } } },
		{ "everything at once", { 100, 1000, 64 },
		  { { UINT64_MAX, UINT64_MAX, .verdict = GO },
		    { 0, UINT64_MAX, .verdict = GO },
		    { 0, 1, .verdict = PRECOPY_CONVERGED } } },
		{ "untold, nothing comes", { 100, 1000, 64 },
		  { { 0, 0, .untold = true, .verdict = GO },
		    { 0, 0, .untold = true, .verdict = PRECOPY_CONVERGED } } },
		{ "untold, something comes", { 100, 1000, 64 },
		  { { 0, 0, .untold = true, .verdict = GO },
		    { 0, 9, .untold = true, .verdict = GO },
		    { 0, 9, .untold = true, .verdict = GO },
		    { 0, 0, .untold = true, .verdict = PRECOPY_CONVERGED } } },
		{ "untold, it never ends", { 2, 1000, 64 },
		  { { 0, 0, .untold = true, .verdict = GO },
		    { 0, 9, .untold = true, .verdict = GO },
		    { 0, 9, .untold = true, .verdict = PRECOPY_LIMIT } } },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct round *r = rows[i].rounds;
		struct precopy p = {
			.max_rounds = rows[i].bounds.max_rounds,
			.max_ns = rows[i].bounds.max_ns,
			.small = rows[i].bounds.small,
		};
		enum precopy_verdict got;

		precopy_start(&p, 0);
		for (;; r++) {
			got = step(&p, r);
			if (got != r->verdict)
				fail_msg("%s: %u in round %u, not %u", rows[i].name, got,
					 (unsigned int)(r - rows[i].rounds), r->verdict);
			if (got != GO)
				break;
		}
	}
}

/* Return: rounds until it is not PRECOPY_CONTINUE any more, that one counted. */
static unsigned int rounds_of_the_same(struct precopy *p, const struct round *r,
				       enum precopy_verdict *ret)
{
	unsigned int n = 0;

	do {
		*ret = step(p, r);
		n++;
	} while (*ret == PRECOPY_CONTINUE && n < 1000);
	return n;
}

static void what_does_not_shrink_is_given_up(void **state)
{
	const struct round same = { .dirty = 500 }, more = { .dirty = 501 },
			   less = { .dirty = 499 };
	enum precopy_verdict got;
	struct precopy p = policy;
	unsigned int patience;

	(void)state;
	precopy_start(&p, 0);
	patience = rounds_of_the_same(&p, &same, &got);
	assert_int_equal(got, PRECOPY_DIVERGES);
	/* virtio tells anew once a second and is asked ten times: less would be too soon. */
	assert_in_range(patience, 11, 30);

	/* Growing is no better. Only less than ever before counts, and then all starts over. */
	precopy_start(&p, 0);
	assert_int_equal(step(&p, &same), PRECOPY_CONTINUE);
	for (unsigned int i = 2; i < patience; i++)
		assert_int_equal(step(&p, i % 2 ? &more : &same), PRECOPY_CONTINUE);
	assert_int_equal(step(&p, &less), PRECOPY_CONTINUE);
	assert_int_equal(rounds_of_the_same(&p, &same, &got), patience - 1);
	assert_int_equal(got, PRECOPY_DIVERGES);
}

static void initial_bytes_are_waited_for(void **state)
{
	const struct round initial = { .initial = 1, .dirty = 500 };
	struct precopy p = policy;
	enum precopy_verdict got;

	(void)state;
	precopy_start(&p, 0);
	assert_int_equal(rounds_of_the_same(&p, &initial, &got), policy.max_rounds + 1);
	assert_int_equal(got, PRECOPY_LIMIT);
}

static void a_reconfigured_device_starts_over(void **state)
{
	const struct round same = { .dirty = 500 };
	const struct round anew = { .initial = 4000, .dirty = 500, .reinit = true };
	const struct round shrunk = { .dirty = 600 };
	struct precopy p = policy;
	enum precopy_verdict got;
	unsigned int patience;

	(void)state;
	precopy_start(&p, 0);
	patience = rounds_of_the_same(&p, &same, &got);

	precopy_start(&p, 0);
	for (unsigned int i = 1; i < patience; i++)
		assert_int_equal(step(&p, &same), PRECOPY_CONTINUE);
	assert_int_equal(step(&p, &anew), PRECOPY_CONTINUE);
	/* More than it once was, less than it is now. */
	assert_int_equal(step(&p, &shrunk), PRECOPY_CONTINUE);
	assert_int_equal(rounds_of_the_same(&p, &shrunk, &got), patience - 1);
	assert_int_equal(got, PRECOPY_DIVERGES);
}

static void one_that_is_reconfigured_for_ever_is_bounded_all_the_same(void **state)
{
	const struct round anew = { .dirty = 1, .reinit = true };
	struct precopy p = policy;
	enum precopy_verdict got;

	(void)state;
	precopy_start(&p, 0);
	assert_int_equal(rounds_of_the_same(&p, &anew, &got), policy.max_rounds + 1);
	assert_int_equal(got, PRECOPY_LIMIT);
}

static void a_new_start_forgets_the_old_one(void **state)
{
	const struct round first = { .dirty = 100, .now = 5999 },
			   more = { .dirty = 900, .now = 5999 };
	struct precopy p = policy;

	(void)state;
	precopy_start(&p, 0);
	for (unsigned int i = 0; i < 5; i++)
		step(&p, &first);
	precopy_start(&p, 5000);
	assert_int_equal(p.rounds, 0);
	assert_int_equal(step(&p, &more), PRECOPY_CONTINUE);
	assert_int_equal(p.least, 900);
	assert_int_equal(p.rounds, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_round_is_judged_by_what_is_left),
		cmocka_unit_test(what_does_not_shrink_is_given_up),
		cmocka_unit_test(initial_bytes_are_waited_for),
		cmocka_unit_test(a_reconfigured_device_starts_over),
		cmocka_unit_test(one_that_is_reconfigured_for_ever_is_bounded_all_the_same),
		cmocka_unit_test(a_new_start_forgets_the_old_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
