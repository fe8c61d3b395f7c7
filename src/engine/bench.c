// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "device/same.h"
#include "engine/adopt.h"
#include "engine/bench.h"
#include "engine/load-start.h"
#include "fsm/fsm.h"

/* As much as a frame of an image. */
#define BENCH_PIECE ((size_t)1 << 20)

/* Of pre-copy, a round of the benchmark: a device that makes data without end has no end itself. */
#define BENCH_PRECOPY_ROUNDS_MAX 10u
#define BENCH_PRECOPY_NS (2 * NSEC_PER_SEC)

const struct bench_measure_info bench_measures[BENCH_NR_MEASURES] = {
	/* clang-format off */
	[BENCH_SAVE_DOWNTIME]    = { "save_downtime", "downtime of a save", BENCH_NS, true },
	[BENCH_SAVE_STREAM]      = { "save_stream", "reading the stream", BENCH_NS, true },
	[BENCH_SAVE_BYTES]       = { "stream", "stream", BENCH_BYTES, true },
	[BENCH_SAVE_RATE]        = { "save", "save", BENCH_BYTES_PER_SECOND, false },
	[BENCH_PRECOPY_DOWNTIME] = { "precopy_downtime", "downtime with pre-copy", BENCH_NS, true },
	[BENCH_PRECOPY_TIME]     = { "precopy", "pre-copy", BENCH_NS, true },
	[BENCH_PRECOPY_ROUNDS]   = { "precopy", "rounds of pre-copy", BENCH_COUNT, false },
	[BENCH_PRECOPY_BYTES]    = { "precopy", "read in pre-copy", BENCH_BYTES, false },
	[BENCH_PRECOPY_RATE]     = { "precopy", "pre-copy", BENCH_BYTES_PER_SECOND, false },
	[BENCH_PRECOPY_LEFT]     = { "precopy_left", "left for stop-copy", BENCH_BYTES, false },
	[BENCH_LOAD_DOWNTIME]    = { "load_downtime", "downtime of a load", BENCH_NS, true },
	[BENCH_LOAD_STREAM]      = { "load_stream", "writing the stream", BENCH_NS, true },
	[BENCH_LOAD_RATE]        = { "load", "load", BENCH_BYTES_PER_SECOND, false },
	[BENCH_MOVE_ACCEPTED]    = { "move_accepted", "save to accepted load", BENCH_NS, true },
	[BENCH_MOVE_DOWNTIME]    = { "move_downtime", "save to running load", BENCH_NS, true },
	[BENCH_MOVE_STREAM]      = { "move_stream", "stream, device to device", BENCH_NS, true },
	[BENCH_MOVE_RATE]        = { "move", "device to device", BENCH_BYTES_PER_SECOND, false },
	/* clang-format on */
};

const char *bench_kind_name(enum bench_kind kind)
{
	static const char *const names[] = {
		[BENCH_SAVE] = "save",
		[BENCH_PRECOPY] = "pre-copy",
		[BENCH_LOAD] = "load",
		[BENCH_MOVE] = "move",
	};

	_Static_assert(ARRAY_SIZE(names) == BENCH_NR_KINDS, "a name for each");
	return names[kind];
}

/**
 * struct bench_side - a device in a round
 * @m: where it was found, where it belongs, what it holds
 * @timeline: of the round's kind so far
 */
struct bench_side {
	struct bench *bench;
	struct member m;
	struct timeline timeline;
	bool second;
};

/**
 * struct bench - measuring under way
 * @counts: what happens now is measured
 * @kind: of what happens now
 * @failed: that a sample could not be kept, of a callback that cannot say so: negative errno
 * @kept: the stream, for a load into the device itself: @kept_len bytes, room for @kept_room
 */
struct bench {
	const struct bench_options *options;
	struct bench_result *result;
	struct cancel *cancel;
	struct bench_side dev, second;
	enum bench_kind kind;
	bool counts;
	int failed;
	uint8_t *piece, *kept;
	size_t kept_len, kept_room;
};

