// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "engine/runner.h"

/* How long the others are kept waiting, after a failure, by one whose driver does not come back. */
#define RUNNER_HANG_NS (2 * NSEC_PER_SEC)

/* How often to look for a cancel: a device that waits at a barrier does not answer it. */
#define RUNNER_LOOK_NS (100 * NSEC_PER_MSEC)

/**
 * struct runner_slot - a device's thread
 * @fn, @order: to be carried out next; NULL for none
 * @busy: one is being carried out
 * @result, @err: of the last one
 * @ended: how many orders had ended before it, of all devices
 */
struct runner_slot {
	struct runner *runner;
	unsigned int index;
	pthread_t thread;
	runner_fn *fn;
	_Alignas(max_align_t) unsigned char order[RUNNER_ORDER_MAX];
	bool busy;
	int result;
	struct err err;
	unsigned long ended;
};

/**
 * struct runner
 * @failed: an order has, of those given last
 * @heed_cancel: those can be cancelled, and are when one fails
 * @ended: orders carried out, of all
 */
struct runner {
	struct cancel *cancel;
	unsigned int n, n_threads;
	pthread_mutex_t lock;
	pthread_cond_t ordered, done;
	bool quit, failed;
	bool heed_cancel;
	unsigned long ended;
	struct runner_slot slots[];
};

/* Called with the lock held, which is let go meanwhile. */
static void runner_carry_out(struct runner *r, struct runner_slot *s)
{
	_Alignas(max_align_t) unsigned char order[RUNNER_ORDER_MAX];
	runner_fn *fn = s->fn;
	struct err err = { 0 };
	int result;

	memcpy(order, s->order, sizeof(order));
	s->fn = NULL;
	s->busy = true;
	pthread_mutex_unlock(&r->lock);
	result = fn(order, s->index, &err);
	pthread_mutex_lock(&r->lock);
	s->busy = false;
	s->result = result;
	s->err = err;
	s->ended = r->ended++;
	if (result < 0) {
		r->failed = true;
		if (r->heed_cancel)
			cancel_stop(r->cancel);
	}
	pthread_cond_broadcast(&r->done);
}

static void *runner_thread(void *arg)
{
	struct runner_slot *s = arg;
	struct runner *r = s->runner;

	pthread_mutex_lock(&r->lock);
	while (s->fn || !r->quit) {
		if (s->fn)
			runner_carry_out(r, s);
		else
			pthread_cond_wait(&r->ordered, &r->lock);
	}
	pthread_mutex_unlock(&r->lock);
	return NULL;
}

static bool runner_slot_idle(const struct runner_slot *s)
{
	return !s->busy && !s->fn;
}

static bool runner_idle(const struct runner *r)
{
	for (unsigned int i = 0; i < r->n; i++)
		if (!runner_slot_idle(&r->slots[i]))
			return false;
	return true;
}

/* Called with the lock held. Return: all are idle; false once nothing ends for long. */
static bool runner_await(struct runner *r, bool heed_cancel)
{
	while (!runner_idle(r)) {
		unsigned long ended = r->ended;
		struct timespec until;
		int expired = 0;

		r->failed |= heed_cancel && cancel_check(r->cancel, NULL) < 0;
		if (!r->failed) {
			clock_timespec(clock_ns() + RUNNER_LOOK_NS, &until);
			pthread_cond_timedwait(&r->done, &r->lock, &until);
			continue;
		}
		clock_timespec(clock_ns() + RUNNER_HANG_NS, &until);
		while (!expired && ended == r->ended && !runner_idle(r))
			expired = pthread_cond_timedwait(&r->done, &r->lock, &until);
		if (expired && ended == r->ended)
			return false;
	}
	return true;
}

/* A cancel is an answer to what failed elsewhere, unless nothing else has failed. */
static bool runner_counts_more(const struct runner_slot *a, const struct runner_slot *b)
{
	bool answer = a->result == -ECANCELED;

	return answer == (b->result == -ECANCELED) ? a->ended < b->ended : !answer;
}

