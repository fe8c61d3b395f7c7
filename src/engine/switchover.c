// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/clock.h"
#include "base/macros.h"
#include "engine/switchover.h"

/* virtio looks for new data once a second, by a clock of ticks; and asking takes a while, too. */
#define QUIET_NS (1100 * NSEC_PER_MSEC)

/*
 * What is no less after so many rounds and such a time will not be. mlx5 may take seconds to make
 * readable what it has told.
 */
#define STALLED_ROUNDS 3
#define STALLED_NS (5 * NSEC_PER_SEC)

#define PAUSE_MIN_NS (10 * NSEC_PER_MSEC)
#define PAUSE_MAX_NS (100 * NSEC_PER_MSEC)

/* A smaller round measures calls and wake-ups instead of a link. */
#define ROUND_MIN (UINT64_C(1) << 20)

/* Until one was larger: bytes a second that a gigabit link takes. */
#define ASSUMED_RATE UINT64_C(100000000)

/* Half of a flow is forgotten after so long. */
#define FLOW_NS (2 * NSEC_PER_SEC)

static uint64_t switchover_add(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static uint64_t switchover_sub(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* @n * @by / @of; @of is not 0. */
static uint64_t switchover_scale(uint64_t n, uint64_t by, uint64_t of)
{
	unsigned __int128 result = (unsigned __int128)n * by / of;

	return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

static void switchover_flow_add(struct switchover_flow *f, uint64_t bytes, uint64_t ns)
{
	f->bytes = switchover_add(f->bytes, bytes);
	f->ns = switchover_add(f->ns, ns);
}

static void switchover_flow_halve(struct switchover_flow *f)
{
	f->bytes /= 2;
	f->ns /= 2;
}

/* Bytes a second; 0 where no time has passed. */
static uint64_t switchover_flow_rate(const struct switchover_flow *f)
{
	return f->ns ? switchover_scale(f->bytes, NSEC_PER_SEC, f->ns) : 0;
}

static uint64_t switchover_told(const struct switchover_round *r)
{
	return switchover_add(r->initial, r->dirty);
}

/* What a device that does not tell has brought in a round is what it may have again. */
static uint64_t switchover_untold(const struct switchover_round *r)
{
	return r->told ? 0 : switchover_sub(r->moved, r->moved_told);
}

static void switchover_forget(struct switchover *p, uint64_t now_ns)
{
	p->stalled = 0;
	p->idle = 0;
	p->least = UINT64_MAX;
	p->shrunk_ns = now_ns;
	p->brought = 0;
	p->through = false;
	p->dirt = (struct switchover_flow){ 0 };
}

void switchover_start(struct switchover *p, const struct switchover_options *options,
		      uint64_t now_ns)
{
	*p = (struct switchover){ .options = *options, .start_ns = now_ns, .heard_ns = now_ns };
	switchover_forget(p, now_ns);
}

/* Drivers of kernels that do not know REINIT start over without saying so. */
static bool switchover_starts_over(const struct switchover *p, const struct switchover_round *r)
{
	return r->reinit || (p->looked && !p->initial && r->initial);
}

static void switchover_measure_link(struct switchover *p, const struct switchover_round *r)
{
	const bool large = r->moved >= ROUND_MIN;

	if (!r->moved || !r->moved_ns || (p->measured && !large))
		return;
	if (large && !p->measured)
		p->link = (struct switchover_flow){ 0 };
	p->measured = large;
	/* By rounds and not by time, since a large one says more than many small ones. */
	switchover_flow_halve(&p->link);
	switchover_flow_add(&p->link, r->moved, r->moved_ns);
}

/* What is there now and was not there before, nor has been moved, got dirty in between. */
static void switchover_measure_dirt(struct switchover *p, const struct switchover_round *r)
{
	const uint64_t now = switchover_add(switchover_told(r), r->moved);

	if (!p->looked)
		return;
	if (p->dirt.ns >= FLOW_NS)
		switchover_flow_halve(&p->dirt);
	switchover_flow_add(&p->dirt, switchover_sub(now, p->before),
			    switchover_sub(r->now_ns, p->before_ns));
}

/*
 * The last time that data was there is when it was told, or, where it was read and nothing is told
 * now, the beginning of the round: there the devices were asked, too.
 */
static void switchover_hear(struct switchover *p, const struct switchover_round *r)
{
	p->opening = !p->through;
	if (r->moved) {
		p->through |= !r->cut;
		p->brought = r->moved;
		p->heard_ns = MAX(p->heard_ns, switchover_sub(r->now_ns, r->moved_ns));
	}
	if (switchover_told(r))
		p->heard_ns = r->now_ns;
}

static void switchover_remember(struct switchover *p, const struct switchover_round *r)
{
	p->looked = true;
	p->initial = r->initial;
	p->before = switchover_told(r);
	p->before_ns = r->now_ns;
}

/* Is it too soon to believe that nothing is left? */
static bool switchover_is_unsure(const struct switchover *p, const struct switchover_round *r)
{
	return !switchover_told(r) && switchover_sub(r->now_ns, p->heard_ns) < QUIET_NS;
}

static uint64_t switchover_rate(const struct switchover *p)
{
	uint64_t rate = switchover_flow_rate(&p->link);

	if (!p->measured)
		rate = MAX(rate, ASSUMED_RATE);
	if (p->options.stop_copy_rate)
		rate = MIN(rate, p->options.stop_copy_rate);
	return MAX(rate, 1u);
}

static uint64_t switchover_downtime(const struct switchover_decision *d, uint64_t bytes)
{
	uint64_t ns = switchover_scale(bytes, NSEC_PER_SEC, d->rate);

	return switchover_add(ns, switchover_add(d->round.arcs_ns, d->round.finish_ns));
}

static void switchover_estimate(const struct switchover *p, struct switchover_decision *d)
{
	const struct switchover_round *r = &d->round;
	const uint64_t dirty = switchover_add(switchover_told(r), switchover_untold(r));

	d->left = switchover_add(dirty, r->stop_copy);
	d->suspected = switchover_is_unsure(p, r) ? switchover_sub(p->brought, dirty) : 0;
	d->rate = switchover_rate(p);
	d->dirty_rate = switchover_flow_rate(&p->dirt);
	d->estimate_ns = switchover_downtime(d, d->left);
	d->estimated = !r->cut && (p->measured || d->left < ROUND_MIN);
}

/*
 * A device that does not tell may begin late, and its first data shows how much it has, not how
 * much of that gets dirty. Of one that tells, the first answer is never an old one.
 */
static bool switchover_is_too_early(const struct switchover *p, const struct switchover_round *r)
{
	if (r->initial || r->cut)
		return true;
	if (r->told)
		return false;
	return switchover_untold(r) ? p->opening : !p->brought && switchover_is_unsure(p, r);
}

static bool switchover_fits(const struct switchover *p, const struct switchover_decision *d)
{
	const uint64_t most = switchover_add(d->left, d->suspected);

	if (switchover_is_too_early(p, &d->round))
		return false;
	return switchover_downtime(d, most) <= p->options.downtime_limit_ns;
}

/*
 * Initial bytes come first, and what got dirty meanwhile may be more than the last of them. So it
 * is with all that a device has which does not tell.
 *
 * Return: what is left no longer shrinks.
 */
static bool switchover_watch_least(struct switchover *p, const struct switchover_decision *d)
{
	const uint64_t most = switchover_add(d->left, d->suspected), now_ns = d->round.now_ns;
	const bool first = d->round.initial || d->round.cut;

	if (first || most < p->least) {
		p->least = first ? UINT64_MAX : most;
		p->shrunk_ns = now_ns;
		p->stalled = 0;
		return false;
	}
	p->stalled++;
	return p->stalled >= STALLED_ROUNDS && switchover_sub(now_ns, p->shrunk_ns) >= STALLED_NS;
}

static bool switchover_is_used_up(const struct switchover *p, uint64_t now_ns)
{
	return p->rounds >= p->options.max_rounds ||
	       switchover_sub(now_ns, p->start_ns) >= p->options.max_ns;
}

static enum switchover_verdict switchover_judge(struct switchover *p,
						const struct switchover_decision *d, bool over)
{
	const bool diverges = !over && switchover_watch_least(p, d);

	if (!over && switchover_fits(p, d))
		return SWITCHOVER_CONVERGED;
	if (switchover_is_used_up(p, d->round.now_ns))
		return SWITCHOVER_LIMIT;
	return diverges ? SWITCHOVER_DIVERGES : SWITCHOVER_NOT_YET;
}

/* By a timer, since poll() finds most drivers' streams ready always. */
static uint64_t switchover_pause(struct switchover *p, const struct switchover_decision *d)
{
	const struct switchover_round *r = &d->round;
	uint64_t pause = PAUSE_MIN_NS << MIN(p->idle, 4u);

	if (r->quiescent || (r->moved && (!r->told || switchover_told(r)))) {
		p->idle = 0;
		return 0;
	}
	p->idle++;
	return MIN(pause, PAUSE_MAX_NS);
}

void switchover_step(struct switchover *p, const struct switchover_round *round,
		     struct switchover_decision *ret)
{
	const bool over = switchover_starts_over(p, round);

	if (!round->quiescent)
		p->rounds++;
	switchover_measure_link(p, round);
	if (over) {
		switchover_forget(p, round->now_ns);
	} else if (!round->quiescent) {
		switchover_measure_dirt(p, round);
		switchover_hear(p, round);
	}
	switchover_remember(p, round);
	*ret = (struct switchover_decision){ .number = p->rounds, .round = *round };
	switchover_estimate(p, ret);
	if (over || !round->quiescent || p->verdict == SWITCHOVER_NOT_YET)
		p->verdict = switchover_judge(p, ret, over);
	ret->verdict = p->verdict;
	if (ret->verdict == SWITCHOVER_NOT_YET)
		ret->pause_ns = switchover_pause(p, ret);
}

const char *switchover_verdict_name(enum switchover_verdict verdict)
{
	static const char *const names[SWITCHOVER_NR_VERDICTS] = {
		[SWITCHOVER_NOT_YET] = "not-yet",
		[SWITCHOVER_CONVERGED] = "converged",
		[SWITCHOVER_DIVERGES] = "diverges",
		[SWITCHOVER_LIMIT] = "limit",
	};

	return names[verdict];
}
