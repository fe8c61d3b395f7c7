// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/macros.h"
#include "check/check.h"
#include "check/op-model.h"
#include "check/subject-parts.h"
#include "fsm/fsm.h"

/* More arcs than any path has: a device that says it is elsewhere each time is not followed. */
#define SUBJECT_ARCS_MAX (2 * FSM_ARCS_MAX)

static bool subject_walk_has_session(enum mig_state state)
{
	return fsm_saving(state) || state == MIG_RESUMING;
}

bool subject_again(struct subject *s, int result, unsigned int *tries)
{
	struct cancel *cancel = subject_dev(s)->cancel;

	if ((result != -EBUSY && result != -EAGAIN) || (*tries)++ >= SUBJECT_RETRIES)
		return false;
	return !cancel || cancel_pause(cancel, SUBJECT_RETRY_MS, NULL) >= 0;
}

/* One SET; one that is refused for now is made again. */
static int subject_walk_try(struct subject *s, enum mig_state to, struct subject_session **ret)
{
	unsigned int tries = 0;
	int r;

	do
		r = subject_set(s, to, ret);
	while (subject_again(s, r, &tries));
	return r;
}

int subject_take(struct subject *s, enum mig_state from, uint32_t to, struct subject_session **ret)
{
	return op_may_be_busy(from, to, s->caps) ? subject_walk_try(s, to, ret)
						 : subject_set(s, to, ret);
}

/**
 * struct subject_walk - on the way to a state
 * @at: where it is
 * @x: the session that was opened on the way
 * @inside: of one that was open before: its fd is the caller's already
 */
struct subject_walk {
	uint32_t at;
	struct subject_session *x;
	bool inside;
};

static int subject_walk_arc(struct subject *s, struct subject_walk *w, enum mig_state next)
{
	struct subject_session *x = NULL;
	int r = subject_walk_try(s, next, &x);

	if (r < 0)
		return r;
	if (x || !subject_walk_has_session(next)) {
		subject_session_close(w->x);
		w->x = x;
	}
	w->inside = w->inside && subject_walk_has_session(next);
	w->at = next;
	return 0;
}

