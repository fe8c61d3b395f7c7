// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/macros.h"
#include "device/recover.h"
#include "engine/hold-recover.h"
#include "fsm/fsm.h"

/* Most arcs take milliseconds. A driver that takes longer may hang. */
#define HOLD_RECOVER_LATE_S 2

/**
 * struct hold_recover
 * @done, @late: an eventfd, and a timerfd until @is_late
 * @restored, @text: the thread's, until @done
 */
struct hold_recover {
	struct hold_recover_order order;
	struct cancel cancel;
	pthread_t thread;
	int done, late;
	bool is_late;
	bool restored;
	char text[HOLD_TEXT_MAX];
};

static void hold_recover_bring_back(struct hold_recover *r, const struct lease_recovery *todo)
{
	struct arc_retry retry = { .budget_ns = r->order.drain_ns };
	enum mig_state left = r->order.mig->state;
	struct mig_recovery done;
	struct err err = { 0 };
	char reason[ERR_REASON_MAX];

	r->restored = mig_recover(r->order.mig, todo->want, todo->holds, &retry, &done, &err) &&
		      !done.reset && done.end == r->order.found;
	if (!err.code)
		snprintf(r->text, sizeof(r->text), "found in %s, brought to %s%s", fsm_name(left),
			 fsm_name(done.end), done.reset ? " by a reset: what it held is lost" : "");
	else
		snprintf(r->text, sizeof(r->text),
			 "found in %s, and could not be brought to %s: %.120s%s", fsm_name(left),
			 fsm_name(todo->want), err.text, err_reason(&err, reason));
}

static void hold_recover_work(struct hold_recover *r)
{
	struct mig_dev *mig = r->order.mig;
	struct lease_recovery todo;
	int known;

	snprintf(r->text, sizeof(r->text), "where it is is not known");
	if (!mig->caps)
		return;
	cancel_call_begin(&r->cancel, "asking for its state");
	known = mig_refresh(mig, NULL);
	cancel_call_end(&r->cancel);
	if (known < 0)
		return;
	snprintf(r->text, sizeof(r->text), "it is in %s", fsm_name(mig->state));
	todo = lease_recovery(r->order.end, r->order.if_lost, r->order.found, mig->state);
	r->restored = mig->state == r->order.found && mig->state != MIG_ERROR;
	if (todo.needed)
		hold_recover_bring_back(r, &todo);
}

static void *hold_recover_thread(void *arg)
{
	struct hold_recover *r = arg;
	struct cancel *before = r->order.mig->cancel;
	int done = r->done;

	r->order.mig->cancel = &r->cancel;
	hold_recover_work(r);
	r->order.mig->cancel = before;
	/* The counter of an eventfd that is read once takes any number. */
	eventfd_write(done, 1);
	return NULL;
}

static int hold_recover_open_clock(struct hold_recover *r, struct err *err)
{
	const struct itimerspec at = {
		.it_value = { .tv_sec = HOLD_RECOVER_LATE_S },
	};

	r->late = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (r->late < 0 || timerfd_settime(r->late, 0, &at, NULL) < 0)
		return err_set(err, -errno, "timerfd");
	return 0;
}

/* The loop alone hears signals. */
static int hold_recover_start_thread(struct hold_recover *r, struct err *err)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(&r->thread, NULL, hold_recover_thread, r);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return e ? err_set(err, -e, "pthread_create") : 0;
}

static void hold_recover_free(struct hold_recover *r)
{
	if (r->done >= 0)
		close(r->done);
	if (r->late >= 0)
		close(r->late);
	cancel_done(&r->cancel);
	free(r);
}

int hold_recover_start(const struct hold_recover_order *order, struct hold_recover **ret,
		       struct err *err)
{
	struct hold_recover *r = calloc(1, sizeof(*r));
	int e;

	if (!r)
		return err_set(err, -ENOMEM, "bringing a device back");
	r->order = *order;
	r->done = r->late = -1;
	e = cancel_init(&r->cancel, err);
	if (e < 0) {
		free(r);
		return e;
	}
	r->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = r->done < 0 ? err_set(err, -errno, "eventfd") : hold_recover_open_clock(r, err);
	e = e < 0 ? e : hold_recover_start_thread(r, err);
	if (e < 0) {
		hold_recover_free(r);
		return e;
	}
	*ret = r;
	return 0;
}

int hold_recover_done_fd(const struct hold_recover *r)
{
	return r->done;
}

int hold_recover_late_fd(const struct hold_recover *r)
{
	return r->is_late ? -1 : r->late;
}

static bool hold_recover_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	int n;

	do
		n = poll(&p, 1, timeout_ms);
	while (n < 0 && errno == EINTR);
	return n > 0;
}

void hold_recover_note_late(struct hold_recover *r)
{
	r->is_late = true;
}

bool hold_recover_is_late(const struct hold_recover *r)
{
	return r->is_late;
}

char *hold_recover_waits_for(struct hold_recover *r, char *buf, size_t size)
{
	struct cancel_waiting w = cancel_waiting(&r->cancel);
	uint64_t now = clock_ns();

	if (w.call == CANCEL_CALL_NONE)
		snprintf(buf, size, "its next arc");
	else
		snprintf(buf, size, "%s, for %llu s", w.what,
			 (unsigned long long)((now - MIN(w.since_ns, now)) / NSEC_PER_SEC));
	return buf;
}

bool hold_recover_await(struct hold_recover *r)
{
	cancel_request(&r->cancel);
	cancel_hurry(&r->cancel);
	return hold_recover_readable(r->done, HOLD_RECOVER_LATE_S * 1000);
}

bool hold_recover_end(struct hold_recover *r, char text[HOLD_TEXT_MAX])
{
	bool restored;

	pthread_join(r->thread, NULL);
	memcpy(text, r->text, HOLD_TEXT_MAX);
	restored = r->restored;
	hold_recover_free(r);
	return restored;
}

void hold_recover_forsake(struct hold_recover *r)
{
	pthread_detach(r->thread);
}
