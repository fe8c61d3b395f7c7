// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/macros.h"
#include "fsm/fsm.h"
#include "fake-dev.h"

struct fake_stream {
	struct mig_stream s;
	struct fake *f;
	unsigned int session;
};

static const struct mig_stream_ops stream_ops, told_stream_ops;

/*
 * The stream walks this cycle, from another place in each 256 bytes and in each MiB: it is copied
 * and compared by the piece, since a loop over its bytes took most of the time under valgrind and
 * TSan. Twice, so that a piece never wraps.
 */
#define CYCLE 256u
#define CYCLE_4(i)                                                              \
	(uint8_t)((i)*31u), (uint8_t)((i)*31u + 31u), (uint8_t)((i)*31u + 62u), \
		(uint8_t)((i)*31u + 93u)
#define CYCLE_16(i) CYCLE_4(i), CYCLE_4((i) + 4u), CYCLE_4((i) + 8u), CYCLE_4((i) + 12u)
#define CYCLE_64(i) CYCLE_16(i), CYCLE_16((i) + 16u), CYCLE_16((i) + 32u), CYCLE_16((i) + 48u)
#define CYCLE_256 CYCLE_64(0u), CYCLE_64(64u), CYCLE_64(128u), CYCLE_64(192u)
static const uint8_t cycle[2 * CYCLE] = { CYCLE_256, CYCLE_256 };

/* piece() - the longest one at @at that is not longer than *@len */
static const uint8_t *piece(uint64_t at, size_t *len)
{
	*len = MIN(*len, CYCLE - at % CYCLE);
	return cycle + (at + (at >> 8) * 7 + (at >> 20)) % CYCLE;
}

uint8_t fake_byte(uint64_t at)
{
	size_t n = 1;

	return *piece(at, &n);
}

void fake_fill(void *buf, uint64_t at, size_t len)
{
	for (size_t done = 0, n; done < len; done += n) {
		const uint8_t *from;

		n = len - done;
		from = piece(at + done, &n);
		memcpy((uint8_t *)buf + done, from, n);
	}
}

bool fake_matches(const void *buf, uint64_t at, size_t len)
{
	for (size_t done = 0, n; done < len; done += n) {
		const uint8_t *same;

		n = len - done;
		same = piece(at + done, &n);
		if (memcmp((const uint8_t *)buf + done, same, n) != 0)
			return false;
	}
	return true;
}

static struct fake *of(struct mig_dev *dev)
{
	return container_of(dev, struct fake, dev);
}

static void note(struct fake *f, const char *what, const char *of_what, bool failed)
{
	size_t at = strlen(f->log);

	snprintf(f->log + at, sizeof(f->log) - at, "%s%s%s%s", at ? " " : "", what, of_what,
		 failed ? "!" : "");
}

static void wrong(struct fake *f, const char *what)
{
	note(f, "WRONG:", what, false);
	f->sins++;
}

/* Short of a signal, which no thread of a test has. */
static void hang(const struct fake *f)
{
	char byte;

	if (read(f->gate, &byte, 1) < 0)
		abort();
}

/* A driver that takes its time, as long as others make use of it. */
static void dawdle(struct fake *f)
{
	for (int n = f->yields ? rand_r(&f->seed) % (int)f->yields : 0; n > 0; n--)
		sched_yield();
}

static void put_down(struct fake *f, struct fake_step step)
{
	struct fake_journal *j = f->journal;

	if (!j)
		return;
	step.device = f->number;
	pthread_mutex_lock(&j->lock);
	if (j->n == FAKE_STEPS)
		abort();
	j->steps[j->n++] = step;
	pthread_mutex_unlock(&j->lock);
}

/* Counts the call. Return: how it is to fail, or NULL. */
static const struct fake_fault *called(struct fake *f, enum fake_call call)
{
	unsigned int n = ++f->calls[call];

	if (f->hang_n == n && f->hang_at == call)
		hang(f);
	if (f->cancel_n == n && f->cancel_at == call)
		cancel_request(f->cancel);
	for (size_t i = 0; i < FAKE_FAULTS; i++) {
		const struct fake_fault *t = &f->faults[i];

		if (t->nth && t->call == call && n >= t->nth && n - t->nth < t->times)
			return t;
	}
	return NULL;
}

static bool in_session(enum mig_state state)
{
	return fsm_saving(state) || state == MIG_RESUMING;
}

/* Return: a session has begun. */
static bool land(struct fake *f, enum mig_state to)
{
	bool same = fsm_saving(f->state) == fsm_saving(to) &&
		    in_session(f->state) == in_session(to);

	f->state = to;
	if (!same)
		f->session++;
	if (!same && to == MIG_RESUMING) {
		f->loaded = 0;
		f->load_good = true;
	} else if (!same && in_session(to)) {
		f->at = 0;
		f->ready = f->n_rounds ? 0 : f->unasked;
		f->round = 0;
	}
	if (to == MIG_STOP_COPY)
		f->ready = MAX(f->ready, f->size);
	return !same && in_session(to);
}

