// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/log.h"
#include "device/recover.h"
#include "engine/hold-parts.h"
#include "fsm/fsm.h"

/*
 * Errands, in their thread
 */

static void hold_place_run_ask(struct hold_errand *e, struct cancel *cancel)
{
	cancel_interruptible_begin(cancel, "asking for its state");
	e->known = mig_refresh(e->dev->mig, NULL) >= 0;
	cancel_interruptible_end(cancel);
}

static void hold_place_run_arm(struct hold_errand *e, struct cancel *cancel)
{
	for (unsigned int i = 0; i < DEVICE_NR_IRQS; i++) {
		struct err err = { 0 };

		if (e->fds[i] < 0)
			continue;
		cancel_interruptible_begin(cancel, "setting its interrupts");
		e->armed[i] = device_irq_arm(e->dev, (enum device_irq)i, e->fds[i], &err) >= 0;
		cancel_interruptible_end(cancel);
		if (!e->armed[i])
			log_debug("%s", err.text);
	}
}

static void hold_place_run(void *ctx, struct cancel *cancel)
{
	struct hold_errand *e = ctx;

	switch (e->kind) {
	case HOLD_ERRAND_ASK:
	case HOLD_ERRAND_JUDGE:
		hold_place_run_ask(e, cancel);
		break;
	case HOLD_ERRAND_ARM:
		hold_place_run_arm(e, cancel);
		break;
	case HOLD_ERRAND_RECOVER:
		hold_recover(&e->recover, cancel);
		break;
	case HOLD_ERRAND_CLOSE:
		cancel_call_begin(cancel, "closing it");
		device_close(e->dev);
		cancel_call_end(cancel);
		break;
	}
}

/*
 * Their beginning and end, in the loop
 */

static struct hold_errand *hold_place_errand(const struct hold_place *p, enum hold_errand_kind kind)
{
	struct hold_errand *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->kind = kind;
	e->dev = p->dev;
	for (unsigned int i = 0; i < DEVICE_NR_IRQS; i++)
		e->fds[i] = p->irqs[i];
	return e;
}

/* @e: consumed. Return: 0, and @p has a call; else there is no thread to be had. */
static int hold_place_start(struct hold_place *p, struct hold_errand *e, struct err *err)
{
	struct hold_call_work work = {
		.run = hold_place_run,
		.drop = free,
		.ctx = e,
	};
	int r;

	if (!e)
		return err_set(err, -ENOMEM, "%s", p->name);
	work.kickable = e->kind != HOLD_ERRAND_RECOVER;
	r = hold_call_start(&work, &p->call, err);
	if (r < 0) {
		free(e);
		return err_prefix(err, r, "%s", p->name);
	}
	p->errand = e;
	return 0;
}

static struct hold_errand *hold_place_take_errand(struct hold_place *p)
{
	hold_call_end(TAKE_PTR(p->call));
	return TAKE_PTR(p->errand);
}

/*
 * Return: the errand, the caller's, if it ends in a moment. NULL while it goes on, and @p->call is
 * there; or where it has not begun.
 */
static struct hold_errand *hold_place_try(struct hold_place *p, enum hold_errand_kind kind)
{
	char reason[ERR_REASON_MAX];
	struct err err = { 0 };

	if (hold_place_start(p, hold_place_errand(p, kind), &err) < 0) {
		log_warn("%s%s", err.text, err_reason(&err, reason));
		return NULL;
	}
	return hold_call_wait(p->call) ? hold_place_take_errand(p) : NULL;
}

const char *hold_place_hangs(struct hold_place *p, char *buf, size_t size)
{
	if (!p->call || !hold_call_is_late(p->call))
		return NULL;
	return hold_call_waits_for(p->call, buf, size);
}

/*
 * Where it is
 */

static enum hold_asked hold_place_asked(const struct hold_errand *e)
{
	return e->known ? HOLD_ASKED_KNOWN : HOLD_ASKED_IN_VAIN;
}

/* While its interrupts are set it stays where it is: no client has it. */
static void hold_place_forget_heard(struct hold_place *p)
{
	if (!p->call || p->errand->kind != HOLD_ERRAND_ARM)
		p->heard = HOLD_ASKED_NOT_YET;
}

enum hold_asked hold_place_ask(struct hold_place *p)
{
	_cleanup_free_ struct hold_errand *e = NULL;

	if (p->call)
		return HOLD_ASKED_NOT_YET;
	if (!p->dev->mig->caps || device_is_served(p->dev))
		return HOLD_ASKED_IN_VAIN;
	/* A driver that takes long each time would be asked again for ever. */
	if (p->heard != HOLD_ASKED_NOT_YET)
		return p->heard;
	e = hold_place_try(p, HOLD_ERRAND_ASK);
	if (e)
		return hold_place_asked(e);
	return p->call ? HOLD_ASKED_NOT_YET : HOLD_ASKED_IN_VAIN;
}