static int runner_verdict(const struct runner *r, bool cancelled, struct err *err)
{
	const struct runner_slot *first = NULL;

	for (unsigned int i = 0; i < r->n; i++) {
		const struct runner_slot *s = &r->slots[i];

		if (!runner_slot_idle(s) || s->result >= 0)
			continue;
		if (!first || runner_counts_more(s, first))
			first = s;
	}
	if (!first)
		return cancelled ? cancel_check(r->cancel, err) : 0;
	*err = first->err;
	return first->result;
}

int runner_all(struct runner *r, runner_fn *fn, const void *order, size_t size, bool heed_cancel,
	       struct err *err)
{
	int result;
	bool all;

	assert(size <= RUNNER_ORDER_MAX);
	if (!r->n_threads)
		return fn(order, 0, err);
	pthread_mutex_lock(&r->lock);
	r->failed = false;
	r->heed_cancel = heed_cancel;
	for (unsigned int i = 0; i < r->n; i++) {
		struct runner_slot *s = &r->slots[i];

		r->failed |= !runner_slot_idle(s); /* it hangs since an earlier failure */
		s->fn = fn;
		memcpy(s->order, order, size);
	}
	pthread_cond_broadcast(&r->ordered);
	all = runner_await(r, heed_cancel);
	result = runner_verdict(r, !all && heed_cancel, err);
	pthread_mutex_unlock(&r->lock);
	return result;
}

bool runner_hangs(const struct runner *r, unsigned int index)
{
	pthread_mutex_t *lock = (pthread_mutex_t *)&r->lock;
	bool hangs;

	pthread_mutex_lock(lock);
	hangs = r->n_threads && !runner_slot_idle(&r->slots[index]);
	pthread_mutex_unlock(lock);
	return hangs;
}

void runner_join(struct runner *r)
{
	pthread_mutex_lock(&r->lock);
	while (!runner_idle(r))
		pthread_cond_wait(&r->done, &r->lock);
	pthread_mutex_unlock(&r->lock);
}

static int runner_init_conds(struct runner *r)
{
	pthread_condattr_t attr;
	int e = pthread_condattr_init(&attr);

	if (e)
		return -e;
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&r->ordered, NULL);
	e = pthread_cond_init(&r->done, &attr);
	pthread_condattr_destroy(&attr);
	return -e;
}

int runner_new(unsigned int n, struct cancel *cancel, struct runner **ret, struct err *err)
{
	_cleanup_(runner_freep) struct runner *r = NULL;
	int e;

	r = calloc(1, sizeof(*r) + n * sizeof(r->slots[0]));
	if (!r)
		return err_set(err, -ENOMEM, "calloc");
	r->cancel = cancel;
	pthread_mutex_init(&r->lock, NULL);
	e = runner_init_conds(r);
	if (e < 0)
		return err_set(err, e, "pthread_cond_init");
	r->n = n;
	for (unsigned int i = 0; i < n && n > 1; i++) {
		struct runner_slot *s = &r->slots[i];

		s->runner = r;
		s->index = i;
		e = pthread_create(&s->thread, NULL, runner_thread, s);
		if (e)
			return err_set(err, -e, "pthread_create");
		r->n_threads++;
	}
	*ret = r;
	r = NULL;
	return 0;
}

struct runner *runner_free(struct runner *r)
{
	if (!r)
		return NULL;
	pthread_mutex_lock(&r->lock);
	r->quit = true;
	pthread_cond_broadcast(&r->ordered);
	pthread_mutex_unlock(&r->lock);
	for (unsigned int i = 0; i < r->n_threads; i++)
		pthread_join(r->slots[i].thread, NULL);
	pthread_cond_destroy(&r->ordered);
	pthread_cond_destroy(&r->done);
	pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}
