// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/pipeline.h"

/**
 * struct pipeline
 * @pushed, @sunk: frames so far: of frame N the place is N modulo @n
 * @failed, @err: what the sink said; nothing reaches it after that
 * @ending: nobody pushes any more
 */
struct pipeline {
	pipeline_sink_fn *sink;
	void *ctx;
	struct cancel *cancel;

	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct image_frame **frames;
	size_t *lengths;
	unsigned int n;
	uint64_t pushed, sunk;
	int failed;
	struct err err;
	bool ending;

	pthread_t thread;
	bool started;
};

/* @lock is held, and let go while the sink works. */
static void sink_next(struct pipeline *p)
{
	unsigned int i = (unsigned int)(p->sunk % p->n);
	struct err err = { 0 };
	int r;

	if (!p->failed) {
		pthread_mutex_unlock(&p->lock);
		r = p->sink(p->ctx, p->frames[i], p->lengths[i], &err);
		pthread_mutex_lock(&p->lock);
		if (r < 0) {
			p->failed = r;
			p->err = err;
			cancel_request(p->cancel);
		}
	}
	p->sunk++;
	pthread_cond_broadcast(&p->changed);
}

static void *run(void *arg)
{
	struct pipeline *p = arg;

	pthread_mutex_lock(&p->lock);
	while (!p->ending) {
		if (p->sunk < p->pushed)
			sink_next(p);
		else
			pthread_cond_wait(&p->changed, &p->lock);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

static bool make_frames(struct pipeline *p, unsigned int n)
{
	p->frames = calloc(n, sizeof(struct image_frame *));
	p->lengths = calloc(n, sizeof(*p->lengths));
	if (!p->frames || !p->lengths)
		return false;
	for (p->n = 0; p->n < n; p->n++) {
		p->frames[p->n] = image_frame_new();
		if (!p->frames[p->n])
			return false;
	}
	return true;
}

int pipeline_new(unsigned int frames, pipeline_sink_fn *sink, void *ctx, struct cancel *cancel,
		 struct pipeline **ret, struct err *err)
{
	struct pipeline *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return err_set(err, -ENOMEM, "a pipeline");
	p->sink = sink;
	p->ctx = ctx;
	p->cancel = cancel;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->changed, NULL);
	if (!make_frames(p, frames)) {
		pipeline_free(p);
		return err_set(err, -ENOMEM, "%u frames of 1 MiB", frames);
	}
	r = pthread_create(&p->thread, NULL, run, p);
	if (r) {
		pipeline_free(p);
		return err_set(err, -r, "pthread_create");
	}
	p->started = true;
	*ret = p;
	return 0;
}

static int verdict(const struct pipeline *p, struct err *err)
{
	if (p->failed && err)
		*err = p->err;
	return p->failed;
}

int pipeline_failed(struct pipeline *p, struct err *err)
{
	int r;

	pthread_mutex_lock(&p->lock);
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
	*ret = p->frames[p->pushed % p->n];
	pthread_mutex_unlock(&p->lock);
	return r;
}

void pipeline_push(struct pipeline *p, size_t len)
{
	pthread_mutex_lock(&p->lock);
	p->lengths[p->pushed % p->n] = len;
	p->pushed++;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
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

static void end_thread(struct pipeline *p)
{
	bool busy;

	pthread_mutex_lock(&p->lock);
	p->ending = true;
	busy = p->sunk != p->pushed;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (busy)
		cancel_request(p->cancel);
	pthread_join(p->thread, NULL);
}

struct pipeline *pipeline_free(struct pipeline *p)
{
	if (!p)
		return NULL;
	if (p->started)
		end_thread(p);
	for (unsigned int i = 0; i < p->n; i++)
		image_frame_free(p->frames[i]);
	free(p->frames);
	free(p->lengths);
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}