/* By itself, without a SET. */
static void stray(struct fake *f, enum mig_state lands)
{
	enum mig_state from = f->state;

	if (lands == FAKE_STAYS)
		return;
	land(f, lands);
	put_down(f, (struct fake_step){ .end = true, .from = from, .to = lands });
}

static struct mig_stream *open_stream(struct fake *f)
{
	struct fake_stream *s = calloc(1, sizeof(*s));

	if (!s)
		abort();
	s->s.ops = f->n_rounds ? &told_stream_ops : &stream_ops;
	s->f = f;
	s->session = f->session;
	f->opened++;
	return &s->s;
}

static int dev_query(struct mig_dev *dev, struct err *err)
{
	const struct fake_fault *t = called(of(dev), FAKE_QUERY);

	return t ? err_set(err, t->error, "the fake will not tell") : 0;
}

static int dev_get_state(struct mig_dev *dev, enum mig_state *ret, struct err *err)
{
	struct fake *f = of(dev);
	const struct fake_fault *t = called(f, FAKE_GET);

	note(f, "get", "", t);
	if (t)
		return err_set(err, t->error, "the fake will not say");
	*ret = f->lies ? f->reports : f->state;
	return 0;
}

static int dev_set_state(struct mig_dev *dev, enum mig_state to, struct mig_stream **ret_stream,
			 struct err *err)
{
	struct fake *f = of(dev);
	enum mig_state from = f->state;
	const struct fake_fault *t;

	put_down(f, (struct fake_step){ .from = from, .to = to });
	dawdle(f);
	t = called(f, FAKE_SET);
	note(f, "set:", fsm_name(to), t && t->error);
	if (f->state == MIG_ERROR)
		wrong(f, "set-in-error");
	else if (fsm_next(f->state, to, f->dev.caps) != to || f->state == to)
		wrong(f, "no-such-arc");
	if (f->state == MIG_RESUMING && to == MIG_STOP && f->load_cut)
		wrong(f, "cut-load-accepted");
	if (!t || !t->error)
		if (land(f, to) && !f->no_fd)
			*ret_stream = open_stream(f);
	if (t && t->lands != FAKE_STAYS)
		land(f, t->lands);
	dawdle(f);
	put_down(f,
		 (struct fake_step){
			 .end = true, .from = from, .to = f->state, .result = t ? t->error : 0 });
	return t && t->error ? err_set(err, t->error, "the fake said no") : 0;
}

static int dev_data_size(struct mig_dev *dev, uint64_t *ret, struct err *err)
{
	(void)err;
	*ret = of(dev)->size;
	return 0;
}

static bool dev_opt_in_precopy(struct mig_dev *dev)
{
	struct fake *f = of(dev);

	f->opt_ins++;
	return f->offers_v2;
}

static int reset_it(struct fake *f, struct err *err)
{
	const struct fake_fault *t = called(f, FAKE_RESET);

	note(f, "reset", "", t || f->cannot_reset);
	if (f->cannot_reset)
		return err_set(err, -EINVAL, "the fake will not be reset");
	if (t) {
		if (t->lands != FAKE_STAYS)
			land(f, t->lands);
		return err_set(err, t->error, "the fake will not be reset");
	}
	land(f, f->reset_to);
	f->load_cut = false;
	return 0;
}

static int dev_reset(struct mig_dev *dev, struct err *err)
{
	struct fake *f = of(dev);
	struct fake_step step = { .reset = true, .from = f->state, .to = f->reset_to };

	put_down(f, step);
	step.result = reset_it(f, err);
	step.to = f->state;
	step.end = true;
	put_down(f, step);
	return step.result;
}

int fake_open_load(struct mig_dev *dev, struct mig_stream **ret, struct err *err)
{
	struct fake *f = of(dev);

	(void)err;
	if (f->state != MIG_RESUMING)
		wrong(f, "load-outside-resuming");
	f->loaded = 0;
	f->load_good = true;
	*ret = open_stream(f);
	return 0;
}

static void dev_close(struct mig_dev *dev)
{
	of(dev)->dev_closed = true;
}

/*
 * The stream
 */

static struct fake_stream *stream_of(struct mig_stream *s)
{
	return container_of(s, struct fake_stream, s);
}

static bool usable(const struct fake_stream *s)
{
	if (s->session != s->f->session)
		wrong(s->f, "dead-stream");
	return s->session == s->f->session;
}

