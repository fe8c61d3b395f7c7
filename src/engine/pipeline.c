// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/cpus.h"
#include "base/macros.h"
#include "engine/pipeline.h"

/* Between two looks for a cancel. */
#define LOOK_NS (100 * NSEC_PER_MSEC)

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
 * @started: it has a thread
 * @taken: items it has had
 * @busy: the sink is called by the pushing thread, or @idle by its own
 * @idle_at_ns: when it is to be called next
 */
struct consumer {
	struct pipeline *pipe;
	pipeline_sink_fn *take;
	bool worked_on;
	pipeline_idle_fn *idle;
	bool started;
	uint64_t taken;
	bool busy;
	uint64_t idle_at_ns;
	pthread_t thread;
};

/* Places in the array of consumers. */
enum {
	SINK,
	OBSERVER,
	CONSUMERS
};

/**
 * struct pipeline
 * @slots, @n: of item N that threads get, the place is N modulo @n
 * @pushed, @begun: items that threads got so far: @begun by workers
 * @failed, @err: the first failure; no item reaches worker or consumer after it
 * @ending: nothing is pushed any more
 * @items, @bytes: all that was pushed; the pushing thread's alone, as are those that follow
 * @filled: bytes that were put into the next frame
 * @threaded: items go to threads
 * @may_thread: they may do so from the second one on
 */
struct pipeline {
	struct pipeline_options opts;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct slot *slots;
	unsigned int n;
	uint64_t pushed, begun;
	int failed;
	struct err err;
	bool ending;

	uint64_t items, bytes;
	size_t filled;
	bool threaded, may_thread;

	struct consumer consumers[CONSUMERS];
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
	cancel_stop(p->opts.cancel);
}

