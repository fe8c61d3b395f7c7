// SPDX-License-Identifier: GPL-2.0-or-later
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/macros.h"
#include "engine/scan-ahead.h"
#include "image/checker.h"

/* Sections in a row for which threads are started. */
#define SCAN_AHEAD_MIN 8

/* Sections that may be checked before one that takes longer: no thread waits for another. */
#define SCAN_AHEAD_SLOTS 32

/* What became of a section; one that is ODD is the parser's to look at. */
enum ahead_verdict {
	AHEAD_PENDING,
	AHEAD_GOOD,
	AHEAD_ODD
};

struct ahead_slot {
	uint8_t head[IMAGE_SECTION_HEADER];
	enum ahead_verdict verdict;
};

/**
 * struct ahead - a run through sections in a row
 * @at: where the next one begins that no thread has
 * @claimed, @judged: sections so far
 * @slots: of section N the place is N modulo their number
 * @turns: contents are wanted, so a section is judged by the thread that has it
 * @over: no more are claimed
 * @stopped: nor are those judged that are claimed
 * @failed, @err: why it ends, if that is no section
 */
struct ahead {
	const struct scan_ahead *opts;
	uint64_t seed;
	pthread_mutex_t lock;
	pthread_cond_t judged_one;
	uint64_t at;
	uint64_t claimed, judged;
	struct ahead_slot slots[SCAN_AHEAD_SLOTS];
	bool turns;
	bool over, stopped;
	int failed;
	struct err err;
};

/**
 * struct ahead_worker - one of the threads, and the section that it has
 * @buf: @room bytes, for all of it
 * @content: of the one that is good
 */
struct ahead_worker {
	struct ahead *run;
	pthread_t thread;
	struct image_checker checker;
	uint8_t *buf;
	size_t room;
	const uint8_t *content;
	uint64_t number, at;
	struct image_head head;
	uint8_t wire[IMAGE_SECTION_HEADER];
};

/* Return: whether DATA begins at @at. */
static bool scan_ahead_look(struct input *in, uint64_t at, uint8_t wire[IMAGE_SECTION_HEADER],
			    struct image_head *ret)
{
	return input_read_at(in, wire, IMAGE_SECTION_HEADER, at, NULL) == IMAGE_SECTION_HEADER &&
	       image_head_decode(wire, ret, NULL) >= 0 && ret->type == IMAGE_DATA;
}

/* The caller holds the lock. The first reason counts. */
static void scan_ahead_end(struct ahead *run, int r, const struct err *err)
{
	run->over = true;
	if (r < 0 && !run->failed) {
		run->failed = r;
		run->err = *err;
	}
	pthread_cond_broadcast(&run->judged_one);
}

/* The caller holds the lock. Return: false when there is no section for this thread any more. */
static bool scan_ahead_claim(struct ahead_worker *w)
{
	struct ahead *run = w->run;
	struct err err = { 0 };
	int r;

	while (!run->over && run->claimed - run->judged == SCAN_AHEAD_SLOTS)
		pthread_cond_wait(&run->judged_one, &run->lock);
	if (run->over)
		return false;
	r = cancel_check(run->opts->cancel, &err);
	if (r < 0 || !scan_ahead_look(run->opts->in, run->at, w->wire, &w->head)) {
		scan_ahead_end(run, r, &err);
		return false;
	}
	w->number = run->claimed++;
	w->at = run->at;
	run->at += image_section_length(&w->head);
	return true;
}

static bool scan_ahead_make_room(struct ahead_worker *w, size_t len)
{
	if (len <= w->room)
		return true;
	free(w->buf);
	w->buf = aligned_alloc(IMAGE_PAGE, len);
	w->room = w->buf ? len : 0;
	return w->buf;
}

/* The header is the one that said where the section ends; nothing is read twice. */
static enum ahead_verdict scan_ahead_check(struct ahead_worker *w)
{
	size_t len = image_section_length(&w->head), rest = len - IMAGE_SECTION_HEADER;
	ssize_t n;

	if (!scan_ahead_make_room(w, len))
		return AHEAD_ODD;
	memcpy(w->buf, w->wire, IMAGE_SECTION_HEADER);
	n = input_read_at(w->run->opts->in, w->buf + IMAGE_SECTION_HEADER, rest,
			  w->at + IMAGE_SECTION_HEADER, NULL);
	if (n != (ssize_t)rest || !image_check_alone(&w->checker, &w->head, w->buf, &w->content))
		return AHEAD_ODD;
	return AHEAD_GOOD;
}

static struct ahead_slot *scan_ahead_slot(struct ahead *run, uint64_t number)
{
	return &run->slots[number % SCAN_AHEAD_SLOTS];
}

