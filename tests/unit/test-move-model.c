// SPDX-License-Identifier: GPL-2.0-or-later

/*
 * Both ends of a move, all that can happen to them
 *
 * Every state that the two machines of engine/move.h can come to together is visited: each message
 * is delivered or lost with its link, each write of a record succeeds, fails, or leaves either
 * content, each end may fail, be cancelled, give up, crash between any two actions, and be
 * recovered by engine/recover-plan.h, which may crash as well. The other end is asked by then, or
 * cannot be. A link loses nothing but its end, doubles and reorders nothing; it may break anywhere.
 *
 * What is claimed: a state never runs at both ends; and once both ends have been recovered and
 * could talk to each other, it runs at exactly one of them, or nothing has it any more.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/macros.h"
#include "engine/move.h"
#include "engine/recover-plan.h"

enum {
	S,
	D
};

/* Messages under way in one direction; more are never needed. */
#define QUEUE 4

/* What an end's devices have. */
enum dev {
	DEV_RUNS, /* the state, and run it */
	DEV_HOLDS, /* the state, stopped */
	DEV_OWN, /* a destination's: what they had before, untouched */
	DEV_LOADING,
	DEV_BLANK, /* nothing */
};

enum process {
	PROCESS_NONE,
	PROCESS_MOVES, /* the machine of engine/move.h */
	PROCESS_RECOVERS, /* the actions of a recover_plan */
};

/**
 * struct end
 * @pending: actions that are still to be done, of the machine or the plan
 * @record: as it is read after a crash
 * @writing, @finishing: of a plan: what its WRITE and its FINISH write
 * @linked: it has not heard yet that the link is gone
 * @crashes, @recoveries: how many there may still be
 */
struct end {
	uint8_t process, state, dev, record, writing, finishing;
	uint8_t linked, spool, retries, crashes, recoveries;
	uint32_t pending;
};

struct world {
	struct end end[2];
	uint8_t link_up;
	uint8_t n[2]; /* messages to the end */
	uint8_t queue[2][QUEUE];
	uint8_t dies, spools; /* devices lose their state with their process; there is a spool */
};

/*
 * The worlds that were seen
 */

#define SLOTS (1u << 23)

static struct model {
	struct world *worlds;
	uint32_t *parents; /* of each world, the one that it was come to from */
	uint32_t *slots;
	uint32_t n, room, from;
	uint64_t steps, settled;
} model;

static uint64_t hash_of(const struct world *w)
{
	const uint8_t *p = (const uint8_t *)w;
	uint64_t h = UINT64_C(14695981039346656037);

	for (size_t i = 0; i < sizeof(*w); i++)
		h = (h ^ p[i]) * UINT64_C(1099511628211);
	return h ^ h >> 32;
}

static void print_world(const struct world *w)
{
	static const char *const devs[] = { "runs", "holds", "own", "loading", "blank" };
	static const char *const processes[] = { "-", "", "recovers " };

	for (int end = S; end <= D; end++) {
		const struct end *e = &w->end[end];

		print_error("%s %s%s pending %#x, record %s, %s%s, %u messages; ",
			    end == S ? "source" : "destination", processes[e->process],
			    e->process == PROCESS_MOVES ? move_state_name(e->state) : "",
			    e->pending, wire_phase_name(e->record), devs[e->dev],
			    e->spool ? ", spool" : "", w->n[end]);
	}
	print_error("link %s\n", w->link_up ? "up" : "down");
}

/* How it came about. */
static void fail_with(const struct world *w, const char *why)
{
	print_error("%s:\n", why);
	print_world(w);
	print_error("after, backwards:\n");
	for (uint32_t i = model.from; i != UINT32_MAX; i = model.parents[i])
		print_world(&model.worlds[i]);
	fail();
}

static void check_one_runs(const struct world *w)
{
	if (w->end[S].dev == DEV_RUNS && w->end[D].dev == DEV_RUNS)
		fail_with(w, "both run");
}

static void visit(const struct world *w)
{
	uint64_t at = hash_of(w) % SLOTS;

	model.steps++;
	check_one_runs(w);
	for (; model.slots[at]; at = (at + 1) % SLOTS)
		if (!memcmp(&model.worlds[model.slots[at] - 1], w, sizeof(*w)))
			return;
	if (model.n == model.room) {
		model.room = model.room ? model.room * 2 : 1u << 16;
		model.worlds = realloc(model.worlds, model.room * sizeof(*w));
		model.parents = realloc(model.parents, model.room * sizeof(*model.parents));
		assert_non_null(model.worlds);
		assert_non_null(model.parents);
		assert_true(model.room < SLOTS);
	}
	model.parents[model.n] = model.from;
	model.worlds[model.n++] = *w;
	model.slots[at] = model.n;
}

