// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "device/acquirer.h"
#include "fsm/fsm.h"
#include "fake-set.h"

static void open_gate(struct fake_set *s)
{
	if (write(s->gate[1], "", 1) != 1)
		abort();
}

static void on_arrived(struct fake_set *s, const struct event *e)
{
	s->misled |= e->phase != s->phase;
	s->arrived++;
	if (s->opens_on == e->device && s->opens_in == e->phase)
		open_gate(s);
}

static void on_event(void *ctx, const struct event *e)
{
	struct fake_set *s = ctx;

	switch (e->kind) {
	case EVENT_PHASE:
		s->phase = e->phase;
		s->arrived = 0;
		break;
	case EVENT_ARRIVED:
		on_arrived(s, e);
		break;
	case EVENT_BARRIER:
		s->misled |= e->phase != s->phase || s->arrived != s->n;
		break;
	case EVENT_RECOVERY:
		if (++s->recoveries == s->opens_after)
			open_gate(s);
		break;
	default:
		break;
	}
}

static void add_device(struct fake_set *s, unsigned int i, unsigned int caps)
{
	static const char *const names[FAKE_SET_MOST] = { "dev0", "dev1", "dev2", "dev3" };
	struct fake *f = fake_new(caps);

	f->dev.name[3] = names[i][3];
	f->number = i;
	f->salt = FAKE_SET_SALT * (uint64_t)i;
	f->size = 1000 * (uint64_t)i + 70001;
	f->cancel = &s->cancel;
	f->journal = &s->journal;
	f->gate = s->gate[0];
	s->fakes[i] = f;
	s->specs[i] = names[i];
	s->devices[i] = (struct device){
		.lock = -1,
		.spec = (char *)names[i],
		.how = &acquirer_node,
		.mig = &f->dev,
	};
	s->devs[i] = &s->devices[i];
}

struct fake_set *fake_set_new(unsigned int n, unsigned int caps)
{
	struct fake_set *s = calloc(1, sizeof(*s));

	if (!s || pipe(s->gate) < 0 || cancel_init(&s->cancel, NULL) < 0)
		abort();
	s->n = n;
	s->opens_on = EVENT_SET;
	pthread_mutex_init(&s->journal.lock, NULL);
	events_init(&s->events);
	events_listen(&s->events, on_event, s);
	for (unsigned int i = 0; i < n; i++)
		add_device(s, i, caps);
	return s;
}

void fake_set_free(struct fake_set *s)
{
	events_done(&s->events);
	cancel_done(&s->cancel);
	close(s->gate[0]);
	close(s->gate[1]);
	for (unsigned int i = 0; i < s->n; i++)
		assert_int_equal(fake_free(s->fakes[i]), 0);
	pthread_mutex_destroy(&s->journal.lock);
	free(s);
}

void fake_set_hang(struct fake_set *s, unsigned int device, enum fake_call call, unsigned int nth,
		   unsigned int others)
{
	s->fakes[device]->hang_at = call;
	s->fakes[device]->hang_n = nth;
	s->opens_after = others;
}

void fake_set_await(struct fake_set *s, unsigned int device, enum fake_call call, unsigned int nth,
		    int other, enum phase phase)
{
	s->fakes[device]->hang_at = call;
	s->fakes[device]->hang_n = nth;
	s->opens_on = other;
	s->opens_in = phase;
}

/*
 * The rule
 */

/**
 * struct place - where a device is
 * @to: where a SET is about to bring it, or @state
 * @blank: it was reset: it has nothing to do
 */
struct place {
	enum mig_state state, to;
	bool blank;
};

static bool in_full(enum mig_state state)
{
	return state == MIG_RUNNING || state == MIG_PRE_COPY;
}

static bool starts_dma(const struct place *p)
{
	return in_full(p->state) || in_full(p->to);
}

/* An arc that has not ended may have left the device without. */
static bool answers(const struct place *p)
{
	return fsm_runs(p->state) && fsm_runs(p->to);
}

static bool may_begin(const struct fake_set *s, const struct place *places,
		      const struct fake_step *step, uint32_t excused)
{
	bool stops = fsm_runs(step->from) && !fsm_runs(step->to);
	bool runs = in_full(step->to) && !in_full(step->from);

	for (unsigned int i = 0; i < s->n; i++) {
		if (i == step->device || i == excused || places[i].state == MIG_ERROR ||
		    places[i].blank || places[step->device].blank)
			continue;
		if (stops && starts_dma(&places[i]))
			return false;
		if (runs && !answers(&places[i]))
			return false;
	}
	return true;
}

void fake_set_check(const struct fake_set *s, uint32_t excused)
{
	struct place places[FAKE_SET_MOST];

	for (unsigned int i = 0; i < s->n; i++)
		places[i] = (struct place){ .state = MIG_RUNNING, .to = MIG_RUNNING };
	for (unsigned int i = 0; i < s->journal.n; i++) {
		const struct fake_step *step = &s->journal.steps[i];
		struct place *p = &places[step->device];

		if (!step->end && !step->reset && !may_begin(s, places, step, excused))
			fail_msg("step %u of%s", i + 1, fake_set_story(s));
		p->to = step->to;
		p->blank |= step->reset && step->result >= 0;
		if (step->end)
			p->state = step->to;
	}
	assert_false(s->misled);
}

const char *fake_set_story(const struct fake_set *s)
{
	static char text[FAKE_STEPS * 40];
	size_t n = 0;

	for (unsigned int i = 0; i < s->journal.n && n < sizeof(text); i++) {
		const struct fake_step *step = &s->journal.steps[i];

		n += (size_t)snprintf(text + n, sizeof(text) - n, " %u:%u%s%s%s%s", i + 1,
				      step->device,
				      step->end	    ? "="
				      : step->reset ? "*"
						    : ">",
				      fsm_name(step->to), step->result < 0 ? "!" : "",
				      i + 1 < s->journal.n ? "," : "");
	}
	return text;
}