/* The caller holds the lock. What is checked up to the first section that is not. */
static void scan_ahead_judge(struct ahead *run)
{
	const struct scan_ahead *o = run->opts;
	struct ahead_slot *s;
	struct err err = { 0 };
	int r;

	while (!run->failed && (s = scan_ahead_slot(run, run->judged))->verdict == AHEAD_GOOD) {
		r = image_parser_checked(o->parser, s->head, NULL, &err);
		if (r < 0) {
			scan_ahead_end(run, r, &err);
			return;
		}
		s->verdict = AHEAD_PENDING;
		run->judged++;
		if (o->progress)
			o->progress(o->ctx, image_parser_bytes(o->parser));
		pthread_cond_signal(&run->judged_one);
	}
}

/* The caller holds the lock. */
static void scan_ahead_note(struct ahead_worker *w, enum ahead_verdict verdict)
{
	struct ahead_slot *s = scan_ahead_slot(w->run, w->number);

	memcpy(s->head, w->wire, sizeof(s->head));
	s->verdict = verdict;
	if (verdict == AHEAD_ODD)
		scan_ahead_end(w->run, 0, NULL);
	scan_ahead_judge(w->run);
}

/* The caller's turn, and the lock is not held: a sink may be a device, which takes its time. */
static int scan_ahead_deliver(const struct ahead_worker *w, struct err *err)
{
	const struct scan_ahead *o = w->run->opts;
	int r = image_parser_checked(o->parser, w->wire, w->content, err);

	if (r >= 0 && o->progress)
		o->progress(o->ctx, image_parser_bytes(o->parser));
	return r;
}

/* The caller holds the lock, which is let go meanwhile. */
static void scan_ahead_take_turn(struct ahead_worker *w, enum ahead_verdict verdict)
{
	struct ahead *run = w->run;
	struct err err = { 0 };
	int r = 0;

	while (run->judged != w->number && !run->stopped)
		pthread_cond_wait(&run->judged_one, &run->lock);
	if (run->stopped)
		return;
	if (verdict == AHEAD_GOOD) {
		pthread_mutex_unlock(&run->lock);
		r = scan_ahead_deliver(w, &err);
		pthread_mutex_lock(&run->lock);
	}
	if (verdict == AHEAD_GOOD && r >= 0) {
		run->judged++;
		pthread_cond_broadcast(&run->judged_one);
		return;
	}
	run->stopped = true;
	scan_ahead_end(run, r, &err);
}

static void *scan_ahead_work(void *arg)
{
	struct ahead_worker *w = arg;
	struct ahead *run = w->run;

	pthread_mutex_lock(&run->lock);
	while (scan_ahead_claim(w)) {
		enum ahead_verdict verdict;

		pthread_mutex_unlock(&run->lock);
		verdict = scan_ahead_check(w);
		pthread_mutex_lock(&run->lock);
		if (run->turns)
			scan_ahead_take_turn(w, verdict);
		else
			scan_ahead_note(w, verdict);
	}
	pthread_mutex_unlock(&run->lock);
	return NULL;
}

static bool scan_ahead_worth(const struct scan_ahead *opts, uint64_t at)
{
	uint8_t wire[IMAGE_SECTION_HEADER];
	struct image_head head;

	for (unsigned int i = 0; i < SCAN_AHEAD_MIN; i++) {
		if (!scan_ahead_look(opts->in, at, wire, &head))
			return false;
		at += image_section_length(&head);
	}
	return true;
}

/* Fewer than was wished, where no more can be had; the first is the calling thread. */
static void scan_ahead_run(struct ahead *run, struct ahead_worker *workers, unsigned int n)
{
	unsigned int started = 0;

	for (unsigned int i = 0; i < n; i++, started++) {
		workers[i].run = run;
		if (image_checker_init(&workers[i].checker, run->seed, NULL) < 0)
			break;
		if (i && pthread_create(&workers[i].thread, NULL, scan_ahead_work, &workers[i])) {
			image_checker_done(&workers[i].checker);
			break;
		}
	}
	if (started)
		scan_ahead_work(&workers[0]);
	for (unsigned int i = 0; i < started; i++) {
		if (i)
			pthread_join(workers[i].thread, NULL);
		image_checker_done(&workers[i].checker);
		free(workers[i].buf);
	}
}

int scan_ahead(const struct scan_ahead *opts, struct err *err)
{
	_cleanup_free_ struct ahead_worker *workers = NULL;
	struct ahead run = {
		.opts = opts,
		.turns = image_parser_wants_contents(opts->parser),
	};

	if (!image_parser_between(opts->parser, &run.at, &run.seed) ||
	    !scan_ahead_worth(opts, run.at))
		return 0;
	workers = calloc(opts->threads, sizeof(*workers));
	if (!workers)
		return err_set(err, -ENOMEM, "%u threads that read", opts->threads);
	pthread_mutex_init(&run.lock, NULL);
	pthread_cond_init(&run.judged_one, NULL);
	scan_ahead_run(&run, workers, opts->threads);
	pthread_cond_destroy(&run.judged_one);
	pthread_mutex_destroy(&run.lock);
	if (run.failed && err)
		*err = run.err;
	return run.failed ? run.failed
			  : input_seek(opts->in, image_parser_restart(opts->parser), err);
}