/*
 * The link
 */

static void send(struct world *w, int from, enum wire_type type)
{
	int to = !from;

	if (!w->link_up || !w->end[from].linked)
		return;
	assert_true(w->n[to] < QUEUE);
	w->queue[to][w->n[to]++] = type;
}

static uint8_t take(struct world *w, int end)
{
	uint8_t type = w->queue[end][0];

	w->n[end]--;
	memmove(w->queue[end], w->queue[end] + 1, QUEUE - 1);
	w->queue[end][QUEUE - 1] = 0;
	return type;
}

static void drop_queue(struct world *w, int end)
{
	w->n[end] = 0;
	memset(w->queue[end], 0, QUEUE);
}

static void link_anew(struct world *w)
{
	w->link_up = 1;
	drop_queue(w, S);
	drop_queue(w, D);
	w->end[S].linked = w->end[D].linked = 1;
}

static void unlink_end(struct world *w, int end)
{
	w->link_up = 0;
	w->end[end].linked = 0;
	drop_queue(w, end);
}

/*
 * An end
 */

static void happens(struct world *w, int end, enum move_event event)
{
	struct end *e = &w->end[end];
	struct move_step step = move_step(e->state, event, end == S && e->retries);

	e->state = step.next;
	e->pending = step.actions;
}

static void exits(struct world *w, int end)
{
	struct end *e = &w->end[end];

	unlink_end(w, end);
	e->process = PROCESS_NONE;
	e->pending = 0;
	e->state = end == S ? MOVE_S_AGREEING : MOVE_D_AGREEING; /* nothing depends on it now */
}

/* A process that ends, however, takes with it what only it has held. */
static void loses_devices(struct world *w, int end)
{
	if (w->dies && w->end[end].dev != DEV_OWN)
		w->end[end].dev = DEV_BLANK;
}

/* The record was written, or not, or either is there. */
static void visit_writes(const struct world *before, int end, uint8_t phase, bool plan)
{
	static const struct {
		enum move_event event;
		bool is_new;
	} ways[] = { { MOVE_ON_WRITTEN, true },
		     { MOVE_ON_NOT_WRITTEN, false },
		     { MOVE_ON_UNSURE, false },
		     { MOVE_ON_UNSURE, true } };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct world w = *before;
		struct end *e = &w.end[end];

		if (ways[i].is_new)
			e->record = phase;
		if (!plan && move_step(e->state, ways[i].event, false).next != e->state)
			happens(&w, end, ways[i].event);
		else if (plan && ways[i].event != MOVE_ON_WRITTEN) {
			loses_devices(&w, end);
			exits(&w, end);
		}
		visit(&w);
	}
}

/* One action of the machine. */
static void visit_action(const struct world *before, int end)
{
	struct world w = *before;
	struct end *e = &w.end[end];
	uint32_t action = e->pending & -e->pending;

	e->pending &= ~action;
	switch (action) {
	case MOVE_WRITE:
		visit_writes(&w, end, move_phase(e->state), false);
		return;
	case MOVE_GIVE_BACK:
		if (e->dev == DEV_HOLDS)
			e->dev = DEV_RUNS;
		break;
	case MOVE_DISCARD:
		e->dev = e->dev == DEV_OWN ? DEV_OWN : DEV_BLANK;
		e->spool = 0;
		break;
	case MOVE_SEND_OFFER:
		send(&w, end, WIRE_OFFER);
		break;
	case MOVE_SEND_VERDICT:
		send(&w, end, WIRE_VERDICT);
		break;
	case MOVE_SEND_END:
		send(&w, end, WIRE_END);
		break;
	case MOVE_SEND_READY:
		send(&w, end, WIRE_READY);
		break;
	case MOVE_SEND_COMMIT:
		send(&w, end, WIRE_COMMIT);
		break;
	case MOVE_SEND_DONE:
		send(&w, end, WIRE_DONE);
		break;
	case MOVE_SEND_ABORT:
		send(&w, end, WIRE_ABORT);
		break;
	case MOVE_TAKE:
		e->dev = DEV_HOLDS;
		send(&w, end, WIRE_FRAMES);
		break;
	case MOVE_LOAD:
		e->dev = DEV_LOADING;
		break;
	case MOVE_START:
		e->dev = DEV_RUNS;
		break;
	case MOVE_RELEASE: /* see exits() */
	case MOVE_RELINK: /* see visit_link() */
	case MOVE_JUDGE: /* see visit_own() */
		break;
	default:
		fail();
	}
	visit(&w);
}