static ssize_t stream_read(struct mig_stream *stream, void *buf, size_t len)
{
	/* However reads are cut, it is one stream. */
	static const size_t pieces[] = { 1, 4093, 65537, 7, 1 << 20, 300001 };
	struct fake_stream *s = stream_of(stream);
	struct fake *f = s->f;
	const struct fake_fault *t = called(f, FAKE_READ);
	size_t n;

	if (t) {
		stray(f, t->lands);
		return t->error;
	}
	if (!usable(s) || !fsm_saving(f->state))
		return -ENODEV;
	n = MIN(len, pieces[f->calls[FAKE_READ] % ARRAY_SIZE(pieces)]);
	n = MIN(n, f->ready - f->at);
	if (!n)
		return f->state == MIG_STOP_COPY ? 0 : f->empty;
	fake_fill(buf, f->salt + f->at, n);
	f->at += n;
	return (ssize_t)n;
}

static ssize_t stream_write(struct mig_stream *stream, const void *buf, size_t len)
{
	struct fake_stream *s = stream_of(stream);
	struct fake *f = s->f;
	const struct fake_fault *t = called(f, FAKE_WRITE);
	size_t n = f->takes ? MIN(len, f->takes) : len;

	if (t) {
		stray(f, t->lands);
		return t->error;
	}
	if (!usable(s) || f->state != MIG_RESUMING)
		return -ENODEV;
	f->load_good &= fake_matches(buf, f->salt + f->loaded, n);
	f->loaded += n;
	return (ssize_t)n;
}

static int stream_info(struct mig_stream *stream, struct mig_precopy_info *ret)
{
	struct fake_stream *s = stream_of(stream);
	struct fake *f = s->f;
	const struct fake_fault *t = called(f, FAKE_INFO);

	if (t)
		return t->error;
	if (!usable(s) || (f->state != MIG_PRE_COPY && f->state != MIG_PRE_COPY_P2P))
		return -EINVAL;
	*ret = (struct mig_precopy_info){ 0 };
	if (f->round < f->n_rounds) {
		ret->initial_bytes = f->rounds[f->round].initial;
		ret->dirty_bytes = f->rounds[f->round].dirty;
		ret->reinit = f->rounds[f->round].reinit;
		f->ready += ret->initial_bytes + ret->dirty_bytes;
		f->round++;
	}
	return 0;
}

static void stream_close(struct mig_stream *stream)
{
	struct fake_stream *s = stream_of(stream);

	s->f->closed++;
	free(s);
}

static const struct mig_stream_ops stream_ops = {
	.read = stream_read,
	.write = stream_write,
	.close = stream_close,
};

static const struct mig_stream_ops told_stream_ops = {
	.read = stream_read,
	.write = stream_write,
	.precopy_info = stream_info,
	.close = stream_close,
};

static const struct mig_ops fake_ops = {
	.name = "fake",
	.next = fsm_next,
	.query = dev_query,
	.get_state = dev_get_state,
	.set_state = dev_set_state,
	.data_size = dev_data_size,
	.opt_in_precopy = dev_opt_in_precopy,
	.reset = dev_reset,
	.close = dev_close,
};

struct fake *fake_new(unsigned int caps)
{
	struct fake *f = calloc(1, sizeof(*f));

	if (!f)
		abort();
	f->ops = fake_ops;
	f->dev.ops = &f->ops;
	f->dev.caps = caps;
	f->dev.can_reset = true;
	f->dev.name = strdup("dev0");
	f->state = MIG_RUNNING;
	f->reset_to = MIG_RUNNING;
	f->gate = -1;
	return f;
}

int fake_free(struct fake *f)
{
	bool good;

	if (!f->dev_closed)
		mig_close(&f->dev);
	good = !f->sins && f->opened == f->closed && f->dev_closed;
	if (!good)
		fprintf(stderr, "%u sins, %u streams opened, %u closed: %s\n", f->sins, f->opened,
			f->closed, f->log);
	free(f);
	return good ? 0 : -1;
}

void fake_query(struct fake *f)
{
	if (mig_query(&f->dev, NULL) < 0)
		abort();
	memset(f->calls, 0, sizeof(f->calls));
	f->log[0] = '\0';
}

struct fake_fault *fake_fail(struct fake *f, enum fake_call call, unsigned int nth, int error,
			     enum mig_state lands)
{
	for (size_t i = 0; i < FAKE_FAULTS; i++)
		if (!f->faults[i].nth) {
			f->faults[i] = (struct fake_fault){ call, nth, 1, error, lands };
			return &f->faults[i];
		}
	abort();
}

void fake_forget(struct fake *f)
{
	memset(f->faults, 0, sizeof(f->faults));
	memset(f->calls, 0, sizeof(f->calls));
	f->log[0] = '\0';
}
