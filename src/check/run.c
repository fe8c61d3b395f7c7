// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/trace.h"
#include "check/record.h"
#include "check/run.h"
#include "check/verdict.h"

/* Between two kicks of a rule that is over its time. */
#define RUN_KICK_MS 20
/* As often a rule may use its time up, and still go on: its end is in sight whatever it does. */
#define RUN_TIMES_MAX 30u
/* So long a rule is kicked before it counts as hanging, and no less than its own time. */
#define RUN_GRACE_MS 2000

/**
 * struct run_try - what one thread does: a rule, or bringing a device home
 *
 * On the heap: a thread that does not come back keeps it, and frees it if it ends after all.
 *
 * @let_go: by the thread or by the runner, whichever came first
 * @cancel: ends it
 * @done_fd: an eventfd, readable when it has ended
 * @may_lose, @home, @home_err: of bringing home
 */
struct run_try {
	struct check check;
	struct check_record record;
	struct cancel cancel;
	int done_fd;
	atomic_bool let_go;
	pthread_t thread;
	void (*work)(struct run_try *t);
	bool may_lose;
	int home;
	struct err home_err;
};

/* A run under way. */
struct run {
	const struct check_options *opts;
	struct subject *device, *pair;
	struct cancel *cancel;
	struct check_results *results;
};

/* Return: NULL where there is no memory or no eventfd, said. */
static struct run_try *run_try_new(const struct run *run, const struct check_rule *rule,
				   struct err *err)
{
	struct run_try *t = calloc(1, sizeof(*t));

	if (!t) {
		err_set(err, -ENOMEM, "a rule");
		return NULL;
	}
	if (cancel_init(&t->cancel, err) < 0) {
		free(t);
		return NULL;
	}
	t->done_fd = eventfd(0, EFD_CLOEXEC);
	if (t->done_fd < 0) {
		err_set(err, -errno, "eventfd");
		cancel_done(&t->cancel);
		free(t);
		return NULL;
	}
	check_record_init(&t->record, &t->cancel, check_record_seed(run->opts->seed, rule->id));
	t->check = (struct check){
		.rule = rule,
		.device = run->device,
		.pair = rule->harm == CHECK_PAIR ? run->pair : NULL,
		.rounds = run->opts->rounds,
		.seed = run->opts->seed,
		.record = &t->record,
	};
	return t;
}

static void run_try_free(struct run_try *t)
{
	close(t->done_fd);
	cancel_done(&t->cancel);
	check_record_done(&t->record);
	free(t);
}

static void *run_thread(void *arg)
{
	struct run_try *t = arg;
	const uint64_t one = 1;

	t->work(t);
	/* Cannot fail: the counter is 0. */
	if (write(t->done_fd, &one, sizeof(one)) < 0)
		abort();
	if (atomic_exchange(&t->let_go, true))
		run_try_free(t);
	return NULL;
}

/* Of a thread that hangs. */
static void run_let_go(struct run_try *t)
{
	pthread_detach(t->thread);
	if (atomic_exchange(&t->let_go, true))
		run_try_free(t);
}

static bool run_wait_done(const struct run_try *t, int timeout_ms)
{
	struct pollfd p = { .fd = t->done_fd, .events = POLLIN };
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	for (;;) {
		if (poll(&p, 1, clock_ms_until(end)) > 0)
			return true;
		if (!clock_ms_until(end))
			return false;
	}
}

/* Return: whether it is done; not so when the time has passed, or (@user) the run is to end. */
static bool run_wait_once(const struct run_try *t, int timeout_ms, struct cancel *user)
{
	struct pollfd p = { .fd = t->done_fd, .events = POLLIN };

	if (!user)
		return run_wait_done(t, timeout_ms);
	return cancel_wait(user, &p, 1, timeout_ms, NULL) > 0;
}

/*
 * As long as the device answers, a large state takes its time: what ends the wait is that nothing
 * was said for so long. Return: as run_wait_once().
 */
static bool run_wait(const struct run_try *t, int timeout_ms, struct cancel *user)
{
	for (unsigned int i = 0; i < RUN_TIMES_MAX; i++) {
		unsigned long said = atomic_load(&t->record.said);

		if (run_wait_once(t, timeout_ms, user))
			return true;
		if (user && cancel_check(user, NULL) < 0)
			return false;
		if (said == atomic_load(&t->record.said))
			return false;
	}
	return false;
}

/* A kick just before a call is lost: again and again. */
static bool run_kick(struct run_try *t, int timeout_ms)
{
	uint64_t end = clock_ns() + (uint64_t)timeout_ms * NSEC_PER_MSEC;

	cancel_request(&t->cancel);
	do {
		cancel_kick(&t->cancel);
		if (run_wait_done(t, RUN_KICK_MS))
			return true;
	} while (clock_ms_until(end));
	return false;
}