static void visit_event(const struct world *before, int end, enum move_event event)
{
	struct world w = *before;
	const struct end *e = &before->end[end];

	if (move_step(e->state, event, end == S && e->retries).next == e->state)
		return;
	happens(&w, end, event);
	if (event == MOVE_ON_TAKEN) {
		w.end[end].dev = DEV_HOLDS;
		w.end[end].spool = w.spools;
	}
	visit(&w);
}

/* What comes from the end's own devices and its user. */
static void visit_own(const struct world *w, int end)
{
	static const enum move_event own[] = { MOVE_ON_SENT, MOVE_ON_TAKEN, MOVE_ON_STARTED,
					       MOVE_ON_FAILED, MOVE_ON_CANCEL };

	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		visit_event(w, end, own[i]);
}

/* The other end breaks the protocol; what is said of that goes by the link, if it is not left. */
static void breaks(struct world *w, int end)
{
	if (move_step(w->end[end].state, MOVE_ON_BREACH, false).actions & MOVE_RELINK)
		unlink_end(w, end);
	happens(w, end, MOVE_ON_BREACH);
}

/* At any time, as far as this end can tell: a message may be of another program altogether. */
static void visit_breach(const struct world *before, int end)
{
	struct world w = *before;

	if (!before->end[end].linked ||
	    !move_step(before->end[end].state, MOVE_ON_BREACH, false).actions)
		return;
	breaks(&w, end);
	visit(&w);
}

/* COMMIT once more for a destination that has done it: it says DONE once more. */
static bool repeats_done(struct world *w, int end, uint8_t type)
{
	if (end != D || type != WIRE_COMMIT || w->end[D].state != MOVE_D_DONE)
		return false;
	send(w, D, WIRE_DONE);
	return true;
}

static void visit_message(const struct world *before, int end)
{
	struct world w = *before;
	struct end *e = &w.end[end];
	uint8_t type = take(&w, end);
	enum move_event event = move_hears(e->state, type);

	if (repeats_done(&w, end, type)) {
		visit(&w);
		return;
	}
	if (event == MOVE_ON_BREACH)
		breaks(&w, end);
	else
		happens(&w, end, event);
	visit(&w);
}

/* The link breaks for both; each hears what had come by then, or not, and then that it is lost. */
static void visit_break(const struct world *before, int end)
{
	struct world w = *before;

	if (before->link_up) {
		w.link_up = 0;
		visit(&w);
	}
	if (before->link_up || !before->end[end].linked || before->end[end].pending)
		return;
	w = *before;
	unlink_end(&w, end);
	happens(&w, end, MOVE_ON_LOST);
	if (w.end[S].retries && end == S && w.end[S].state == MOVE_S_BROKEN)
		w.end[S].retries--;
	visit(&w);
}

/* The source connects again: to a destination that is in doubt, or waits for another try. */
static void visit_link(const struct world *before)
{
	struct world w = *before;
	struct end *d = &w.end[D];
	bool again = before->end[S].state == MOVE_S_BROKEN;

	if (before->end[S].linked || d->process != PROCESS_MOVES || d->linked || d->pending)
		return;
	if (!again && before->end[S].state != MOVE_S_COMMITTED)
		return;
	if (d->state == MOVE_D_ABORTED)
		d->state = MOVE_D_AGREEING;
	link_anew(&w);
	happens(&w, S, MOVE_ON_LINKED);
	visit(&w);
}

/* The process has nothing more to do, or its user ends it where it would wait. */
static void visit_exit(const struct world *before, int end)
{
	struct world w = *before;
	const struct end *e = &before->end[end];
	bool waits = e->state == MOVE_S_COMMITTED || e->state == MOVE_D_PREPARED;
	bool done = e->state == MOVE_S_DONE || e->state == MOVE_S_ABORTED ||
		    e->state == MOVE_S_UNSURE || e->state == MOVE_D_DONE ||
		    e->state == MOVE_D_ABORTED || e->state == MOVE_D_FAILED;

	if (!waits && !done)
		return;
	/* What runs is held by its user from here on. */
	if (e->dev != DEV_RUNS)
		loses_devices(&w, end);
	exits(&w, end);
	visit(&w);
}

static void visit_crash(const struct world *before, int end)
{
	struct world w = *before;

	if (!before->end[end].crashes || before->end[end].process == PROCESS_NONE)
		return;
	w.end[end].crashes--;
	loses_devices(&w, end);
	exits(&w, end);
	visit(&w);
}

