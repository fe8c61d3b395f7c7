// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/pipeline.h"

/* One of the pool's places. */
struct slot {
	struct parcel parcel;
	bool ready; /* the work on it is done */
};

struct worker {
	struct pipeline *pipe;
	unsigned int number;
	pthread_t thread;
};

/**
 * struct pipeline
 * @slots, @n: of parcel N the place is N modulo @n
 * @pushed, @taken, @sunk: parcels so far: @taken by workers, @sunk by the sink
 * @bytes: of all that was pushed
 * @failed, @err: the first failure; no parcel reaches worker or sink after it
 * @ending: nobody pushes any more
 */
struct pipeline {
	struct pipeline_options opts;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	unsigned int n;
	uint64_t pushed, taken, sunk;
	uint64_t bytes;
	int failed;
	struct err err;
	bool ending;

	pthread_t sinker;
	bool sinking;
	struct worker *workers;
	unsigned int n_workers;
};

static struct slot *slot(struct pipeline *p, uint64_t number)
{
	return &p->slots[number % p->n];
}

/* @lock is held. The first failure counts; whoever fills frames is to hear of it. */
static void note(struct pipeline *p, int r, const struct err *err)
{
	if (r >= 0 || p->failed)
		return;
	p->failed = r;
	p->err = *err;
	cancel_request(p->opts.cancel);
}

/*
 * Threads. @lock is held, and let go while the sink or the work is under way.
 */

static void sink_next(struct pipeline *p)
{
	const struct parcel *parcel = &slot(p, p->sunk)->parcel;
	struct err err = { 0 };
	int r;

	if (!p->failed) {
		pthread_mutex_unlock(&p->lock);
		r = p->opts.sink(p->opts.ctx, parcel->frame, parcel->len, &err);
		pthread_mutex_lock(&p->lock);
		note(p, r, &err);
	}
	p->sunk++;
	pthread_cond_broadcast(&p->changed);
}

static void *sinker(void *arg)
{
	struct pipeline *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (p->sunk < p->pushed && slot(p, p->sunk)->ready)
			sink_next(p);
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static void work_next(struct worker *w)
{
	struct pipeline *p = w->pipe;
	struct slot *s = slot(p, p->taken++);
	struct err err = { 0 };
	int r;

	if (!p->failed) {
		pthread_mutex_unlock(&p->lock);
		r = p->opts.work(p->opts.ctx, w->number, &s->parcel, &err);
		pthread_mutex_lock(&p->lock);
		note(p, r, &err);
	}
	s->ready = true;
	pthread_cond_broadcast(&p->changed);
}

static void *worker(void *arg)
{
	struct worker *w = arg;
	struct pipeline *p = w->pipe;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (p->taken < p->pushed)
			work_next(w);
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/*
 * Making
 */

static bool make_slots(struct pipeline *p)
{
	p->slots = calloc(p->opts.frames, sizeof(*p->slots));
	if (!p->slots)
		return false;
	for (p->n = 0; p->n < p->opts.frames; p->n++) {
		p->slots[p->n].parcel.frame = image_frame_new();
		if (!p->slots[p->n].parcel.frame)
			return false;
	}
	return true;
}

static int start(struct pipeline *p)
{
	int r;

	r = pthread_create(&p->sinker, NULL, sinker, p);
	p->sinking = !r;
	for (; !r && p->n_workers < p->opts.workers; p->n_workers++) {
		struct worker *w = &p->workers[p->n_workers];

		*w = (struct worker){ .pipe = p, .number = p->n_workers };
		r = pthread_create(&w->thread, NULL, worker, w);
		if (r)
			break;
	}
	return -r;
}

int pipeline_new(const struct pipeline_options *opts, struct pipeline **ret, struct err *err)
{
	_cleanup_(pipeline_freep) struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "a pipeline");
	p->opts = *opts;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	if (opts->workers)
		p->workers = calloc(opts->workers, sizeof(*p->workers));
	if (!make_slots(p) || (opts->workers && !p->workers))
		return err_set(err, -ENOMEM, "%u frames of 1 MiB", opts->frames);
	r = start(p);
	if (r < 0)
		return err_set(err, r, "pthread_create");
	*ret = TAKE_PTR(p);
	return 0;
}

/*
 * Pushing
 */

/* @lock is held; the story is given to whoever asks, every time. */
static int verdict(const struct pipeline *p, struct err *err)
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
		r = verdict(p, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pipeline_frame(struct pipeline *p, struct image_frame **ret, struct err *err)
{
	int r;

	pthread_mutex_lock(&p->lock);
	while (!p->failed && p->pushed - p->sunk == p->n)
		pthread_cond_wait(&p->changed, &p->lock);
	r = verdict(p, err);
	*ret = slot(p, p->pushed)->parcel.frame;
	pthread_mutex_unlock(&p->lock);
	return r;
}

int pipeline_push(struct pipeline *p, size_t len, struct err *err)
{
	/* Only the pusher changes @pushed and @bytes, and nobody else looks at this slot yet. */
	struct slot *s = slot(p, p->pushed);
	int r = 0;

	s->parcel.len = len;
	s->parcel.number = p->pushed;
	s->parcel.offset = p->bytes;
	s->ready = !p->n_workers;
	if (p->opts.work && !p->n_workers)
		r = p->opts.work(p->opts.ctx, 0, &s->parcel, err);
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
	while (p->sunk != p->pushed)
		pthread_cond_wait(&p->changed, &p->lock);
	r = verdict(p, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

/*
 * Ending
 */

static void end_threads(struct pipeline *p)
{
	bool busy;

	pthread_mutex_lock(&p->lock);
	p->ending = true;
	busy = p->sunk != p->pushed;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (busy)
		cancel_request(p->opts.cancel);
	if (p->sinking)
		pthread_join(p->sinker, NULL);
	for (unsigned int i = 0; i < p->n_workers; i++)
		pthread_join(p->workers[i].thread, NULL);
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	if (!p)
		return NULL;
	end_threads(p);
	for (unsigned int i = 0; i < p->n; i++)
		image_frame_free(p->slots[i].parcel.frame);
	free(p->slots);
	free(p->workers);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}