/*
 * Samples
 */

static struct bench_step *bench_find_step(struct bench *b, const struct bench_step *like)
{
	struct bench_result *result = b->result;

	for (unsigned int i = 0; i < result->n_steps; i++) {
		struct bench_step *s = &result->steps[i];

		if (s->kind == like->kind && s->second == like->second &&
		    s->stream == like->stream && s->from == like->from && s->to == like->to)
			return s;
	}
	if (result->n_steps == BENCH_STEPS_MAX)
		return NULL;
	result->steps[result->n_steps] = *like;
	return &result->steps[result->n_steps++];
}

static void bench_add_step(struct bench *b, const struct bench_step *like, uint64_t ns)
{
	struct bench_step *s;

	if (!b->counts)
		return;
	s = bench_find_step(b, like);
	if (s && bench_samples_add(&s->ns, ns, NULL) < 0)
		b->failed = -ENOMEM;
}

static void bench_add(struct bench *b, enum bench_measure measure, uint64_t value)
{
	if (b->counts && bench_samples_add(&b->result->measures[measure], value, NULL) < 0)
		b->failed = -ENOMEM;
}

static void bench_add_rate(struct bench *b, enum bench_measure measure, uint64_t bytes, uint64_t ns)
{
	if (ns)
		bench_add(b, measure, (uint64_t)((double)bytes * 1e9 / (double)ns));
}

/* An arc that failed is the recovery's to tell: it is no time of an arc. */
static void bench_on_arc(void *ctx, const struct mig_arc *arc)
{
	struct bench_side *s = ctx;
	const struct bench_step step = {
		.kind = s->bench->kind,
		.second = s->second,
		.from = arc->from,
		.to = arc->to,
	};

	timeline_add(&s->timeline, arc);
	if (arc->result >= 0)
		bench_add_step(s->bench, &step, arc->ns);
}

static void bench_add_stream(struct bench *b, const struct bench_side *s, uint64_t ns)
{
	const enum mig_state state = s->m.dev->mig->state;
	const struct bench_step step = {
		.kind = b->kind,
		.second = s->second,
		.stream = true,
		.from = state,
		.to = state,
	};

	bench_add_step(b, &step, ns);
}

/* When the device left RUNNING or PRE_COPY; 0 where it never was there. */
static uint64_t bench_left_ns(const struct bench_side *s)
{
	for (unsigned int i = 0; i < s->timeline.n; i++) {
		const struct mig_arc *a = &s->timeline.arcs[i];

		if ((a->from == MIG_RUNNING || a->from == MIG_PRE_COPY) && a->to != MIG_RUNNING &&
		    a->to != MIG_PRE_COPY)
			return a->start_ns;
	}
	return 0;
}

static uint64_t bench_last_ns(const struct bench_side *s)
{
	const struct mig_arc *last;

	if (!s->timeline.n)
		return 0;
	last = &s->timeline.arcs[s->timeline.n - 1];
	return last->start_ns + last->ns;
}

/* From leaving RUNNING to the end of the last arc of @end. */
static void bench_add_downtime(struct bench *b, enum bench_measure measure,
			       const struct bench_side *end)
{
	const uint64_t left = bench_left_ns(&b->dev);

	if (left)
		bench_add(b, measure, bench_last_ns(end) - left);
}

static void bench_begin(struct bench *b, enum bench_kind kind)
{
	b->kind = kind;
	b->dev.timeline = (struct timeline){ 0 };
	b->second.timeline = (struct timeline){ 0 };
}

/*
 * Parts of a round
 */

static int bench_go(struct bench *b, struct bench_side *s, enum mig_state to, struct err *err)
{
	return mig_goto_retrying(&s->m.retry, s->m.dev->mig, to, b->cancel, err);
}