/*
 * Recovery
 */

static enum recover_other answer_of(const struct end *e, bool reachable)
{
	static const enum recover_other answers[] = {
		[WIRE_PHASE_NONE] = RECOVER_OTHER_NONE,
		[WIRE_PHASE_BEGUN] = RECOVER_OTHER_BEGUN,
		[WIRE_PHASE_PREPARED] = RECOVER_OTHER_PREPARED,
		[WIRE_PHASE_COMMITTED] = RECOVER_OTHER_COMMITTED,
		[WIRE_PHASE_DONE] = RECOVER_OTHER_DONE,
		[WIRE_PHASE_ABORTED] = RECOVER_OTHER_ABORTED,
	};

	if (!reachable)
		return RECOVER_OTHER_UNREACHABLE;
	/* A destination in doubt answers for itself. */
	if (e->process == PROCESS_MOVES && e->state == MOVE_D_PREPARED)
		return RECOVER_OTHER_PREPARED;
	if (e->process != PROCESS_NONE)
		return RECOVER_OTHER_BUSY;
	return answers[e->record];
}

static enum recover_devices devices_of(const struct end *e)
{
	static const enum recover_devices devices[] = {
		[DEV_RUNS] = RECOVER_RUN,    [DEV_HOLDS] = RECOVER_HOLD,
		[DEV_OWN] = RECOVER_RUN,     [DEV_LOADING] = RECOVER_LOADING,
		[DEV_BLANK] = RECOVER_BLANK,
	};

	return devices[e->dev];
}

/* Return: whether there is a plan, and something to do. */
static bool plan_of(struct world *w, int end, bool reachable)
{
	struct end *e = &w->end[end];
	struct recover_plan plan = { 0 };

	if (e->process != PROCESS_NONE || e->record == WIRE_PHASE_NONE)
		return false;
	if (!recover_plan(end == S ? WIRE_SOURCE : WIRE_DESTINATION, e->record, devices_of(e),
			  e->spool, answer_of(&w->end[!end], reachable), RECOVER_NO_FORCE, &plan))
		return false;
	e->pending = plan.actions;
	e->writing = plan.phase;
	e->finishing = plan.last;
	return plan.actions != 0;
}

static void visit_recovery(const struct world *before, int end, bool reachable)
{
	struct world w = *before;

	if (!before->end[end].recoveries || !plan_of(&w, end, reachable))
		return;
	w.end[end].recoveries--;
	w.end[end].process = PROCESS_RECOVERS;
	visit(&w);
}

/* The word reaches a destination that waits for it; of any other end its own recovery asks. */
static void tell(struct world *w, int end)
{
	struct end *d = &w->end[D];

	if (end != S || d->process != PROCESS_MOVES || d->state != MOVE_D_PREPARED || d->pending)
		return;
	if (w->end[S].record == WIRE_PHASE_COMMITTED || w->end[S].record == WIRE_PHASE_DONE)
		happens(w, D, MOVE_ON_COMMIT);
	else if (w->end[S].record == WIRE_PHASE_ABORTED)
		happens(w, D, MOVE_ON_REFUSE);
}

static void recovers(struct world *w, int end, uint32_t action)
{
	struct end *e = &w->end[end];

	switch (action) {
	case RECOVER_GIVE_BACK:
		if (e->dev == DEV_HOLDS)
			e->dev = DEV_RUNS;
		break;
	case RECOVER_DISCARD:
		e->dev = DEV_BLANK;
		break;
	case RECOVER_STOP:
		e->dev = e->dev == DEV_RUNS ? DEV_HOLDS : e->dev;
		break;
	case RECOVER_LOAD:
		assert_true(e->spool);
		e->dev = DEV_HOLDS;
		break;
	case RECOVER_START:
		assert_int_equal(e->dev, DEV_HOLDS);
		e->dev = DEV_RUNS;
		break;
	case RECOVER_DROP_SPOOL:
		e->spool = 0;
		break;
	case RECOVER_TELL:
		tell(w, end);
		break;
	default:
		fail();
	}
}

static void visit_recovery_action(const struct world *before, int end)
{
	struct world w = *before;
	struct end *e = &w.end[end];
	uint32_t action = e->pending & -e->pending;

	e->pending &= ~action;
	if (action == RECOVER_WRITE || action == RECOVER_FINISH) {
		visit_writes(&w, end, action == RECOVER_WRITE ? e->writing : e->finishing, true);
		return;
	}
	if (action) {
		recovers(&w, end, action);
	} else {
		if (e->dev != DEV_RUNS)
			loses_devices(&w, end);
		exits(&w, end);
	}
	visit(&w);
}

