// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/successor.h"

#define HERE SUCCESSOR_HERE
#define OFFERED SUCCESSOR_OFFERED
#define TOOK SUCCESSOR_TOOK
#define REFUSED SUCCESSOR_REFUSED
#define FAILED SUCCESSOR_FAILED
#define DOUBT SUCCESSOR_DOUBT
#define OFFER SUCCESSOR_ON_OFFER
#define TAKE SUCCESSOR_ON_TAKE
#define REFUSE SUCCESSOR_ON_REFUSE
#define FAILURE SUCCESSOR_ON_FAILURE
#define NO_EVENT SUCCESSOR_NR_EVENTS

static const struct handover_verdict moved = { HANDOVER_DONE, OUTCOME_COMPLETED,
					       OWNER_DESTINATION };

/* What happens, in order, and what comes of it. */
static void each_story_has_its_end(void **state)
{
	static const struct {
		enum successor_event events[4];
		enum successor_stage stage;
		enum successor_hold hold;
		enum handover_status status;
		enum outcome outcome;
	} rows[] = {
		/* clang-format off */
		/* taken: and nothing that comes later changes that */
		{ { OFFER, TAKE, NO_EVENT }, TOOK, SUCCESSOR_LET_GO, HANDOVER_DONE,
		  OUTCOME_COMPLETED },
		{ { OFFER, TAKE, FAILURE, NO_EVENT }, TOOK, SUCCESSOR_LET_GO, HANDOVER_DONE,
		  OUTCOME_COMPLETED },
		{ { OFFER, TAKE, REFUSE, NO_EVENT }, TOOK, SUCCESSOR_LET_GO, HANDOVER_DONE,
		  OUTCOME_COMPLETED },
		/* never offered */
		{ { FAILURE, NO_EVENT }, FAILED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		{ { FAILURE, TAKE, NO_EVENT }, FAILED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		{ { TAKE, NO_EVENT }, FAILED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		/* refused */
		{ { REFUSE, NO_EVENT }, REFUSED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		{ { OFFER, REFUSE, NO_EVENT }, REFUSED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		{ { OFFER, REFUSE, TAKE, NO_EVENT }, REFUSED, SUCCESSOR_HOLD, HANDOVER_DEVICE,
		  OUTCOME_DEVICE_ERROR },
		/* no answer, or one that came when nothing was to be believed any more */
		{ { OFFER, FAILURE, NO_EVENT }, DOUBT, SUCCESSOR_HOLD, HANDOVER_IN_DOUBT,
		  OUTCOME_IN_DOUBT },
		{ { OFFER, FAILURE, TAKE, NO_EVENT }, DOUBT, SUCCESSOR_HOLD, HANDOVER_IN_DOUBT,
		  OUTCOME_IN_DOUBT },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum successor_stage stage = HERE;
		struct handover_verdict v;

		for (size_t e = 0; rows[i].events[e] != NO_EVENT; e++)
			stage = successor_next(stage, rows[i].events[e]);
		v = successor_verdict(stage, moved);
		assert_int_equal(stage, rows[i].stage);
		assert_int_equal(successor_holds(stage), rows[i].hold);
		assert_int_equal(v.status, rows[i].status);
		assert_int_equal(v.outcome, rows[i].outcome);
		assert_int_equal(v.owner, OWNER_DESTINATION);
	}
}

/* Through all stories of five events: let go only after an offer that was taken next. */
static void no_story_lets_go_of_what_was_not_taken(void **state)
{
	unsigned int stories = 1, kept = 0, let_go = 0;

	(void)state;
	for (int i = 0; i < 5; i++)
		stories *= SUCCESSOR_NR_EVENTS;
	for (unsigned int story = 0; story < stories; story++) {
		enum successor_stage stage = HERE;
		bool offered = false, decided = false, taken = false;
		unsigned int rest = story;

		for (int i = 0; i < 5; i++, rest /= SUCCESSOR_NR_EVENTS) {
			enum successor_event e = rest % SUCCESSOR_NR_EVENTS;

			stage = successor_next(stage, e);
			taken |= !decided && offered && e == TAKE;
			decided |= e != OFFER;
			offered |= e == OFFER;
		}
		assert_int_equal(successor_holds(stage) == SUCCESSOR_LET_GO, taken);
		let_go += taken;
		kept += !taken;
	}
	assert_true(kept && let_go);
}

static void a_verdict_leaves_the_owner_alone(void **state)
{
	static const enum owner owners[] = { OWNER_SOURCE, OWNER_DESTINATION, OWNER_UNKNOWN };
	struct handover_verdict loaded = moved;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(owners); i++)
		for (int stage = 0; stage < SUCCESSOR_NR_STAGES; stage++) {
			loaded.owner = owners[i];
			assert_int_equal(successor_verdict(stage, loaded).owner, owners[i]);
		}
}

static void of_a_set_all_are_taken_or_all_are_held(void **state)
{
	static const struct {
		enum successor_stage stages[3];
		unsigned int n;
		enum successor_stage worst;
	} rows[] = {
		{ { TOOK }, 1, TOOK },
		{ { FAILED }, 1, FAILED },
		{ { TOOK, TOOK, TOOK }, 3, TOOK },
		{ { FAILED, HERE, HERE }, 3, HERE },
		{ { REFUSED, REFUSED, REFUSED }, 3, REFUSED },
		{ { TOOK, REFUSED, HERE }, 3, DOUBT },
		{ { TOOK, TOOK, HERE }, 3, DOUBT },
		{ { TOOK, DOUBT, HERE }, 3, DOUBT },
		{ { OFFERED, HERE, HERE }, 3, DOUBT },
		{ { TOOK, TOOK, FAILED }, 3, DOUBT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		enum successor_stage worst = successor_worst(rows[i].stages, rows[i].n);

		assert_int_equal(worst, rows[i].worst);
		assert_int_equal(successor_holds(worst) == SUCCESSOR_LET_GO, rows[i].worst == TOOK);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_story_has_its_end),
		cmocka_unit_test(no_story_lets_go_of_what_was_not_taken),
		cmocka_unit_test(a_verdict_leaves_the_owner_alone),
		cmocka_unit_test(of_a_set_all_are_taken_or_all_are_held),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