static int bench_keep(struct bench *b, const uint8_t *bytes, size_t len, struct err *err)
{
	const char *name = b->dev.m.dev->mig->name;

	if (len > BENCH_STREAM_MAX - b->kept_len) {
		err_fail(err, ERR_UNSUPPORTED, -EFBIG,
			 "%s: its stream is too large to be kept in memory for a load", name);
		return err_hint(err, -EFBIG, "measure loads with --pair, which keeps none of it");
	}
	if (b->kept_room - b->kept_len < len) {
		size_t room = MAX(2 * b->kept_room, b->kept_len + len);
		uint8_t *kept = realloc(b->kept, room);

		if (!kept)
			return err_set(err, -ENOMEM, "%s: its stream", name);
		b->kept = kept;
		b->kept_room = room;
	}
	memcpy(b->kept + b->kept_len, bytes, len);
	b->kept_len += len;
	return 0;
}

/* What keeps the stream takes time of its own, so that the reads alone are counted. */
static int bench_read_all(struct bench *b, bool keep, uint64_t *ret_bytes, uint64_t *ret_ns,
			  struct err *err)
{
	struct mig_dev *mig = b->dev.m.dev->mig;
	uint64_t start;
	ssize_t n;
	int r;

	*ret_bytes = *ret_ns = 0;
	b->kept_len = 0;
	for (;;) {
		r = cancel_check(b->cancel, err);
		if (r < 0)
			return r;
		start = clock_ns();
		n = mig_read(mig, b->piece, BENCH_PIECE, err);
		*ret_ns += clock_ns() - start;
		if (n <= 0)
			break;
		*ret_bytes += (uint64_t)n;
		r = keep ? bench_keep(b, b->piece, (size_t)n, err) : 0;
		if (r < 0)
			return r;
	}
	if (n == MIG_READ_NOTHING)
		bench_add_stream(b, &b->dev, *ret_ns);
	return (int)n;
}

static int bench_save(struct bench *b, bool keep, struct err *err)
{
	uint64_t bytes, ns;
	int r;

	bench_begin(b, BENCH_SAVE);
	r = bench_go(b, &b->dev, MIG_STOP_COPY, err);
	if (r < 0)
		return r;
	r = bench_read_all(b, keep, &bytes, &ns, err);
	if (r < 0)
		return r;
	r = bench_go(b, &b->dev, b->dev.m.want, err);
	if (r < 0)
		return r;
	bench_add(b, BENCH_SAVE_STREAM, ns);
	bench_add(b, BENCH_SAVE_BYTES, bytes);
	bench_add_rate(b, BENCH_SAVE_RATE, bytes, ns);
	bench_add_downtime(b, BENCH_SAVE_DOWNTIME, &b->dev);
	return 0;
}

/* What there is for now. mlx5 makes new data only when it is asked how much there is. */
static int bench_precopy_round(struct bench *b, uint64_t end_ns, uint64_t *bytes, bool *ret_done,
			       struct err *err)
{
	struct mig_dev *mig = b->dev.m.dev->mig;
	struct mig_precopy_info info = { 0 };
	const uint64_t before = *bytes;
	bool told, late = false;
	ssize_t n;

	do {
		n = cancel_check(b->cancel, err);
		if (n < 0)
			return (int)n;
		n = mig_read(mig, b->piece, BENCH_PIECE, err);
		if (n < 0)
			return (int)n;
		*bytes += (uint64_t)n;
		late = clock_ns() >= end_ns;
	} while (n && (!late || mig_mid_chunk(mig)));
	told = mig_precopy(mig, &info, NULL) >= 0;
	*ret_done = late || *bytes == before || (told && !info.initial_bytes && !info.dirty_bytes);
	return 0;
}