/*
 * In the end both are recovered, and talk
 */

static void recover_now(struct world *w, int end)
{
	struct end *e = &w->end[end];

	if (!plan_of(w, end, true))
		return;
	for (uint32_t action; (action = e->pending & -e->pending); e->pending &= ~action)
		if (action == RECOVER_WRITE || action == RECOVER_FINISH)
			e->record = action == RECOVER_WRITE ? e->writing : e->finishing;
		else
			recovers(w, end, action);
	check_one_runs(w);
}

static bool has_state(const struct end *e)
{
	return e->dev == DEV_RUNS || e->dev == DEV_HOLDS;
}

/* Nothing had the state any more before the first was asked. A spool counts once it is recorded. */
static bool is_lost(const struct world *w)
{
	const struct end *d = &w->end[D];

	if (has_state(&w->end[S]))
		return false;
	/* It was the source's again, and ended with it. */
	if (w->end[S].record == WIRE_PHASE_ABORTED)
		return true;
	return !has_state(d) && !(d->spool && (d->record == WIRE_PHASE_PREPARED ||
					       d->record == WIRE_PHASE_COMMITTED));
}

static void check_settles(const struct world *before, int first)
{
	struct world w = *before;
	bool lost;

	for (int end = S; end <= D; end++) {
		if (w.end[end].process == PROCESS_NONE)
			continue;
		if (w.end[end].dev != DEV_RUNS)
			loses_devices(&w, end);
		exits(&w, end);
	}
	/* A source that has not begun runs; nothing was asked of it. */
	lost = is_lost(&w);
	for (int round = 0; round < 4; round++)
		recover_now(&w, round % 2 ? !first : first);
	model.settled++;
	if (lost || (w.end[S].dev == DEV_RUNS) != (w.end[D].dev == DEV_RUNS))
		return;
	print_world(&w);
	fail_with(before, "both were recovered, and none runs");
}

static void explore_end(const struct world *w, int end)
{
	const struct end *e = &w->end[end];

	visit_crash(w, end);
	visit_recovery(w, end, true);
	visit_recovery(w, end, false);
	visit_break(w, end);
	if (e->process == PROCESS_RECOVERS) {
		visit_recovery_action(w, end);
		return;
	}
	if (e->process == PROCESS_NONE)
		return;
	if (e->pending) {
		visit_action(w, end);
		return;
	}
	visit_own(w, end);
	visit_breach(w, end);
	visit_exit(w, end);
	if (e->linked && w->n[end])
		visit_message(w, end);
}

static void explore(bool dies, bool spools, uint8_t retries)
{
	struct world w;

	memset(&w, 0, sizeof(w));
	w.dies = dies;
	w.spools = spools;
	for (int end = S; end <= D; end++) {
		w.end[end].process = PROCESS_MOVES;
		w.end[end].crashes = 3;
		w.end[end].recoveries = 4;
	}
	w.end[S].state = MOVE_S_AGREEING;
	w.end[S].pending = MOVE_SEND_OFFER;
	w.end[S].retries = retries;
	w.end[S].dev = DEV_RUNS;
	w.end[D].state = MOVE_D_AGREEING;
	w.end[D].dev = DEV_OWN;
	link_anew(&w);

	memset(&model, 0, sizeof(model));
	model.slots = calloc(SLOTS, sizeof(*model.slots));
	assert_non_null(model.slots);
	model.from = UINT32_MAX;
	visit(&w);
	for (uint32_t i = 0; i < model.n; i++) {
		w = model.worlds[i];
		model.from = i;
		explore_end(&w, S);
		explore_end(&w, D);
		visit_link(&w);
		check_settles(&w, S);
		check_settles(&w, D);
	}
	print_message("%s%s, %u retries: %u states, %llu steps, %llu settled\n",
		      dies ? "state dies with its process" : "state survives",
		      spools ? ", spooled" : "", retries, model.n, (unsigned long long)model.steps,
		      (unsigned long long)model.settled);
	free(model.worlds);
	free(model.parents);
	free(model.slots);
}

static void a_state_that_survives_its_process_runs_once(void **state)
{
	(void)state;
	explore(false, false, 0);
}

static void another_try_changes_nothing(void **state)
{
	(void)state;
	explore(false, false, 1);
}

static void a_state_that_dies_with_its_process_runs_at_most_once(void **state)
{
	(void)state;
	explore(true, true, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_that_survives_its_process_runs_once),
		cmocka_unit_test(another_try_changes_nothing),
		cmocka_unit_test(a_state_that_dies_with_its_process_runs_at_most_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