static int subject_walk(struct subject *s, struct subject_walk *w, enum mig_state to)
{
	for (unsigned int i = 0; w->at != to; i++) {
		enum mig_state next = w->at < MIG_NR_STATES
					      ? fsm_next((enum mig_state)w->at, to, s->caps)
					      : MIG_ERROR;
		int r;

		if (next == MIG_ERROR || i == SUBJECT_ARCS_MAX)
			return -ENOTRECOVERABLE;
		r = subject_walk_arc(s, w, next);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The session of a vfio-user device is there in each state that has one. */
static int subject_walk_session(struct subject *s, struct subject_walk *w)
{
	if (w->x || w->inside || !subject_walk_has_session((enum mig_state)w->at))
		return 0;
	return subject_session_of(s, &w->x);
}

static int subject_walk_to(struct subject *s, enum mig_state to, struct subject_walk *w)
{
	int r = subject_get(s, &w->at);

	if (r < 0)
		return r;
	w->inside = w->at < MIG_NR_STATES && subject_walk_has_session((enum mig_state)w->at);
	r = subject_walk(s, w, to);
	return r < 0 ? r : subject_walk_session(s, w);
}

static void subject_walk_tell(struct subject *s, const char *what, uint32_t at, int r)
{
	if (s->check)
		check_broken(s->check, "%s: from %s: %s", what, subject_state_name(at),
			     r == -ENOTRECOVERABLE ? "there is no way" : err_name(r));
}

int subject_go(struct subject *s, enum mig_state to, struct subject_session **ret)
{
	struct subject_walk w = { .at = MIG_ERROR };
	char what[40];
	int r = subject_walk_to(s, to, &w);

	if (ret)
		*ret = NULL;
	if (r < 0) {
		snprintf(what, sizeof(what), "on the way to %s", fsm_name(to));
		subject_walk_tell(s, what, w.at, r);
		subject_session_close(w.x);
		return r;
	}
	if (ret)
		*ret = w.x;
	else
		subject_session_close(w.x);
	return 0;
}

/*
 * Home
 */

/* Where there was no answer, @fmt is not all: what came instead is the reason. */
_printf_(4, 5) static int subject_walk_fail(const struct subject *s, int r, struct err *err,
					    const char *fmt, ...)
{
	const char *lost = r == -EREMOTEIO ? subject_dev(s)->lost : "";
	char what[96];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	return err_fail(err, ERR_DEVICE, r, "%s: %s%s%s", s->name, what, *lost ? ": " : "", lost);
}

/* A reset leaves RUNNING behind, but of some vfio-user servers what it was. */
static int subject_walk_reset(struct subject *s, struct err *err)
{
	struct subject_walk w = { .at = MIG_ERROR };
	int r = subject_reset(s);

	if (r < 0)
		return subject_walk_fail(s, r, err, "the reset");
	r = subject_walk_to(s, MIG_RUNNING, &w);
	subject_session_close(w.x);
	if (r < 0)
		return subject_walk_fail(s, r, err, "it is in %s after a reset",
					 subject_state_name(w.at));
	return 0;
}

/* What holds a state that may be anything is not to run. Drivers reset without saying so (mtty). */
static bool subject_walk_needs_reset(const struct subject *s, uint32_t state)
{
	return state == MIG_ERROR || state == MIG_RESUMING || state >= MIG_NR_STATES ||
	       subject_dev(s)->loaded;
}

static int subject_walk_back(struct subject *s, struct err *err)
{
	struct subject_walk w = { .at = MIG_ERROR };
	int r = subject_walk_to(s, MIG_RUNNING, &w);

	subject_session_close(w.x);
	if (r < 0)
		return subject_walk_fail(s, r, err, "it stays in %s", subject_state_name(w.at));
	return 0;
}

static int subject_walk_no_way(const struct subject *s, uint32_t state, struct err *err)
{
	err_fail(err, ERR_DEVICE, -EBUSY,
		 "%s: it is in %s, which only a reset leaves: that loses its state", s->name,
		 subject_state_name(state));
	return err_hint(err, -EBUSY, "vfiomigctl reset %s", s->name);
}

int subject_home(struct subject *s, bool may_lose, struct err *err)
{
	struct subject_dev *d = subject_dev(s);
	uint32_t state;
	int r = 0;

	while (!LIST_EMPTY(&d->sessions))
		subject_session_close(LIST_FIRST(&d->sessions));
	if (d->ops->revive)
		r = d->ops->revive(d, err);
	if (r < 0)
		return r;
	r = subject_get(s, &state);
	if (r < 0)
		return subject_walk_fail(s, r, err, "its state cannot be asked for");
	if (!may_lose && (state == MIG_ERROR || state == MIG_RESUMING))
		return subject_walk_no_way(s, state, err);
	if (may_lose && subject_walk_needs_reset(s, state) && subject_walk_reset(s, err) >= 0)
		return 0;
	/* One that cannot be reset can only be led back. */
	if (state == MIG_ERROR)
		return err->code;
	r = subject_walk_back(s, err);
	return r < 0 && may_lose ? subject_walk_reset(s, err) : r;
}

/*
 * Whole states
 */

static int subject_walk_grow(struct subject_state *state, size_t *room, size_t block)
{
	size_t want = MAX(*room * 2, state->len + block);
	uint8_t *data = realloc(state->data, want);

	if (!data)
		return -ENOMEM;
	state->data = data;
	*room = want;
	return 0;
}

/* Return: 0 at the end; -EFBIG. */
static int subject_walk_drain(struct subject_session *x, size_t block, struct subject_state *state)
{
	size_t room = 0;

	for (;;) {
		ssize_t n;

		if (state->len > SUBJECT_STATE_MAX)
			return -EFBIG;
		if (room - state->len < block && subject_walk_grow(state, &room, block) < 0)
			return -ENOMEM;
		n = subject_read(x, state->data + state->len, block);
		if (n <= 0)
			return (int)n;
		state->len += (size_t)n;
	}
}

static int subject_walk_tell_data(struct subject *s, int r)
{
	if (!s->check)
		return r;
	if (r == -EFBIG)
		check_skip(s->check, "its state is larger than %u MiB", SUBJECT_STATE_MAX >> 20);
	else
		check_broken(s->check, "reading its state: %s", err_name(r));
	return r;
}

int subject_save(struct subject *s, size_t block, struct subject_state *ret)
{
	struct subject_session *x;
	int r;

	*ret = (struct subject_state){ 0 };
	/* A session that was begun elsewhere has been read in part. */
	r = subject_go(s, MIG_STOP, NULL);
	if (r < 0)
		return r;
	r = subject_go(s, MIG_STOP_COPY, &x);
	if (r < 0)
		return r;
	if (!x)
		return subject_walk_tell_data(s, -EBADF);
	r = subject_walk_drain(x, MIN(block, subject_block_max(s)), ret);
	subject_session_close(x);
	if (r < 0) {
		ret->data = mfree(ret->data);
		ret->len = 0;
		return subject_walk_tell_data(s, r);
	}
	return 0;
}

static int subject_walk_fill(struct subject_session *x, const struct subject_state *state,
			     size_t block)
{
	size_t at = 0;

	while (at < state->len) {
		ssize_t n = subject_write(x, state->data + at, MIN(block, state->len - at));

		if (n < 0)
			return (int)n;
		if (!n)
			return -EIO;
		at += (size_t)n;
	}
	return 0;
}

int subject_load(struct subject *s, const struct subject_state *state, size_t block)
{
	struct subject_session *x;
	int r = subject_go(s, MIG_RESUMING, &x);

	if (r < 0)
		return r;
	if (!x)
		return subject_walk_tell_data(s, -EBADF);
	r = subject_walk_fill(x, state, MIN(block, subject_block_max(s)));
	/* The session is open while it is left. */
	r = r < 0 ? r : subject_walk_try(s, MIG_STOP, NULL);
	subject_session_close(x);
	return r;
}