static void run_say_late(struct run_try *t, int timeout_ms)
{
	struct cancel_waiting waiting = cancel_waiting(&t->cancel);

	if (waiting.call == CANCEL_CALL_NONE)
		check_broken(&t->check, "it did not come on for %g s", timeout_ms / 1e3);
	else
		check_broken(&t->check, "it did not come on for %g s, in %s", timeout_ms / 1e3,
			     waiting.what);
}

/* Outcomes of run_try_work() */
enum run_end {
	RUN_DONE, /* in its time, or when it was kicked */
	RUN_STOPPED, /* since the user wants that */
	RUN_HANGS, /* it has not ended: what it uses is its thread's now */
	RUN_NOT_BEGUN,
};

static enum run_end run_try_work(struct run_try *t, int timeout_ms, struct cancel *user,
				 struct err *err)
{
	enum run_end end = RUN_DONE;
	int r = pthread_create(&t->thread, NULL, run_thread, t);

	if (r) {
		err_set(err, -r, "a thread for %s", t->check.rule->id);
		return RUN_NOT_BEGUN;
	}
	if (!run_wait(t, timeout_ms, user)) {
		if (user && cancel_check(user, NULL) < 0)
			end = RUN_STOPPED;
		else
			run_say_late(t, timeout_ms);
		if (!run_kick(t, MAX(timeout_ms, RUN_GRACE_MS))) {
			check_broken(&t->check, "it does not end when it is interrupted");
			return RUN_HANGS;
		}
	}
	pthread_join(t->thread, NULL);
	return end;
}

static void run_begin(struct run_try *t)
{
	subject_begin(t->check.device, &t->check, &t->cancel);
	if (t->check.pair)
		subject_begin(t->check.pair, &t->check, &t->cancel);
}

static void run_end(struct run_try *t)
{
	subject_begin(t->check.device, NULL, NULL);
	if (t->check.pair)
		subject_begin(t->check.pair, NULL, NULL);
}

static void run_rule(struct run_try *t)
{
	t->check.rule->run(&t->check);
}

/* What it says on the way is no evidence of a rule, but what ends it is this thread's cancel. */
static void run_home(struct run_try *t)
{
	t->home = subject_home(t->check.device, t->may_lose, &t->home_err);
	if (t->home >= 0 && t->check.pair)
		t->home = subject_home(t->check.pair, true, &t->home_err);
}

static int run_hangs(struct run *run, const char *what, const char *id, struct err *err)
{
	run->results->hangs = true;
	err_fail(err, ERR_DEVICE, -ETIMEDOUT, "%s: %s %s does not come back: its driver hangs",
		 run->device->name, what, id);
	return err_hint(err, -ETIMEDOUT, "see the kernel's log; the device stays as it is");
}

/* Bring home what @rule was tried on. */
static int run_go_home(struct run *run, const struct check_rule *rule, struct err *err)
{
	struct run_try *t = run_try_new(run, rule, err);
	enum run_end end;
	int r;

	if (!t)
		return err->code;
	t->work = run_home;
	t->may_lose = run->opts->allowed != 1u << CHECK_HARMLESS;
	subject_begin(t->check.device, NULL, &t->cancel);
	if (t->check.pair)
		subject_begin(t->check.pair, NULL, &t->cancel);
	end = run_try_work(t, run->opts->timeout_ms, NULL, err);
	if (end == RUN_HANGS) {
		run_let_go(t);
		return run_hangs(run, "the way home after", rule->id, err);
	}
	run_end(t);
	r = end == RUN_NOT_BEGUN ? err->code : t->home;
	if (end != RUN_NOT_BEGUN && r < 0) {
		*err = t->home_err;
		err_classify(err, ERR_DEVICE, r);
		err_note(err, r, "after %s", rule->id);
	}
	run_try_free(t);
	return r;
}

static void run_tell(const struct run *run, const struct check_result *result)
{
	const struct check_listener *l = &run->opts->listener;

	if (l->result)
		l->result(l->ctx, result);
}

static struct check_result *run_add(struct run *run, const struct check_rule *rule)
{
	struct check_result *result = &run->results->v[run->results->n++];

	*result = (struct check_result){ .rule = rule };
	return result;
}

static void run_judge(const struct run *run, struct check_result *result)
{
	const struct check_options *o = run->opts;
	const struct check_known *known = check_known_find(o->driver, o->release, result->rule->id);

	result->verdict = check_judge(result->verdict, known, o->strict);
	if (result->verdict == CHECK_KNOWN)
		result->known = known;
}