const char *hold_place_state(struct hold_place *p)
{
	/* A driver may hold its lock for as long as a client's call takes. */
	if (p->lease.changer != LEASE_NONE || hold_place_ask(p) != HOLD_ASKED_KNOWN)
		return NULL;
	return fsm_name(p->dev->mig->state);
}

/*
 * Its interrupts
 */

static void hold_place_armed(struct hold_place *p, const struct hold_errand *e)
{
	for (unsigned int i = 0; i < DEVICE_NR_IRQS; i++) {
		if (e->armed[i] || p->irqs[i] < 0)
			continue;
		close(p->irqs[i]);
		p->irqs[i] = -1;
	}
}

/* A device that others have open, too, is interrupted for them: an eventfd of theirs may be set. */
void hold_place_arm(struct hold_place *p)
{
	_cleanup_free_ struct hold_errand *e = NULL;

	if (p->call || (device_ownership(p->dev) != DEVICE_SOLE && !p->alone))
		return;
	for (unsigned int i = 0; i < DEVICE_NR_IRQS; i++)
		if (p->irqs[i] < 0)
			p->irqs[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = hold_place_try(p, HOLD_ERRAND_ARM);
	if (e)
		hold_place_armed(p, e);
}

/*
 * What a client has left
 */

/* As the next client is told. */
static void hold_place_note(struct hold *h, struct hold_place *p, const char *what)
{
	snprintf(p->note, sizeof(p->note), "the last client, %s; %.300s", p->lost, what);
	hold_tell(h, HOLD_NEWS_CLIENT_LOST, p, "%s", p->note);
}

/* @end: LEASE_LOST, or LEASE_CHANGE_ENDED */
static void hold_place_recover(struct hold *h, struct hold_place *p, enum lease_verdict end)
{
	struct hold_errand *e = hold_place_errand(p, HOLD_ERRAND_RECOVER);
	char what[256], reason[ERR_REASON_MAX];
	struct err err = { 0 };

	if (e)
		e->recover = (struct hold_recover){
			.mig = p->dev->mig,
			.end = end,
			.if_lost = p->if_lost,
			.found = p->found,
			.drain_ns = h->opts.drain_ns,
		};
	if (hold_place_start(p, e, &err) >= 0) {
		lease_recover(&p->lease);
		return;
	}
	snprintf(what, sizeof(what), "it is left as it is: %.120s%s", err.text,
		 err_reason(&err, reason));
	p->restored = HOLD_RESTORED_NO;
	hold_place_note(h, p, what);
}

/*
 * A client that is lost may have a call under way in another process still: even to ask for the
 * device's state may wait for that.
 */
void hold_place_lost(struct hold *h, struct hold_place *p)
{
	/* What a client has while it is closed for the host is not brought back any more. */
	if (!p->call)
		hold_place_recover(h, p, LEASE_LOST);
}

/* Whether a client that has given the device back in order has left a session open. */
static void hold_place_judge(struct hold *h, struct hold_place *p, const struct hold_errand *e)
{
	if (e->known &&
	    lease_recovery(LEASE_CHANGE_ENDED, p->if_lost, p->found, p->dev->mig->state).needed)
		hold_place_recover(h, p, LEASE_CHANGE_ENDED);
}

void hold_place_given_back(struct hold *h, struct hold_place *p)
{
	_cleanup_free_ struct hold_errand *e = NULL;

	if (p->call || !p->dev->mig->caps)
		return;
	e = hold_place_try(p, HOLD_ERRAND_JUDGE);
	if (e)
		hold_place_judge(h, p, e);
}

static void hold_place_recovered(struct hold *h, struct hold_place *p, const struct hold_errand *e)
{
	p->restored = e->recover.restored ? HOLD_RESTORED_YES : HOLD_RESTORED_NO;
	lease_recovered(&p->lease);
	hold_place_note(h, p, e->recover.text);
}

/*
 * Its end
 */

void hold_place_leave(struct hold_place *p)
{
	if (p->call)
		free(hold_place_take_errand(p));
	for (unsigned int i = 0; i < DEVICE_NR_IRQS; i++)
		if (p->irqs[i] >= 0)
			close(p->irqs[i]);
	if (p->owned)
		device_free(p->dev);
	*p = (struct hold_place){ .state = HOLD_PLACE_FREE };
}

static void hold_place_closed(struct hold *h, struct hold_place *p)
{
	p->state = HOLD_PLACE_FREE; /* the listener counts it no more */
	hold_tell(h, HOLD_NEWS_GIVEN_UP, p, "%s", p->over);
	hold_place_leave(p);
}

/* @state: where it was; NULL for not known */
static void hold_place_close_for_host(struct hold *h, struct hold_place *p, const char *state)
{
	enum close_effect effect = device_close_effect(p->dev);
	_cleanup_free_ struct hold_errand *e = NULL;
	bool used = !lease_idle(&p->lease);
	char was[64] = "";

	if (state)
		snprintf(was, sizeof(was), " (it was in %s)", state);
	snprintf(p->over, sizeof(p->over), "closed, so that the host can have it%s%s%s", was,
		 effect == CLOSE_KEEPS ? "; its driver keeps its state"
				       : "; the state that it held is lost",
		 used ? "; a client has it open still, and the host waits for that one" : "");
	p->state = HOLD_PLACE_CLOSING;
	e = hold_place_try(p, HOLD_ERRAND_CLOSE);
	if (!p->call && !e)
		device_close(p->dev);
	if (!p->call)
		hold_place_closed(h, p);
}

void hold_place_give_up(struct hold *h, struct hold_place *p)
{
	const char *state;

	p->state = HOLD_PLACE_OWED;
	if (p->call)
		return;
	state = hold_place_state(p);
	if (!p->call)
		hold_place_close_for_host(h, p, state);
}

void hold_place_ended(struct hold *h, struct hold_place *p)
{
	_cleanup_free_ struct hold_errand *e = hold_place_take_errand(p);

	switch (e->kind) {
	case HOLD_ERRAND_ASK:
		p->heard = hold_place_asked(e);
		break;
	case HOLD_ERRAND_JUDGE:
		p->heard = hold_place_asked(e);
		hold_place_judge(h, p, e);
		break;
	case HOLD_ERRAND_ARM:
		hold_place_armed(p, e);
		break;
	case HOLD_ERRAND_RECOVER:
		hold_place_recovered(h, p, e);
		break;
	case HOLD_ERRAND_CLOSE:
		hold_place_closed(h, p);
		break;
	}
	/* What the host waits for it gets now. */
	if (p->state == HOLD_PLACE_OWED && !p->call)
		hold_place_give_up(h, p);
	/* What was to be set meanwhile was not. */
	else if (p->state != HOLD_PLACE_FREE && e->kind != HOLD_ERRAND_ARM && lease_idle(&p->lease))
		hold_place_arm(p);
	/* The clients that wait are answered in any case: there may be no such device any more. */
	hold_serve_waiting(h, p);
	hold_place_forget_heard(p);
}

void hold_place_late(struct hold *h, struct hold_place *p)
{
	char what[CANCEL_TEXT_MAX + 32];

	if (!hold_call_note_late(p->call))
		return;
	hold_call_waits_for(p->call, what, sizeof(what));
	if (p->errand->kind == HOLD_ERRAND_RECOVER)
		hold_tell(
			h, HOLD_NEWS_HANGS, p,
			"the last client, %s; its driver has not come back from %s: it is lent to "
			"none until then",
			p->lost, what);
	else
		hold_tell(h, HOLD_NEWS_HANGS, p,
			  "its driver has not come back from %s: it is lent to none until then",
			  what);
	hold_serve_waiting(h, p);
}

void hold_place_close(struct hold_place *p)
{
	struct err err = { 0 };

	p->state = HOLD_PLACE_CLOSING;
	if (hold_place_start(p, hold_place_errand(p, HOLD_ERRAND_CLOSE), &err) < 0)
		log_debug("%s", err.text);
}

/* A driver that hangs keeps no other device, and not this process, from its end. */
int hold_place_settle(struct hold_place *p, struct err *err)
{
	char what[CANCEL_TEXT_MAX + 32];

	if (!p->call)
		return 0;
	if (hold_call_await(p->call)) {
		_cleanup_free_ struct hold_errand *e = hold_place_take_errand(p);

		if (e->kind == HOLD_ERRAND_RECOVER)
			log_info("%s: %s", p->name, e->recover.text);
		return 0;
	}
	hold_call_waits_for(p->call, what, sizeof(what));
	hold_call_forsake(TAKE_PTR(p->call));
	p->errand = NULL;
	p->state = HOLD_PLACE_FORSAKEN;
	err_fail(err, ERR_DEVICE, -EBUSY, "%s: its driver has not come back from %s", p->name,
		 what);
	return err_hint(err, -EBUSY, "see the kernel's log; its state stays as it is until then");
}