static int bench_precopy_rounds(struct bench *b, uint64_t *ret_bytes, struct err *err)
{
	struct mig_precopy_info info;
	uint64_t start, ns;
	unsigned int rounds = 0;
	bool done = false;
	int r;

	*ret_bytes = 0;
	/* No answer is no failure: pre-copy is optional, and so is the question. */
	if (mig_precopy(b->dev.m.dev->mig, &info, NULL) < 0)
		log_debug("%s: does not say how much there is", b->dev.m.dev->mig->name);
	start = clock_ns();
	while (!done && rounds < BENCH_PRECOPY_ROUNDS_MAX) {
		r = bench_precopy_round(b, start + BENCH_PRECOPY_NS, ret_bytes, &done, err);
		if (r < 0)
			return r;
		rounds++;
	}
	ns = clock_ns() - start;
	bench_add_stream(b, &b->dev, ns);
	bench_add(b, BENCH_PRECOPY_TIME, ns);
	bench_add(b, BENCH_PRECOPY_ROUNDS, rounds);
	bench_add(b, BENCH_PRECOPY_BYTES, *ret_bytes);
	bench_add_rate(b, BENCH_PRECOPY_RATE, *ret_bytes, ns);
	return 0;
}

static int bench_precopy(struct bench *b, struct err *err)
{
	uint64_t early, bytes, ns;
	int r;

	if (!fsm_supported(MIG_PRE_COPY, b->dev.m.dev->mig->caps) || b->dev.m.want != MIG_RUNNING)
		return 0;
	bench_begin(b, BENCH_PRECOPY);
	r = bench_go(b, &b->dev, MIG_PRE_COPY, err);
	if (r < 0)
		return r;
	r = bench_precopy_rounds(b, &early, err);
	if (r < 0)
		return r;
	r = bench_go(b, &b->dev, MIG_STOP_COPY, err);
	if (r < 0)
		return r;
	r = bench_read_all(b, false, &bytes, &ns, err);
	if (r < 0)
		return r;
	r = bench_go(b, &b->dev, b->dev.m.want, err);
	if (r < 0)
		return r;
	bench_add(b, BENCH_PRECOPY_LEFT, bytes);
	bench_add_downtime(b, BENCH_PRECOPY_DOWNTIME, &b->dev);
	return 0;
}

/* Into the device itself: its state is in memory alone meanwhile, so that it is finished. */
static int bench_load_kept(struct bench *b, struct err *err)
{
	struct bench_side *s = &b->dev;
	struct mig_dev *mig = s->m.dev->mig;
	uint64_t start, ns;
	int r;

	r = mig_goto_retrying(&s->m.retry, mig, MIG_RESUMING, NULL, err);
	if (r < 0)
		return r;
	s->m.holds = MIG_HOLDS_GIVEN_UP;
	start = clock_ns();
	for (size_t at = 0; at < b->kept_len; at += BENCH_PIECE) {
		r = mig_write(mig, b->kept + at, MIN(BENCH_PIECE, b->kept_len - at), err);
		if (r < 0)
			return r;
	}
	ns = clock_ns() - start;
	bench_add_stream(b, s, ns);
	r = mig_goto_retrying(&s->m.retry, mig, MIG_STOP, NULL, err);
	if (r < 0)
		return r;
	s->m.holds = MIG_HOLDS_OWN;
	r = mig_goto_retrying(&s->m.retry, mig, s->m.want, NULL, err);
	if (r < 0)
		return r;
	bench_add(b, BENCH_LOAD_STREAM, ns);
	bench_add_rate(b, BENCH_LOAD_RATE, b->kept_len, ns);
	bench_add_downtime(b, BENCH_LOAD_DOWNTIME, s);
	return 0;
}

static int bench_load(struct bench *b, struct err *err)
{
	int r;

	bench_begin(b, BENCH_LOAD);
	r = cancel_check(b->cancel, err);
	if (r < 0)
		return r;
	cancel_close(b->cancel);
	r = bench_load_kept(b, err);
	cancel_reopen(b->cancel);
	return r;
}