static void run_keep(struct run *run, struct run_try *t, uint64_t ns)
{
	struct check_result *result = run_add(run, t->check.rule);
	char reason[CHECK_LINE_MAX];

	result->verdict = check_record_verdict(&t->record, reason);
	result->reason = strdup(reason);
	result->evidence = check_record_evidence(&t->record);
	result->ns = ns;
	run_judge(run, result);
	log_info("%s: %s%s%s", t->check.rule->id, check_verdict_name(result->verdict),
		 *reason ? ": " : "", reason);
	run_tell(run, result);
}

static void run_skip(struct run *run, const struct check_rule *rule, const char *reason)
{
	struct check_result *result = run_add(run, rule);

	result->verdict = CHECK_SKIP;
	result->reason = strdup(reason);
	run_tell(run, result);
}

/* Of what follows in a trace. */
static void run_mark(const struct run *run, const struct check_rule *rule)
{
	struct trace_record r;

	if (!trace_wanted())
		return;
	trace_begin(&r, "rule", rule->id, run->device->fd);
	trace_end(&r, 0, 0);
}

static int run_try_rule(struct run *run, const struct check_rule *rule, struct err *err)
{
	struct run_try *t = run_try_new(run, rule, err);
	uint64_t start = clock_ns();
	enum run_end end;

	if (!t)
		return err->code;
	t->work = run_rule;
	run_begin(t);
	run_mark(run, rule);
	log_debug("%s", rule->id);
	end = run_try_work(t, run->opts->timeout_ms, run->cancel, err);
	if (end != RUN_STOPPED && end != RUN_NOT_BEGUN)
		run_keep(run, t, clock_ns() - start);
	if (end == RUN_HANGS) {
		run_let_go(t);
		return run_hangs(run, "the rule", rule->id, err);
	}
	run_end(t);
	run_try_free(t);
	return end == RUN_NOT_BEGUN ? err->code : 0;
}

static int run_one(struct run *run, const struct check_rule *rule, struct err *err)
{
	const char *why = check_gate(rule->harm, run->opts->allowed);
	int r;

	if (!why)
		why = check_lack(rule->needs, run->device->needs);
	if (why) {
		run_skip(run, rule, why);
		return 0;
	}
	r = run_try_rule(run, rule, err);
	if (r < 0)
		return r;
	r = run_go_home(run, rule, err);
	return r < 0 ? r : cancel_check(run->cancel, err);
}

/* The rules of one kind of harm. */
static int run_pass(struct run *run, enum check_harm harm, struct err *err)
{
	for (size_t g = 0; g < run->opts->n_groups; g++)
		for (size_t i = 0; i < run->opts->groups[g]->n; i++) {
			const struct check_rule *rule = &run->opts->groups[g]->rules[i];
			int r;

			if (rule->harm != harm || !check_selected(&run->opts->selection, rule->id))
				continue;
			r = run_one(run, rule, err);
			if (r < 0)
				return r;
		}
	return 0;
}

static size_t run_count_selected(const struct check_options *opts)
{
	size_t n = 0;

	for (size_t g = 0; g < opts->n_groups; g++)
		for (size_t i = 0; i < opts->groups[g]->n; i++)
			n += check_selected(&opts->selection, opts->groups[g]->rules[i].id);
	return n;
}

/* Before the first rule: it may have been left anywhere by what used it before. */
static int run_start(struct run *run, struct err *err)
{
	const struct check_rule start = {
		.id = "the start",
		.harm = run->pair ? CHECK_PAIR : CHECK_HARMLESS,
	};
	int r = run_go_home(run, &start, err);

	if (r < 0 && !run->results->hangs)
		err->note[0] = '\0';
	return r;
}

int check_run(struct subject *device, struct subject *pair, const struct check_options *opts,
	      struct cancel *cancel, struct check_results *ret, struct err *err)
{
	struct run run = {
		.opts = opts,
		.device = device,
		.pair = pair,
		.cancel = cancel,
		.results = ret,
	};
	int r;

	*ret = (struct check_results){ .selected = run_count_selected(opts) };
	ret->v = calloc(MAX(ret->selected, (size_t)1), sizeof(*ret->v));
	if (!ret->v)
		return err_set(err, -ENOMEM, "results");
	if (opts->listener.begun)
		opts->listener.begun(opts->listener.ctx, ret->selected);
	r = run_start(&run, err);
	if (r < 0)
		return r;
	for (int harm = CHECK_HARMLESS; harm <= CHECK_HOSTILE; harm++) {
		r = run_pass(&run, (enum check_harm)harm, err);
		if (r < 0)
			return r;
	}
	return 0;
}

void check_results_done(struct check_results *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].reason);
		free(r->v[i].evidence);
	}
	free(r->v);
}

size_t check_results_count(const struct check_results *r, enum check_verdict verdict)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->v[i].verdict == verdict;
	return n;
}
