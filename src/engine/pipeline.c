// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "base/macros.h"
#include "engine/pipeline.h"

/* One of the pool's places. */
struct slot {
	struct pipeline_item item;
	bool ready; /* the work on it is done */
};

struct worker {
	struct pipeline *pipe;
	unsigned int number;
	pthread_t thread;
};

/**
 * struct consumer - takes every item, in order: the sink, the observer
 * @worked_on: not before the work on it is done
 * @idle: may be NULL
 * @taken: items it has had
 */
struct consumer {
	struct pipeline *pipe;
	pipeline_sink_fn *take;
	bool worked_on;
	pipeline_idle_fn *idle;
	uint64_t taken;
	pthread_t thread;
};

#define TAKERS_MAX 2

/**
 * struct pipeline
 * @slots, @n: of item N the place is N modulo @n
 * @pushed, @begun: items so far: @begun by workers
 * @bytes: of all that was pushed
 * @failed, @err: the first failure; no item reaches worker or consumer after it
 * @ending: nothing is pushed any more
 */
struct pipeline {
	struct pipeline_options opts;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	unsigned int n;
	uint64_t pushed, begun;
	uint64_t bytes;
	int failed;
	struct err err;
	bool ending;

	struct consumer consumers[TAKERS_MAX];
	unsigned int n_consumers;
	struct worker *workers;
	unsigned int n_workers;
};

static struct slot *pipeline_slot(struct pipeline *p, uint64_t number)
{
	return &p->slots[number % p->n];
}

/*
 * The caller holds @p->lock. The first failure counts, and the thread that fills frames hears of
 * it by the cancel.
 */
static void pipeline_note(struct pipeline *p, int r, const struct err *err)
{
	if (r >= 0 || p->failed)
		return;
	p->failed = r;
	p->err = *err;
	cancel_request(p->opts.cancel);
}

/* The caller holds @p->lock. Items that every consumer has taken. */
static uint64_t pipeline_through(const struct pipeline *p)
{
	uint64_t n = p->pushed;

	for (unsigned int i = 0; i < p->n_consumers; i++)
		n = MIN(n, p->consumers[i].taken);
	return n;
}

/*
 * Threads. @lock is held, and let go while there is something to do.
 */

static void pipeline_take_next(struct consumer *t)
{
	struct pipeline *p = t->pipe;
	const struct pipeline_item *item = &pipeline_slot(p, t->taken)->item;
	struct err err = { 0 };
	int r;

	if (!p->failed) {
		pthread_mutex_unlock(&p->lock);
		r = t->take(p->opts.ctx, item->frame, item->len, &err);
		pthread_mutex_lock(&p->lock);
		pipeline_note(p, r, &err);
	}
	t->taken++;
	pthread_cond_broadcast(&p->changed);
}

static void pipeline_be_idle(struct consumer *t)
{
	struct pipeline *p = t->pipe;
	struct err err = { 0 };
	int r;

	if (p->failed)
		return;
	pthread_mutex_unlock(&p->lock);
	r = t->idle(p->opts.ctx, &err);
	pthread_mutex_lock(&p->lock);
	pipeline_note(p, r, &err);
}

static bool pipeline_has_next(const struct consumer *t)
{
	struct pipeline *p = t->pipe;

	return t->taken < p->pushed && (!t->worked_on || pipeline_slot(p, t->taken)->ready);
}