/* One piece at a time: nothing is kept. */
static int bench_pass_on(struct bench *b, uint64_t *ret_bytes, struct err *err)
{
	ssize_t n;
	int r;

	*ret_bytes = 0;
	for (;;) {
		r = cancel_check(b->cancel, err);
		if (r < 0)
			return r;
		n = mig_read(b->dev.m.dev->mig, b->piece, BENCH_PIECE, err);
		if (n <= 0)
			return (int)n;
		*ret_bytes += (uint64_t)n;
		r = mig_write(b->second.m.dev->mig, b->piece, (size_t)n, err);
		if (r < 0)
			return r;
	}
}

static int bench_move_stream(struct bench *b, struct err *err)
{
	uint64_t start, ns, bytes;
	int r;

	start = clock_ns();
	r = bench_pass_on(b, &bytes, err);
	if (r < 0)
		return r;
	ns = clock_ns() - start;
	bench_add_stream(b, &b->second, ns);
	bench_add(b, BENCH_MOVE_STREAM, ns);
	bench_add_rate(b, BENCH_MOVE_RATE, bytes, ns);
	return 0;
}

/* From here on it may have the first one's state. */
static int bench_start_second(struct bench *b, struct err *err)
{
	const enum load_start start = b->options->run ? LOAD_STARTS_ALL : LOAD_STARTS_READY;
	struct bench_side *s = &b->second;
	struct device *dev = s->m.dev;
	int r;

	r = bench_go(b, s, MIG_STOP, err);
	if (r < 0)
		return r;
	bench_add_downtime(b, BENCH_MOVE_ACCEPTED, s);
	if (!load_start_any(start, &dev, 1, false))
		return 0;
	r = bench_go(b, s, MIG_RUNNING, err);
	if (r < 0)
		return r;
	bench_add_downtime(b, BENCH_MOVE_DOWNTIME, s);
	return 0;
}

/* The reset drops the copy of the state, which must be gone before the first device runs again. */
static int bench_drop_second(struct bench *b, struct err *err)
{
	struct bench_side *s = &b->second;
	int r;

	r = mig_reset(s->m.dev->mig, err);
	if (r < 0)
		return err_classify(err, ERR_DEVICE, r);
	r = mig_reset_check(s->m.dev->mig, err);
	if (r < 0)
		return r;
	s->m.holds = MIG_HOLDS_OWN;
	b->counts = false;
	return bench_go(b, s, s->m.want, err);
}

static int bench_move(struct bench *b, struct err *err)
{
	const bool counts = b->counts;
	int r;

	bench_begin(b, BENCH_MOVE);
	b->second.m.holds = MIG_HOLDS_GIVEN_UP;
	r = bench_go(b, &b->second, MIG_RESUMING, err);
	if (r < 0)
		return r;
	r = bench_go(b, &b->dev, MIG_STOP_COPY, err);
	if (r < 0)
		return r;
	r = bench_move_stream(b, err);
	if (r < 0)
		return r;
	r = bench_go(b, &b->dev, MIG_STOP, err);
	if (r < 0)
		return r;
	r = bench_start_second(b, err);
	if (r < 0)
		return r;
	r = bench_drop_second(b, err);
	b->counts = counts;
	return r < 0 ? r : bench_go(b, &b->dev, b->dev.m.want, err);
}

/*
 * Rounds
 */

static int bench_round(struct bench *b, struct err *err)
{
	const bool loads = b->options->destructive && !b->options->second;
	int r;

	r = bench_save(b, loads, err);
	if (r < 0)
		return r;
	/* First, so that what it keeps is still what the device holds. */
	r = loads ? bench_load(b, err) : 0;
	if (r < 0)
		return r;
	r = bench_precopy(b, err);
	if (r < 0)
		return r;
	r = b->options->second ? bench_move(b, err) : 0;
	if (r < 0)
		return r;
	return b->failed ? err_set(err, b->failed, "samples") : 0;
}