/* The caller holds @p->lock. Items that every consumer has taken. */
static uint64_t pipeline_through(const struct pipeline *p)
{
	uint64_t n = p->pushed;

	for (unsigned int i = 0; i < CONSUMERS; i++)
		if (p->consumers[i].take)
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

static void pipeline_idle_again(struct consumer *t)
{
	t->idle_at_ns = clock_ns() + (uint64_t)t->pipe->opts.idle_ms * NSEC_PER_MSEC;
}

/* The time was up, unless the pushing thread has called the sink meanwhile. */
static void pipeline_be_idle(struct consumer *t)
{
	struct pipeline *p = t->pipe;
	struct err err = { 0 };
	int r;

	if (clock_ns() < t->idle_at_ns)
		return;
	if (!p->failed && !t->busy) {
		t->busy = true;
		pthread_mutex_unlock(&p->lock);
		r = t->idle(p->opts.ctx, &err);
		pthread_mutex_lock(&p->lock);
		pipeline_note(p, r, &err);
		t->busy = false;
		pthread_cond_broadcast(&p->changed);
	}
	pipeline_idle_again(t);
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

/* A sink that hangs, in a device's driver say, must not keep the one who fills the frames. */
static int pipeline_wait_or_cancel(struct pipeline *p, struct err *err)
{
	if (pipeline_wait_change(p, clock_ns() + LOOK_NS))
		return 0;
	return p->failed ? 0 : cancel_check(p->opts.cancel, err);
}

static void *pipeline_consumer(void *arg)
{
	struct consumer *t = arg;
	struct pipeline *p = t->pipe;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (pipeline_has_next(t)) {
			pipeline_take_next(t);
			if (t->idle)
				pipeline_idle_again(t);
		} else if (!t->idle) {
			pthread_cond_wait(&p->changed, &p->lock);
		} else if (!pipeline_wait_change(p, t->idle_at_ns)) {
			pipeline_be_idle(t);
		}
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

static int pipeline_start_consumer(struct consumer *t)
{
	int r;

	if (!t->take || t->started)
		return 0;
	r = pthread_create(&t->thread, NULL, pipeline_consumer, t);
	t->started = !r;
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

/* Those that have started when another cannot have nothing to do, and end with the rest. */
static int pipeline_start(struct pipeline *p)
{
	int r;

	for (unsigned int i = 0; i < CONSUMERS; i++) {
		r = pipeline_start_consumer(&p->consumers[i]);
		if (r < 0)
			return r;
	}
	while (p->n_workers < p->opts.workers) {
		r = pipeline_start_worker(p);
		if (r < 0)
			return r;
	}
	p->threaded = true;
	return 0;
}

/* The threads that are there from the first frame on. */
static int pipeline_start_early(struct pipeline *p)
{
	const struct pipeline_options *o = &p->opts;

	p->consumers[SINK] = (struct consumer){
		.pipe = p,
		.take = o->sink,
		.worked_on = true,
		.idle = o->idle,
	};
	p->consumers[OBSERVER] = (struct consumer){ .pipe = p, .take = o->observer };
	if (o->idle)
		pipeline_idle_again(&p->consumers[SINK]);
	if (o->threads == PIPELINE_ALWAYS)
		return pipeline_start(p);
	p->may_thread = o->threads == PIPELINE_AUTO && cpus_usable() > 1;
	return o->idle ? pipeline_start_consumer(&p->consumers[SINK]) : 0;
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
	r = pipeline_start_early(p);
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
	r = 0;
	while (r >= 0 && !p->failed && p->pushed - pipeline_through(p) == p->n)
		r = pipeline_wait_or_cancel(p, err);
	r = r < 0 ? r : pipeline_verdict(p, err);
	*ret = pipeline_slot(p, p->pushed)->item.frame;
	pthread_mutex_unlock(&p->lock);
	return r;
}

/* Work, observer and sink, one after the other, by the pushing thread. */
static int pipeline_treat(struct pipeline *p, const struct pipeline_item *item, struct err *err)
{
	const struct pipeline_options *o = &p->opts;
	int r;

	r = o->work ? o->work(o->ctx, 0, item, err) : 0;
	if (r < 0)
		return r;
	r = o->observer ? o->observer(o->ctx, item->frame, item->len, err) : 0;
	if (r < 0)
		return r;
	return o->sink(o->ctx, item->frame, item->len, err);
}

/* Nothing is woken: the thread that is idle looks when its time is up. */
static int pipeline_push_inline(struct pipeline *p, const struct pipeline_item *item,
				struct err *err)
{
	struct consumer *sink = &p->consumers[SINK];
	struct err why = { 0 };
	int r;

	pthread_mutex_lock(&p->lock);
	while (sink->busy)
		pthread_cond_wait(&p->changed, &p->lock);
	if (!p->failed) {
		sink->busy = true;
		pthread_mutex_unlock(&p->lock);
		r = pipeline_treat(p, item, &why);
		pthread_mutex_lock(&p->lock);
		pipeline_note(p, r, &why);
		sink->busy = false;
		if (sink->idle)
			pipeline_idle_again(sink);
	}
	r = pipeline_verdict(p, err);
	pthread_mutex_unlock(&p->lock);
	return r;
}

static int pipeline_hand_over(struct pipeline *p, struct slot *s, struct err *err)
{
	/* Only the pusher changes @pushed, and no other thread looks at the slot yet. */
	int r = 0;

	s->ready = !p->n_workers;
	if (p->opts.work && !p->n_workers)
		r = p->opts.work(p->opts.ctx, 0, &s->item, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	p->pushed++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	return 0;
}

int pipeline_push(struct pipeline *p, size_t len, struct err *err)
{
	struct slot *s = pipeline_slot(p, p->pushed);

	assert(!p->filled);
	s->item.len = len;
	s->item.number = p->items++;
	s->item.offset = p->bytes;
	p->bytes += len;
	/* Without threads it takes longer, and that is all: they are not tried for again. */
	if (p->may_thread && !p->threaded && s->item.number)
		p->may_thread = pipeline_start(p) >= 0;
	return p->threaded ? pipeline_hand_over(p, s, err) : pipeline_push_inline(p, &s->item, err);
}

int pipeline_flush(struct pipeline *p, struct err *err)
{
	size_t len = p->filled;

	p->filled = 0;
	return len ? pipeline_push(p, len, err) : 0;
}

int pipeline_room(struct pipeline *p, uint8_t **ret, size_t *ret_len, struct err *err)
{
	struct image_frame *frame;
	int r;

	r = pipeline_frame(p, &frame, err);
	if (r < 0)
		return r;
	*ret = frame->payload + p->filled;
	*ret_len = IMAGE_FRAME_PAYLOAD - p->filled;
	return 0;
}

int pipeline_filled(struct pipeline *p, size_t len, struct err *err)
{
	p->filled += len;
	return p->filled == IMAGE_FRAME_PAYLOAD ? pipeline_flush(p, err) : 0;
}

/* What is lent is the room at the start of a frame, so what lies there is all of it. */
int pipeline_put(struct pipeline *p, const void *buf, size_t len, struct err *err)
{
	while (len) {
		uint8_t *room;
		size_t n;
		int r;

		r = pipeline_room(p, &room, &n, err);
		if (r < 0)
			return r;
		if (buf == room)
			return pipeline_push(p, len, err);
		n = MIN(n, len);
		memcpy(room, buf, n);
		r = pipeline_filled(p, n, err);
		if (r < 0)
			return r;
		buf = (const char *)buf + n;
		len -= n;
	}
	return 0;
}

int pipeline_lend(struct pipeline *p, size_t len, uint8_t **ret, struct err *err)
{
	struct image_frame *frame;
	int r;

	*ret = NULL;
	if (len < IMAGE_FRAME_PAYLOAD / 2)
		return 0;
	r = pipeline_flush(p, err);
	if (r < 0)
		return r;
	r = pipeline_frame(p, &frame, err);
	if (r < 0)
		return r;
	*ret = frame->payload - IMAGE_SECTION_HEADER;
	return 0;
}

int pipeline_drain(struct pipeline *p, struct err *err)
{
	int r;

	r = pipeline_flush(p, err);
	if (r < 0)
		return r;
	pthread_mutex_lock(&p->lock);
	while (r >= 0 && pipeline_through(p) != p->pushed)
		r = pipeline_wait_or_cancel(p, err);
	r = r < 0 ? r : pipeline_verdict(p, err);
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
		cancel_stop(p->opts.cancel);
	for (unsigned int i = 0; i < CONSUMERS; i++)
		if (p->consumers[i].started)
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