/* Return: false when @deadline_ns came first. */
static bool pipeline_wait_change(struct pipeline *p, uint64_t deadline_ns)
{
	const struct timespec at = {
		.tv_sec = (time_t)(deadline_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(deadline_ns % NSEC_PER_SEC),
	};

	return !pthread_cond_timedwait(&p->changed, &p->lock, &at);
}

static void *pipeline_consumer(void *arg)
{
	struct consumer *t = arg;
	struct pipeline *p = t->pipe;
	uint64_t pause = (uint64_t)p->opts.idle_ms * NSEC_PER_MSEC, idle_at = clock_ns() + pause;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (pipeline_has_next(t))
			pipeline_take_next(t);
		else if (!t->idle)
			pthread_cond_wait(&p->changed, &p->lock);
		else if (pipeline_wait_change(p, idle_at))
			continue;
		else
			pipeline_be_idle(t);
		idle_at = clock_ns() + pause;
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void pipeline_work_next(struct worker *w)
{
	struct pipeline *p = w->pipe;
	struct slot *s = pipeline_slot(p, p->begun++);
	struct err err = { 0 };
	int r;

	if (!p->failed) {
		pthread_mutex_unlock(&p->lock);
		r = p->opts.work(p->opts.ctx, w->number, &s->item, &err);
		pthread_mutex_lock(&p->lock);
		pipeline_note(p, r, &err);
	}
	s->ready = true;
	pthread_cond_broadcast(&p->changed);
}

static void *pipeline_worker(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->pipe;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (p->begun < p->pushed)
			pipeline_work_next(w);
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/*
 * Making
 */

static bool pipeline_make_slots(struct pipeline *p)
{
	p->slots = calloc(p->opts.frames, sizeof(*p->slots));
	if (!p->slots)
		return false;
	for (p->n = 0; p->n < p->opts.frames; p->n++) {
		p->slots[p->n].item.frame = image_frame_new();
		if (!p->slots[p->n].item.frame)
			return false;
	}
	return true;
}

static int pipeline_start_consumer(struct pipeline *p, const struct consumer *what)
{
	struct consumer *t = &p->consumers[p->n_consumers];
	int r;

	*t = *what;
	t->pipe = p;
	r = pthread_create(&t->thread, NULL, pipeline_consumer, t);
	p->n_consumers += !r;
	return -r;
}

static int pipeline_start_worker(struct pipeline *p)
{
	struct worker *w = &p->workers[p->n_workers];
	int r;

	*w = (struct worker){ .pipe = p, .number = p->n_workers };
	r = pthread_create(&w->thread, NULL, pipeline_worker, w);
	p->n_workers += !r;
	return -r;
}

static int pipeline_start(struct pipeline *p)
{
	const struct pipeline_options *o = &p->opts;
	int r;

	r = pipeline_start_consumer(
		p, &(struct consumer){ .take = o->sink, .worked_on = true, .idle = o->idle });
	if (r < 0)
		return r;
	if (o->observer) {
		r = pipeline_start_consumer(p, &(struct consumer){ .take = o->observer });
		if (r < 0)
			return r;
	}
	while (p->n_workers < o->workers) {
		r = pipeline_start_worker(p);
		if (r < 0)
			return r;
	}
	return 0;
}

static void pipeline_init_locks(struct pipeline *p)
{
	pthread_condattr_t attr;

	pthread_mutex_init(&p->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&p->changed, &attr);
	pthread_condattr_destroy(&attr);
}

int pipeline_new(const struct pipeline_options *opts, struct pipeline **ret, struct err *err)
{
	_cleanup_(pipeline_freep) struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "a pipeline");
	p->opts = *opts;
	pipeline_init_locks(p);
	if (opts->workers)
		p->workers = calloc(opts->workers, sizeof(*p->workers));
	if (!pipeline_make_slots(p) || (opts->workers && !p->workers))
		return err_set(err, -ENOMEM, "%u frames of 1 MiB", opts->frames);
	r = pipeline_start(p);
	if (r < 0)
		return err_set(err, r, "pthread_create");
	*ret = TAKE_PTR(p);
	return 0;
}

/*
 * Pushing
 */

/* The caller holds @p->lock. Each call gets the whole story of the failure. */
static int pipeline_verdict(const struct pipeline *p, struct err *err)
{
	if (p->failed && err)
		*err = p->err;
	return p->failed;
}

int pipeline_explain(struct pipeline *p, int r, struct err *err)
{
	if (!p || r != -ECANCELED)
		return r;
	pthread_mutex_lock(&p->lock);
	if (p->failed)
		r = pipeline_verdict(p, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pipeline_frame(struct pipeline *p, struct image_frame **ret, struct err *err)
{
	int r;

	pthread_mutex_lock(&p->lock);
	while (!p->failed && p->pushed - pipeline_through(p) == p->n)
		pthread_cond_wait(&p->changed, &p->lock);
	r = pipeline_verdict(p, err);
	*ret = pipeline_slot(p, p->pushed)->item.frame;
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pipeline_push(struct pipeline *p, size_t len, struct err *err)
{
	/* Only the pusher changes @pushed and @bytes, and no other thread looks at the slot yet. */
	struct slot *s = pipeline_slot(p, p->pushed);
	int r = 0;

	s->item.len = len;
	s->item.number = p->pushed;
	s->item.offset = p->bytes;
	s->ready = !p->n_workers;
	if (p->opts.work && !p->n_workers)
		r = p->opts.work(p->opts.ctx, 0, &s->item, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	p->bytes += len;
	p->pushed++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int pipeline_drain(struct pipeline *p, struct err *err)
{
	int r;

	pthread_mutex_lock(&p->lock);
	while (pipeline_through(p) != p->pushed)
		pthread_cond_wait(&p->changed, &p->lock);
	r = pipeline_verdict(p, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

/*
 * Ending
 */

static void pipeline_end_threads(struct pipeline *p)
{
	bool busy;

	pthread_mutex_lock(&p->lock);
	p->ending = true;
	busy = pipeline_through(p) != p->pushed;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (busy)
		cancel_request(p->opts.cancel);
	for (unsigned int i = 0; i < p->n_consumers; i++)
		pthread_join(p->consumers[i].thread, NULL);
	for (unsigned int i = 0; i < p->n_workers; i++)
		pthread_join(p->workers[i].thread, NULL);
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	if (!p)
		return NULL;
	pipeline_end_threads(p);
	for (unsigned int i = 0; i < p->n; i++)
		image_frame_free(p->slots[i].item.frame);
	free(p->slots);
	free(p->workers);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}