static int bench_rounds(struct bench *b, struct err *err)
{
	int r;

	for (unsigned int i = 0; i <= b->options->rounds; i++) {
		b->counts = i > 0;
		r = bench_round(b, err);
		if (r < 0)
			return r;
		b->result->rounds = i;
		log_debug("round %u of %u", i, b->options->rounds);
	}
	return 0;
}

/*
 * The devices
 */

static int bench_open(struct bench *b, struct bench_side *s, bool loads, struct err *err)
{
	const struct device_options *o = b->options->device;
	int r;

	r = member_open(&s->m, o, err);
	if (r < 0)
		return r;
	if (loads) {
		r = adopt_check(s->m.dev, ADOPT_LOAD, o->owner_frozen, err);
		if (r < 0)
			return r;
	}
	s->m.dev->mig->on_arc = bench_on_arc;
	s->m.dev->mig->on_arc_ctx = s;
	r = member_check_source(&s->m, err);
	return r < 0 ? r : member_settle(&s->m, err);
}

static int bench_open_all(struct bench *b, struct err *err)
{
	const struct bench_options *o = b->options;
	int r;

	if (o->second && device_same(o->dev, o->second))
		return err_fail(err, ERR_USAGE, -EINVAL, "%s and %s are one device",
				device_name(o->dev), device_name(o->second));
	r = bench_open(b, &b->dev, o->destructive && !o->second, err);
	if (r < 0 || !o->second)
		return r;
	return bench_open(b, &b->second, true, err);
}

static void bench_tell_recovery(struct member *m, struct err *err)
{
	if (m->touched) {
		member_recover(m);
		member_tell_recovery(m, err);
	}
}

/* The second device may run the state: the first one must not, unless that is over. */
static void bench_recover(struct bench *b, struct err *err)
{
	struct member *second = &b->second.m;

	b->counts = false;
	bench_tell_recovery(second, err);
	if (second->touched && !second->result->recovery.ok)
		b->dev.m.want = MIG_STOP;
	bench_tell_recovery(&b->dev.m, err);
}

static void bench_summarize_all(struct bench_result *result)
{
	for (unsigned int i = 0; i < result->n_steps; i++)
		bench_summarize(&result->steps[i].ns, &result->steps[i].summary);
	for (unsigned int i = 0; i < BENCH_NR_MEASURES; i++)
		bench_summarize(&result->measures[i], &result->summaries[i]);
}

static void bench_init_side(struct bench *b, struct bench_side *s, struct device *dev,
			    struct member_result *result)
{
	s->bench = b;
	s->second = s == &b->second;
	s->m = (struct member){
		.dev = dev,
		.retry = { .budget_ns = b->options->retry_ns },
		.cancel = b->cancel,
		.result = result,
		.toward = s->second ? MIG_RESUMING : MIG_STOP_COPY,
		.holds = MIG_HOLDS_OWN,
	};
}

int bench_run(const struct bench_options *options, struct cancel *cancel, struct bench_result *ret,
	      struct err *err)
{
	struct bench b = { .options = options, .result = ret, .cancel = cancel };
	int r;

	*ret = (struct bench_result){ 0 };
	bench_init_side(&b, &b.dev, options->dev, &ret->dev);
	bench_init_side(&b, &b.second, options->second, &ret->second);
	b.piece = malloc(BENCH_PIECE);
	if (!b.piece)
		return err_set(err, -ENOMEM, "%s", device_name(options->dev));
	r = bench_open_all(&b, err);
	r = r < 0 ? r : bench_rounds(&b, err);
	if (r < 0)
		bench_recover(&b, err);
	member_detach(&b.dev.m);
	if (options->second)
		member_detach(&b.second.m);
	free(b.piece);
	free(b.kept);
	bench_summarize_all(ret);
	return r;
}

void bench_result_done(struct bench_result *result)
{
	for (unsigned int i = 0; i < result->n_steps; i++)
		bench_samples_done(&result->steps[i].ns);
	for (unsigned int i = 0; i < BENCH_NR_MEASURES; i++)
		bench_samples_done(&result->measures[i]);
}
